"""Statistics without scipy: correlation, Student's t, the confidence interval of a median."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def pearson(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Compute Pearson's r of x and y, shape (..., n), along the last axis; NaN for constants.

    The weights, of the same shape, say how often each observation counts; default: once.
    """
    weights = np.ones(np.shape(x)) if weights is None else weights
    total = weights.sum(-1, keepdims=True)
    x, y = (values - (weights * values).sum(-1, keepdims=True) / total for values in (x, y))
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt((weights * x * x).sum(-1) * (weights * y * y).sum(-1))
        return np.clip((weights * x * y).sum(-1) / spread, -1, 1)


_SURE = 0.95


def student(freedom: int, sure: float = _SURE) -> float:
    """Return the two-sided quantile of Student's t; NaN below one degree of freedom.

    A mean plus or minus t standard errors is the confidence interval. The probability within ± t is the finite sum of
    Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 26.7.3 and 26.7.4; t is found by bisection.
    """
    if freedom < 1:
        return math.nan
    low, high = 0.0, 1.0
    while _within(high, freedom) < sure:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _within(middle, freedom) > sure else (middle, high)
    return high


def student_tail(t: float, freedom: int) -> float:
    """Return the probability that Student's t lies above t ≥ 0; NaN without freedom."""
    return math.nan if freedom < 1 else (1 - _within(t, freedom)) / 2 if math.isfinite(t) else 0.0


def holm_levels(probabilities: Sequence[float], level: float = 0.05) -> list[float]:
    """Return the level of each of several tests, so that all err with at most `level`.

    The smallest of m probabilities is tested at level / m, the next at level / (m − 1), and so on; from the first that
    is larger than its level on, all are tested at that one, and fail (Holm, A simple sequentially rejective multiple
    test procedure, 1979).
    """
    levels, divisor = [level] * len(probabilities), len(probabilities)
    for index in sorted(range(len(probabilities)), key=lambda each: probabilities[each]):
        levels[index] = level / divisor
        divisor -= probabilities[index] <= levels[index]
    return levels


def _within(t: float, freedom: int) -> float:
    angle = math.atan(t / math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term = total = math.cos(angle) if odd else 1.0
    for k in range(2 + odd, freedom, 2):
        term *= square * (k - 1) / k
        total += term
    if not odd:
        return sine * total
    return 2 / math.pi * (angle + (sine * total if freedom > 1 else 0.0))


def median_interval(times: Sequence[float] | np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Return the confidence interval of a median by order statistics, for any distribution.

    Of n independent times, the number below the median is binomial (n, 1/2). So the k-th smallest and the k-th largest
    enclose the median with probability 1 − 2·P(fewer than k below); k is the largest for which that is at least
    `confidence`. At 95 % this takes 6 times; with fewer the range is returned, which covers less than 95 %.
    """
    if not len(times):
        raise ValueError("median_interval: there are no times; give at least one")
    ordered, k = sorted(times), _rank(len(times), confidence)
    return ordered[k - 1], ordered[-k]


def _rank(n: int, confidence: float) -> int:
    # The k of `median_interval`, by whole numbers: for large n, 2**-n is too small for a float.
    k, ways, below = 1, 1, 1  # `below`: of the 2**n outcomes, those with fewer than k times below the median
    while True:
        ways = ways * (n - k + 1) // k
        if 2 * (below + ways) / 2**n > 1 - confidence:
            return k
        below += ways
        k += 1
