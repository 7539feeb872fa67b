"""The formulas that are fitted to rows: a roofline of layers, and baselines by totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, get_args

import numpy as np
import pandas as pd

from .._common.checks import check_choice
from .._common.device_kinds import CPU, kind_of
from .._common.errors import FastscaleError
from .._common.least_squares import fit_logs
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.operation_lists import KINDS, Operations, element_bytes, operations
from ..architectures.traced.module_family import Family
from ..records.conditions import Conditions
from .gpu_layers import GpuLayers
from .reach import Extent

By = Literal["layers", "flops", "params", "activations", "flops and activations"]
# The metrics that each model is fitted to; that of layers is fitted to operations.
BY: dict[By, tuple[str, ...]] = {by: () if by == "layers" else tuple(by.split(" and ")) for by in get_args(By)}
# Kinds that have the rates of another: a fit to networks without them refuses networks that have them (see `reach`).
_LIKE = {"token linear": "conv 1×1", "attention": "conv 1×1", "layer norm": "norm"}
_MANY_ROWS = 60  # that the parameters of `GpuLayers` take
_NOISE = 0.05  # relative error of any model: rows that are more exact than this weigh no more


class PredictionError(FastscaleError, ValueError):
    """A time cannot be predicted; the message says which and why."""


class Runs(NamedTuple):
    """Runs of networks, measured or to be predicted.

    Attributes:
        ops: of all runs, one run after another.
        batch: of the run of each operation.
        starts: index of the first operation of each run.
        totals: of each run, by metric: the count times the batch.
        launches: operations of each run.
        host: seconds that the host takes to launch each run; 0 if unknown.
        extent: of the networks.
        bytes: of an element.
    """

    ops: Operations
    batch: np.ndarray
    starts: np.ndarray
    totals: Mapping[str, np.ndarray]
    launches: np.ndarray
    host: np.ndarray
    extent: Extent
    bytes: int


class Form(Protocol):
    """A formula of the time of a run, with positive parameters, fitted as logarithms."""

    names: tuple[str, ...]  # of the parameters

    def start(self, runs: Runs, seconds: np.ndarray, training: bool) -> tuple[np.ndarray, np.ndarray]:
        """Guess the parameters, and how far off each guess may be."""
        ...

    def log_seconds(self, runs: Runs, parameters: np.ndarray) -> np.ndarray:
        """Return the logarithm of the seconds that the device takes for each run."""
        ...


class Layers:
    """The roofline of layers. Its parameters are logarithms of what `names` says, in SI units."""

    names: tuple[str, ...] = (
        *("conv 1×1", "conv k×k", "conv in groups", "conv depthwise", "linear"),  # multiply-adds per second
        "half width",  # channels per group at which a convolution reaches half of its rate
        "memory",  # bytes per second, of data that is larger than the cache ...
        "cache",  # ... and smaller
        "cache size",  # bytes that an operation moves at which the two weigh the same
        *("data of conv", "data of norm", "data of smooth", "data of pool"),  # relative to pointwise
        "weights",  # how often they are moved
        "launch",  # seconds per operation
    )

    def start(self, runs: Runs, seconds: np.ndarray, training: bool) -> tuple[np.ndarray, np.ndarray]:
        """Guess the parameters from the fastest run, and how far off each guess may be."""
        rate = float(np.quantile(runs.totals["flops"] / seconds, 0.9))
        moved = float(np.quantile(runs.totals["activations"] * runs.bytes / seconds, 0.9))
        guess = [1.5 * rate, rate, rate / 2, rate / 8, rate / 8, 8, 4 * moved, 8 * moved, 1e6, 1, 1, 1, 1]
        guess += [6.0 if training else 1.0, 1e-5]
        spread = [1, 1, 1, 1.5, 1.5, 1, 1.5, 1.5, 1.5, 0.5, 0.5, 0.5, 0.5, 1, 1.5]
        return np.log(guess), np.array(spread)

    def log_seconds(self, runs: Runs, parameters: np.ndarray) -> np.ndarray:
        spent = self.seconds(runs.ops, runs.batch, runs.bytes, parameters)
        return np.log(np.add.reduceat(spent, runs.starts))

    def seconds(self, ops: Operations, batch: Any, size: int, parameters: np.ndarray) -> np.ndarray:
        """Return the seconds of each operation, with its repeats.

        Arguments:
            ops: of any shape.
            batch: broadcast over the operations.
            size: bytes of an element.
        """
        arithmetic, data, launch = self.bounds(ops, batch, size, parameters)
        return longest(arithmetic, data, launch) * ops.times

    def joined(self, *parts: np.ndarray) -> np.ndarray:
        """Return the seconds that arithmetic, data and launch take together."""
        return longest(*parts)

    def bounds(self, ops: Operations, batch: Any, size: int, parameters: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the seconds of arithmetic, data and launch of each operation, once."""
        value = dict(zip(self.names, np.exp(parameters), strict=True))
        kinds = [_LIKE.get(kind, kind) for kind in KINDS]
        rates = np.array([value.get(kind, np.inf) for kind in kinds])
        data_of = {"pointwise": 1.0, **{kind: value[f"data of {kind}"] for kind in ("norm", "smooth", "pool")}}
        shares = np.array([data_of.get(kind, value["data of conv"]) for kind in kinds])
        half = value["half width"]
        # Few channels per group leave a processor's vectors idle; a depthwise convolution has its own rate.
        used = ops.width / (ops.width + half) * (ops.outputs / (ops.outputs + half))
        dense = np.array([KINDS.index(kind) <= KINDS.index("conv in groups") for kind in kinds])
        used = np.where(dense[ops.kind], used, 1.0)
        arithmetic = batch * ops.flops / (rates[ops.kind] * used)
        moved = size * (batch * ops.moved * shares[ops.kind] + ops.weights * value["weights"])
        large = moved / (moved + value["cache size"])
        data = moved * (large / value["memory"] + (1 - large) / value["cache"])
        return arithmetic, data, np.broadcast_to(value["launch"], np.shape(data))


class Totals:
    """A baseline: a sum of totals, each over its rate, and a constant per run."""

    def __init__(self, metrics: Sequence[str]) -> None:
        self.names: tuple[str, ...] = (*metrics, "run")
        self._metrics = metrics

    def start(self, runs: Runs, seconds: np.ndarray, training: bool) -> tuple[np.ndarray, np.ndarray]:
        parts = len(self._metrics)
        rates = [parts * float(np.median(runs.totals[metric] / seconds)) for metric in self._metrics]
        return np.log([*rates, float(seconds.min()) / 10]), np.full(parts + 1, 5.0)

    def log_seconds(self, runs: Runs, parameters: np.ndarray) -> np.ndarray:
        *rates, run = np.exp(parameters)
        return np.log(sum(runs.totals[metric] / rate for metric, rate in zip(self._metrics, rates, strict=True)) + run)


def host_seconds(runs: Runs, on: np.ndarray | None = None) -> tuple[float, float, float]:
    """Return the least, median and most seconds that a host takes to launch one operation.

    Arguments:
        on: mask of the runs to look at; default: all. Runs whose host is unknown are passed over.
    """
    known = runs.host > 0 if on is None else on & (runs.host > 0)
    each = runs.host[known] / runs.launches[known]
    return (float(each.min()), float(np.median(each)), float(each.max())) if len(each) else (0.0, 0.0, 0.0)


def log_seconds(form: Form, runs: Runs, parameters: np.ndarray) -> np.ndarray:
    """Return the logarithm of the seconds of each run: of the device, or of the host's launches."""
    return np.log(longest(np.exp(form.log_seconds(runs, parameters)), runs.host))


def fit_form(
    form: Form,
    runs: Runs,
    seconds: np.ndarray,
    rows: pd.DataFrame,
    setting: Conditions,
    on: np.ndarray | None = None,
    first: np.ndarray | None = None,
) -> np.ndarray:
    """Fit the parameters to the rows of one setting.

    Arguments:
        runs: of the rows.
        seconds: measured, of each row.
        rows: of the store; their half_width weighs them.
        on: mask of the rows to fit to; default: all.
        first: where the search begins; default: at the guess.
    """
    on = np.full(len(seconds), True) if on is None else on
    noise = _NOISE + rows["half_width"].astype(float).fillna(1.0).to_numpy()[on]
    training = setting.mode == "training"
    seen = runs._replace(totals={name: values[on] for name, values in runs.totals.items()})
    start, spread = form.start(seen, seconds[on], training)  # the other rows must not enter

    def slopes(at: np.ndarray) -> np.ndarray:
        """Return the derivatives; the host's launches join the device's time by `longest`."""
        device = np.exp(form.log_seconds(runs, at))
        share = (device / longest(device, runs.host)) ** 4
        return (form.slopes(runs, at) * share[:, None])[on] if isinstance(form, GpuLayers) else np.empty(0)

    return fit_logs(
        lambda at: log_seconds(form, runs, at)[on],
        np.log(seconds[on]),
        noise,
        start,
        spread,
        slopes if isinstance(form, GpuLayers) else None,
        first,
    )


def longest(*times: np.ndarray) -> np.ndarray:
    """Return the norm of order 4 of the times: nearly the largest, but smooth between them."""
    return np.sqrt(np.sqrt(sum(np.square(time * time) for time in times)))


def runs_of(networks: Sequence[Network | Family], batch: np.ndarray, setting: Conditions, merge: bool = False) -> Runs:
    """List the operations of runs; `merge` lists equal ones once, and fits faster."""
    each = [_merged(operations(network)) if merge else operations(network) for network in networks]
    lengths = [len(ops.kind) for ops in each]
    launches = np.array([float(ops.times.sum()) for ops in each])
    flat = Operations(*(np.concatenate([values[:, 0] for values in column]) for column in zip(*each, strict=True)))
    counts = [complexity(network) for network in networks]
    totals = {
        metric: batch * np.array([float(getattr(count, metric)) for count in counts])
        for metric in ("flops", "activations")
    }
    totals["params"] = np.array([float(count.params) for count in counts])  # a batch shares them
    starts, known = np.cumsum([0, *lengths[:-1]]), np.zeros(len(networks))
    return Runs(flat, np.repeat(batch, lengths), starts, totals, launches, known, Extent.of(*each), bytes_of(setting))


def _merged(ops: Operations) -> Operations:
    values = np.concatenate(ops._replace(times=np.zeros_like(ops.times)), axis=1)
    rows, at = np.unique(values, axis=0, return_inverse=True)
    merged = Operations(*(column[:, None] for column in rows.T))
    return merged._replace(kind=merged.kind.astype(int), times=np.bincount(at.ravel(), ops.times[:, 0])[:, None])


def bytes_of(setting: Conditions) -> int:
    return element_bytes(str(setting.precision))


def forms_of(by: By, rows: pd.DataFrame) -> list[Form]:
    """Return the formulas to fit to a setting's rows; the best on families left out is taken."""
    gpu = "device" in rows and kind_of(str(rows["device"].iloc[0])) is not CPU
    many = gpu and len(rows) >= _MANY_ROWS
    return [GpuLayers(1), GpuLayers(4), Layers()] if by == "layers" and many else [form_of(by)]


def form_of(by: By) -> Form:
    check_choice("fit: by", by, BY, PredictionError)
    return Totals(BY[by]) if BY[by] else Layers()
