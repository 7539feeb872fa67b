"""The explorer's figure: panels over flops and over α, from data frames.

The same traces make the live figure, which is told only what changed, and the page that is shared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..figures.count_traces import curve, law_text, marks
from ..figures.theme import (
    INK,
    METRIC_STYLES,
    METRICS,
    Frame,
    axis_title,
    label,
    layout,
    log_axis,
    numbers,
    stages_text,
    style,
)
from ..scaling.strategies import STRATEGIES

COUNTED = ("activations", "params")
ALPHA_NAMES = {"dwr": 1 / 3, "dWr": 0.8, "w": 1.0}
_AXES = {"activations": "", "params": "2", "time": "3", "alpha": "4"}
_COLUMNS, _ROWS = ((0.0, 0.44), (0.56, 1.0)), ((0.6, 1.0), (0.0, 0.39))
_PLACES = {"activations": (0, 0), "params": (1, 0), "time": (0, 1), "alpha": (1, 1)}


Traces = dict[str, dict[str, Any]]


class View(NamedTuple):
    """What the four panels show.

    `curves` has the `counted` traces of each strategy, of which those in `shown` are visible; `laws` is a frame of
    `laws` for the shown ones; `marks` are their rows of `sweep` at the present scale, and `alphas` those of the α
    family; `asked` is what each metric is held against in the panel over α, s times the base's; `times` has one row
    a measurement: strategy, flops, median_ms, low_ms, high_ms (NaN: no interval), text. `ranges` are those of the axes
    that stay where they are while a slider moves: an axis that moves is drawn anew, which takes longer than all that is
    drawn on it. `predicted` has each strategy's trace of predicted times, and `band` how low and how high the slider's
    may lie, over the points of its trace; times that cannot be told are NaN. Without a model there are none.
    """

    curves: dict[str, Traces]
    shown: tuple[str, ...]
    laws: Frame
    marks: Frame
    alphas: Frame
    asked: dict[str, float]
    alpha: float
    times: pd.DataFrame
    ranges: dict[str, list[float]]
    predicted: Traces
    band: tuple[np.ndarray, np.ndarray] | None


def traces(view: View) -> Traces:
    """Return all traces by name, as plain dicts, in a fixed order for the same curves."""
    made: Traces = {}
    for panel in COUNTED:
        for name, pair in view.curves.items():
            made[f"{panel}/{name}"] = {**pair[panel], "visible": name in view.shown}
        made[f"{panel}/laws"] = _laws(view.laws, panel)
        made[f"{panel}/marks"] = {**marks(view.marks, panel, **axes(panel)), "text": _marks_text(view)}
    for name, trace in view.predicted.items():
        made[f"time/{name}"] = {**trace, "visible": name in view.shown}
    if view.band:
        made["time/band"] = _band(view.predicted[view.shown[-1]], *view.band)
    made["time/points"] = _times(view.times)
    text = stages_text(view.alphas)
    for metric in ("flops", *COUNTED):
        made[f"alpha/{metric}"] = _over_alpha(view, metric, text)
    made["alpha/present"] = _present(view)
    return made


def _marks_text(view: View) -> list[str]:
    """Tell of each mark how many times the base's flops it has: at one scale they differ."""
    columns = (view.marks["strategy"], view.marks["scale"], view.marks["flops"], stages_text(view.marks))
    return [
        f"{label(name)}: {flops / view.asked['flops'] * s:.3g}× the base's flops<br>{stages}"
        for name, s, flops, stages in zip(*columns, strict=True)
    ]


def counted(frame: Frame, **more: Any) -> Traces:
    """Draw a strategy's activations and params from its rows of a sweep."""
    text = stages_text(frame)
    return {
        panel: curve(frame, panel, showlegend=panel == COUNTED[0], text=text, **axes(panel), **more)
        for panel in COUNTED
    }


def predicted(drawn: dict[str, Any], ms: np.ndarray) -> dict[str, Any]:
    """Draw a strategy's predicted times over the points of its curve of counts."""
    return {**drawn, **axes("time"), "y": ms, "showlegend": False, "hovertemplate": _PREDICTED.format(drawn["name"])}


def axes(panel: str) -> dict[str, str]:
    return {"xaxis": f"x{_AXES[panel]}", "yaxis": f"y{_AXES[panel]}"}


def figure_layout(view: View, note: str, height: int = 600) -> dict:
    """Lay out the panels: axes, ranges, the named α, and what is said of the timings."""
    made = {**layout(), "height": height, "hovermode": "closest", "uirevision": "explorer"}
    made["margin"] |= {"t": 52, "autoexpand": False}  # two rows of legend: plotly's own room outlives its need
    made["legend"] |= {"tracegroupgap": 0, "y": 1.01}
    above = {"x": 1, "xanchor": "right", "y": _ROWS[1][1] + 0.04, "yanchor": "bottom"}
    made["legend2"] = {"orientation": "h", **above}
    for panel, (column, row) in _PLACES.items():
        number = _AXES[panel]
        x, y = ("alpha", "times_asked") if panel == "alpha" else ("flops", "median_ms" if panel == "time" else panel)
        made[f"xaxis{number}"] = {**_axis(x), "domain": _COLUMNS[column], "anchor": f"y{number}"}
        made[f"yaxis{number}"] = {**_axis(y), "domain": _ROWS[row], "anchor": f"x{number}"}
    for name, limits in {**view.ranges, "yaxis3": _time_range(view)}.items():
        made[name]["range"] = limits
    made["shapes"] = [
        {"type": "line", "x0": a, "x1": a, "xref": "x4", "y0": 0, "y1": 1, "yref": "y4 domain", "line": _THIN}
        for a in ALPHA_NAMES.values()
    ]
    above = {"yanchor": "bottom", "showarrow": False}
    made["annotations"] = [
        {"text": name, "x": a, "xref": "x4", "y": 1, "yref": "y4 domain", **above} for name, a in ALPHA_NAMES.items()
    ]
    made["annotations"] += [
        {"text": note, "x": 0, "xanchor": "left", "xref": "x3 domain", "y": 1, "yref": "y3 domain", **above}
    ]
    return made


def beside_width(traces: Traces, layout: dict[str, Any]) -> tuple[Traces, dict[str, Any]]:
    """Divide counts and times by those of w at the same flops, as the explorer's page does.

    The slope, which all strategies share, is divided out, so that they lie apart on plain axes. Laws are left out;
    times stay what they are where none are predicted.

    Arguments:
        traces: of `traces`, changed in place.
        layout: of `figure_layout`, changed in place.
    """
    traces = {name: trace for name, trace in traces.items() if not name.endswith("/laws")}
    for panel, what in (*((name, METRICS[name].label) for name in COUNTED), ("time", "time")):
        if not np.isfinite(traces.get(f"{panel}/w", {"y": ()})["y"]).any():
            continue
        of_width = _interpolated(traces[f"{panel}/w"])
        drawn = [trace for name, trace in traces.items() if name.startswith(f"{panel}/")]
        for trace in drawn:
            width = of_width(numbers(trace["x"]))
            trace["y"] = numbers(trace["y"]) / width
            if "fill" in trace:  # which a gap would cut in two
                trace |= {axis: trace[axis][np.isfinite(trace["y"])] for axis in ("x", "y")}
            if "error_y" in trace:
                trace["error_y"] |= {name: trace["error_y"][name] / width for name in ("array", "arrayminus")}
            if "text" in trace:
                trace["hovertemplate"] = f"%{{y:.3g}} times the {what} of w<br>%{{text}}<extra></extra>"
        held = np.concatenate([trace["y"] for trace in drawn if trace.get("visible", True)])
        low, high = np.nanmin(held), np.nanmax(held)
        room = 0.05 * (high - low) + 0.01
        layout[f"yaxis{_AXES[panel]}"] = {
            **{name: layout[f"yaxis{_AXES[panel]}"][name] for name in ("domain", "anchor", "automargin")},
            **{"title": axis_title(f"{what}, relative to w"), "range": [low - room, high + room], "nticks": 5},
        }
    return traces, layout


def _interpolated(trace: dict[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Return a trace as a function of flops, logarithm over logarithm; NaN beyond its ends."""
    known = np.isfinite(trace["y"])
    flops, first = np.unique(np.log(trace["x"][known]), return_index=True)
    values = np.log(trace["y"][known])[first]
    return lambda at: np.exp(np.interp(np.log(at), flops, values, np.nan, np.nan))


def count_ranges(curves: dict[str, Traces]) -> dict[str, list[float]]:
    """Return ranges of the axes of counts that hold all these curves, shown or not."""
    drawn = [pair[panel] for pair in curves.values() for panel in COUNTED]
    flops = log_range(np.concatenate([trace["x"] for trace in drawn]))
    ranges = {"xaxis": flops, "xaxis2": flops, "xaxis3": flops}
    for panel in COUNTED:
        ranges[f"yaxis{_AXES[panel]}"] = log_range(np.concatenate([pair[panel]["y"] for pair in curves.values()]))
    return ranges


def alpha_range(alphas: Frame, base: Any) -> list[float]:
    """Return the range over α that holds these rows of the α family at several scales."""
    asked = numbers(alphas["scale"])
    ratios = [numbers(alphas[metric]) / (asked * getattr(base, metric)) for metric in ("flops", *COUNTED)]
    return log_range(np.concatenate(ratios))


def _time_range(view: View) -> list[float]:
    held = [view.times[["median_ms", "low_ms", "high_ms"]].to_numpy(dtype=float).ravel()]
    held += [trace["y"] for name, trace in view.predicted.items() if name in STRATEGIES]
    values = np.concatenate(held)
    values = values[np.isfinite(values)]
    return log_range(values) if len(values) else [0.0, 2.0]


def log_range(values: np.ndarray) -> list[float]:
    """Return the range of a logarithmic axis that holds these values, with some room."""
    low, high = np.log10(values.min()), np.log10(values.max())
    room = 0.05 * (high - low) + 0.03
    return [float(low - room), float(high + room)]


_PREDICTED = "{}: %{{x:.4s}} flops, predicted %{{y:.4g}} ms<br>%{{text}}<extra></extra>"
_THIN = {"color": "#BBBBBB", "width": 1, "dash": "dot"}


def _axis(metric: str) -> dict[str, Any]:
    if metric == "alpha":
        return {"title": {"text": "α (share of width)", "standoff": 6}, "range": [-0.03, 1.03]}
    return log_axis(metric)


def _laws(laws: Frame, panel: str) -> dict[str, Any]:
    """Draw all laws as one trace, as each costs time at every move; with gaps between."""
    names, flops, counts = (list(laws[column]) for column in ("strategy", "flops", panel))
    points: list[tuple[float, float, str]] = []
    scales = numbers(laws["scale"])
    for row, name in enumerate(names):
        if row and names[row - 1] != name:
            points.append((np.nan, np.nan, ""))
        same = [at for at, each in enumerate(names) if each == name]
        growth = law_text(name, panel, scales[same], numbers(counts)[same])
        points.append((flops[row], counts[row], f"law of {label(name)}: {growth}"))
    x, y, texts = zip(*points, strict=True) if points else ((), (), ())
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "laws",
        "legendgroup": "laws",
        "showlegend": panel == COUNTED[0],
        "x": np.array(x),
        "y": np.array(y),
        "text": list(texts),
        "line": {"color": "#888888", "width": 1, "dash": "dash"},
        "hovertemplate": "%{text}<extra></extra>",
        **axes(panel),
    }


def _times(times: pd.DataFrame) -> dict[str, Any]:
    styles = [style(name) for name in times["strategy"]]
    median = numbers(times["median_ms"])
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "measured",
        "showlegend": False,
        "x": numbers(times["flops"]),
        "y": median,
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": numbers(times["high_ms"]) - median,
            "arrayminus": median - numbers(times["low_ms"]),
            "color": INK,
        },
        "text": times["text"].tolist(),
        "marker": {
            "color": [each.colour for each in styles],
            "symbol": [each.symbol for each in styles],
            "size": 11,
            "line": {"color": INK, "width": 1},
        },
        "hovertemplate": "%{text}<extra></extra>",
        **axes("time"),
    }


def _band(trace: dict[str, Any], low: np.ndarray, high: np.ndarray) -> dict[str, Any]:
    """Draw how far the slider's predicted times may be off."""
    told = np.isfinite(low)  # a gap would cut the band in two
    x, low, high = trace["x"][told], low[told], high[told]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "error",
        "legendgroup": "error",
        "showlegend": False,
        "x": np.concatenate([x, x[::-1]]),
        "y": np.concatenate([high, low[::-1]]),
        "fill": "toself",
        "fillcolor": "rgba(0, 0, 0, 0.08)",
        "line": {"width": 0},
        "hoverinfo": "skip",
        **axes("time"),
    }


def _over_alpha(view: View, metric: str, text: list[str]) -> dict[str, Any]:
    colour, dash = METRIC_STYLES[metric]
    shown = METRICS[metric]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": shown.label,
        "legend": "legend2",
        "x": numbers(view.alphas["alpha"]),
        "y": numbers(view.alphas[metric]) / view.asked[metric],
        "text": text,
        "line": {"color": colour, "dash": dash, "width": 2},
        "hovertemplate": f"α = %{{x:.3g}}: {shown.label} %{{y:.3g}} times s × base<br>%{{text}}<extra></extra>",
        **axes("alpha"),
    }


def _present(view: View) -> dict[str, Any]:
    """Draw the three metrics at the present α."""
    row = int(np.nanargmin(np.abs(numbers(view.marks["alpha"]) - view.alpha)))
    colours = [METRIC_STYLES[metric][0] for metric in ("flops", *COUNTED)]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "present α",
        "showlegend": False,
        "x": np.full(3, view.alpha),
        "y": np.array([view.marks[metric][row] / view.asked[metric] for metric in ("flops", *COUNTED)], dtype=float),
        "marker": {"color": colours, "size": 11, "symbol": "hexagon", "line": {"color": INK, "width": 1.5}},
        "hovertemplate": "α = %{x:.3g}: %{y:.3g} times s × base<extra></extra>",
        **axes("alpha"),
    }
