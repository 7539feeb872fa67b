"""Stages that repeat a block: depths between two traces that these prove.

Both traces are of the same widths and images; every depth of the second is at least that of the first. It is seen that

- each number among the depths is that of the blocks of one list of modules (those named "0", "1", … in it);
- the second trace without the blocks that it has more of is the first, operation by operation and parameter by
  parameter; and each of these blocks runs the very operations of the block before it, with its own parameters.

So depths between the two give as many blocks. Lists that grew by the same number of blocks cannot be told apart, so
that their depths must be the same there, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .records import Trace, TracedComplexity, TracedOperation

Depths = tuple[Any, ...]
_MOST_KEPT = 32  # widths and images whose traces are kept


@dataclass(frozen=True)
class Stage:
    """A list of modules that has more blocks in the second trace, and how many in both."""

    name: str
    low: int
    high: int


class Traces:
    """Traces of a family's modules, from which those of depths between are counted."""

    def __init__(self) -> None:
        self._kept: dict[str, list[tuple[Depths, Trace]]] = {}
        self.made = 0  # modules that were traced

    def counted(self, alike: str, depths: Depths, make: Callable[[], Trace]) -> TracedComplexity:
        """Count the module of these depths by two traces that prove it, else by tracing it.

        Arguments:
            alike: what else tells the size.
            make: traces the module.
        """
        kept = self._kept.get(alike, [])
        ends = (lambda each: sum(each[0])) if depths else None
        if len(kept) > 1 and ends:
            (low_depths, low), (high_depths, high) = min(kept, key=ends), max(kept, key=ends)
            found = between(low, low_depths, high, high_depths, depths)
            if found is not None:
                return found.complexity
        trace = make()
        self.made += 1
        if ends:
            kept = [*kept, (depths, trace)]
            self._kept[alike] = [min(kept, key=ends), max(kept, key=ends)] if len(kept) > 2 else kept
            while len(self._kept) > _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        return trace.complexity


def between(low: Trace, low_depths: Depths, high: Trace, high_depths: Depths, wanted: Depths) -> Trace | None:
    """Return the trace of depths between those of two traces; None where these do not prove it."""
    if not all(isinstance(each, int) for each in (*low_depths, *high_depths, *wanted)):
        return None
    triples = list(zip(low_depths, wanted, high_depths, strict=True))
    if not all(a <= b <= c for a, b, c in triples):
        return None
    grown = [each for each in triples if each[0] < each[2]]
    stages = _stages(low, high)
    if stages is None or [(each.low, each.high) for each in stages] != [(a, c) for a, _, c in grown]:
        return None
    if len({(a, c) for a, _, c in grown}) != len(set(grown)):  # stages that look alike have different depths
        return None
    if not all(_repeats(high, each) for each in stages) or _cut(high, {s.name: s.low for s in stages}) != low:
        return None
    return _cut(high, {stage.name: depth for stage, (_, depth, _) in zip(stages, grown, strict=True)})


def _stages(low: Trace, high: Trace) -> list[Stage] | None:
    """Find the lists that have more blocks, in the order of their operations."""
    before, after = _lengths(low), _lengths(high)
    if not before.keys() <= after.keys():
        return None
    grown = [name for name in after if after[name] != before.get(name, 0)]
    # A list within a new block is new with it.
    outer = [name for name in grown if not any(_inside(name, other, before.get(other, 0)) for other in grown)]
    if any(name not in before for name in outer):
        return None
    return [Stage(name, before[name], after[name]) for name in outer]


def _lengths(trace: Trace) -> dict[str, int]:
    """Count the blocks of each list: one more than the largest number."""
    found: dict[str, int] = {}
    for name in [*(each.name for each in trace.operations), *trace.parameters]:
        parts = name.split(".")
        for at, part in enumerate(parts):
            if part.isdigit():
                of = ".".join(parts[:at])
                found[of] = max(found.get(of, 0), int(part) + 1)
    return found


def _number(name: str, stage: str) -> int | None:
    """Find the number of the block of a stage in which a name is; None elsewhere."""
    start = f"{stage}." if stage else ""
    found = re.match(r"(\d+)(\.|$)", name[len(start) :]) if name.startswith(start) else None
    return int(found[1]) if found else None


def _inside(name: str, stage: str, least: int) -> bool:
    """Tell whether a list stands in a block of a stage that the first trace has not."""
    number = _number(name, stage) if name != stage else None
    return number is not None and number >= least


def _repeats(trace: Trace, stage: Stage) -> bool:
    """Tell whether each block that was added runs what the one before it does."""
    blocks: dict[int, list[TracedOperation]] = {number: [] for number in range(stage.low - 1, stage.high)}
    places: dict[int, list[int]] = {number: [] for number in blocks}
    for place, each in enumerate(trace.operations):
        number = _number(each.name, stage.name)
        if number in blocks:
            blocks[number].append(_renamed(each, stage.name, number))
            places[number].append(place)
    params: dict[int, dict[str, int]] = {number: {} for number in blocks}
    for name, size in trace.parameters.items():
        number = _number(name, stage.name)
        if number in params:
            params[number][_in_block(name, stage.name, number)] = size
    first = stage.low - 1
    whole = all(at[-1] - at[0] == len(at) - 1 for at in places.values() if at)
    follow = all(places[n] and places[n - 1] and places[n][0] == places[n - 1][-1] + 1 for n in blocks if n > first)
    return (
        whole and follow and all(blocks[n] == blocks[n - 1] and params[n] == params[n - 1] for n in blocks if n > first)
    )


def _renamed(each: TracedOperation, stage: str, number: int) -> TracedOperation:
    parameters = tuple(_in_block(name, stage, number) for name in each.parameters)
    return each._replace(name=_in_block(each.name, stage, number), parameters=parameters)


def _in_block(name: str, stage: str, number: int) -> str:
    """Return the name within a block; whole, after a mark, where it is elsewhere."""
    start = f"{stage}.{number}" if stage else str(number)
    return name[len(start) :] if _number(name, stage) == number else f"={name}"


def _cut(trace: Trace, blocks: Mapping[str, int]) -> Trace:
    """Return the trace without the blocks beyond these numbers."""

    def kept(name: str) -> bool:
        numbers = ((_number(name, stage), most) for stage, most in blocks.items())
        return all(number is None or number < most for number, most in numbers)

    operations = tuple(each for each in trace.operations if kept(each.name))
    return Trace(operations, {name: size for name, size in trace.parameters.items() if kept(name)})
