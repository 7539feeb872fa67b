"""The steps of a figure's slider, as the traces that each of them shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from .traces import FigureError

Trace = dict[str, Any]


def slider_steps(data: Sequence[Trace], sliders: Sequence[Mapping[str, Any]]) -> list[list[Trace]]:
    """Return the traces at each step of the slider; the traces alone where there is no slider.

    Raises:
        FigureError: for several sliders, or a step that changes anything but traces.
    """
    if not sliders:
        return [list(data)]
    if len(sliders) > 1:
        raise FigureError("several sliders are not drawn as SVG")
    found = []
    for step in sliders[0].get("steps") or ():
        method, arguments = step.get("method") or "restyle", step.get("args") or []
        if method not in ("restyle", "update", "skip") or (method == "update" and len(arguments) > 1 and arguments[1]):
            raise FigureError(f"a slider that calls {method!r} is not drawn as SVG; use restyle")
        found.append(_restyled(data, arguments) if method != "skip" else list(data))
    return found


def _restyled(data: Sequence[Trace], arguments: Sequence[Any]) -> list[Trace]:
    changes = arguments[0] if arguments else {}
    which = arguments[-1] if len(arguments) > 1 and isinstance(arguments[-1], (list, int)) else range(len(data))
    which = [which] if isinstance(which, int) else list(which)
    traces = [copy(trace) for trace in data]
    for path, value in changes.items():
        values = value if isinstance(value, list) else [value]
        for place, index in enumerate(which):
            *outer, last = path.split(".")
            holder = traces[index]
            for name in outer:
                holder[name] = copy(holder.get(name) or {})
                holder = holder[name]
            holder[last] = values[place % len(values)] if values else None
    return traces
