"""Robust least squares on the logarithms of positive quantities (Levenberg and Marquardt)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_ROUNDS = 100
_ENOUGH, _NEAR = 1e-7, 1e-5  # a gain below this fraction of the cost ends a search, and one from a known fit
_STUCK = 1e10  # so does a damping above this: no step lowers the cost


def fit_logs(
    predicted: Callable[[np.ndarray], np.ndarray],
    slopes: Callable[[np.ndarray], np.ndarray],
    logs: np.ndarray,
    noise: np.ndarray,
    start: np.ndarray,
    spread: np.ndarray,
    first: np.ndarray | None = None,
) -> np.ndarray:
    """Find the log-parameters, shape (p,), that best predict the observed logarithms.

    The loss of a deviation is pseudo-Huber: quadratic where it is small relative to the noise and linear where it is
    large, so that a few outliers do not bend the fit. A parameter that the observations barely determine stays near
    its start.

    Arguments:
        predicted: maps parameters to predicted logarithms, shape (n,).
        slopes: maps parameters to the derivatives of these by each parameter, shape (n, p).
        logs: observed logarithms, shape (n,).
        noise: expected error of each observation, as a fraction, shape (n,).
        start: initial parameters.
        spread: plausible distance of each parameter from its start.
        first: where the search begins; default: at the start. From a fit to nearly the same, it ends sooner.
    """

    def deviations(at: np.ndarray) -> np.ndarray:
        return (predicted(at) - logs) / noise

    def residuals(at: np.ndarray, scaled: np.ndarray) -> np.ndarray:
        # The square root of the pseudo-Huber loss, with the sign of the deviation.
        soft = np.sign(scaled) * np.sqrt(2 * (np.sqrt(1 + scaled**2) - 1))
        return np.concatenate([soft, (at - start) / spread])

    def jacobian(at: np.ndarray, scaled: np.ndarray) -> np.ndarray:
        root = np.sqrt(1 + scaled**2)
        softened = np.sqrt((root + 1) / 2) / root  # derivative of the soft residual, 1 where it is quadratic
        return np.concatenate([slopes(at) * (softened / noise)[:, None], np.diag(1 / spread)])

    at, damping = np.array(start if first is None else first, dtype=float), 1e-2 if first is None else 1e-4
    scaled = deviations(at)
    left = residuals(at, scaled)
    for _ in range(_ROUNDS):
        slope = jacobian(at, scaled)
        curvature, downhill = slope.T @ slope, -slope.T @ left
        while True:
            step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), downhill)
            then_scaled = deviations(at + step)
            then = residuals(at + step, then_scaled)
            gain = left @ left - then @ then
            if gain > 0 or damping > _STUCK:
                break
            damping *= 5
        if not gain > 0:
            return at
        enough = gain < (_ENOUGH if first is None else _NEAR) * (left @ left)
        at, scaled, left, damping = at + step, then_scaled, then, damping / 5
        if enough:
            break
    return at
