"""The formulas that are fitted to rows: a roofline of layers, and baselines by totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np
import pandas as pd

from .._common.checks import check_choice
from .._common.device_kinds import CPU, kind_of
from .._common.errors import FastscaleError
from .._common.least_squares import fit_logs
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.operation_lists import Operations, element_bytes, operations
from ..architectures.traced.module_family import Family
from ..records.conditions import Conditions
from .layer_forms import Layers, Places, norm
from .reach import Extent

By = Literal["layers", "flops", "params", "activations", "flops and activations"]
# The metrics that each model is fitted to; that of layers is fitted to operations.
BY: dict[By, tuple[str, ...]] = {by: () if by == "layers" else tuple(by.split(" and ")) for by in get_args(By)}
_MANY_ROWS = 60  # that the parameters of more designs take
_OF_MANY = {  # by whether on a CPU
    True: ("cpu", "cpu, weights by kind", "cpu, tokens at full rate", "few"),
    False: ("gpu", "gpu, overlapping"),
}
_NOISE = 0.05  # relative error of any model: rows that are more exact than this weigh no more


class PredictionError(FastscaleError, ValueError):
    """A time cannot be predicted; the message says which and why."""


class Runs(NamedTuple):
    """Runs of networks, measured or to be predicted.

    Attributes:
        ops: of all runs, one run after another.
        places: of their parameters.
        batch: of the run of each operation.
        starts: index of the first operation of each run.
        totals: of each run, by metric: the count times the batch.
        launches: operations of each run.
        host: seconds that the host takes to launch each run; 0 if unknown.
        extent: of the networks.
        bytes: of an element.
    """

    ops: Operations
    places: Places
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

    def slopes(self, runs: Runs, parameters: np.ndarray) -> np.ndarray:
        """Return the derivatives of `log_seconds` by each parameter, shape (runs, parameters)."""
        ...


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
        return np.log(sum(self._parts(runs, parameters)))

    def slopes(self, runs: Runs, parameters: np.ndarray) -> np.ndarray:
        *totals, run = self._parts(runs, parameters)
        return np.stack([*(-part for part in totals), run], axis=1) / np.add.reduce([*totals, run])[:, None]

    def _parts(self, runs: Runs, parameters: np.ndarray) -> list[np.ndarray]:
        *rates, run = np.exp(parameters)
        totals = [runs.totals[metric] / rate for metric, rate in zip(self._metrics, rates, strict=True)]
        return [*totals, np.full(len(totals[0]), run)]


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
    guess: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Fit the parameters to the rows of one setting.

    Arguments:
        runs: of the rows.
        seconds: measured, of each row.
        rows: of the store; their half_width weighs them.
        on: mask of the rows to fit to; default: all.
        first: where the search begins; default: at the guess.
        guess: of the parameters, and how far off each may be; default: that of the form.
    """
    on = np.full(len(seconds), True) if on is None else on
    noise = _NOISE + rows["half_width"].astype(float).fillna(1.0).to_numpy()[on]
    training = setting.mode == "training"
    seen = runs._replace(totals={name: values[on] for name, values in runs.totals.items()})
    start, spread = guess or form.start(seen, seconds[on], training)  # the other rows must not enter

    def slopes(at: np.ndarray) -> np.ndarray:
        """Return the derivatives; the host's launches join the device's time by `longest`."""
        device = np.exp(form.log_seconds(runs, at))
        share = (device / longest(device, runs.host)) ** 4
        return (form.slopes(runs, at) * share[:, None])[on]

    return fit_logs(
        lambda at: log_seconds(form, runs, at)[on], slopes, np.log(seconds[on]), noise, start, spread, first
    )


def longest(*times: np.ndarray) -> np.ndarray:
    """Return the norm of order 4 of the times: nearly the largest, but smooth between them."""
    return norm(4, *times)


def runs_of(networks: Sequence[Network | Family], batch: np.ndarray, setting: Conditions, merge: bool = False) -> Runs:
    """List the operations of runs; `merge` lists equal ones once, and fits faster."""
    each = [operations_of(network, setting) for network in networks]
    each = [_merged(ops) for ops in each] if merge else each
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
    return Runs(
        flat,
        Places.of(flat),
        np.repeat(batch, lengths),
        starts,
        totals,
        launches,
        known,
        Extent.of(*each, traced=np.array([isinstance(network, Family) for network in networks])),
        bytes_of(setting),
    )


def operations_of(network: Network | Family, setting: Conditions) -> Operations:
    """List the operations of a network as they run in this setting."""
    compiled = bool(setting.compile)
    # On a GPU, cuDNN convolves and another kernel adds the bias, unless compiled. Rows of a CPU name its threads, but
    # for published ones, which are compiled.
    biases = not compiled and setting.threads is None
    return operations(network, compiled=compiled, autocast=bytes_of(setting) == 2, biases=biases)


def _merged(ops: Operations) -> Operations:
    values = np.concatenate(ops._replace(times=np.zeros_like(ops.times)), axis=1)
    rows, at = np.unique(values, axis=0, return_inverse=True)
    merged = Operations(*(column[:, None] for column in rows.T))
    return merged._replace(kind=merged.kind.astype(int), times=np.bincount(at.ravel(), ops.times[:, 0])[:, None])


def bytes_of(setting: Conditions) -> int:
    return element_bytes(str(setting.precision))


def forms_of(by: By, rows: pd.DataFrame) -> list[Form]:
    """Return the formulas to fit to a setting's rows; the best on families left out is taken."""
    if by != "layers" or len(rows) < _MANY_ROWS or "device" not in rows or rows["device"].isna().iloc[0]:
        return [form_of(by)]
    return [Layers(design) for design in _OF_MANY[kind_of(str(rows["device"].iloc[0])) is CPU]]


def form_of(by: By) -> Form:
    check_choice("fit: by", by, BY, PredictionError)
    return Totals(BY[by]) if BY[by] else Layers()
