"""Figures over α at equal flops: counts, and predicted and measured times."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from plotly.subplots import make_subplots

from .._common.digits import significant
from .._common.frames import rows as rows_of
from ..analysis.times import knee
from ..records.conditions import distinct_labels
from ..scaling.strategies import strategy as named_strategy
from .light_plotly import go
from .theme import (
    DASHED,
    INK,
    METRICS,
    STYLES,
    axis_title,
    label,
    layout,
    legend_key,
    numbers,
    panels_titled,
    titled,
    whiskers,
)

_COLUMNS = 2  # of panels
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
        note: dict[str, Any] = {"annotation_text": _near_text(nearly), "annotation_position": "top left"}
        figure.add_hline(1 + nearly, line=_NEAR, **note, **where)
        figure.update_xaxes(**_ALPHA, **where)
        relative = axis_title(f"{METRICS[metric].label}, relative to α = 1")
        figure.update_yaxes(title=relative, rangemode="tozero", **where)
    figure.update_layout(**layout(title), height=470)
    per_scale = 2 * family["network"].nunique() + (laws is not None)
    figure.update_layout(sliders=[_slider(scales, per_scale, len(y))], margin={"b": 110})
    return titled(figure)


def times_over_alpha(
    predicted: pd.DataFrame, measured: pd.DataFrame | None = None, nearly: float = 0.25, title: str | None = None
) -> go.Figure:
    """Draw predicted and measured times over α at equal flops, with one panel per scale.

    Each case has a row of panels. A band shows the error of the prediction, a vertical line the knee, and a dotted line
    1 + nearly times the predicted time of α = 1.

    Arguments:
        predicted: rows of `predicted_times`, of one network, with a column case.
        measured: rows of `measured_times`, of the same cases and network; only those with an α are drawn, with an open
            marker if there is a doubt; default: None.
        nearly: allowed excess over α = 1 at the knee, as a fraction; default: 0.25.
        title: of the figure; default: None.
    """
    cases, scales = (list(predicted[name].unique()) for name in ("case", "scale"))
    named = dict(zip(predicted["case"], distinct_labels(predicted, briefly=True), strict=True))
    panels = [f"{s:g} × the flops" for s in scales]
    heads = [text for case in cases for text in (f"{_broken(named[case])}<br>{panels[0]}", *panels[1:])]
    rows, columns = max(len(cases), 1), max(len(scales), 1)
    spaces: dict[str, Any] = {"horizontal_spacing": 0.06, "vertical_spacing": 0.5 / max(rows, 2)}
    figure = make_subplots(rows, columns, subplot_titles=heads, **spaces)
    for place, (case, s) in enumerate(product(cases, scales)):
        where: dict[str, Any] = {"row": place // columns + 1, "col": place % columns + 1}
        own = predicted[(predicted["case"] == case) & (predicted["scale"] == s)]
        own = own[own["alpha"].notna()].sort_values("alpha")
        for trace in _predicted(own):
            figure.add_trace(trace | {"showlegend": not place}, **where)
        if measured is not None:
            there = measured[(measured["case"] == case) & (measured["scale"] == s) & measured["alpha"].notna()]
            figure.add_trace(_measured(there) | {"showlegend": not place and len(measured) > 0}, **where)
        figure.add_hline((1 + nearly) * own["ms_per_image"].iloc[-1], line=_NEAR, **where)
        at = knee(own["alpha"], own["ms_per_image"], nearly)
        note: dict[str, Any] = {
            "annotation_text": f"knee {at:g}",
            "annotation_position": "bottom right" if at < 0.6 else "bottom left",
        }
        figure.add_vline(at, line={"color": STYLES["dWr"].colour, "width": 1.5}, **note, **where)
        figure.update_xaxes(**_ALPHA, **where)
        figure.update_yaxes(rangemode="tozero", **where)
    figure.add_trace(legend_key(_near_text(nearly), mode="lines", line=_NEAR))
    figure.update_yaxes(title=axis_title(METRICS["ms_per_image"].title), col=1)
    figure.update_layout(**layout(title), height=130 + 270 * rows)
    return panels_titled(figure, legend=1 + 0.12 / rows)


def relative_times(frame: pd.DataFrame, nearly: float = 0.25, title: str | None = None) -> go.Figure:
    """Draw times relative to width scaling over α, with one panel per case.

    A strategy that is not of the family of α, as dw, stands at the α whose law of activations it has. Measured times
    have whiskers at the ends of their interval, and an open marker where they decide nothing.

    Arguments:
        frame: of `fs.analysis.relative_times`.
        nearly: allowed excess over width scaling, a dotted line; default: 0.25.
        title: of the figure; default: None.
    """
    cases = list(frame["case"].unique())
    lines, columns = max(-(-len(cases) // _COLUMNS), 1), min(_COLUMNS, max(len(cases), 1))
    spaces: dict[str, Any] = {"horizontal_spacing": 0.06, "vertical_spacing": 0.5 / max(lines, 2)}
    figure = make_subplots(lines, columns, subplot_titles=[_broken(case) for case in cases], **spaces)
    for place, case in enumerate(cases):
        where: dict[str, Any] = {"row": place // columns + 1, "col": place % columns + 1}
        for trace in _relative(frame[frame["case"] == case]):
            figure.add_trace(trace | {"showlegend": not place}, **where)
        figure.add_hline(1 + nearly, line=_NEAR, **where)
        figure.update_xaxes(**_ALPHA | {"range": [0, 1.1]}, **where)
    figure.add_trace(legend_key(_near_text(nearly), mode="lines", line=_NEAR))
    ends = numbers(frame[["ratio", "low", "high", "predicted"]]) if len(frame) else np.ones(1)
    figure.update_yaxes(range=[0.95 * np.nanmin(ends), 1.1 * max(np.nanmax(ends), 1 + nearly)])
    figure.update_yaxes(title=axis_title("time relative to w"), col=1)
    figure.update_layout(**layout(title), height=130 + 270 * lines)
    return panels_titled(figure, legend=1 + 0.16 / lines)


def _relative(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Make markers of measured times with their names and ratios, and of predicted ones."""
    alphas = [float(2 - 2 * named_strategy(name).laws.activations) for name in rows["strategy"]]
    shared = {"type": "scatter", "x": alphas, "hovertemplate": "%{text}<extra></extra>"}
    names = [label(name) for name in rows["strategy"]]
    measured, predicted = (
        [f"{name}{said} {ratio:.2f}" for name, ratio in zip(names, rows[column], strict=True)]
        for column, said in (("ratio", ""), ("predicted", ", predicted:"))
    )
    symbols = ["diamond" + "-open" * isinstance(doubt, str) for doubt in rows["doubt"]]
    return [
        shared
        | {"mode": "markers", "name": "predicted", "y": numbers(rows["predicted"]), "text": predicted}
        | {"marker": {"color": STYLES["w"].colour, "symbol": "circle-open", "size": 8}},
        shared
        | {"mode": "markers+text", "name": "measured (open: decides nothing)", "y": numbers(rows["ratio"])}
        | {"text": measured, "textposition": "top center"}
        | {"error_y": whiskers(rows["ratio"], rows["low"], rows["high"], INK)}
        | {"marker": {"color": STYLES["dwr"].colour, "symbol": symbols, "size": 10}},
    ]


def _broken(case: str) -> str:
    """Break the name of a case into two lines, the device and its settings."""
    return str(case).replace(", ", "<br>", 1)


_NEAR = {"color": INK, "width": 1, "dash": "dot"}


def _near_text(nearly: float) -> str:
    return f"{1 + nearly:g} × the value at α = 1"


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
    wider = ", wider beyond the fitted networks" if "note" in rows and rows["note"].notna().any() else ""
    band = {
        "type": "scatter",
        "mode": "lines",
        "name": f"its median error{wider}",
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
