"""Figure of the time of a network over all shares of depth, width and resolution."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .theme import INK, layout, numbers, panels_titled

_COLUMNS = 2
_AXIS = {"showgrid": False, "ticks": "outside", "tickformat": ".0%", "nticks": 4, "tickfont": {"size": 9}}
_TITLES = {"ms": "time relative to the fastest", "flops": "flops relative to the most"}


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
    kinds = [[{"type": "ternary"}] * columns for _ in range(rows)]
    figure = make_subplots(rows, columns, specs=kinds, subplot_titles=list(maps), vertical_spacing=0.13)
    for place, points in enumerate(maps.values()):
        where: dict[str, Any] = {"row": place // _COLUMNS + 1, "col": place % _COLUMNS + 1}
        known = points.dropna(subset=value)
        best = known[value].min() if value == "ms" else known[value].max()
        relative = known.assign(relative=known[value] / best)
        figure.add_trace(_points(relative[relative["rule"].isna()]), **where)
        rules = [rule for _, rule in relative.dropna(subset="rule").iterrows()]
        for rule, symbol in zip(rules, cycle(_SYMBOLS), strict=False):
            figure.add_trace(_rule(rule, symbol, place == 0), **where)
    figure.update_ternaries(
        **{"aaxis": _AXIS | {"title": "width"}, "baxis": _AXIS | {"title": "depth"}},
        **{"caxis": _AXIS | {"title": "resolution"}, "bgcolor": "#FFFFFF"},
    )
    bar = {"title": {"text": _TITLES[value], "side": "right"}, "thickness": 14}
    figure.update_layout(**layout(title), height=120 + 400 * rows)
    figure.update_layout(coloraxis={"colorscale": "Viridis", "reversescale": value == "ms", "colorbar": bar})
    return panels_titled(figure, legend=-0.04)


def _points(points: pd.DataFrame) -> go.Scatterternary:
    return go.Scatterternary(
        **{"a": numbers(points["w"]), "b": numbers(points["d"]), "c": numbers(points["r"])},
        mode="markers",
        showlegend=False,
        marker={"symbol": "hexagon", "size": 11, "color": numbers(points["relative"]), "coloraxis": "coloraxis"},
        customdata=numbers(points["relative"]),
        hovertemplate=f"depth %{{b:.0%}}, width %{{a:.0%}}, resolution %{{c:.0%}}<br>{_HOVER}",
    )


_HOVER = "%{customdata:.2f} times the best<extra></extra>"
_SYMBOLS = ("circle", "square", "diamond", "star", "cross", "x", "triangle-up", "triangle-down", "pentagon", "hexagram")


def _rule(point: pd.Series, symbol: str, in_legend: bool) -> go.Scatterternary:
    return go.Scatterternary(
        **{"a": [point["w"]], "b": [point["d"]], "c": [point["r"]]},
        mode="markers",
        name=point["rule"],
        legendgroup=point["rule"],
        showlegend=in_legend,
        marker={"symbol": symbol, "size": 11, "color": "#FFFFFF", "line": {"color": INK, "width": 1.5}},
        customdata=[point["relative"]],
        hovertemplate=f"%{{fullData.name}}<br>{_HOVER}",
    )
