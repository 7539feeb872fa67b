"""Figures of scaled networks relative to the designed ones of the same flops."""

from __future__ import annotations

from typing import Any

import pandas as pd
from plotly.subplots import make_subplots

from .light_plotly import go
from .theme import DASHED, axis_title, label, layout, log_axis, numbers, panels_titled, style


def relative_to_designed(frame: pd.DataFrame, what: str, title: str | None = None) -> go.Figure:
    """Draw ratios to the designed network over flops, with one panel per base.

    Arguments:
        frame: of `fs.analysis.ratios_to_designed`, of one case.
        what: what the ratio is of, in words: "activations".
        title: of the figure; default: None.
    """
    bases = list(dict.fromkeys(frame["network"]))
    columns = min(2, max(len(bases), 1))
    rows = max(-(-len(bases) // columns), 1)
    spacing: dict[str, Any] = {"horizontal_spacing": 0.06, "vertical_spacing": 0.22 / rows, "shared_yaxes": "all"}
    figure = make_subplots(rows, columns, subplot_titles=bases, **spacing)
    for place, base in enumerate(bases):
        where: dict[str, Any] = {"row": place // columns + 1, "col": place % columns + 1}
        for name, own in frame[frame["network"] == base].groupby("strategy", sort=False):
            look, ordered = style(str(name)), own.sort_values("flops")
            figure.add_scatter(
                **{"x": numbers(ordered["flops"]), "y": numbers(ordered["ratio"]), "mode": "lines+markers"},
                **{"name": label(str(name)), "legendgroup": str(name), "showlegend": place == 0},
                line={"color": look.colour, "width": 2},
                marker={"color": look.colour, "symbol": look.symbol, "size": 8},
                text=list(ordered["regime"]),
                hovertemplate=f"<b>{label(str(name))}</b>, at the flops of %{{text}}<br>%{{y:.2f}}<extra></extra>",
                **where,
            )
        figure.add_hline(1, line=DASHED, **where)
        figure.update_xaxes(**log_axis("flops"), **where)
    figure.update_yaxes(title=axis_title(f"{what}, relative to designed"), col=1)
    figure.update_layout(**layout(title), height=120 + 260 * rows)
    return panels_titled(figure, size=13)
