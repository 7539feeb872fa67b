"""Integer arithmetic with one formula for a single number and for a whole array.

A Python number gives an exact Python int of any size; a numpy array gives int64. So every rule of rounding and
counting is written once, and the vectorised sweep always agrees with the scalar count.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import numpy as np


def nearest(x):
    """Round to the nearest integer, halves to even (Python's `round`)."""
    if isinstance(x, np.ndarray):
        return np.rint(x).astype(np.int64)
    return round(x)


def nearest_power_of_two(x):
    """Round to the power of two that is nearest in ratio, at least 1: 80 to 64, 91 to 128."""
    fraction, exponent = np.frexp(x) if isinstance(x, np.ndarray) else math.frexp(x)  # fraction in [1/2, 1)
    exponent = at_least(0, exponent - choose(fraction < math.sqrt(0.5), 1, 0))
    return np.left_shift(1, exponent, dtype=np.int64) if isinstance(x, np.ndarray) else 1 << exponent


def nearest_multiple(count, factor: float):
    """Round count × factor, halves to even; exact even beyond a float's precision."""
    return nearest(count * (factor if _arrays(count) or count < 2**53 else Fraction(factor)))


def whole_multiple(count, factor: float):
    """Truncate count × factor, as int() does; exact even beyond a float's precision."""
    if isinstance(count, np.ndarray):
        return (count * factor).astype(np.int64)
    return int(count * (factor if count < 2**53 else Fraction(factor)))


def nearest_quotient(count, divisor: float):
    """Round count / divisor, halves to even; exact even beyond a float's precision."""
    return nearest(count / (divisor if _arrays(count) or count < 2**53 else Fraction(divisor)))


def whole_quotient(count, divisor: float):
    """Truncate count / divisor, as int() does; exact even beyond a float's precision."""
    if isinstance(count, np.ndarray):
        return (count / divisor).astype(np.int64)
    return int(count / (divisor if count < 2**53 else Fraction(divisor)))


def divisible(count, factor: float, step: int, limit: float = 0.0):
    """Round count × factor to the nearest multiple of step, halves up, at least step.

    It is one step more where it would be below limit × what is asked: with the limit 0.9 this is the rule of MobileNet
    (Sandler et al., 2018), whose code calls it make_divisible.
    """
    asked = count * (factor if _arrays(count) or count < 2**53 else Fraction(factor))
    whole = asked.astype(np.int64) if _arrays(asked) else int(asked)
    rounded = at_least(step, (whole + step // 2) // step * step)
    least = asked * (Fraction(limit) if isinstance(asked, Fraction) else limit)
    return choose(rounded < least, rounded + step, rounded) if limit else rounded


def at_least(bound, x):
    """Return the larger of the two, elementwise."""
    return np.maximum(bound, x) if _arrays(bound, x) else max(bound, x)


def at_most(bound, x):
    """Return the smaller of the two, elementwise."""
    return np.minimum(bound, x) if _arrays(bound, x) else min(bound, x)


def choose(condition, yes, no):
    """Return `yes` where the condition holds and `no` elsewhere."""
    return np.where(condition, yes, no) if isinstance(condition, np.ndarray) else yes if condition else no


def one_by_one(function, *values):
    """Apply a function that takes only numbers to numbers, or to each entry of arrays."""
    if not _arrays(*values):
        return function(*values)
    function = cache(function)  # many networks share few sizes
    rows = np.broadcast(*values)
    return np.array([function(*map(int, row)) for row in rows], dtype=np.int64).reshape(rows.shape)


def first_within(start: int, step: int, modulus: int, low: int, high: int) -> int | None:
    """Return the smallest n ≥ 0 with low ≤ (start + n · step) mod modulus ≤ high, if any.

    It is computed by repeated division of modulus and step, like the greatest common divisor, without trying each n.
    """
    low, high = (low - start) % modulus, (high - start) % modulus
    return 0 if low > high or low == 0 else _first_multiple(step % modulus, modulus, low, high)


def _first_multiple(step: int, modulus: int, low: int, high: int) -> int | None:
    # The smallest n with low ≤ n · step mod modulus ≤ high, where 0 < low ≤ high < modulus.
    if step == 0:
        return None
    if 2 * step > modulus:  # go round the circle the other way, in smaller steps
        step, low, high = modulus - step, modulus - high, modulus - low
    n = -(-low // step)
    if n * step <= high:
        return n
    # No multiple of the step lies between low and high in the first turn. One does in turn k if -k · modulus mod step
    # lies between low and high mod step.
    turns = _first_multiple(-modulus % step, step, low % step, high % step)
    return None if turns is None else -(-(low + turns * modulus) // step)


def lcm(a, b):
    """Return the least common multiple, elementwise."""
    if isinstance(b, int) and b == 1:  # np.lcm is slow
        return a
    return np.lcm(a, b) if _arrays(a, b) else math.lcm(a, b)


def _arrays(*values) -> bool:
    return any(isinstance(value, np.ndarray) for value in values)
