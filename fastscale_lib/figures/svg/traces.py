"""What a trace draws in its panel: lines, areas, markers, error bars, bars."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..._common.errors import FastscaleError
from . import formats
from .axes import Axis

DASHES = {"dash": "6 4", "dot": "2 3", "dashdot": "6 3 2 3", "longdash": "10 5"}
_RGB = re.compile(r"rgba?\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*(?:,\s*([\d.]+)\s*)?\)")


class FigureError(FastscaleError):
    """A figure holds something that is not drawn as SVG."""


class Panel(NamedTuple):
    """Two axes and the pixels between them."""

    x: Axis
    y: Axis
    width: float
    height: float

    def place(self, x: Any, y: Any) -> tuple[float, float] | None:
        """Return the pixels of a point, from the upper left corner; None where it lies on no axis."""
        across, up = self.x.at(x), self.y.at(y)
        return None if across is None or up is None else (across * self.width, (1 - up) * self.height)


class Point(NamedTuple):
    """A point that says what it is: its pixels in the panel, and the text."""

    x: float
    y: float
    text: str


def values(column: Any) -> list[Any]:
    """Return a trace's column as a list; plotly keeps some as base64."""
    if column is None:
        return []
    if isinstance(column, Mapping):
        shape = column.get("shape")
        found = np.frombuffer(base64.b64decode(column["bdata"]), dtype=np.dtype(column["dtype"]))
        return (found.reshape([int(part) for part in str(shape).split(",")]) if shape else found).tolist()
    return np.asarray(column).tolist() if isinstance(column, np.ndarray) else list(column)


def each_of(value: Any, count: int, otherwise: Any = None) -> list[Any]:
    """Return one entry a point: of a list its own, of a single value this one."""
    if isinstance(value, (str, int, float)) or value is None:
        return [otherwise if value is None else value] * count
    found = values(value)
    return (found + [otherwise] * count)[:count]


def paint(colour: str, themed: bool) -> tuple[str, float]:
    """Return a colour as CSS, and its opacity.

    A themed colour is a variable named after it, which a page may set; without the page it is the colour itself.

    Raises:
        FigureError: for anything but #rrggbb, rgb(…), rgba(…) or a name.
    """
    found, opacity = _RGB.fullmatch(colour), 1.0
    if found:
        opacity = float(found[4] or 1)
        colour = "#" + "".join(f"{int(part):02x}" for part in found.groups()[:3])
    elif not re.fullmatch(r"#[0-9a-fA-F]{6}|[a-zA-Z]+", colour):
        raise FigureError(f"the colour {colour!r} is not drawn as SVG; write it as #rrggbb or rgba(…)")
    if themed and colour.startswith("#"):
        return f"var(--c{colour[1:].lower()},{colour})", opacity
    return colour, opacity


def amount(value: Any, otherwise: float) -> float:
    """Return a size, width or opacity as a number; `otherwise` where there is none.

    Raises:
        FigureError: for anything else.
    """
    if value is None:
        return otherwise
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    raise FigureError(f"{str(value)[:40]!r} is not drawn as SVG where a number is wanted")


def px(value: float) -> str:
    """Write pixels with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def text_at(x: float, y: float, text: str, anchor: str = "start", more: str = "") -> str:
    """Write one line of a text, with plotly's markup, as an SVG text element."""
    return f"<text x='{px(x)}' y='{px(y)}' text-anchor='{anchor}'{more}>{formats.spans(text)}</text>"


def _ring(count: int, turn: float = 0.0, inner: float = 0.0) -> list[tuple[float, float]]:
    """Return the corners of a polygon, or of a star with this inner radius, from the top."""
    corners = count * (2 if inner else 1)
    radii = [inner if inner and place % 2 else 1.0 for place in range(corners)]
    angles = [turn + 2 * math.pi * place / corners for place in range(corners)]
    return [(radius * math.sin(angle), -radius * math.cos(angle)) for radius, angle in zip(radii, angles, strict=True)]


_SHAPES: dict[str, list[tuple[float, float]]] = {
    "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    "diamond": [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
    "cross": [
        (x * s, y * s)
        for s in (1.15,)
        for x, y in (
            (-0.35, -1),
            (0.35, -1),
            (0.35, -0.35),
            (1, -0.35),
            (1, 0.35),
            (0.35, 0.35),
            (0.35, 1),
            (-0.35, 1),
            (-0.35, 0.35),
            (-1, 0.35),
            (-1, -0.35),
            (-0.35, -0.35),
        )
    ],
    "triangle-up": _ring(3),
    "triangle-down": _ring(3, math.pi),
    "pentagon": _ring(5),
    "hexagon": _ring(6),
    "hexagon2": _ring(6, math.pi / 6),
    "octagon": _ring(8, math.pi / 8),
    "star": [(1.3 * x, 1.3 * y) for x, y in _ring(5, 0, 0.4)],
    "star-triangle-up": [(1.3 * x, 1.3 * y) for x, y in _ring(3, 0, 0.45)],
    "star-diamond": [(1.3 * x, 1.3 * y) for x, y in _ring(4, 0, 0.5)],
    "hourglass": [(-0.9, -0.9), (0.9, -0.9), (-0.9, 0.9), (0.9, 0.9)],
    "bowtie": [(-0.9, -0.9), (-0.9, 0.9), (0.9, -0.9), (0.9, 0.9)],
}
_SHAPES["x"] = [((x - y) * 0.75, (x + y) * 0.75) for x, y in _SHAPES["cross"]]


def symbol(name: str, x: float, y: float, size: float) -> str:
    """Return the path of a marker.

    Arguments:
        name: of plotly's symbol; "-open" at its end says only how it is painted.
        x, y: its middle, in pixels.
        size: its diameter, in pixels.

    Raises:
        FigureError: for a symbol that is not known here.
    """
    bare, radius = name.removesuffix("-open"), size / 2
    if bare == "circle":
        half = f"a{px(radius)},{px(radius)} 0 1,0"
        return f"M{px(x - radius)},{px(y)}{half} {px(size)},0{half} {px(-size)},0Z"
    if bare in ("x-thin", "cross-thin"):
        turned = [(1, 1), (1, -1)] if bare == "x-thin" else [(1, 0), (0, 1)]
        return "".join(f"M{px(x - a * radius)},{px(y - b * radius)}l{px(a * size)},{px(b * size)}" for a, b in turned)
    if bare not in _SHAPES:
        raise FigureError(f"the marker {name!r} is not drawn as SVG; known are circle, x-thin, {', '.join(_SHAPES)}")
    return "M" + "L".join(f"{px(x + a * radius)},{px(y + b * radius)}" for a, b in _SHAPES[bare]) + "Z"


def polyline(points: Sequence[tuple[float, float] | None]) -> str:
    """Return the path through points, broken where there is none."""
    out, pen = [], False
    for point in points:
        if point is not None:
            out.append(f"{'L' if pen else 'M'}{px(point[0])},{px(point[1])}")
        pen = point is not None
    return "".join(out)


class Drawn(NamedTuple):
    """What was drawn of one trace: SVG, and the points that say what they are."""

    svg: str
    points: list[Point]


Paint = Callable[[str], tuple[str, float]]


def scatter(trace: Mapping[str, Any], panel: Panel, colour: str, paint: Paint, spoken: bool = False) -> Drawn:
    """Draw the area, line, error bars, markers and texts of a scatter trace.

    Arguments:
        trace: plotly's.
        panel: to draw it in.
        colour: where the trace names none.
        paint: turns a colour into CSS and opacity.
        spoken: whether the points' texts are made; default: False.

    Raises:
        FigureError: for a part that is not drawn as SVG.
    """
    xs, ys = values(trace.get("x")), values(trace.get("y"))
    places = [panel.place(x, y) for x, y in zip(xs, ys, strict=False)]
    mode = trace.get("mode") or ("lines+markers" if len(places) < 20 else "lines")
    line = trace.get("line") or {}
    marker = trace.get("marker") or {}
    own = marker.get("color")
    colour = line.get("color") or (own if isinstance(own, str) else None) or colour
    parts = [*_area(trace, places, colour, paint)]
    if "lines" in mode and amount(line.get("width"), 2) and (path := polyline(places)):
        if line.get("shape", "linear") != "linear":
            raise FigureError(f"the line shape {line['shape']!r} is not drawn as SVG; use linear")
        css, opacity = paint(colour)
        dash = DASHES.get(line.get("dash") or "")
        look = f"fill='none' stroke-width='{amount(line.get('width'), 2):g}'" + (
            f" stroke-dasharray='{dash}'" if dash else ""
        )
        parts.append(f"<path d='{path}' {look} style='stroke:{css}' stroke-opacity='{opacity:g}'/>")
    parts += _errors(trace, panel, xs, ys, places, paint)
    if "markers" in mode:
        parts += _markers(marker, places, colour, paint)
    if "text" in mode:
        parts += _texts(trace, places, paint)
    svg = "".join(parts)
    opacity = amount(trace.get("opacity"), 1)
    svg = f"<g opacity='{opacity:g}'>{svg}</g>" if opacity != 1 and svg else svg
    return Drawn(svg, list(_said(trace, xs, ys, places)) if spoken else [])


def _area(trace: Mapping[str, Any], places: list, colour: str, paint: Paint) -> Iterator[str]:
    fill = trace.get("fill") or "none"
    if fill == "none":
        return
    if fill != "toself":
        raise FigureError(f"the fill {fill!r} is not drawn as SVG; use toself, with the outline as x and y")
    css, opacity = paint(trace.get("fillcolor") or colour)
    opacity = opacity if trace.get("fillcolor") else 0.5
    yield f"<path d='{polyline(places)}Z' style='fill:{css}' fill-opacity='{opacity:g}'/>"


def _errors(trace: Mapping[str, Any], panel: Panel, xs: list, ys: list, places: list, paint: Paint) -> Iterator[str]:
    for way in ("x", "y"):
        error = trace.get(f"error_{way}") or {}
        above = values(error.get("array"))
        if not above or error.get("visible") is False:
            continue
        below = values(error.get("arrayminus")) or above
        css, _ = paint(error.get("color") or "#222222")
        cap, out = amount(error.get("width"), 4), []
        for x, y, place, up, down in zip(xs, ys, places, above, below, strict=False):
            if place is None or not finite(up) or not finite(down):
                continue
            ends = [panel.place(x + part, y) if way == "x" else panel.place(x, y + part) for part in (-down, up)]
            for end in ends:
                if end is None:
                    continue
                out.append(f"M{px(place[0])},{px(place[1])}L{px(end[0])},{px(end[1])}")
                out.append(
                    f"M{px(end[0])},{px(end[1] - cap)}v{px(2 * cap)}"
                    if way == "x"
                    else f"M{px(end[0] - cap)},{px(end[1])}h{px(2 * cap)}"
                )
        if out:
            thick = amount(error.get("thickness"), 1.5)
            yield f"<path d='{''.join(out)}' fill='none' stroke-width='{thick:g}' style='stroke:{css}'/>"


def finite(value: Any) -> bool:
    """Return whether this is a number, and not infinite."""
    return value is not None and math.isfinite(value)


def _markers(marker: Mapping[str, Any], places: list, colour: str, paint: Paint) -> Iterator[str]:
    count = len(places)
    most = int(marker.get("maxdisplayed") or 0)
    every = math.ceil(count / most) if most else 1
    names, sizes = each_of(marker.get("symbol"), count, "circle"), each_of(marker.get("size"), count, 6)
    colours = each_of(marker.get("color"), count, colour)
    if not all(isinstance(each, str) for each in colours):
        raise FigureError("markers coloured by numbers are not drawn as SVG; give their colours as text")
    edge = marker.get("line") or {}
    edges, thick = each_of(edge.get("color"), count, "#ffffff"), each_of(edge.get("width"), count, 0)
    opacity = amount(marker.get("opacity"), 1)
    looks: dict[tuple, list[str]] = {}  # one path for all markers that look alike
    for place, *look in list(zip(places, names, sizes, colours, edges, thick, strict=True))[::every]:
        if place is not None:
            name, size, *rest = look
            looks.setdefault((name.endswith("-open") or "thin" in name, *rest), []).append(
                symbol(name, place[0], place[1], amount(size, 6))
            )
    for (hollow, own, rim, width), paths in looks.items():
        css, alpha = paint(own)
        alpha *= opacity
        if hollow:
            look = f"fill='none' stroke-width='{amount(width, 0) or 1.5:g}' style='stroke:{css}' opacity='{alpha:g}'"
        else:
            stroke = f";stroke:{paint(rim)[0]}' stroke-width='{amount(width, 0):g}" if width else ""
            look = f"style='fill:{css}{stroke}' opacity='{alpha:g}'"
        yield f"<path d='{''.join(paths)}' {look}/>"


_ANCHORS = {"left": ("end", -8), "right": ("start", 8), "center": ("middle", 0)}


def _texts(trace: Mapping[str, Any], places: list, paint: Paint) -> Iterator[str]:
    font = trace.get("textfont") or {}
    colour = font.get("color")
    css, _ = paint(colour if isinstance(colour, str) else "#222222")
    count = len(places)
    wheres = each_of(trace.get("textposition"), count, "middle center")
    for place, text, where in zip(places, each_of(trace.get("text"), count, ""), wheres, strict=True):
        if place is None or not text:
            continue
        up, across = where.split()
        anchor, dx = _ANCHORS[across]
        dy = {"top": -8, "middle": 4, "bottom": 16}[up]
        x, line = place[0] + (dx if up == "middle" else dx / 2), " ".join(formats.lines(text))
        yield text_at(x, place[1] + dy, line, anchor, f" style='fill:{css}'")


def _said(trace: Mapping[str, Any], xs: list, ys: list, places: list) -> Iterator[Point]:
    if trace.get("hoverinfo") in ("skip", "none"):
        return
    count = len(places)
    template = trace.get("hovertemplate")
    custom = values(trace.get("customdata")) or [None] * count
    texts = each_of(trace.get("hovertext") or trace.get("text"), count, "")
    templates = each_of(template, count, "") if template else [""] * count
    for place, x, y, text, data, form in zip(places, xs, ys, texts, custom, templates, strict=False):
        if place is None:
            continue
        point = {"x": x, "y": y, "text": text, "customdata": data}
        shown = formats.hovered(form or ("%{text}" if text else "(%{x}, %{y})"), trace, point)
        if shown.strip():
            yield Point(place[0], place[1], shown)
