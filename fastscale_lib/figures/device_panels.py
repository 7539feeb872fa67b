"""Figures that hold one question against every device."""

from __future__ import annotations

from typing import Any

import pandas as pd
from plotly.subplots import make_subplots

from .light_plotly import go
from .theme import DASHED, INK, axis_title, layout, numbers, panels_titled, style, titled, whiskers


def on_every_device(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Draw times of strategies relative to the first one, one line per device.

    Full markers are measured; open ones are predicted, or measured with a doubt, and decide nothing. Whiskers are `low`
    and `high`.

    Arguments:
        frame: of `fs.analysis.on_every_device`.
        title: of the figure; default: None.
    """
    named = frame.assign(label=frame["device"] + " (" + frame["evidence"] + ")")
    figure = go.Figure()
    for name, rows in named.groupby("strategy", sort=False):
        look = style(str(name))
        decides = rows["evidence"].eq("measured") & rows["doubt"].isna()
        for symbol, own in ((look.symbol, rows[decides]), (f"{look.symbol}-open", rows[~decides])):
            figure.add_scatter(
                **{"x": numbers(own["ratio"]), "y": list(own["label"]), "mode": "markers"},
                error_x=whiskers(own["ratio"], own["low"], own["high"], look.colour),
                marker={"symbol": symbol, "color": look.colour, "size": 9},
                **{"name": str(name), "legendgroup": str(name), "showlegend": symbol == look.symbol},
                hovertemplate=f"%{{y}}<br>{name}: %{{x:.2f}}<extra></extra>",
            )
    first = named["strategy"].iloc[0] if len(named) else ""
    figure.add_vline(1, line=DASHED)
    figure.update_xaxes(title=axis_title(f"time relative to {first}, at equal flops"))
    order = list(dict.fromkeys(named["label"]))
    figure.update_yaxes(automargin=True, categoryorder="array", categoryarray=order[::-1])
    figure.update_layout(**layout(title), height=160 + 38 * len(order))
    return titled(figure)


def leads_map(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Draw leads of a correlation with their intervals: a line per setting, a panel per kind.

    Right of the dashed line the metric is ahead. Full markers are decided, open ones are not.

    Arguments:
        frame: of `fs.analysis.leads_everywhere`.
        title: of the figure; default: None.
    """
    settings, kinds = (list(dict.fromkeys(frame[name])) for name in ("setting", "kind"))
    figure = make_subplots(1, len(kinds), shared_yaxes=True, subplot_titles=kinds, horizontal_spacing=0.03)
    for column, kind in enumerate(kinds, 1):
        of_kind = frame[frame["kind"] == kind]
        decided = of_kind["verdict"].isin(["ahead", "behind"])
        for name, rows, symbol in (
            ("decided", of_kind[decided], "circle"),
            ("undecided", of_kind[~decided], "circle-open"),
        ):
            figure.add_scatter(
                **{"x": numbers(rows["lead"]), "y": list(rows["setting"]), "mode": "markers", "name": name},
                error_x=whiskers(rows["lead"], rows["low"], rows["high"], INK),
                marker={"symbol": symbol, "color": INK, "size": 8},
                **{"row": 1, "col": column, "legendgroup": name, "showlegend": column == 1},
                hovertemplate="%{y}<br>lead %{x:.3f}<extra></extra>",
            )
        where: dict[str, Any] = {"row": 1, "col": column}
        figure.add_vline(0, line=DASHED, **where)
    ends = frame[["low", "lead", "high"]].astype(float)
    across = [float(ends.min(axis=None)) - 0.01, float(ends.max(axis=None)) + 0.01]
    figure.update_xaxes(title=axis_title("lead of r"), range=across, dtick=0.05, zeroline=False)
    figure.update_yaxes(categoryorder="array", categoryarray=settings[::-1])
    figure.update_yaxes(automargin=True, row=1, col=1)
    figure.update_layout(**layout(title), height=180 + 30 * len(settings))
    return panels_titled(figure)
