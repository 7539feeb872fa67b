"""What all figures share: labels and units, colours, axes, layout."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio

Frame = pd.DataFrame | Mapping[str, Any]


class Metric(NamedTuple):
    """How a column is named, in which unit it is shown, and how its numbers are written."""

    label: str
    unit: str
    ticks: str = "~s"
    steps: str = "D2"  # which digits a logarithmic axis labels: D2 is 1, 2, 5; D1 is all; none: what there is room for

    @property
    def title(self) -> str:
        return f"{self.label} ({self.unit})"


METRICS = {
    "flops": Metric("flops", "multiply-adds", steps=""),
    "params": Metric("params", "weights"),
    "activations": Metric("activations", "elements"),
    "median_ms": Metric("time", "ms a batch", "~g", ""),
    "ms_per_image": Metric("time", "ms an image", "~g", ""),
    "inference_ms_per_image": Metric("time of inference", "ms an image", "~g", ""),
    "training_ms_per_image": Metric("time of training", "ms an image", "~g", ""),
    "top1_error_pct": Metric("top-1 error", "%", "~g"),
    "roofline_share": Metric("share of the roofline", "1 is the ceilings", "~g"),
    "predicted_ms": Metric("predicted time", "ms a batch", "~g", ""),
    "counted_memory_bytes": Metric("counted memory", "bytes", steps=""),
    "scale": Metric("scale factor s", "times the flops wanted", "~g"),
    "alpha": Metric("α", "share of width", "~g"),
    "times_asked": Metric("count", "times s × base", "~g"),
}


class Style(NamedTuple):
    """Colour and marker of a strategy; the marker tells it apart without the colour."""

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
METRIC_STYLES = {
    "flops": ("#777777", "dot"),
    "params": ("#AA4499", "dash"),
    "activations": ("#222222", "solid"),
}
METRIC_SYMBOLS = {"flops": "circle-open", "params": "square-open", "activations": "diamond"}
NAMED_FAMILIES = len(STYLES)
OTHERS = "other families"
MANY_TICKS = 500  # from the smallest to the largest, where a narrow logarithmic axis has room for its decades only


def style(name: str) -> Style:
    """The style of a strategy: fixed for the paper's names, dark with another marker for any other."""
    if name in STYLES:
        return STYLES[name]
    if name.startswith("alpha="):
        return Style(INK, "x-thin-open")
    return Style("#5A5A5A", _MORE[sum(map(ord, name)) % len(_MORE)])


def label(name: str) -> str:
    """The strategy's name as it is shown: α = 0.8 for alpha=0.8."""
    return f"α = {float(Fraction(name.removeprefix('alpha='))):.3g}" if name.startswith("alpha=") else name


def stages_text(frame: Frame) -> list[str]:
    """For each row of a sweep, what shows on hover: scale, resolution, and the stages."""
    columns = (list(frame[name]) for name in ("scale", "resolution", "depths", "widths", "group_widths"))
    return [
        f"s = {s:.3g}, {r}×{r} px<br>depths {d}<br>widths {w}<br>group widths {g}"
        for s, r, d, w, g in zip(*columns, strict=True)
    ]


def numbers(values: Any) -> np.ndarray:
    """A column as an array of floats, which is what plotly sends fastest."""
    return np.asarray(values, dtype=float)


def family_styles(families: pd.Series, named: list[str]) -> dict[str, Style]:
    """The styles of the families that there are; the many small ones come first, and lie behind the others."""
    styles = {OTHERS: Style("#BBBBBB", "circle-open"), **dict(zip(named, STYLES.values(), strict=False))}
    return {name: look for name, look in styles.items() if (families == name).any()}


def offline() -> None:
    """Notebook figures from now on embed plotly.js, once a notebook (about 5 MB): they show without a network.

    What PLOTLY_RENDERER names goes before: `fastscale report` keeps figures as data, and puts plotly.js in the page.
    """
    if not os.environ.get("PLOTLY_RENDERER"):
        pio.renderers.default = "plotly_mimetype+notebook"


def legend_key(name: str, **look: Any) -> dict[str, Any]:
    """An entry of the legend, with nothing drawn."""
    return {"type": "scatter", "name": name, "x": [None], "y": [None], **look}


def titled(figure: go.Figure, top: int = 80) -> go.Figure:
    """The figure with room for a title above its legend, where it has a title."""
    if figure.layout.title.text:
        figure.update_layout(margin={"t": top}, title={"y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 12}})
    return figure


_MINOR = {"dtick": "D1", "ticks": "outside", "ticklen": 3, "tickcolor": "#999999"}


def log_axis(metric: str) -> dict[str, Any]:
    """A logarithmic axis with the metric's title, unit and ticks."""
    shown = METRICS[metric]
    return {
        "type": "log",
        "title": {"text": shown.title, "standoff": 6},
        "tickformat": shown.ticks,
        **(
            {"dtick": shown.steps}
            if shown.steps
            else {"nticks": 3, "minor": {"dtick": "D1", "ticks": "outside", "ticklen": 3, "tickcolor": "#999999"}}
        ),
        "ticklabeloverflow": "allow",  # to look for overflow takes more time than to draw
        "automargin": False,
    }


def plain_axis(metric: str) -> dict[str, Any]:
    """An axis from 0 with the metric's title, unit and ticks."""
    shown = METRICS[metric]
    return {
        "title": {"text": shown.title, "standoff": 6},
        "tickformat": shown.ticks,
        "rangemode": "tozero",
        "nticks": 6,
        "automargin": False,
    }


def layout(title: str | None = None) -> dict[str, Any]:
    """What all figures share."""
    return {
        "template": "plotly_white",
        "title": {"text": title, "font": {"size": 15}} if title else None,
        "font": {"size": 11},
        "margin": {"l": 60, "r": 15, "t": 50 if title else 25, "b": 45},
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        "hoverlabel": {"align": "left"},
        "colorway": [each.colour for each in STYLES.values()],
    }


def hover(name: str, x: str, y: str) -> str:
    numbers = "<br>".join(
        f"{METRICS[metric].label} %{{{axis}:.4s}} {METRICS[metric].unit}" for axis, metric in (("x", x), ("y", y))
    )
    return (f"<b>{name}</b><br>" if name else "") + f"%{{text}}<br>{numbers}<extra></extra>"
