"""Numbers as tables show them: by significant digits, so that a short time is as readable as a long one."""

from __future__ import annotations

import math


def decimals(value: float, digits: int = 3) -> int:
    """Return how many decimals give a number so many significant digits; 0 where its whole part has as many."""
    return max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value and math.isfinite(value) else 0


def significant(value: float | None, digits: int = 3) -> str:
    """Write a number with so many significant digits, all of its whole part, and a dash where there is none.

    "0.0851", "0.204", "12.3", "3,923", "–".
    """
    if value is None or value != value:
        return "–"
    rounded = float(f"{value:.{digits - 1}e}")  # 9.996 has one digit more before its point than 9.99
    return f"{value:,.{decimals(rounded, digits)}f}"
