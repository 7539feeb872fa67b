"""What a hand sets on the explorer's page: the value that a field's text means, and its trait."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import traitlets as T

from .state import SETTABLE, State

_WHOLE = ("resolution", "batch")


class Hand:
    """Does what the messages of a page ask for, each once, and says in the state what is wrong with one.

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
        self._wrong = ""  # the trait that the message is about

    @property
    def wrong(self) -> str | None:
        """The field whose value was refused, as long as the message says so."""
        return self._wrong or None if self.state.message else None

    def hear(self, message: Mapping[str, Any]) -> bool:
        """Do what a message asks for; False if it was done before, since a page that hears nothing says it again."""
        view, number = str(message["view"]), int(message["id"])
        if number <= self.heard.get(view, 0):
            return False
        self.heard[view] = number
        for name, value in message.get("set", {}).items():
            value = self.own.get(value, value) if name == "network" else value
            if name in SETTABLE:
                self._try(name, lambda name=name, value=value: setattr(self.state, name, value_of(name, value)))
            else:
                self._others(name, value)
        if press := self._buttons.get(message.get("press", "")):
            self._try("", press)
        return True

    def _try(self, name: str, action: Callable[[], object]) -> None:
        self.state.message = ""
        try:
            action()
        except (T.TraitError, ValueError, OSError) as error:
            self._wrong, self.state.message = name, str(error)


def value_of(name: str, given: Any) -> Any:
    """Read the number that a field's text means; text that is no number stays as it is, and is refused by its trait.

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
