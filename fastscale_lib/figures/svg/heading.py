"""The title of a figure, and its legend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from . import formats, traces
from .axes import Axis
from .grid import FONT
from .traces import Paint, amount, px, text_at

TITLE = 15  # pixels
_SWATCH = traces.Panel(Axis("x", {"range": [0, 28]}, ()), Axis("y", {"range": [18, 0]}, ()), 28, 18)
_UNSEEN = {"error_x", "error_y", "text", "customdata", "hovertext", "x", "y"}


class Entry(NamedTuple):
    """An entry of the legend: what it switches, its name, its look, and whether it is off."""

    key: str
    name: str
    swatch: str
    off: bool


def legend_key(place: int, trace: Mapping[str, Any]) -> str:
    """Return what a trace's entry of the legend switches: its group, or the trace alone."""
    return str(trace.get("legendgroup") or f"#{place}")


def heading(
    layout: Mapping[str, Any], traces: Sequence[Mapping[str, Any]], colours: Sequence[str], paint: Paint, width: int
) -> tuple[str, float]:
    """Draw title and legend above the panels, and return how many pixels they take.

    Arguments:
        layout: of the figure.
        traces: of the figure, for its legend.
        colours: of traces that name none.
        paint: turns a colour into CSS and opacity.
        width: of the picture in pixels.
    """
    title = layout.get("title") or {}
    title = title if isinstance(title, str) else title.get("text") or ""
    parts, top = [], 4.0
    for line in formats.wrapped(title, 1.1 * TITLE, width - 8) if title else ():  # of bold letters
        parts.append(text_at(4, top + 16, line, more=f" font-size='{TITLE}' font-weight='600'"))
        top += 20
    entries = list(_entries(layout, traces, colours, paint))
    x, top = 4.0, top + (6 if entries else 0)
    for entry in entries:
        wide = 46 + formats.width(entry.name, FONT)
        if x > 4 and x + wide > width:
            x, top = 4.0, top + 20
        fade = " opacity='0.4'" if entry.off else ""
        shown = f"<g transform='translate({px(x)},{px(top)})'>{entry.swatch}{text_at(32, 13, entry.name)}</g>"
        parts.append(f"<g class='key' data-key='{formats.attribute(entry.key)}'{fade}>{shown}</g>")
        x += wide
    return "".join(parts), top + (20 if entries else 0) + 4


def _entries(
    layout: Mapping[str, Any], traces: Sequence[Mapping[str, Any]], colours: Sequence[str], paint: Paint
) -> Iterator[Entry]:
    named = [
        (place, each)
        for place, each in enumerate(traces)
        if each.get("name") and each.get("showlegend") is not False and each.get("visible") is not False
    ]
    asked = layout.get("showlegend")
    alone = len(named) < 2 and not any(each.get("showlegend") for _, each in named)
    if asked is False or (asked is None and alone):
        return
    seen = set()
    for place, each in named:
        key, name = legend_key(place, each), " ".join(formats.lines(str(each["name"])))
        if (key, name) not in seen:
            seen.add((key, name))
            yield Entry(key, name, _swatch(each, colours[place], paint), each.get("visible") == "legendonly")


def _swatch(trace: Mapping[str, Any], colour: str, paint: Paint) -> str:
    look = {name: value for name, value in trace.items() if name not in _UNSEEN}
    marker, mode = dict(look.get("marker") or {}), look.get("mode") or "lines"
    if look.get("type") == "bar":
        css, _ = paint(marker["color"] if isinstance(marker.get("color"), str) else colour)
        return f"<rect x='4' y='3' width='20' height='12' style='fill:{css}'/>"
    if look.get("fill"):
        area = {**look, "x": [2, 26, 26, 2], "y": [4, 4, 14, 14], "mode": "none"}
        return traces.scatter(area, _SWATCH, colour, paint).svg
    out = ""
    if "lines" in mode:
        out = traces.scatter({**look, "x": [2, 26], "y": [9, 9], "mode": "lines"}, _SWATCH, colour, paint).svg
    if "markers" in mode:
        own = {name: _first(value) for name, value in marker.items() if name != "maxdisplayed"}
        own["line"] = {name: _first(value) for name, value in (marker.get("line") or {}).items()}
        own["size"] = min(amount(own.get("size"), 8), 10)
        out += traces.scatter(
            {**look, "x": [14], "y": [9], "mode": "markers", "marker": own}, _SWATCH, colour, paint
        ).svg
    return out


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value
