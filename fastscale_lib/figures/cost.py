"""Figures of costs: ratios of two networks, and flops over costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from plotly.subplots import make_subplots

from .._common.frames import rows as rows_of
from ..analysis.claims import EVIDENCE, ClaimError, details_text
from .count_traces import curve
from .light_plotly import go
from .theme import DASHED, INK, METRICS, label, layout, log_axis, numbers, style, titled, whiskers

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
) -> go.Figure:
    """Draw the flops that strategies reach over what these cost, with one panel per cost.

    Arguments:
        frame: rows of `costs`, of one network; one curve per strategy.
        budgets: columns of costs; those without values are not drawn; default: predicted_ms, counted_memory_bytes,
            params, activations.
        chosen: rows of `within`, drawn as large markers; default: None.
        title: of the figure; default: None.
    """
    shown = [each for each in budgets if frame[each].notna().any()]
    columns = min(2, len(shown))
    figure = make_subplots(-(-len(shown) // columns), columns, horizontal_spacing=0.1, vertical_spacing=0.17)
    for place, budget in enumerate(shown):
        where: dict[str, Any] = {"row": place // columns + 1, "col": place % columns + 1}
        for name, rows in frame.groupby("strategy", sort=False):
            ordered = rows.dropna(subset=[budget]).sort_values("scale")
            figure.add_trace(curve(ordered, "flops", budget, name=label(str(name)), showlegend=place == 0), **where)
        for row in () if chosen is None else rows_of(chosen):
            figure.add_trace(_choice(row, budget), **where)
        figure.update_xaxes(**log_axis(budget), **where)
        figure.update_yaxes(**log_axis("flops"), **where)
        if METRICS[budget].steps == "D2" and frame[budget].max() > 30 * frame[budget].min():
            figure.update_xaxes(dtick=1, **where)
    figure.update_layout(**layout(title), height=60 + 290 * -(-len(shown) // columns))
    return titled(figure)


def _choice(row: Any, budget: str) -> dict[str, Any]:
    look = style(row.strategy)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{label(row.strategy)}, within the budget",
        "legendgroup": row.strategy,
        "showlegend": False,
        "x": [float(getattr(row, budget))],
        "y": [float(row.flops)],
        "marker": {"color": look.colour, "symbol": look.symbol, "size": 14, "line": {"color": INK, "width": 1.5}},
        "hovertemplate": f"<b>{label(row.strategy)}</b> within the budget<br>s = {row.scale:.3g}"
        f"<br>bound by {row.bound}<br>%{{y:.4s}} flops<extra></extra>",
    }
