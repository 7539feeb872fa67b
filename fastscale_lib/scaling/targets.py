"""The scaled network nearest a target: by s, then by changing single roundings."""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from itertools import combinations, product
from typing import overload

import numpy as np

from .._common.checks import RealLike, check_flag, real_number, shown
from ..architectures.counting import METRICS
from ..architectures.definition import Network
from ..architectures.parts import Metric
from ..architectures.provenance import GROUP_WIDTHS, GroupWidths
from ..architectures.resolutions import Resolution
from ..architectures.traced.module_family import Family
from .candidates import Candidates
from .module_scaling import network_or_family, scale_family_to
from .rounding import check_group_widths
from .strategies import StrategyError, StrategyLike, named_strategy

TOLERANCE = 0.01
_LARGEST_TARGET = 1e17  # networks around it are counted in int64
_MOST_STAGES = 256
_MOST_CHANGES = 2_000_000  # sizes of all candidates with changed roundings, for up to eight; they bound the memory


class TargetWarning(UserWarning):
    """The nearest network is more than 1 % off the target; the message gives the nearest counts."""


@overload
def scale_to(
    network: Family,
    strategy: StrategyLike,
    *,
    flops: RealLike | None = None,
    params: RealLike | None = None,
    activations: RealLike | None = None,
    adjust: bool = True,
    resolution: Resolution | None = None,
    group_widths: GroupWidths = ...,
) -> Family: ...


@overload
def scale_to(
    network: Network | str,
    strategy: StrategyLike,
    *,
    flops: RealLike | None = None,
    params: RealLike | None = None,
    activations: RealLike | None = None,
    adjust: bool = True,
    resolution: Resolution | None = None,
    group_widths: GroupWidths = ...,
) -> Network: ...


def scale_to(
    network: Network | Family | str,
    strategy: StrategyLike,
    *,
    flops: RealLike | None = None,
    params: RealLike | None = None,
    activations: RealLike | None = None,
    adjust: bool = True,
    resolution: Resolution | None = None,
    group_widths: GroupWidths = GROUP_WIDTHS[0],
) -> Network | Family:
    """Scale a network by a strategy to the flops, params or activations nearest a target.

    Every network that the strategy gives for s around the target is counted. If none is within 1 %, single roundings
    are changed: the width of a stage by its smallest step, the resolution by 4 (height and width together). Of the
    networks within 1 %, the one that departs least from the strategy's unrounded dimensions is returned. One step of
    one or two sizes mostly suffices; else more sizes are changed. Sizes are changed by more steps, and dimensions that
    the strategy does not scale at all, only where that comes within 1 %.

    Arguments:
        network: a Network, the name of a base network, or a Family: of that only the resolution is changed.
        strategy: a Strategy, its name, or a number, which is an α.
        flops: target multiply-adds for one image. Give exactly one target.
        params: target number of parameters.
        activations: target outputs of layers for one image.
        adjust: whether roundings may be changed; default: True. It has no effect on strategies that scale neither
            width nor resolution.
        resolution: side of the images in pixels, or (height, width), before scaling; default: the network's own.
        group_widths: what they are rounded to, as for `scale`.

    Returns:
        A Network whose `scaling` has target, achieved, s, the changed roundings, and the nearest counts below and
        above that s alone reaches. It is never farther off than `scale` with s = target / the network's count.

    Raises:
        StrategyError: there is not exactly one target above 0, the strategy does not change that count, the
            network has more than 256 stages, or group_widths is wrong as for `scale`.
        NetworkError: there is no such network, or resolution is not in whole numbers above 0.

    Warns:
        TargetWarning: the nearest network is more than 1 % off, although `adjust` is True.
    """
    base, strategy = network_or_family(network, resolution), named_strategy(strategy)
    metric, target = _one_target({"flops": flops, "params": params, "activations": activations})
    adjust = check_flag("scale_to: adjust", adjust, StrategyError)
    group_widths = check_group_widths("scale_to", group_widths, base)
    if isinstance(base, Family):
        scaled = scale_family_to(base, strategy, metric, target, TOLERANCE if adjust else math.inf)
        if adjust and scaled.scaling and abs(scaled.scaling.error) > TOLERANCE:
            warnings.warn(str(scaled.scaling), TargetWarning, stacklevel=2)
        return scaled
    if len(base.stages) > _MOST_STAGES:
        raise StrategyError(
            f"scale_to: {base.name} has {len(base.stages):,} stages, but may have {_MOST_STAGES} at most; "
            "put blocks of the same width into one stage"
        )
    by_s = Candidates.around(base, strategy, metric, target, group_widths)
    best, chosen = by_s, by_s.nearest()
    changeable = strategy.exponents.w or strategy.exponents.r
    if adjust and changeable and by_s.errors[chosen] > TOLERANCE:
        best, chosen = _adjust(by_s)
    found = best.network(chosen, neighbours=by_s.neighbours())
    if adjust and best.errors[chosen] > TOLERANCE:
        warnings.warn(str(found.scaling), TargetWarning, stacklevel=2)
    return found


def _adjust(by_s: Candidates) -> tuple[Candidates, int]:
    """Find the candidate within 1 % by the smallest changes, else the nearest by small changes.

    Sizes are changed by several steps, and those that the strategy does not scale at all, only where that comes within
    1 %: where nothing does, a network that departs far from the strategy is no better answer than one that is off.
    """
    sizes, scaled = by_s.steps.shape[1], by_s.strategy.exponents
    nearest, chosen = by_s, by_s.nearest()
    # First change one or two sizes of any network. Then all sizes of those nearest the target; of networks with many
    # sizes, the first 1, 2, 3, … of them. Last, where group widths or ceilings of halved resolutions still leave a
    # gap, change sizes by several steps.
    by_error = np.argsort(by_s.errors, kind="stable")
    most = _MOST_CHANGES if sizes <= 8 else _MOST_CHANGES // 8
    some, many = _single_steps(sizes, 2), _single_steps(sizes, sizes) if sizes <= 8 else _first_steps(sizes)
    tiers = [(by_error, some), (by_error[:32], many), (by_error[:8], np.concatenate([k * many for k in (2, 3, 4)]))]
    # Bound the memory for any number of stages, keeping the networks nearest the target.
    tiers = [(np.sort(order[: max(1, most // steps.size)]), steps) for order, steps in tiers]
    if by_s.metric == "params":  # which a resolution hardly changes, where it changes them at all
        tiers = [(indices, steps[steps[:, -1] == 0]) for indices, steps in tiers]
    own = np.array([bool(scaled.w)] * (sizes - 1) + [bool(scaled.r)])
    kept = [(indices, steps[~steps[:, ~own].any(axis=1)]) for indices, steps in tiers]
    for number, (indices, steps) in enumerate((*kept, *(() if own.all() else tiers))):
        candidates = by_s.changed(np.repeat(indices, len(steps)), np.tile(steps, (len(indices), 1)))
        within = np.flatnonzero(candidates.errors <= TOLERANCE)
        if len(within):
            return candidates, int(within[candidates.departures()[within].argmin()])
        if number < 2 and len(candidates.errors) and candidates.errors.min() < nearest.errors[chosen]:
            nearest, chosen = candidates, candidates.nearest()
    return nearest, chosen


@lru_cache(maxsize=32)
def _single_steps(sizes: int, most: int) -> np.ndarray:
    """List all ways to change one to `most` sizes by one step up or down.

    With more than 32 sizes only one is changed at a time, as the number of ways grows as sizes^most.
    """
    most = most if sizes <= 32 else 1
    rows = []
    for number in range(1, most + 1):
        for which in combinations(range(sizes), number):
            for signs in product((-1, 1), repeat=number):
                rows.append(np.zeros(sizes, dtype=int))
                rows[-1][list(which)] = signs
    return np.array(rows)


def _first_steps(sizes: int) -> np.ndarray:
    """List changes of the first size, the first two, and so on, by one step up or down."""
    first = np.tril(np.ones((sizes, sizes), dtype=int))
    return np.concatenate([first, -first])


def _one_target(targets: dict[Metric, RealLike | None]) -> tuple[Metric, float]:
    given: dict[Metric, RealLike] = {metric: value for metric, value in targets.items() if value is not None}
    if len(given) != 1:
        raise StrategyError(f"scale_to: {len(given)} targets given; give exactly one of {', '.join(METRICS)}")
    ((metric, value),) = given.items()
    number = real_number(value, 0, above=True)
    if number is None:
        raise StrategyError(f"scale_to: the target {metric} are {shown(value)}, but must be a finite number above 0")
    if number > _LARGEST_TARGET:
        raise StrategyError(f"scale_to: the target {metric} are {shown(value)}, but may be {_LARGEST_TARGET:g} at most")
    return metric, number
