"""Figures of flops, params and activations over the scale factor, and of their exponents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .._common.frames import rows as rows_of
from ..scaling.strategies import strategy as named_strategy
from .theme import (
    DASHED,
    INK,
    METRICS,
    STYLES,
    Frame,
    hover,
    label,
    layout,
    legend_key,
    log_axis,
    numbers,
    panels_titled,
    stages_text,
    style,
    titled,
)

_WITH_LAWS = 4  # strategies along an axis that leave room for their laws


def curve(frame: Frame, y: str, x: str = "flops", **more: Any) -> dict[str, Any]:
    """Make the trace of a metric of one network under one strategy.

    Arguments:
        frame: rows of `sweep`, of one network and strategy.
        y: column of the metric.
        x: column of the x axis; default: flops.
        more: further attributes of the trace.
    """
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
        "hovertemplate": hover(more.get("name", label(name)), x, y),
        **more,
    }


def law(frame: pd.DataFrame, y: str, x: str = "flops", **more: Any) -> dict[str, Any]:
    """Make the dashed line of a strategy's law.

    Arguments:
        frame: rows of `laws`, of one network and strategy.
        y: column of the metric.
        x: column of the x axis; default: flops.
        more: further attributes of the trace.
    """
    name = frame["strategy"].iloc[0]
    ends = frame.sort_values("scale").iloc[[0, -1]]
    growth = law_text(name, y, numbers(ends["scale"]), numbers(ends[y]))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{label(name)}: law",
        "legendgroup": name,
        "showlegend": False,
        "x": ends[x].to_numpy(dtype=float),
        "y": ends[y].to_numpy(dtype=float),
        "line": {"color": style(name).colour, "width": 1, "dash": "dash"},
        "hovertemplate": f"{label(name)}: {growth}<extra></extra>",
        **more,
    }


def law_text(name: str, y: str, scales: np.ndarray, values: np.ndarray) -> str:
    """Say how a law grows: by the paper's exponent of s, or another on average.

    Laws of vision transformers and of families of modules are not those of the paper's ConvNets.
    """
    exponent = getattr(named_strategy(name).laws, y)
    if len(values) > 1 and scales[0] != scales[-1]:
        growth = float(np.log(values[-1] / values[0]) / np.log(scales[-1] / scales[0]))
        if abs(growth - exponent) > 1e-6:
            return f"{METRICS[y].label} ∝ s<sup>{growth:.2f}</sup> on average"
    return f"{METRICS[y].label} ∝ s<sup>{exponent}</sup>"


def marks(frame: Frame, y: str, x: str = "flops", **more: Any) -> dict[str, Any]:
    """Make a large marker for each row of a sweep, in the style of its strategy.

    Arguments:
        frame: rows of `sweep`, of one network.
        y: column of the metric.
        x: column of the x axis; default: flops.
        more: further attributes of the trace.
    """
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
        "hovertemplate": hover("", x, y),
        **more,
    }


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
