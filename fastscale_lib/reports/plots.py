"""A notebook's figures as data for a page: nothing in them runs or links."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..figures.svg.plot import picture
from ..figures.svg.traces import FigureError

MIME = "application/vnd.plotly.v1+json"
_MARKUP = r"/?(?:b|i|em|strong|sup|sub|br|extra)\s*/?>"
_OTHER_TAG = re.compile(rf"<(?!{_MARKUP})")
_TAG = re.compile(rf"<{_MARKUP}")
_MOST_NAMED = 12
WIDE, NARROW = 920, 360  # pixels: the column of a page, and a phone
DARK_PAPER = (0x16, 0x18, 0x1D)  # --paper of page.css
LEAST_CONTRAST = 4.5
# Not drawn as SVG, or no figure as plotly makes them, which a notebook's file may hold all the same.
_UNDRAWN = (FigureError, AttributeError, IndexError, KeyError, TypeError, ValueError)


def defused(value: Any) -> Any:
    """Keep bold, italics, indices and line breaks as the only markup of a figure.

    plotly reads tags in titles, names and hover texts; links and styles are shown as text instead. Numbers that are not
    finite, which JSON lacks, become null.
    """
    if isinstance(value, str):
        return _OTHER_TAG.sub("&lt;", value)
    if isinstance(value, Mapping):
        return {key: defused(each) for key, each in value.items()}
    if isinstance(value, list):
        return [defused(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Drawing(NamedTuple):
    """A figure as SVG for a wide and a narrow page, and what the page's script reads.

    Attributes:
        wide: SVG of 920 pixels.
        narrow: SVG of 360 pixels, one panel below the other.
        data: texts of the points, and name, labels and active step of the slider, if it has one.
    """

    wide: str
    narrow: str
    data: dict[str, Any]


def drawing(figure: Mapping[str, Any]) -> Drawing | None:
    """Draw a figure as SVG; None where it holds what is not drawn so, and plotly has to."""
    try:
        wide, narrow = picture(figure, WIDE, themed=True), picture(figure, NARROW, themed=True, narrow=True)
    except _UNDRAWN:
        return None
    return Drawing(
        wide.svg, narrow.svg, {"spots": wide.spots, "slider": _slider(figure["layout"].get("sliders") or ())}
    )


def still(figure: Mapping[str, Any], width: int) -> str | None:
    """Draw a figure as SVG that a page shows small; None where plotly would have to draw it."""
    for room in (width, WIDE):  # where long labels leave the panels no room, all of it is shown smaller
        try:
            return picture(figure, room, themed=True).svg
        except _UNDRAWN:
            continue
    return None


def _slider(sliders: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if not sliders:
        return None
    prefix = (sliders[0].get("currentvalue") or {}).get("prefix") or ""
    labels = [str(step.get("label") or place) for place, step in enumerate(sliders[0].get("steps") or ())]
    return {
        "name": re.sub(r"[\s=:]+$", "", prefix) or "step",
        "labels": labels,
        "active": int(sliders[0].get("active") or 0),
    }


def dark_colours(text: str) -> str:
    """Return CSS that sets the pictures' colours for dark paper, lightened until they show."""
    used = sorted(set(re.findall(r"var\(--c([0-9a-f]{6}),", text)))
    return "".join(f"--c{colour}:{_on_dark(colour)};" for colour in used)


def _on_dark(colour: str) -> str:
    rgb = [int(colour[i : i + 2], 16) for i in (0, 2, 4)]
    if max(rgb) - min(rgb) < 16:  # greys are turned round
        rgb = [255 - part for part in rgb]
    while _contrast(rgb, DARK_PAPER) < LEAST_CONTRAST:
        rgb = [part + (255 - part) * 0.1 for part in rgb]
    return "#" + "".join(f"{round(part):02x}" for part in rgb)


def _contrast(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the contrast of two colours as WCAG 2 defines it."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(rgb: Sequence[float]) -> float:
    parts = (value / 255 for value in rgb)
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def described(figure: Mapping[str, Any]) -> str:
    """Describe a figure in words: its title, panels, axes, and what is drawn."""
    layout, traces = figure.get("layout") or {}, figure.get("data") or []
    parts = {
        "panels": [note.get("text") for note in layout.get("annotations") or () if note.get("text")],
        "from left to right": _axes(layout, "x"),
        "upwards": _axes(layout, "y"),
        "shown": [each.get("name") for each in traces if each.get("showlegend") is not False],
    }
    said = [_title(layout)] if _title(layout) else []
    said += [f"{what}: {_listed(texts)}" for what, texts in parts.items() if any(texts)]
    said += ["a slider changes what is drawn"] if layout.get("sliders") else []
    return "Figure: " + "; ".join(said) + "."


def _title(holder: Mapping[str, Any] | None) -> str:
    text = (holder or {}).get("title") or ""
    return _plain(text if isinstance(text, str) else text.get("text") or "")


def _axes(layout: Mapping[str, Any], letter: str) -> list[str]:
    return [_title(axis) for name, axis in layout.items() if re.fullmatch(rf"{letter}axis\d*", name)]


def _listed(texts: Iterable[str | None]) -> str:
    known = list(dict.fromkeys(filter(None, (_plain(text or "") for text in texts))))
    more = len(known) - _MOST_NAMED
    return ", ".join(known[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _plain(text: str) -> str:
    """Strip plotly's markup, and join lines."""
    return html.unescape(" ".join(_TAG.sub(" ", text).split()))
