"""Networks as configuration files of pycls, read and written.

https://github.com/facebookresearch/pycls
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._common.checks import shown
from .._common.yaml_text import YamlError, read_yaml, write_yaml
from .parts import PER_STAGE, Head, NetworkError, Stem
from .resolutions import size_text
from .stage_lists import regnet_lists, stages_of

if TYPE_CHECKING:
    from .definition import Network

# Keys of sections by the type of model; as arguments of `anynet` or `regnet` they are in lower case, or named as here.
# SE and the depth of a ResNet are read apart.
_KEYS = {
    "anynet": "STEM_TYPE STEM_W BLOCK_TYPE DEPTHS WIDTHS STRIDES BOT_MULS GROUP_WS HEAD_W",
    "effnet": "STEM_W DEPTHS WIDTHS EXP_RATIOS STRIDES KERNELS HEAD_W",
    "regnet": "STEM_TYPE STEM_W BLOCK_TYPE STRIDE DEPTH W0 WA WM GROUP_W BOT_MUL HEAD_W",
}
_OURS = {
    **{"STEM_TYPE": "stem", "STEM_W": "stem_width", "BLOCK_TYPE": "block", "HEAD_W": "head_width"},
    **{"BOT_MULS": "bottlenecks", "EXP_RATIOS": "bottlenecks", "GROUP_WS": "group_widths"},
    **{"BOT_MUL": "bottleneck", "GROUP_W": "group_width"},
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


def read_pycls(text: str) -> dict[str, Any]:
    """Return the network's fields from a configuration file; sections on training are ignored."""
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
    if kind == "resnet":
        settings |= _resnet(model.get("DEPTH"), _known("RESNET", section, _RESNET), training.get("DATASET", ""))
    elif kind == "effnet":
        section = _known("EN", section, {*_KEYS[kind].split(), "SE_R"})
        settings |= {"block": "mbconv", "head_width": 1280, "se_ratio": section.get("SE_R", _SE_R)}
        settings |= _renamed(section)
    else:
        section = _known(_SECTIONS[kind], section, {*_KEYS[kind].split(), *_SE})
        squeezes = section.get("SE_ON", False) and section.get("BLOCK_TYPE") not in _WITHOUT_SE
        settings |= {"se_ratio": section.get("SE_R", _SE_R) if squeezes else 0} | _renamed(section)
        if kind == "regnet":
            settings = _expanded(settings)
    if missing := [key for key in ("depths", "widths") if key not in settings]:
        raise NetworkError(f"from_pycls: {_SECTIONS[kind]} lacks {missing[0].upper()}")
    return _fields(settings)


def _expanded(settings: dict[str, Any]) -> dict[str, Any]:
    """Expand the numbers of a RegNet into lists."""
    names = ("depth", "w0", "wa", "wm", "group_width", "bottleneck", "stride", "block")
    numbers = {name: value for name, value in settings.items() if name in names}
    if missing := [name for name in names[:5] if name not in numbers]:
        theirs = next(key for key in _KEYS["regnet"].split() if _OURS.get(key, key.lower()) == missing[0])
        raise NetworkError(f"from_pycls: REGNET lacks {theirs}")
    return {name: value for name, value in settings.items() if name not in names[:7]} | regnet_lists(**numbers)


def _fields(settings: dict[str, Any]) -> dict[str, Any]:
    """Convert settings of `anynet` to fields of a network."""
    block = settings.get("block", "res_bottleneck_block")
    rest = {name: settings[name] for name in ("resolution", "classes", "activation", "se_ratio") if name in settings}
    return {
        "stem": Stem(settings.get("stem", "simple_stem_in"), settings.get("stem_width", 32)),
        "block": block,
        "stages": stages_of(block, {name: value for name, value in settings.items() if name in PER_STAGE}),
        "head": Head(settings.get("head_width", 0)),
        **rest,
    }


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
    """Say what keeps pycls from building the network; "" if nothing does."""
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
    if isinstance(network.resolution, tuple):
        return f"has images of {size_text(network.resolution)} pixels, which are not square"
    return "has other images than of 3 channels" if network.channels != 3 else ""


def _resnet(depth: Any, section: Mapping, dataset: Any) -> dict[str, Any]:
    """Return a ResNet by its depth, of CIFAR or ImageNet by the dataset.

    As in pycls, the default block is basic. Of ImageNet pycls builds bottleneck blocks alone, of CIFAR basic ones
    alone: the rest it refuses, and so do we.
    """
    transform = section.get("TRANS_FUN", "basic_transform")
    if not isinstance(dataset, str):
        raise NetworkError(f"from_pycls: TRAIN.DATASET is {shown(dataset)}, but must be a name, as imagenet or cifar10")
    if not dataset and transform != "bottleneck_transform":
        raise NetworkError(
            "from_pycls: a ResNet is one of CIFAR or of ImageNet by TRAIN.DATASET, which is not given; give it, as "
            "cifar10, or as imagenet with RESNET.TRANS_FUN bottleneck_transform"
        )
    cifar = "cifar" in dataset
    wanted = "basic_transform" if cifar else "bottleneck_transform"
    if transform != wanted:
        default = "" if "TRANS_FUN" in section else ", pycls's default,"
        raise NetworkError(
            f"from_pycls: RESNET.TRANS_FUN is {shown(transform)}{default} of which pycls builds no ResNet of "
            f"TRAIN.DATASET {shown(dataset)}; give {wanted}"
        )
    if cifar and isinstance(depth, int) and depth > 2 and depth % 6 == 2:
        return {
            "block": "res_basic_block",
            "stem": "res_stem_cifar",
            "stem_width": 16,
            "depths": [(depth - 2) // 6] * 3,
            "widths": [16, 32, 64],
            "strides": [1, 2, 2],
        }
    if cifar or not isinstance(depth, int) or depth not in _DEPTHS:
        raise NetworkError(
            f"from_pycls: a ResNet of MODEL.DEPTH {shown(depth)} is not one of pycls's: 6n + 2 of CIFAR with "
            "basic_transform, or 50, 101, 152 of ImageNet with bottleneck_transform"
        )
    groups, of_each = section.get("NUM_GROUPS", 1), section.get("WIDTH_PER_GROUP", 64)
    if not all(isinstance(each, int) and each > 0 for each in (groups, of_each)):
        raise NetworkError("from_pycls: RESNET.NUM_GROUPS and WIDTH_PER_GROUP must be whole numbers above 0")
    strided = "res_bottleneck_stride_1x1_block" if section.get("STRIDE_1X1", True) else "res_bottleneck_block"
    return {
        "block": strided,
        "stem": "res_stem_in",
        "stem_width": 64,
        "depths": _DEPTHS[depth],
        "widths": [256, 512, 1024, 2048],
        "strides": [1, 2, 2, 2],
        "bottlenecks": groups * of_each / 256,
        "group_widths": [of_each * 2**stage for stage in range(4)],
    }


def _renamed(section: Mapping) -> dict[str, Any]:
    """Return the section's values by our names, without SE; an empty list is the default."""
    return {
        _OURS.get(key) or str(key).lower(): value for key, value in section.items() if key not in _SE and value != []
    }


def _known(part: str, section: Any, keys: Any) -> Mapping:
    section = _mapping(part, section)
    if unknown := [key for key in section if key not in keys]:
        raise NetworkError(
            f"from_pycls: {part} has {shown(unknown[0])}, which is not read; it may have {', '.join(sorted(keys))}"
        )
    return section


def _mapping(part: str, section: Any) -> Mapping:
    if not isinstance(section, Mapping):
        raise NetworkError(f"from_pycls: {part} is {shown(section)}, but must have keys with values, as pycls's files")
    return section
