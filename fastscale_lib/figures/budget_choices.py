"""Figure of the networks that a budget of time chooses among."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .light_plotly import go
from .theme import DASHED, INK, layout, log_axis, numbers, titled, whiskers

_LOOKS = {
    "yes": ("fits", "#0072B2", "circle"),
    "likely": ("likely fits", "#E69F00", "diamond"),
    "perhaps": ("perhaps fits", "#D55E00", "diamond-open"),
    "no": ("does not fit", "#999999", "circle-open"),
}


def choices(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Draw published accuracy over predicted time, and the front that none beats in both.

    Arguments:
        frame: rows of `fs.which`; with rows=None all networks are drawn. Those without a published accuracy are not.
        title: of the figure; default: the budget and the setting.
    """
    known = frame[frame["top1_accuracy_pct"].notna()].sort_values("predicted_ms")
    front = known[known["top1_accuracy_pct"] > known["top1_accuracy_pct"].cummax().shift(fill_value=-np.inf)]
    figure = go.Figure()
    figure.add_scatter(
        x=numbers(front["predicted_ms"]),
        y=numbers(front["top1_accuracy_pct"]),
        mode="lines",
        name="most accurate in the time",
        line={"color": INK, "width": 1, "shape": "hv"},
        hoverinfo="skip",
    )
    for fits, (name, colour, symbol) in _LOOKS.items():
        rows = known[known["fits"] == fits]
        if len(rows):
            figure.add_scatter(
                x=numbers(rows["predicted_ms"]),
                y=numbers(rows["top1_accuracy_pct"]),
                mode="markers",
                name=name,
                text=[f"{row.network} at {row.resolution}" for row in rows.itertuples()],
                marker={"color": colour, "symbol": symbol, "size": 8},
                error_x=whiskers(rows["predicted_ms"], rows["low_90_ms"], rows["high_90_ms"], colour),
                hovertemplate="<b>%{text}</b><br>%{x:.3g} ms<br>top-1 %{y:.2f} %<extra></extra>",
            )
    if "ms" in frame.attrs:
        figure.add_vline(x=frame.attrs["ms"], line=DASHED)
        title = title or f"Within {frame.attrs['asked']}, batch {frame.attrs['batch']}, {frame.attrs['setting']}"
    figure.update_xaxes(**log_axis("predicted_ms"))
    figure.update_yaxes(title={"text": "top-1 accuracy, %"}, automargin=True)
    figure.update_layout(**layout(title), height=420, showlegend=True)
    return titled(figure)
