"""Figures over α at equal flops: counts, and predicted and measured times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .._common.digits import significant
from .._common.frames import rows as rows_of
from ..analysis.times import knee
from .theme import DASHED, INK, METRICS, STYLES, axis_title, layout, numbers, panels_titled, titled, whiskers

_ALPHA: dict[str, Any] = {"title": axis_title(METRICS["alpha"].title), "range": [-0.03, 1.03], "zeroline": False}


def counts_over_alpha(
    frame: pd.DataFrame,
    laws: pd.DataFrame | None = None,
    y: Sequence[str] = ("activations", "params"),
    nearly: float = 0.25,
    title: str | None = None,
) -> go.Figure:
    """Draw counts over α relative to α = 1 at equal flops, with one panel per count.

    A slider selects the scale; it works without a kernel. A ring marks the knee of each network: from there on all
    values are below the dotted line at 1 + nearly. A curve that is below it everywhere has no ring.

    Arguments:
        frame: rows of `equal_flops`, with α = 1 for every network and scale; one curve per network.
        laws: rows of `laws` of one network, with the same α and scales, drawn dashed; default: None.
        y: columns of counts; default: activations, params.
        nearly: allowed excess over α = 1 at the knee, as a fraction; default: 0.25.
        title: of the figure; default: None.
    """
    family = frame[frame["alpha"].notna()]
    scales = list(family["scale"].unique())
    figure = make_subplots(1, len(y), horizontal_spacing=0.11)
    for column, metric in enumerate(y, 1):
        where: dict[str, Any] = {"row": 1, "col": column}
        for s in scales:
            traces = _counts(family[family["scale"] == s], metric, nearly)
            if laws is not None:
                traces.append(_law(laws[laws["scale"] == s], metric))
            for trace in traces:
                in_legend = column == 1 and trace["mode"] != "markers"
                figure.add_trace({**trace, "visible": s == scales[-1], "showlegend": in_legend}, **where)
        figure.add_hline(1 + nearly, **_near_line(nearly), **where)
        figure.update_xaxes(**_ALPHA, **where)
        relative = axis_title(f"{METRICS[metric].label}, relative to α = 1")
        figure.update_yaxes(title=relative, rangemode="tozero", **where)
    figure.update_layout(**layout(title), height=470)
    per_scale = 2 * family["network"].nunique() + (laws is not None)
    figure.update_layout(sliders=[_slider(scales, per_scale, len(y))], margin={"b": 110})
    figure.update_annotations(font_size=11)
    return titled(figure)


def times_over_alpha(
    predicted: pd.DataFrame, measured: pd.DataFrame | None = None, nearly: float = 0.25, title: str | None = None
) -> go.Figure:
    """Draw predicted and measured times over α at equal flops, with one panel per scale.

    A band shows the error of the prediction, a vertical line the knee, and a dotted line 1 + nearly times the predicted
    time of α = 1.

    Arguments:
        predicted: rows of `predicted_times`, of one case and network.
        measured: rows of `measured_times`, of the same case and network; only those with an α are drawn, with an open
            marker if there is a doubt; default: None.
        nearly: allowed excess over α = 1 at the knee, as a fraction; default: 0.25.
        title: of the figure; default: None.
    """
    scales = list(predicted["scale"].unique())
    panels = [f"{s:g} × the flops" for s in scales]
    figure = make_subplots(1, len(scales), subplot_titles=panels, horizontal_spacing=0.06)
    for column, s in enumerate(scales, 1):
        where: dict[str, Any] = {"row": 1, "col": column}
        rows = predicted[(predicted["scale"] == s) & predicted["alpha"].notna()].sort_values("alpha")
        for trace in _predicted(rows):
            figure.add_trace(trace | {"showlegend": column == 1}, **where)
        if measured is not None:
            there = measured[(measured["scale"] == s) & measured["alpha"].notna()]
            figure.add_trace(_measured(there) | {"showlegend": column == 1 and len(measured) > 0}, **where)
        wide = (1 + nearly) * rows["ms_per_image"].iloc[-1]
        figure.add_hline(wide, **_near_line(nearly), **where)
        at = knee(rows["alpha"], rows["ms_per_image"], nearly)
        note: dict[str, Any] = {
            "annotation_text": f"knee {at:g}",
            "annotation_position": "bottom right" if at < 0.6 else "bottom left",
        }
        figure.add_vline(at, line={"color": STYLES["dWr"].colour, "width": 1.5}, **note, **where)
        figure.update_xaxes(**_ALPHA, **where)
        figure.update_yaxes(rangemode="tozero", **where)
    figure.update_yaxes(title=axis_title(METRICS["ms_per_image"].title), col=1)
    figure.update_layout(**layout(title), height=400)
    return panels_titled(figure)


def _near_line(nearly: float) -> dict[str, Any]:
    note = {"annotation_text": f"{1 + nearly:g} × α = 1", "annotation_position": "top right"}
    return {"line": {"color": INK, "width": 1, "dash": "dot"}, **note}


def _counts(rows: pd.DataFrame, metric: str, nearly: float) -> list[dict[str, Any]]:
    """Make a curve for each network, and a ring at its knee."""
    traces = []
    looks = list(STYLES.values())
    for number, (name, own) in enumerate(rows.groupby("network", sort=False)):
        own = own.sort_values("alpha")
        colour, symbol = looks[number % len(looks)]
        alphas, values = numbers(own["alpha"]), numbers(own[metric])
        at = knee(alphas, values, nearly)
        times = values / values[-1]
        shared = {"type": "scatter", "legendgroup": name, "hovertemplate": "%{text}<extra></extra>"}
        texts = [f"<b>{name}</b><br>α = {a:.3g}: {t:.3g} × those of α = 1" for a, t in zip(alphas, times, strict=True)]
        marker = {"color": colour, "symbol": symbol, "size": 7}
        line = {"color": colour, "width": 2}
        traces.append(
            shared
            | {"mode": "lines+markers", "name": name, "x": alphas, "y": times, "text": texts}
            | {"line": line, "marker": marker}
        )
        ring = {"symbol": "circle-open", "color": colour, "size": 17, "line": {"width": 2}}
        place = alphas == (at if at > alphas[0] else np.nan)
        traces.append(
            shared
            | {"mode": "markers", "name": f"{name}: knee", "x": alphas[place], "y": times[place], "marker": ring}
            | {"text": [f"<b>{name}</b><br>knee: α = {at:.3g}"] * place.sum()}
        )
    return traces


def _law(rows: pd.DataFrame, metric: str) -> dict[str, Any]:
    rows = rows.sort_values("alpha")
    values = numbers(rows[metric])
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "law",
        "x": numbers(rows["alpha"]),
        "y": values / values[-1],
        "line": DASHED,
        "hovertemplate": "law: α = %{x:.3g}: %{y:.3g} × those of α = 1<extra></extra>",
    }


def _slider(scales: Sequence[float], traces: int, panels: int) -> dict[str, Any]:
    """Make a slider whose steps show the traces of one scale, in all panels."""
    steps = [
        {
            "label": f"{s:g} ×",
            "method": "restyle",
            "args": [{"visible": [each == number for each in range(len(scales)) for _ in range(traces)] * panels}],
        }
        for number, s in enumerate(scales)
    ]
    now = {"prefix": "times the base network's flops: ", "font": {"size": 12}}
    return {"active": len(scales) - 1, "steps": steps, "currentvalue": now, "pad": {"t": 45}}


def _predicted(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Make the line of predicted times, and the band of their error."""
    alphas = numbers(rows["alpha"])
    colour = STYLES["w"].colour
    texts = [f"α = {row.alpha:.3g}: {_time_text(row)}" for row in rows_of(rows)]
    error = rows["error"].iloc[0]
    wider = ", wider beyond the fitted networks" if "note" in rows and rows["note"].notna().any() else ""
    band = {
        "type": "scatter",
        "mode": "lines",
        "name": f"its median error, ±{error:.0%}{wider}",
        "x": np.concatenate([alphas, alphas[::-1]]),
        "y": np.concatenate([numbers(rows["low_ms"]), numbers(rows["high_ms"])[::-1]]),
        "fill": "toself",
        "fillcolor": "rgba(0, 114, 178, 0.15)",
        "line": {"width": 0},
        "hoverinfo": "skip",
    }
    return [
        band,
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": "predicted",
            "x": alphas,
            "y": numbers(rows["ms_per_image"]),
            "text": texts,
            "line": {"color": colour, "width": 2},
            "marker": {"color": colour, "symbol": "circle", "size": 6},
            "hovertemplate": "predicted, %{text}<extra></extra>",
        },
    ]


def _time_text(row: Any) -> str:
    interval = f" ({significant(row.low_ms)} to {significant(row.high_ms)})" if row.low_ms == row.low_ms else ""
    return f"{significant(row.ms_per_image)} ms/image{interval}"


def _measured(rows: pd.DataFrame) -> dict[str, Any]:
    rows = rows.reindex(columns=list(dict.fromkeys([*rows.columns, "doubt"])))
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "measured, interpolated to these flops",
        "x": numbers(rows["alpha"]),
        "y": numbers(rows["ms_per_image"]),
        "text": [
            f"<b>{row.strategy}</b>, measured<br>{_time_text(row)}"
            + (f"<br>{row.doubt}" if isinstance(row.doubt, str) else "")
            for row in rows_of(rows)
        ],
        "error_y": whiskers(rows["ms_per_image"], rows["low_ms"], rows["high_ms"], INK),
        "marker": {
            "color": STYLES["dwr"].colour,
            "symbol": ["diamond" + "-open" * isinstance(doubt, str) for doubt in rows["doubt"]],
            "size": 10,
            "line": {"color": INK, "width": 1},
        },
        "hovertemplate": "%{text}<extra></extra>",
    }
