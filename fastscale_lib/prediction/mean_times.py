"""The mean of the times that several fits predict, times a factor: how estimates are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..architectures.operation_lists import Operations


class MeanTimes:
    """The mean of the times of several fits, of any form, times a factor, the only parameter.

    Arguments:
        fits: form and parameters of each, the first of which says how parts of an operation are joined.
    """

    names: tuple[str, ...] = ("factor",)

    def __init__(self, fits: Sequence[tuple[Any, np.ndarray]]) -> None:
        self.fits = tuple(fits)

    def log_seconds(self, runs: Any, parameters: np.ndarray) -> np.ndarray:
        """Return the logarithm of the seconds of each run."""
        return np.log(np.add.reduceat(self.seconds(runs.ops, runs.batch, runs.bytes, parameters), runs.starts))

    def seconds(self, ops: Operations, batch: Any, size: int, parameters: np.ndarray) -> np.ndarray:
        """Return the seconds of each operation, with its repeats; as `Layers.seconds`."""
        each = [form.seconds(ops, batch, size, fitted) for form, fitted in self.fits]
        return np.exp(parameters[0]) * np.mean(each, axis=0)

    def bounds(self, ops: Operations, batch: Any, size: int, parameters: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the seconds of arithmetic, data and launch of each operation, once."""
        each = [form.bounds(ops, batch, size, fitted) for form, fitted in self.fits]
        parts = [np.mean([bounds[at] for bounds in each], axis=0) for at in range(3)]
        # Forms join their parts by other norms, so the means of the parts do not join to the mean of the times.
        right = self.seconds(ops, batch, size, parameters) / (ops.times * self.joined(*parts))
        return parts[0] * right, parts[1] * right, parts[2] * right

    def joined(self, *parts: np.ndarray) -> np.ndarray:
        """Return the seconds that arithmetic, data and launch take together."""
        return self.fits[0][0].joined(*parts)
