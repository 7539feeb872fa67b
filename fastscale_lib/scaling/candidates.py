"""Networks near a target: those that a strategy gives around it, and with changed roundings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from .._common.integers import at_least
from ..architectures.block_form import BlockType
from ..architectures.counting import complexity, count
from ..architectures.definition import Network
from ..architectures.parts import Dimensions, Metric, Stage
from ..architectures.provenance import GROUP_WIDTHS, GroupWidths, Neighbour, Scaling
from ..architectures.resolutions import both_sides, each_side, side_text
from .module_scaling import growth_of
from .rounding import MARKS, WIDTH_STEP, resolution_step, scale, scaled_dimensions, unrounded_dimensions
from .strategies import Strategy, factors, grid_factors, scale_factor

_SMALLEST_S, _LARGEST_S = 2.0**-40, 2.0**40
_MOST_SIZES = 40_000  # stage widths of all candidates by s, which bound the memory


@dataclass(frozen=True)
class Candidates:
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
    group_widths: GroupWidths = GROUP_WIDTHS[0]

    @classmethod
    def around(
        cls, base: Network, strategy: Strategy, metric: Metric, target: float, group_widths: GroupWidths
    ) -> Candidates:
        """Make one candidate for each network that the strategy gives around the target."""
        crossing = _crossing(base, strategy, metric, target, group_widths)
        plain = target / getattr(complexity(base), metric)  # the s of `scale`, so that the result is never worse
        between = between_roundings(base, strategy, crossing, group_widths=group_widths)
        s = np.append(between, [crossing, scale_factor(plain)])
        s = s[np.argsort(np.abs(np.log(s / plain)), kind="stable")]
        dims = scaled_dimensions(base, *grid_factors([strategy], s), group_widths=group_widths)
        dims = dims.mapped(lambda size: np.broadcast_to(size, len(s)))
        # Of equal networks, keep the one with s nearest the plain ratio.
        sizes = np.stack(dims.flat())
        first = np.sort(np.unique(sizes, axis=1, return_index=True)[1])
        dims = dims.mapped(lambda size: size[first])
        steps = np.zeros((len(first), len(base.stages) + 1), dtype=int)
        return cls(base, strategy, metric, target, s[first], dims, steps, group_widths)

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

    def changed(self, index: np.ndarray, steps: np.ndarray) -> Candidates:
        """Change the sizes of these networks by these steps; drop those with a size below 1."""
        dims = self.dims.mapped(lambda size: size[index])
        widths, group_widths = list(dims.widths), list(dims.group_widths)
        stages = zip(self.base.block_types, self.base.stages, steps.T[:-1], strict=True)
        for i, (block, stage, step) in enumerate(stages):
            widths[i], group_widths[i] = _step_widths(block, stage, widths[i], group_widths[i], step)
        longer = steps[:, -1] * resolution_step(self.base)
        resolution = each_side(lambda side: side + longer, dims.resolution)
        dims = dims._replace(widths=tuple(widths), group_widths=tuple(group_widths), resolution=resolution)
        if self.base.stem_follows:
            dims = dims._replace(stem_width=widths[0])
        possible = (np.min(both_sides(resolution), axis=0) >= self.base.least_resolution) & (np.min(widths, axis=0) > 0)
        dims = dims.mapped(lambda size: size[possible])
        return replace(self, s=self.s[index][possible], dims=dims, steps=steps[possible])

    def departures(self) -> np.ndarray:
        """Sum |log(size / unrounded size)| over the changed sizes of each network."""
        asked = unrounded_dimensions(self.base, *grid_factors([self.strategy], self.s))
        sides = zip(both_sides(self.dims.resolution), both_sides(asked.resolution), strict=True)
        departed = [np.abs(np.log(size / wanted)) for size, wanted in zip(self.dims.widths, asked.widths, strict=True)]
        departed.append(np.mean([np.abs(np.log(side / wanted)) for side, wanted in sides], axis=0))
        logs = (each * (step != 0) for each, step in zip(departed, self.steps.T, strict=True))
        return sum(logs, start=np.zeros(len(self.s)))

    def network(self, index: int, neighbours: tuple[Neighbour, ...]) -> Network:
        """Return a candidate as a Network with its provenance."""
        s = float(self.s[index])
        plain = scale(self.base, self.strategy, s, group_widths=self.group_widths)
        dims = self.dims.mapped(lambda size: int(size[index]))
        name = f"{self.base.name} {self.strategy} {self.metric}={self.target:.4g}{MARKS[self.group_widths]}"
        scaling = Scaling(
            base=self.base.name,
            strategy=self.strategy.name,
            s=s,
            metric=self.metric,
            target=self.target,
            achieved=int(self.counts[index]),
            changes=tuple(self._sentences(index, plain.dimensions, dims)),
            neighbours=neighbours,
            group_widths=self.group_widths,
        )
        return plain.with_dimensions(dims, name=name, scaling=scaling)

    def _sentences(self, index: int, plain: Dimensions, dims: Dimensions) -> Iterator[str]:
        asked = unrounded_dimensions(self.base, *factors(self.strategy, float(self.s[index])))
        names = [f"stage {stage} width" for stage in range(1, len(dims.widths) + 1)] + ["resolution"]
        sizes = [(*each.widths, each.resolution) for each in (dims, plain, asked)]
        for name, size, before, wanted, step in zip(names, *sizes, self.steps[index], strict=True):
            if step and size != before:
                unrounded = "×".join(f"{side:.1f}" for side in (wanted if isinstance(wanted, tuple) else (wanted,)))
                yield f"{name} {side_text(size)} instead of {side_text(before)} (unrounded {unrounded})"


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


def _crossing(base: Network, strategy: Strategy, metric: Metric, target: float, group_widths: GroupWidths) -> float:
    """Bisect log s for where the count crosses the target; return the nearer end if it does not."""
    counted = _counting(base, strategy, metric, group_widths)
    low, high = _SMALLEST_S, _LARGEST_S
    growth_of(base.name, strategy, metric, counted)
    if target <= counted(low):
        return low
    if target >= counted(high):
        return high
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if counted(middle) < target else (low, middle)
    return high


@lru_cache(maxsize=64)
def _counting(base: Network, strategy: Strategy, metric: Metric, group_widths: GroupWidths) -> Callable[[float], int]:
    """Make a function of s that counts; searches for several targets begin at the same s."""

    @lru_cache(maxsize=1024)
    def counted_with(dims: Dimensions) -> int:
        return getattr(count(base, dims), metric)

    @lru_cache(maxsize=1024)
    def counted(s: float) -> int:
        return counted_with(scaled_dimensions(base, *factors(strategy, s), group_widths=group_widths))

    return counted


def between_roundings(
    base: Network,
    strategy: Strategy,
    crossing: float,
    reach: float = 1.3,
    group_widths: GroupWidths = GROUP_WIDTHS[0],
) -> np.ndarray:
    """Return one scale factor from each interval around the crossing with constant rounding.

    The intervals lie between crossing / reach and crossing · reach, or nearer if there would be more than 2,000
    (fewer for networks with more than 20 stages). If no scaled network has the sizes of the base, 1 is added.
    """
    d, w, g, r = (float(exponent) for exponent in strategy.exponents)
    ends = (base.stem.width, base.head.width) if base.ends_grow else ()
    sizes = {(size, d, 1) for size in base.depths} | {(size, w, WIDTH_STEP) for size in (*base.widths, *ends)}
    sizes |= {(size, g, 1) for size in base.group_widths}
    sizes |= {(side, r, resolution_step(base)) for side in both_sides(base.resolution)}
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
    if g and group_widths != GROUP_WIDTHS[0]:
        bounds += [_between_powers_of_two(size, g, low, high) for size in set(base.group_widths)]
    alone = (
        low < 1 < high
        and scaled_dimensions(base, *factors(strategy, 1 + 1e-9), group_widths=group_widths) != base.dimensions
    )
    ordered = np.unique(np.concatenate([*bounds, [1.0]] if alone else bounds))
    between = np.sqrt(ordered[1:] * ordered[:-1])
    return np.sort(np.append(between, 1.0)) if alone else between


def _between_powers_of_two(size: int, e: float, low: float, high: float) -> np.ndarray:
    """Return the scale factors at which size · s^e goes from one power of two to the next."""
    first, last = (math.log2(size * s**e) - 0.5 for s in (low, high))
    return (2.0 ** (np.arange(math.ceil(first), math.floor(last) + 1) + 0.5) / size) ** (1 / e)
