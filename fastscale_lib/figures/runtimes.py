"""Figures of times over counts, and of their correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from plotly.subplots import make_subplots

from .._common.frames import rows as rows_of
from .._common.statistics import pearson
from ..analysis.correlation import complete
from ..architectures.counting import METRICS as COUNTS
from ..records.conditions import Conditions, joined, short_titles
from .light_plotly import go
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

_COLUMNS = 4  # of panels, where cases stand side by side
_LONGEST = 30  # characters of a case on one line


def runtime(
    frame: pd.DataFrame, metrics: Sequence[str] = COUNTS, log: bool = True, title: str | None = None
) -> go.Figure:
    """Draw time per image over counts, with one panel per metric and one marker per network.

    Each device, mode and precision has its panels. The title of a panel is Pearson's r, of logarithms if the axes
    are logarithmic; the dashed line is least squares on these axes. The 8 largest families have their own style.

    Arguments:
        frame: timings as `published` returns them.
        metrics: columns of counts; those without values are not drawn; default: flops, params, activations.
        log: logarithmic axes, or linear ones from 0; default: True.
        title: of the figure; default: None.
    """
    frame = frame.reset_index(drop=True)
    cases = {str(name): complete(rows, metrics) for name, rows in frame.groupby(short_titles(frame), sort=False)}
    shown = [metric for metric in metrics if any(metric in known for known in cases.values())]
    families = frame["family"].loc[[place for known in cases.values() for place in known.index]]
    named = list(families.value_counts().index[:NAMED_FAMILIES])
    families = families.where(families.isin(named), OTHERS)
    beside = max(1, min(_COLUMNS // max(len(shown), 1), len(cases)))  # cases in a row
    lines, columns = max(-(-len(cases) // beside), 1), max(len(shown), 1) * beside
    spaces: dict[str, Any] = {"horizontal_spacing": 0.03, "vertical_spacing": 0.5 / max(lines, 2)}
    several = len(cases) > 1
    titles = [
        _panel_title(name if several and metric == shown[0] else "", known, metric, log, several)
        for name, known in cases.items()
        for metric in shown
    ]
    figure = make_subplots(lines, columns, shared_yaxes=beside == 1, subplot_titles=titles, **spaces)
    axis = log_axis if log else plain_axis
    seen: set[str] = set()
    for place, known in enumerate(cases.values()):
        scaled = known.apply(np.log) if log else known
        first = place % beside * len(shown) + 1  # column of the case
        for column, metric in enumerate((each for each in shown if each in known), first):
            where: dict[str, Any] = {"row": place // beside + 1, "col": column}
            own = families.loc[known.index]
            for family, look in family_styles(own, named).items():
                rows = frame.loc[known.index][own == family]
                figure.add_trace(_networks(rows, metric, family, look, showlegend=family not in seen), **where)
                seen.add(family)
            figure.add_trace(_least_squares(scaled, metric, log), **where)
            last = {} if place >= len(cases) - beside else {"title": None}
            figure.update_xaxes(axis(metric) | last, **where)
            if log and known[metric].max() > MANY_TICKS * known[metric].min():
                figure.update_xaxes(dtick=1, **where)
            figure.update_yaxes(axis("ms_per_image") | ({} if column == first else {"title": None}), **where)
    figure.update_layout(**layout(title), height=400 if len(cases) < 2 else 130 + 140 * lines)
    return panels_titled(figure, legend=1 + 0.1 / lines)


def _panel_title(case: str, known: pd.DataFrame, metric: str, log: bool, briefly: bool) -> str:
    if metric not in known:
        return ""
    scaled = known.apply(np.log) if log else known
    statistic = "r of logs" if log and not briefly else "r"
    r = f"{METRICS[metric].label}: {statistic} = {_r(scaled, metric)}"
    shown = case if len(case) <= _LONGEST else case.replace(" · ", "<br>", 1)
    return f"{shown}<br>{r}" if case else r


def correlations(found: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Draw correlations with time and their 95 % intervals, with one panel per statistic.

    Arguments:
        found: rows of `correlations`; the columns before metric define the groups, one line each.
        title: of the figure; default: None.
    """
    by = list(found.columns)[: list(found.columns).index("metric")]
    usual = by == list(Conditions.CORRELATE)
    found = found.assign(case=short_titles(found) if usual else [joined(key) for key in rows_of(found[by])])
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
    figure.update_xaxes(title=axis_title("correlation with time, r"), range=[lowest - 0.05 * (lowest < 0), 1.03])
    figure.update_layout(**layout(title), height=170 + 38 * len(cases))
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
