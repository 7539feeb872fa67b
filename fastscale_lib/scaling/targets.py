"""The scaled network nearest a target: by s, then by changing single roundings."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import combinations, product
from typing import Any, overload

import numpy as np

from .._common.checks import RealLike, check_flag, real_number, shown
from .._common.integers import at_least
from ..architectures.block_form import BlockType
from ..architectures.counting import METRICS, complexity, count
from ..architectures.definition import Network
from ..architectures.parts import Dimensions, Metric, Stage
from ..architectures.provenance import Neighbour, Scaling
from ..architectures.traced.module_family import Family
from .module_scaling import check_grows, network_or_family, scale_family_to
from .rounding import WIDTH_STEP, resolution_step, scale, scaled_dimensions, unrounded_dimensions
from .strategies import Strategy, StrategyError, StrategyLike, factors, grid_factors, named_strategy, scale_factor

TOLERANCE = 0.01
_SMALLEST_S, _LARGEST_S = 2.0**-40, 2.0**40
_LARGEST_TARGET = 1e17  # networks around it are counted in int64
_MOST_STAGES = 256
# Both bound the memory.
_MOST_SIZES = 40_000  # stage widths of all candidates by s
_MOST_CHANGES = 2_000_000  # sizes of all candidates with changed roundings, for up to eight sizes


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
    resolution: int | tuple[int, int] | None = None,
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
    resolution: int | None = None,
) -> Network: ...


def scale_to(
    network: Network | Family | str,
    strategy: StrategyLike,
    *,
    flops: RealLike | None = None,
    params: RealLike | None = None,
    activations: RealLike | None = None,
    adjust: bool = True,
    resolution: int | tuple[int, int] | None = None,
) -> Network | Family:
    """Scale a network by a strategy to the flops, params or activations nearest a target.

    Every network that the strategy gives for s around the target is counted. If none is within 1 %, single roundings
    are changed: the width of a stage by its smallest step, the resolution by 4. Of the networks within 1 %, the one
    that departs least from the strategy's unrounded dimensions is returned. One step of one or two sizes mostly
    suffices; else more sizes are changed, and finally by more steps. Dimensions that the strategy does not scale are
    changed only if nothing else comes within 1 %.

    Arguments:
        network: a Network, the name of a base network, or a Family: of that only the resolution is changed.
        strategy: a Strategy, its name, or a number, which is an α.
        flops: target multiply-adds for one image. Give exactly one target.
        params: target number of parameters.
        activations: target outputs of layers for one image.
        adjust: whether roundings may be changed; default: True. It has no effect on strategies that scale neither
            width nor resolution.
        resolution: side of the images in pixels, before scaling; default: the network's own.

    Returns:
        A Network whose `scaling` has target, achieved, s, the changed roundings, and the nearest counts below and
        above that s alone reaches. It is never farther off than `scale` with s = target / the network's count.

    Raises:
        StrategyError: there is not exactly one target above 0, the strategy does not change that count, or the
            network has more than 256 stages.
        NetworkError: there is no such network, or resolution is not a whole number above 0.

    Warns:
        TargetWarning: the nearest network is more than 1 % off, although `adjust` is True.
    """
    base, strategy = network_or_family(network, resolution), named_strategy(strategy)
    metric, target = _one_target({"flops": flops, "params": params, "activations": activations})
    adjust = check_flag("scale_to: adjust", adjust, StrategyError)
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
    by_s = _Candidates.around(base, strategy, metric, target)
    best, chosen = by_s, by_s.nearest()
    changeable = strategy.exponents.w or strategy.exponents.r
    if adjust and changeable and by_s.errors[chosen] > TOLERANCE:
        best, chosen = _adjust(by_s)
    found = best.network(chosen, neighbours=by_s.neighbours())
    if adjust and best.errors[chosen] > TOLERANCE:
        warnings.warn(str(found.scaling), TargetWarning, stacklevel=2)
    return found


@dataclass(frozen=True)
class _Candidates:
    """Networks near a target: a strategy's for the scale factors `s`, with changed roundings.

    `steps` has a row for each network and a column for each size that may be changed (the stages' widths, then the
    resolution): by how many steps the size differs from its own rounding.
    """

    base: Network
    strategy: Strategy
    metric: Metric
    target: float
    s: np.ndarray
    dims: Dimensions
    steps: np.ndarray

    @classmethod
    def around(cls, base: Network, strategy: Strategy, metric: Metric, target: float) -> _Candidates:
        """Make one candidate for each network that the strategy gives around the target."""
        crossing = _crossing(base, strategy, metric, target)
        plain = target / getattr(complexity(base), metric)  # the s of `scale`, so that the result is never worse
        s = np.append(between_roundings(base, strategy, crossing), [crossing, scale_factor(plain)])
        s = s[np.argsort(np.abs(np.log(s / plain)), kind="stable")]
        dims = scaled_dimensions(base, *grid_factors([strategy], s))
        dims = Dimensions(*(_map_sizes(value, lambda size: np.broadcast_to(size, len(s))) for value in dims))
        # Of equal networks, keep the one with s nearest the plain ratio.
        sizes = np.stack([dims[0], dims[1], *dims[2], *dims[3], *dims[4], dims[5]])
        first = np.sort(np.unique(sizes, axis=1, return_index=True)[1])
        dims = Dimensions(*(_map_sizes(value, lambda size: size[first]) for value in dims))
        steps = np.zeros((len(first), len(base.stages) + 1), dtype=int)
        return cls(base, strategy, metric, target, s[first], dims, steps)

    @cached_property
    def counts(self) -> np.ndarray:
        return np.broadcast_to(getattr(count(self.base, self.dims), self.metric), len(self.s))

    @cached_property
    def errors(self) -> np.ndarray:
        return np.abs(self.counts / self.target - 1)

    def nearest(self) -> int:
        """Return the index of the nearest count."""
        return int(self.errors.argmin())

    def neighbours(self) -> tuple[Neighbour, ...]:
        """Return the nearest counts on both sides of the target."""
        below, above = np.flatnonzero(self.counts <= self.target), np.flatnonzero(self.counts >= self.target)
        found = [side[self.errors[side].argmin()] for side in (below, above) if len(side)]
        return tuple(Neighbour(float(self.s[i]), int(self.counts[i])) for i in dict.fromkeys(found))

    def changed(self, index: np.ndarray, steps: np.ndarray) -> _Candidates:
        """Change the sizes of these networks by these steps; drop those with a size below 1."""
        dims = Dimensions(*(_map_sizes(value, lambda size: size[index]) for value in self.dims))
        widths, group_widths = list(dims.widths), list(dims.group_widths)
        stages = zip(self.base.block_types, self.base.stages, steps.T[:-1], strict=True)
        for i, (block, stage, step) in enumerate(stages):
            widths[i], group_widths[i] = _step_widths(block, stage, widths[i], group_widths[i], step)
        resolution = dims.resolution + steps[:, -1] * resolution_step(self.base)
        dims = dims._replace(widths=tuple(widths), group_widths=tuple(group_widths), resolution=resolution)
        if self.base.stem_follows:
            dims = dims._replace(stem_width=widths[0])
        possible = (resolution >= self.base.least_resolution) & (np.min(widths, axis=0) > 0)
        dims = Dimensions(*(_map_sizes(value, lambda size: size[possible]) for value in dims))
        return replace(self, s=self.s[index][possible], dims=dims, steps=steps[possible])

    def departures(self) -> np.ndarray:
        """Sum |log(size / unrounded size)| over the changed sizes of each network."""
        asked = unrounded_dimensions(self.base, *grid_factors([self.strategy], self.s))
        sizes = zip((*self.dims.widths, self.dims.resolution), (*asked.widths, asked.resolution), strict=True)
        logs = (
            np.abs(np.log(size / wanted)) * (step != 0)
            for (size, wanted), step in zip(sizes, self.steps.T, strict=True)
        )
        return sum(logs, start=np.zeros(len(self.s)))

    def network(self, index: int, neighbours: tuple[Neighbour, ...]) -> Network:
        """Return a candidate as a Network with its provenance."""
        s = float(self.s[index])
        plain = scale(self.base, self.strategy, s)
        dims = Dimensions(*(_map_sizes(value, lambda size: int(size[index])) for value in self.dims))
        name = f"{self.base.name} {self.strategy} {self.metric}={self.target:.4g}"
        scaling = Scaling(
            base=self.base.name,
            strategy=self.strategy.name,
            s=s,
            metric=self.metric,
            target=self.target,
            achieved=int(self.counts[index]),
            changes=tuple(self._sentences(index, plain.dimensions, dims)),
            neighbours=neighbours,
        )
        return plain.with_dimensions(dims, name=name, scaling=scaling)

    def _sentences(self, index: int, plain: Dimensions, dims: Dimensions) -> Iterator[str]:
        asked = unrounded_dimensions(self.base, *factors(self.strategy, float(self.s[index])))
        names = [f"stage {stage} width" for stage in range(1, len(dims.widths) + 1)] + ["resolution"]
        sizes = [(*each.widths, each.resolution) for each in (dims, plain, asked)]
        for name, size, before, wanted, step in zip(names, *sizes, self.steps[index], strict=True):
            if step and size != before:
                yield f"{name} {size} instead of {before} (unrounded {wanted:.1f})"


def _step_widths(block: BlockType, stage: Stage, width: Any, group_width: Any, step: Any) -> tuple[Any, Any]:
    """Make a stage wider by this many steps (arrays); widths below 1 are returned as they are."""
    b = stage.bottleneck
    # One group stays one group: its width changes with the stage's.
    whole = (stage.group_width == block.undivided(stage.width, b)) & (group_width == block.undivided(width, b))
    whole &= not block.keeps_group_width
    wider = width + step * block.grain(b, np.where(whole, 1, group_width), WIDTH_STEP)
    asked = np.where(whole, block.undivided(wider, b), group_width)
    fitted = block.fit(at_least(1, wider), b, asked)
    changed = (step != 0) & (wider > 0)
    return np.where(changed, fitted[0], wider), np.where(changed, fitted[1], group_width)


def _adjust(by_s: _Candidates) -> tuple[_Candidates, int]:
    """Find the candidate within 1 % by the smallest changes, else the nearest of all.

    Sizes that the strategy does not scale are changed only if no change of the others comes within 1 %.

    Returns:
        Candidates, and the index of the one that was found.
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
    for indices, steps in (*kept, *(() if own.all() else tiers)):
        candidates = by_s.changed(np.repeat(indices, len(steps)), np.tile(steps, (len(indices), 1)))
        within = np.flatnonzero(candidates.errors <= TOLERANCE)
        if len(within):
            return candidates, int(within[candidates.departures()[within].argmin()])
        if len(candidates.errors) and candidates.errors.min() < nearest.errors[chosen]:
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


def _crossing(base: Network, strategy: Strategy, metric: Metric, target: float) -> float:
    """Bisect log s for where the count crosses the target; return the nearer end if it does not."""

    def counted(s: float) -> int:
        return getattr(complexity(scale(base, strategy, s)), metric)

    low, high = _SMALLEST_S, _LARGEST_S
    check_grows(base.name, strategy, metric, counted(1.0), counted(4.0))
    if target <= counted(low):
        return low
    if target >= counted(high):
        return high
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if counted(middle) < target else (low, middle)
    return high


def between_roundings(base: Network, strategy: Strategy, crossing: float, reach: float = 1.3) -> np.ndarray:
    """Return one scale factor from each interval around the crossing with constant rounding.

    The intervals lie between crossing / reach and crossing · reach, or nearer if there would be more than 2,000
    (fewer for networks with more than 20 stages). If no scaled network has the sizes of the base, 1 is added.
    """
    d, w, g, r = (float(exponent) for exponent in strategy.exponents)
    ends = (base.stem.width, base.head.width) if base.ends_grow else ()
    sizes = {(size, d, 1) for size in base.depths} | {(size, w, WIDTH_STEP) for size in (*base.widths, *ends)}
    sizes |= {(size, g, 1) for size in base.group_widths} | {(base.resolution, r, resolution_step(base))}
    sizes = [(size, e, step) for size, e, step in sizes if e and size]

    def halves(size: int, e: float, step: int, low: float, high: float) -> tuple[int, int]:
        # The first and last k such that rounding changes within reach: size · s^e / step = k + 1/2.
        return math.ceil(size * low**e / step - 0.5), math.floor(size * high**e / step - 0.5)

    most = max(20, min(2000, _MOST_SIZES // len(base.stages)))
    while sum(last - first for first, last in (halves(*s, crossing / reach, crossing * reach) for s in sizes)) > most:
        reach = max(1.3, math.sqrt(reach)) if reach > 1.3 else math.sqrt(reach)
    low, high = crossing / reach, crossing * reach
    bounds = [np.array([low, high])]
    for size, e, step in sizes:
        first, last = halves(size, e, step, low, high)
        bounds.append(((np.arange(max(0, first), last + 1) + 0.5) * step / size) ** (1 / e))
    alone = low < 1 < high and scaled_dimensions(base, *factors(strategy, 1 + 1e-9)) != base.dimensions
    ordered = np.unique(np.concatenate([*bounds, [1.0]] if alone else bounds))
    between = np.sqrt(ordered[1:] * ordered[:-1])
    return np.sort(np.append(between, 1.0)) if alone else between


def _map_sizes(value: Any, change: Callable[[Any], Any]) -> Any:
    """Apply a function to an entry of Dimensions: to its only size, or to that of each stage."""
    return tuple(map(change, value)) if isinstance(value, tuple) else change(value)
