"""The base networks by their published names, and the RegNet rule that defines most of them."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from itertools import takewhile
from typing import Any, NamedTuple

from .._common.checks import shown
from .._common.integers import divisible
from .definition import Network
from .design_spaces import anynet, regnet
from .parts import NetworkError
from .resolutions import Resolution
from .traced.module_family import Family


def networks(family: str | None = None) -> list[str]:
    """List the names of the base networks, family by family, small to large.

    Arguments:
        family: a family, as `families` names it; default: all of them.

    Raises:
        NetworkError: there is no such family.
    """
    if family is None:
        return list(_zoo())
    known = {_plain_name(each): each for each in families()}
    if not isinstance(family, str) or _plain_name(family) not in known:
        raise NetworkError(f"networks: {shown(family)} is no family; there are {', '.join(known.values())}")
    return families()[known[_plain_name(family)]]


def families() -> dict[str, list[str]]:
    """Return the names of the base networks by family, small to large."""
    found: dict[str, list[str]] = {}
    for name, described in _zoo().items():
        found.setdefault(described.family, []).append(name)
    return found


def family_of(network: Network) -> list[str]:
    """List the base networks of this one's family, small to large; none if it has none."""
    described = _zoo().get(network.name.split(" ")[0])  # a scaled network's name begins with its base's
    family = described.family if described else network.name.split("-")[0]
    return families().get(family, [])


def network(name: str | Network, *, resolution: Resolution | None = None, classes: int | None = None) -> Network:
    """Return the base network of this published name.

    Case, dashes, underscores and a trailing ".0" do not matter. Names of timm and torchvision are known where theirs
    is the same network: "regnety_040", "regnet_y_3_2gf", "resnext50_32x4d", "resnet50", "tf_efficientnetv2_s"; so are
    those of timm with a tag of weights, as "regnety_040.pycls_in1k". Timm's networks with "tf_" pad as TensorFlow does:
    they count the same, but their logits differ. The network has the published resolution and 1000 classes, whatever a
    tag says: give `resolution` and `classes` for those of "tf_efficientnet_l2.ns_jft_in1k_475". Three names of
    torchvision are refused, as its networks have other widths: "regnet_x_400mf", "regnet_y_800mf", "regnet_y_8gf".

    Arguments:
        name: the published name; or a Network, which is returned as it is.
        resolution: side of the images in pixels, or (height, width); default: the published one.
        classes: outputs of the classifier; default: the published 1000.

    Returns:
        The network. It keeps its name also with another resolution and other classes; `Network.replace` changes
        these and any other field.

    Raises:
        NetworkError: no network has this name (the message gives the nearest names, or how to describe it), it is
            torchvision's for another network, or resolution or classes is not in whole numbers above 0.
    """
    found = _named(name)
    asked = {"resolution": resolution, "classes": classes}
    changes = {field: value for field, value in asked.items() if value is not None}
    return found.replace(**changes) if changes else found


def _named(name: str | Network) -> Network:
    if isinstance(name, Network):
        return name
    if not isinstance(name, str):
        what = shown(name)
        if any(cls.__module__.startswith("torch.nn") for cls in type(name).__mro__):
            raise NetworkError(
                f"network: a torch module ({type(name).__name__}) is neither a Network nor the name of one; "
                "fs.complexity and fs.layers count it, and fs.family scales a callable that makes such modules"
            )
        if isinstance(name, Family):
            raise NetworkError(
                f"network: {shown(name)} is a family of modules, which this does not take; "
                "it takes networks, as fs.network(...) and fs.anynet(...) give them"
            )
        if callable(name):
            called = str(getattr(name, "__name__", type(name).__name__))[:60]
            raise NetworkError(
                f"network: {called} makes modules, and is neither a module nor a Network; give what it returns, as "
                f"fs.complexity({called}(...), resolution=224), or what scales it, as fs.family({called}, ...)"
            )
        raise NetworkError(f"network: {what} is neither a Network nor the name of one; {_DESCRIBE}")
    theirs = re.sub(r"[-\s]+", "_", _TAG.sub("", name[:100]).strip().lower())
    if ours := _OTHERS_OF_TORCHVISION.get(theirs):
        raise NetworkError(
            f"network: {shown(name)} is torchvision's name of a network with other widths than {ours} of pycls and "
            f"timm; fs.network({ours!r}) gives that one, and fs.complexity(torchvision.models.{theirs}(), "
            "resolution=224) counts torchvision's"
        )
    found = _names().get(_plain_name(name)) or _names().get(_plain_name(_TAG.sub("", name[:100])))
    if found is None:
        raise NetworkError(f"network: {shown(name)} is not a base network; {_hint(name)}")
    return _zoo_network(found)


_TAG = re.compile(r"\.[a-z]\w*$", re.IGNORECASE)  # of timm's weights, as in regnety_040.pycls_in1k
# Names of torchvision whose networks have other widths than those of pycls and timm with the same letters.
_OTHERS_OF_TORCHVISION = {
    "regnet_x_400mf": "RegNetX-400MF",
    "regnet_y_800mf": "RegNetY-800MF",
    "regnet_y_8gf": "RegNetY-8.0GF",
}
_MOST_NAMES = 12  # of a hint: as many networks as may differ in the last letter alone
_LEAST_ALIKE = 0.7  # of a name that is hinted at: VGG-16 is no misspelt ViT-S/16
_DESCRIBE = (
    "fs.anynet describes one by stages, fs.regnet by numbers, fs.family(timm.create_model, '...') takes timm's, "
    "fs.complexity(module, resolution=224) counts any other, as torchvision.models.vgg16(); "
    "fs.networks() lists the names"
)


def _hint(name: str) -> str:
    """Suggest other names: the networks of a family, or the nearest names."""
    plain = _plain_name(_TAG.sub("", name[:100]))
    of_family = [family for family in families() if plain and _plain_name(family) == plain]
    if of_family:
        return f"it is a family: {', '.join(networks(of_family[0]))}; or {_DESCRIBE}"
    alike = {each: difflib.SequenceMatcher(None, plain, each).ratio() for each in _names()}
    nearest = sorted(alike, key=lambda each: (alike[each], _common_start(plain, each)), reverse=True)
    least = max(_LEAST_ALIKE, alike[nearest[0]] - 0.1)
    found = list(dict.fromkeys(_names()[each] for each in nearest if alike[each] >= least))[:_MOST_NAMES]
    if not found:
        return _DESCRIBE
    nearest_are = "the nearest name is" if len(found) == 1 else "the nearest names are"
    others = "fs.networks() lists all, fs.anynet describes one, fs.family(timm.create_model, '...') takes timm's"
    return f"{nearest_are} {', '.join(found)}; {others}"


def _common_start(one: str, other: str) -> int:
    """Count the characters of the common prefix."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


class _Described(NamedTuple):
    """A base network as the files of `zoo` say it; `aliases` are its names elsewhere."""

    family: str
    settings: dict[str, Any]
    aliases: dict[str, str]


@lru_cache
def _zoo() -> dict[str, _Described]:
    files = sorted((each.name, each) for each in resources.files(__name__.rpartition(".")[0]).joinpath("zoo").iterdir())
    found: dict[str, _Described] = {}
    for _, file in files:
        read = json.loads(file.read_text("utf-8"))
        for name, own in read["networks"].items():
            settings = read["shared"] | own
            aliases = {library: settings.pop(library) for library in LIBRARIES if library in settings}
            found[name] = _Described(read["family"], settings, aliases)
    return found


LIBRARIES = ("timm", "torchvision")


def aliases(library: str) -> dict[str, str]:
    """Return the names that a library of `LIBRARIES` has for base networks, by ours."""
    return {name: each.aliases[library] for name, each in _zoo().items() if library in each.aliases}


@lru_cache
def _names() -> dict[str, str]:
    """Map plain spellings to the names of base networks."""
    theirs = {_plain_name(alias): name for library in LIBRARIES for name, alias in aliases(library).items()}
    return theirs | {_plain_name(name): name for name in _zoo()}


@lru_cache
def _zoo_network(name: str) -> Network:
    settings = _zoo()[name].settings
    if "w0" in settings:
        return regnet(name=name, **settings)
    return anynet(name=name, **(_multiplied(**settings) if "head_width" in settings else settings))


def _multiplied(
    *,
    width_factor: float = 1,
    depth_factor: float = 1,
    width_limit: float = 0.9,
    depth_rounding: str = "up",
    fixed: tuple[str, ...] = (),
    least_head: int = 0,
    **settings: Any,
) -> Mapping[str, Any]:
    """Multiply widths and depths as MobileNet and EfficientNet do; return `anynet` settings.

    Widths become multiples of 8, the nearest ones, and depths whole numbers (Sandler et al., MobileNetV2, 2018; Tan and
    Le, EfficientNet, 2019, section 3). A strategy of `fs.scale` rounds otherwise.

    Arguments:
        width_factor: of all stages, the stem and the head.
        depth_factor: of all stages.
        width_limit: no width is rounded to less than this share of what is asked.
        depth_rounding: "up" or "nearest".
        fixed: what keeps its size: "stem", "head" or "first and last depth".
        least_head: the head is not narrower.
        settings: of the network that is multiplied, as `anynet` takes them.
    """

    def wide(width: int) -> int:
        return width if width_factor == 1 else int(divisible(width, width_factor, 8, width_limit))

    def deep(depth: int) -> int:
        return max(1, math.ceil(depth * depth_factor) if depth_rounding == "up" else round(depth * depth_factor))

    depths = settings["depths"]
    multiplied_depths = [deep(depth) for depth in depths]
    if "first and last depth" in fixed:
        multiplied_depths = [depths[0], *multiplied_depths[1:-1], depths[-1]]
    stem_width, head_width = settings["stem_width"], settings["head_width"]
    return settings | {
        "depths": multiplied_depths,
        "widths": [wide(width) for width in settings["widths"]],
        "stem_width": stem_width if "stem" in fixed else wide(stem_width),
        "head_width": head_width if "head" in fixed else max(least_head, wide(head_width)),
    }


def _plain_name(name: str) -> str:
    """Normalise a name; `_` between digits is a decimal point, as in torchvision's 1_6gf."""
    plain = re.sub(r"(?<=[0-9])[-_](?=[0-9])", ".", name.lower().removeprefix("tf_"))
    return re.sub(r"[-_\s]", "", plain).replace(".0gf", "gf")
