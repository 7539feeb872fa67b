"""The explorer's page in a notebook: what is sent to it, and the code that it runs."""

from __future__ import annotations

import math
import time
from functools import cache, lru_cache
from typing import Any

import anywidget
import ipywidgets
import traitlets as T

from .._common.device_kinds import kind_of
from ..architectures.definition import Network
from ..architectures.resolutions import side_text
from ..architectures.traced.module_family import Family
from ..architectures.zoo import families, network
from ..figures.explorer_code import FOLDER, script
from ..figures.theme import label, style
from .app_data import (
    LEAST,
    MOST,
    STRATEGIES,
    Timing,
    network_data,
    predicting,
    rows_between,
    shipped_timings,
    times_data,
)
from .app_measured import points, shipped_rows
from .app_page import START, page_data, with_points
from .family_views import FAMILY_SCALES, FamilyViews
from .hand import Hand
from .job_queue import running_loop
from .predictions import Predictions
from .state import AUTO, State
from .timings import Timings

_TOLD_EVERY_S = 0.5  # while sizes of a family are counted
OWN = "own"  # the choice of times that are of this machine, whatever they are called


class _Code(ipywidgets.Widget):
    """The page's code, which all explorers of a kernel share."""

    script = T.Unicode().tag(sync=True)


@cache
def _made_code() -> _Code:
    return _Code(script=f"{script()}\nexport {{ mount, oneTabStop }};\n")


def _code() -> _Code:
    """Return the shared code; made anew where it was closed, as `Widget.close_all` does."""
    if _made_code().comm is None:
        _made_code.cache_clear()
    return _made_code()


class NotebookPage(anywidget.AnyWidget):
    """The traits that are sent to the page; `tell` brings them up to date."""

    _esm = FOLDER / "widget.js"
    _css = "".join((FOLDER / name).read_text(encoding="utf-8") for name in ("app.css", "widget.css"))
    _code = T.Unicode().tag(sync=True)  # a reference to the shared code
    _data = T.Dict().tag(sync=True)  # what never changes
    _base = T.Dict().tag(sync=True)  # counts of the base network
    _times = T.Dict().tag(sync=True)  # its predicted times, as far as they were asked for
    _shown = T.Dict().tag(sync=True)  # the state of the picture, and which messages of the page it follows from
    _panel = T.Dict().tag(sync=True)  # the fields of measuring, and what is said of it
    _points = T.List().tag(sync=True)  # measured times


class Teller:
    """Tells a page the state of an explorer.

    Arguments:
        page: to be told.
        state: whose traits it shows.
        timings: what was measured.
        predictions: the model of this machine.
        hand: which messages of the page have been heard.
    """

    def __init__(
        self, page: NotebookPage, state: State, timings: Timings, predictions: Predictions, hand: Hand
    ) -> None:
        self.page, self.state, self.timings, self.predictions, self.hand = page, state, timings, predictions, hand
        self.look: dict[str, Any] = {"timing": None, "count": START["count"], "absolute": False, "laws": False}
        self._more: tuple[str, ...] = ()  # strategies beyond the page's own; they keep their rows
        self._between: tuple[str, ...] = ()  # the last α that was none of the slider's, which has a row of its own
        self._telling = self._counting = False
        self._families = FamilyViews()
        self._counted: Any = None  # what the arrays of `_base` are of
        self._predicted: dict[str, dict[str, str]] = {}  # the times that were asked for, by label
        self._measured: list[dict[str, Any]] = []  # shipped points of the base network, once times were asked for
        self._own_of: Any = None  # what the times of this machine are of
        self._shipped: dict[str, Timing] = {}  # those that predict the base network
        page._code = f"IPY_MODEL_{_code().model_id}"
        strategies = [{"name": name, "says": says, "colour": style(name).colour} for name, says in STRATEGIES.items()]
        networks = [{"name": name, "timings": []} for names in families().values() for name in names]
        page._data = {"networks": networks, "strategies": strategies, "least": LEAST, "most": MOST}

    def page_data(self) -> dict[str, Any]:
        """Return what a page that needs no kernel draws."""
        shown = self._shown()
        data = page_data([self.state.base], list(self._offered().values()), shown, self._more, shipped_rows())
        header = with_points(data["networks"][0], [*self._own_points(), *data["networks"][0]["measured"]])
        labels = [each["label"] for each in header["timings"]]
        timing = labels.index(shown["timing"]) if shown["timing"] in labels else 0
        return {**data, "networks": [header], "start": {**data["start"], "timing": timing}}

    def tell(self) -> None:
        """Send what has changed."""
        page = self.page
        if self._telling:  # of what is said meanwhile, too
            return
        self._telling = True
        try:
            with page.hold_sync():
                told = {"heard": dict(self.hand.heard)}
                try:
                    self._tell_base()
                except ValueError as error:
                    if not page._base:  # there is no picture to go on with
                        raise
                    self.state.message = str(error)
                    told["network"] = page._base["name"]
                else:
                    self._tell_times()
                    page._points = self._points()
                page._shown = self._shown() | told
                page._panel = self._panel()
        finally:
            self._telling = False

    @property
    def timing(self) -> Timing | None:
        """The predicted times that the page shows, where it shows any."""
        return self._offered().get(str(self.page._shown.get("timing")))

    def confirm(self) -> None:
        """Say again what has been heard, to a page that has missed it."""
        self.page.send_state(["_shown", "_panel"])

    def show_own(self) -> None:
        """Show the times of this machine, as soon as there are any."""
        self.look["timing"] = OWN

    def show(self, name: str, value: Any) -> None:
        """Take a choice of the page that is no trait: an axis, a count, times that it lacks."""
        if name == "times":
            self._measured = points(self.state.base, shipped_rows(), list(self._offered().values()))
            timing = self._offered().get(value)
            told = times_data(self.state.base, [timing], self._rows) if timing else []
            self._predicted[value] = told[0] if told else {"label": value, "note": "", "arrays": ""}
        elif name == "timing":
            self.look["timing"] = OWN if value == self._own_label else value
        elif name in self.look:
            self.look[name] = value

    def _tell_base(self) -> None:
        """Send the counts of the base network, where it is another one, or they lack a strategy."""
        state = self.state
        if isinstance(state.base, Family):
            self._tell_family(state.base)
            return
        more = [name for name in state.strategies if name not in (*STRATEGIES, *self._more)]
        self._between = rows_between(state.alpha) or self._between
        of = (state.base, *self._more, *more, *self._between)
        if of == self._counted:
            return
        counts = _counts(state.base, of[1:])
        again = self._predicted if self._counted and self._counted[0] == state.base else {}
        if not self._in_zoo(state.network):
            self.hand.own[state.network.name] = state.network
        else:
            self.hand.own.pop(state.network.name, None)
        self._counted, self._more = of, (*self._more, *more)
        self._shipped = _shipped(state.base)
        self._send_base(counts, self._more)
        if (shown := self.page._shown.get("timing")) in again:
            self.show("times", shown)

    @property
    def _rows(self) -> tuple[str, ...]:
        return (*self._more, *self._between)

    def _send_base(self, counts: dict[str, Any], more: tuple[str, ...]) -> None:
        self._predicted, self._measured, self._own_of = {}, [], None
        looks = [{"name": name, "says": label(name), "colour": style(name).colour} for name in more]
        self.page._base = {**counts, "strategies": looks, "serial": self.page._base.get("serial", 0) + 1}

    def _tell_family(self, base: Family) -> None:
        """Send what is counted of a family; count the rest while the kernel rests, else at once."""
        state, families, loop = self.state, self._families, running_loop()
        given = (base, state.strategies, state.alpha, state.scale)
        counted = families.counted(*given)
        while families.todo and loop is None:
            families.count_next()
            counted = families.counted(*given) if not families.todo else counted
        if families.todo and loop and not self._counting:
            self._counting = True
            loop.call_soon(self._count_on, time.monotonic())
        state.status = f"counting modules: {len(families.todo)} to come" if families.todo else families.remark
        of = (given, len(counted.first))
        if of != self._counted:
            self._counted, self._shipped, self.hand.own[state.network.name] = of, {}, state.network
            more = tuple(name for name in state.strategies if name not in STRATEGIES)
            scales = [*FAMILY_SCALES, state.scale]
            told = {"stages": 0, "timings": [], "scales": scales}
            self._send_base(counted.header(base) | told, more)

    def _count_on(self, drawn: float) -> None:
        """Count one size more, and come back once the kernel has answered what came meanwhile."""
        families, loop, self._counting = self._families, running_loop(), False
        if self.timings.ended or not isinstance(self.state.network, Family) or not loop:
            return
        if families.todo:
            families.count_next()
        if not families.todo or time.monotonic() - drawn > _TOLD_EVERY_S:
            self.tell()
        else:
            self._counting = True
            loop.call_soon(self._count_on, drawn)

    @staticmethod
    def _in_zoo(base: Network) -> bool:
        return any(base.name in names for names in families().values()) and network(base.name) == base

    def _tell_times(self) -> None:
        own = self.predictions.predictor
        if own != self._own_of:
            self._own_of = own
            self._predicted.pop(self._own_label, None)
        known = [{"label": each.label, "note": each.note} for each in self._offered().values()]
        if self._own_label not in self._offered() and len(self.timings.times):
            known.insert(0, {"label": self._own_label, "note": "measured", "arrays": ""})
        labels = {each["label"] for each in known}
        others = dict.fromkeys(each["label"] for each in self._measured if each["label"] not in labels)
        known += [{"label": each, "note": "measured", "arrays": ""} for each in others]
        told = [self._predicted.get(each["label"], each) for each in known]
        self.page._times = {"name": self.state.base.name, "serial": self.page._base["serial"], "timings": told}

    @property
    def _own_label(self) -> str:
        batch, mode, precision, device = self.state.settings
        given = self.state.model is not None and self.state.model not in self.predictions.fitted.values()
        where = "the model given" if given else f"this machine: {self.state.devices.get(device, device)}"
        return f"{where}, batch {batch}, {mode} {precision}"

    def _offered(self) -> dict[str, Timing]:
        """Return the predicted times that a page may choose, those of this machine first."""
        own = self.predictions.predictor
        if not own:
            return self._shipped
        mine = Timing(self._own_label, "predicted", own.model, own.batch, own.setting)
        return {mine.label: mine} | self._shipped

    def _shown(self) -> dict[str, Any]:
        state, chosen = self.state, self.look["timing"]
        labels = [each["label"] for each in self.page._times["timings"]]
        wanted = self._own_label if chosen == OWN else chosen
        return {
            **{name: getattr(state, name) for name in ("alpha", "scale", "shown")},
            **self.look,
            "timing": wanted if wanted in labels else next(iter(labels), None),
            "network": state.base.name,
            "strategies": list(state.strategies),
        }

    def _panel(self) -> dict[str, Any]:
        """Return the fields of measuring, and what is said of it."""
        state = self.state
        devices = {AUTO: AUTO, **{name: f"{name} · {said}" for name, said in state.devices.items()}}
        devices.setdefault(state.device, state.device)
        kind = kind_of(state.settings[3]) if state.devices else None
        usable = (*kind.precisions, state.precision) if kind else State.precision.choices
        fields = {name: str(getattr(state, name)) for name in ("device", "batch", "precision", "mode")}
        return {
            "fields": {"resolution": side_text(state.resolution), **fields},
            "choices": {
                "device": list(devices.items()),
                "precision": [(each, each) for each in State.precision.choices if each in usable],
                "mode": [(each, each) for each in State.mode.choices],
            },
            **{name: getattr(state, name) for name in ("live", "busy", "progress", "status", "message")},
            "wrong": self.hand.wrong,
            "full": bool(self.timings.fits_not),  # whether a smaller batch may be searched for
        }

    def _points(self) -> list[dict[str, Any]]:
        """Return what was measured of the base network under the present settings, and shipped rows."""
        return self._own_points() + self._measured

    def _own_points(self) -> list[dict[str, Any]]:
        return [
            {
                "label": self._own_label,
                **{name: each[name] for name in ("strategy", "flops")},
                "ms": each["median_ms"],
                "low": None if math.isnan(each["low_ms"]) else each["low_ms"],
                "high": None if math.isnan(each["high_ms"]) else each["high_ms"],
                "doubt": each["doubt"] if isinstance(each["doubt"], str) else None,
                "text": each["text"].replace("<br>", "\n"),
            }
            for each in self.timings.times.to_dict("records")
        ]


@lru_cache(maxsize=8)  # for a cell that runs again, and a base network that is chosen again
def _counts(base: Network, more: tuple[str, ...]) -> dict[str, Any]:
    return network_data(base, (), more)


@lru_cache(maxsize=32)
def _shipped(base: Network) -> dict[str, Timing]:
    """Return the shipped times of a base network, by their labels."""
    return {each.label: each for each in predicting(base, shipped_timings())}
