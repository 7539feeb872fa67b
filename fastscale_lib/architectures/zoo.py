"""The base networks by their published names, and the RegNet rule that defines most of them."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from itertools import groupby
from typing import Any

from .._common.checks import shown
from .definition import Network
from .design_spaces import anynet, regnet
from .parts import NetworkError


def networks() -> list[str]:
    """List the names of the base networks, family by family, small to large."""
    return list(_zoo())


def families() -> dict[str, list[str]]:
    """Return the names of the base networks by family, small to large."""
    return {family: list(names) for family, names in groupby(_zoo(), key=lambda name: name.split("-")[0])}


def network(name: str | Network, *, resolution: int | None = None, classes: int | None = None) -> Network:
    """Return the base network of this published name.

    Case, dashes, underscores and a trailing ".0" do not matter. Names of timm and torchvision are known where theirs
    is the same network: "regnety_040", "regnet_y_3_2gf", "resnext50_32x4d", "resnet50", "efficientnet_b0".

    Arguments:
        name: the published name; or a Network, which stands for itself.
        resolution: side of the images in pixels; default: the published one.
        classes: outputs of the classifier; default: the published 1000.

    Returns:
        The network. It keeps its name also with another resolution and other classes; `Network.replace` changes
        these and any other field.

    Raises:
        NetworkError: no network has this name (the message gives the nearest names, or how to describe it), or
            resolution or classes is no whole number above 0.
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
            what = f"a torch module ({type(name).__name__})"
        raise NetworkError(f"network: {what} is neither a Network nor the name of one; {_DESCRIBE}")
    known = {_plain_name(each): each for each in _zoo()}
    if _plain_name(name) not in known:
        raise NetworkError(f"network: {shown(name)} is not a base network; {_hint(name, known)}")
    return _zoo_network(known[_plain_name(name)])


_DESCRIBE = "fs.anynet(depths=[...], widths=[...]) describes one of your own, and fs.networks() lists the names"
_BASIC_DEPTHS = {"ResNet-18": [2, 2, 2, 2], "ResNet-34": [3, 4, 6, 3]}  # He et al., Deep Residual Learning, table 1


def _hint(name: str, known: Mapping[str, str]) -> str:
    """What else to give than this name."""
    untagged = re.sub(r"\.[a-z]\w*$", "", name[:100].lower())  # timm's regnety_040.pycls_in1k
    plain = _plain_name(untagged, families="xyz")
    for basic, depths in _BASIC_DEPTHS.items():
        if plain == _plain_name(basic):
            sizes = f"depths={depths}, widths=[64, 128, 256, 512], strides=[1, 2, 2, 2]"
            form = "block='res_basic_block', stem='res_stem_in', stem_width=64"
            return f"it can be described: fs.anynet(name={basic!r}, {sizes}, {form})"
    near = difflib.get_close_matches(plain, known, n=3, cutoff=0.5)
    return f"the nearest names are {', '.join(known[each] for each in near)}; or {_DESCRIBE}" if near else _DESCRIBE


@lru_cache
def _zoo() -> dict[str, dict[str, Any]]:
    return json.loads(resources.files(__package__).joinpath("zoo.json").read_text("utf-8"))["networks"]


@lru_cache
def _zoo_network(name: str) -> Network:
    settings = _zoo()[name]
    return (regnet if "w0" in settings else anynet)(name=name, **settings)


def _plain_name(name: str, families: str = "xy") -> str:
    """A name without what does not matter.

    timm writes the size of a RegNet in hundreds of MF, as in regnety_040, and that of a ResNeXt's groups, as in
    resnext50_32x4d; torchvision a decimal point as a line, as in regnet_y_1_6gf.
    """
    plain = re.sub(r"(?<=[0-9])[-_](?=[0-9])", ".", name.lower())
    plain = re.sub(r"[-_\s]", "", plain).replace(".0gf", "gf")
    plain = re.sub(r"^(resnext[0-9]+)[._]32x4d$", r"\1", plain)
    if match := re.fullmatch(rf"(regnet[{families}])([0-9]{{3}})", plain):
        hundreds = int(match[2])
        size = f"{hundreds}00mf" if hundreds < 10 else f"{hundreds / 10:g}gf"
        return match[1] + size
    return plain
