"""Robust least squares for positive quantities, fitted by their logarithms (Levenberg and Marquardt's method)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_STEP = 1e-4  # of a logarithm, for the slope
_ROUNDS = 100
_ENOUGH = 1e-7  # a gain below this fraction of the cost ends the search
_STUCK = 1e10  # a damping above this, too: no step down is left


def fit_logs(
    predicted: Callable[[np.ndarray], np.ndarray],
    logs: np.ndarray,
    noise: np.ndarray,
    start: np.ndarray,
    spread: np.ndarray,
) -> np.ndarray:
    """The logarithms of parameters whose predictions come nearest the observed logarithms.

    A deviation costs as its square where it is small against the noise, and in proportion where it is large, so that
    a few bad observations do not bend the fit. A parameter that the observations say little of stays near its start.

    Arguments:
        predicted: from parameters, shape (p,), to the logarithms of what is to be observed, shape (n,).
        logs: the logarithms of what was observed, shape (n,).
        noise: how far an observation may be off, as a fraction, shape (n,).
        start: the parameters to begin with, shape (p,).
        spread: how far from its start a parameter may well be, shape (p,).

    Returns:
        Parameters of shape (p,).
    """

    def residuals(at: np.ndarray) -> np.ndarray:
        scaled = (predicted(at) - logs) / noise
        # The square root of the pseudo-Huber loss, with the sign of the deviation.
        soft = np.sign(scaled) * np.sqrt(2 * (np.sqrt(1 + scaled**2) - 1))
        return np.concatenate([soft, (at - start) / spread])

    at, damping = np.array(start, dtype=float), 1e-2
    left = residuals(at)
    for _ in range(_ROUNDS):
        slope = _slope(residuals, at, left)
        curvature, downhill = slope.T @ slope, -slope.T @ left
        while True:
            step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), downhill)
            then = residuals(at + step)
            gain = left @ left - then @ then
            if gain > 0 or damping > _STUCK:
                break
            damping *= 5
        if not gain > 0:
            return at
        enough = gain < _ENOUGH * (left @ left)
        at, left, damping = at + step, then, damping / 5
        if enough:
            break
    return at


def _slope(residuals: Callable[[np.ndarray], np.ndarray], at: np.ndarray, here: np.ndarray) -> np.ndarray:
    """How the residuals change with each parameter, shape (n + p, p)."""
    steps = _STEP * np.eye(len(at))
    return np.stack([(residuals(at + step) - here) / _STEP for step in steps], axis=1)
