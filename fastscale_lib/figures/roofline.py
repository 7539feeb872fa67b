"""How near measured rows came to their device's ceilings, as a figure."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..records.conditions import Conditions
from .theme import INK, METRICS, Style, label, layout, numbers, style, titled

_COLUMNS = 2
_LONGEST = 60  # of a panel's title, on one line


def roofline_shares(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """A panel for each source, device, mode and precision, a line for each family, a marker for each row.

    Arguments:
        frame: rows with source, device_name, mode, precision, family, network, roofline_share, and strategy, which
            may be missing.
    """
    frame = frame[frame["roofline_share"].notna()]
    groups = {key.title(): rows for key, rows in Conditions.groups(frame, Conditions.CORRELATE)}
    families = list(dict.fromkeys(frame["family"]))
    columns = min(max(len(groups), 1), _COLUMNS)
    lines = max(-(-len(groups) // columns), 1)
    tall = 34 * max(len(families), 1) + 20  # a panel
    titles = [text if len(text) <= _LONGEST else text.replace(" · ", "<br>", 1) for text in groups]  # of two lines
    inside = lines * tall + 100 * (lines - 1)
    spacing = {"horizontal_spacing": 0.03, "vertical_spacing": 100 / inside if lines > 1 else 0}
    figure = make_subplots(lines, columns, subplot_titles=titles, shared_yaxes=True, **spacing)
    seen: set[str] = set()
    for place, rows in enumerate(groups.values()):
        where = {"row": place // columns + 1, "col": place % columns + 1}
        for strategy, some in rows.groupby(rows["strategy"].fillna("not scaled"), sort=False):
            figure.add_trace({**_marks(some, strategy), "showlegend": strategy not in seen}, **where)
            seen.add(strategy)
        figure.add_vline(x=1, line={"color": INK, "width": 1, "dash": "dash"}, **where)
        figure.update_xaxes(title={"text": METRICS["roofline_share"].title, "standoff": 6}, **where)
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(categoryorder="array", categoryarray=families[::-1], automargin=True)
    figure.update_layout(**layout(title), height=165 + inside)
    figure.update_annotations(font_size=12)
    figure.update_layout(legend={"y": 1 + 42 / inside})  # above the panels' titles
    return titled(figure, 120)


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
