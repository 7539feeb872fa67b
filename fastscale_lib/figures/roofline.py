"""Figure of measured rows relative to the roofline of their device."""

from __future__ import annotations

from typing import Any

import pandas as pd
from plotly.subplots import make_subplots

from ..records.conditions import short_titles
from .light_plotly import go
from .theme import DASHED, INK, METRICS, Style, axis_title, label, layout, numbers, panels_titled, style

_COLUMNS = 4
_LONGEST = 104  # characters of the titles of a row of panels, on one line


def roofline_shares(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Draw the share of the roofline that measured rows reach, with one panel per setting.

    Arguments:
        frame: columns source, device_name, mode and precision (the setting); family (one line each); network;
            roofline_share; strategy (may be missing).
        title: of the figure; default: None.
    """
    frame = frame[frame["roofline_share"].notna()]
    groups = {str(name): rows for name, rows in frame.groupby(short_titles(frame), sort=False)}
    families = list(dict.fromkeys(frame["family"]))
    columns = min(max(len(groups), 1), _COLUMNS)
    lines = max(-(-len(groups) // columns), 1)
    tall = 24 * max(len(families), 1) + 20  # pixels of a panel
    titles = [
        text if len(text) <= _LONGEST // columns else text.replace(" · ", "<br>", 1) for text in groups
    ]  # two lines
    inside = lines * tall + 100 * (lines - 1)
    spacing: dict[str, Any] = {"horizontal_spacing": 0.03, "vertical_spacing": 100 / inside if lines > 1 else 0}
    figure = make_subplots(lines, columns, subplot_titles=titles, shared_yaxes=True, **spacing)
    seen: set[str] = set()
    for place, rows in enumerate(groups.values()):
        where: dict[str, Any] = {"row": place // columns + 1, "col": place % columns + 1}
        for strategy, some in rows.groupby(rows["strategy"].fillna("not scaled"), sort=False):
            figure.add_trace({**_marks(some, str(strategy)), "showlegend": strategy not in seen}, **where)
            seen.add(str(strategy))
        figure.add_vline(x=1, line=DASHED, **where)
        if place >= len(groups) - columns:  # the last of its column
            figure.update_xaxes(title=axis_title(METRICS["roofline_share"].title), **where)
    for place in range(len(groups), lines * columns):  # panels without a group
        where = {"row": place // columns + 1, "col": place % columns + 1}
        figure.update_xaxes(visible=False, **where)
        figure.update_yaxes(visible=False, **where)
    figure.update_xaxes(range=[0, 1.05 * max(1.0, *frame["roofline_share"])] if len(frame) else None)
    figure.update_yaxes(categoryorder="array", categoryarray=families[::-1], automargin=True)
    figure.update_layout(**layout(title), height=165 + inside)
    return panels_titled(figure, top=120, legend=1 + 42 / inside)


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
