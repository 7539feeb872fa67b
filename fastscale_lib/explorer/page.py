"""The explorer as one HTML file: four panels and an α slider that need neither a kernel nor a network."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio

from .._common.version import __version__
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.traced.module_family import Family
from ..figures.theme import label
from ..scaling.rounding import scale as scale_network
from ..scaling.strategies import Strategy
from . import panels
from .family_views import FamilyViews
from .tables import STYLE, comparison_table, complexity_table, network_table
from .views import Predictor, Views

FIGURE_MIME = "application/vnd.plotly.v1+json"
ALPHAS = sorted({*np.linspace(0, 1, 21).round(2).tolist(), 1 / 3})

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
{style}
<style>body {{ font-family: system-ui, sans-serif; margin: 1em; color: #222; background: #fff; }}</style>
</head>
<body>
<h1>{title}</h1>
<p>{summary}</p>
{figure}
<div class="fastscale-tables"><div>{counts}</div>{networks}</div>
<p><small>{source}</small></p>
</body>
</html>
"""


def page(figure: go.Figure, base: Any, tabled: Strategy, scale: float, marks: panels.Frame, times: pd.DataFrame) -> str:
    """Make the page of a `slider_figure` and its tables.

    Arguments:
        figure: of `slider_figure`.
        base: the base network.
        tabled: strategy whose scaled network is shown stage by stage.
        scale: scale factor of the marked networks.
        marks: columns of `sweep` for the marked networks.
        times: measurements, of any scale.
    """
    scaled, at_base = scale_network(base, tabled, scale), complexity(base)
    at_scale = times.loc[times["scale"] == scale]
    summary = (
        "Complexity as the network grows: counted (lines), by law (dashed), and at the marked scale. Flops are "
        f"multiply-adds. The slider sets α of the fast scaling family; the tables are for {label(tabled.name)}."
    )
    return _PAGE.format(
        title=html.escape(f"{base.name} scaled, s = {scale:.3g}"),
        style=STYLE,
        summary=html.escape(summary),
        figure=figure.to_html(
            full_html=False,
            include_plotlyjs=True,
            config={"displaylogo": False, "responsive": True, "showSendToCloud": False},
            div_id="panels",
        ),
        counts=complexity_table(base, complexity(scaled), tabled, scale)
        + comparison_table(marks, at_base, at_scale, scale),
        networks=network_table(base) + network_table(scaled),
        source=f"fastscale {html.escape(__version__)}, after Dollár, Singh, Girshick: Fast and Accurate Model "
        "Scaling, CVPR 2021.",
    )


def kept_as_data() -> bool:
    """Whether the figures of a notebook stay in it as data, for a page that brings plotly.js itself."""
    return pio.renderers.default == "plotly_mimetype"


def slider_figure(
    base: Network | Family,
    strategies: Sequence[str],
    alpha: float,
    scale: float,
    times: pd.DataFrame,
    note: str,
    predictor: Predictor | None = None,
) -> go.Figure:
    """The four panels with a slider whose steps, computed beforehand, carry what changes with α."""
    if isinstance(base, Family):  # each α takes seconds to count
        alphas, made = [alpha], [_whole_view(base, strategies, alpha, scale, times)]
    else:
        views, alphas = Views(), sorted({*ALPHAS, alpha})
        made = [views.view(base, strategies, each, scale, times, predictor) for each in alphas]
    steps = [panels.traces(view) for view in made]
    first = alphas.index(alpha)
    changing = [name for name in steps[0] if name.split("/")[1] in ("α", "band", "laws", "marks", "present")]
    indices = [list(steps[0]).index(name) for name in changing]
    figure = go.Figure(list(steps[first].values()), panels.figure_layout(made[first], note))
    figure.update_layout(
        height=640,
        margin={"b": 110},
        sliders=[
            {
                "active": first,
                "currentvalue": {"prefix": "α = "},
                "pad": {"t": 50},
                "steps": [
                    {"label": f"{each:.3g}", "method": "restyle", "args": [_restyle(traces, changing), indices]}
                    for each, traces in zip(alphas, steps, strict=True)
                ],
            }
        ],
    )
    return figure


def _whole_view(
    base: Family, strategies: Sequence[str], alpha: float, scale: float, times: pd.DataFrame
) -> panels.View:
    """The view of a family once all of its sizes are counted."""
    views = FamilyViews()
    views.view(base, strategies, alpha, scale, times)
    while views.todo:
        views.count_next()
    return views.view(base, strategies, alpha, scale, times)


def _restyle(traces: panels.Traces, names: list[str]) -> dict[str, list[Any]]:
    """What moves, as lists: a slider's step is passed on to the page as it is."""
    return {key: [_plain(traces[name].get(key)) for name in names] for key in ("x", "y", "text")}


def _plain(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        return [None if np.isnan(value) else value for value in values.tolist()]
    return values
