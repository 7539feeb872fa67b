"""The explorer's predictions: a model fitted to probe networks that are measured once."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, NamedTuple

import pandas as pd

from .._common.device_kinds import CPU, kind_of, named_with_threads
from ..architectures.definition import Network
from ..architectures.traced.module_family import Family
from ..prediction.calibration import (
    MOST_PROBES,
    PROBE_INTERVAL,
    PROBE_SECONDS,
    PROBES,
    calibrated_and_remarks,
    kept_in,
    probes,
)
from ..prediction.forms import PredictionError
from ..prediction.model import RuntimeModel
from ..records.conditions import Conditions
from ..records.measurement import Measurement, measured_row
from ..records.store import Store, StoreError
from ..scaling.strategies import strategy as named_strategy
from .job_queue import Job
from .state import State
from .timings import Timings
from .views import SCALES, Predictor, remark


class Probe(NamedTuple):
    """A probe network to be measured, and under which batch, mode, precision and device."""

    network: Network
    setting: tuple

    @property
    def what(self) -> str:
        return self.network.name


class Predictions:
    """Gives a state the `model` that predicts the times of what was not measured.

    The model is found where the probes of the present device, batch, mode and precision are kept; or it is set by hand.
    """

    def __init__(self, state: State, timings: Timings) -> None:
        self.state, self.timings = state, timings
        self._remarked: dict[Any, str] = {}  # what is remarked of each strategy's line
        self._remarked_of: Any = None  # the predictor and the base network of these lines
        self._told = ""
        self._probed = False  # whether there is a new probe to fit to
        self.fitted: dict[tuple, RuntimeModel | None] = {}  # by setting, from the probes that are kept
        self.doubts: dict[tuple, list[str]] = {}  # about each
        state.when_changed(self._on_change)
        state.observe(lambda _: self._find_model(), names=["devices"])
        state.observe(self._on_busy, names=["busy"])

    def calibrate(self, anew: bool = False) -> None:
        """Measure the probes that are not kept under the present setting, and return at once.

        Arguments:
            anew: measure them again, where they are kept, too; default: False.
        """
        if self.timings.waits_for_devices(lambda: self.calibrate(anew)):
            return
        held = set() if anew else {row["network_id"] for row in self._kept(self.state.settings)}
        todo = [probe for probe in probes() if probe.id not in held]
        if not todo:
            self._fit_model(again=True)
            self.state.status = self._told_of_prediction()
            return
        Store(kept_in()).check()  # before minutes of measuring
        jobs = [Job(Probe(probe, self.state.settings), self._probe_request(probe)) for probe in todo]
        self.timings.start(jobs, self._take)

    @property
    def predictor(self) -> Predictor | None:
        """The model under the present setting, if it knows that, at the present batch."""
        if self.state.model is None or self.unpredicted or isinstance(self.state.network, Family):
            return None
        return Predictor(self.state.model, self.state.batch, self._asked)

    @property
    def unpredicted(self) -> str:
        """Why nothing is predicted under the present setting, if something is under another."""
        if self.state.model is not None:
            try:
                self.state.model.batch(self.state.batch, **self._asked)
            except PredictionError as error:
                return str(error)
        elif any(self.fitted.values()):
            batch, mode, precision, device = self.state.settings
            return (
                f"predict: too few probes were measured on {device} in {mode}, {precision}, at batch {batch}; "
                "press Predict to measure them"
            )
        return ""

    @property
    def remark(self) -> str:
        """Where a line of predicted times ends, or is less sure than elsewhere; "" if nowhere."""
        state, predictor = self.state, self.predictor
        ways = *map(named_strategy, state.strategies), state.slider
        if not predictor:
            return ""
        if self._remarked_of != (of := (predictor, state.base)):
            self._remarked_of, self._remarked = of, {}
        if new := [way for way in ways if way not in self._remarked]:  # α moves one line of many
            found = predictor.model.curve(state.base, new, SCALES, predictor.batch, **predictor.setting)
            for number, way in enumerate(new):
                part = slice(number * len(SCALES), (number + 1) * len(SCALES))
                self._remarked[way] = remark(found.ms[part], found.notes[part])
        return next(filter(None, map(self._remarked.get, ways)), "")

    def say(self) -> None:
        """Say in the status where nothing is predicted, or less surely, and take back what was said."""
        told = self.unpredicted or (self.remark and self._told_of_prediction())
        if not self.state.busy and (told or self._told):
            self.state.status = told
        self._told = told

    @property
    def _asked(self) -> dict[str, Any]:
        _, mode, precision, _ = self.state.settings
        return {"mode": mode, "precision": precision, **Conditions.USUAL}

    def _told_of_prediction(self) -> str:
        """Say what is predicted and how surely, or why nothing is; "" without a model."""
        if self.predictor is None:
            return self.unpredicted
        said = "; ".join(
            [f"times are predicted, with a median error of {self.predictor.error:.0%}", *self._doubts_of_model()]
        )
        return f"{said}; {self.remark}" if self.remark else said

    def _doubts_of_model(self) -> list[str]:
        """Say what is doubtful about the probes of the model, if it was fitted to kept ones."""
        key = self.state.settings
        return self.doubts.get(key, []) if self.state.model is self.fitted.get(key) else []

    def _probe_request(self, probe: Network) -> dict[str, Any]:
        batch, mode, precision, device = self.state.settings
        how = {"batch": batch, "mode": mode, "precision": precision, "device": device}
        budget = {"seconds": PROBE_SECONDS, "interval": PROBE_INTERVAL}
        return {"kind": "measure", "network": probe.to_dict(), **how, **budget}

    def _kept(self, setting: tuple) -> list[dict[str, Any]]:
        """Find the probes' rows of this machine's device, made with this torch."""
        batch, mode, precision, device = setting
        asked = {"batch": batch, "mode": mode, "precision": precision, **Conditions.USUAL}
        known, torch = {probe.id for probe in probes(MOST_PROBES)}, version("torch").split("+")[0]
        name = self.state.devices.get(device, "")

        def here(row: dict[str, Any]) -> bool:
            """Compare names: a CPU with other threads has other rates, as has a GPU whose name goes on."""
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
        if self.state.devices and (self.state.model is None or self.state.model in self.fitted.values()):
            try:
                self._fit_model()
            except StoreError as error:
                self.state.message = f"predict: {error}"

    def _fit_model(self, again: bool = False) -> None:
        key = self.state.settings
        if again or key not in self.fitted:
            rows = self._kept(key)
            enough = len({row["network_id"] for row in rows}) >= PROBES
            self.fitted[key], self.doubts[key] = calibrated_and_remarks(pd.DataFrame(rows)) if enough else (None, [])
        self.state.model = self.fitted[key]

    def _on_change(self, name: str) -> None:
        if name in ("batch", "mode", "precision", "device"):
            self._find_model()

    def _take(self, key: Probe, measurement: Measurement) -> None:
        row = {**measured_row(key.network, measurement), "network_id": key.network.id}
        try:
            Store(kept_in()).add({"base": key.network.name, "strategy": None, "scale": 1.0, **row})
        except StoreError as error:  # those to come could not be kept, either
            self.timings.cancel()
            self.state.message = f"predict: {error}"
            return
        self._probed = True

    def _on_busy(self, change: dict[str, Any]) -> None:
        """Fit to the new probes once the measuring has ended."""
        if self.state.busy or not self._probed:
            return
        self._probed, ended = False, self.state.status
        self._fit_model(again=True)
        if told := self._told_of_prediction():
            self.state.status = f"{ended}; {told}"
