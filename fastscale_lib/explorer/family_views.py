"""What the explorer shows of a family of modules: few sizes, each made and counted.

A size takes a trace, a tenth of a second or so. The marked networks are counted at once, the others when there is time;
no count is taken from a law or from a line between two points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..architectures.counting import METRICS, complexity
from ..architectures.parts import NetworkError
from ..architectures.resolutions import both_sides
from ..architectures.traced.module_family import Family
from ..figures.theme import numbers
from ..scaling.asymptotics import law_columns
from ..scaling.module_scaling import family_columns
from ..scaling.strategies import STRATEGIES, Strategy, alpha_of
from ..scaling.strategies import strategy as named_strategy
from . import panels
from .app_data import Counted
from .views import ALPHA, LARGEST_SCALE, SMALLEST_SCALE

FAMILY_SCALES = tuple(np.geomspace(SMALLEST_SCALE, LARGEST_SCALE, 16).tolist())
FAMILY_ALPHAS = tuple(named_strategy(alpha=alpha) for alpha in (0.0, 0.2, 1 / 3, 0.5, 0.65, 0.8, 0.9, 1.0))
FAMILY_NOTE = (
    "each marker is a module that was made and counted; lines join them<br>"
    "other sizes are counted in JupyterLab; fs.measure times one"
)  # why a figure of a family stands still
_OVER_ALPHA = np.array([0.3, 3.0])  # of the axis of counts over what was asked

Size = tuple[Family, Strategy, float]


class FamilyViews:
    """Views of what is counted.

    `todo` lists what the last view lacks, `remark` says what cannot be made.
    """

    def __init__(self) -> None:
        self.remark = ""
        self.todo: list[Size] = []
        self._rows: dict[Size, dict[str, Any] | None] = {}
        self._ranges: tuple[Family, dict[str, list[float]]] | None = None

    def view(
        self, base: Family, strategies: Sequence[str], alpha: float, scale: float, times: pd.DataFrame
    ) -> panels.View:
        """Return what the panels show of a family scaled by these strategies and the α family."""
        slider = named_strategy(alpha=alpha)
        ways, curves, over_alpha = self._wanted(base, strategies, slider, scale)
        marks = [self._rows[base, each, scale] or {} for each in ways.values()]
        drawn = {}
        for name, way in ways.items():
            more = {"name": "α (slider)", "legendgroup": ALPHA} if name == ALPHA else {}
            drawn[name] = panels.counted(self._counted([*curves[name], (base, way, scale)]), **more)
            for trace in drawn[name].values():
                trace["marker"] = {**trace["marker"], "maxdisplayed": 0}  # each is a network that was counted
        at_base, ends = complexity(base), np.array([SMALLEST_SCALE, LARGEST_SCALE])
        return panels.View(
            curves=drawn,
            shown=(*strategies, ALPHA),
            laws=law_columns(base, list(ways.values()), ends),
            marks={name: [value for row in marks for value in row[name]] for name in marks[0]},
            alphas=self._counted([*over_alpha, (base, slider, scale)], by="alpha"),
            asked={metric: scale * getattr(at_base, metric) for metric in METRICS},
            alpha=alpha,
            times=times,
            ranges=self._ranges_of(base, ends),
            predicted={},
            band=None,
        )

    def counted(self, base: Family, strategies: Sequence[str], alpha: float, scale: float) -> Counted:
        """Return what is counted so far, for the page.

        For a row's size that is yet to come its nearest stands, which `steps` tells.

        Arguments:
            base: the family.
            strategies: names of those that have a row.
            alpha: of the slider, whose row is whole; of the other α there is the network at the scale alone.
            scale: scale factor of the marked networks.
        """
        slider = named_strategy(alpha=alpha)
        named = list(dict.fromkeys(["w", *strategies]))  # others are drawn relative to w
        ways, curves, over_alpha = self._wanted(base, named, slider, scale)
        sizes = {name: [*curves[name], (base, ways[name], scale)] for name in named}
        sizes |= {f"α={alpha_of(way):g}": [(base, way, s)] * (len(FAMILY_SCALES) + 1) for base, way, s in over_alpha}
        sizes[f"α={alpha:g}"] = [*curves[ALPHA], (base, slider, scale)]
        found: dict[Size, int] = {}
        index, rows, steps, scales = [], {}, [], [*FAMILY_SCALES, scale]
        for name, wanted in sizes.items():
            known = [size for size in wanted if self._rows.get(size)]
            if known:
                rows[name] = wanted[0][1]
                steps.append([step for step, size in enumerate(wanted) if size in known and size[2] == scales[step]])
                nearest = (min(known, key=lambda each, s=s: abs(np.log(each[2] / s))) for _, _, s in wanted)
                index += [found.setdefault(size, len(found)) for size in nearest]
        columns = [row for size in found if (row := self._rows[size])]
        counts = [np.array([row[metric][0] for row in columns], dtype=np.int64) for metric in METRICS]
        sides = np.array([both_sides(row["resolution"][0]) for row in columns]).T
        none = np.zeros(len(columns), dtype=np.int64)  # a family has neither stem nor head that a page would tell
        return Counted(rows, np.arange(len(found)), np.array(index), counts, [*sides, none, none], steps)

    def _wanted(
        self, base: Family, strategies: Sequence[str], slider: Strategy, scale: float
    ) -> tuple[dict[str, Strategy], dict[str, list[Size]], list[Size]]:
        """Count the marked networks, and list the sizes of all curves.

        Returns the strategies, the sizes of each one's curve, and those of the curve over α; `todo` has those to come.
        """
        ways = {**{name: named_strategy(name) for name in strategies}, ALPHA: slider}
        for each in ways.values():
            if not self._rows.get((base, each, scale)):
                self._rows[base, each, scale] = family_columns(base, [each], np.array([scale]), True)
        over_alpha = [(base, each, scale) for each in FAMILY_ALPHAS]
        curves = {name: [(base, way, s) for s in FAMILY_SCALES] for name, way in ways.items()}
        wanted = [*curves[ALPHA], *(size for name in strategies for size in curves[name]), *over_alpha]
        self.todo = [size for size in dict.fromkeys(wanted) if size not in self._rows]
        return ways, curves, over_alpha

    def count_next(self) -> None:
        """Count the next size of `todo`; one that cannot be made is left out, and remarked."""
        size = base, way, s = self.todo.pop(0)
        try:
            self._rows[size] = family_columns(base, [way], np.array([s]), True)
        except (NetworkError, ValueError) as error:
            self._rows[size] = None
            self.remark = f"left out: {error}"

    def _counted(self, sizes: list[Size], by: str = "scale") -> dict[str, list[Any]]:
        """Return the columns of `sweep` for those that are counted, in order."""
        found = [row for row in (self._rows.get(size) for size in dict.fromkeys(sizes)) if row]
        found.sort(key=lambda row: float(row[by][0]))
        return {name: [row[name][0] for row in found] for name in found[0]}

    def _ranges_of(self, base: Family, ends: np.ndarray) -> dict[str, list[float]]:
        """Return the axes' ranges: by the laws, so that they stay while points come in."""
        if self._ranges is None or self._ranges[0] != base:
            laws = law_columns(base, [named_strategy(name) for name in STRATEGIES], ends)
            flops, activations, params = (
                panels.log_range(numbers(laws[name])) for name in ("flops", "activations", "params")
            )
            ranges = {"xaxis": flops, "xaxis2": flops, "xaxis3": flops, "yaxis": activations, "yaxis2": params}
            self._ranges = base, {**ranges, "yaxis4": panels.log_range(_OVER_ALPHA)}
        return self._ranges[1]
