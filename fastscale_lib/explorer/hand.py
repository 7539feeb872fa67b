"""What a hand sets on the explorer's page: the values that fields mean, and their traits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import traitlets as T

from .state import SETTABLE, State

_WHOLE = ("resolution", "batch")


class Hand:
    """Does what a page's messages ask for, each once; the state says what is wrong with them.

    Arguments:
        state: whose traits are set.
        buttons: what the page's buttons do, by name.
        others: takes what is no trait, as the axes that a page shows.
    """

    def __init__(
        self, state: State, buttons: Mapping[str, Callable[[], object]], others: Callable[[str, Any], None]
    ) -> None:
        self.state, self._buttons, self._others = state, buttons, others
        self.heard: dict[str, int] = {}  # the last message of each view, which numbers its own
        self.own: dict[str, Any] = {}  # base networks that are not of the zoo, by name
        self._wrong: dict[str, str] = {}  # what is said of each trait whose value was refused
        self._said = ""

    @property
    def wrong(self) -> list[str]:
        """The fields whose values were refused, as long as the message says so."""
        return list(self._wrong) if self._said and self.state.message == self._said else []

    def hear(self, message: Mapping[str, Any]) -> bool:
        """Do what a message asks for; return False if it was done before.

        A page that hears nothing says it again.
        """
        view, number = str(message["view"]), int(message["id"])
        if number <= self.heard.get(view, 0):
            return False
        self.heard[view] = number
        self._set(message.get("set", {}))
        if press := self._buttons.get(message.get("press", "")):
            self.state.message = ""
            if why := _why_not(press):
                self.state.message = why
        return True

    def _set(self, given: Mapping[str, Any]) -> None:
        """Set traits, and say which are refused, with those refused before and not set since."""
        before = {name: self._wrong[name] for name in self.wrong if name not in given}
        wrong: dict[str, str] = {}
        if any(name in SETTABLE for name in given):
            self.state.message = ""
        for name, value in given.items():
            if name not in SETTABLE:
                self._others(name, value)
                continue
            value = self.own.get(value, value) if name == "network" else value
            if why := _why_not(lambda name=name, value=value: setattr(self.state, name, value_of(name, value))):
                wrong[name] = why
        if wrong:
            self._wrong = before | wrong
            self._said = self.state.message = "; ".join(self._wrong.values())


def _why_not(action: Callable[[], object]) -> str:
    """Do something; return what is said against it, "" if nothing is."""
    try:
        action()
    except (T.TraitError, ValueError, OSError) as error:
        return str(error)
    return ""


def value_of(name: str, given: Any) -> Any:
    """Read the number that a field's text means.

    Text that is no number stays as it is, and is refused by its trait.

    A resolution may be height × width, as 1280x800; flops may have a unit, as 1500M.
    """
    if not isinstance(given, str) or name not in (*_WHOLE, "flops", "alpha", "scale"):
        return given
    text = given.strip()
    if name == "resolution" and (sides := re.fullmatch(r"(\d{1,9})\s*[x×]\s*(\d{1,9})", text)):
        return int(sides[1]), int(sides[2])
    unit = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}.get(text[-1:], 0) if name == "flops" else 0
    try:
        value = float(Fraction((text[:-1] if unit else text).strip().strip("x×").strip()))
    except (ValueError, ZeroDivisionError, OverflowError):
        return given
    if name in _WHOLE:
        return int(value) if value.is_integer() else value
    return value * (unit or 1)
