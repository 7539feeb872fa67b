"""Figures from data frames: the same strategy, metric and unit look alike in every figure of the project.

Every function takes frames and gives a plotly figure, or plain trace dicts; none keeps state. Where a frame is one
case's rows, a mapping of its columns does as well.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
from plotly.subplots import make_subplots

from ._common.light_imports import light_imports
from ._common.statistics import pearson
from .analysis.correlation import case, complete
from .scaling.strategies import strategy as named_strategy

with light_imports():
    pio.renderers  # noqa: B018 - plotly imports it, and nbformat, when it is first asked for

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
_NAMED_FAMILIES = len(STYLES)
_OTHERS = "other families"
_MANY_TICKS = 500  # from the smallest to the largest, where a narrow logarithmic axis has room for its decades only


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


def curve(frame: Frame, y: str, x: str = "flops", **more: Any) -> dict[str, Any]:
    """The counted curve of one network under one strategy, from the rows of a sweep."""
    name = next(iter(frame["strategy"]))
    colour, symbol = style(name)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label(name),
        "legendgroup": name,
        "x": numbers(frame[x]),
        "y": numbers(frame[y]),
        "text": stages_text(frame) if "widths" in frame and "text" not in more else None,
        "line": {"color": colour, "width": 2},
        "marker": {"color": colour, "symbol": symbol, "size": 7, "maxdisplayed": 7},
        "hovertemplate": _hover(more.get("name", label(name)), x, y),
        **more,
    }


def law(frame: pd.DataFrame, y: str, x: str = "flops", **more: Any) -> dict[str, Any]:
    """The dashed line of a strategy's law, from the rows of `laws`."""
    name = frame["strategy"].iloc[0]
    ends = frame.sort_values("scale").iloc[[0, -1]]
    exponent = getattr(named_strategy(name).laws, y)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{label(name)}: law",
        "legendgroup": name,
        "showlegend": False,
        "x": ends[x].to_numpy(dtype=float),
        "y": ends[y].to_numpy(dtype=float),
        "line": {"color": style(name).colour, "width": 1, "dash": "dash"},
        "hovertemplate": f"{label(name)}: {METRICS[y].label} ∝ s<sup>{exponent}</sup><extra></extra>",
        **more,
    }


def marks(frame: Frame, y: str, x: str = "flops", **more: Any) -> dict[str, Any]:
    """One large marker for each row of a sweep, in the style of its strategy."""
    styles = [style(name) for name in frame["strategy"]]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "present scale",
        "showlegend": False,
        "x": numbers(frame[x]),
        "y": numbers(frame[y]),
        "text": [f"{label(n)}<br>{t}" for n, t in zip(frame["strategy"], stages_text(frame), strict=True)],
        "marker": {
            "color": [each.colour for each in styles],
            "symbol": [each.symbol for each in styles],
            "size": 13,
            "line": {"color": INK, "width": 1.5},
        },
        "hovertemplate": _hover("", x, y),
        **more,
    }


def complexity_curves(
    frame: pd.DataFrame,
    laws: pd.DataFrame | None = None,
    y: Sequence[str] = ("activations", "params"),
    x: str = "flops",
    title: str | None = None,
) -> go.Figure:
    """Counted curves, and dashed the laws, of one network under several strategies; one panel for each y.

    Arguments:
        frame: rows of `sweep`, of one network.
        laws: rows of `laws`, of the same network and strategies.
    """
    figure = make_subplots(rows=1, cols=len(y), horizontal_spacing=0.11)
    if laws is not None:
        figure.add_trace(_key("law", mode="lines", line={"color": INK, "width": 1, "dash": "dash"}))
    for column, metric in enumerate(y, 1):
        for name, rows in frame.groupby("strategy", sort=False):
            figure.add_trace(curve(rows, metric, x, showlegend=column == 1), row=1, col=column)
            if laws is not None:
                figure.add_trace(law(laws[laws["strategy"] == name], metric, x), row=1, col=column)
        figure.update_xaxes(**log_axis(x), row=1, col=column)
        figure.update_yaxes(**log_axis(metric), row=1, col=column)
    figure.update_layout(**layout(title), height=420)
    return _titled(figure)


def exponents(fits: pd.DataFrame, title: str | None = None) -> go.Figure:
    """How far fitted exponents lie from their laws: a panel for each metric, a place on the x axis for each strategy.

    The networks stand side by side, in their order; the first range of s has open markers, any later one filled.

    Arguments:
        fits: rows of `fit_exponents`, of one or several networks and ranges of s.
    """
    strategies, metrics = (list(fits[name].unique()) for name in ("strategy", "metric"))
    ranges = list(dict.fromkeys(zip(fits["scale_from"], fits["scale_to"], strict=True)))
    titles = [METRICS[metric].label for metric in metrics]
    figure = make_subplots(1, len(metrics), subplot_titles=titles, shared_yaxes=True, horizontal_spacing=0.02)
    for number, (low, high) in enumerate(ranges):
        marker = {"color": INK, "symbol": "circle" if number else "circle-open", "size": 8}
        figure.add_trace(_key(f"s from {low:,.7g} to {high:,.7g}", mode="markers", marker=marker))
    for column, metric in enumerate(metrics, 1):
        rows = fits[fits["metric"] == metric]
        figure.add_trace(_departures(rows, strategies, list(fits["network"].unique()), ranges[0]), row=1, col=column)
        laws = dict(zip(rows["strategy"], rows["law"], strict=True))
        texts = [f"{label(name)}<br>s<sup>{laws[name]}</sup>" for name in strategies]
        ticks = {"tickvals": list(range(len(strategies))), "ticktext": texts, "range": [-0.5, len(strategies) - 0.5]}
        figure.update_xaxes(**ticks, showgrid=False, zeroline=False, row=1, col=column)
    figure.update_yaxes(zeroline=True, zerolinecolor=INK)
    figure.update_yaxes(title={"text": "exponent of s: fitted − law"}, col=1)
    figure.update_layout(**layout(title), height=400)
    figure.update_annotations(font_size=13)
    figure.update_layout(legend={"y": 1.1})  # above the panels' titles
    return _titled(figure, 105)


def _departures(rows: pd.DataFrame, strategies: list, networks: list, first: tuple[float, float]) -> dict[str, Any]:
    """A marker for each fit of one metric, in the style of its strategy; open for the first range of s."""
    step = 0.7 / len(networks)
    places = {name: (rank + 0.5) * step - 0.35 for rank, name in enumerate(networks)}
    styles = [style(name) for name in rows["strategy"]]
    opened = ["-open" if each == first else "" for each in zip(rows["scale_from"], rows["scale_to"], strict=True)]
    colours = [each.colour for each in styles]
    return {
        "type": "scatter",
        "mode": "markers",
        "showlegend": False,
        "x": [strategies.index(row.strategy) + places[row.network] for row in rows.itertuples()],
        "y": numbers(rows["fitted"]) - numbers(rows["law"]),
        "text": [
            f"<b>{label(row.strategy)}</b>, {row.network}<br>s from {row.scale_from:,.7g} to {row.scale_to:,.7g}<br>"
            f"fitted {row.fitted:.3f}, law {row.law}<br>counts off the fit by up to {row.residual:.1%}"
            for row in rows.itertuples()
        ],
        "marker": {
            "color": colours,
            "symbol": [each.symbol.removesuffix("-open") + end for each, end in zip(styles, opened, strict=True)],
            "size": 9,
            "line": {"color": colours, "width": 1.5},
        },
        "hovertemplate": "%{text}<extra></extra>",
    }


def runtime(
    frame: pd.DataFrame,
    metrics: Sequence[str] = ("flops", "params", "activations"),
    log: bool = True,
    title: str | None = None,
) -> go.Figure:
    """Time an image over complexity, a panel for each metric, a marker for each network in the style of its family.

    Above each panel stands Pearson's r, of the logarithms where the axes are logarithmic, and in it the line of least
    squares on the same axes. The 8 largest families have a style of their own.

    Arguments:
        frame: timings as `published` gives them, of one device, mode and precision.
        metrics: those that no row of the frame has get no panel.
        log: logarithmic axes, or plain ones that start at 0.
    """
    frame = frame.reset_index(drop=True)
    known = complete(frame, metrics)
    shown = list(known.columns.drop("ms_per_image"))
    rows = frame.loc[known.index]
    named = list(rows["family"].value_counts().index[:_NAMED_FAMILIES])
    families = rows["family"].where(rows["family"].isin(named), _OTHERS)
    scaled = np.log(known) if log else known
    figure = make_subplots(
        1,
        max(len(shown), 1),
        shared_yaxes=True,
        horizontal_spacing=0.03,
        subplot_titles=[
            f"{METRICS[metric].label}: r{' of logs' if log else ''} = {_r(scaled[metric], scaled['ms_per_image'])}"
            for metric in shown
        ],
    )
    axis = log_axis if log else _plain_axis
    for column, metric in enumerate(shown, 1):
        for family, look in _family_styles(families, named).items():
            trace = _networks(rows[families == family], metric, family, look, showlegend=column == 1)
            figure.add_trace(trace, row=1, col=column)
        figure.add_trace(_least_squares(scaled[metric], scaled["ms_per_image"], log), row=1, col=column)
        figure.update_xaxes(**axis(metric), row=1, col=column)
        if log and known[metric].max() > _MANY_TICKS * known[metric].min():
            figure.update_xaxes(dtick=1, row=1, col=column)
        figure.update_yaxes(**axis("ms_per_image") | ({} if column == 1 else {"title": None}), row=1, col=column)
    figure.update_layout(**layout(title), height=400)
    figure.update_annotations(font_size=12)
    figure.update_layout(legend={"y": 1.1})  # above the panels' titles
    return _titled(figure, 105)


def correlations(found: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Correlations with time side by side: a panel for each statistic, a line for each group, a marker a metric.

    Whiskers are 95 % intervals, where there are any.

    Arguments:
        found: rows of `correlations`; what tells groups apart stands before the column metric.
    """
    by = list(found.columns[: found.columns.get_loc("metric")])
    found = found.assign(case=[case(key) for key in found[by].itertuples(index=False)])
    cases, statistics, metrics = (list(found[name].unique()) for name in ("case", "statistic", "metric"))
    figure = make_subplots(1, len(statistics), subplot_titles=statistics, shared_yaxes=True, horizontal_spacing=0.03)
    for column, statistic in enumerate(statistics, 1):
        for place, metric in enumerate(metrics):
            rows = found[(found["statistic"] == statistic) & (found["metric"] == metric)]
            heights = [cases.index(each) + 0.22 * (place - (len(metrics) - 1) / 2) for each in rows["case"]]
            figure.add_trace(_whiskers(rows, metric, heights, showlegend=column == 1), row=1, col=column)
    ticks = {"tickvals": list(range(len(cases))), "ticktext": cases, "range": [len(cases) - 0.5, -0.5]}
    figure.update_yaxes(**ticks, zeroline=False, automargin=True)
    lowest = float(np.nanmin([0, *found["r"], *found["low"]]))
    figure.update_xaxes(title={"text": "correlation with time, r", "standoff": 6}, range=[lowest, 1.03])
    figure.update_layout(**layout(title), height=170 + 44 * len(cases))
    figure.update_annotations(font_size=13)
    figure.update_layout(legend={"y": 1 + 26 / (44 * len(cases) + 45)})  # above the panels' titles
    return _titled(figure, 105)


def _r(x: pd.Series, y: pd.Series) -> str:
    return f"{float(pearson(x.to_numpy(), y.to_numpy())):.2f}" if len(x) > 2 else "–"


def _family_styles(families: pd.Series, named: list[str]) -> dict[str, Style]:
    """The styles of the families that there are; the many small ones come first, and lie behind the others."""
    styles = {_OTHERS: Style("#BBBBBB", "circle-open"), **dict(zip(named, STYLES.values(), strict=False))}
    return {name: look for name, look in styles.items() if (families == name).any()}


def _networks(rows: pd.DataFrame, metric: str, name: str, look: Style, **more: Any) -> dict[str, Any]:
    """A marker for each network of a family."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "legendgroup": name,
        "x": numbers(rows[metric]),
        "y": numbers(rows["ms_per_image"]),
        "text": list(rows["network"]),
        "marker": {"color": look.colour, "symbol": look.symbol, "size": 7},
        "hovertemplate": _hover("", metric, "ms_per_image"),
        **more,
    }


def _least_squares(x: pd.Series, y: pd.Series, log: bool) -> dict[str, Any]:
    """The line through the points, drawn between the first and the last; nothing where it is not determined."""
    ends = np.array([x.min(), x.max()] if x.nunique() > 1 else [])
    slope, offset = np.polyfit(x, y, 1) if len(ends) else (0, 0)
    heights = slope * ends + offset
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "least squares",
        "showlegend": False,
        "x": np.exp(ends) if log else ends,
        "y": np.exp(heights) if log else heights,
        "line": {"color": INK, "width": 1, "dash": "dash"},
        "hoverinfo": "skip",
    }


def _whiskers(rows: pd.DataFrame, metric: str, heights: list[float], **more: Any) -> dict[str, Any]:
    colour = METRIC_STYLES[metric][0]
    r, low, high = (numbers(rows[name]) for name in ("r", "low", "high"))
    return {
        "type": "scatter",
        "mode": "markers",
        "name": METRICS[metric].label,
        "legendgroup": metric,
        "x": r,
        "y": heights,
        "text": [
            f"<b>{METRICS[metric].label}</b><br>{each.case}<br>r = {each.r:.3f}"
            + (f" ({each.low:.3f} to {each.high:.3f})" if each.low == each.low else "")
            + f"<br>{each.rows} rows, {each.families} families"
            for each in rows.itertuples()
        ],
        "marker": {"color": colour, "symbol": METRIC_SYMBOLS[metric], "size": 9, "line": {"width": 1.5}},
        "error_x": {"array": high - r, "arrayminus": r - low, "color": colour, "thickness": 1.2, "width": 3},
        "hovertemplate": "%{text}<extra></extra>",
        **more,
    }


def offline() -> None:
    """Notebook figures from now on embed plotly.js, once a notebook (about 5 MB): they show without a network.

    What PLOTLY_RENDERER names goes before: `fastscale report` keeps figures as data, and puts plotly.js in the page.
    """
    if not os.environ.get("PLOTLY_RENDERER"):
        pio.renderers.default = "plotly_mimetype+notebook"


def _key(name: str, **look: Any) -> dict[str, Any]:
    """An entry of the legend, with nothing drawn."""
    return {"type": "scatter", "name": name, "x": [None], "y": [None], **look}


def _titled(figure: go.Figure, top: int = 80) -> go.Figure:
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


def _plain_axis(metric: str) -> dict[str, Any]:
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


def _hover(name: str, x: str, y: str) -> str:
    numbers = "<br>".join(
        f"{METRICS[metric].label} %{{{axis}:.4s}} {METRICS[metric].unit}" for axis, metric in (("x", x), ("y", y))
    )
    return (f"<b>{name}</b><br>" if name else "") + f"%{{text}}<br>{numbers}<extra></extra>"
