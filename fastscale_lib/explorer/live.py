"""A plotly figure in the notebook that is told only what changed, and knows its present state after a reload."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import traitlets as T
from plotly.serializers import _py_to_js

from .panels import Traces

_AT_ONCE = {"frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}, "mode": "afterall"}
_MOVED = {"x", "y", "text"}  # what may change without a full redraw
_DELTAS = ("_js2py_traceDeltas", "_js2py_layoutDelta")


class LiveFigure(go.FigureWidget):
    """Traces by name; `draw` sends what differs from what is drawn, past plotly's validation.

    Moved points are sent as an animation frame of no duration, which redraws neither axes nor legend: it takes
    about a third of a restyle's time.
    """

    _esm = Path(__file__).with_name("live.js").read_text("utf-8")
    _plotly = T.Unicode(resources.files("plotly").joinpath("package_data/widgetbundle.js").read_text("utf-8")).tag(
        sync=True
    )

    def __init__(self, traces: Traces, layout: dict[str, Any]) -> None:
        self._present, self._moves = False, 0
        super().__init__(list(traces.values()), layout)
        self._drawn = traces
        self._ranges = {name: axis["range"] for name, axis in layout.items() if _is_axis(name) and "range" in axis}
        self._present = True
        self._config = {
            **dict(self._config or {}),
            "doubleClick": "autosize",
            "displaylogo": False,
            "responsive": True,
            "showSendToCloud": False,
        }
        # What the page says back of a change costs time at every move and tells nothing new.
        self.keys = [key for key in self.keys if key not in _DELTAS]

    def _handler_js2py_traceDeltas(self, change: Any) -> None:
        """Not observed, see `keys`."""

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """The state for a page that is loaded anew: the present traces and layout, not the first ones."""
        state = super().get_state(key, drop_defaults)
        if self._present and key is None:
            present = {"_widget_data": self._data, "_widget_layout": self._layout, "_py2js_animate": None}
            state |= {name: _py_to_js(now, None) for name, now in present.items()}
        return state

    def _send_animate_msg(self, styles_data: Any, relayout_data: Any, trace_indexes: Any, animation_opts: Any) -> None:
        """As plotly's, but in one message rather than four: no edit is counted, and the message is not taken back."""
        self._moves += 1
        self._py2js_animate = {
            "style_data": styles_data,
            "style_traces": trace_indexes,
            "layout_data": relayout_data,
            "animation_opts": animation_opts,
            "trace_edit_id": self._moves,  # makes each message a change
            "layout_edit_id": self._moves,
            "source_view_id": None,
        }

    def draw(self, traces: Traces, layout: dict[str, Any], reset: bool = False) -> None:
        """Show these traces, under these axes' ranges and annotations.

        Arguments:
            traces: by name.
            layout: as for the constructor; an axis that the user has zoomed keeps its range,
            reset: unless this is set.
        """
        if list(traces) != list(self._drawn):
            self._replace(traces)
        changes = {}
        for index, (name, trace) in enumerate(traces.items()):
            if changed := _changes(self._drawn[name], trace):
                changes[index] = changed
        moved = self._layout_changes(layout, reset)
        self._drawn = traces
        for index, changed in changes.items():
            self._data[index].update(changed)
        ranges_only = all(key.endswith(".range") for key in moved)
        if ranges_only and all(changed.keys() <= _MOVED for changed in changes.values()):
            if changes:
                self._send_animate_msg(list(changes.values()), moved, list(changes), _AT_ONCE)
            elif moved:
                self._send_relayout_msg(moved)
        else:
            self._send_changes(changes, moved)

    def _replace(self, traces: Traces) -> None:
        """Other traces than before, as when a strategy is new."""
        self.data = ()
        self.add_traces(list(traces.values()))
        self._drawn = traces

    def _send_changes(self, changes: dict[int, dict[str, Any]], moved: dict[str, Any]) -> None:
        """Everything else: a full redraw."""
        keys = sorted({key for changed in changes.values() for key in changed})
        # One array of values a key, with an entry a trace: what a trace keeps is sent again.
        styles = {key: [self._data[index].get(key) for index in changes] for key in keys}
        self._send_update_msg(styles, moved, list(changes) or None)

    def _layout_changes(self, layout: dict[str, Any], reset: bool) -> dict[str, Any]:
        """What is to be changed in the layout, by plotly's dotted names; it is noted as the present state."""
        moved: dict[str, Any] = {}
        for name, axis in layout.items():
            if not (_is_axis(name) and "range" in axis):
                continue
            now = self._layout[name]
            zoomed = now.get("autorange") or not np.allclose(now.get("range", np.nan), self._ranges[name])
            if axis["range"] != self._ranges[name] and (reset or not zoomed):
                moved[f"{name}.range"] = now["range"] = self._ranges[name] = axis["range"]
                now.pop("autorange", None)
        if layout["annotations"] != self._layout.get("annotations"):
            moved["annotations"] = self._layout["annotations"] = layout["annotations"]
        return moved


def _is_axis(name: str) -> bool:
    return name.startswith(("xaxis", "yaxis"))


def _changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in new.items() if not _same(old.get(key), value)}


def _same(old: Any, new: Any) -> bool:
    if old is new:
        return True
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        return np.array_equal(old, new, equal_nan=True)
    if isinstance(old, np.ndarray) or isinstance(new, np.ndarray):
        return False
    return old == new
