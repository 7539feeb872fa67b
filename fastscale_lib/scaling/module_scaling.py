"""Families of modules, scaled by strategies: each size is made, traced and counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..architectures.counting import network_of_built
from ..architectures.definition import Network
from ..architectures.parts import METRICS, Metric, NetworkError
from ..architectures.provenance import Neighbour, Scaling
from ..architectures.resolutions import Resolution
from ..architectures.traced.families_made import family_of_one
from ..architectures.traced.module_family import Family
from ..architectures.traced.modules import is_module
from ..architectures.zoo import network as named_network
from .strategies import Strategy, StrategyError, factors, grid_columns

_REACH = 2.0**24  # of the scale factors that are looked at, up and down
LEAST_GROWTH = 0.05  # exponent of s of a count that a strategy moves
_NEAR = 1.002  # scale factors that are nearer to each other are one


def network_or_family(value: Network | Family | str, resolution: Resolution | None = None) -> Network | Family:
    """Return a Family as it is, and the Network that anything else is or names."""
    return value.at(resolution) if isinstance(value, Family) else named_network(value, resolution=resolution)


def network_or_modules(value: Any, resolution: Resolution | None = None) -> Network | Family:
    """Return the network or family that this is or names; a module is one of a single size."""
    if not is_module(value):
        return network_or_family(value, resolution)
    return network_of_built(value, resolution) or family_of_one(value, resolution)


def check_dimensions(family: Family, way: str, *, depth: bool, width: bool) -> None:
    """Refuse to scale a family along a dimension that it does not have."""
    missing = [name for name, scaled in (("depth", depth), ("width", width)) if scaled and name in family.missing]
    if missing:
        gives = ", ".join(f"{name}={{...}}" for name in missing)
        raise StrategyError(
            f"scale: {way} scales {' and '.join(missing)}, but {family.name} has no {' or '.join(missing)} to scale; "
            f"name it by fs.family(..., {gives}), or use a strategy without it"
        )


def growth_of(name: str, strategy: Strategy, metric: Metric, counted: Callable[[float], int]) -> float:
    """Return the exponent of s by which a count grows, or refuse a small one.

    Of a vision transformer, resolution changes the params of learned positions alone: a target of twice the params
    would take images of thousands of pixels. But rounding may hold a small network where it is for a while, so that
    larger s are looked at, too.

    Arguments:
        counted: counts the network at s; where it raises a NetworkError, there is none.
    """
    at_1, at_4 = counted(1.0), counted(4.0)
    further = (16.0, 256.0, 4096.0) if at_4 == at_1 else (16.0,)
    for s in (4.0, *further):
        try:
            growth = math.log(counted(s) / at_1, s) if at_1 else 0.0
        except NetworkError:
            break
        if growth >= LEAST_GROWTH:
            return growth
    does = (
        f"hardly changes the {metric} of {name}: four times the flops make them {at_4 / at_1 - 1:.2%} more"
        if at_4 != at_1
        else (f"does not change the {metric} of {name}: they stay {at_1:,}")
    )
    raise StrategyError(f"scale_to: {strategy} {does}; use a strategy that does, or ask for another count")


def scale_family(family: Family, strategy: Strategy, s: float) -> Family:
    """Scale by a strategy; group widths grow as widths do."""
    check_dimensions(family, str(strategy), depth=strategy.exponents.d != 0, width=strategy.exponents.w != 0)
    d, w, _, r = factors(strategy, s)
    scaling = Scaling(family.name, strategy.name, s)
    return family.scaled(d, w, r, f"{family.name} {strategy} ×{s:.6g}", scaling)


def scale_family_to(family: Family, strategy: Strategy, metric: Metric, target: float, tolerance: float) -> Family:
    """Scale by s to the count nearest a target; change the resolution beyond `tolerance`, too."""
    found = _around(family, strategy, metric, target)
    best = min(found, key=lambda each: abs(math.log(each[2] / target)))
    below = [each for each in found if each[2] <= target]
    above = [each for each in found if each[2] >= target]
    ends = [max(below, key=lambda each: each[2], default=None), min(above, key=lambda each: each[2], default=None)]
    neighbours = tuple(Neighbour(each[0], each[2]) for each in dict.fromkeys(ends) if each)
    s, scaled, count = best
    changes: tuple[str, ...] = ()
    if (strategy.exponents.w or strategy.exponents.r) and abs(count / target - 1) > tolerance:
        scaled, count, changes = _resized(scaled, metric, target, tolerance)
    scaling = Scaling(family.name, strategy.name, s, metric, target, count, changes, neighbours)
    d, w, *_ = factors(strategy, s)
    made = family.scaled(d, w, scaled.size, f"{family.name} {strategy} {metric}={target:.4g}")
    made.scaling = scaling
    return made


def family_columns(family: Family, strategies: Sequence[Strategy], scales: np.ndarray, stages: bool) -> dict[str, Any]:
    """Compute the columns of `sweep` for a family, one module after the other."""
    for each in strategies:
        if each.exponents.w == each.exponents.r == 0 and len(scales) > 2:  # the ends first: depths between may follow
            scale_family(family, each, float(scales.min()))
            scale_family(family, each, float(scales.max()))
    scaled = [scale_family(family, each, s) for each in strategies for s in scales.tolist()]
    columns = grid_columns(family, strategies, scales)
    columns |= {metric: [getattr(each.complexity, metric) for each in scaled] for metric in METRICS}
    columns["resolution"] = [each.resolution for each in scaled]
    for name in ("depths", "widths") if stages else ():
        columns[name] = ["-".join(f"{size:g}" for size in getattr(each, name)) for each in scaled]
    return columns | ({"group_widths": [""] * len(scaled)} if stages else {})


def _around(family: Family, strategy: Strategy, metric: Metric, target: float) -> list[tuple[float, Family, int]]:
    """Try scale factors around the target, down to neighbours; list them with what they give."""
    base = getattr(family.complexity, metric)
    found: list[tuple[float, Family, int]] = []

    def counted(s: float) -> int:
        scaled = scale_family(family, strategy, s)
        found.append((s, scaled, getattr(scaled.complexity, metric)))
        return found[-1][2]

    growth = growth_of(
        family.name,
        strategy,
        metric,
        lambda s: base if s == 1 else getattr(scale_family(family, strategy, s).complexity, metric),
    )
    start = min(max((target / base) ** (1 / growth), 1 / _REACH), _REACH)
    low = high = start
    if counted(start) < target:
        while high < _REACH and counted(high := high * 1.3) < target:
            low = high
    else:
        while low > 1 / _REACH and counted(low := low / 1.3) > target:
            high = low
    while high / low > _NEAR and not any(each[2] == target for each in found):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if counted(middle) < target else (low, middle)
    return found


def _resized(scaled: Family, metric: Metric, target: float, tolerance: float) -> tuple[Family, int, tuple[str, ...]]:
    """Take images some steps larger or smaller, where that comes nearer."""
    best, error = scaled, abs(getattr(scaled.complexity, metric) / target - 1)
    for other in _other_sides(scaled):
        off = abs(getattr(other.complexity, metric) / target - 1)
        if off < error:
            best, error = other, off
        if error <= tolerance:
            break
    changes = () if best is scaled else (f"resolution {best.resolution} instead of {scaled.resolution}",)
    return best, getattr(best.complexity, metric), changes


def _other_sides(scaled: Family) -> Iterator[Family]:
    step = scaled.side_step
    for steps in (1, -1, 2, -2, 3, -3):
        height, width = (side + steps * step for side in scaled.size)
        if min(height, width) > 0:
            yield scaled.at((height, width))
