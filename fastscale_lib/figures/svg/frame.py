"""What stands around a panel: its title, grid, ticks, and the titles of its axes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import formats
from .axes import Axis, Tick, widest
from .grid import FONT, LABEL_LINE, LINE, RIGHT, TICK, Cell, label_lines, label_room, seen, shared_title, x_title
from .traces import Paint, px, text_at

Css = Callable[[str], str]


def frame(cell: Cell, layout: Mapping[str, Any], narrow: bool, paint: Paint, css: Css) -> Iterator[str]:
    """Draw all that stands around and behind a panel's traces.

    Arguments:
        cell: the panel and its place.
        layout: of the figure.
        narrow: whether the picture is narrow.
        paint: turns a colour of the figure into CSS and opacity.
        css: returns a colour of the page, such as "grid".
    """
    panel, left, top = cell.panel, cell.left, cell.top
    for row, line in enumerate(reversed(formats.lines(cell.title)) if cell.title else ()):
        over = formats.width(line, 1.06 * FONT) / 2  # of a bold line that is wider than its panel, none is cut
        x = min(left + panel.width / 2, left + panel.width + RIGHT - over)
        yield text_at(x, top - 8 - row * LINE, line, "middle", " font-weight='600'")
    across, up = panel.x.ticks(panel.width, TICK, along=True), panel.y.ticks(panel.height, TICK, along=False)
    columns = [left + tick.at * panel.width for tick in across if _gridded(panel.x)]
    rows = [top + (1 - tick.at) * panel.height for tick in up if _gridded(panel.y)]
    yield _strokes(css("grid"), [*(_upright(cell, x) for x in columns), *(_level(cell, y) for y in rows)])
    yield from _zero_lines(cell, paint, css)
    small = [f"M{px(left + part * panel.width)},{px(top + panel.height)}v3" for part in panel.x.small_ticks()]
    small += [f"M{px(left)},{px(top + (1 - part) * panel.height)}h-3" for part in panel.y.small_ticks()]
    yield _strokes(css("soft"), small)
    yield from _below(cell, across, narrow)
    yield from _aside(cell, up, layout, narrow)


def _upright(cell: Cell, x: float) -> str:
    return f"M{px(x)},{px(cell.top)}v{px(cell.panel.height)}"


def _level(cell: Cell, y: float) -> str:
    return f"M{px(cell.left)},{px(y)}h{px(cell.panel.width)}"


def _strokes(colour: str, paths: list[str]) -> str:
    return f"<path d='{''.join(paths)}' fill='none' style='stroke:{colour}'/>" if paths else ""


def _zero_lines(cell: Cell, paint: Paint, css: Css) -> Iterator[str]:
    for axis in (cell.panel.x, cell.panel.y):
        at = axis.part(0)
        if axis.kind != "linear" or axis.spec.get("zeroline") is False or not seen(axis.spec) or not 0 <= at <= 1:
            continue
        own = axis.spec.get("zerolinecolor")
        upright = axis is cell.panel.x
        line = _upright(cell, cell.left + at * cell.panel.width) if upright else _level(cell, _height(cell, at))
        yield _strokes(paint(own)[0] if own else css("soft"), [line])


def _height(cell: Cell, at: float) -> float:
    return cell.top + (1 - at) * cell.panel.height


def _shown(axis: Axis, narrow: bool) -> bool:
    return seen(axis.spec) and (narrow or axis.spec.get("showticklabels") is not False)


def _gridded(axis: Axis) -> bool:
    return seen(axis.spec) and axis.spec.get("showgrid") is not False


def _below(cell: Cell, ticks: list[Tick], narrow: bool) -> Iterator[str]:
    panel, below, rows = cell.panel, cell.top + cell.panel.height + 4, 1
    if _shown(panel.x, narrow):
        for tick in ticks:
            lines = formats.lines(tick.text)
            x = min(tick.at * panel.width, panel.width + RIGHT - widest(tick.text, TICK) / 2)  # the last is not cut
            for row, line in enumerate(lines):
                yield text_at(cell.left + x, below + TICK + row * (TICK + 3), line, "middle")
            rows = max(rows, len(lines))
        below += (TICK + 3) * rows + 3
    for row, line in enumerate(x_title(panel.x, panel.width)):
        yield text_at(cell.left + panel.width / 2, below + LINE * (row + 1) - 2, line, "middle")


def _aside(cell: Cell, ticks: list[Tick], layout: Mapping[str, Any], narrow: bool) -> Iterator[str]:
    axis, aside = cell.panel.y, cell.left - 8
    if _shown(axis, narrow):
        wide, room = 0.0, label_room(ticks, cell.panel.height)
        for tick in ticks:
            lines = label_lines(tick.text, narrow, room)
            middle = _height(cell, tick.at) + 4.5 - (len(lines) - 1) * LABEL_LINE / 2
            for row, line in enumerate(lines):
                yield text_at(aside, middle + row * LABEL_LINE, line, "end")
                wide = max(wide, formats.width(line, TICK))
        aside -= wide + 4
    title = shared_title(axis, layout, narrow)
    for row, line in enumerate(reversed(formats.lines(title)) if title else ()):
        x, y = aside - 4 - row * LINE, cell.top + cell.panel.height / 2
        yield text_at(x, y, line, "middle", f" transform='rotate(-90 {px(x)} {px(y)})'")
