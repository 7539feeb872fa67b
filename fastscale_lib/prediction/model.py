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
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._common.checks import check_flag, check_whole, several
from ..architectures.definition import Network
from ..architectures.operation_lists import KINDS, Operations, operations
from ..architectures.zoo import network as named_network
from ..records.conditions import Conditions
from ..scaling.rounding import scaled_dimensions
from ..scaling.strategies import Strategy, as_list, grid_factors, scale_factors
from ..scaling.strategies import strategy as named_strategy
from .forms import By, Layers, PredictionError, bytes_of, fit_form, form_of, host_seconds, longest, runs_of
from .reach import Extent, Judged, Reach, batch_beyond, judge
from .timed_rows import LEAST_ROWS, families_of, timed_rows, timed_runs, too_few
from .unseen import errors_on_others, reach_on_trial


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

    def __init__(self, by: By, fitted: Mapping[Conditions, Fitted]) -> None:
        self.by = by
        self.fitted = dict(fitted)
        self._form = form_of(by)

    @classmethod
    def fit(cls, frame: pd.DataFrame, by: By = "layers") -> RuntimeModel:
        """Fit to measured rows, each setting by itself.

        Arguments:
            frame: rows of a store: description (of the network), batch, median_ms, half_width, and what is in
                `Conditions.FIT`; rows without a time (which have a `reason` instead) are passed over. A column `base`
                names the base network, by whose family the error is judged; without it, the network's own name does. Of
                a GPU, a column `launch_ms` holds what the host took to launch a run.
            by: "layers", or for a baseline "flops", "params", "activations" or "flops and activations".

        Raises:
            PredictionError: columns are missing, no row has a time, there is no such model, or no setting has 10 rows.
                One that has fewer, beside others, is left out.
        """
        form = form_of(by)
        fitted = {}
        settings = timed_rows(frame)
        if not settings:
            raise PredictionError(
                f"fit: none of the frame's {len(frame)} rows has a time (median_ms); a fit takes {LEAST_ROWS} of one "
                "setting at least, as fs.calibrate() or fs.measure_plan(plan, store) measures them"
            )
        if max(len(rows) for _, rows in settings) < LEAST_ROWS:
            raise PredictionError(f"fit: {too_few(*max(settings, key=lambda each: len(each[1])))}")
        for setting, rows in settings:
            if len(rows) < LEAST_ROWS:
                continue
            runs, seconds = timed_runs(rows)
            parameters = fit_form(form, runs, seconds, rows, setting)
            errors = errors_on_others(form, runs, seconds, rows, setting)
            reach = reach_on_trial(form, runs, seconds, rows, setting)
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
            setting: values of `Conditions.FIT`, as mode="training"; may be left out where the model knows one only.

        Returns:
            Columns network, batch, those of `Conditions.FIT`, predicted_ms, low_ms, high_ms (the time divided and
            multiplied by 1 + the error), note: why the error is another than the stated one, or why there is no time;
            else None.

        Raises:
            PredictionError: the model knows no such setting, or several; the batch is no whole number of at least 1, or
                beyond those of the rows; or, where strict, a network is larger or smaller than was tried, or made of
                what the rows hardly have.
            NetworkError: a name is not that of a base network.
        """
        networks = [named_network(each) for each in several(networks, Network)]
        strict = check_flag("predict: strict", strict, PredictionError)
        if not networks:
            raise PredictionError("predict: no network is given; give one at least")
        key = self.setting(**setting)
        batch = self._batch(batch, key)
        runs = runs_of(networks, np.full(len(networks), float(batch)), key)
        device = np.exp(self._form.log_seconds(runs, self.fitted[key].parameters))
        found = self._curve(key, device, runs.launches, runs.extent)
        for network, ms, note in zip(networks, found.ms, found.notes, strict=True):
            if strict and np.isnan(ms):
                raise PredictionError(f"predict: {network.name} is {note}")
        columns = {"network": [each.name for each in networks], "batch": batch, **key.row(Conditions.FIT)}
        times = {"predicted_ms": found.ms, "low_ms": found.low_ms, "high_ms": found.high_ms}
        return pd.DataFrame({**columns, **times, "note": pd.Series(found.notes, dtype=object)})

    def curve(
        self,
        network: Network | str,
        strategies: Sequence[Strategy | str | float] | Strategy | str | float,
        scales: Sequence[float] | float,
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
        network = named_network(network)
        strategies, scales = [named_strategy(each) for each in as_list(strategies)], scale_factors(scales)
        if not (strategies and len(scales)):
            raise PredictionError("curve: there is nothing to predict; give at least one strategy and one scale")
        key = self.setting(**setting)
        batch = self._batch(batch, key)
        size = len(strategies) * len(scales)
        dims = scaled_dimensions(network, *grid_factors(strategies, scales))
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

    def _batch(self, asked: Any, key: Conditions) -> int:
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

    def _judged(self, key: Conditions, extent: Extent, size: int) -> Judged:
        fitted = self.fitted[key]
        if fitted.reach is None:
            return Judged(np.full(size, fitted.error), [None] * size)
        return judge(fitted.reach, extent, fitted.error, fitted.error_90)

    def _curve(self, key: Conditions, device: np.ndarray, launches: np.ndarray, extent: Extent) -> Curve:
        """The times of runs that take the device so many seconds and the host so many launches."""
        least, usual, most = self.fitted[key].host
        error, notes = self._judged(key, extent, len(device))
        ms = longest(device, launches * usual) * 1e3
        low = longest(device / (1 + error), launches * least) * 1e3
        high = longest(device * (1 + error), launches * most) * 1e3
        return Curve(np.where(np.isnan(error), np.nan, ms), low, high, notes, ms)

    def setting(self, **wanted: Any) -> Conditions:
        """The one setting that the model knows with these values.

        Raises:
            PredictionError: there is none, or there are several.
        """
        if unknown := sorted(set(wanted) - set(Conditions.FIT)):
            near = difflib.get_close_matches(unknown[0], Conditions.FIT, 1)
            raise PredictionError(
                f"predict: {unknown[0]!r} is no setting"
                + (f"; try {near[0]}" if near else f"; {', '.join(Conditions.FIT)} are")
            )
        found = [key for key in self.fitted if all(getattr(key, name) == value for name, value in wanted.items())]
        if len(found) == 1:
            return found[0]
        raise PredictionError(_ambiguous(found, wanted) if found else _unknown(list(self.fitted), wanted))

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
                **key.row(Conditions.FIT),
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


def _unknown(fitted: Sequence[Conditions], wanted: Mapping[str, Any]) -> str:
    known = "; ".join(_told(key.row(Conditions.FIT)) for key in fitted) or "none"
    no = f"no setting with {_told(wanted)}" if wanted else "no setting"
    return f"predict: the model is fitted to {no}; it is fitted to {known}"


def _ambiguous(found: Sequence[Conditions], wanted: Mapping[str, Any]) -> str:
    """What to say in addition, where several settings have what is wanted."""
    columns = {name: list(dict.fromkeys(getattr(key, name) for key in found)) for name in Conditions.FIT}
    differ = {name: values for name, values in columns.items() if len(values) > 1}
    open_ = ", ".join(f"{name} ({' or '.join(map(repr, values))})" for name, values in differ.items())
    has = f"{len(found)} settings with {_told(wanted)}" if wanted else f"{len(found)} settings"
    named = _told({name: values[0] for name, values in differ.items()})
    return f"predict: the model is fitted to {has}, which differ in {open_}; say which, as in {named}"


def _told(setting: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in setting.items())
