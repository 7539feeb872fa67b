"""What a hand does with an explorer, and what its page is told, without a browser."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np

_NUMBERS = count(1)


def hand(x: Any, **changed: Any) -> None:
    """Set traits as the page does: by a message, in which a field's value is its text."""
    x._handle_custom_msg({"view": "test", "id": next(_NUMBERS), "set": changed}, [])


def press(x: Any, button: str) -> None:
    """Press one of the page's buttons: "time", "predict" or "cancel"."""
    x._handle_custom_msg({"view": "test", "id": next(_NUMBERS), "press": button}, [])


def shown(x: Any) -> dict[str, Any]:
    """Return the state that the page shows, but for which messages it follows from."""
    return {name: value for name, value in x._shown.items() if name != "heard"}


def measuring(x: Any) -> dict[str, Any]:
    """Return what the fields of measuring show."""
    return x._panel


def picture(x: Any) -> dict[str, Any]:
    """Return what the picture follows from: the state, the base network, which times there are, measured points."""
    base = {name: x._base[name] for name in ("name", "resolution", "base")}
    times = [each["label"] for each in x._times["timings"]]
    return {"shown": shown(x), "base": base, "times": times, "points": x._points}


def plain(value: Any) -> Any:
    """Convert to lists, dicts and numbers; NaN becomes None, and keys with None are left out."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if each is not None and key != "uid"}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else float(value)
    return value


def trace(figure: Any, name: str, panel: str = "") -> Any:
    """Return the visible trace of a strategy, or of this name, in a panel of `to_figure`."""
    [found] = [
        each
        for each in figure.data
        if name in (each.legendgroup, each.name) and each.yaxis == f"y{panel}" and each.visible is not False
    ]
    return found


def said(x: Any) -> str:
    """Return the message as it is shown; it is the one in the trait."""
    assert x._panel["message"] == x.message
    return x.message
