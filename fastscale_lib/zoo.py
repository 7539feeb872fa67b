"""The base networks by their published names, and the RegNet rule that defines most of them."""

from __future__ import annotations

import difflib
import json
import math
import operator
import re
from functools import lru_cache
from importlib import resources
from itertools import groupby
from numbers import Real
from typing import Any

from .fitting import fit
from .networks import Network, NetworkError, anynet


def networks() -> list[str]:
    """The names of the base networks, family by family, small to large."""
    return list(_zoo())


def families() -> dict[str, list[str]]:
    """The names of the base networks, by family."""
    return {family: list(names) for family, names in groupby(_zoo(), key=lambda name: name.split("-")[0])}


def network(name: str | Network) -> Network:
    """The base network of this published name (case, dashes and a trailing ".0" do not matter).

    Raises:
        NetworkError: no network has this name; the message gives the nearest names.
    """
    if isinstance(name, Network):
        return name
    known = {_plain_name(each): each for each in _zoo()}
    if not isinstance(name, str):
        raise NetworkError(f"network: {name!r} is neither a Network nor the name of one")
    if _plain_name(name) not in known:
        near = difflib.get_close_matches(_plain_name(name), known, n=3, cutoff=0.5)
        hint = f"the nearest names are {', '.join(known[each] for each in near)}" if near else "see networks()"
        raise NetworkError(f"network: {name!r} is not a base network; {hint}")
    return _zoo_network(known[_plain_name(name)])


@lru_cache
def _zoo() -> dict[str, dict[str, Any]]:
    return json.loads(resources.files(__package__).joinpath("zoo.json").read_text("utf-8"))["networks"]


@lru_cache
def _zoo_network(name: str) -> Network:
    settings = _zoo()[name]
    return (regnet if "w0" in settings else anynet)(name=name, **settings)


def _plain_name(name: str) -> str:
    return re.sub(r"[-_\s]", "", name.lower()).replace(".0gf", "gf")


def regnet(
    *,
    depth: int,
    w0: int,
    wa: float,
    wm: float,
    group_width: int,
    bottleneck: float = 1.0,
    stride: int = 2,
    **settings,
) -> Network:
    """A RegNet, expanded into its stages (Radosavovic et al., Designing Network Design Spaces, 2020, section 3.3).

    Arguments:
        depth: blocks in all.
        w0, wa, wm: initial width, its slope a block, and the width multiplier of the quantisation.
        group_width, bottleneck, stride: of every stage.
        settings: as for `anynet`.

    Raises:
        NetworkError: naming the value and the rule.
    """
    for name, value, least in (
        ("depth", depth, 1),
        ("w0", w0, 1),
        ("wa", wa, 0),
        ("wm", wm, 1.000001),
        ("group_width", group_width, 1),
    ):
        if isinstance(value, bool) or not isinstance(value, Real) or not least <= value < math.inf:
            rule = "above 1" if name == "wm" else f"at least {least}"
            raise NetworkError(f"regnet: {name} is {value!r}, but must be a number {rule}")
    for name, value in (("depth", depth), ("group_width", group_width)):
        if value != int(value):
            raise NetworkError(f"regnet: {name} is {value!r}, but must be a whole number of at least 1")
    depth = int(depth)
    steps = (round(math.log((w0 + wa * block) / w0) / math.log(wm)) for block in range(depth))
    runs = [(8 * round(w0 * wm**step / 8), len(list(run))) for step, run in groupby(steps)]
    # Neighbouring steps may round to one width; blocks of one width are one stage.
    stages = [(width, sum(n for _, n in run)) for width, run in groupby(runs, key=operator.itemgetter(0))]
    block = settings.get("block", "res_bottleneck_block")
    fitted = [fit(block, width, bottleneck, group_width) for width, _ in stages]
    return anynet(
        depths=[n for _, n in stages],
        widths=[width for width, _ in fitted],
        group_widths=[group_width for _, group_width in fitted],
        strides=stride,
        bottlenecks=bottleneck,
        **settings,
    )
