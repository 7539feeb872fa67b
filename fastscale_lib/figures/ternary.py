"""Figure of the time of a network over all shares of depth, width and resolution."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

from .light_plotly import go
from .theme import INK, layout, numbers, panels_titled

_COLUMNS = 2
_HEIGHT = np.sqrt(3) / 2  # of a triangle whose sides are 1
_SYMBOLS = ("circle", "square", "diamond", "star", "cross", "x", "triangle-up", "triangle-down", "pentagon", "hexagon2")
_SAID = {"ms": "times the time of the fastest", "flops": "times the most flops"}
_HOVER = (
    "depth %{customdata[0]:.0%}, width %{customdata[1]:.0%}, resolution %{customdata[2]:.0%}<br>%{customdata[3]:.2f} "
)
_SHADES = 5  # named below the panels
_AXIS = {"visible": False, "showgrid": False, "zeroline": False}


def exponent_maps(maps: Mapping[str, pd.DataFrame], value: str = "ms", title: str | None = None) -> go.Figure:
    """Draw time over the shares of depth, width and resolution, with the rules marked.

    Each panel is a triangle: all width at the top, all depth at the left, all resolution at the right.

    Arguments:
        maps: of `fs.analysis.exponent_map`, by the title of the panel; their values are relative to the best of each.
        value: "ms" (at equal flops; default) or "flops" (in equal time).
        title: of the figure; default: None.
    """
    rows = -(-len(maps) // _COLUMNS)
    columns = min(_COLUMNS, max(1, len(maps)))
    figure = make_subplots(rows, columns, subplot_titles=list(maps), vertical_spacing=0.13)
    relative = {panel: _relative(points, value) for panel, points in maps.items()}
    worst = [shown["relative"].max() if value == "ms" else shown["relative"].min() for shown in relative.values()]
    end = max(worst, default=1.0) if value == "ms" else min(worst, default=1.0)
    for place, shown in enumerate(relative.values()):
        where: dict[str, Any] = {"row": place // _COLUMNS + 1, "col": place % _COLUMNS + 1}
        figure.add_trace(_points(shown[shown["rule"].isna()], end, value), **where)
        rules = [rule for _, rule in shown.dropna(subset="rule").iterrows()]
        for rule, symbol in zip(rules, cycle(_SYMBOLS), strict=False):
            figure.add_trace(_rule(rule, symbol, place == 0, value), **where)
        _name_corners(figure, **where)
    for shade in np.linspace(1, end, _SHADES if end != 1 else 1):
        name = f"{shade:.2f} {_SAID[value]}" if shade == 1 else f"{shade:.2f}"
        marker = {"symbol": "hexagon", "size": 11, "color": _colours([shade], end)[0]}
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=name, marker=marker), row=1, col=1)
    figure.update_xaxes(range=[-0.12, 1.12], **_AXIS)
    figure.update_yaxes(range=[-0.12, _HEIGHT + 0.1], **_AXIS)
    figure.update_layout(**layout(title), height=120 + 380 * rows)
    return panels_titled(figure, legend=-0.1)


def _relative(points: pd.DataFrame, value: str) -> pd.DataFrame:
    known = points.dropna(subset=value)
    best = known[value].min() if value == "ms" else known[value].max()
    return known.assign(relative=known[value] / best)


def _place(points: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Place shares in a triangle: depth at (0, 0), resolution at (1, 0), width above."""
    return numbers(points["r"]) + numbers(points["w"]) / 2, _HEIGHT * numbers(points["w"])


def _colours(values: Any, end: float) -> list[str]:
    """Return dark colours for what is far from the best, whose value is 1."""
    span = end - 1 or 1.0
    shares = np.clip((numbers(values) - 1) / span, 0, 1)
    return [str(colour) for colour in sample_colorscale("Viridis_r", list(shares))]


def _points(points: pd.DataFrame, end: float, value: str) -> go.Scatter:
    x, y = _place(points)
    return go.Scatter(
        **{"x": x, "y": y},
        mode="markers",
        showlegend=False,
        marker={"symbol": "hexagon", "size": 11, "color": _colours(points["relative"], end)},
        customdata=numbers(points[["d", "w", "r", "relative"]]),
        hovertemplate=f"{_HOVER}{_SAID[value]}<extra></extra>",
    )


def _rule(point: pd.Series, symbol: str, in_legend: bool, value: str) -> go.Scatter:
    x, y = _place(point.to_frame().T)
    return go.Scatter(
        **{"x": x, "y": y},
        mode="markers",
        name=point["rule"],
        legendgroup=point["rule"],
        showlegend=in_legend,
        marker={"symbol": symbol, "size": 11, "color": "#FFFFFF", "line": {"color": INK, "width": 1.5}},
        customdata=[[point["d"], point["w"], point["r"], point["relative"]]],
        hovertemplate=f"<b>%{{fullData.name}}</b><br>{_HOVER}{_SAID[value]}<extra></extra>",
    )


def _name_corners(figure: go.Figure, **where: Any) -> None:
    for x, y, text, anchor in (
        (0, 0, "all depth", "top"),
        (1, 0, "all resolution", "top"),
        (0.5, _HEIGHT, "all width", "bottom"),
    ):
        shift = -0.03 if anchor == "top" else 0.03
        figure.add_annotation(x=x, y=y + shift, text=text, showarrow=False, yanchor=anchor, **where)
