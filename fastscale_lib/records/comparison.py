"""Comparison of two measurements by their intervals."""

from __future__ import annotations

import math
from typing import NamedTuple

from .._common.checks import check_real, shown
from .conditions import Conditions
from .measurement import Measurement, SettingError, joined_doubts


class Comparison(NamedTuple):
    """The time per image of `a`, relative to that of `b`, and what follows from it.

    Attributes:
        verdict: "faster" (a than b), "slower", "same" (the whole interval lies within the margin around 1), or
            "undecided".
        ratio: time per image of a, divided by that of b.
        low, high: the 95 % interval of the ratio; NaN if a median has none.
        differs: the conditions (`Conditions.COMPARE`) in which the two differ.
        doubt: why the times decide nothing, whatever their ratio; None if they can.
    """

    verdict: str
    ratio: float
    low: float
    high: float
    differs: tuple[str, ...] = ()
    doubt: str | None = None

    def __str__(self) -> str:
        interval = "no interval" if math.isnan(self.low) else f"{self.low:.3f} to {self.high:.3f}"
        text = f"{self.verdict}: {self.ratio:.3f}× the time per image ({interval})"
        text += f"; {self.doubt}" if self.doubt else ""
        return text + (f"; they differ in {', '.join(self.differs)}" if self.differs else "")


def compare(a: Measurement, b: Measurement, same: float = 0.02) -> Comparison:
    """Compare the time per image of two measurements.

    The interval of the ratio comes from those of the two medians, added in quadrature on a logarithmic scale
    (Donner and Zou, Closed-form confidence intervals for functions of the normal mean and standard deviation, 2012:
    MOVER). If a median has no 95 % interval (fewer than 6 blocks), or a time is launch-bound and so depends on the
    host, the verdict is "undecided".

    Arguments:
        a: a Measurement, whose time is the numerator.
        b: a Measurement, whose time is the denominator.
        same: ratios between 1/(1 + same) and 1 + same count as the same; default: 0.02.

    Raises:
        SettingError: `a` or `b` is no Measurement, or `same` is not a number of at least 0.
    """
    for name, each in (("a", a), ("b", b)):
        if not isinstance(each, Measurement):
            raise SettingError(
                f"compare: {name} is {shown(each)}, but must be a Measurement, as fs.measure(...) returns it"
            )
    same = check_real("same", same, SettingError, 0, remedy="; try same=0.02")
    ratio = (a.median_ms / a.batch) / (b.median_ms / b.batch)
    down = math.hypot(math.log(a.median_ms / a.low_ms), math.log(b.high_ms / b.median_ms))
    up = math.hypot(math.log(a.high_ms / a.median_ms), math.log(b.median_ms / b.low_ms))
    low, high = ratio * math.exp(-down), ratio * math.exp(up)
    differs = tuple(name for name in Conditions.COMPARE if getattr(a, name) != getattr(b, name))
    doubt = joined_doubts({"a": a.doubt, "b": b.doubt})
    if doubt:
        verdict = "undecided"
    elif 1 / (1 + same) <= low and high <= 1 + same:
        verdict = "same"
    else:
        verdict = "faster" if high < 1 else "slower" if low > 1 else "undecided"
    return Comparison(verdict, ratio, low, high, differs, doubt)
