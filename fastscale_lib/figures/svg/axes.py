"""Axes of a figure: the range, the places of values in it, and the ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from . import formats

PAD = 0.05  # of the range, at both ends, where it is found from the values
LEAST_GAP = 6.0  # pixels between two labels
_DIGITS = {"D1": range(1, 10), "D2": (1, 2, 5)}


class Tick(NamedTuple):
    """A tick: its place from 0 to 1 along the axis, and its text; "" for a small one."""

    at: float
    text: str


class Axis:
    """An axis with its range: linear, logarithmic, or of categories.

    Arguments:
        name: its key in the layout, such as "xaxis2".
        spec: what the layout says of it.
        values: all values that are drawn along it, as numbers or categories.
        padded: whether a found range is wider than the values; default: True.
        zero: whether bars stand on it, so that a found range holds 0; default: False.
    """

    def __init__(
        self, name: str, spec: Mapping[str, Any], values: Iterable[Any], padded: bool = True, zero: bool = False
    ) -> None:
        self.name, self.spec = name, spec
        known = [
            value for value in values if value is not None and not (isinstance(value, float) and math.isnan(value))
        ]
        texts = [value for value in known if isinstance(value, str)]
        self.kind = spec.get("type") or ("category" if texts and len(texts) == len(known) else "linear")
        self.categories = list(dict.fromkeys([*(spec.get("categoryarray") or ()), *map(str, known)]))
        if self.kind != "category":
            self.categories = []
        places = [place for place in map(self._place, known) if place is not None]
        self.low, self.high = self._range(places, padded, zero)

    def _place(self, value: Any) -> float | None:
        """Return the logarithm of a value, the index of its category, or the value."""
        if self.kind == "category":
            return float(self.categories.index(str(value))) if str(value) in self.categories else None
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
        if self.kind == "log":
            return math.log10(number) if number > 0 and math.isfinite(number) else None
        return number if math.isfinite(number) else None

    def _range(self, places: Sequence[float], padded: bool, zero: bool) -> tuple[float, float]:
        given = self.spec.get("range")
        if given and None not in given:
            return float(given[0]), float(given[1])
        if self.kind == "category":
            low, high = -0.5, len(self.categories) - 0.5
        elif not places:
            low, high = 0.0, 1.0
        else:
            low, high = min(places), max(places)
            to_zero = self.kind == "linear" and (self.spec.get("rangemode") in ("tozero", "nonnegative") or zero)
            if to_zero:
                low, high = min(low, 0.0), max(high, 0.0)
            span = high - low or (1.0 if self.kind == "log" else abs(high) or 1.0)
            pad = PAD * span if padded or high == low else 0.0
            low, high = low - (0 if to_zero and low == 0 else pad), high + (0 if to_zero and high == 0 else pad)
        return (high, low) if self.spec.get("autorange") == "reversed" else (low, high)

    def at(self, value: Any) -> float | None:
        """Return the place of a value: 0 at the start of the axis, 1 at its end; None for none."""
        place = self._place(value)
        return None if place is None else self.part(place)

    def part(self, place: float) -> float:
        """Return what share of the axis lies before a place in the axis's own numbers."""
        return (place - self.low) / (self.high - self.low)

    def ticks(self, pixels: float, size: float, along: bool) -> list[Tick]:
        """Choose the ticks that are labelled without running into each other.

        Arguments:
            pixels: length of the axis.
            size: of the labels' font, in pixels.
            along: whether the labels stand one after another (an x axis), or one above another.
        """
        found = self._own_ticks() if self.spec.get("tickvals") is not None else self._found_ticks(pixels, along)
        found = [(rank, tick) for rank, tick in found if -1e-6 <= tick.at <= 1 + 1e-6]
        kept: list[Tick] = []
        for _, tick in sorted(found, key=lambda each: each[0]):
            apart = (self._clear(tick, other, pixels, size, along) for other in kept)
            if all(apart):
                kept.append(tick)
        return sorted(kept)

    @staticmethod
    def _clear(tick: Tick, other: Tick, pixels: float, size: float, along: bool) -> bool:
        room = (widest(tick.text, size) + widest(other.text, size)) / 2 if along else size
        return abs(tick.at - other.at) * pixels >= room + (LEAST_GAP if along else 1)

    def small_ticks(self) -> list[float]:
        """Return the places of all digits of a logarithmic axis, where the layout asks for them."""
        if self.kind != "log" or (self.spec.get("minor") or {}).get("dtick") != "D1":
            return []
        return [part for _, part, _ in self._digits(range(1, 10)) if 0 <= part <= 1]

    def _own_ticks(self) -> list[tuple[int, Tick]]:
        values = list(self.spec["tickvals"])
        texts = self.spec.get("ticktext")
        texts = [self._text(value) for value in values] if texts is None else list(texts)
        placed = ((self.at(value), str(text)) for value, text in zip(values, texts, strict=False))
        return [(0, Tick(at, text)) for at, text in placed if at is not None]

    def _found_ticks(self, pixels: float, along: bool) -> list[tuple[int, Tick]]:
        if self.kind == "category":
            return [(0, Tick(self.part(place), name)) for place, name in enumerate(self.categories)]
        most = int(self.spec.get("nticks") or 0) or max(2, int(pixels / (70 if along else 40)))
        if self.kind == "linear":
            return self._linear(self.spec.get("dtick") or step(abs(self.high - self.low), most))
        named = self.spec.get("dtick")
        if named in _DIGITS:
            digits = _DIGITS[named]
        else:  # a few labelled digits only where the axis has less than some two powers of ten
            decades = abs(self.high - self.low)
            digits = (1,) if decades >= 2 else (1, 2, 5) if decades >= 0.5 else range(1, 10)
        found = [(rank, Tick(part, self._text(value))) for rank, part, value in self._digits(digits)]
        if len([1 for _, tick in found if 0 <= tick.at <= 1]) >= 2:
            return found
        low, high = sorted((10**self.low, 10**self.high))
        return self._linear(step(high - low, most), low, high)

    def _digits(self, digits: Iterable[int]) -> Iterable[tuple[int, float, float]]:
        """Yield rank (powers of ten first), place and value of these digits of each decade."""
        low, high = sorted((self.low, self.high))
        for decade in range(math.floor(low), math.ceil(high) + 1):
            for digit in digits:
                value = digit * 10.0**decade
                yield (digit != 1) + (digit not in (1, 2, 5)), self.part(math.log10(value)), value

    def _linear(self, by: float, low: float | None = None, high: float | None = None) -> list[tuple[int, Tick]]:
        first, last = sorted((self.low, self.high)) if low is None or high is None else (low, high)
        start, end = math.ceil(first / by - 1e-9), math.floor(last / by + 1e-9)
        places = ((index * by, self.at(index * by)) for index in range(start, end + 1))
        return [(0, Tick(part, self._text(round(value, 12)))) for value, part in places if part is not None]

    def _text(self, value: Any) -> str:
        return formats.number(value, self.spec.get("tickformat") or "")


def widest(text: str, size: float) -> float:
    """Estimate the width of the widest line of a text."""
    return max(formats.width(line, size) for line in formats.lines(text))


def step(span: float, most: int) -> float:
    """Return the smallest step of 1, 2 or 5 times 10ⁿ that gives at most so many parts."""
    rough = span / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= rough * (1 - 1e-9))
