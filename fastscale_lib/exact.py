"""Integer arithmetic that serves one number and a whole array with the same formula.

A Python number gives an exact Python int of any size; a numpy array gives int64. Every rule of rounding and
counting is therefore written once, and the vectorised sweep cannot drift from the scalar count.
"""

import math
from fractions import Fraction

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
    rows = np.broadcast(*values)
    return np.array([function(*map(int, row)) for row in rows], dtype=np.int64).reshape(rows.shape)


def lcm(a, b):
    """The least common multiple; a multiple of 1 costs nothing, as np.lcm is slow."""
    if isinstance(b, int) and b == 1:
        return a
    return np.lcm(a, b) if _arrays(a, b) else math.lcm(a, b)


def _arrays(*values) -> bool:
    return any(isinstance(value, np.ndarray) for value in values)
