"""Labels, units, colours, axes and layout of all figures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ..architectures.resolutions import size_text

if TYPE_CHECKING:  # the explorer needs colours, and no plotly
    import plotly.graph_objects as go

Frame = pd.DataFrame | Mapping[str, Any]


class Metric(NamedTuple):
    """Label, unit and tick format of a column."""

    label: str
    unit: str
    ticks: str = "~s"
    steps: str = "D2"  # ticks of a logarithmic axis: D2 at 1, 2, 5; D1 at all digits; "" where there is room

    @property
    def title(self) -> str:
        return f"{self.label} ({self.unit})"


METRICS = {
    "flops": Metric("flops", "multiply-adds", steps=""),
    "params": Metric("params", "weights"),
    "activations": Metric("activations", "elements"),
    "median_ms": Metric("time", "ms/batch", "~g", ""),
    "ms_per_image": Metric("time", "ms/image", "~g", ""),
    "inference_ms_per_image": Metric("time of inference", "ms/image", "~g", ""),
    "training_ms_per_image": Metric("time of training", "ms/image", "~g", ""),
    "top1_error_pct": Metric("top-1 error", "%", "~g"),
    "roofline_share": Metric("share of the roofline", "1 is the ceilings", "~g"),
    "predicted_ms": Metric("predicted time", "ms/batch", "~g", ""),
    "counted_memory_bytes": Metric("counted memory", "bytes", steps=""),
    "scale": Metric("scale factor s", "times the flops wanted", "~g"),
    "alpha": Metric("α", "share of width", "~g"),
    "flops_over_law": Metric("flops", "relative to the law", "~g", "D1"),
    "params_over_law": Metric("params", "relative to the law", "~g", "D1"),
    "activations_over_law": Metric("activations", "relative to the law", "~g", "D1"),
    "times_asked": Metric("count", "times s × base", "~g"),
}


class Style(NamedTuple):
    """Colour and marker of a strategy; the marker alone tells it from the others."""

    colour: str
    symbol: str


# Okabe and Ito's palette, safe for colour-blind readers, and two more of Tol's.
STYLES = {
    "d": Style("#E69F00", "square"),
    "w": Style("#0072B2", "circle"),
    "r": Style("#CC79A7", "diamond"),
    "dw": Style("#56B4E9", "triangle-up"),
    "dr": Style("#999933", "triangle-down"),
    "wr": Style("#882255", "pentagon"),
    "dwr": Style("#D55E00", "cross"),
    "dWr": Style("#009E73", "star"),
}
_MORE = ("hexagon2", "bowtie", "hourglass", "star-triangle-up", "star-diamond", "octagon", "x")
INK = "#222222"
DASHED = {"color": INK, "width": 1, "dash": "dash"}
METRIC_STYLES = {"flops": ("#777777", "dot"), "params": ("#AA4499", "dash"), "activations": ("#222222", "solid")}
METRIC_SYMBOLS = {"flops": "circle-open", "params": "square-open", "activations": "diamond"}
NAMED_FAMILIES = len(STYLES)
OTHERS = "other families"
MANY_TICKS = 500  # largest / smallest value from which a narrow logarithmic axis labels only powers of ten


def style(name: str) -> Style:
    """Return the style of a strategy: fixed for those of the paper, dark for any other.

    Arguments:
        name: of the strategy.
    """
    if name in STYLES:
        return STYLES[name]
    if name.startswith("alpha="):
        return Style(INK, "x-thin-open")
    return Style("#5A5A5A", _MORE[sum(map(ord, name)) % len(_MORE)])


def label(name: str) -> str:
    """Return the name of a strategy as figures show it: "α = 0.8" for "alpha=0.8".

    Arguments:
        name: of the strategy.
    """
    return f"α = {float(Fraction(name.removeprefix('alpha='))):.3g}" if name.startswith("alpha=") else name


def stages_text(frame: Frame) -> list[str]:
    """Describe scale, resolution and stages of each row, for hovering.

    Arguments:
        frame: rows of `sweep`, or a mapping of their columns.
    """
    columns = (list(frame[name]) for name in ("scale", "resolution", "depths", "widths", "group_widths"))
    return [
        f"s = {s:.3g}, {size_text(r)} px<br>depths {d}<br>widths {w}<br>group widths {g}"
        for s, r, d, w, g in zip(*columns, strict=True)
    ]


def numbers(values: Any) -> np.ndarray:
    """Convert a column to an array of floats, which plotly sends fastest.

    Arguments:
        values: a Series, array or list of numbers.
    """
    return np.asarray(values, dtype=float)


def family_styles(families: pd.Series, named: list[str]) -> dict[str, Style]:
    """Assign styles to the families that occur; others come first, and are drawn behind."""
    styles = {OTHERS: Style("#BBBBBB", "circle-open"), **dict(zip(named, STYLES.values(), strict=False))}
    return {name: look for name, look in styles.items() if (families == name).any()}


def offline() -> None:
    """Include plotly.js in the notebook (about 5 MB), so that its figures need no network.

    The environment variable PLOTLY_RENDERER has precedence: `fastscale report` sets it to keep figures as data.
    """
    from .light_plotly import renderers

    if not os.environ.get("PLOTLY_RENDERER"):
        renderers.default = "plotly_mimetype+notebook"


def legend_key(name: str, **look: Any) -> dict[str, Any]:
    """Make an entry of the legend for something that is drawn elsewhere."""
    return {"type": "scatter", "name": name, "x": [None], "y": [None], **look}


def titled(figure: go.Figure, top: int = 80) -> go.Figure:
    """Make room for a title above the legend, in `top` pixels, if the figure has a title."""
    shown: Any = figure.layout  # plotly does not type its parts
    if shown.title.text:
        figure.update_layout(margin={"t": top}, title={"y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 12}})
    return figure


def panels_titled(figure: go.Figure, top: int = 105, legend: float = 1.1, size: int = 12) -> go.Figure:
    """Put the legend above the titles of panels, and make room for a title above both.

    Arguments:
        top: pixels above the panels, if the figure has a title; default: 105.
        legend: height of the legend, 1 at the top of the panels; default: 1.1.
        size: font size of the panels' titles; default: 12.
    """
    figure.update_annotations(font_size=size)
    figure.update_layout(legend={"y": legend})
    return titled(figure, top)


def whiskers(values: Any, low: Any, high: Any, colour: str) -> dict[str, Any]:
    """Make the error bars of values with these ends; NaN for none."""
    ends = {"array": numbers(high) - numbers(values), "arrayminus": numbers(values) - numbers(low)}
    return ends | {"color": colour, "thickness": 1.2, "width": 3}


def symbols_of(rows: pd.DataFrame, symbol: str) -> list[str]:
    """Return the symbol of each row: open where it has a doubt, and so decides nothing."""
    doubts = rows["doubt"] if "doubt" in rows else [None] * len(rows)
    return [symbol if pd.isna(doubt) else f"{symbol}-open" for doubt in doubts]


def axis_title(text: str) -> dict[str, Any]:
    return {"text": text, "standoff": 6}


_MINOR = {"dtick": "D1", "ticks": "outside", "ticklen": 3, "tickcolor": "#999999"}


def log_axis(metric: str) -> dict[str, Any]:
    """Make a logarithmic axis with the title, unit and ticks of a metric.

    Arguments:
        metric: key of `METRICS`.
    """
    shown = METRICS[metric]
    return {
        "type": "log",
        "title": axis_title(shown.title),
        "tickformat": shown.ticks,
        **({"dtick": shown.steps} if shown.steps else {"nticks": 3, "minor": _MINOR}),
        "ticklabeloverflow": "allow",  # looking for overflow takes longer than drawing
        "automargin": False,
    }


def plain_axis(metric: str) -> dict[str, Any]:
    """Make a linear axis from 0 with the title, unit and ticks of a metric."""
    shown = METRICS[metric]
    return {
        "title": axis_title(shown.title),
        "tickformat": shown.ticks,
        "rangemode": "tozero",
        "nticks": 6,
        "automargin": False,
    }


def layout(title: str | None = None) -> dict[str, Any]:
    """Make the layout that all figures share.

    Arguments:
        title: of the figure; default: None.
    """
    return {
        "template": "plotly_white",
        "title": {"text": title, "font": {"size": 15}} if title else None,
        "font": {"size": 13},
        "margin": {"l": 60, "r": 15, "t": 50 if title else 25, "b": 45},
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        "hoverlabel": {"align": "left"},
        "colorway": [each.colour for each in STYLES.values()],
    }


def hover(name: str, x: str, y: str) -> str:
    """Make a template for hovering: name, the trace's text, and x and y with labels and units."""
    lines = [f"{METRICS[metric].label} %{{{axis}:.4s}} {METRICS[metric].unit}" for axis, metric in (("x", x), ("y", y))]
    return "<br>".join([*([f"<b>{name}</b>"] if name else []), "%{text}", *lines]) + "<extra></extra>"
