"""How near measured rows came to their device's ceilings, as a figure."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .correlation import GROUP, case
from .figures import INK, METRICS, Style, _titled, label, layout, numbers, style


def roofline_shares(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """A panel for each source, device, mode and precision, a line for each family, a marker for each row.

    Arguments:
        frame: rows with source, device_name, mode, precision, family, network, roofline_share, and strategy, which
            may be missing.
    """
    frame = frame[frame["roofline_share"].notna()]
    groups = {case(key): rows for key, rows in frame.groupby(list(GROUP), sort=False, dropna=False)}
    families = list(dict.fromkeys(frame["family"]))
    figure = make_subplots(
        1, max(len(groups), 1), subplot_titles=list(groups), shared_yaxes=True, horizontal_spacing=0.03
    )
    seen: set[str] = set()
    for column, rows in enumerate(groups.values(), 1):
        for strategy, some in rows.groupby(rows["strategy"].fillna("not scaled"), sort=False):
            figure.add_trace({**_marks(some, strategy), "showlegend": strategy not in seen}, row=1, col=column)
            seen.add(strategy)
        figure.add_vline(x=1, line={"color": INK, "width": 1, "dash": "dash"}, row=1, col=column)
        figure.update_xaxes(title={"text": METRICS["roofline_share"].title, "standoff": 6}, row=1, col=column)
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(categoryorder="array", categoryarray=families[::-1], automargin=True)
    figure.update_layout(**layout(title), height=170 + 34 * max(len(families), 1))
    figure.update_annotations(font_size=12)
    figure.update_layout(legend={"y": 1 + 30 / (34 * max(len(families), 1) + 20)})  # above the panels' titles
    return _titled(figure, 105)


def _marks(rows: pd.DataFrame, strategy: str) -> dict[str, Any]:
    look = style(strategy) if strategy != "not scaled" else Style(INK, "circle-open")
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label(strategy),
        "legendgroup": strategy,
        "x": numbers(rows["roofline_share"]),
        "y": list(rows["family"]),
        "text": list(rows["network"]),
        "marker": {"color": look.colour, "symbol": look.symbol, "size": 8, "opacity": 0.85},
        "hovertemplate": "<b>%{text}</b><br>%{x:.2f} of what the ceilings allow<extra></extra>",
    }
