"""The explorer as a plotly figure whose α slider needs no kernel, as for a report."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..architectures.definition import Network
from ..architectures.traced.module_family import Family
from ..figures.svg.plot import to_svg
from . import panels
from .family_views import FamilyViews
from .views import Predictor, Views

if TYPE_CHECKING:
    import plotly.graph_objects as go

ALPHAS = sorted({*np.linspace(0, 1, 21).round(2).tolist(), 1 / 3})


# In JupyterLab the widget's own output comes next: the picture gives way to it, or stands for one that is not there.
_STILL = """<div class="fastscale-still"><img alt="{said}" src="data:image/svg+xml;base64,{picture}"></div>
<style>
.jp-OutputArea-child:has(.fastscale-still):has(+ .jp-OutputArea-child .fastscale-app) {{ display: none; }}
.jp-OutputArea-child:has(.fastscale-still) + .jp-OutputArea-child:not(:has(.jp-OutputArea-output > *)) {{
  display: none;
}}
</style>"""


def slider_figure(
    base: Network | Family,
    strategies: Sequence[str],
    alpha: float,
    scale: float,
    times: pd.DataFrame,
    note: str,
    predictor: Predictor | None = None,
) -> go.Figure:
    """Make the four panels with a slider whose steps, computed beforehand, change with α."""
    from ..figures.light_plotly import go  # here, as the explorer starts without plotly

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


def still_figure(
    base: Network,
    strategies: Sequence[str],
    alpha: float,
    scale: float,
    times: pd.DataFrame,
    note: str,
    predictor: Predictor | None,
) -> dict[str, Any]:
    """Make the four panels as they are now, relative to w, as the parts of a plotly figure."""
    view = Views().view(base, strategies, alpha, scale, times, predictor)
    traces, layout = panels.beside_width(panels.traces(view), panels.figure_layout(view, note))
    return {"data": list(traces.values()), "layout": layout}


def still(base: Network, alpha: float, scale: float, figure: Mapping[str, Any]) -> str:
    """Draw the four panels as HTML, for a notebook without a kernel, or a page made of it."""
    picture = base64.b64encode(to_svg(figure).encode()).decode()
    said = (
        f"{base.name} scaled, s = {scale:.3g}, α = {alpha:.3g}: activations, parameters and time relative to w, over "
    )
    said += "multiply-adds"
    return _STILL.format(picture=picture, said=html.escape(said, quote=True))


def _whole_view(
    base: Family, strategies: Sequence[str], alpha: float, scale: float, times: pd.DataFrame
) -> panels.View:
    """Return the view of a family, all of whose sizes are counted."""
    views = FamilyViews()
    views.view(base, strategies, alpha, scale, times)
    while views.todo:
        views.count_next()
    return views.view(base, strategies, alpha, scale, times)


def _restyle(traces: panels.Traces, names: list[str]) -> dict[str, list[Any]]:
    """Return what moves, as lists: a slider's step is passed on to the page as it is."""
    return {key: [_plain(traces[name].get(key)) for name in names] for key in ("x", "y", "text")}


def _plain(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        return [None if np.isnan(value) else value for value in values.tolist()]
    return values
