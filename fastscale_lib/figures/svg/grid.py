"""Where the panels of a figure lie: rows and columns, with room for labels and titles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from . import formats
from .axes import Axis, Tick
from .traces import FigureError, Panel, amount

FONT, TICK = 13, 13  # pixels: of texts, and of the labels of ticks
LINE = 18
RIGHT = 20.0  # pixels right of a panel
LEAST_PANEL = 220  # pixels: height of a panel in a narrow picture
LABEL_LINE = 14  # pixels: of the lines of a broken label beside a y axis
INDENT = 80  # pixels: a panel that needs so much less room for its labels than its column has begins further left


class Cell(NamedTuple):
    """A panel with the pixels of its upper left corner in the picture, and its title."""

    panel: Panel
    left: float
    top: float
    title: str


class Grid(NamedTuple):
    """The panels by the names of their axes, and the pixels that all of them take."""

    cells: dict[tuple[str, str], Cell]
    left: float
    top: float
    width: float
    bottom: float


def axis_key(reference: str) -> str:
    """Return an axis's key in the layout: "xaxis2" of "x2"."""
    return f"{reference[0]}axis{reference[1:]}"


def pairs(layout: Mapping[str, Any], traces: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the two axes of each panel, by their keys in the layout."""
    found = {(axis_key(each.get("xaxis") or "x"), axis_key(each.get("yaxis") or "y")): None for each in traces}
    for name, axis in layout.items():
        if re.fullmatch(r"xaxis\d*", name) and (axis.get("anchor") or "").startswith("y"):
            found.setdefault((name, axis_key(axis["anchor"])), None)
    return list(found)


def _domain(spec: Mapping[str, Any]) -> tuple[float, float]:
    low, high = spec.get("domain") or (0.0, 1.0)
    return round(low, 4), round(high, 4)


def _spans(domains: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the different domains in order, which may not overlap."""
    found = sorted(set(domains))
    for (_, end), (start, _) in pairwise(found):
        if start < end - 1e-3:
            raise FigureError("panels that overlap, or span several columns, are not drawn as SVG")
    return found


def arranged(
    layout: Mapping[str, Any],
    axes: Mapping[str, Axis],
    panels: Sequence[tuple[str, str]],
    titles: Mapping[tuple[str, str], str],
    width: float,
    top: float,
    narrow: bool,
) -> Grid:
    """Place the panels.

    Arguments:
        layout: of the figure.
        axes: by their keys in the layout.
        panels: pairs of such keys.
        titles: of the panels that have one.
        width: of the picture in pixels.
        top: pixels above the panels.
        narrow: one panel below the other.

    Raises:
        FigureError: if panels overlap.
    """
    domain = {name: _domain(layout.get(name, {})) for pair in panels for name in pair}
    margin = {"t": 80, "b": 60, **(layout.get("margin") or {})}
    height = amount(layout.get("height"), 450) - amount(margin["t"], 80) - amount(margin["b"], 60)
    columns = _spans([domain[x] for x, _ in panels])
    rows = _spans([domain[y] for _, y in panels])[::-1]
    place = {pair: (rows.index(domain[pair[1]]), columns.index(domain[pair[0]])) for pair in panels}
    heights = [max((high - low) * height, 60) for low, high in rows]
    if narrow:
        order = sorted(panels, key=lambda pair: place[pair])
        heights = [
            max(heights[place[pair][0]], LEAST_PANEL, _height_of_labels(axes[pair[1]], heights[place[pair][0]]))
            for pair in order
        ]
        place = {pair: (row, 0) for row, pair in enumerate(order)}
        columns = [(0.0, 1.0)]
    labelled = {pair: _labels_shown(layout, pair, narrow) for pair in panels}
    beside = {
        pair: _left(axes[pair[1]], heights[row], labelled[pair][1], layout, narrow) for pair, (row, _) in place.items()
    }
    left = [10.0] * len(columns)
    for pair, (_, column) in place.items():
        left[column] = max(left[column], beside[pair])
    free = width - sum(left) - RIGHT * len(columns)
    if free < 40 * len(columns):
        raise FigureError("the labels leave no room for the panels")
    shares = [high - low for low, high in columns]
    widths = [free * share / sum(shares) for share in shares]
    rooms = [each + left[i] for i, each in enumerate(widths)] if len(widths) > 1 else [width]
    titles = {
        pair: "<br>".join(formats.wrapped(titles[pair], 1.06 * FONT, rooms[column]))
        for pair, (_, column) in place.items()
        if pair in titles
    }
    above, bottom = [8.0] * len(heights), [10.0] * len(heights)
    for pair, (row, column) in place.items():
        above[row] = max(above[row], 8 + LINE * len(formats.lines(titles[pair]))) if pair in titles else above[row]
        bottom[row] = max(bottom[row], _below(axes[pair[0]], widths[column], labelled[pair][0]))
    lefts = [sum(left[: i + 1]) + sum(widths[:i]) + RIGHT * i for i in range(len(columns))]
    tops = [top + sum(above[: i + 1]) + sum(heights[:i]) + sum(bottom[:i]) for i in range(len(heights))]
    unused = {pair: left[column] - beside[pair] for pair, (_, column) in place.items()}
    unused = {pair: room if room > INDENT else 0 for pair, room in unused.items()}
    cells = {
        pair: Cell(
            Panel(axes[pair[0]], axes[pair[1]], widths[column] + unused[pair], heights[row]),
            lefts[column] - unused[pair],
            tops[row],
            titles.get(pair, ""),
        )
        for pair, (row, column) in place.items()
    }
    end = tops[-1] + heights[-1] + bottom[-1]
    return Grid(cells, lefts[0], tops[0], lefts[-1] + widths[-1] - lefts[0], end)


def _labels_shown(layout: Mapping[str, Any], pair: tuple[str, str], narrow: bool) -> tuple[bool, bool]:
    specs = [layout.get(name, {}) for name in pair]
    x, y = (seen(spec) and (narrow or spec.get("showticklabels") is not False) for spec in specs)
    return x, y


def seen(spec: Mapping[str, Any]) -> bool:
    """Return whether anything of an axis is shown."""
    return spec.get("visible") is not False


def axis_title(spec: Mapping[str, Any]) -> str:
    """Return an axis's title, or ""."""
    title = "" if not seen(spec) else spec.get("title") or ""
    return title if isinstance(title, str) else title.get("text") or ""


def x_title(axis: Axis, width: float) -> list[str]:
    """Return the lines of an x axis's title, broken to its panel's width and some more."""
    title = axis_title(axis.spec)
    return formats.wrapped(title, FONT, width + 30) if title else []


def shared_title(axis: Axis, layout: Mapping[str, Any], narrow: bool) -> str:
    """Return a y axis's title: in a narrow picture also that of the axis which it follows."""
    other = axis.spec.get("matches")
    return axis_title(axis.spec) or (axis_title(layout.get(axis_key(other), {})) if narrow and other else "")


def label_lines(text: str, narrow: bool, room: float) -> list[str]:
    """Return the lines of a label of the y axis; long ones are broken, where these find room.

    Arguments:
        text: of the label.
        narrow: whether the picture is narrow.
        room: pixels from one label to the next.
    """
    most = 18 if narrow else 36
    lines = _broken(text, most)
    while most < len(text) and len(lines) * LABEL_LINE > room and not narrow:
        most += 4
        lines = _broken(text, most)
    return lines


def _broken(text: str, most: int) -> list[str]:
    if len(text) <= most:
        return formats.lines(text)
    lines = [""]
    for word in formats.plain(text).split():
        longer = f"{lines[-1]} {word}".strip()
        lines = [*lines[:-1], longer] if len(longer) <= most or not lines[-1] else [*lines, word]
    return lines


def label_room(ticks: Sequence[Tick], height: float) -> float:
    """Return the least number of pixels from one label beside a y axis to the next."""
    return min((height * abs(after.at - before.at) for before, after in pairwise(ticks)), default=height)


def _height_of_labels(axis: Axis, height: float) -> float:
    """Return the height in which a narrow picture's labels of a y axis keep apart."""
    ticks = axis.ticks(height, TICK, along=False) if axis.kind == "category" else []
    rows = max((len(label_lines(tick.text, True, height)) for tick in ticks), default=0)
    return height * rows * LABEL_LINE / label_room(ticks, height) if len(ticks) > 1 else 0


def _below(axis: Axis, width: float, labelled: bool) -> float:
    """Return the pixels that an x axis's labels and title need."""
    texts = [tick.text for tick in axis.ticks(width, TICK, along=True)] if labelled else []
    rows = max((len(formats.lines(text)) for text in texts), default=0)
    return 8 + (TICK + 3) * rows + 3 * bool(rows) + 4 + LINE * len(x_title(axis, width))


def _left(axis: Axis, height: float, labelled: bool, layout: Mapping[str, Any], narrow: bool) -> float:
    ticks = axis.ticks(height, TICK, along=False) if labelled else []
    room = label_room(ticks, height)
    lines = (line for tick in ticks for line in label_lines(tick.text, narrow, room))
    widest = max((formats.width(line, TICK) for line in lines), default=0.0)
    title = shared_title(axis, layout, narrow)
    return 14 + widest + (LINE * len(formats.lines(title)) + 4 if title else 0)
