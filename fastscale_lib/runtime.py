"""The time that a network takes on a device, predicted from what it computes and moves; fitted to measurements.

The model is a roofline of layers (Williams, Waterman, Patterson: Roofline, 2009): an operation takes as long as its
arithmetic, its data or its launch takes, whichever is longest, and a network takes as long as its operations do. The
rates are a device's, under one setting; they are fitted to measured times of whole networks. Beside it stand the
baselines, fitted the same way, that know a network's totals only: flops, params, activations, flops and activations.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .complexity import complexity, grid_factors
from .correlation import pearson
from .least_squares import fit_logs
from .networks import Network
from .operations import KINDS, Operations, element_bytes, operations
from .scaling import Strategy, scaled_dimensions
from .zoo import network as named_network

# What a device's rates depend on, besides the device: rows that differ in one of these are fitted apart.
SETTING = ("device_name", "threads", "mode", "precision", "channels_last", "compile", "tf32")
BY = {
    "layers": (),
    "flops": ("flops",),
    "params": ("params",),
    "activations": ("activations",),
    "flops and activations": ("flops", "activations"),
}
LEAST_ROWS = 10
_FOLDS = 5

_NOT_KNOWN = dict.fromkeys(("error", "error_90", "pearson", "spearman", "pearson_of_logs"), float("nan"))
_NOISE = 0.05  # what any model leaves open, as a fraction: rows that are more exact than this weigh no more


class PredictionError(ValueError):
    """A time that cannot be predicted; the message says which and why."""


class _Runs(NamedTuple):
    """Measured or asked-for runs: their operations one after another, each with its run's batch."""

    ops: Operations
    batch: np.ndarray
    starts: np.ndarray  # where each run's operations begin
    totals: Mapping[str, np.ndarray]  # of one run: a metric times the batch
    bytes: int


class _Layers:
    """The roofline of layers. Its parameters are logarithms of what `names` says, in SI units."""

    names = (
        *("conv 1×1", "conv k×k", "conv in groups", "conv depthwise", "linear"),  # multiply-adds a second
        "half width",  # channels a group at which a convolution reaches half of its rate
        "memory",  # bytes a second, of data that is large against the cache ...
        "cache",  # ... and small
        "cache size",  # bytes that an operation moves at which the two weigh the same
        *("data of conv", "data of norm", "data of smooth", "data of pool"),  # of the bytes; pointwise is 1
        "weights",  # how often they are moved
        "launch",  # seconds an operation
    )

    def start(self, runs: _Runs, seconds: np.ndarray, training: bool) -> tuple[np.ndarray, np.ndarray]:
        """First guesses, from the fastest run, and how far off they may well be."""
        rate = float(np.quantile(runs.totals["flops"] / seconds, 0.9))
        moved = float(np.quantile(runs.totals["activations"] * runs.bytes / seconds, 0.9))
        guess = [1.5 * rate, rate, rate / 2, rate / 8, rate / 8, 8, 4 * moved, 8 * moved, 1e6, 1, 1, 1, 1]
        guess += [6.0 if training else 1.0, 1e-5]
        spread = [1, 1, 1, 1.5, 1.5, 1, 1.5, 1.5, 1.5, 0.5, 0.5, 0.5, 0.5, 1, 1.5]
        return np.log(guess), np.array(spread)

    def log_seconds(self, runs: _Runs, parameters: np.ndarray) -> np.ndarray:
        spent = self.seconds(runs.ops, runs.batch, runs.bytes, parameters)
        return np.log(np.add.reduceat(spent, runs.starts))

    def seconds(self, ops: Operations, batch: Any, size: int, parameters: np.ndarray) -> np.ndarray:
        """Of each operation, times and all; operations and batch may have any shape, elements have `size` bytes."""
        arithmetic, data, launch = self.bounds(ops, batch, size, parameters)
        return _longest(arithmetic, data, launch) * ops.times

    def bounds(self, ops: Operations, batch: Any, size: int, parameters: np.ndarray) -> tuple[np.ndarray, ...]:
        """The seconds that arithmetic, data and launch of each operation take, once."""
        value = dict(zip(self.names, np.exp(parameters), strict=True))
        rates = np.array([value.get(kind, np.inf) for kind in KINDS])
        data_of = {"pointwise": 1.0, **{kind: value[f"data of {kind}"] for kind in ("norm", "smooth", "pool")}}
        shares = np.array([data_of.get(kind, value["data of conv"]) for kind in KINDS])
        half = value["half width"]
        # What a group's channels leave idle of a processor's vectors; a depthwise convolution has a rate of its own.
        used = ops.width / (ops.width + half) * (ops.outputs / (ops.outputs + half))
        used = np.where(ops.kind <= KINDS.index("conv in groups"), used, 1.0)
        arithmetic = batch * ops.flops / (rates[ops.kind] * used)
        moved = size * (batch * ops.moved * shares[ops.kind] + ops.weights * value["weights"])
        large = moved / (moved + value["cache size"])
        data = moved * (large / value["memory"] + (1 - large) / value["cache"])
        return arithmetic, data, np.broadcast_to(value["launch"], np.shape(data))


class _Totals:
    """A baseline: a sum of totals, each over its rate, and what a run takes besides."""

    def __init__(self, metrics: Sequence[str]) -> None:
        self.names = (*metrics, "run")
        self._metrics = metrics

    def start(self, runs: _Runs, seconds: np.ndarray, training: bool) -> tuple[np.ndarray, np.ndarray]:
        parts = len(self._metrics)
        rates = [parts * float(np.median(runs.totals[metric] / seconds)) for metric in self._metrics]
        return np.log([*rates, float(seconds.min()) / 10]), np.full(parts + 1, 5.0)

    def log_seconds(self, runs: _Runs, parameters: np.ndarray) -> np.ndarray:
        *rates, run = np.exp(parameters)
        return np.log(sum(runs.totals[metric] / rate for metric, rate in zip(self._metrics, rates, strict=True)) + run)


class Fitted(NamedTuple):
    """What was fitted to one setting's rows, and how far it is off on those that it has not seen.

    `error` and `error_90` are the median and the 90th percentile of the absolute error, as fractions: each family is
    left out in turn, or each fifth of the rows where all are of one family.
    """

    parameters: np.ndarray
    rows: int
    families: tuple[str, ...]
    error: float
    error_90: float


class RuntimeModel:
    """Predicts the time of a run, one setting of one device at a time; made by `fit`."""

    def __init__(self, by: str, fitted: Mapping[tuple, Fitted]) -> None:
        self.by = by
        self.fitted = dict(fitted)
        self._form = _form(by)

    @classmethod
    def fit(cls, frame: pd.DataFrame, by: str = "layers") -> RuntimeModel:
        """Fit to measured rows, each setting by itself.

        Arguments:
            frame: rows of a store: description (of the network), batch, median_ms, half_width, and what is in
                `SETTING`; rows without a time (which have a `reason` instead) are passed over. A column `base` names
                the base network, by whose family the error is judged; without it, the network's own name does.
            by: "layers", or for a baseline "flops", "params", "activations" or "flops and activations".

        Raises:
            PredictionError: columns are missing, there is no such model, or no setting has 10 rows. One that has fewer,
                beside others, is left out.
        """
        form = _form(by)
        fitted = {}
        settings = _settings(frame)
        if settings and max(len(rows) for _, rows in settings) < LEAST_ROWS:
            raise PredictionError(f"fit: {_too_few(*max(settings, key=lambda each: len(each[1])))}")
        for setting, rows in settings:
            if len(rows) < LEAST_ROWS:
                continue
            runs, seconds = _measured(rows)
            parameters = _fit(form, runs, seconds, rows, setting)
            error, error_90 = _errors_on_others(form, runs, seconds, rows, setting)
            fitted[setting] = Fitted(parameters, len(rows), tuple(sorted(set(families_of(rows)))), error, error_90)
        return cls(by, fitted)

    def predict(
        self, networks: Sequence[Network | str] | Network | str, batch: int = 64, **setting: Any
    ) -> pd.DataFrame:
        """The predicted time of each network.

        Arguments:
            setting: values of `SETTING`, as mode="training"; may be left out where the model knows one only.

        Returns:
            Columns network, batch, those of `SETTING`, predicted_ms, low_ms, high_ms: the time divided and multiplied
            by 1 + the model's median error on families that it has not seen.

        Raises:
            PredictionError: the model knows no such setting, or several.
            NetworkError: a name is not that of a base network.
        """
        networks = [named_network(each) for each in _several(networks)]
        key = self.setting(**setting)
        runs = _runs(networks, np.full(len(networks), float(batch)), key)
        ms = np.exp(self._form.log_seconds(runs, self.fitted[key].parameters)) * 1e3
        off = 1 + self.fitted[key].error
        columns = {"network": [each.name for each in networks], "batch": batch, **dict(zip(SETTING, key, strict=True))}
        return pd.DataFrame({**columns, "predicted_ms": ms, "low_ms": ms / off, "high_ms": ms * off})

    def curve(
        self, network: Network, strategies: Sequence[Strategy], scales: Sequence[float], batch: int, **setting: Any
    ) -> np.ndarray:
        """Predicted ms of a network scaled by each strategy and scale, shape (strategies × scales,), all at once.

        Raises:
            PredictionError: the model is a baseline, or knows no such setting, or several.
        """
        if not isinstance(self._form, _Layers):
            raise PredictionError(f"curve: this model is by {self.by}; curves are drawn by layers alone")
        key = self.setting(**setting)
        size = len(strategies) * len(scales)
        dims = scaled_dimensions(network, *grid_factors(strategies, np.asarray(scales, dtype=float)))
        ops = operations(network, dims, size)
        seconds = self._form.seconds(ops, float(batch), _bytes(key), self.fitted[key].parameters)
        return seconds.sum(axis=0) * 1e3

    def layers(self, network: Network | str, batch: int = 64, **setting: Any) -> pd.DataFrame:
        """What bounds each operation of a network: one row an operation, in order.

        Columns: kind, times, flops (of the batch), moved_bytes, predicted_ms (once), bound ("arithmetic", "data" or
        "launch").

        Raises:
            PredictionError: as for `curve`.
        """
        if not isinstance(self._form, _Layers):
            raise PredictionError(f"layers: this model is by {self.by}; it knows no layers")
        key = self.setting(**setting)
        ops = Operations(*(values[:, 0] for values in operations(named_network(network))))
        parts = self._form.bounds(ops, float(batch), _bytes(key), self.fitted[key].parameters)
        bound = np.array(["arithmetic", "data", "launch"])[np.argmax(parts, axis=0)]
        return pd.DataFrame(
            {
                "kind": [KINDS[kind] for kind in ops.kind],
                "times": ops.times.astype(int),
                "flops": (batch * ops.flops).astype(np.int64),
                "moved_bytes": (_bytes(key) * (batch * ops.moved + ops.weights)).astype(np.int64),
                "predicted_ms": _longest(*parts) * 1e3,
                "bound": bound,
            }
        )

    def setting(self, **wanted: Any) -> tuple:
        """The one setting that the model knows with these values.

        Raises:
            PredictionError: there is none, or there are several.
        """
        if unknown := sorted(set(wanted) - set(SETTING)):
            near = difflib.get_close_matches(unknown[0], SETTING, 1)
            raise PredictionError(
                f"predict: {unknown[0]!r} is no setting"
                + (f"; try {near[0]}" if near else f"; {', '.join(SETTING)} are")
            )
        found = [key for key in self.fitted if all(key[SETTING.index(name)] == value for name, value in wanted.items())]
        if len(found) == 1:
            return found[0]
        raise PredictionError(_ambiguous(found, wanted) if found else _unknown(self.fitted, wanted))

    def rates(self) -> pd.DataFrame:
        """One row a setting: its values, rows, families, error, error_90, and the fitted parameters in SI units."""
        rows = [
            {
                **dict(zip(SETTING, key, strict=True)),
                "rows": each.rows,
                "families": len(each.families),
                "error": each.error,
                "error_90": each.error_90,
                **dict(zip(self._form.names, np.exp(each.parameters), strict=True)),
            }
            for key, each in self.fitted.items()
        ]
        return pd.DataFrame(rows)


def prediction_errors(frame: pd.DataFrame, extra: pd.DataFrame | None = None) -> pd.DataFrame:
    """How far off each kind of model is on networks of a family that it has not seen.

    Every family of base networks is left out in turn; the model is fitted to the rest, and predicts it.

    Arguments:
        frame: as for `RuntimeModel.fit`.
        extra: rows that are always fitted to and never judged, as those of `calibrate`.

    Returns:
        One row for each setting and model: the columns of `SETTING`, by, rows, families, error and error_90 (median
        and 90th percentile of the absolute error, as fractions), pearson, spearman, pearson_of_logs (Spearman's is the
        same on both scales), and reason: why these are NaN, where a setting has too few rows or families; else None.
    """
    found = []
    known = {} if extra is None else dict(_settings(extra))
    for setting, rows in _settings(frame):
        both = pd.concat([rows, known[setting]], ignore_index=True) if setting in known else rows
        what = dict(zip(SETTING, setting, strict=True))
        counts = {"rows": len(rows), "families": len(set(families_of(rows)))}
        reason = _unfit(both, setting)
        for by, agreement in dict.fromkeys(BY, _NOT_KNOWN).items() if reason else _judged(rows, both, setting):
            found.append({**what, "by": by, **counts, **agreement, "reason": reason})
    return pd.DataFrame(found)


def _judged(rows: pd.DataFrame, both: pd.DataFrame, setting: tuple) -> Iterator[tuple[str, dict[str, float]]]:
    """How well each kind of model predicts the rows, the first of both, a family at a time."""
    runs, seconds = _measured(both)
    families, judged = np.array(families_of(both)), np.arange(len(both)) < len(rows)
    for by in BY:
        predicted = _predicted_unseen(_form(by), runs, seconds, both, setting, families, judged)[judged]
        yield by, _agreement(predicted, seconds[judged])


def _unfit(rows: pd.DataFrame, setting: tuple) -> str | None:
    """Why there is nothing to fit to once a family is left out; None where there is."""
    if len(rows) < LEAST_ROWS:
        return _too_few(setting, rows)
    families = sorted(set(families_of(rows)))
    return f"all rows are of {families[0]}: without it there are none to fit to" if len(families) == 1 else None


def families_of(rows: pd.DataFrame) -> list[str]:
    """The family of each row's base network, as `families` names them: what its name begins with."""
    names = rows["base"].fillna(rows["network"]) if "base" in rows else rows["network"]
    return [name.split("-")[0] for name in names]


def _agreement(predicted: np.ndarray, seconds: np.ndarray) -> dict[str, float]:
    off = np.abs(predicted / seconds - 1)
    ranks = [pd.Series(values).rank().to_numpy() for values in (predicted, seconds)]
    return {
        "error": float(np.median(off)),
        "error_90": float(np.quantile(off, 0.9)),
        "pearson": float(pearson(predicted, seconds)),
        "spearman": float(pearson(*ranks)),
        "pearson_of_logs": float(pearson(np.log(predicted), np.log(seconds))),
    }


def _errors_on_others(form: Any, runs: _Runs, seconds: np.ndarray, rows: pd.DataFrame, setting: tuple) -> tuple:
    """The median and the 90th percentile of the absolute error on rows that were left out."""
    groups = np.array(families_of(rows))
    if len(set(groups)) == 1:
        groups = np.arange(len(rows)) % _FOLDS
    predicted = _predicted_unseen(form, runs, seconds, rows, setting, groups, np.full(len(rows), True))
    off = np.abs(predicted / seconds - 1)
    return float(np.median(off)), float(np.quantile(off, 0.9))


def _predicted_unseen(
    form: Any,
    runs: _Runs,
    seconds: np.ndarray,
    rows: pd.DataFrame,
    setting: tuple,
    groups: np.ndarray,
    judged: np.ndarray,
) -> np.ndarray:
    """Predicted seconds of each judged row, from all rows but those of its group; NaN for the others."""
    predicted = np.full(len(rows), np.nan)
    for group in sorted(set(groups[judged])):
        out = judged & (groups == group)
        parameters = _fit(form, runs, seconds, rows, setting, ~out)
        predicted[out] = np.exp(form.log_seconds(runs, parameters))[out]
    return predicted


def _fit(
    form: Any, runs: _Runs, seconds: np.ndarray, rows: pd.DataFrame, setting: tuple, on: np.ndarray | None = None
) -> np.ndarray:
    on = np.full(len(seconds), True) if on is None else on
    noise = _NOISE + rows["half_width"].astype(float).fillna(1.0).to_numpy()[on]
    training = setting[SETTING.index("mode")] == "training"
    seen = runs._replace(totals={name: values[on] for name, values in runs.totals.items()})
    start, spread = form.start(seen, seconds[on], training)  # which must not know of the others
    return fit_logs(lambda at: form.log_seconds(runs, at)[on], np.log(seconds[on]), noise, start, spread)


def _longest(*times: np.ndarray) -> np.ndarray:
    """The largest of the times, as their norm of order 4: what bounds an operation changes smoothly with its size."""
    return np.sqrt(np.sqrt(sum(np.square(time * time) for time in times)))


def _settings(frame: pd.DataFrame) -> list[tuple[tuple, pd.DataFrame]]:
    """The rows that have a time, by setting."""
    if not isinstance(frame, pd.DataFrame):
        raise PredictionError(
            f"fit: expected a data frame, got a {type(frame).__name__}; give that of a store, fs.Store(path).frame()"
        )
    needed = {"network", "description", "batch", "median_ms", "half_width", *SETTING}
    if missing := sorted(needed - set(frame.columns)):
        raise PredictionError(
            f"fit: the frame lacks {', '.join(missing)}; fs.run(plan, store) gives rows that have all, and so does "
            "fs.Store(path).frame() of its store"
        )
    timed = frame[frame["median_ms"].notna()]
    return [(key, rows) for key, rows in timed.groupby(list(SETTING), sort=False, dropna=False)]


def _too_few(setting: tuple, rows: pd.DataFrame) -> str:
    what = dict(zip(SETTING, setting, strict=True))
    asked = [what["device_name"], f"{what['threads']:g} threads", what["mode"], what["precision"]]
    usual = {"channels_last": True, "compile": False, "tf32": False}
    asked += [f"{name}={what[name]}" for name, value in usual.items() if what[name] != value]
    return f"{len(rows)} measured rows for {', '.join(asked)}; a fit takes {LEAST_ROWS} of them at least"


def _measured(rows: pd.DataFrame) -> tuple[_Runs, np.ndarray]:
    networks = [Network.from_dict(each) for each in rows["description"]]
    setting = tuple(rows[name].iloc[0] for name in SETTING)
    return _runs(networks, rows["batch"].to_numpy(dtype=float), setting), rows["median_ms"].to_numpy(float) / 1e3


def _unknown(fitted: Sequence[tuple], wanted: Mapping[str, Any]) -> str:
    known = "; ".join(_told(dict(zip(SETTING, key, strict=True))) for key in fitted) or "none"
    no = f"no setting with {_told(wanted)}" if wanted else "no setting"
    return f"predict: the model is fitted to {no}; it is fitted to {known}"


def _ambiguous(found: Sequence[tuple], wanted: Mapping[str, Any]) -> str:
    """What to say in addition, where several settings have what is wanted."""
    columns = {
        name: list(dict.fromkeys(values)) for name, values in zip(SETTING, zip(*found, strict=True), strict=True)
    }
    differ = {name: values for name, values in columns.items() if len(values) > 1}
    open_ = ", ".join(f"{name} ({' or '.join(map(repr, values))})" for name, values in differ.items())
    has = f"{len(found)} settings with {_told(wanted)}" if wanted else f"{len(found)} settings"
    named = _told({name: values[0] for name, values in differ.items()})
    return f"predict: the model is fitted to {has}, which differ in {open_}; say which, as in {named}"


def _told(setting: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in setting.items())


def _runs(networks: Sequence[Network], batch: np.ndarray, setting: tuple) -> _Runs:
    each = [operations(network) for network in networks]
    lengths = [len(ops.kind) for ops in each]
    flat = Operations(*(np.concatenate([values[:, 0] for values in column]) for column in zip(*each, strict=True)))
    counts = [complexity(network) for network in networks]
    totals = {
        metric: batch * np.array([float(getattr(count, metric)) for count in counts])
        for metric in ("flops", "activations")
    }
    totals["params"] = np.array([float(count.params) for count in counts])  # a batch shares them
    return _Runs(flat, np.repeat(batch, lengths), np.cumsum([0, *lengths[:-1]]), totals, _bytes(setting))


def _bytes(setting: tuple) -> int:
    return element_bytes(setting[SETTING.index("precision")])


def _form(by: str) -> Any:
    if by not in BY:
        raise PredictionError(f"fit: {by!r} is no model; use one of {', '.join(BY)}")
    return _Totals(BY[by]) if BY[by] else _Layers()


def _several(values: Any) -> list:
    return [values] if isinstance(values, Network | str) else list(values)
