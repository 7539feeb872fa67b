"""The tables beside the figures, as HTML fragments in which every text is escaped."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import pandas as pd

from ..architectures.counting import METRICS, Complexity, complexity
from ..architectures.definition import Network
from ..architectures.html_table import table
from ..architectures.resolutions import side_text
from ..architectures.traced.module_family import Family
from ..figures.theme import METRICS as SHOWN
from ..figures.theme import Frame, label, style
from ..scaling.asymptotics import law_parts
from ..scaling.strategies import Strategy

STYLE = """<style>
.fastscale-table, .fastscale-network { border-collapse: collapse; font-size: 12px; line-height: 1.35;
  margin: 0 0 10px 0; color: var(--jp-ui-font-color1, #222); }
.fastscale-table caption, .fastscale-network caption { text-align: left; font-weight: 600; padding: 2px 0; }
.fastscale-table th, .fastscale-network th { font-weight: 600; border-bottom: 1px solid #999; }
.fastscale-table th, .fastscale-network th, .fastscale-table td, .fastscale-network td { text-align: right;
  padding: 1px 4px; white-space: nowrap; }
.fastscale-table td:first-child, .fastscale-network td:first-child { text-align: left; }
.fastscale-swatch { display: inline-block; width: 8px; height: 8px; border: 1px solid #999; }
.fastscale-tables { display: flex; flex-wrap: wrap; gap: 0 18px; align-items: flex-start; }
</style>"""


def complexity_table(base: Network | Family, counted: Complexity, strategy: Strategy, s: float) -> str:
    """Flops, params and activations: what the law asks for, what is counted, and that as times the base."""
    rows, at_base = [], complexity(base)
    for metric in METRICS:
        after, parts = getattr(counted, metric), law_parts(base, strategy, metric)
        asked = sum(part * s ** float(exponent) for part, exponent in parts)
        times = f"{after / getattr(at_base, metric):.3g}×"
        rows.append((SHOWN[metric].title, short(asked), short(after), times, _law(parts)))
    titles = ("", "asked", "counted", "times the base", "law")
    return html_table(f"{label(strategy.name)} at s = {s:.3g}", titles, rows)


def network_table(network: Any) -> str:
    """The network stage by stage; of a family, the keywords that its size is made with."""
    if not isinstance(network, Family):
        return table(network)
    rows = [(html.escape(name), html.escape(f"{value!r:.300}")) for name, value in network.kwargs.items()]
    return html_table(f"{network.name}: {network.makes}, {network.resolution} px", ("keyword", "value"), rows)


def _law(parts: list[tuple[int, Any]]) -> str:
    """The power of s by which a count grows, or the sum of powers with their shares of the base."""
    whole = sum(part for part, _ in parts)
    powers = [f"s<sup>{each if isinstance(each, Fraction) else f'{each:.2f}'}</sup>" for _, each in parts]
    if len(parts) == 1:
        return powers[0]
    return " + ".join(f"{part / whole:.3g} {power}" for (part, _), power in zip(parts, powers, strict=True))


def comparison_table(frame: Frame, base: Complexity, times: pd.DataFrame, s: float) -> str:
    """Every marked network: its counts as times the base, its resolution, and its time where it was measured.

    Arguments:
        frame: rows of `sweep` at the scale s.
        times: the explorer's measurements.
    """
    columns = (times[name] for name in ("strategy", "median_ms", "low_ms", "high_ms", "doubt"))
    measured = {name: each for name, *each in zip(*columns, strict=True)} if len(times) else {}
    rows = []
    for row, strategy in enumerate(frame["strategy"]):
        time = _time(*measured[strategy]) if strategy in measured else "–"
        swatch = f"<span class='fastscale-swatch' style='background:{style(strategy).colour}'></span>"
        name = f"{swatch} {html.escape(label(strategy))}"
        ratios = [f"{frame[metric][row] / getattr(base, metric):.3g}×" for metric in METRICS]
        flops = short(frame["flops"][row])
        rows.append((name, flops, *ratios, f"{side_text(frame['resolution'][row])} px", time))
    caption = f"All at s = {s:.3g}, counted, and as times the base{_spread(frame['flops'])}"
    return html_table(caption, ("", "counted flops", *METRICS, "resolution", "ms/batch"), rows)


def _spread(flops: Iterable[int]) -> str:
    """That networks at the same scale are not at the same flops, where rounding has made them differ."""
    counted = [*flops]
    least, most = min(counted), max(counted)
    return f"; flops differ by up to {most / least - 1:.0%}" if most > 1.005 * least else ""


def _time(median: float, low: float, high: float, doubt: str | None) -> str:
    """A time with its interval, where there is one, and with what keeps it from deciding anything."""
    said = [] if math.isnan(low) else [f"{low:.3g} to {high:.3g}"]
    said += [html.escape(doubt)] if isinstance(doubt, str) else []  # a frame's column may have NaN for None
    return f"{median:.4g} ({'; '.join(said)})"


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
