"""Numbers written with significant digits, so that short times are as readable as long ones."""

from __future__ import annotations

import math


def decimals(value: float, digits: int = 3) -> int:
    """Return how many decimals a number needs to show this many significant digits."""
    return max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value and math.isfinite(value) else 0


def significant(value: float | None, digits: int = 3) -> str:
    """Write a number with this many significant digits and its whole part: "0.0851", "3,923".

    Arguments:
        value: None and NaN become "–".
        digits: number of significant digits; default: 3.
    """
    if value is None or math.isnan(value):
        return "–"
    rounded = float(f"{value:.{digits - 1}e}")  # 9.996 has one digit more before its point than 9.99
    return f"{value:,.{decimals(rounded, digits)}f}"
