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
        block: prefix of a block's layers, with stage and block counted from 1, stage0 and block0 from 0, stage6 from 7;
            {number} counts the blocks of all stages, from 1.
        layers: the library's names of the layers in `_IN_BLOCK`.
        ends: the library's names of the layers in `_AT_ENDS`; {after} is the number after the last stage's,
            {after_blocks} that after the last block's, {last} the prefix of its last block.
        more: the library's names of further layers of stem and head, and of layers in blocks with names of their own.
        forms: as `layers`, for blocks with other names: MBConv without expansion ("unexpanded"), fused MBConv
            ("fused"), and that without expansion ("single"); and with " plain" after it, as for "" (" plain"), those
            without squeeze-and-excitation.
        in_order: whether blocks correspond by their order, not by stage: a stage of the library has several of ours.
        eps: ε of its batch norms, which a state dict does not have.
        other_eps: ε of all norms of single networks, by our names.
    """

    source: str
    marker: str
    block: str = ""
    layers: str = ""
    ends: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)
    in_order: bool = False
    eps: float = 1e-5
    other_eps: Mapping[str, float] = field(default_factory=dict)

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
        if layer in self.more:
            return self.more[layer]
        if (found := BLOCK.fullmatch(layer)) is None:
            after = {"after": len(network.stages) + 1, "after_blocks": sum(network.depths) + 1}
            ends = self.ends.format(**after, last=places[-1] if places else "")
            name, prefix = dict(zip(_AT_ENDS, ends.split(), strict=True)).get(layer, "-"), ""
        else:
            stage, block = int(found[1]), int(found[2])
            before = sum(network.depths[: stage - 1]) + block - 1
            counted = {"stage": stage, "block": block, "stage0": stage - 1, "block0": block - 1, "stage6": stage + 6}
            prefix = places[before] if before < len(places) else self.block.format(**counted, number=before + 1)
            form = network.block_types[stage - 1].form(network.stages[stage - 1].bottleneck)
            plain = None if network.se_ratios[stage - 1] else self.forms.get(f"{form} plain")
            layers = plain or self.forms.get(form, self.layers)
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

    In names, {stage} and {block} stand for the numbers of stage and block, counted from 0, {even} for twice the
    stage's, {odd} for one more.
    """

    names: Mapping[str, str] = field(default_factory=dict)

    def key(self, tensor: str, network: Network, places: list[str]) -> str | None:
        found = BLOCK.fullmatch(tensor)
        place = {}
        if found is not None:
            stage, block = int(found[1]) - 1, int(found[2]) - 1
            place = {"stage": stage, "block": block, "even": 2 * stage, "odd": 2 * stage + 1}
        tensor = tensor if found is None else found[3]
        layer, _, leaf = tensor.rpartition(".")
        if tensor in self.names:
            return self.names[tensor].format(**place)
        return f"{self.names[layer].format(**place)}.{leaf}" if layer in self.names else None


OWN = OwnNaming(source="fastscale", marker="stage1.block1.")
_TORCHVISION_BLOCK = "0.0 0.1 1.0 1.1 3.0 3.1 2.fc1 2.fc2 - -"
_TORCHVISION_UNEXPANDED = "- - 0.0 0.1 2.0 2.1 1.fc1 1.fc2 - -"
_TORCHVISION_MOBILE = (
    Naming(
        source="torchvision's MobileNetV2",
        marker="features.1.conv.0.0.weight",
        block="features.{number}.conv.",
        layers="0.0 0.1 1.0 1.1 2 3 - - - -",
        forms={"unexpanded": "- - 0.0 0.1 1 2 - - - -"},
        ends="features.0.0 features.0.1 features.{after_blocks}.0 features.{after_blocks}.1 classifier.1",
    ),
    Naming(
        source="torchvision's MobileNetV3",
        marker="classifier.3.weight",
        block="features.{number}.block.",
        layers=_TORCHVISION_BLOCK,
        forms={
            " plain": "0.0 0.1 1.0 1.1 2.0 2.1 - - - -",
            "unexpanded": _TORCHVISION_UNEXPANDED,
            "unexpanded plain": "- - 0.0 0.1 1.0 1.1 - - - -",
        },
        ends="features.0.0 features.0.1 features.{after_blocks}.0 features.{after_blocks}.1 classifier.3",
        more={"head.hidden": "classifier.0"},
        eps=1e-3,
    ),
    Naming(
        source="torchvision's MnasNet",
        marker="layers.8.0.layers.0.weight",
        block="layers.{stage6}.{block0}.layers.",
        layers="0 1 3 4 6 7 - - - -",
        ends="layers.0 layers.1 layers.14 layers.15 classifier.1",
        more={
            **{"stage1.block1.conv2": "layers.3", "stage1.block1.norm2": "layers.4"},
            **{"stage1.block1.conv3": "layers.6", "stage1.block1.norm3": "layers.7"},
        },
    ),
)
_TORCHVISION_EFFICIENTNET = Naming(
    source="torchvision's EfficientNet",
    marker="features.0.0.weight",
    block="features.{stage}.{block0}.block.",
    layers=_TORCHVISION_BLOCK,
    forms={
        "unexpanded": _TORCHVISION_UNEXPANDED,
        "fused": "0.0 0.1 1.0 1.1 - - - - - -",
        "single": "0.0 0.1 - - - - - - - -",
    },
    ends="features.0.0 features.0.1 features.{after}.0 features.{after}.1 classifier.1",
    other_eps=dict.fromkeys(
        (
            *("EfficientNet-B5", "EfficientNet-B6", "EfficientNet-B7"),
            *("EfficientNetV2-S", "EfficientNetV2-M", "EfficientNetV2-L"),
        ),
        1e-3,
    ),
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


def _columns(table: str) -> list[dict[str, str]]:
    """Read our names and those of two libraries, side by side; "-": it has none."""
    rows = [line.split() for line in table.strip().splitlines()]
    return [{row[0]: row[number] for row in rows if row[number] != "-"} for number in (1, 2)]


_CONVNEXT = _columns("""
    stem.conv           stem.0                                features.0.0
    stem.norm           stem.1                                features.0.1
    downsample.norm     stages.{stage}.downsample.0           features.{even}.0
    downsample.conv     stages.{stage}.downsample.1           features.{even}.1
    branch.conv         stages.{stage}.blocks.{block}.conv_dw features.{odd}.{block}.block.0
    branch.norm         stages.{stage}.blocks.{block}.norm    features.{odd}.{block}.block.2
    branch.fc1          stages.{stage}.blocks.{block}.mlp.fc1 features.{odd}.{block}.block.3
    branch.grn          stages.{stage}.blocks.{block}.mlp.grn -
    branch.fc2          stages.{stage}.blocks.{block}.mlp.fc2 features.{odd}.{block}.block.5
    branch.scale.weight stages.{stage}.blocks.{block}.gamma   features.{odd}.{block}.layer_scale
    head.norm           head.norm                             classifier.0
    head.linear         head.fc                               classifier.2
""")
_VIT = _columns("""
    stem.conv               patch_embed.proj         conv_proj
    stem.tokens.class_token cls_token                class_token
    stem.tokens.positions   pos_embed                encoder.pos_embedding
    attention.norm          blocks.{block}.norm1     encoder.layers.encoder_layer_{block}.ln_1
    attention.qkv           blocks.{block}.attn.qkv  -
    attention.qkv.weight    -                        encoder.layers.encoder_layer_{block}.self_attention.in_proj_weight
    attention.qkv.bias      -                        encoder.layers.encoder_layer_{block}.self_attention.in_proj_bias
    attention.proj          blocks.{block}.attn.proj encoder.layers.encoder_layer_{block}.self_attention.out_proj
    attention.scale.weight  blocks.{block}.ls1.gamma -
    mlp.norm                blocks.{block}.norm2     encoder.layers.encoder_layer_{block}.ln_2
    mlp.fc1                 blocks.{block}.mlp.fc1   encoder.layers.encoder_layer_{block}.mlp.0
    mlp.fc2                 blocks.{block}.mlp.fc2   encoder.layers.encoder_layer_{block}.mlp.3
    mlp.scale.weight        blocks.{block}.ls2.gamma -
    head.norm               norm                     encoder.ln
    head.linear             head                     heads.head
""")
_TOKEN_NAMINGS = (
    TensorNaming(
        source="timm's ConvNeXt",
        marker="stages.0.blocks.0.conv_dw.weight",
        names=_CONVNEXT[0],
        other_eps={"ConvNeXt-XXL": 1e-5},
    ),
    TensorNaming(source="torchvision's ConvNeXt", marker="features.1.0.layer_scale", names=_CONVNEXT[1]),
    TensorNaming(source="timm's ViT or DeiT", marker="blocks.0.attn.qkv.weight", names=_VIT[0]),
    TensorNaming(source="torchvision's ViT", marker="encoder.pos_embedding", names=_VIT[1]),
)
NAMINGS = (
    OWN,
    *_TOKEN_NAMINGS,
    *_TORCHVISION_MOBILE,
    _TORCHVISION_EFFICIENTNET,  # whose marker those before have, too
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
        more={
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
        more={"head.hidden": "conv_head"},
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
)
