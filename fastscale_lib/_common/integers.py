"""Integer arithmetic that serves one number and a whole array with the same formula.

A Python number gives an exact Python int of any size; a numpy array gives int64. Every rule of rounding and
counting is therefore written once, and the vectorised sweep cannot drift from the scalar count.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import numpy as np


def nearest(x):
    """The nearest integer, halves to even (Python's `round`)."""
    if isinstance(x, np.ndarray):
        return np.rint(x).astype(np.int64)
    return round(x)


def nearest_multiple(count, factor: float):
    """The integer nearest count × factor, halves to even; exact also where a float could not hold it."""
    return nearest(count * (factor if _arrays(count) or count < 2**53 else Fraction(factor)))


def whole_multiple(count, factor: float):
    """count × factor without its fraction, as int() leaves it."""
    if isinstance(count, np.ndarray):
        return (count * factor).astype(np.int64)
    return int(count * (factor if count < 2**53 else Fraction(factor)))


def nearest_quotient(count, divisor: float):
    """The integer nearest count / divisor, halves to even; exact also where a float could not hold it."""
    return nearest(count / (divisor if _arrays(count) or count < 2**53 else Fraction(divisor)))


def whole_quotient(count, divisor: float):
    """count / divisor without its fraction, as int() leaves it."""
    if isinstance(count, np.ndarray):
        return (count / divisor).astype(np.int64)
    return int(count / (divisor if count < 2**53 else Fraction(divisor)))


def at_least(bound, x):
    """The larger of the two."""
    return np.maximum(bound, x) if _arrays(bound, x) else max(bound, x)


def at_most(bound, x):
    """The smaller of the two."""
    return np.minimum(bound, x) if _arrays(bound, x) else min(bound, x)


def choose(condition, yes, no):
    """`yes` where the condition holds, `no` elsewhere."""
    return np.where(condition, yes, no) if isinstance(condition, np.ndarray) else yes if condition else no


def one_by_one(function, *values):
    """The function of the numbers, or of each entry of the arrays, for what has no formula that takes arrays."""
    if not _arrays(*values):
        return function(*values)
    function = cache(function)  # sizes of many networks are few
    rows = np.broadcast(*values)
    return np.array([function(*map(int, row)) for row in rows], dtype=np.int64).reshape(rows.shape)


def first_within(start: int, step: int, modulus: int, low: int, high: int) -> int | None:
    """The smallest n ≥ 0 for which (start + n · step) mod modulus is from low to high; None where there is none.

    It is computed as the greatest common divisor is, by division of modulus and step, and not tried out.
    """
    low, high = (low - start) % modulus, (high - start) % modulus
    return 0 if low > high or low == 0 else _first_multiple(step % modulus, modulus, low, high)


def _first_multiple(step: int, modulus: int, low: int, high: int) -> int | None:
    """The smallest n for which n · step mod modulus is from low to high, where 0 < low ≤ high < modulus."""
    if step == 0:
        return None
    if 2 * step > modulus:  # the other way round the circle, in smaller steps
        step, low, high = modulus - step, modulus - high, modulus - low
    n = -(-low // step)
    if n * step <= high:
        return n
    # No multiple of the step lies from low to high, but one may after k turns: where -k · modulus mod step does.
    turns = _first_multiple(-modulus % step, step, low % step, high % step)
    return None if turns is None else -(-(low + turns * modulus) // step)


def lcm(a, b):
    """The least common multiple; a multiple of 1 costs nothing, as np.lcm is slow."""
    if isinstance(b, int) and b == 1:
        return a
    return np.lcm(a, b) if _arrays(a, b) else math.lcm(a, b)


def _arrays(*values) -> bool:
    return any(isinstance(value, np.ndarray) for value in values)
