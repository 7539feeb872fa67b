"""The roofline of layers on a GPU, fitted to many rows: more kinds, and derivatives."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..architectures.operation_lists import KINDS, Operations

_WIDEST = 128  # channels a group that libraries have fast kernels for, if they are a power of two
_LAUNCH, _TELLS_LAUNCH = 5e-6, 8  # seconds; held where all batches are larger, which cannot tell it
_DENSE = ("conv 1×1", "conv k×k", "conv in groups", "conv in groups of 2^k")
_RATES = (*_DENSE, "conv depthwise", "linear", "token linear", "attention")
_SHARES = ("conv", "norm", "smooth", "pool", "layer norm", "token linear", "attention")
_SHARE_OF = {"conv 1×1": "conv", "conv k×k": "conv", "conv in groups": "conv", "conv depthwise": "conv"}


class _Parts(NamedTuple):
    """Seconds of arithmetic, data and launch of each operation."""

    arithmetic: np.ndarray
    data: np.ndarray
    launch: np.ndarray
    moved: np.ndarray  # bytes of activations, with their share
    weights: np.ndarray  # bytes of parameters
    large: np.ndarray  # 0 to 1: how far beyond the cache


class GpuLayers:
    """The roofline of layers on a GPU.

    Its parameters are logarithms of what `names` says, in SI units.

    Convolutions in groups of 8, 16, 32, 64 or 128 channels have a rate and those of other widths another, half widths
    of inputs and outputs are apart, and depthwise convolutions have factors for 5×5 kernels and strides of 2.

    Arguments:
        order: of the norm by which arithmetic, data and launch of an operation are joined: 1 adds them, as where none
            overlap, 4 takes nearly the largest.
    """

    names: tuple[str, ...] = (
        *_RATES,  # multiply-adds per second
        *("half width", "half width of outputs"),  # channels at which half of a rate is reached
        *("depthwise 5×5", "depthwise stride 2"),  # factors of the rate
        *("memory", "cache", "cache size"),  # bytes per second of large and small operations, and bytes between them
        *(f"data of {kind}" for kind in _SHARES),  # relative to pointwise
        *("weights", "launch"),  # how often weights are moved; seconds per operation
    )

    def __init__(self, order: int = 4) -> None:
        self.order = order

    def start(self, runs: Any, seconds: np.ndarray, training: bool) -> tuple[np.ndarray, np.ndarray]:
        """Guess the parameters from the fastest run, and how far off each guess may be."""
        rate = float(np.quantile(runs.totals["flops"] / seconds, 0.9))
        moved = float(np.quantile(runs.totals["activations"] * runs.bytes / seconds, 0.9))
        guess = [1.5 * rate, rate, rate / 4, rate / 2, rate / 8, rate / 8, 1.5 * rate, rate]
        guess += [8, 8, 1, 1, 4 * moved, 8 * moved, 1e6, *np.ones(len(_SHARES)), 6.0 if training else 1.0, _LAUNCH]
        held = 0.01 if runs.batch.min() > _TELLS_LAUNCH else 1.5
        spread = [1, 1, 1.5, 1, 1.5, 1.5, 1, 1.5, 1, 1, 0.5, 0.5, 1.5, 1.5, 1.5, *np.full(len(_SHARES), 0.5), 1, held]
        return np.log(guess), np.array(spread)

    def log_seconds(self, runs: Any, parameters: np.ndarray) -> np.ndarray:
        spent = self.seconds(runs.ops, runs.batch, runs.bytes, parameters)
        return np.log(np.add.reduceat(spent, runs.starts))

    def seconds(self, ops: Operations, batch: Any, size: int, parameters: np.ndarray) -> np.ndarray:
        """Return the seconds of each operation, with its repeats; as `Layers.seconds`."""
        return self.joined(*self.bounds(ops, batch, size, parameters)) * ops.times

    def joined(self, *parts: np.ndarray) -> np.ndarray:
        """Return the seconds that arithmetic, data and launch take together."""
        if self.order == 1:
            return sum(parts[1:], parts[0])
        return sum(part**self.order for part in parts) ** (1 / self.order)

    def bounds(self, ops: Operations, batch: Any, size: int, parameters: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the seconds of arithmetic, data and launch of each operation, once."""
        return self._parts(ops, batch, size, parameters)[:3]

    def _parts(self, ops: Operations, batch: Any, size: int, parameters: np.ndarray) -> _Parts:
        value = dict(zip(self.names, np.exp(parameters), strict=True))
        rate_at, share_at, dense, five, two = _places(ops)
        rates = np.array([*(value[name] for name in _RATES), np.inf])
        shares = np.array([*(value[f"data of {kind}"] for kind in _SHARES), 1.0])
        used_in = np.where(dense, ops.width / (ops.width + value["half width"]), 1.0)
        used_out = np.where(dense, ops.outputs / (ops.outputs + value["half width of outputs"]), 1.0)
        factor = np.where(five, value["depthwise 5×5"], 1.0) * np.where(two, value["depthwise stride 2"], 1.0)
        arithmetic = batch * ops.flops / (rates[rate_at] * used_in * used_out * factor)
        moved, weights = size * batch * ops.moved * shares[share_at], size * ops.weights * value["weights"]
        large = (moved + weights) / (moved + weights + value["cache size"])
        data = (moved + weights) * (large / value["memory"] + (1 - large) / value["cache"])
        return _Parts(arithmetic, data, np.broadcast_to(value["launch"], np.shape(data)), moved, weights, large)

    def slopes(self, runs: Any, parameters: np.ndarray) -> np.ndarray:
        """Return the derivatives of `log_seconds` by each parameter, shape (runs, parameters)."""
        ops, value = runs.ops, dict(zip(self.names, np.exp(parameters), strict=True))
        parts = self._parts(ops, runs.batch, runs.bytes, parameters)
        spent = self.joined(*parts[:3])
        by_arithmetic, by_data, by_launch = ((part / spent) ** (self.order - 1) * ops.times for part in parts[:3])
        rate_at, share_at, dense, five, two = _places(ops)
        arithmetic, both = by_arithmetic * parts.arithmetic, parts.moved + parts.weights
        between = 1 / value["memory"] - 1 / value["cache"]
        mixed = parts.large * (1 - parts.large)
        per_byte = by_data * (parts.large / value["memory"] + (1 - parts.large) / value["cache"] + mixed * between)
        of = [np.where(rate_at == at, -arithmetic, 0.0) for at in range(len(_RATES))]
        for name, width in (("half width", ops.width), ("half width of outputs", ops.outputs)):
            of.append(np.where(dense, arithmetic * value[name] / (width + value[name]), 0.0))
        of += [np.where(five, -arithmetic, 0.0), np.where(two, -arithmetic, 0.0)]
        of += [-by_data * both * parts.large / value["memory"], -by_data * both * (1 - parts.large) / value["cache"]]
        of.append(-by_data * both * mixed * between)
        of += [np.where(share_at == at, per_byte * parts.moved, 0.0) for at in range(len(_SHARES))]
        of += [per_byte * parts.weights, by_launch * parts.launch]
        total = np.add.reduceat(spent * ops.times, runs.starts)
        return (np.add.reduceat(np.stack(of), runs.starts, axis=1) / total).T


def _places(ops: Operations) -> tuple[np.ndarray, ...]:
    """Find the rate and the share of data of each operation, and its marks."""
    even = np.isin(ops.width, [2**k for k in range(1, _WIDEST.bit_length())])
    rates = np.array([_RATES.index(kind) if kind in _RATES else len(_RATES) for kind in KINDS])[ops.kind]
    in_groups = rates == _RATES.index("conv in groups")
    rates = np.where(in_groups & even, _RATES.index("conv in groups of 2^k"), rates)
    of = [_SHARE_OF.get(kind, kind if kind in _SHARES else "conv") for kind in KINDS]
    shares = np.array([len(_SHARES) if kind == "pointwise" else _SHARES.index(of[at]) for at, kind in enumerate(KINDS)])
    depthwise = rates == _RATES.index("conv depthwise")
    return rates, shares[ops.kind], rates < len(_DENSE), depthwise & (ops.kernel >= 5), depthwise & (ops.stride > 1)
