"""What an explorer shows, without a browser: its figure as plain numbers, and its message."""

from collections.abc import Iterator
from html import escape
from typing import Any, TypeVar

import ipywidgets
import numpy as np

Kind = TypeVar("Kind", bound=ipywidgets.Widget)
AXES = tuple(f"{axis}axis{number}" for axis in "xy" for number in ("", "2", "3", "4"))


def plain(value: Any) -> Any:
    """Convert to lists, dicts and numbers; NaN becomes None, and keys with None are left out."""
    if isinstance(value, dict) and "buffer" in value:  # as it is sent to the page
        return plain(np.frombuffer(value["buffer"], value["dtype"]))
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if each is not None and key != "uid"}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else float(value)
    return value


def within(widget: Any, kind: type[Kind]) -> Iterator[Kind]:
    """Yield every widget of this kind on the page."""
    for each in getattr(widget, "children", ()):
        yield from within(each, kind)
        if isinstance(each, kind):
            yield each


def named(x: Any, written: str, kind: type[Kind]) -> Kind:
    """Return the widget of this kind with this description or tooltip."""
    [found] = [
        each
        for each in within(x, kind)
        if written in (getattr(each, "description", None), getattr(each, "tooltip", None))
    ]
    return found


def control(x: Any, written: str) -> ipywidgets.ValueWidget:
    """Return the control with this description or tooltip, which has a value."""
    return named(x, written, ipywidgets.ValueWidget)


def button(x: Any, written: str) -> ipywidgets.Button:
    return named(x, written, ipywidgets.Button)


def text(x: Any, part: str) -> str:
    """Return the HTML that holds this part."""
    [found] = [each.value for each in within(x, ipywidgets.HTML) if part in each.value]
    return found


def picture(x: Any) -> dict[str, Any]:
    """Return the figure's traces, ranges and annotations."""
    ranges = {name: plain(x.figure.layout[name].range) for name in AXES}
    notes = [plain(note.to_plotly_json()) for note in x.figure.layout.annotations]
    return {"data": [plain(trace.to_plotly_json()) for trace in x.figure.data], "ranges": ranges, "notes": notes}


def trace(x: Any, name: str, panel: str = "") -> Any:
    """Return the visible trace of a strategy, or of this name, in a panel."""
    [found] = [
        each
        for each in x.figure.data
        if name in (each.legendgroup, each.name) and each.yaxis == f"y{panel}" and each.visible is not False
    ]
    return found


def said(x: Any) -> str:
    """Return the message as it is shown; it is the one in the trait."""
    shown = text(x, "class='fastscale-message'")
    assert escape(x.message) in shown
    return x.message
