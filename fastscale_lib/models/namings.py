"""Names of the layers of networks in timm, torchvision and pycls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..architectures.definition import Network

BLOCK = re.compile(r"stage(\d+)\.block(\d+)\.(.+)")
# Our layers with tensors, in the order of `Naming.layers` and `Naming.ends`.
_BRANCH = ("conv1", "norm1", "conv2", "norm2", "conv3", "norm3", "se.reduce", "se.expand")
_IN_BLOCK: tuple[str, ...] = (*_BRANCH, "shortcut.conv", "shortcut.norm")
_AT_ENDS: tuple[str, ...] = ("stem.conv", "stem.norm", "head.conv", "head.norm", "head.linear")


@dataclass(frozen=True)
class Naming:
    """Another library's names of layers; "-" stands for a layer that it does not have.

    Attributes:
        source: the library and its networks.
        marker: a key of state dicts that only this naming has.
        block: prefix of a block's layers, with stage and block counted from 1, stage0 and block0 from 0.
        layers: the library's names of the layers in `_IN_BLOCK`.
        ends: the library's names of the layers in `_AT_ENDS`; {after} is the number after the last stage's, {last} the
            prefix of its last block.
        more_ends: the library's names of further layers of stem and head.
        forms: as `layers`, for blocks with other names: MBConv without expansion ("unexpanded"), fused MBConv
            ("fused"), and that without expansion ("single").
        in_order: whether blocks correspond by their order, not by stage: a stage of the library has several of ours.
    """

    source: str
    marker: str
    block: str = ""
    layers: str = ""
    ends: str = ""
    more_ends: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)
    in_order: bool = False

    def places(self, given: Iterable[str]) -> list[str]:
        """Return the prefixes of the library's blocks in order, if blocks correspond by order."""
        if not self.in_order:
            return []
        pattern = re.compile(re.escape(self.block).replace(r"\{stage0\}", r"(\d+)").replace(r"\{block0\}", r"(\d+)"))
        found = {tuple(map(int, each.groups())) for each in map(pattern.match, given) if each}
        return [self.block.format(stage0=stage, block0=block) for stage, block in sorted(found)]

    def fits(self, keys: Iterable[str]) -> bool:
        """Return whether these are the names in a state dict of the library."""
        return self.marker in keys

    def key(self, tensor: str, network: Network, places: list[str]) -> str | None:
        """Return the library's key for our tensor; None if it has none.

        Arguments:
            places: what `places` returns for the library's keys.
        """
        layer, _, leaf = tensor.rpartition(".")
        theirs = self.of(layer, network, places)
        return None if theirs is None else f"{theirs}.{leaf}"

    def of(self, layer: str, network: Network, places: list[str]) -> str | None:
        """Return the library's name of our layer; None if it has none."""
        if (found := BLOCK.fullmatch(layer)) is None:
            if layer in self.more_ends:
                return self.more_ends[layer]
            ends = self.ends.format(after=len(network.stages) + 1, last=places[-1] if places else "")
            name, prefix = dict(zip(_AT_ENDS, ends.split(), strict=True)).get(layer, "-"), ""
        else:
            stage, block = int(found[1]), int(found[2])
            number = sum(network.depths[: stage - 1]) + block - 1
            prefix = self.block.format(stage=stage, block=block, stage0=stage - 1, block0=block - 1)
            prefix = places[number] if number < len(places) else prefix
            layers = self.forms.get(_form(network, stage - 1), self.layers)
            name = dict(zip(_IN_BLOCK, layers.split(), strict=True)).get(found[3], "-")
        return None if name == "-" else prefix + name


class OwnNaming(Naming):
    """This library's own names; the marker is the beginning of one."""

    def fits(self, keys: Iterable[str]) -> bool:
        return any(key.startswith(self.marker) for key in keys)

    def key(self, tensor: str, network: Network, places: list[str]) -> str | None:
        return tensor


@dataclass(frozen=True)
class TensorNaming(Naming):
    """A naming with the library's name of each layer or tensor, in a block or at the ends.

    In names, {stage} and {block} stand for the numbers of stage and block, counted from 0.
    """

    names: Mapping[str, str] = field(default_factory=dict)

    def key(self, tensor: str, network: Network, places: list[str]) -> str | None:
        found = BLOCK.fullmatch(tensor)
        place = {} if found is None else {"stage": int(found[1]) - 1, "block": int(found[2]) - 1}
        tensor = tensor if found is None else found[3]
        layer, _, leaf = tensor.rpartition(".")
        if tensor in self.names:
            return self.names[tensor].format(**place)
        return f"{self.names[layer].format(**place)}.{leaf}" if layer in self.names else None


def _form(network: Network, stage: int) -> str:
    block, expands = network.block_types[stage].name, network.stages[stage].bottleneck != 1
    if block == "fused_mbconv":
        return "fused" if expands else "single"
    return "unexpanded" if "mbconv" in block and not expands else ""


OWN = OwnNaming(source="fastscale", marker="stage1.block1.")
TORCHVISION_EFFICIENTNET = Naming(
    source="torchvision's EfficientNet",
    marker="features.0.0.weight",
    block="features.{stage}.{block0}.block.",
    layers="0.0 0.1 1.0 1.1 3.0 3.1 2.fc1 2.fc2 - -",
    forms={
        "unexpanded": "- - 0.0 0.1 2.0 2.1 1.fc1 1.fc2 - -",
        "fused": "0.0 0.1 1.0 1.1 - - - - - -",
        "single": "0.0 0.1 - - - - - - - -",
    },
    ends="features.0.0 features.0.1 features.{after}.0 features.{after}.1 classifier.1",
)
TIMM_REGNET = Naming(
    source="timm's RegNet",
    marker="s1.b1.conv1.conv.weight",
    block="s{stage}.b{block}.",
    layers="conv1.conv conv1.bn conv2.conv conv2.bn conv3.conv conv3.bn se.fc1 se.fc2 downsample.conv downsample.bn",
    ends="stem.conv stem.bn final_conv.conv final_conv.bn head.fc",
)
_TIMM_MBCONV = {
    "layers": "conv_pw bn1 conv_dw bn2 conv_pwl bn3 se.conv_reduce se.conv_expand - -",
    "forms": {
        "unexpanded": "- - conv_dw bn1 conv_pw bn2 se.conv_reduce se.conv_expand - -",
        "fused": "conv_exp bn1 conv_pwl bn2 - - se.conv_reduce se.conv_expand - -",
        "single": "conv bn1 - - - - - - - -",
    },
}
TOKEN_NAMINGS = (
    TensorNaming(
        source="timm's ConvNeXt",
        marker="stages.0.blocks.0.conv_dw.weight",
        names={
            "stem.conv": "stem.0",
            "stem.norm": "stem.1",
            "downsample.norm": "stages.{stage}.downsample.0",
            "downsample.conv": "stages.{stage}.downsample.1",
            "branch.conv": "stages.{stage}.blocks.{block}.conv_dw",
            "branch.norm": "stages.{stage}.blocks.{block}.norm",
            "branch.fc1": "stages.{stage}.blocks.{block}.mlp.fc1",
            "branch.grn": "stages.{stage}.blocks.{block}.mlp.grn",
            "branch.fc2": "stages.{stage}.blocks.{block}.mlp.fc2",
            "branch.scale.weight": "stages.{stage}.blocks.{block}.gamma",
            "head.norm": "head.norm",
            "head.linear": "head.fc",
        },
    ),
    TensorNaming(
        source="timm's ViT or DeiT",
        marker="blocks.0.attn.qkv.weight",
        names={
            "stem.conv": "patch_embed.proj",
            "stem.tokens.class_token": "cls_token",
            "stem.tokens.positions": "pos_embed",
            "attention.norm": "blocks.{block}.norm1",
            "attention.qkv": "blocks.{block}.attn.qkv",
            "attention.proj": "blocks.{block}.attn.proj",
            "attention.scale.weight": "blocks.{block}.ls1.gamma",
            "mlp.norm": "blocks.{block}.norm2",
            "mlp.fc1": "blocks.{block}.mlp.fc1",
            "mlp.fc2": "blocks.{block}.mlp.fc2",
            "mlp.scale.weight": "blocks.{block}.ls2.gamma",
            "head.norm": "norm",
            "head.linear": "head",
        },
    ),
    TensorNaming(
        source="torchvision's ViT",
        marker="encoder.pos_embedding",
        names={
            "stem.conv": "conv_proj",
            "stem.tokens.class_token": "class_token",
            "stem.tokens.positions": "encoder.pos_embedding",
            "attention.norm": "encoder.layers.encoder_layer_{block}.ln_1",
            "attention.qkv.weight": "encoder.layers.encoder_layer_{block}.self_attention.in_proj_weight",
            "attention.qkv.bias": "encoder.layers.encoder_layer_{block}.self_attention.in_proj_bias",
            "attention.proj": "encoder.layers.encoder_layer_{block}.self_attention.out_proj",
            "mlp.norm": "encoder.layers.encoder_layer_{block}.ln_2",
            "mlp.fc1": "encoder.layers.encoder_layer_{block}.mlp.0",
            "mlp.fc2": "encoder.layers.encoder_layer_{block}.mlp.3",
            "head.norm": "encoder.ln",
            "head.linear": "heads.head",
        },
    ),
)
NAMINGS = (
    OWN,
    TORCHVISION_EFFICIENTNET,
    Naming(
        source="torchvision's RegNet",
        marker="trunk_output.block1.block1-0.f.a.0.weight",
        block="trunk_output.block{stage}.block{stage}-{block0}.",
        layers="f.a.0 f.a.1 f.b.0 f.b.1 f.c.0 f.c.1 f.se.fc1 f.se.fc2 proj.0 proj.1",
        ends="stem.0 stem.1 - - fc",
    ),
    Naming(
        source="timm's ResNet with a deep stem",
        marker="conv1.0.weight",
        block="layer{stage}.{block0}.",
        layers="conv1 bn1 conv2 bn2 conv3 bn3 se.fc1 se.fc2 downsample.1 downsample.2",
        ends="- - - - fc",
        more_ends={
            **{"stem.conv1": "conv1.0", "stem.norm1": "conv1.1", "stem.conv2": "conv1.3", "stem.norm2": "conv1.4"},
            **{"stem.conv3": "conv1.6", "stem.norm3": "bn1", "stem.conv4": "maxpool.0", "stem.norm4": "maxpool.1"},
        },
    ),
    Naming(
        source="torchvision's or timm's ResNet",
        marker="layer1.0.conv1.weight",
        block="layer{stage}.{block0}.",
        layers="conv1 bn1 conv2 bn2 conv3 bn3 se.fc1 se.fc2 downsample.0 downsample.1",
        ends="conv1 bn1 - - fc",
    ),
    Naming(
        source="timm's MobileNetV3",
        marker="conv_head.bias",
        block="blocks.{stage0}.{block0}.",
        ends="conv_stem bn1 {last}conv {last}bn1 classifier",
        more_ends={"head.hidden": "conv_head"},
        in_order=True,
        **_TIMM_MBCONV,
    ),
    Naming(
        source="timm's EfficientNet",
        marker="conv_stem.weight",
        block="blocks.{stage0}.{block0}.",
        ends="conv_stem bn1 conv_head bn2 classifier",
        **_TIMM_MBCONV,
    ),
    TIMM_REGNET,
    Naming(
        source="pycls's RegNet or ResNet",
        marker="s1.b1.f.a.weight",
        block="s{stage}.b{block}.",
        layers="f.a f.a_bn f.b f.b_bn f.c f.c_bn f.se.f_ex.0 f.se.f_ex.2 proj bn",
        ends="stem.conv stem.bn head.conv head.bn head.fc",
    ),
    Naming(
        source="pycls's EfficientNet",
        marker="s1.b1.dwise.weight",
        block="s{stage}.b{block}.",
        layers="exp exp_bn dwise dwise_bn lin_proj lin_proj_bn se.f_ex.0 se.f_ex.2 - -",
        ends="stem.conv stem.bn head.conv head.conv_bn head.fc",
    ),
    *TOKEN_NAMINGS,
)
