"""Figures of flops, params and activations over the scale factor, and of their exponents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from plotly.subplots import make_subplots

from .._common.frames import rows as rows_of
from .count_traces import curve, law
from .light_plotly import go
from .theme import (
    DASHED,
    INK,
    METRICS,
    STYLES,
    label,
    layout,
    legend_key,
    log_axis,
    numbers,
    panels_titled,
    titled,
)

_WITH_LAWS = 4  # strategies along an axis that leave room for their laws


def complexity_curves(
    frame: pd.DataFrame,
    laws: pd.DataFrame | None = None,
    y: Sequence[str] = ("activations", "params"),
    x: str = "flops",
    title: str | None = None,
    by: str | None = None,
) -> go.Figure:
    """Draw metrics of networks under several strategies, with one panel per metric.

    Arguments:
        frame: rows of `sweep`, of one network, or of several if `by` tells them apart.
        laws: rows of `laws`, of the same networks and strategies, drawn dashed; default: None.
        y: columns of the metrics; default: activations, params.
        x: column of the x axis; default: flops.
        title: of the figure; default: None.
        by: column with one row of panels per value, as "network"; default: None, one row.
    """
    groups = dict(list(frame.groupby(by, sort=False))) if by else {"": frame}
    titles = [f"{name}: {METRICS[metric].label}" for name in groups for metric in y] if by else None
    gap = 0.36 / len(groups) if by else 0.0
    figure = make_subplots(len(groups), len(y), horizontal_spacing=0.11, vertical_spacing=gap, subplot_titles=titles)
    if laws is not None:
        figure.add_trace(legend_key("law", mode="lines", line=DASHED))
    seen: set[str] = set()
    for row, (group, counts) in enumerate(groups.items(), 1):
        lines = laws if laws is None or not by else laws[laws[by] == group]
        for column, metric in enumerate(y, 1):
            where: dict[str, Any] = {"row": row, "col": column}
            for name, rows in counts.groupby("strategy", sort=False):
                figure.add_trace(curve(rows, metric, x, showlegend=name not in seen), **where)
                seen.add(str(name))
                if lines is not None:
                    figure.add_trace(law(lines[lines["strategy"] == name], metric, x), **where)
            figure.update_xaxes(**log_axis(x), **where)
            figure.update_yaxes(**log_axis(metric), **where)
    figure.update_layout(**layout(title), height=420 if not by else 130 + 270 * len(groups))
    return panels_titled(figure, legend=1 + 0.12 / len(groups), size=13) if by else titled(figure)


def exponents(fits: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Draw fitted exponents less those of the laws, with one panel per metric.

    The strategies are along the x axis, with the networks side by side, each with a marker of its own. Markers of the
    first range of s are open, others filled.

    Arguments:
        fits: rows of `fit_exponents`, of one or several networks and ranges of s.
        title: of the figure; default: None.
    """
    strategies, metrics = (list(fits[name].unique()) for name in ("strategy", "metric"))
    ranges = list(dict.fromkeys(zip(fits["scale_from"], fits["scale_to"], strict=True)))
    titles = [METRICS[metric].label for metric in metrics]
    figure = make_subplots(1, len(metrics), subplot_titles=titles, shared_yaxes=True, horizontal_spacing=0.02)
    for number, (low, high) in enumerate(ranges):
        marker = {"color": INK, "symbol": "circle" if number else "circle-open", "size": 8}
        figure.add_trace(legend_key(f"s from {low:,.7g} to {high:,.7g}", mode="markers", marker=marker))
    networks = list(fits["network"].unique())
    for place, network in enumerate(networks):
        figure.add_trace(legend_key(network, mode="markers", marker=_marker(place, "")))
    for column, metric in enumerate(metrics, 1):
        rows = fits[fits["metric"] == metric]
        for place, network in enumerate(networks):
            trace = _departures(rows[rows["network"] == network], strategies, place, len(networks), ranges[0])
            figure.add_trace(trace, row=1, col=column)
        laws = dict(zip(rows["strategy"], rows["law"], strict=True))
        few = len(strategies) <= _WITH_LAWS
        texts = [f"{label(name)}<br>s<sup>{laws[name]}</sup>" if few else label(name) for name in strategies]
        ticks = {"tickvals": list(range(len(strategies))), "ticktext": texts, "range": [-0.5, len(strategies) - 0.5]}
        figure.update_xaxes(**ticks, showgrid=False, zeroline=False, row=1, col=column)
    figure.update_yaxes(zeroline=True, zerolinecolor=INK)
    figure.update_yaxes(title={"text": "exponent of s: fitted − law"}, col=1)
    figure.update_layout(**layout(title), height=400)
    return panels_titled(figure, size=13)


def _marker(place: int, end: str) -> dict[str, Any]:
    """Make the marker of a network by its place, of a strategy's colours and symbols."""
    looks = list(STYLES.values())
    colour, symbol = looks[(place + 1) % len(looks)]
    return {"color": colour, "symbol": f"{symbol}{end}", "size": 9, "line": {"color": colour, "width": 1.5}}


def _departures(
    rows: pd.DataFrame, strategies: list, place: int, count: int, first: tuple[float, float]
) -> dict[str, Any]:
    """Make a marker for each fit of one metric and network, at its place among `count`."""
    opened = ["-open" if each == first else "" for each in zip(rows["scale_from"], rows["scale_to"], strict=True)]
    shift = (place + 0.5) * 0.7 / count - 0.35
    look = _marker(place, "")
    return {
        "type": "scatter",
        "mode": "markers",
        "showlegend": False,
        "x": [strategies.index(row.strategy) + shift for row in rows_of(rows)],
        "y": numbers(rows["fitted"]) - numbers(rows["law"]),
        "text": [
            f"<b>{label(row.strategy)}</b>, {row.network}<br>s from {row.scale_from:,.7g} to {row.scale_to:,.7g}<br>"
            f"fitted {row.fitted:.3f}, law {row.law}<br>counts off the fit by up to {row.residual:.1%}"
            for row in rows_of(rows)
        ],
        "marker": {**look, "symbol": [look["symbol"] + end for end in opened]},
        "hovertemplate": "%{text}<extra></extra>",
    }
