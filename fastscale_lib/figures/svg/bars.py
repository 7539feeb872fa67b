"""Bars: where they begin, side by side or stacked, and what they look like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from . import formats
from .traces import Drawn, FigureError, Paint, Panel, Point, amount, each_of, px, text_at, values


def stacked(step: Sequence[Mapping[str, Any]], mode: str) -> dict[int, tuple[list[float], tuple[float, float]]]:
    """Return where the bars of each trace begin, and start and width of their slots."""
    shown = [
        (place, each)
        for place, each in enumerate(step)
        if each.get("type") == "bar" and each.get("visible") is not False
    ]
    if mode not in ("stack", "relative", "group", "overlay"):
        raise FigureError(f"the bar mode {mode!r} is not drawn as SVG; use stack, group or overlay")
    found, sums = {}, {}
    beside: dict[tuple, list[int]] = {}
    for place, each in shown:
        beside.setdefault((each.get("xaxis"), each.get("yaxis")), []).append(place)
    for place, each in shown:
        flat = each.get("orientation") == "h"
        lengths, names = (values(each.get(way)) for way in (("x", "y") if flat else ("y", "x")))
        axes = (each.get("xaxis"), each.get("yaxis"))
        base = [0.0] * len(names)
        if mode in ("stack", "relative"):
            for i, (name, length) in enumerate(zip(names, lengths, strict=False)):
                key = (*axes, str(name), (length or 0) < 0)
                base[i] = sums.get(key, 0.0)
                sums[key] = base[i] + (length or 0)
        group = beside[axes] if mode == "group" else [place]
        wide = 0.8 / len(group)
        width = each.get("width")
        slot = (0.1 + wide * group.index(place), wide)
        if isinstance(width, (int, float)) and mode != "group":
            slot = (0.5 - width / 2, float(width))
        found[place] = (base, slot)
    return found


def bars(
    trace: Mapping[str, Any], panel: Panel, colour: str, paint: Paint, base: list[float], slot: tuple[float, float]
) -> Drawn:
    """Draw the bars of a trace.

    Arguments:
        trace: plotly's.
        panel: to draw them in.
        colour: where the trace names none.
        paint: turns a colour into CSS and opacity.
        base: where each bar begins, in the units of its axis.
        slot: start and width of each bar, as shares of the distance between two places.
    """
    flat = trace.get("orientation") == "h"
    marker, count = trace.get("marker") or {}, len(base)
    lengths, names = (values(trace.get(way)) for way in (("x", "y") if flat else ("y", "x")))
    along, across = (panel.x, panel.y) if flat else (panel.y, panel.x)
    colours, texts = each_of(marker.get("color"), count, colour), each_of(trace.get("text"), count, "")
    edge = marker.get("line") or {}
    font = trace.get("textfont") or {}
    unit = 1 / abs(across.high - across.low)
    parts, points = [], []
    said = {"fullData.name": trace.get("name")}
    custom = values(trace.get("customdata")) or [None] * count
    for name, length, start, own, text, data in zip(names, lengths, base, colours, texts, custom, strict=False):
        middle = across.at(name)
        ends = [along.at(start), along.at(start + (length or 0))]
        if middle is None or None in ends or not length:
            continue
        low, high = sorted(end for end in ends if end is not None)
        near = middle + (slot[0] - 0.5) * unit
        if flat:
            x, w, h = low * panel.width, (high - low) * panel.width, slot[1] * unit * panel.height
            y = (1 - near - slot[1] * unit) * panel.height
        else:
            x, w = near * panel.width, slot[1] * unit * panel.width
            y, h = (1 - high) * panel.height, (high - low) * panel.height
        css, alpha = paint(own)
        rim = (
            f";stroke:{paint(edge['color'])[0]}' stroke-width='{amount(edge.get('width'), 1):g}"
            if edge.get("color")
            else ""
        )
        box = f"x='{px(x)}' y='{px(y)}' width='{px(w)}' height='{px(h)}'"
        parts.append(f"<rect {box} style='fill:{css}{rim}' fill-opacity='{alpha:g}'/>")
        parts += _hatched((marker.get("pattern") or {}), x, y, w, h, paint)
        if text and formats.width(str(text), 12) + 4 <= w and h >= 13:
            ink = paint(font["color"])[0] if isinstance(font.get("color"), str) else "var(--bar-ink,#222222)"
            look = f" font-size='12' style='fill:{ink}'"
            parts.append(text_at(x + w / 2, y + h / 2 + 4, str(text), "middle", look))
        point = {"x": length if flat else name, "y": name if flat else length, "text": text, "customdata": data, **said}
        if trace.get("hoverinfo") not in ("skip", "none"):
            template = trace.get("hovertemplate") or "(%{x}, %{y})"
            points.append(Point(x + w / 2, y + h / 2, formats.hovered(template, trace, point)))
    return Drawn("".join(parts), points)


def _hatched(pattern: Mapping[str, Any], x: float, y: float, w: float, h: float, paint: Paint) -> Iterator[str]:
    """Draw a bar's hatching as lines that end at its edges, in a box that cuts them off."""
    shape = pattern.get("shape") or ""
    if not shape:
        return
    gap = max(amount(pattern.get("size"), 8), 2)
    css, _ = paint(pattern.get("fgcolor") or "#ffffff")
    out = []
    if shape in "/x":
        out += [f"M{px(at)},0l{px(-h)},{px(h)}" for at in np.arange(0, w + h, gap)]
    if shape in "\\x":
        out += [f"M{px(at - h)},0l{px(h)},{px(h)}" for at in np.arange(0, w + h, gap)]
    if shape in "-+":
        out += [f"M0,{px(at)}h{px(w)}" for at in np.arange(gap / 2, h, gap)]
    if shape in "|+":
        out += [f"M{px(at)},0v{px(h)}" for at in np.arange(gap / 2, w, gap)]
    dots = shape == "."
    if dots:
        out += [f"M{px(i)},{px(j)}h1" for i in np.arange(gap / 2, w, gap) for j in np.arange(gap / 2, h, gap)]
    alpha = amount(pattern.get("fgopacity"), 1)
    look = f"fill='none' stroke-width='{1.6 if dots else 1}' stroke-opacity='{alpha:g}' style='stroke:{css}'"
    box = f"x='{px(x)}' y='{px(y)}' width='{px(w)}' height='{px(h)}'"
    yield f"<svg {box} overflow='hidden'><path d='{''.join(out)}' {look}/></svg>"
