"""Figures of times over counts, and of their correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .._common.frames import rows as rows_of
from .._common.statistics import pearson
from ..analysis.correlation import complete
from ..architectures.counting import METRICS as COUNTS
from ..records.conditions import joined
from .theme import (
    DASHED,
    MANY_TICKS,
    METRIC_STYLES,
    METRIC_SYMBOLS,
    METRICS,
    NAMED_FAMILIES,
    OTHERS,
    Style,
    axis_title,
    family_styles,
    hover,
    layout,
    log_axis,
    numbers,
    panels_titled,
    plain_axis,
    whiskers,
)


def runtime(
    frame: pd.DataFrame, metrics: Sequence[str] = COUNTS, log: bool = True, title: str | None = None
) -> go.Figure:
    """Draw time per image over counts, with one panel per metric and one marker per network.

    The title of a panel is Pearson's r, of logarithms if the axes are logarithmic; the dashed line is least squares on
    these axes. The 8 largest families have their own style.

    Arguments:
        frame: timings as `published` returns them, of one device, mode and precision.
        metrics: columns of counts; those without values are not drawn; default: flops, params, activations.
        log: logarithmic axes, or linear ones from 0; default: True.
        title: of the figure; default: None.
    """
    frame = frame.reset_index(drop=True)
    known = complete(frame, metrics)
    shown = list(known.columns.drop("ms_per_image"))
    rows = frame.loc[known.index]
    named = list(rows["family"].value_counts().index[:NAMED_FAMILIES])
    families = rows["family"].where(rows["family"].isin(named), OTHERS)
    scaled = known.apply(np.log) if log else known
    figure = make_subplots(
        1,
        max(len(shown), 1),
        shared_yaxes=True,
        horizontal_spacing=0.03,
        subplot_titles=[
            f"{METRICS[metric].label}: r{' of logs' if log else ''} = {_r(scaled, metric)}" for metric in shown
        ],
    )
    axis = log_axis if log else plain_axis
    for column, metric in enumerate(shown, 1):
        for family, look in family_styles(families, named).items():
            trace = _networks(rows[families == family], metric, family, look, showlegend=column == 1)
            figure.add_trace(trace, row=1, col=column)
        figure.add_trace(_least_squares(scaled, metric, log), row=1, col=column)
        figure.update_xaxes(**axis(metric), row=1, col=column)
        if log and known[metric].max() > MANY_TICKS * known[metric].min():
            figure.update_xaxes(dtick=1, row=1, col=column)
        figure.update_yaxes(axis("ms_per_image") | ({} if column == 1 else {"title": None}), row=1, col=column)
    figure.update_layout(**layout(title), height=400)
    return panels_titled(figure)


def correlations(found: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Draw correlations with time and their 95 % intervals, with one panel per statistic.

    Arguments:
        found: rows of `correlations`; the columns before metric define the groups, one line each.
        title: of the figure; default: None.
    """
    by = list(found.columns)[: list(found.columns).index("metric")]
    found = found.assign(case=[joined(key) for key in rows_of(found[by])])
    cases, statistics, metrics = (list(found[name].unique()) for name in ("case", "statistic", "metric"))
    figure = make_subplots(1, len(statistics), subplot_titles=statistics, shared_yaxes=True, horizontal_spacing=0.03)
    for column, statistic in enumerate(statistics, 1):
        for place, metric in enumerate(metrics):
            rows = found[(found["statistic"] == statistic) & (found["metric"] == metric)]
            heights = [cases.index(each) + 0.22 * (place - (len(metrics) - 1) / 2) for each in rows["case"]]
            figure.add_trace(_correlations(rows, metric, heights, showlegend=column == 1), row=1, col=column)
    ticks = {"tickvals": list(range(len(cases))), "ticktext": cases, "range": [len(cases) - 0.5, -0.5]}
    figure.update_yaxes(**ticks, zeroline=False, automargin=True)
    lowest = float(np.nanmin([0, *found["r"], *found["low"]]))
    figure.update_xaxes(title=axis_title("correlation with time, r"), range=[lowest, 1.03])
    figure.update_layout(**layout(title), height=170 + 44 * len(cases))
    return panels_titled(figure, legend=1 + 26 / (44 * len(cases) + 45), size=13)


def _r(rows: pd.DataFrame, metric: str) -> str:
    return f"{float(pearson(numbers(rows[metric]), numbers(rows['ms_per_image']))):.2f}" if len(rows) > 2 else "–"


def _networks(rows: pd.DataFrame, metric: str, name: str, look: Style, **more: Any) -> dict[str, Any]:
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


def _least_squares(rows: pd.DataFrame, metric: str, log: bool) -> dict[str, Any]:
    """Make the line of least squares between the smallest and the largest x, if they differ."""
    x = numbers(rows[metric])
    ends = np.array([x.min(), x.max()] if len(np.unique(x)) > 1 else [])
    slope, offset = np.polyfit(x, numbers(rows["ms_per_image"]), 1) if len(ends) else (0, 0)
    heights = slope * ends + offset
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "least squares",
        "showlegend": False,
        "x": np.exp(ends) if log else ends,
        "y": np.exp(heights) if log else heights,
        "line": DASHED,
        "hoverinfo": "skip",
    }


def _correlations(rows: pd.DataFrame, metric: str, heights: list[float], **more: Any) -> dict[str, Any]:
    colour = METRIC_STYLES[metric][0]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": METRICS[metric].label,
        "legendgroup": metric,
        "x": numbers(rows["r"]),
        "y": heights,
        "text": [
            f"<b>{METRICS[metric].label}</b><br>{each.case}<br>r = {each.r:.3f}"
            + (f" ({each.low:.3f} to {each.high:.3f})" if each.low == each.low else "")
            + f"<br>{each.rows} rows, {each.families} families"
            for each in rows_of(rows)
        ],
        "marker": {"color": colour, "symbol": METRIC_SYMBOLS[metric], "size": 9, "line": {"width": 1.5}},
        "error_x": whiskers(rows["r"], rows["low"], rows["high"], colour),
        "hovertemplate": "%{text}<extra></extra>",
        **more,
    }
