"""Where the sizes of a scaled network come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from .._common.checks import shown
from .parts import METRICS, Metric, NetworkError, check_known, is_line, set_real, set_whole

GroupWidths = Literal["multiples of 8", "powers of two"]  # what scaled group widths are rounded to
GROUP_WIDTHS: tuple[GroupWidths, ...] = get_args(GroupWidths)


@dataclass(frozen=True)
class Neighbour:
    """A network that a strategy does reach: its scale factor s and its count."""

    s: float
    count: int

    def __post_init__(self):
        set_real(self, "neighbour", "s", 0, above=True)
        set_whole(self, "neighbour", "count", least=0)


@dataclass(frozen=True)
class Scaling:
    """How a scaled network was made: what was asked and achieved, and the changed roundings.

    `metric`, `target`, `achieved`, `changes` and `neighbours` are filled by `scale_to` alone; `neighbours` are
    the nearest counts below and above the target that the strategy reaches by s alone. `group_widths` is what group
    widths were rounded to.
    """

    base: str
    strategy: str
    s: float
    metric: Metric | None = None
    target: float | None = None
    achieved: int | None = None
    changes: tuple[str, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    group_widths: GroupWidths = GROUP_WIDTHS[0]

    def __post_init__(self):
        for name in ("base", "strategy"):
            if not is_line(getattr(self, name)):
                raise NetworkError(f"scaling: {name} is {shown(getattr(self, name))}, but must be a line of text")
        set_real(self, "scaling", "s", 0, above=True)
        check_known("scaling: group_widths", self.group_widths, GROUP_WIDTHS)
        object.__setattr__(self, "changes", tuple(self.changes))
        object.__setattr__(self, "neighbours", tuple(self.neighbours))
        if not all(map(is_line, self.changes)):
            raise NetworkError(f"scaling: changes are {shown(self.changes)}, but must be lines of text")
        if not all(isinstance(each, Neighbour) for each in self.neighbours):
            raise NetworkError(f"scaling: neighbours are {shown(self.neighbours)}, but each must have s and count")
        if self.metric is not None:
            check_known("scaling: metric", self.metric, METRICS)
            set_real(self, "scaling", "target", 0, above=True)
            set_whole(self, "scaling", "achieved", least=0)

    @property
    def error(self) -> float:
        """How far the achieved count lies from the target, as a signed fraction of the target."""
        return self.achieved / self.target - 1 if self.achieved is not None and self.target else 0.0

    def __str__(self) -> str:
        said = f"{self.base} scaled by {self.strategy} with s = {self.s:.6g}"
        if self.group_widths != GROUP_WIDTHS[0]:
            said += f", group widths in {self.group_widths}"
        if self.metric is None:
            return said
        said += f": {self.metric} asked {self.target:,.0f}, achieved {self.achieved:,} ({self.error:+.2%})"
        if self.changes:
            said += "; changed: " + "; ".join(self.changes)
        elif self.neighbours and abs(self.error) > 0.01:
            near = " and ".join(f"{n.count:,} (s = {n.s:.6g})" for n in self.neighbours)
            said += f"; the strategy's nearest counts are {near}"
        return said
