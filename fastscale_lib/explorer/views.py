"""From the explorer's state to what its four panels show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..architectures.counting import METRICS, complexity
from ..architectures.definition import Network
from ..prediction.model import RuntimeModel
from ..scaling.asymptotics import law_columns
from ..scaling.grids import sweep_columns
from ..scaling.strategies import STRATEGIES, Strategy
from ..scaling.strategies import strategy as named_strategy
from . import panels

ALPHA = "α"  # the name, among the strategies, of the one that the slider sets
SMALLEST_SCALE, LARGEST_SCALE = 1 / 4, 64.0
SCALES = tuple(np.geomspace(SMALLEST_SCALE, LARGEST_SCALE, 64).tolist())
FAMILY = tuple(named_strategy(alpha=alpha) for alpha in sorted({*np.linspace(0, 1, 41).tolist(), 1 / 3}))


@dataclass(frozen=True)  # equal where they predict the same, so that what was predicted is kept
class Predictor:
    """A model's predictions under one setting of it, as traces of the time panel."""

    model: RuntimeModel
    batch: int
    setting: Mapping[str, Any]

    @property
    def error(self) -> float:
        """The model's median error on what it has not seen, as a fraction."""
        return self.model.fitted[self.model.setting(**self.setting)].error

    def lines(self, base: Network, curves: Mapping[str, panels.Traces], *strategies: Strategy) -> dict[str, Line]:
        """Make one for each of the curves, which are of these strategies over `SCALES`."""
        found = self.model.curve(base, strategies, SCALES, self.batch, **self.setting)
        lines = {}
        for number, (name, pair) in enumerate(curves.items()):
            part = slice(number * len(SCALES), (number + 1) * len(SCALES))
            trace = panels.predicted(pair[panels.COUNTED[0]], found.ms[part])
            band = found.low_ms[part], found.high_ms[part]
            lines[name] = Line(trace, band, remark(found.ms[part], found.notes[part]))
        return lines


class Line(NamedTuple):
    """A strategy's predicted times: its trace, their band, and where they end or are less sure."""

    trace: dict[str, Any]
    band: tuple[np.ndarray, np.ndarray]
    remark: str


def remark(ms: np.ndarray, notes: list[str | None]) -> str:
    """Say why a line of predicted times ends, or is less sure; "" where it is sure everywhere."""
    ended = next((note for time, note in zip(ms, notes, strict=True) if np.isnan(time)), None)
    if ended:
        return f"where a line ends, a network is {ended}"
    wide = next(filter(None, reversed(notes)), None)
    return f"beyond the fitted networks the band is wider: {wide}" if wide else ""


class Views:
    """Makes views, each as fast as what it has in common with the last one allows.

    `remark` says of the last view where its predicted times end, or are less sure than elsewhere; "" if nowhere.
    """

    def __init__(self) -> None:
        self.remark = ""
        self._kept: dict[str, tuple[Any, Any]] = {}

    def view(
        self,
        base: Network,
        strategies: Sequence[str],
        alpha: float,
        scale: float,
        times: pd.DataFrame,
        predictor: Predictor | None = None,
    ) -> panels.View:
        """Return what the panels show of a base scaled by these strategies and the α family."""
        at_base = complexity(base)
        shown, slider = [named_strategy(name) for name in strategies], named_strategy(alpha=alpha)
        names = tuple(dict.fromkeys([*STRATEGIES, *strategies]))
        curves = self._keep("curves", lambda: _named_curves(base, names), base, names)
        # Either of these two has the slider's network at this scale: at a move of a slider one of them is made anew.
        by_slider = self._keep("slider", lambda: sweep_columns(base, [slider], [*SCALES, scale]), base, slider)
        ways = [*shown, slider, *FAMILY]
        present = self._keep("present", lambda: sweep_columns(base, ways, [scale]), base, *shown, scale)
        at = len(shown)
        known = present["strategy"][at] == slider.name
        marked = _rows(present, at, at + 1) if known else _rows(by_slider, len(SCALES), None)
        drawn = {ALPHA: panels.counted(_rows(by_slider, 0, len(SCALES)), name="α (slider)", legendgroup=ALPHA)}
        lines: dict[str, Line] = {}
        if predictor:
            named = [named_strategy(name) for name in names]
            lines = self._keep("predicted", lambda: predictor.lines(base, curves, *named), base, names, predictor)
            lines = lines | self._keep("sliding", lambda: predictor.lines(base, drawn, slider), base, slider, predictor)
        self.remark = next((line.remark for line in map(lines.get, (*strategies, ALPHA)) if line and line.remark), "")
        return panels.View(
            curves=curves | drawn,
            shown=(*strategies, ALPHA),
            laws=law_columns(base, [*shown, slider], np.array([SMALLEST_SCALE, LARGEST_SCALE])),
            marks={name: [*rows[:at], *marked[name]] for name, rows in present.items()},
            alphas=_rows(present, at + 1, None),
            asked={metric: scale * getattr(at_base, metric) for metric in METRICS},
            alpha=alpha,
            times=times,
            ranges=self._keep("ranges", lambda: _ranges(base, curves), base),
            predicted={name: line.trace for name, line in lines.items()},
            band=lines[ALPHA].band if lines else None,
        )

    def _keep(self, name: str, make: Callable, *on: Any) -> Any:
        """Return what `make` gives; that of the last view, if what it depends on is the same."""
        if self._kept.get(name, (None,))[0] != on:
            self._kept[name] = on, make()
        return self._kept[name][1]


def _ranges(base: Network, curves: dict[str, panels.Traces]) -> dict[str, list[float]]:
    """Return the axes' ranges: the paper's strategies over all scales, the α family at some."""
    ranges = panels.count_ranges({name: curves[name] for name in STRATEGIES})
    return ranges | {"yaxis4": panels.alpha_range(sweep_columns(base, FAMILY, SCALES[::9]), complexity(base))}


def _named_curves(base: Network, names: tuple[str, ...]) -> dict[str, panels.Traces]:
    strategies: list[Strategy] = [named_strategy(name) for name in names]
    columns, size = sweep_columns(base, strategies, SCALES), len(SCALES)
    return {
        name: panels.counted(_rows(columns, number * size, (number + 1) * size)) for number, name in enumerate(names)
    }


def _rows(columns: dict[str, Any], start: int, stop: int | None) -> dict[str, Any]:
    return {name: values[start:stop] for name, values in columns.items()}
