"""What an explorer shows, without a browser: its figure as plain numbers, and its message."""

from collections.abc import Iterator
from html import escape

import ipywidgets
import numpy as np

AXES = tuple(f"{axis}axis{number}" for axis in "xy" for number in ("", "2", "3", "4"))


def plain(value):
    """As lists, dicts and numbers, however it is kept; NaN is None, and what is None is left out."""
    if isinstance(value, dict) and "buffer" in value:  # as it is sent to the page
        return plain(np.frombuffer(value["buffer"], value["dtype"]))
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if each is not None and key != "uid"}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else float(value)
    return value


def within(widget, kind=ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """Every widget of this kind on the page."""
    for each in getattr(widget, "children", ()):
        yield from within(each, kind)
        if isinstance(each, kind):
            yield each


def control(x, written: str) -> ipywidgets.Widget:
    """The control with this description or tooltip."""
    [found] = [
        each
        for each in within(x, ipywidgets.DOMWidget)
        if written in (getattr(each, "description", None), getattr(each, "tooltip", None))
    ]
    return found


def text(x, part: str) -> str:
    """The HTML that holds this part."""
    [found] = [each.value for each in within(x, ipywidgets.HTML) if part in each.value]
    return found


def picture(x) -> dict:
    """The figure's traces, ranges and annotations."""
    ranges = {name: plain(x.figure.layout[name].range) for name in AXES}
    notes = [plain(note.to_plotly_json()) for note in x.figure.layout.annotations]
    return {"data": [plain(trace.to_plotly_json()) for trace in x.figure.data], "ranges": ranges, "notes": notes}


def trace(x, name: str, panel: str = ""):
    """The visible trace of a strategy, or of this name, in a panel."""
    [found] = [
        each
        for each in x.figure.data
        if name in (each.legendgroup, each.name) and each.yaxis == f"y{panel}" and each.visible is not False
    ]
    return found


def said(x) -> str:
    """The message as it is shown; it is the one in the trait."""
    shown = text(x, "class='fastscale-message'")
    assert escape(x.message) in shown
    return x.message
