"""Figures of errors: over what networks cost, and of one base network scaled in several ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .theme import METRICS, STYLES, Style, label, layout, log_axis, numbers, style, titled

# Each has its place in the palette that all figures share.
_FAMILIES = ("ResNet", "RegNetY", "ViT_P", "RegNetX", "ResNeXt", "ViT_C", "EfficientNet", "RegNetZ")
_ERROR = {"title": {"text": METRICS["top1_error_pct"].title, "standoff": 6}, "automargin": False}


def errors(
    frame: pd.DataFrame, x: Sequence[str] = ("flops", "training_ms_per_image"), title: str | None = None
) -> go.Figure:
    """Top-1 error over cost: a panel for each kind of cost, a line for each family from small to large.

    Lines of families that were scaled are solid, with the strategy in the legend; of designed networks dotted.

    Arguments:
        frame: rows of `published_errors`, of one source and one number of epochs.
        x: columns of cost; those that no row has get no panel.
    """
    shown = [name for name in x if frame[name].notna().any()]
    figure = make_subplots(1, max(len(shown), 1), shared_yaxes=True, horizontal_spacing=0.03)
    looks = _looks(list(frame["family"].unique()))
    for column, cost in enumerate(shown, 1):
        for (name, strategy), rows in frame.groupby(["family", "strategy"], sort=False, dropna=False):
            trace = _family(rows.sort_values(cost), cost, name, strategy, looks[name])
            figure.add_trace({**trace, "showlegend": column == 1}, row=1, col=column)
        figure.update_xaxes(**log_axis(cost), row=1, col=column)
    figure.update_yaxes(**_ERROR, col=1)
    figure.update_layout(**layout(title), height=430)
    return titled(figure)


def scaled_errors(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """One panel for each base network: its error and those of its scaled versions over flops, by strategy.

    Arguments:
        frame: rows of `published_errors` that name their base.
    """
    bases = list(frame["base"].dropna().unique())
    figure = make_subplots(1, max(len(bases), 1), subplot_titles=bases, horizontal_spacing=0.06)
    seen: set[str] = set()
    for column, base in enumerate(bases, 1):
        rows = frame[frame["base"] == base]
        start = rows[rows["strategy"].isna()].iloc[:1]
        for strategy, scaled in rows.dropna(subset="strategy").groupby("strategy", sort=False):
            trace = _scaled(pd.concat([start, scaled]), strategy)
            figure.add_trace({**trace, "showlegend": strategy not in seen}, row=1, col=column)
            seen.add(strategy)
        figure.update_xaxes(**log_axis("flops"), row=1, col=column)
    figure.update_yaxes(**_ERROR, col=1)
    figure.update_layout(**layout(title), height=400)
    figure.update_annotations(font_size=12)
    figure.update_layout(legend={"y": 1.1})  # above the panels' titles
    return titled(figure, 105)


def seed_panels(
    frame: pd.DataFrame,
    x: Sequence[str] = ("flops", "activations", "training_ms_per_image"),
    title: str | None = None,
) -> go.Figure:
    """Mean errors over seeds of one base network and its scaled versions, with their intervals, over cost.

    A panel for each kind of cost, a line for each strategy that begins at the base.

    Arguments:
        frame: rows of `seed_errors`, of one base and setting.
        x: columns of cost; those that no row has get no panel.
    """
    shown = [name for name in x if name in frame and frame[name].notna().any()]
    figure = make_subplots(1, max(len(shown), 1), shared_yaxes=True, horizontal_spacing=0.03)
    start = frame[frame["strategy"].isna()]
    for column, cost in enumerate(shown, 1):
        for strategy, scaled in frame.dropna(subset="strategy").groupby("strategy", sort=False):
            rows = pd.concat([start, scaled]).dropna(subset=cost).sort_values(cost)
            figure.add_trace({**_seeds(rows, cost, strategy), "showlegend": column == 1}, row=1, col=column)
        figure.update_xaxes(**log_axis(cost), row=1, col=column)
    figure.update_yaxes(**_ERROR, col=1)
    figure.update_layout(**layout(title), height=430)
    return titled(figure)


def _seeds(rows: pd.DataFrame, cost: str, strategy: str) -> dict[str, Any]:
    trace = {**_scaled(rows.rename(columns={"error": "top1_error_pct"}), strategy, cost)}
    sides = {"array": rows["high"] - rows["error"], "arrayminus": rows["error"] - rows["low"]}
    if rows["low"].notna().any():
        look = {"color": style(strategy).colour, "thickness": 1, "width": 3}
        trace["error_y"] = {**{name: numbers(side) for name, side in sides.items()}, **look}
    return trace


def _looks(families: list[str]) -> dict[str, Style]:
    """Colours and markers of families: the same in every figure for those that are well known."""
    known = [*_FAMILIES, *(name for name in families if name not in _FAMILIES)]
    palette = list(STYLES.values())
    return {name: palette[known.index(name) % len(palette)] for name in families}


def _family(rows: pd.DataFrame, cost: str, name: str, strategy: Any, look: Style) -> dict[str, Any]:
    designed = pd.isna(strategy)
    shown = name if designed else f"{name} ({label(strategy)})"
    return {
        **_trace(rows, cost, shown, look),
        "line": {"color": look.colour, "width": 2, "dash": "dot" if designed else "solid"},
    }


def _scaled(rows: pd.DataFrame, strategy: str, cost: str = "flops") -> dict[str, Any]:
    look = style(strategy)
    return {**_trace(rows, cost, label(strategy), look), "line": {"color": look.colour, "width": 2}}


def _trace(rows: pd.DataFrame, cost: str, name: str, look: Style) -> dict[str, Any]:
    shown = METRICS[cost]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "legendgroup": name,
        "x": numbers(rows[cost].astype("Float64").astype(float)),
        "y": numbers(rows["top1_error_pct"]),
        "text": list(rows["network"]),
        "marker": {"color": look.colour, "symbol": look.symbol, "size": 8},
        "hovertemplate": f"<b>%{{text}}</b><br>{shown.label} %{{x:.4s}} {shown.unit}<br>error %{{y:.1f}} %"
        "<extra></extra>",
    }
