"""The time that a network takes on a device, predicted from what it computes and moves; fitted to measurements.

The model is a roofline of layers (Williams, Waterman, Patterson: Roofline, 2009): an operation takes as long as its
arithmetic, its data or its launch takes, whichever is longest, and a network takes as long as its operations do. The
rates are a device's, under one setting; they are fitted to measured times of whole networks. On a GPU a run takes no
less than its host takes to launch it, which rows hold as `launch_ms`. Beside it stand the baselines, fitted the same
way, that know a network's totals only: flops, params, activations, flops and activations.

What is predicted is what rows tell: `reach` says at which batches, of which networks, and how surely.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._common.checks import check_whole
from ..architectures.definition import Network
from ..architectures.operation_lists import KINDS, Operations, operations
from ..architectures.zoo import network as named_network
from ..scaling.rounding import scaled_dimensions
from ..scaling.strategies import Strategy, grid_factors
from .forms import (
    BY,
    SETTING,
    By,
    Layers,
    PredictionError,
    Runs,
    bytes_of,
    fit_form,
    form_of,
    host_seconds,
    longest,
    runs_of,
)
from .reach import Extent, Judged, Reach, batch_beyond, judge
from .unseen import _agreement, _errors_on_others, _predicted_unseen, _reach, families_of

LEAST_ROWS = 10
_NOT_KNOWN = dict.fromkeys(("error", "error_90", "pearson", "spearman", "pearson_of_logs"), float("nan"))


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
    reach: Reach | None = None  # None, of rates that were given by hand: they hold everywhere
    host: tuple[float, float, float] = (0.0, 0.0, 0.0)  # seconds a launch: least, median and most of the rows


class Curve(NamedTuple):
    """Predicted times of several networks in ms, each of shape (networks,), as `RuntimeModel.predict` has them.

    `ms`, `low_ms` and `high_ms` are NaN where nothing can be told, and `notes` say why. `everywhere_ms` are what the
    rates give there, too: to search along, and not to show.
    """

    ms: np.ndarray
    low_ms: np.ndarray
    high_ms: np.ndarray
    notes: list[str | None]
    everywhere_ms: np.ndarray


class RuntimeModel:
    """Predicts the time of a run, one setting of one device at a time; made by `fit`."""

    def __init__(self, by: By, fitted: Mapping[tuple, Fitted]) -> None:
        self.by = by
        self.fitted = dict(fitted)
        self._form = form_of(by)

    @classmethod
    def fit(cls, frame: pd.DataFrame, by: By = "layers") -> RuntimeModel:
        """Fit to measured rows, each setting by itself.

        Arguments:
            frame: rows of a store: description (of the network), batch, median_ms, half_width, and what is in
                `SETTING`; rows without a time (which have a `reason` instead) are passed over. A column `base` names
                the base network, by whose family the error is judged; without it, the network's own name does. Of
                a GPU, a column `launch_ms` holds what the host took to launch a run.
            by: "layers", or for a baseline "flops", "params", "activations" or "flops and activations".

        Raises:
            PredictionError: columns are missing, no row has a time, there is no such model, or no setting has 10 rows.
                One that has fewer, beside others, is left out.
        """
        form = form_of(by)
        fitted = {}
        settings = _settings(frame)
        if not settings:
            raise PredictionError(
                f"fit: none of the frame's {len(frame)} rows has a time (median_ms); a fit takes {LEAST_ROWS} of one "
                "setting at least, as fs.calibrate() or fs.measure_plan(plan, store) measures them"
            )
        if max(len(rows) for _, rows in settings) < LEAST_ROWS:
            raise PredictionError(f"fit: {_too_few(*max(settings, key=lambda each: len(each[1])))}")
        for setting, rows in settings:
            if len(rows) < LEAST_ROWS:
                continue
            runs, seconds = _measured(rows)
            parameters = fit_form(form, runs, seconds, rows, setting)
            errors = _errors_on_others(form, runs, seconds, rows, setting)
            reach = _reach(form, runs, seconds, rows, setting)
            families = tuple(sorted(set(families_of(rows))))
            fitted[setting] = Fitted(parameters, len(rows), families, *errors, reach, host_seconds(runs))
        return cls(by, fitted)

    def predict(
        self,
        networks: Sequence[Network | str] | Network | str,
        batch: int | None = None,
        *,
        strict: bool = True,
        **setting: Any,
    ) -> pd.DataFrame:
        """The predicted time of each network, as far as the fitted rows tell it.

        At a batch between the smallest and the largest of the rows, a network no larger and no smaller than theirs
        has the model's median error on families that it has not seen. One beyond them has an interval as wide as nine
        in ten predictions were off, on trial and on such families, up to the size that was tried. Where the rows hold
        `launch_ms`, a run takes no less than its operations take to launch, from the least to the most of the rows.

        Arguments:
            batch: images in a run; left out: that of the rows, where all have one.
            strict: False gives a network whose time cannot be told a row without one, and raises nothing for it.
            setting: values of `SETTING`, as mode="training"; may be left out where the model knows one only.

        Returns:
            Columns network, batch, those of `SETTING`, predicted_ms, low_ms, high_ms (the time divided and multiplied
            by 1 + the error), note: why the error is another than the stated one, or why there is no time; else None.

        Raises:
            PredictionError: the model knows no such setting, or several; the batch is no whole number of at least 1, or
                beyond those of the rows; or, where strict, a network is larger or smaller than was tried, or made of
                what the rows hardly have.
            NetworkError: a name is not that of a base network.
        """
        networks = [named_network(each) for each in _several(networks)]
        key = self.setting(**setting)
        batch = self._batch(batch, key)
        runs = runs_of(networks, np.full(len(networks), float(batch)), key)
        device = np.exp(self._form.log_seconds(runs, self.fitted[key].parameters))
        found = self._curve(key, device, runs.launches, runs.extent)
        for network, ms, note in zip(networks, found.ms, found.notes, strict=True):
            if strict and np.isnan(ms):
                raise PredictionError(f"predict: {network.name} is {note}")
        columns = {"network": [each.name for each in networks], "batch": batch, **dict(zip(SETTING, key, strict=True))}
        times = {"predicted_ms": found.ms, "low_ms": found.low_ms, "high_ms": found.high_ms}
        return pd.DataFrame({**columns, **times, "note": pd.Series(found.notes, dtype=object)})

    def curve(
        self,
        network: Network,
        strategies: Sequence[Strategy],
        scales: Sequence[float],
        batch: int | None = None,
        **setting: Any,
    ) -> Curve:
        """Predicted times of a network scaled by each strategy and scale, (strategies × scales,) of them at once.

        Arguments:
            batch, setting: as for `predict`, as are the times; those that cannot be told are NaN, with a note.

        Raises:
            PredictionError: the model is a baseline, knows no such setting, or several, or the batch is no whole number
                or beyond those of the rows.
        """
        if not isinstance(self._form, Layers):
            raise PredictionError(f"curve: this model is by {self.by}; curves are drawn by layers alone")
        key = self.setting(**setting)
        batch = self._batch(batch, key)
        size = len(strategies) * len(scales)
        dims = scaled_dimensions(network, *grid_factors(strategies, np.asarray(scales, dtype=float)))
        ops = operations(network, dims, size)
        device = self._form.seconds(ops, float(batch), bytes_of(key), self.fitted[key].parameters).sum(axis=0)
        return self._curve(key, device, ops.times.sum(axis=0), Extent.of(ops))

    def layers(self, network: Network | str, batch: int | None = None, **setting: Any) -> pd.DataFrame:
        """What bounds each operation of a network: one row an operation, in order.

        Where the host is slower than the device, the run takes longer than these operations do.

        Columns: kind, times, flops (of the batch), moved_bytes, predicted_ms (once), bound ("arithmetic", "data" or
        "launch").

        Raises:
            PredictionError: as for `predict`, or the model is a baseline.
        """
        if not isinstance(self._form, Layers):
            raise PredictionError(f"layers: this model is by {self.by}; it knows no layers")
        key, network = self.setting(**setting), named_network(network)
        batch = self._batch(batch, key)
        ops = operations(network)
        judged = self._judged(key, Extent.of(ops), 1)
        if np.isnan(judged.error[0]):
            raise PredictionError(f"layers: {network.name} is {judged.notes[0]}")
        ops = Operations(*(values[:, 0] for values in ops))
        parts = self._form.bounds(ops, float(batch), bytes_of(key), self.fitted[key].parameters)
        bound = np.array(["arithmetic", "data", "launch"])[np.argmax(parts, axis=0)]
        return pd.DataFrame(
            {
                "kind": [KINDS[kind] for kind in ops.kind],
                "times": ops.times.astype(int),
                "flops": (batch * ops.flops).astype(np.int64),
                "moved_bytes": (bytes_of(key) * (batch * ops.moved + ops.weights)).astype(np.int64),
                "predicted_ms": longest(*parts) * 1e3,
                "bound": bound,
            }
        )

    def _batch(self, asked: Any, key: tuple) -> int:
        reach = self.fitted[key].reach
        if asked is None and reach and len(set(reach.batches)) == 1:
            return reach.batches[0]
        if asked is None:
            fitted = f", from {reach.batches_text}" if reach else ""
            raise PredictionError(f"predict: no batch is given; say which{fitted}, as in batch=64")
        usual = reach.batches[1] if reach else 64
        batch = check_whole("predict: batch", asked, PredictionError, remedy=f"; try batch={usual}")
        if reach and (why := batch_beyond(reach, batch)):
            raise PredictionError(f"predict: {why}")
        return batch

    def _judged(self, key: tuple, extent: Extent, size: int) -> Judged:
        fitted = self.fitted[key]
        if fitted.reach is None:
            return Judged(np.full(size, fitted.error), [None] * size)
        return judge(fitted.reach, extent, fitted.error, fitted.error_90)

    def _curve(self, key: tuple, device: np.ndarray, launches: np.ndarray, extent: Extent) -> Curve:
        """The times of runs that take the device so many seconds and the host so many launches."""
        least, usual, most = self.fitted[key].host
        error, notes = self._judged(key, extent, len(device))
        ms = longest(device, launches * usual) * 1e3
        low = longest(device / (1 + error), launches * least) * 1e3
        high = longest(device * (1 + error), launches * most) * 1e3
        return Curve(np.where(np.isnan(error), np.nan, ms), low, high, notes, ms)

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

    def batch(self, asked: int | None = None, **setting: Any) -> int:
        """The batch that is predicted at under one setting: the one asked for, or that of the rows, where all have one.

        Raises:
            PredictionError: as for `predict`.
        """
        return self._batch(asked, self.setting(**setting))

    def rates(self) -> pd.DataFrame:
        """One row a setting: its values, rows, families, batches, error, error_90, launch_us, fitted parameters.

        `batches` are those of the rows, as "4" or "64 to 256"; `launch_us` is the median of what the host took to
        launch an operation, NaN where the rows do not tell it; the parameters are in SI units.
        """
        rows = [
            {
                **dict(zip(SETTING, key, strict=True)),
                "rows": each.rows,
                "families": len(each.families),
                "batches": each.reach.batches_text if each.reach else "",
                "error": each.error,
                "error_90": each.error_90,
                "launch_us": each.host[1] * 1e6 or np.nan,
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
        predicted = _predicted_unseen(form_of(by), runs, seconds, both, setting, families, judged)[judged]
        yield by, _agreement(predicted, seconds[judged])


def _unfit(rows: pd.DataFrame, setting: tuple) -> str | None:
    """Why there is nothing to fit to once a family is left out; None where there is."""
    if len(rows) < LEAST_ROWS:
        return _too_few(setting, rows)
    families = sorted(set(families_of(rows)))
    return f"all rows are of {families[0]}: without it there are none to fit to" if len(families) == 1 else None


def _settings(frame: pd.DataFrame) -> list[tuple[tuple, pd.DataFrame]]:
    """The rows that have a time, by setting."""
    if not isinstance(frame, pd.DataFrame):
        raise PredictionError(
            f"fit: expected a data frame, got a {type(frame).__name__}; give that of a store, fs.Store(path).frame()"
        )
    needed = {"network", "description", "batch", "median_ms", "half_width", *SETTING}
    if missing := sorted(needed - set(frame.columns)):
        raise PredictionError(
            f"fit: the frame lacks {', '.join(missing)}; fs.measure_plan(plan, store) gives rows that have all, "
            "and so does fs.Store(path).frame() of its store"
        )
    timed = frame[frame["median_ms"].notna()]
    return [(key, rows) for key, rows in timed.groupby(list(SETTING), sort=False, dropna=False)]


def _too_few(setting: tuple, rows: pd.DataFrame) -> str:
    what = dict(zip(SETTING, setting, strict=True))
    asked = [what["device_name"], f"{what['threads']:g} threads", what["mode"], what["precision"]]
    usual = {"channels_last": True, "compile": False, "tf32": False}
    asked += [f"{name}={what[name]}" for name, value in usual.items() if what[name] != value]
    return f"{len(rows)} measured rows for {', '.join(asked)}; a fit takes {LEAST_ROWS} of them at least"


def _measured(rows: pd.DataFrame) -> tuple[Runs, np.ndarray]:
    networks = [Network.from_dict(each) for each in rows["description"]]
    setting = tuple(rows[name].iloc[0] for name in SETTING)
    runs = runs_of(networks, rows["batch"].to_numpy(dtype=float), setting)
    if "launch_ms" in rows:
        runs = runs._replace(host=rows["launch_ms"].astype(float).fillna(0.0).to_numpy() / 1e3)
    return runs, rows["median_ms"].to_numpy(float) / 1e3


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


def _several(values: Any) -> list:
    return [values] if isinstance(values, Network | str) else list(values)
