"""The explorer's predictions: probe networks measured once in the process apart, and a model fitted to them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, NamedTuple

import pandas as pd
import traitlets as T

from .._common.device_kinds import CPU, kind_of, named_with_threads
from ..architectures.definition import Network
from ..prediction.calibration import PROBE_INTERVAL, PROBE_SECONDS, kept_in, probes
from ..prediction.forms import PredictionError
from ..prediction.model import RuntimeModel
from ..records.measurement import Measurement, measured_row
from ..records.store import Store, StoreError
from .job_queue import Job
from .timings import Marked, TimedState
from .views import Predictor

_LEAST = 30  # of the probes, to predict from: some may not fit a small device
# A probe is measured so, at the explorer's own batch: it tells nothing of others.
_AS = {"channels_last": True, "compile": False, "tf32": False}


class Probe(NamedTuple):
    """A probe network to be measured, and under which batch, mode, precision and device."""

    network: Network
    setting: tuple

    @property
    def what(self) -> str:
        return self.network.name


class PredictedState(TimedState):
    """The timed state, and a model that predicts the times of what was not measured.

    The model is found where the probes of the present device, batch, mode and precision are kept; or it is set by hand.
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
        held = {row["network_id"] for row in self._kept(self.settings)}
        todo = [probe for probe in probes() if probe.id not in held]
        if not todo:
            self._fit_model(again=True)
            self.status = self._told_of_prediction()
            return
        Store(kept_in()).check()  # before minutes of measuring
        self._begin([Job(Probe(probe, self.settings), self._probe_request(probe)) for probe in todo])

    @property
    def predictor(self) -> Predictor | None:
        """The model under the present setting, if it knows that, at the present batch."""
        if self.model is None or self.unpredicted:
            return None
        return Predictor(self.model, self.batch, self._asked)

    @property
    def unpredicted(self) -> str:
        """Why nothing is predicted under the present setting, where something is under another one; else ""."""
        if self.model is not None:
            try:
                self.model.batch(self.batch, **self._asked)
            except PredictionError as error:
                return str(error)
        elif any(self._fitted.values()):
            batch, mode, precision, device = self.settings
            return (
                f"predict: too few probes were measured on {device} in {mode}, {precision}, at batch {batch}; "
                "press Predict to measure them"
            )
        return ""

    @property
    def remark(self) -> str:
        """Where predicted times end, or are less sure than elsewhere; "" if nowhere."""
        return ""

    @property
    def _asked(self) -> dict[str, Any]:
        _, mode, precision, _ = self.settings
        return {"mode": mode, "precision": precision, **_AS}

    def _told_of_prediction(self) -> str:
        """What is predicted and how surely, or why nothing is; "" without a model."""
        if self.predictor is None:
            return self.unpredicted
        said = f"times are predicted, with a median error of {self.predictor.error:.0%}"
        return f"{said}; {self.remark}" if self.remark else said

    def _probe_request(self, probe: Network) -> dict[str, Any]:
        batch, mode, precision, device = self.settings
        how = {"batch": batch, "mode": mode, "precision": precision, "device": device}
        budget = {"seconds": PROBE_SECONDS, "interval": PROBE_INTERVAL}
        return {"kind": "measure", "network": probe.to_dict(), **how, **budget}

    def _kept(self, setting: tuple) -> list[dict[str, Any]]:
        """The probes' rows of this machine's device, made with this torch."""
        batch, mode, precision, device = setting
        asked = {"batch": batch, "mode": mode, "precision": precision, **_AS}
        known, torch = {probe.id for probe in probes()}, version("torch").split("+")[0]
        name = self.devices.get(device, "")

        def here(row: dict[str, Any]) -> bool:
            """A CPU with other threads has other rates, as has a GPU whose name goes on."""
            told = row["device_name"]
            return (named_with_threads(told, row["threads"]) if kind_of(device) is CPU else told) == name

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
            try:
                self._fit_model()
            except StoreError as error:
                self.message = f"predict: {error}"

    def _fit_model(self, again: bool = False) -> None:
        key = self.settings
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
        row = {**measured_row(key.network, measurement), "network_id": key.network.id}
        try:
            Store(kept_in()).add({"base": key.network.name, "strategy": None, "scale": 1.0, **row})
        except StoreError as error:  # those to come could not be kept, either
            self.cancel()
            self.message = f"predict: {error}"
            return
        self._probed = True

    def _on_done(self, key: None, event: dict[str, Any]) -> None:
        super()._on_done(key, event)
        if not self._probed:
            return
        self._probed, ended = False, self.status
        self._fit_model(again=True)
        if told := self._told_of_prediction():
            self.status = f"{ended}; {told}"
