"""A plotly figure as SVG, drawn without a browser."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from . import formats, traces
from .axes import Axis
from .bars import bars, stacked
from .frame import frame
from .grid import FONT, Cell, arranged, axis_key, pairs
from .heading import heading, legend_key
from .notes import notes, shapes
from .steps import Trace, slider_steps
from .traces import FigureError, Point, px

if TYPE_CHECKING:
    import plotly.graph_objects as go

KINDS = ("scatter", "scattergl", "bar")
FAMILY = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_COLOURS = {"paper": "#ffffff", "ink": "#222222", "grid": "#e6e9ef", "soft": "#8a9099"}


class Spots(NamedTuple):
    """The points of a trace that say what they are: pixels in the picture, and text.

    `key` is that of the trace's entry in the legend; `step` is the slider's step that shows them, None for all.
    """

    key: str
    step: int | None
    points: list[tuple[float, float, str]]


class Picture(NamedTuple):
    """A figure as SVG, and what its points say."""

    svg: str
    spots: list[Spots]


def to_svg(figure: go.Figure | Mapping[str, Any], width: int = 920) -> str:
    """Draw a plotly figure as SVG, without a browser.

    Lines, areas, markers, error bars, bars, texts, legends, panels, shapes and logarithmic axes are drawn. Axes whose
    range is found show all values of all steps of a slider, and the picture shows its active step.

    Arguments:
        figure: of plotly, or its JSON as a mapping.
        width: of the picture in pixels; default: 920. The height is the figure's, with what the texts need.

    Returns:
        A complete SVG document.

    Raises:
        FigureError: names what is not drawn as SVG, such as other kinds of traces.
    """
    return picture(figure, width).svg


def picture(
    figure: go.Figure | Mapping[str, Any], width: int = 920, themed: bool = False, narrow: bool = False
) -> Picture:
    """Draw a plotly figure as SVG, with all steps of its slider.

    Arguments:
        figure: of plotly, or its JSON as a mapping.
        width: of the picture in pixels; default: 920.
        themed: whether colours are variables that a page may set (--ink, --paper, --grid, --soft, and --c0072b2 for
            #0072b2); default: False.
        narrow: one panel below the other, as on a phone; default: False.

    Returns:
        The SVG, and its points' texts; a narrow picture, which a finger scrolls, has none.

    Raises:
        FigureError: names what is not drawn as SVG.
    """
    plain = figure if isinstance(figure, Mapping) else figure.to_plotly_json()
    return _Drawing(plain, width, themed, narrow).picture()


class _Drawing:
    def __init__(self, figure: Mapping[str, Any], width: int, themed: bool, narrow: bool) -> None:
        layout: Mapping[str, Any] = figure.get("layout") or {}
        self.layout, self.width, self.narrow, self.themed = layout, width, narrow, themed
        self.paint = partial(traces.paint, themed=themed)
        data = [dict(each) for each in figure.get("data") or ()]
        sliders = list(layout.get("sliders") or ())
        self.steps = [[_placed(each) for each in step] for step in slider_steps(data, sliders)]
        active = int(sliders[0].get("active") or 0) if sliders else 0
        self.active = active if sliders else 0
        drawn = [each for step in self.steps for each in step if _visible(each)]
        for each in drawn:
            if (kind := each.get("type") or "scatter") not in KINDS:
                raise FigureError(f"traces of type {kind!r} are not drawn as SVG; known are {', '.join(KINDS)}")
        self.panels = pairs(layout, drawn) or [("xaxis", "yaxis")]
        colours = list(layout.get("colorway") or ("#636efa", "#EF553B", "#00cc96", "#ab63fa", "#FFA15A", "#19d3f3"))
        self.colours = [colours[place % len(colours)] for place in range(len(data))]
        self.stacks = [stacked(step, layout.get("barmode") or "group") for step in self.steps]
        self.axes = self._axes()

    def css(self, name: str) -> str:
        """Return one of the page's colours."""
        return f"var(--{name},{_COLOURS[name]})" if self.themed else _COLOURS[name]

    # Axes

    def _axes(self) -> dict[str, Axis]:
        names = list(dict.fromkeys(name for pair in self.panels for name in pair))
        leader = {name: self._leader(name) for name in names}
        found: dict[str, Axis] = {}
        for name in names:
            group = {each for each in names if leader[each] == leader[name]}
            values, padded, zero = self._along(group)
            found[name] = Axis(name, {**self._spec(leader[name]), **self._spec(name)}, values, padded, zero)
        return found

    def _spec(self, name: str) -> Mapping[str, Any]:
        return self.layout.get(name) or {}

    def _leader(self, name: str) -> str:
        """Follow `matches` to the axis whose range is shared."""
        seen = {name}
        while (other := self._spec(name).get("matches")) and axis_key(other) not in seen:
            name = axis_key(other)
            seen.add(name)
        return name

    def _along(self, names: set[str]) -> tuple[list[Any], bool, bool]:
        """Return the values along axes, whether markers need room, and whether bars stand there."""
        found: list[Any] = []
        padded = zero = False
        for step, stacks in zip(self.steps, self.stacks, strict=True):
            for place, trace in enumerate(step):
                if not _visible(trace):
                    continue
                for way in ("x", "y"):
                    if axis_key(trace.get(f"{way}axis") or way) not in names:
                        continue
                    values = traces.values(trace.get(way))
                    found += values
                    padded |= way == "y" or "markers" in (trace.get("mode") or "")
                    error = trace.get(f"error_{way}") or {}
                    above = traces.values(error.get("array"))
                    below = traces.values(error.get("arrayminus")) or above
                    for each, up, down in zip(values, above, below, strict=False):
                        found += [each + up, each - down] if traces.finite(up) and traces.finite(down) else []
                    if place in stacks and (way == "x") == (trace.get("orientation") == "h"):
                        base = stacks[place][0]
                        found += [start + (each or 0) for start, each in zip(base, values, strict=False)]
                        zero, padded = True, True
        return found, padded, zero

    # The whole

    def picture(self) -> Picture:
        head, top = heading(self.layout, self.steps[self.active], self.colours, self.paint, self.width)
        titles, others = self._panel_titles()
        grid = arranged(self.layout, self.axes, self.panels, titles, self.width, top, self.narrow)
        parts, spots = [head], []
        for pair, cell in grid.cells.items():
            parts += frame(cell, self.layout, self.narrow, self.paint, self.css)
            behind = "".join(shapes(self.layout.get("shapes") or (), pair, cell, self.paint))
            inside, said = self._traces(pair, cell)
            size = f"width='{px(cell.panel.width)}' height='{px(cell.panel.height)}'"
            box = f"x='{px(cell.left)}' y='{px(cell.top)}' {size} overflow='hidden'"
            parts.append(f"<svg {box}>{behind}{inside}</svg>")
            spots += said
        parts += notes(others, grid, self.paint, self.css("ink"))
        high = math.ceil(grid.bottom)
        box = f"viewBox='0 0 {self.width} {high}' width='{self.width}' height='{high}'"
        font = f'font-family="{FAMILY}" font-size="{FONT}" style="fill:{self.css("ink")}"'
        if not self.themed:
            parts.insert(0, f"<rect width='100%' height='100%' fill='{_COLOURS['paper']}'/>")
        return Picture(f"<svg xmlns='http://www.w3.org/2000/svg' {box} {font}>{''.join(parts)}</svg>", spots)

    # One panel

    def _panel_titles(self) -> tuple[dict[tuple[str, str], str], list[Mapping[str, Any]]]:
        """Return the panels' titles, which are annotations above them, and the others."""
        titles, others = {}, []
        for note in self.layout.get("annotations") or ():
            pair = next((pair for pair in self.panels if self._heads(note, pair)), None)
            if pair and pair not in titles:
                titles[pair] = note.get("text") or ""
            else:
                others.append(note)
        return titles, others

    def _heads(self, note: Mapping[str, Any], pair: tuple[str, str]) -> bool:
        if note.get("xref") != "paper" or note.get("yref") != "paper" or note.get("textangle"):
            return False
        (left, right), (_, top) = (self._spec(name).get("domain") or (0, 1) for name in pair)
        return left - 0.01 <= note.get("x", 0) <= right + 0.01 and abs(note.get("y", 0) - top) < 0.03

    def _traces(self, pair: tuple[str, str], cell: Cell) -> tuple[str, list[Spots]]:
        """Draw a panel's traces: what is the same at all steps once, what differs at each."""
        parts, spots = [], []
        for place in range(len(self.colours)):
            drawn = [self._trace(step[place], place, number, pair, cell) for number, step in enumerate(self.steps)]
            same = all(each == drawn[0] for each in drawn)
            for number, each in enumerate(drawn[:1] if same else drawn):
                if not each.svg:
                    continue
                shown, when = self.steps[number][place], None if same else number
                hidden = shown.get("visible") == "legendonly" or (when is not None and when != self.active)
                key = legend_key(place, shown)
                look = f" data-step='{when}'" * (when is not None) + " style='display:none'" * hidden
                parts.append(f"<g data-key='{formats.attribute(key)}'{look}>{each.svg}</g>")
                inside = [point for point in each.points if _inside(point, cell)]
                at = [(round(cell.left + x, 1), round(cell.top + y, 1), text) for x, y, text in inside]
                spots += [Spots(key, when, at)] if at else []
        return "".join(parts), spots

    def _trace(self, trace: Trace, place: int, number: int, pair: tuple[str, str], cell: Cell) -> traces.Drawn:
        own = (axis_key(trace.get("xaxis") or "x"), axis_key(trace.get("yaxis") or "y"))
        if trace.get("visible") is False or own != pair:
            return traces.Drawn("", [])
        if (trace.get("type") or "scatter") == "bar":
            base, slot = self.stacks[number][place]
            return bars(trace, cell.panel, self.colours[place], self.paint, base, slot)
        return traces.scatter(trace, cell.panel, self.colours[place], self.paint, spoken=not self.narrow)


def _placed(trace: Trace) -> Trace:
    """Give values without places the places 0, 1, 2 and so on, as plotly does."""
    values = {way: traces.values(trace.get(way)) for way in ("x", "y")}
    count = max(map(len, values.values()))
    return {**trace, **{way: list(each) or list(range(count)) for way, each in values.items()}}


def _visible(trace: Mapping[str, Any]) -> bool:
    return trace.get("visible") in (None, True)


def _inside(point: Point, cell: Cell) -> bool:
    return -1 <= point.x <= cell.panel.width + 1 and -1 <= point.y <= cell.panel.height + 1
