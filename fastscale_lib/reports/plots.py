"""A notebook's figures as data for a page: nothing in them runs or links."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

MIME = "application/vnd.plotly.v1+json"
_MARKUP = r"/?(?:b|i|em|strong|sup|sub|br|extra)\s*/?>"
_OTHER_TAG = re.compile(rf"<(?!{_MARKUP})")
_TAG = re.compile(rf"<{_MARKUP}")
_MOST_NAMED = 12


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


def still(figure: Mapping[str, Any]) -> dict[str, Any]:
    """Drop from a figure what only animation and hovering show."""
    unseen = {"text", "hovertext", "hovertemplate", "customdata"}
    seen = [
        each if "text" in each.get("mode", "") else {name: part for name, part in each.items() if name not in unseen}
        for each in figure["data"]
    ]
    return {"data": seen, "layout": figure["layout"] | ({"sliders": []} if "sliders" in figure["layout"] else {})}


def embedded(value: Any) -> str:
    """Write JSON that can stand in a script element without ending it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


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
