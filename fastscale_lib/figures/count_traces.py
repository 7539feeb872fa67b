"""Traces of counts over the scale factor: a strategy's curve, its law, marked networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..scaling.strategies import strategy as named_strategy
from .theme import INK, METRICS, Frame, hover, label, numbers, stages_text, style


def curve(frame: Frame, y: str, x: str = "flops", **more: Any) -> dict[str, Any]:
    """Make the trace of a metric of one network under one strategy.

    Arguments:
        frame: rows of `sweep`, of one network and strategy.
        y: column of the metric.
        x: column of the x axis; default: flops.
        more: further attributes of the trace.
    """
    name = next(iter(frame["strategy"]))
    colour, symbol = style(name)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label(name),
        "legendgroup": name,
        "x": numbers(frame[x]),
        "y": numbers(frame[y]),
        "text": stages_text(frame) if "widths" in frame and "text" not in more else None,
        "line": {"color": colour, "width": 2},
        "marker": {"color": colour, "symbol": symbol, "size": 7, "maxdisplayed": 7},
        "hovertemplate": hover(more.get("name", label(name)), x, y),
        **more,
    }


def law(frame: pd.DataFrame, y: str, x: str = "flops", **more: Any) -> dict[str, Any]:
    """Make the dashed line of a strategy's law.

    Arguments:
        frame: rows of `laws`, of one network and strategy.
        y: column of the metric.
        x: column of the x axis; default: flops.
        more: further attributes of the trace.
    """
    name = frame["strategy"].iloc[0]
    ends = frame.sort_values("scale").iloc[[0, -1]]
    growth = law_text(name, y, numbers(ends["scale"]), numbers(ends[y]))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{label(name)}: law",
        "legendgroup": name,
        "showlegend": False,
        "x": ends[x].to_numpy(dtype=float),
        "y": ends[y].to_numpy(dtype=float),
        "line": {"color": style(name).colour, "width": 1, "dash": "dash"},
        "hovertemplate": f"{label(name)}: {growth}<extra></extra>",
        **more,
    }


def law_text(name: str, y: str, scales: np.ndarray, values: np.ndarray) -> str:
    """Say how a law grows: by the paper's exponent of s, or another on average.

    Laws of vision transformers and of families of modules are not those of the paper's ConvNets.
    """
    exponent = getattr(named_strategy(name).laws, y)
    if len(values) > 1 and scales[0] != scales[-1]:
        growth = float(np.log(values[-1] / values[0]) / np.log(scales[-1] / scales[0]))
        if abs(growth - exponent) > 1e-6:
            return f"{METRICS[y].label} ∝ s<sup>{growth:.2f}</sup> on average"
    return f"{METRICS[y].label} ∝ s<sup>{exponent}</sup>"


def marks(frame: Frame, y: str, x: str = "flops", **more: Any) -> dict[str, Any]:
    """Make a large marker for each row of a sweep, in the style of its strategy.

    Arguments:
        frame: rows of `sweep`, of one network.
        y: column of the metric.
        x: column of the x axis; default: flops.
        more: further attributes of the trace.
    """
    styles = [style(name) for name in frame["strategy"]]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "present scale",
        "showlegend": False,
        "x": numbers(frame[x]),
        "y": numbers(frame[y]),
        "text": [f"{label(n)}<br>{t}" for n, t in zip(frame["strategy"], stages_text(frame), strict=True)],
        "marker": {
            "color": [each.colour for each in styles],
            "symbol": [each.symbol for each in styles],
            "size": 13,
            "line": {"color": INK, "width": 1.5},
        },
        "hovertemplate": hover("", x, y),
        **more,
    }
