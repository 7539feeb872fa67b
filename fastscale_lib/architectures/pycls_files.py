"""Configuration files of pycls (https://github.com/facebookresearch/pycls): networks read from them and written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._common.checks import shown
from .._common.yaml_text import YamlError, read_yaml, write_yaml
from .definition import Network
from .design_spaces import anynet, regnet
from .parts import NetworkError
from .zoo import network as named_network
from .zoo import networks

# Sections by the type of model, with their keys as arguments of `anynet` or `regnet`; SE and depth are read apart.
_ANYNET = {
    "STEM_TYPE": "stem",
    "STEM_W": "stem_width",
    "BLOCK_TYPE": "block",
    "DEPTHS": "depths",
    "WIDTHS": "widths",
    "STRIDES": "strides",
    "BOT_MULS": "bottlenecks",
    "GROUP_WS": "group_widths",
    "HEAD_W": "head_width",
}
_EFFNET = {
    "STEM_W": "stem_width",
    "DEPTHS": "depths",
    "WIDTHS": "widths",
    "EXP_RATIOS": "bottlenecks",
    "STRIDES": "strides",
    "KERNELS": "kernels",
    "HEAD_W": "head_width",
}
_REGNET = {
    "STEM_TYPE": "stem",
    "STEM_W": "stem_width",
    "BLOCK_TYPE": "block",
    "STRIDE": "stride",
    "DEPTH": "depth",
    "W0": "w0",
    "WA": "wa",
    "WM": "wm",
    "GROUP_W": "group_width",
    "BOT_MUL": "bottleneck",
    "HEAD_W": "head_width",
}
_RESNET = {"TRANS_FUN", "NUM_GROUPS", "WIDTH_PER_GROUP", "STRIDE_1X1"}
_SECTIONS = {"anynet": "ANYNET", "regnet": "REGNET", "effnet": "EN", "resnet": "RESNET"}
_SE = {"SE_ON", "SE_R"}
_MODEL = {"TYPE", "NUM_CLASSES", "ACTIVATION_FUN", "ACTIVATION_INPLACE", "DEPTH", "SCALING_TYPE", "SCALING_FACTOR"}
_WITHOUT_SE = ("res_basic_block", "vanilla_block")  # in pycls
_WRITTEN = {"res_bottleneck_block", "res_bottleneck_linear_block", *_WITHOUT_SE}
_STEMS = ("simple_stem_in", "res_stem_in", "res_stem_cifar")
_DEPTHS = {50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3]}  # of ResNet, in pycls
_SE_R, _RESOLUTION, _CLASSES = 0.25, 224, 10  # where a file does not say them


def read_pycls(text: str, name: str | None = None) -> Network:
    """Return the network of a configuration file; sections on training are passed over."""
    try:
        plain = read_yaml(text)
    except YamlError as error:
        raise NetworkError(f"from_pycls: this is {error}") from None
    plain = _mapping("the file", plain)
    model = _known("MODEL", plain.get("MODEL"), _MODEL)
    kind = model.get("TYPE")
    if not isinstance(kind, str) or kind not in _SECTIONS:
        raise NetworkError(f"from_pycls: MODEL.TYPE is {shown(kind)}, but must be one of {', '.join(_SECTIONS)}")
    if model.get("SCALING_TYPE"):
        raise NetworkError("from_pycls: MODEL.SCALING_TYPE is given; leave it out, and scale the network by fs.scale")
    section, training = plain.get(_SECTIONS[kind], {}), _mapping("TRAIN", plain.get("TRAIN", {}))
    settings = {
        "resolution": training.get("IM_SIZE", _RESOLUTION),
        "classes": model.get("NUM_CLASSES", _CLASSES),
        "activation": model.get("ACTIVATION_FUN", "relu"),
    }
    try:
        if kind == "resnet":
            found = _resnet(model.get("DEPTH"), _known("RESNET", section, _RESNET), settings)
        elif kind == "effnet":
            section = _known("EN", section, {*_EFFNET, "SE_R"})
            settings |= {"head_width": 1280} | _renamed(section, _EFFNET)
            found = anynet(block="mbconv", se_ratio=section.get("SE_R", _SE_R), **settings)
        else:
            keys, make = (_ANYNET, anynet) if kind == "anynet" else (_REGNET, regnet)
            section = _known(_SECTIONS[kind], section, keys.keys() | _SE)
            squeezes = section.get("SE_ON", False) and section.get("BLOCK_TYPE") not in _WITHOUT_SE
            se_ratio = section.get("SE_R", _SE_R) if squeezes else 0
            found = make(se_ratio=se_ratio, **settings | _renamed(section, keys))
    except TypeError as error:  # an argument that has no default
        raise NetworkError(f"from_pycls: {_SECTIONS[kind]} lacks sizes ({str(error).split('() ')[-1]})") from None
    published = next((each for each in networks() if named_network(each).id == found.id), found.name)
    return found.replace(name=published if name is None else name)


def write_pycls(network: Network) -> str:
    """Return the text of a configuration file of pycls that describes the network."""
    effnet = network.block == "mbconv"
    if reason := _not_in_pycls(network, effnet):
        raise NetworkError(f"to_pycls: {network.name[:60]} {reason}, which pycls has not")
    sizes = {one: [getattr(stage, one) for stage in network.stages] for one in ("depth", "width", "stride")}
    section: dict[str, Any] = {
        **({} if effnet else {"STEM_TYPE": network.stem.kind, "BLOCK_TYPE": network.block}),
        "STEM_W": network.stem.width,
        **{f"{one.upper()}S": values for one, values in sizes.items()},
        "HEAD_W": network.head.width,
    }
    ratios = [stage.bottleneck for stage in network.stages]
    if effnet:
        section |= {"EXP_RATIOS": ratios, "KERNELS": [stage.kernel for stage in network.stages]}
        section |= {"SE_R": network.se_ratio}
    else:
        section |= {"BOT_MULS": ratios, "GROUP_WS": list(network.group_widths)}
        section |= {"SE_ON": network.se_ratio > 0, "SE_R": network.se_ratio or _SE_R}
    plain = {
        "MODEL": {
            "TYPE": "effnet" if effnet else "anynet",
            "NUM_CLASSES": network.classes,
            "ACTIVATION_FUN": network.activation,
        },
        "EN" if effnet else "ANYNET": section,
        "TRAIN": {"IM_SIZE": network.resolution},
        "TEST": {"IM_SIZE": network.resolution},
    }
    return write_yaml(plain, default_flow_style=None)


def _not_in_pycls(network: Network, effnet: bool) -> str:
    """What keeps pycls from building the network; nothing where it can."""
    if any(block.name != network.block for block in network.block_types):
        return "has several block types"
    if not effnet and network.block not in _WRITTEN:
        return f"has the block {network.block}"
    if set(network.se_ratios) != {network.se_ratio} or set(network.activations) != {network.activation}:
        return "has an SE ratio or an activation of its own in a stage"
    if network.se_ratio and network.block in _WITHOUT_SE:
        return f"has squeeze-and-excitation in a {network.block}"
    if network.activation not in ("relu", "silu", "gelu"):
        return f"has the activation {network.activation}"
    if network.stem.kind not in (_STEMS[:1] if effnet else _STEMS):
        return f"has the stem {network.stem.kind}"
    if network.head.hidden or network.head.kind != "conv_pool" or (effnet and not network.head.width):
        return "has another head"
    if not effnet and any(stage.kernel != 3 for stage in network.stages):
        return "has a kernel other than 3×3"
    return "has other images than of 3 channels" if network.channels != 3 else ""


def _resnet(depth: Any, section: Mapping, settings: dict[str, Any]) -> Network:
    """ResNet by its depth: of CIFAR where its blocks are basic, else of ImageNet."""
    basic = section.get("TRANS_FUN", "basic_transform") == "basic_transform"
    if basic and isinstance(depth, int) and depth > 2 and depth % 6 == 2:
        return anynet(
            block="res_basic_block",
            stem="res_stem_cifar",
            stem_width=16,
            depths=[(depth - 2) // 6] * 3,
            widths=[16, 32, 64],
            strides=[1, 2, 2],
            **settings,
        )
    if basic or depth not in _DEPTHS:
        raise NetworkError(
            f"from_pycls: a ResNet of MODEL.DEPTH {shown(depth)} with RESNET.TRANS_FUN "
            f"{shown(section.get('TRANS_FUN'))} is not one of pycls's: 6n + 2 with basic_transform, or 50, 101, 152 "
            "with bottleneck_transform"
        )
    groups, of_each = section.get("NUM_GROUPS", 1), section.get("WIDTH_PER_GROUP", 64)
    if not all(isinstance(each, int) and each > 0 for each in (groups, of_each)):
        raise NetworkError("from_pycls: RESNET.NUM_GROUPS and WIDTH_PER_GROUP must be whole numbers above 0")
    strided = "res_bottleneck_stride_1x1_block" if section.get("STRIDE_1X1", True) else "res_bottleneck_block"
    return anynet(
        block=strided,
        stem="res_stem_in",
        stem_width=64,
        depths=_DEPTHS[depth],
        widths=[256, 512, 1024, 2048],
        strides=[1, 2, 2, 2],
        bottlenecks=groups * of_each / 256,
        group_widths=[of_each * 2**stage for stage in range(4)],
        **settings,
    )


def _renamed(section: Mapping, names: Mapping[str, str]) -> dict[str, Any]:
    """The section's values by our names; an empty list stands for what is left out."""
    return {names[key]: value for key, value in section.items() if key in names and value != []}


def _known(part: str, section: Any, keys: Any) -> Mapping:
    section = _mapping(part, section)
    if unknown := [key for key in section if key not in keys]:
        raise NetworkError(
            f"from_pycls: {part} has {shown(unknown[0])}, which is not read; it may have {_listed(keys)}"
        )
    return section


def _mapping(part: str, section: Any) -> Mapping:
    if not isinstance(section, Mapping):
        raise NetworkError(f"from_pycls: {part} is {shown(section)}, but must have keys with values, as pycls's files")
    return section


def _listed(keys: Any) -> str:
    return ", ".join(sorted(keys))
