"""Where a network's flops go: bars of their shares by kind of layer."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from .theme import INK, STYLES, layout, numbers, titled

_COLOURS = {
    "conv 1×1": STYLES["dw"].colour,
    "conv k×k": STYLES["dwr"].colour,
    "conv in groups": STYLES["d"].colour,
    "conv depthwise": STYLES["dWr"].colour,
    "linear": "#BBBBBB",
}
_PATTERNS = dict(zip(_COLOURS, ("", "/", "x", ".", "-"), strict=True))  # tell them apart without the colour


def flop_shares(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Shares of flops (multiply-adds) by kind of layer: a bar for each row, from top to bottom.

    Arguments:
        frame: one row a network, named by the index; one column a kind of `flops_by_kind`, with flops; missing is none.
    """
    totals = frame.sum(axis=1)
    shares = frame.div(totals, axis=0).fillna(0)
    figure = go.Figure()
    for kind in [each for each in _COLOURS if each in shares]:
        figure.add_bar(
            orientation="h",
            name=kind,
            x=numbers(shares[kind]),
            y=list(shares.index),
            marker={
                "color": _COLOURS[kind],
                "pattern": {"shape": _PATTERNS[kind], "fgcolor": "#FFFFFF", "fgopacity": 0.6, "size": 6},
                "line": {"color": INK, "width": 0.5},
            },
            text=[f"{share:.0%}" if share >= 0.05 else "" for share in shares[kind]],
            textposition="inside",
            textfont={"color": INK},
            insidetextanchor="middle",
            customdata=numbers(totals),
            hovertemplate=f"%{{y}}<br>{kind}: %{{x:.1%}} of %{{customdata:.4s}} multiply-adds<extra></extra>",
        )
    figure.update_xaxes(title={"text": "share of flops (multiply-adds)", "standoff": 6}, tickformat=".0%", range=[0, 1])
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_layout(**layout(title), height=150 + 30 * len(shares), barmode="stack")
    figure.update_layout(legend={"traceorder": "normal"})
    return titled(figure)
