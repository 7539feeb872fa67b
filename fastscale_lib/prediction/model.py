"""The time of a network on a device, predicted from its operations; fitted to measurements.

The model is a roofline of layers (Williams, Waterman, Patterson: Roofline, 2009): an operation takes as long as its
arithmetic, its data or its launch, whichever is longest, and a network as long as its operations. The rates are those
of a device under one setting, fitted to measured times of whole networks. On a GPU a run takes no less than its host
takes to launch it, which rows have as `launch_ms`. The baselines are fitted the same way, to a network's totals alone:
flops, params, activations, or flops and activations.

`reach` says at which batches and for which networks the rows allow a prediction, and with which error.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias

import numpy as np
import pandas as pd

from .._common.checks import check_flag, check_whole, several
from .._common.frames import rows as rows_of
from ..architectures.definition import Network
from ..architectures.operation_lists import KINDS, Operations, operations
from ..architectures.resolutions import Resolution
from ..architectures.traced.module_family import Family
from ..architectures.traced.modules import is_module
from ..architectures.zoo import network as named_network
from ..records.conditions import Conditions
from ..scaling.module_scaling import network_or_modules
from ..scaling.rounding import scaled_dimensions
from ..scaling.strategies import ScalesLike, StrategiesLike, as_list, grid_factors, scale_factors
from ..scaling.strategies import strategy as named_strategy
from .curves import Curve, curve_of, judged_of
from .device_names import is_this_machine, known_device
from .fitted import Fitted, fit_setting, read_fits
from .forms import By, PredictionError, bytes_of, form_of, runs_of
from .from_profiles import rows_that_meet
from .mean_times import MeanTimes
from .probe_fits import fits_here
from .reach import Extent, batch_beyond
from .setting_words import ambiguous, no_such, without
from .sheets import error_with_one_row
from .timed_rows import fit_settings

if TYPE_CHECKING:
    import torch

    Predictable: TypeAlias = Network | str | Family | torch.nn.Module


class RuntimeModel:
    """A model of the time of a run, for one or several settings; made by `fit`."""

    def __init__(self, by: By, fitted: Mapping[Conditions, Fitted]) -> None:
        self.by: By = by
        self.fitted = dict(fitted)

    def __repr__(self) -> str:
        fits = [f"{key.label()}: {fit.note or f'median error {fit.error:.1%}'}" for key, fit in self.fitted.items()]
        return f"RuntimeModel({self.by!r}, {'; '.join(fits)})"

    def _form(self, key: Conditions) -> Any:
        return self.fitted[key].form or form_of(self.by)

    @classmethod
    def fit(cls, frame: pd.DataFrame, by: By = "layers") -> RuntimeModel:
        """Fit to measured rows, each setting by itself.

        Arguments:
            frame: rows of a store: description (of the network), batch, median_ms, half_width, and the columns of
                `Conditions.FIT`; rows without a time (with a `reason` instead) are passed over. Column `base` names the
                base network, whose family is held out for the error; without it the network's own name is taken. For
                a GPU, column `launch_ms` has the ms that the host took to launch a run.
            by: "layers" (default; with more kinds for 60 rows of a GPU), or for a baseline "flops",
                "params", "activations" or "flops and activations".

        Raises:
            PredictionError: columns are missing, no row has a time, there is no such model, or no setting has 10 rows.
                A setting that has fewer, beside others, is passed over.
        """
        form_of(by)  # raises if there is none
        return cls(by, {setting: fit_setting(by, setting, rows) for setting, rows in fit_settings(frame)})

    @classmethod
    def of(cls, device_name: str, *, measured: Any = None, **setting: Any) -> RuntimeModel:
        """Return the model of a device: of its shipped profile, or estimated by its data sheet.

        Arguments:
            device_name: of a profile or data sheet that `fs.devices` lists; "rtx-4090", "4090" and "NVIDIA GeForce RTX
                4090" are one; or "this machine", for what `calibrate` has kept ("this machine: " and a device's
                name, where it has several).
            measured: rows measured on the device, as `adjusted` takes them; default: none.
            setting: values of `Conditions.FIT`, as compile=True, or torch: a version; what is not given is the usual:
                inference, eager, not channels_last. "fp16" and "bf16" are also the precision "amp".

        Returns:
            A model of this one setting. Estimates say in the note of each prediction what they are.

        Raises:
            PredictionError: no device, or several, have this name; or it is not known with this setting.
        """
        fits = fits_here(device_name) if is_this_machine(device_name) else dict(read_fits(known_device(device_name)))
        model = cls("layers", fits)
        for name, usual in (("mode", "inference"), ("compile", False), ("channels_last", False)):
            if name not in setting and len({getattr(key, name) for key in model._settings(setting)}) > 1:
                setting[name] = usual
        if not model._settings(setting):
            raise PredictionError(without(list(model.fitted), setting))
        key = model.setting(**setting)
        model = cls("layers", {key: model.fitted[key]})
        return model if measured is None else model.adjusted(measured)

    def adjusted(self, measured: Any) -> RuntimeModel:
        """Multiply all times by one factor, by which they meet what was measured.

        Arguments:
            measured: what `fs.measure` returned, or a frame of such rows, under the only setting of the model.

        Raises:
            PredictionError: the model has several settings, a row is not predicted, or as for `rows_that_meet`.
        """
        key = self.setting()
        frame = rows_that_meet(measured, key)
        times = [self.predict(Network.from_dict(row.description), row.batch) for row in rows_of(frame)]
        ratio = frame["median_ms"].to_numpy(float) / pd.concat(times)["predicted_ms"].to_numpy()
        fitted = self.fitted[key]
        form = MeanTimes([(self._form(key), fitted.parameters)])
        error = error_with_one_row(key.row(Conditions.FIT)) if fitted.note else {}
        note = fitted.note and f"{fitted.note}, met to {len(frame)} measured"
        by_one = fitted._replace(parameters=np.array([np.median(np.log(ratio))]), form=form, note=note, **error)
        return RuntimeModel(self.by, {key: by_one})

    def predict(
        self,
        networks: Predictable | Iterable[Predictable],
        batch: SupportsIndex | None = None,
        *,
        resolution: Resolution | None = None,
        strict: bool = True,
        **setting: Any,
    ) -> pd.DataFrame:
        """Predict the time of each network, or of any torch module, whose operations are traced.

        There are two bands: half of the networks of families that were held out are within the one, and nine in ten
        within the other. Those of a larger or smaller network than the fitted ones are wider, as fits to the smallest
        or largest rows were on trial, up to the size that was tried. If the rows have `launch_ms`, a run takes no less
        than the launches of its operations, from the least to the most of the rows.

        Arguments:
            networks: one or several, as Networks, names of base networks, Families, or torch modules.
            batch: images in a run; default: that of the rows, if all have the same.
            resolution: side of the images in pixels, or (height, width); default: each network's own. A module must be
                given it, unless it is one of timm, or made by `build`.
            strict: True (default) raises if a time cannot be predicted; False gives that network a row without one.
            setting: values of `Conditions.FIT`, as mode="training"; default: none, if the model has only one setting.

        Returns:
            Columns network, batch, those of `Conditions.FIT`, predicted_ms, low_ms and high_ms (the band of half of
            networks), low_90_ms and high_90_ms (that of nine in ten), note: why these are wider than for networks like
            the fitted ones, or why there is no time; else None.

        Raises:
            PredictionError: the model has no such setting, or several; the batch is no whole number of at least 1, or
                outside those of the rows; or, if strict, a network is larger or smaller than was tried, or has
                operations that the rows hardly have.
            NetworkError: a name is not that of a base network, or a module cannot be traced.
        """
        given: list[Any] = [networks] if is_module(networks) else several(networks, Network)
        bases = [network_or_modules(each, resolution) for each in given]
        strict = check_flag("predict: strict", strict, PredictionError)
        if not bases:
            raise PredictionError("predict: no network is given; give one at least")
        key = self.setting(**setting)
        batch = self._batch(batch, key)
        runs = runs_of(bases, np.full(len(bases), float(batch)), key)
        device = np.exp(self._form(key).log_seconds(runs, self.fitted[key].parameters))
        found = curve_of(self.fitted[key], device, runs.launches, runs.extent)
        for network, ms, note in zip(bases, found.ms, found.notes, strict=True):
            if strict and np.isnan(ms):
                raise PredictionError(f"predict: {network.name} is {note}")
        for place, each in enumerate(bases):
            if isinstance(each, Family) and (unknown := each.trace().complexity.uncounted):
                said = f"without the time of {', '.join(unknown)}, which nothing is known of"
                found.notes[place] = "; ".join(filter(None, (found.notes[place], said)))
        columns = {"network": [each.name for each in bases], "batch": batch, **key.row(Conditions.FIT)}
        return pd.DataFrame(columns).join(found.columns())

    def curve(
        self,
        network: Network | str,
        strategies: StrategiesLike,
        scales: ScalesLike,
        batch: SupportsIndex | None = None,
        **setting: Any,
    ) -> Curve:
        """Predict the times of a network scaled by every strategy and scale factor, at once.

        Arguments:
            network: the base network, or its name.
            strategies: one or several, as for `sweep`.
            scales: one or several scale factors, as for `sweep`.
            batch: as for `predict`.
            setting: as for `predict`.

        Returns:
            Times of shape (strategies × scales,), strategy by strategy; NaN with a note if there is no prediction.

        Raises:
            PredictionError: the model is a baseline, has no such setting, or several; or the batch is no whole number,
                or outside those of the rows.
        """
        network = named_network(network)
        ways, factors = [named_strategy(each) for each in as_list(strategies)], scale_factors(scales)
        if not (ways and len(factors)):
            raise PredictionError("curve: there is nothing to predict; give at least one strategy and one scale")
        dims = scaled_dimensions(network, *grid_factors(ways, factors))
        ops = operations(network, dims, len(ways) * len(factors))
        return self.curve_of(ops, Extent.of(ops), batch, **setting)

    def curve_of(self, ops: Operations, extent: Extent, batch: SupportsIndex | None = None, **setting: Any) -> Curve:
        """Predict the times of networks by their operations, which several models can share.

        Arguments:
            ops: of the networks, shape (operations, networks).
            extent: of the same.
            batch: as for `predict`.
            setting: as for `predict`.

        Raises:
            PredictionError: as for `curve`.
        """
        if self.by != "layers":
            raise PredictionError(f"curve: this model is by {self.by}; curves are drawn by layers alone")
        key = self.setting(**setting)
        batch = self._batch(batch, key)
        device = self._form(key).seconds(ops, float(batch), bytes_of(key), self.fitted[key].parameters).sum(axis=0)
        return curve_of(self.fitted[key], device, ops.times.sum(axis=0), extent)

    def layers(self, network: Network | str, batch: SupportsIndex | None = None, **setting: Any) -> pd.DataFrame:
        """Predict the time of each operation of a network, and say what bounds it.

        If the host is slower than the device, the run takes longer than these operations together.

        Arguments:
            network: the network, or the name of a base network.
            batch: as for `predict`.
            setting: as for `predict`.

        Returns:
            One row per operation, in order: kind, times, flops (of the batch), moved_bytes, predicted_ms (once), bound
            ("arithmetic", "data" or "launch").

        Raises:
            PredictionError: as for `predict`, or the model is a baseline.
        """
        if self.by != "layers":
            raise PredictionError(f"layers: this model is by {self.by}; it knows no layers")
        key, network = self.setting(**setting), named_network(network)
        batch = self._batch(batch, key)
        ops = operations(network)
        judged = judged_of(self.fitted[key], Extent.of(ops), 1)
        if np.isnan(judged.bands.half[0]):
            raise PredictionError(f"layers: {network.name} is {judged.notes[0]}")
        ops = Operations(*(values[:, 0] for values in ops))
        parts = self._form(key).bounds(ops, float(batch), bytes_of(key), self.fitted[key].parameters)
        bound = np.array(["arithmetic", "data", "launch"])[np.argmax(parts, axis=0)]
        return pd.DataFrame(
            {
                "kind": [KINDS[kind] for kind in ops.kind],
                "times": ops.times.astype(int),
                "flops": (batch * ops.flops).astype(np.int64),
                "moved_bytes": (bytes_of(key) * (batch * ops.moved + ops.weights)).astype(np.int64),
                "predicted_ms": self._form(key).joined(*parts) * 1e3,
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
        usual = int(np.clip(64, *reach.batches)) if reach else 64
        batch = check_whole("predict: batch", asked, PredictionError, remedy=f"; try batch={usual}")
        if reach and (why := batch_beyond(reach, batch)):
            raise PredictionError(f"predict: {why}")
        return batch

    def setting(self, **wanted: Any) -> Conditions:
        """Find the one setting of the model that has these values.

        Arguments:
            wanted: values of `Conditions.FIT`, as mode="training", or torch: a version; default: the newest.

        Raises:
            PredictionError: there is none, or there are several.
        """
        found = self._settings(wanted)
        if found and len({replace(key, torch=None) for key in found}) == 1:
            return max(found, key=lambda key: [int(part) for part in re.findall(r"\d+", key.torch or "")])
        raise PredictionError(ambiguous(found, wanted) if found else no_such(list(self.fitted), wanted))

    def _settings(self, wanted: Mapping[str, Any]) -> list[Conditions]:
        """Find the settings that have these values; autocast is "amp" in the words of timm."""
        known = (*Conditions.FIT, "torch")
        if unknown := sorted(set(wanted) - set(known)):
            near = difflib.get_close_matches(unknown[0], known, 1)
            raise PredictionError(
                f"predict: {unknown[0]!r} is no setting" + (f"; try {near[0]}" if near else f"; {', '.join(known)} are")
            )

        def has(key: Conditions, name: str, value: Any) -> bool:
            own = getattr(key, name)
            if not isinstance(value, str | bool | int | float | np.generic | None):
                return False
            return own == value or (name == "precision" and own == "amp" and value in ("fp16", "bf16"))

        return [key for key in self.fitted if all(has(key, name, value) for name, value in wanted.items())]

    def batch(self, asked: SupportsIndex | None = None, **setting: Any) -> int:
        """Return the batch of a prediction: the one asked for, or that of all rows.

        Arguments:
            asked: images in a run; default: that of the rows, if all have the same.
            setting: as for `predict`.

        Raises:
            PredictionError: as for `predict`.
        """
        return self._batch(asked, self.setting(**setting))

    def rates(self) -> pd.DataFrame:
        """List the fitted parameters of each setting.

        Returns:
            One row per setting: its values; rows; families; batches of the rows, as "4" or "64 to 256"; error;
            error_90; prior, the profile that it was fitted from, if any; launch_us, the median that the host took to
            launch an operation (NaN if the rows lack it); and the parameters in SI units.
        """
        rows = [
            {
                **key.row(Conditions.FIT),
                "rows": each.rows,
                "families": len(each.families),
                "batches": each.reach.batches_text if each.reach else "",
                "error": each.error,
                "error_90": each.error_90,
                "prior": each.prior,
                "launch_us": each.host[1] * 1e6 or np.nan,
                **dict(zip(self._form(key).names, np.exp(each.parameters), strict=True)),
            }
            for key, each in self.fitted.items()
        ]
        return pd.DataFrame(rows)
