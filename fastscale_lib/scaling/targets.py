"""The scaled network nearest a target: first by the scale factor alone, then by changing single roundings."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import combinations, product
from typing import Any

import numpy as np

from .._common.checks import check_flag, real_number, shown
from .._common.integers import at_least
from ..architectures.block_form import BlockType
from ..architectures.counting import METRICS, complexity, count
from ..architectures.definition import Network
from ..architectures.parts import Dimensions, Metric, Stage
from ..architectures.provenance import Neighbour, Scaling
from ..architectures.zoo import network as named_network
from .rounding import RESOLUTION_STEP, WIDTH_STEP, scale, scaled_dimensions, unrounded_dimensions
from .strategies import Strategy, StrategyError, StrategyLike, factors, grid_factors, scale_factor
from .strategies import strategy as named_strategy

TOLERANCE = 0.01
_SMALLEST_S, _LARGEST_S = 2.0**-40, 2.0**40
_LARGEST_TARGET = 1e17  # networks around it are counted in int64
_MOST_STAGES = 256
_MOST_SIZES = 40_000  # of all networks that are counted for their s ...
_MOST_CHANGES = 2_000_000  # ... and of all whose roundings are changed, for up to eight sizes: they bound the memory


class TargetWarning(UserWarning):
    """The nearest network is farther than 1 % from the target; the message says what lies around it."""


def scale_to(
    network: Network | str,
    strategy: StrategyLike,
    *,
    flops: float | None = None,
    params: float | None = None,
    activations: float | None = None,
    adjust: bool = True,
    resolution: int | None = None,
) -> Network:
    """Scale a network by a strategy to the flops, params or activations nearest a target.

    Every network that the strategy gives for s around the target is counted. Where none of them lies within 1 %,
    single roundings are changed: the width of a stage by one grain, the resolution by one step of 4; those that
    depart least from the strategy's unrounded dimensions. One step of one or two sizes mostly does; where it does
    not, of more sizes, and in the end more steps. What the strategy leaves alone stays, unless only it comes near.

    Arguments:
        network: a Network, or the name of a base network.
        strategy: a Strategy, its name, or a number, which is an α.
        flops: the target, in multiply-adds for one image; exactly one target is given.
        params: likewise, in numbers.
        activations: likewise, in outputs of layers for one image.
        adjust: whether roundings may be changed; default: True. A strategy that scales neither width nor resolution
            changes none.
        resolution: side of the network's images in pixels, before scaling; default: the network's own.

    Returns:
        A Network whose `scaling` says target, achieved, s, the changed roundings, and the nearest counts below
        and above that s alone reaches. Never farther off than `scale` by the ratio of flops.

    Raises:
        StrategyError: there is not exactly one target above 0, the strategy does not change that count, or the
            network has more than 256 stages.
        NetworkError: there is no such network, or resolution is no whole number above 0.

    Warns:
        TargetWarning: with `adjust`, if the nearest network is still more than 1 % off.
    """
    network, strategy = named_network(network, resolution=resolution), named_strategy(strategy)
    metric, target = _one_target(flops=flops, params=params, activations=activations)
    if len(network.stages) > _MOST_STAGES:
        raise StrategyError(
            f"scale_to: {network.name} has {len(network.stages):,} stages, but may have {_MOST_STAGES} at most; "
            "make blocks of one width one stage"
        )
    adjust = check_flag("scale_to: adjust", adjust, StrategyError)
    by_s = _Candidates.around(network, strategy, metric, target)
    best, chosen = by_s, by_s.nearest()
    changeable = strategy.exponents.w or strategy.exponents.r
    if adjust and changeable and by_s.errors[chosen] > TOLERANCE:
        best, chosen = _adjusted(by_s)
    network = best.network(chosen, neighbours=by_s.neighbours())
    if adjust and best.errors[chosen] > TOLERANCE:
        warnings.warn(str(network.scaling), TargetWarning, stacklevel=2)
    return network


@dataclass(frozen=True)
class _Candidates:
    """Networks near a target, each the strategy's own for a scale factor in `s`, but for the changed roundings.

    `steps` has one row a network and one column a changeable size, the stages' widths and then the resolution:
    how many steps the size lies from its own rounding.
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
        """Each different network that the strategy gives for scale factors around the target."""
        crossing = _crossing(base, strategy, metric, target)
        plain = target / getattr(complexity(base), metric)  # where `scale` would land, so as never to be worse
        s = np.append(between_roundings(base, strategy, crossing), [crossing, scale_factor(plain)])
        s = s[np.argsort(np.abs(np.log(s / plain)), kind="stable")]
        dims = scaled_dimensions(base, *grid_factors([strategy], s))
        dims = Dimensions(*(_each(value, lambda size: np.broadcast_to(size, len(s))) for value in dims))
        # Of equal networks the one with s nearest the plain ratio stays.
        sizes = np.stack([dims[0], dims[1], *dims[2], *dims[3], *dims[4], dims[5]])
        first = np.sort(np.unique(sizes, axis=1, return_index=True)[1])
        dims = Dimensions(*(_each(value, lambda size: size[first]) for value in dims))
        steps = np.zeros((len(first), len(base.stages) + 1), dtype=int)
        return cls(base, strategy, metric, target, s[first], dims, steps)

    @cached_property
    def counts(self) -> np.ndarray:
        return np.broadcast_to(getattr(count(self.base, self.dims), self.metric), len(self.s))

    @cached_property
    def errors(self) -> np.ndarray:
        return np.abs(self.counts / self.target - 1)

    def nearest(self) -> int:
        """The index of the nearest count."""
        return int(self.errors.argmin())

    def neighbours(self) -> tuple[Neighbour, ...]:
        """The nearest counts on both sides of the target."""
        below, above = np.flatnonzero(self.counts <= self.target), np.flatnonzero(self.counts >= self.target)
        found = [side[self.errors[side].argmin()] for side in (below, above) if len(side)]
        return tuple(Neighbour(float(self.s[i]), int(self.counts[i])) for i in dict.fromkeys(found))

    def changed(self, index: np.ndarray, steps: np.ndarray) -> _Candidates:
        """The networks of these indices with their sizes changed by these steps, where that leaves a size."""
        dims = Dimensions(*(_each(value, lambda size: size[index]) for value in self.dims))
        widths, group_widths = list(dims.widths), list(dims.group_widths)
        stages = zip(self.base.block_types, self.base.stages, steps.T[:-1], strict=True)
        for stage, (block, described, step) in enumerate(stages):
            sizes = _stepped(block, described, widths[stage], group_widths[stage], step)
            widths[stage], group_widths[stage] = sizes
        resolution = dims.resolution + steps[:, -1] * RESOLUTION_STEP
        dims = dims._replace(widths=tuple(widths), group_widths=tuple(group_widths), resolution=resolution)
        possible = np.min([resolution, *widths], axis=0) > 0
        dims = Dimensions(*(_each(value, lambda size: size[possible]) for value in dims))
        return replace(self, s=self.s[index][possible], dims=dims, steps=steps[possible])

    def departures(self) -> np.ndarray:
        """How far the changed sizes lie from the unrounded ones: the sum of |log| of their ratios."""
        asked = unrounded_dimensions(self.base, *grid_factors([self.strategy], self.s))
        sizes = zip((*self.dims.widths, self.dims.resolution), (*asked.widths, asked.resolution), strict=True)
        return sum(
            np.abs(np.log(size / wanted)) * (step != 0)
            for (size, wanted), step in zip(sizes, self.steps.T, strict=True)
        )

    def network(self, index: int, neighbours: tuple[Neighbour, ...]) -> Network:
        """The candidate as a network, with its provenance."""
        s = float(self.s[index])
        plain = scale(self.base, self.strategy, s)
        dims = Dimensions(*(_each(value, lambda size: int(size[index])) for value in self.dims))
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


def _stepped(block: BlockType, stage: Stage, width: Any, group_width: Any, step: Any) -> tuple[Any, Any]:
    """Width and group width of a stage, this many steps wider: arrays, of which widths not above 0 are not built."""
    b = stage.bottleneck
    # One group stays one group: its width follows.
    whole = (stage.group_width == block.undivided(stage.width, b)) & (group_width == block.undivided(width, b))
    wider = width + step * block.grain(b, np.where(whole, 1, group_width), WIDTH_STEP)
    asked = np.where(whole, block.undivided(wider, b), group_width)
    fitted = block.fit(at_least(1, wider), b, asked)
    changed = (step != 0) & (wider > 0)
    return np.where(changed, fitted[0], wider), np.where(changed, fitted[1], group_width)


def _adjusted(by_s: _Candidates) -> tuple[_Candidates, int]:
    """The candidates, and the one among them, that come within 1 % by the smallest changes.

    Sizes that the strategy leaves alone are changed only where no change of the others comes within 1 %.
    """
    sizes, scaled = by_s.steps.shape[1], by_s.strategy.exponents
    nearest, chosen = by_s, by_s.nearest()
    # One or two sizes of any network; where that is not enough, all sizes of those nearest the target (of many sizes
    # all that stand before one); and where group widths or ceilings of halved resolutions leave a gap that even this
    # does not fill, several steps.
    by_error = np.argsort(by_s.errors, kind="stable")
    most = _MOST_CHANGES if sizes <= 8 else _MOST_CHANGES // 8
    some, many = _single_steps(sizes, 2), _single_steps(sizes, sizes) if sizes <= 8 else _first_steps(sizes)
    tiers = [(by_error, some), (by_error[:32], many), (by_error[:8], np.concatenate([k * many for k in (2, 3, 4)]))]
    # However many stages there are: of as many networks as can be held, those nearest the target.
    tiers = [(np.sort(order[: max(1, most // steps.size)]), steps) for order, steps in tiers]
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
    """Every way to change at least one, and at most so many, of the sizes by one step up or down.

    Of more than 32 sizes only one at a time, for there are sizes to the power of `most` ways.
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
    """The first of the sizes, then the first two and so on, by one step up or down: of many sizes, fine enough."""
    first = np.tril(np.ones((sizes, sizes), dtype=int))
    return np.concatenate([first, -first])


def _one_target(**targets: float | None) -> tuple[Metric, float]:
    given = {metric: value for metric, value in targets.items() if value is not None}
    if len(given) != 1:
        raise StrategyError(f"scale_to: {len(given)} targets given; give exactly one of {', '.join(METRICS)}")
    ((metric, value),) = given.items()
    number = real_number(value, 0, above=True)
    if number is None:
        raise StrategyError(f"scale_to: the {metric} asked are {shown(value)}, but must be a finite number above 0")
    if number > _LARGEST_TARGET:
        raise StrategyError(f"scale_to: the {metric} asked are {shown(value)}, but may be {_LARGEST_TARGET:g} at most")
    return metric, number


def _crossing(base: Network, strategy: Strategy, metric: Metric, target: float) -> float:
    """A scale factor at which the count passes the target, by bisection of log s; or the end that is nearer."""

    def counted(s: float) -> int:
        return getattr(complexity(scale(base, strategy, s)), metric)

    low, high = _SMALLEST_S, _LARGEST_S
    if counted(low) == counted(high):
        raise StrategyError(
            f"scale_to: {strategy} does not change the {metric} of {base.name}: they stay {counted(1.0):,}; "
            "use a strategy that does, or ask for another count"
        )
    if target <= counted(low):
        return low
    if target >= counted(high):
        return high
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if counted(middle) < target else (low, middle)
    return high


def between_roundings(base: Network, strategy: Strategy, crossing: float, reach: float = 1.3) -> np.ndarray:
    """One scale factor from each interval, around the crossing, in which nothing is rounded otherwise.

    Looked at is from crossing / reach to crossing · reach; less where that has more than 2,000 intervals (fewer for a
    network of more than 20 stages). 1 is among them where no scaled network has the sizes of the base.
    """
    d, w, g, r = (float(exponent) for exponent in strategy.exponents)
    ends = (base.stem.width, base.head.width) if base.ends_grow else ()
    sizes = {(size, d, 1) for size in base.depths} | {(size, w, WIDTH_STEP) for size in (*base.widths, *ends)}
    sizes |= {(size, g, 1) for size in base.group_widths} | {(base.resolution, r, RESOLUTION_STEP)}
    sizes = [(size, e, step) for size, e, step in sizes if e and size]

    def halves(size: int, e: float, step: int, low: float, high: float) -> tuple[int, int]:
        """The first and last k for which size · s^e / step = k + 1/2, where the rounding changes, is in reach."""
        return math.ceil(size * low**e / step - 0.5), math.floor(size * high**e / step - 0.5)

    most = max(20, min(2000, _MOST_SIZES // len(base.stages)))
    while sum(last - first for first, last in (halves(*s, crossing / reach, crossing * reach) for s in sizes)) > most:
        reach = max(1.3, math.sqrt(reach)) if reach > 1.3 else math.sqrt(reach)  # so many are near enough
    low, high = crossing / reach, crossing * reach
    bounds = [np.array([low, high])]
    for size, e, step in sizes:
        first, last = halves(size, e, step, low, high)
        bounds.append(((np.arange(max(0, first), last + 1) + 0.5) * step / size) ** (1 / e))
    alone = low < 1 < high and scaled_dimensions(base, *factors(strategy, 1 + 1e-9)) != base.dimensions
    ordered = np.unique(np.concatenate([*bounds, [1.0]] if alone else bounds))
    between = np.sqrt(ordered[1:] * ordered[:-1])
    return np.sort(np.append(between, 1.0)) if alone else between


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """The change made to an entry of Dimensions: to its one size, or to that of each stage."""
    return tuple(map(change, value)) if isinstance(value, tuple) else change(value)
