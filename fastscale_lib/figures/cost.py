"""Figures of costs: ratios of two networks, and flops over costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from plotly.subplots import make_subplots

from .._common.frames import rows as rows_of
from ..analysis.claims import EVIDENCE, ClaimError, details_text
from .count_traces import curve
from .light_plotly import go
from .theme import DASHED, INK, METRICS, axis_title, label, layout, log_axis, numbers, style, titled, whiskers

_MARKERS = {
    "counted": ("#0072B2", "circle"),
    "measured": ("#D55E00", "square"),
    "predicted": ("#CC79A7", "triangle-up"),
    "published": ("#009E73", "diamond"),
    "trained": ("#E69F00", "pentagon"),
}


def ratios(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Draw ratios of the costs of two networks on a logarithmic axis, one row per cost.

    Arguments:
        frame: columns cost (in words), evidence (one of `EVIDENCE`) and ratio; optional: details (of the evidence),
            low and high (ends of the interval; NaN: none), doubt (why the ratio cannot decide, drawn with an open
            marker; None or NaN: it can).
        title: of the figure; default: None.

    Raises:
        ClaimError: (a ValueError) a kind of evidence is unknown.
    """
    frame = frame.reindex(columns=list(dict.fromkeys([*frame.columns, "details", "low", "high", "doubt"])))
    for unknown in set(frame["evidence"]) - set(EVIDENCE):
        raise ClaimError(f"evidence {unknown!r:.60} of a ratio: give one of {', '.join(EVIDENCE)}")
    figure = go.Figure()
    for kind in EVIDENCE:
        colour, symbol = _MARKERS[kind]
        rows = frame[frame["evidence"] == kind]
        doubtful = rows["doubt"].notna()
        if len(rows):
            figure.add_scatter(
                x=numbers(rows["ratio"]),
                y=list(rows["cost"]),
                mode="markers",
                name=kind,
                marker={"color": colour, "symbol": [symbol + "-open" * each for each in doubtful], "size": 11},
                error_x=whiskers(rows["ratio"], rows["low"], rows["high"], colour),
                customdata=[[details_text(*each)] for each in zip(rows["details"], rows["doubt"], strict=True)],
                hovertemplate="<b>%{y}</b><br>× %{x:.3g}<br>%{fullData.name}: %{customdata[0]}<extra></extra>",
            )
    figure.add_vline(x=1, line=DASHED)
    order = list(dict.fromkeys(frame["cost"]))
    ticks = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10)
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=list(map(str, ticks)), title={"text": "ratio"})
    figure.update_yaxes(categoryorder="array", categoryarray=order[::-1], automargin=True)
    figure.update_layout(**layout(title), height=140 + 26 * len(order), showlegend=True)
    return titled(figure)


def bought(
    frame: pd.DataFrame,
    budgets: Sequence[str] = ("predicted_ms", "counted_memory_bytes", "params", "activations"),
    chosen: pd.DataFrame | None = None,
    title: str | None = None,
    beside: str | None = None,
) -> go.Figure:
    """Draw the flops that strategies reach over what these cost, with one panel per cost.

    Curves that lie close to each other are told apart by their ratio to one of them, `beside`: its flops at the same
    cost are interpolated, both as logarithms, and not beyond its networks.

    Arguments:
        frame: rows of `costs`, of one network; one curve per strategy.
        budgets: columns of costs; those without values are not drawn; default: predicted_ms, counted_memory_bytes,
            params, activations.
        chosen: rows of `within`, drawn as large markers; default: None.
        title: of the figure; default: None.
        beside: strategy of the frame that the flops are relative to; default: None, the flops themselves.
    """
    other = frame[frame["strategy"] == beside]
    shown = [each for each in budgets if frame[each].notna().any()]
    columns = min(2, len(shown))
    figure = make_subplots(-(-len(shown) // columns), columns, horizontal_spacing=0.1, vertical_spacing=0.17)
    for place, budget in enumerate(shown):
        where: dict[str, Any] = {"row": place // columns + 1, "col": place % columns + 1}
        for name, rows in frame.groupby("strategy", sort=False):
            ordered = rows.dropna(subset=[budget]).sort_values("scale")
            more: dict[str, Any] = {"name": label(str(name)), "showlegend": place == 0}
            if beside is not None:
                networks = int((ordered[budget] <= other[budget].max()).sum())
                ordered = _relative(_up_to(ordered, budget, other[budget].max()), other, budget)
                told = f"%{{y:.3g}} times the flops of {label(beside)}"
                more["hovertemplate"] = f"<b>{more['name']}</b><br>{told}<extra></extra>"
            drawn = curve(ordered, "flops", budget, **more)
            if beside is not None:  # no network stands at the end of a curve that is cut
                drawn["marker"]["size"] = [7] * networks + [0] * (len(ordered) - networks)
            figure.add_trace(drawn, **where)
        if chosen is not None:
            drawn = chosen if beside is None else _relative(chosen, other, budget)
            for row, height in zip(rows_of(chosen), drawn["flops"], strict=True):
                figure.add_trace(_choice(row, budget, height), **where)
        figure.update_xaxes(**log_axis(budget), **where)
        axis = log_axis("flops") if beside is None else {"title": axis_title(f"flops relative to {label(beside)}")}
        figure.update_yaxes(**axis, **where)
        if METRICS[budget].steps == "D2" and frame[budget].max() > 30 * frame[budget].min():
            figure.update_xaxes(dtick=1, **where)
    figure.update_layout(**layout(title), height=60 + 290 * -(-len(shown) // columns))
    return titled(figure)


def _up_to(rows: pd.DataFrame, cost: str, most: float) -> pd.DataFrame:
    """Cut a curve where it costs the most, interpolated as logarithms."""
    within = rows[rows[cost] <= most]
    if len(within) in (0, len(rows)):
        return within
    costs, flops = (np.log(rows[name].astype(float)) for name in (cost, "flops"))
    end = rows.iloc[[len(within)]].assign(**{cost: float(most), "flops": np.exp(np.interp(np.log(most), costs, flops))})
    return pd.concat([within.astype({cost: float, "flops": float}), end])


def _relative(rows: pd.DataFrame, other: pd.DataFrame, cost: str) -> pd.DataFrame:
    """Divide flops by those of another strategy at the same cost; NaN beyond its networks."""
    known = other.dropna(subset=[cost]).sort_values(cost)
    own, its, flops = (np.log(each.astype(float)) for each in (rows[cost], known[cost], known["flops"]))
    return rows.assign(flops=rows["flops"].astype(float) / np.exp(np.interp(own, its, flops, np.nan, np.nan)))


def _choice(row: Any, budget: str, height: float) -> dict[str, Any]:
    look = style(row.strategy)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{label(row.strategy)}, within the budget",
        "legendgroup": row.strategy,
        "showlegend": False,
        "x": [float(getattr(row, budget))],
        "y": [float(height)],
        "customdata": [float(row.flops)],
        "marker": {"color": look.colour, "symbol": look.symbol, "size": 14, "line": {"color": INK, "width": 1.5}},
        "hovertemplate": f"<b>{label(row.strategy)}</b> within the budget<br>s = {row.scale:.3g}"
        f"<br>bound by {row.bound}<br>%{{customdata:.4s}} flops<extra></extra>",
    }
