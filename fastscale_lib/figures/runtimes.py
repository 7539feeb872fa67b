"""Figures of times over a count, and of how closely time follows each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .._common.statistics import pearson
from ..analysis.correlation import complete
from ..records.conditions import joined
from .theme import (
    INK,
    MANY_TICKS,
    METRIC_STYLES,
    METRIC_SYMBOLS,
    METRICS,
    NAMED_FAMILIES,
    OTHERS,
    Style,
    family_styles,
    hover,
    layout,
    log_axis,
    numbers,
    plain_axis,
    titled,
)


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
    named = list(rows["family"].value_counts().index[:NAMED_FAMILIES])
    families = rows["family"].where(rows["family"].isin(named), OTHERS)
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
    axis = log_axis if log else plain_axis
    for column, metric in enumerate(shown, 1):
        for family, look in family_styles(families, named).items():
            trace = _networks(rows[families == family], metric, family, look, showlegend=column == 1)
            figure.add_trace(trace, row=1, col=column)
        figure.add_trace(_least_squares(scaled[metric], scaled["ms_per_image"], log), row=1, col=column)
        figure.update_xaxes(**axis(metric), row=1, col=column)
        if log and known[metric].max() > MANY_TICKS * known[metric].min():
            figure.update_xaxes(dtick=1, row=1, col=column)
        figure.update_yaxes(**axis("ms_per_image") | ({} if column == 1 else {"title": None}), row=1, col=column)
    figure.update_layout(**layout(title), height=400)
    figure.update_annotations(font_size=12)
    figure.update_layout(legend={"y": 1.1})  # above the panels' titles
    return titled(figure, 105)


def correlations(found: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Correlations with time side by side: a panel for each statistic, a line for each group, a marker a metric.

    Whiskers are 95 % intervals, where there are any.

    Arguments:
        found: rows of `correlations`; what tells groups apart stands before the column metric.
    """
    by = list(found.columns[: found.columns.get_loc("metric")])
    found = found.assign(case=[joined(key) for key in found[by].itertuples(index=False)])
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
    return titled(figure, 105)


def _r(x: pd.Series, y: pd.Series) -> str:
    return f"{float(pearson(x.to_numpy(), y.to_numpy())):.2f}" if len(x) > 2 else "–"


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
        "hovertemplate": hover("", metric, "ms_per_image"),
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
