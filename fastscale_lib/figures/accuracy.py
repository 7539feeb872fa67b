"""Figures of top-1 errors over costs: of families, of scaled networks, and over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from plotly.subplots import make_subplots

from .light_plotly import go
from .theme import (
    METRICS,
    STYLES,
    Style,
    axis_title,
    label,
    layout,
    log_axis,
    numbers,
    panels_titled,
    style,
    titled,
    whiskers,
)

# In the order of the palette, so that a family has one colour in all figures.
_FAMILIES = ("ResNet", "RegNetY", "ViT_P", "RegNetX", "ResNeXt", "ViT_C", "EfficientNet", "RegNetZ")
_ERROR: dict[str, Any] = {"title": axis_title(METRICS["top1_error_pct"].title), "automargin": False}


def errors(
    frame: pd.DataFrame, x: Sequence[str] = ("flops", "training_ms_per_image"), title: str | None = None
) -> go.Figure:
    """Draw top-1 errors over costs, with one panel per cost and one line per family.

    Lines of scaled families are solid, and the legend names the strategy; those of designed families are dotted.

    Arguments:
        frame: rows of `published_errors`, of one source and one number of epochs.
        x: columns of costs; those without values are not drawn; default: flops, training_ms_per_image.
        title: of the figure; default: None.
    """
    shown, figure = _cost_panels(frame, x)
    looks = _looks(list(frame["family"].unique()))
    for column, cost in enumerate(shown, 1):
        for _, rows in frame.groupby(["family", "strategy"], sort=False, dropna=False):
            trace = _family(rows.sort_values(cost), cost, looks)
            figure.add_trace({**trace, "showlegend": column == 1}, row=1, col=column)
    figure.update_layout(**layout(title))
    return titled(figure)


def scaled_errors(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Draw errors of scaled networks over flops, with one panel per base network.

    Arguments:
        frame: rows of `published_errors` that name their base; one line per base and strategy.
        title: of the figure; default: None.
    """
    bases = list(frame["base"].dropna().unique())
    figure = make_subplots(1, max(len(bases), 1), subplot_titles=bases, horizontal_spacing=0.06)
    seen: set[str] = set()
    for column, base in enumerate(bases, 1):
        rows = frame[frame["base"] == base]
        start = rows[rows["strategy"].isna()].iloc[:1]
        for strategy, scaled in rows.dropna(subset="strategy").groupby("strategy", sort=False):
            trace = _scaled(pd.concat([start, scaled]), str(strategy))
            figure.add_trace({**trace, "showlegend": strategy not in seen}, row=1, col=column)
            seen.add(str(strategy))
        figure.update_xaxes(**log_axis("flops"), row=1, col=column)
    figure.update_yaxes(**_ERROR, col=1)
    figure.update_layout(**layout(title), height=400)
    return panels_titled(figure)


def seed_panels(
    frame: pd.DataFrame, x: Sequence[str] = ("flops", "activations", "training_ms_per_image"), title: str | None = None
) -> go.Figure:
    """Draw mean errors over seeds and their intervals, with one panel per cost.

    Arguments:
        frame: rows of `seed_errors`, of one base and setting; one line per strategy, which starts at the base.
        x: columns of costs; those without values are not drawn; default: flops, activations, training_ms_per_image.
        title: of the figure; default: None.
    """
    shown, figure = _cost_panels(frame, x)
    start = frame[frame["strategy"].isna()]
    for column, cost in enumerate(shown, 1):
        for strategy, scaled in frame.dropna(subset="strategy").groupby("strategy", sort=False):
            rows = pd.concat([start, scaled]).dropna(subset=cost).sort_values(cost)
            figure.add_trace({**_seeds(rows, cost, str(strategy)), "showlegend": column == 1}, row=1, col=column)
    figure.update_layout(**layout(title))
    return titled(figure)


def _cost_panels(frame: pd.DataFrame, x: Sequence[str]) -> tuple[list[str], go.Figure]:
    """Make a panel for each cost that has values."""
    shown = [name for name in x if name in frame and frame[name].notna().any()]
    figure = make_subplots(1, max(len(shown), 1), shared_yaxes=True, horizontal_spacing=0.03)
    for column, cost in enumerate(shown, 1):
        figure.update_xaxes(**log_axis(cost), row=1, col=column)
    figure.update_yaxes(**_ERROR, col=1)
    figure.update_layout(height=430)
    return shown, figure


def _seeds(rows: pd.DataFrame, cost: str, strategy: str) -> dict[str, Any]:
    trace = _scaled(rows.rename(columns={"error": "top1_error_pct"}), strategy, cost)
    if rows["low"].notna().any():
        trace["error_y"] = whiskers(rows["error"], rows["low"], rows["high"], style(strategy).colour)
    return trace


def _looks(families: list[str]) -> dict[str, Style]:
    """Assign styles to families: well-known ones have the same in every figure."""
    known = [*_FAMILIES, *(name for name in families if name not in _FAMILIES)]
    palette = list(STYLES.values())
    return {name: palette[known.index(name) % len(palette)] for name in families}


def _family(rows: pd.DataFrame, cost: str, looks: dict[str, Style]) -> dict[str, Any]:
    name, strategy = rows["family"].iloc[0], rows["strategy"].iloc[0]
    designed = pd.isna(strategy)
    look, shown = looks[name], name if designed else f"{name} ({label(strategy)})"
    line = {"color": look.colour, "width": 2, "dash": "dot" if designed else "solid"}
    return {**_trace(rows, cost, shown, look), "line": line}


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
