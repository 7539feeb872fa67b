"""Figure of flops by kind of layer."""

from __future__ import annotations

import pandas as pd

from .light_plotly import go
from .theme import INK, STYLES, axis_title, layout, numbers, titled

_COLOURS = {
    "conv 1×1": STYLES["dw"].colour,
    "conv k×k": STYLES["dwr"].colour,
    "conv in groups": STYLES["d"].colour,
    "conv depthwise": STYLES["dWr"].colour,
    "linear": "#BBBBBB",
}
_PATTERNS = dict(zip(_COLOURS, ("", "/", "x", ".", "-"), strict=True))  # tell the kinds apart without colour


def flop_shares(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Draw the shares of flops (multiply-adds) by kind of layer, one bar per network.

    Arguments:
        frame: flops, one row per network, named by the index, and one column per kind of `flops_by_kind`; NaN for 0.
        title: of the figure; default: None.
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
    figure.update_xaxes(title=axis_title("share of flops (multiply-adds)"), tickformat=".0%", range=[0, 1])
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_layout(**layout(title), height=150 + 30 * len(shares), barmode="stack")
    figure.update_layout(legend={"traceorder": "normal"})
    return titled(figure)
