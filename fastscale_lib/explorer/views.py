"""From the explorer's state to what its four panels show; what has not changed since the last view is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..complexity import complexity, law_columns, sweep_columns
from ..networks import Network
from ..scaling import STRATEGIES, Strategy
from ..scaling import strategy as named_strategy
from . import panels

ALPHA = "α"  # the name, among the strategies, of the one that the slider sets
SMALLEST_SCALE, LARGEST_SCALE = 1 / 4, 64.0
SCALES = tuple(np.geomspace(SMALLEST_SCALE, LARGEST_SCALE, 64).tolist())
FAMILY = tuple(named_strategy(alpha=alpha) for alpha in sorted({*np.linspace(0, 1, 41).tolist(), 1 / 3}))


class Views:
    """Makes views, each as fast as what it has in common with the last one allows."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Any]] = {}

    def view(
        self, base: Network, strategies: Sequence[str], alpha: float, scale: float, times: pd.DataFrame
    ) -> panels.View:
        """What the panels show of a base network scaled by these strategies and by the α family."""
        shown, slider = [named_strategy(name) for name in strategies], named_strategy(alpha=alpha)
        curves = self._keep("curves", _named_curves, base, tuple(dict.fromkeys([*STRATEGIES, *strategies])))
        present = self._keep("present", sweep_columns, base, (*shown, *FAMILY), (scale,))
        by_slider = self._keep("slider", sweep_columns, base, (slider,), (*SCALES, scale))
        drawn = panels.counted(_rows(by_slider, 0, len(SCALES)), name="α (slider)", legendgroup=ALPHA)
        return panels.View(
            curves=curves | {ALPHA: drawn},
            shown=(*strategies, ALPHA),
            laws=law_columns(base, [*shown, slider], np.array([SMALLEST_SCALE, LARGEST_SCALE])),
            marks={name: [*rows[: len(shown)], by_slider[name][-1]] for name, rows in present.items()},
            alphas=_rows(present, len(shown), None),
            base=complexity(base),
            alpha=alpha,
            times=times,
        )

    def _keep(self, name: str, make: Callable, *arguments: Any) -> Any:
        """What `make` gives for these arguments; that of the last view, if they have not changed."""
        if self._kept.get(name, (None,))[0] != arguments:
            self._kept[name] = arguments, make(*arguments)
        return self._kept[name][1]


def layout(view: panels.View, note: str) -> dict[str, Any]:
    """The panels' layout for this view: axes that hold the paper's strategies, and what is said of the timings."""
    ranges = panels.count_ranges({name: view.curves[name] for name in STRATEGIES})
    return panels.figure_layout(view, ranges, note)


def _named_curves(base: Network, names: tuple[str, ...]) -> dict[str, panels.Traces]:
    strategies: list[Strategy] = [named_strategy(name) for name in names]
    columns, size = sweep_columns(base, strategies, SCALES), len(SCALES)
    return {
        name: panels.counted(_rows(columns, number * size, (number + 1) * size)) for number, name in enumerate(names)
    }


def _rows(columns: dict[str, Any], start: int, stop: int | None) -> dict[str, Any]:
    return {name: values[start:stop] for name, values in columns.items()}
