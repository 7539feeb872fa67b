"""Shapes and annotations of a figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from . import formats, traces
from .axes import Axis
from .grid import FONT, Cell, Grid, axis_key
from .traces import FigureError, Paint, amount, px, text_at

Pair = tuple[str, str]
_LEAST_FONT = 11
_ANCHORS = {"left": "start", "right": "end"}


def _references(item: Mapping[str, Any]) -> list[list[str]]:
    """Return what x and y refer to: an axis (the first where none is named) or "paper"."""
    return [str(item.get(f"{way}ref") or way).split(" ") for way in ("x", "y")]


def _on(references: Sequence[Sequence[str]], pair: Pair) -> bool:
    """Return whether all axes that are named are those of a panel."""
    return all(name == "paper" or axis_key(name) == own for (name, *_), own in zip(references, pair, strict=True))


def _share(axis: Axis, reference: Sequence[str], value: Any, logarithm: bool) -> float:
    """Return the share of an axis at which something lies.

    On a logarithmic axis, plotly gives the logarithm of a note's place, and the place of a shape itself.
    """
    if reference[0] == "paper" or len(reference) > 1:
        return float(value)
    at = axis.part(float(value)) if logarithm and axis.kind == "log" else axis.at(value)
    if at is None:
        raise FigureError(f"{value!r} lies on no part of the axis {axis.name}")
    return at


def shapes(items: Iterable[Mapping[str, Any]], pair: Pair, cell: Cell, paint: Paint) -> Iterator[str]:
    """Draw the lines and rectangles that lie on a panel's axes, in the panel's pixels.

    Raises:
        FigureError: for another shape.
    """
    panel = cell.panel
    for shape in items:
        references = _references(shape)
        if not _on(references, pair):
            continue
        x0, x1 = (_share(panel.x, references[0], shape[name], False) * panel.width for name in ("x0", "x1"))
        y0, y1 = ((1 - _share(panel.y, references[1], shape[name], False)) * panel.height for name in ("y0", "y1"))
        line = shape.get("line") or {}
        css, alpha = paint(line.get("color") or "#222222")
        look = f"stroke-opacity='{alpha:g}' stroke-width='{amount(line.get('width'), 2):g}'"
        if dash := traces.DASHES.get(line.get("dash") or ""):
            look += f" stroke-dasharray='{dash}'"
        if shape.get("type") == "line":
            path = f"M{px(x0)},{px(y0)}L{px(x1)},{px(y1)}"
            yield f"<path d='{path}' fill='none' style='stroke:{css}' {look}/>"
        elif shape.get("type") == "rect":
            fill, share = paint(shape["fillcolor"]) if shape.get("fillcolor") else ("none", 1.0)
            share *= amount(shape.get("opacity"), 1)
            size = f"width='{px(abs(x1 - x0))}' height='{px(abs(y1 - y0))}'"
            box = f"x='{px(min(x0, x1))}' y='{px(min(y0, y1))}' {size}"
            yield f"<rect {box} fill-opacity='{share:g}' style='stroke:{css};fill:{fill}' {look}/>"
        else:
            raise FigureError(f"the shape {shape.get('type')!r} is not drawn as SVG; use line or rect")


def notes(items: Iterable[Mapping[str, Any]], grid: Grid, paint: Paint, ink: str) -> Iterator[str]:
    """Draw annotations; those outside of their axes are hidden, as plotly does.

    Arguments:
        items: plotly's annotations.
        grid: of the panels.
        paint: turns a colour into CSS and opacity.
        ink: CSS colour of texts that name none.
    """
    for note in items:
        place = _place(note, grid)
        if place is None or note.get("visible") is False or not note.get("text"):
            continue
        x, y = place
        font = note.get("font") or {}
        size = max(amount(font.get("size"), FONT), _LEAST_FONT)
        css = paint(font["color"])[0] if font.get("color") else ink
        if note.get("showarrow", True):
            dx, dy = amount(note.get("ax"), -10), amount(note.get("ay"), -30)
            yield f"<path d='M{px(x)},{px(y)}l{px(dx)},{px(dy)}' fill='none' style='stroke:{css}'/>"
            x, y = x + dx, y + dy
        lines, high = formats.lines(note["text"]), 1.25 * size
        over = high * (len(lines) - 1)
        middle = y - over / 2 + 0.35 * size
        first = {"bottom": y - over - 3, "top": y + size}.get(note.get("yanchor") or "middle", middle)
        angle = amount(note.get("textangle"), 0)
        turn = f" transform='rotate({angle:g} {px(x)} {px(y)})'" if angle else ""
        look = f" font-size='{size:g}' style='fill:{css}'{turn}"
        for row, line in enumerate(lines):
            yield text_at(x, first + row * high, line, _ANCHORS.get(note.get("xanchor") or "center", "middle"), look)


def _place(note: Mapping[str, Any], grid: Grid) -> tuple[float, float] | None:
    """Return the pixels of a note in the picture; None outside of its axes."""
    references, x, y = _references(note), note.get("x", 0), note.get("y", 0)
    if all(name == "paper" for name, *_ in references):  # of the whole: its place among the panels
        return grid.left + x * grid.width, grid.top + (1 - y) * (grid.bottom - grid.top)
    cell = next((cell for pair, cell in grid.cells.items() if _on(references, pair)), None)
    if cell is None:
        return None
    across, up = (
        _share(axis, reference, value, True)
        for axis, reference, value in zip((cell.panel.x, cell.panel.y), references, (x, y), strict=True)
    )
    for reference, at in zip(references, (across, up), strict=True):
        if len(reference) == 1 and reference[0] != "paper" and not -0.01 <= at <= 1.01:
            return None
    return cell.left + across * cell.panel.width, cell.top + (1 - up) * cell.panel.height
