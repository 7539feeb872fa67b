"""The tables beside the figures, as HTML fragments in which every text is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable

import pandas as pd

from .complexity import METRICS, Complexity, complexity
from .figures import METRICS as SHOWN
from .figures import label, style
from .networks import Network
from .scaling import Strategy


def complexity_table(base: Network, scaled: Network, strategy: Strategy, s: float) -> str:
    """Flops, params and activations: what the law asks for, what is counted, and that as times the base."""
    at_base, counted = complexity(base), complexity(scaled)
    rows = []
    for metric in METRICS:
        before, after = getattr(at_base, metric), getattr(counted, metric)
        exponent = getattr(strategy.laws, metric)
        asked = before * s ** float(exponent)
        shown = SHOWN[metric]
        rows.append((shown.title, short(asked), short(after), f"{after / before:.3g}×", f"s<sup>{exponent}</sup>"))
    titles = ("", "asked", "counted", "times the base", "law")
    return html_table(f"{label(strategy.name)} at s = {s:.3g}", titles, rows)


def comparison_table(frame: pd.DataFrame, base: Complexity, times: pd.DataFrame, s: float) -> str:
    """Every marked network: its counts as times the base, its resolution, and its time where it was measured.

    Arguments:
        frame: rows of `sweep` at the scale s.
        times: the explorer's measurements.
    """
    measured = times[times["scale"] == s].set_index("strategy")["median_ms"] if len(times) else {}
    rows = []
    for row in frame.itertuples():
        time = f"{measured[row.strategy]:.4g} ms" if row.strategy in measured else "–"
        name = f"<span style='color:{style(row.strategy).colour}'>■</span> {html.escape(label(row.strategy))}"
        ratios = [f"{getattr(row, metric) / getattr(base, metric):.3g}×" for metric in METRICS]
        rows.append((name, *ratios, f"{row.resolution} px", time))
    return html_table(f"All at s = {s:.3g}, times the base", ("", *METRICS, "resolution", "time a batch"), rows)


def html_table(caption: str, titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; the caption is escaped, the cells are HTML."""
    head = "".join(f"<th>{title}</th>" for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table class='fastscale-table'><caption>{html.escape(caption)}</caption><tr>{head}</tr>{body}</table>"


def short(number: float) -> str:
    """Four digits and a unit: 1.566 G."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.4g} {unit}"
    return f"{number:.4g}"
