"""Figures that hold one question against every device."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from .theme import DASHED, axis_title, layout, numbers, style, titled, whiskers


def on_every_device(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Draw times of strategies relative to the first one, one line per device.

    Full markers are measured, open ones predicted; whiskers are `low` and `high`.

    Arguments:
        frame: of `fs.analysis.on_every_device`.
        title: of the figure; default: None.
    """
    named = frame.assign(label=frame["device"] + " (" + frame["evidence"] + ")")
    figure = go.Figure()
    for name, rows in named.groupby("strategy", sort=False):
        look = style(str(name))
        for evidence, own in rows.groupby("evidence", sort=False):
            figure.add_scatter(
                **{"x": numbers(own["ratio"]), "y": list(own["label"]), "mode": "markers"},
                name=f"{name}, {evidence}",
                error_x=whiskers(own["ratio"], own["low"], own["high"], look.colour),
                marker={
                    "symbol": look.symbol if evidence == "measured" else f"{look.symbol}-open",
                    **{"color": look.colour, "size": 9},
                },
                hovertemplate=f"%{{y}}<br>{name}: %{{x:.2f}}<extra></extra>",
            )
    first = named["strategy"].iloc[0] if len(named) else ""
    figure.add_vline(1, line=DASHED)
    figure.update_xaxes(title=axis_title(f"time relative to {first}, at equal flops"))
    order = list(dict.fromkeys(named["label"]))
    figure.update_yaxes(automargin=True, categoryorder="array", categoryarray=order[::-1])
    figure.update_layout(**layout(title), height=160 + 30 * len(order))
    return titled(figure)


def leads_map(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Draw leads of a correlation as a map: settings downwards, kinds of networks across.

    A cell says the lead and its 95 % interval; in brackets where that includes 0, or there is none.

    Arguments:
        frame: of `fs.analysis.leads_everywhere`.
        title: of the figure; default: None.
    """
    settings, kinds = (list(dict.fromkeys(frame[name])) for name in ("setting", "kind"))
    texts = {(row["setting"], row["kind"]): _told_lead(row) for row in frame.to_dict("records")}
    values = frame.pivot(index="setting", columns="kind", values="lead").loc[settings, kinds]
    most = float(values.abs().max(axis=None))
    figure = go.Figure(
        go.Heatmap(
            **{"x": kinds, "y": settings, "z": values.to_numpy(float), "zmid": 0, "zmin": -most, "zmax": most},
            colorscale="RdBu",
            text=[[texts.get((setting, kind), "") for kind in kinds] for setting in settings],
            texttemplate="%{text}",
            colorbar={"title": {"text": "lead of r", "side": "right"}, "thickness": 14},
            hovertemplate="%{y}<br>%{x}: %{text}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_layout(**layout(title), height=140 + 26 * len(settings))
    return titled(figure)


def _told_lead(row: dict) -> str:
    if pd.isna(row["lead"]):
        return "–"
    ends = "" if pd.isna(row["low"]) else f" {row['low']:+.3f} to {row['high']:+.3f}"
    said = f"{row['lead']:+.3f}{',' if ends else ''}{ends}"
    return said if row["verdict"] in ("ahead", "behind") else f"({said})"
