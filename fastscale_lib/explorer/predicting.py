"""The explorer's predictions: probe networks measured once in the process apart, and a model fitted to them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, NamedTuple

import pandas as pd
import traitlets as T

from ..calibration import PROBE_BATCH, PROBE_INTERVAL, PROBE_SECONDS, kept_in, probes
from ..measurement import Measurement, measured_row
from ..networks import Network
from ..runtime import PredictionError, RuntimeModel
from ..store import Store, network_id
from ..surroundings import with_threads
from .measuring import Job
from .timings import Marked, TimedState
from .views import Predictor

# A probe is measured so, whatever the explorer's own batch: predictions are for every batch.
_LEAST = 30  # of the probes, to predict from: some may not fit a small device
_AS = {"channels_last": True, "compile": False, "tf32": False}


class Probe(NamedTuple):
    """A probe network to be measured, and under which mode, precision and device."""

    network: Network
    setting: tuple

    @property
    def what(self) -> str:
        return self.network.name


class PredictedState(TimedState):
    """The timed state, and a model that predicts the times of what was not measured.

    The model is found where the probes of the present device, mode and precision are kept; or it is set by hand.
    """

    model = T.Instance(RuntimeModel, allow_none=True, help="what predicts times; None: nothing is predicted")

    def __init__(self, *arguments: Any, **traits: Any) -> None:
        super().__init__(*arguments, **traits)
        self._probed = False  # whether there is a new probe to fit to
        self._fitted: dict[tuple, RuntimeModel | None] = {}  # by setting, from the probes that are kept

    def calibrate(self) -> None:
        """Measure the probes that are not kept yet under the present setting, fit a model, and return at once."""
        if not self.devices:
            raise T.TraitError("predict: the devices are not known yet; try again in a moment")
        held = {row["network_id"] for row in self._kept(self._setting_key)}
        todo = [probe for probe in probes() if network_id(probe) not in held]
        if not todo:
            self._fit_model(again=True)
            return
        self._begin([Job(Probe(probe, self._setting_key), self._probe_request(probe)) for probe in todo])

    @property
    def predictor(self) -> Predictor | None:
        """The model under the present setting, if it knows that."""
        if self.model is None:
            return None
        _, mode, precision, _ = self.settings
        setting = {"mode": mode, "precision": precision, **_AS}
        try:
            self.model.setting(**setting)
        except PredictionError:
            return None
        return Predictor(self.model, self.batch, setting)

    @property
    def _setting_key(self) -> tuple:
        _, mode, precision, device = self.settings
        return mode, precision, device

    def _probe_request(self, probe: Network) -> dict[str, Any]:
        mode, precision, device = self._setting_key
        how = {"batch": PROBE_BATCH[device.split(":")[0]], "mode": mode, "precision": precision, "device": device}
        budget = {"seconds": PROBE_SECONDS, "interval": PROBE_INTERVAL}
        return {"kind": "measure", "network": probe.to_dict(), **how, **budget}

    def _kept(self, setting: tuple) -> list[dict[str, Any]]:
        """The probes' rows of this machine's device, made with this torch."""
        mode, precision, device = setting
        asked = {"mode": mode, "precision": precision, **_AS, "batch": PROBE_BATCH[device.split(":")[0]]}
        known, torch = {network_id(probe) for probe in probes()}, version("torch").split("+")[0]
        name = self.devices.get(device, "")

        def here(row: dict[str, Any]) -> bool:
            """A CPU with other threads has other rates, as has a GPU whose name goes on."""
            told = with_threads(row["device_name"], row["threads"]) if device == "cpu" else row["device_name"]
            return told == name

        return [
            row
            for row in Store(kept_in()).find(**asked)
            if row.get("network_id") in known
            and row.get("reason") is None
            and here(row)
            and row["torch"].split("+")[0] == torch
        ]

    def _find_model(self) -> None:
        """Take up the model of the present setting, if its probes are kept; one given by hand stays."""
        if self.devices and (self.model is None or self.model in self._fitted.values()):
            self._fit_model()

    def _fit_model(self, again: bool = False) -> None:
        key = self._setting_key
        if again or key not in self._fitted:
            rows = self._kept(key)
            self._fitted[key] = RuntimeModel.fit(pd.DataFrame(rows)) if len(rows) >= _LEAST else None
        self.model = self._fitted[key]

    def _on_devices(self, key: None, event: dict[str, Any]) -> None:
        super()._on_devices(key, event)
        self._find_model()

    def _on_result(self, key: Marked | Probe, event: dict[str, Any]) -> None:
        if not isinstance(key, Probe):
            super()._on_result(key, event)
            return
        measurement = Measurement.from_dict(event["measurement"])
        row = {**measured_row(key.network, measurement), "network_id": network_id(key.network)}
        Store(kept_in()).add({"base": key.network.name, "strategy": None, "scale": 1.0, **row})
        self._probed = True

    def _on_done(self, key: None, event: dict[str, Any]) -> None:
        super()._on_done(key, event)
        if not self._probed:
            return
        self._probed = False
        self._fit_model(again=True)
        if self.predictor:
            self.status = f"{self.status}; times are predicted, with a median error of {self.predictor.error:.0%}"
