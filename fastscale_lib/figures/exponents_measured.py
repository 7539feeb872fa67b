"""Figures of measured laws, and of what attention takes of the flops."""

from __future__ import annotations

import pandas as pd
from plotly.subplots import make_subplots

from .light_plotly import go
from .theme import INK, METRICS, STYLES, axis_title, layout, numbers, panels_titled, titled

_SIZES = {"d": "depth", "w": "width", "r": "resolution"}
_LOOKS = list(STYLES.values())
_SPREAD = 0.7  # of the room between two sizes, that the networks take


def measured_laws(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Draw measured exponents less those of the paper's laws, with one panel per metric.

    Depth, width and resolution are along the x axis, with the networks side by side, in their order.

    Arguments:
        frame: rows of `measured_laws` of `analysis`.
        title: of the figure; default: None.
    """
    metrics, networks = (list(dict.fromkeys(frame[name])) for name in ("metric", "network"))
    titles = [METRICS[each].label for each in metrics]
    figure = make_subplots(1, len(metrics), subplot_titles=titles, shared_yaxes=True, horizontal_spacing=0.02)
    sizes = list(_SIZES)
    for column, metric in enumerate(metrics, 1):
        for place, network in enumerate(networks):
            rows = frame[(frame["metric"] == metric) & (frame["network"] == network)]
            look = _LOOKS[place % len(_LOOKS)]
            shift = _SPREAD * ((place + 0.5) / len(networks) - 0.5)
            figure.add_scatter(
                x=[sizes.index(size) + shift for size in rows["size"]],
                y=numbers(rows["measured"]) - numbers(rows["law"]),
                mode="markers",
                name=network,
                legendgroup=network,
                showlegend=column == 1,
                marker={"color": look.colour, "symbol": look.symbol, "size": 10},
                customdata=list(zip(rows["measured"], rows["law"], rows["size"], strict=True)),
                hovertemplate=f"<b>{network}</b><br>{METRICS[metric].label} ∝ %{{customdata[2]}}"
                "<sup>%{customdata[0]:.3f}</sup><br>law: %{customdata[1]}<extra></extra>",
                row=1,
                col=column,
            )
        powers = frame[frame["metric"] == metric].drop_duplicates("size").set_index("size")["law"]
        texts = [f"{name}<br>{size}<sup>{powers[size]}</sup>" for size, name in _SIZES.items()]
        ticks = {"tickvals": list(range(len(sizes))), "ticktext": texts, "range": [-0.5, len(sizes) - 0.5]}
        figure.update_xaxes(**ticks, showgrid=False, zeroline=False, row=1, col=column)
    figure.update_yaxes(zeroline=True, zerolinecolor=INK)
    figure.update_yaxes(title=axis_title("exponent: measured − law"), col=1)
    figure.update_layout(**layout(title), height=400)
    return panels_titled(figure, size=13)


def attention_shares(frame: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Draw attention's share of flops (multiply-adds) over resolution, one line per network.

    Arguments:
        frame: rows of `attention_by_resolution`.
        title: of the figure; default: None.
    """
    figure = go.Figure()
    for place, (network, rows) in enumerate(frame.groupby("network", sort=False)):
        look = _LOOKS[place % len(_LOOKS)]
        figure.add_scatter(
            x=numbers(rows["resolution"]),
            y=numbers(rows["share"]),
            mode="lines+markers",
            name=str(network),
            line={"color": look.colour, "width": 2},
            marker={"color": look.colour, "symbol": look.symbol, "size": 9},
            customdata=numbers(rows["attention_flops"]),
            hovertemplate=f"<b>{network}</b><br>%{{x}} px: %{{y:.1%}} of the flops<br>"
            "%{customdata:.4s} multiply-adds of attention<extra></extra>",
        )
    figure.update_xaxes(title=axis_title("resolution (pixels)"), tickvals=sorted(set(frame["resolution"])))
    figure.update_yaxes(title=axis_title("attention's share of flops"), tickformat=".0%", rangemode="tozero")
    figure.update_layout(**layout(title), height=360)
    return titled(figure)
