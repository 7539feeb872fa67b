"""The paper's Figure 1: accuracy, activations and time of strategies at equal flops."""

from __future__ import annotations

from typing import Any

import pandas as pd
from plotly.subplots import make_subplots

from .light_plotly import go
from .theme import axis_title, label, layout, numbers, panels_titled, style, symbols_of, whiskers

_TITLES = ("accuracy on ImageNet, published", "activations, counted", "time, measured", "time, predicted")


def figure_one(
    accuracy: pd.DataFrame, activations: pd.DataFrame, times: pd.DataFrame, title: str | None = None
) -> go.Figure:
    """Draw accuracy, activations over flops, and time of strategies at equal flops.

    Open markers are measured times that decide nothing.

    Arguments:
        accuracy: of `fs.analysis.published_accuracy`.
        activations: of `fs.analysis.activations_beside_width`.
        times: of `fs.analysis.on_every_device`.
        title: of the figure; default: None.
    """
    figure = make_subplots(2, 2, subplot_titles=_TITLES, vertical_spacing=0.2, horizontal_spacing=0.2)
    named: set[str] = set()
    for place, frame, column in (
        ((1, 1), accuracy.rename(columns={"case": "device"}), "top1_accuracy_pct"),
        ((2, 2), times[times["evidence"] == "predicted"], "ratio"),
        ((2, 1), times[times["evidence"] == "measured"], "ratio"),  # last, as the first marker stands in the legend
    ):
        for strategy, rows in frame.groupby("strategy", sort=False):
            figure.add_trace(_dots(str(strategy), rows, column, named), *place)
    for strategy, rows in activations.groupby("strategy", sort=False):
        figure.add_trace(_curve(str(strategy), rows, named), 1, 2)
    relative = axis_title("relative to w at the same flops")
    figure.update_xaxes(title=axis_title("top-1 accuracy (%)"), row=1, col=1)
    figure.update_xaxes(title=axis_title("flops, times the base"), type="log", dtick="D2", row=1, col=2)
    figure.update_yaxes(title=relative, row=1, col=2)
    figure.update_xaxes(title=relative, row=2)
    for row, column in ((1, 1), (2, 1), (2, 2)):
        figure.update_yaxes(autorange="reversed", row=row, col=column)
    longest = max(times.groupby("evidence")["device"].nunique(), default=1)
    figure.update_layout(**layout(title), height=380 + 40 * max(longest, 6))
    return panels_titled(figure, size=13)


def _dots(strategy: str, rows: pd.DataFrame, column: str, named: set[str]) -> dict[str, Any]:
    look = style(strategy)
    values = numbers(rows[column])
    ends = whiskers(values, rows["low"], rows["high"], look.colour) if "low" in rows else None
    return {
        "type": "scatter",
        **{"x": values, "y": list(rows["device"])},
        "mode": "markers",
        "marker": {"color": look.colour, "symbol": symbols_of(rows, look.symbol), "size": 10},
        **({"error_x": ends} if ends else {}),
        **_named(strategy, named),
        "hovertemplate": f"<b>{label(strategy)}</b>, %{{y}}<br>%{{x:.3~g}}<extra></extra>",
    }


def _curve(strategy: str, rows: pd.DataFrame, named: set[str]) -> dict[str, Any]:
    return {
        "type": "scatter",
        **{"x": numbers(rows["times"]), "y": numbers(rows["relative"])},
        "mode": "lines",
        "line": {"color": style(strategy).colour, "width": 2},
        **_named(strategy, named),
        "hovertemplate": f"<b>{label(strategy)}</b> at %{{x:.3~g}} times the flops<br>"
        "%{y:.2f} times the activations of w<extra></extra>",
    }


def _named(strategy: str, named: set[str]) -> dict[str, Any]:
    """Name a strategy in the legend once."""
    new = strategy not in named
    named.add(strategy)
    return {"name": label(strategy), "legendgroup": strategy, "showlegend": new}
