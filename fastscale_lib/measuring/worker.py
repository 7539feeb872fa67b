"""Measurements in a subprocess, so that the caller loads no torch and survives a crash.

`Worker` is the caller's side. The subprocess runs `worker_process`: it reads requests from stdin and writes events to
stdout, one JSON object per line, and ends when its stdin does.
"""

from __future__ import annotations

import atexit
import itertools
import json
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from .._common.checks import check_progress, check_type, shown
from ..architectures.definition import Network
from ..architectures.traced.module_family import Family
from ..architectures.traced.sending import plain_network
from ..records.measurement import MeasureError, Measurement, SettingError
from .child_handle import TERMINAL, Child, Event, Job
from .settings import Progress, Settings, positive, whole

_SLACK_S = 120.0  # to start, import torch, build, and run once
_COMPILE_S = 600.0  # torch.compile takes minutes for a deep network


class Worker:
    """One network at a time, measured in a subprocess.

    The subprocess starts with the first job, and serves many. Each submitted job ends in exactly one terminal event
    (see `submit`), whatever happens to the subprocess. After a job that was cancelled, ran out of time, died, failed or
    made the process useless, the next starts a fresh one.
    """

    def __init__(self):
        self._child: Child | None = None
        self._closed = False
        self._lock = threading.Lock()  # guards submit
        self._ids = itertools.count(1)
        atexit.register(self.close)

    @property
    def pid(self) -> int | None:
        """The id of the subprocess; None if none runs."""
        child = self._child
        return child.process.pid if child and child.alive else None

    @property
    def busy(self) -> bool:
        """Whether a job is running."""
        return self._child is not None and self._child.busy

    def submit(self, request: Mapping[str, Any], on_event: Callable[[Event], None], limit: float | None = None) -> int:
        """Start a job, and return at once.

        Arguments:
            request: {"kind": "measure", "network": plain_network(network)} with the settings of `measure`, all plain;
                {"kind": "try", ...} with the same and `memory_bytes`, for `running.try_run`; {"kind": "devices"}; or
                {"kind": "environment", "device": ...}.
            on_event: called from another thread: repeatedly with {"kind": "progress", "phase": ..., "fraction": ...},
                and last, once, with {"kind": "result", "measurement": {...}}, {"kind": "ran"} (of a trial),
                {"kind": "devices", "devices": {...}}, {"kind": "environment", "environment": {...}} or
                {"kind": "error", "reason": ..., "message": one sentence}.
            limit: seconds after which the job is killed; default: the request's `seconds` and 2 minutes, with compile
                10 minutes more.

        Returns:
            The number of the job.

        Raises:
            SettingError: (a ValueError) `limit` is not a number above 0, `on_event` no function, or the request not
                plain.
            MeasureError: a job is running (reason "busy"), or the worker is closed ("cancelled").
        """
        if not callable(on_event):
            raise SettingError(f"on_event is {shown(on_event)}, but must be a function of an event")
        if limit is not None:
            positive("limit", limit)
        with self._lock:
            if self._closed:
                raise MeasureError("this worker is closed; make another", "cancelled")
            if self.busy:
                raise MeasureError("a job is running, and there is one at a time; wait for it or cancel it", "busy")
            number = next(self._ids)
            line = _as_line(request, number)
            job = Job(number, on_event, _limit(request) if limit is None else limit)
            if self._child is None or not self._child.take(job, line):
                self._child = Child()
                self._child.take(job, line)
        return number

    def time(
        self,
        network: Network | Family | str,
        settings: Settings,
        timeout: float | None = None,
        progress: Progress | None = None,
    ) -> Measurement:
        """Time a network as `measure` does, and wait for the result.

        Arguments:
            network: a Network, or the name of a base network.
            settings: of the measurement.
            timeout: seconds after which it is stopped; default: as `limit` of `submit`.
            progress: as for `measure`; called from another thread; default: None.

        Raises:
            NetworkError: the name is not that of a base network.
            SettingError: (a ValueError) a setting is wrong or the device is not there.
            MeasureError: there is no time; `reason` says why, as for `measure`.
        """
        check_progress(progress, SettingError)
        request = {"kind": "measure", **_request(network, settings)}
        return Measurement.from_dict(self._wait(request, timeout, progress)["measurement"])

    def devices(self, timeout: float | None = None) -> dict[str, str]:
        """Find the devices that can be measured on.

        Arguments:
            timeout: seconds after which the search is stopped; default: two minutes.

        Returns:
            The devices' names by torch's name, as "cuda:0".

        Raises:
            MeasureError: the subprocess died, or took too long.
        """
        return self._wait({"kind": "devices"}, timeout, None)["devices"]

    def environment(self, device: str | None = None, timeout: float | None = None) -> dict[str, Any]:
        """Read what a measurement would record of the machine (`environment.read_environment`).

        Arguments:
            device: "cpu", "cuda" or "cuda:N"; default: torch's current GPU, else the CPU.
            timeout: seconds after which it is stopped; default: two minutes.

        Raises:
            SettingError: (a ValueError) the device is not there.
            MeasureError: the subprocess died, or took too long.
        """
        request = {"kind": "environment", "device": Settings(device=device).plain()["device"]}
        return self._wait(request, timeout, None)["environment"]

    def try_run(
        self,
        network: Network | Family | str,
        settings: Settings,
        memory_bytes: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """Run a network twice, untimed, to see whether it fits in memory.

        Arguments:
            network: a Network, or the name of a base network.
            settings: of the run.
            memory_bytes: the most memory that it may take, as for `largest_batch`; default: what there is.
            timeout: seconds after which it is stopped; default: as `limit` of `submit`.

        Raises:
            NetworkError: the name is not that of a base network.
            SettingError: (a ValueError) a setting is wrong or the device is not there.
            MeasureError: it did not run; `reason` is "out of memory" if it does not fit.
        """
        if memory_bytes is not None:
            memory_bytes = whole("memory_bytes", memory_bytes)
        request = {"kind": "try", **_request(network, settings), "memory_bytes": memory_bytes}
        self._wait(request, timeout, None)

    def cancel(self, patience: float = 0.0) -> None:
        """End the running job, if any, with an "error" event of the reason "cancelled".

        Arguments:
            patience: seconds in which the process may end the job between two runs, and so live on for the next;
                then it is killed; default: 0.
        """
        child = self._child
        if child and child.busy:
            child.cancel(patience)

    def close(self) -> None:
        """End the process, and cancel its job; a closed worker takes no more jobs."""
        self._closed = True
        atexit.unregister(self.close)
        if self._child:
            self._child.kill("cancelled", "the worker was closed")
            self._child.join()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _wait(self, request: Event, timeout: float | None, progress: Progress | None) -> Event:
        """Run a job, and return its last event, or raise its error."""
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()

        def on_event(event: Event) -> None:
            if event["kind"] in TERMINAL:
                events.put(event)
            elif progress:
                progress(event["phase"], event["fraction"])

        self.submit(request, on_event, timeout)
        try:
            event = events.get()
        except BaseException:  # the caller was interrupted, and takes no result
            self.cancel()
            raise
        if event["kind"] == "error":
            error = SettingError if event["reason"] == "setting" else MeasureError
            raise error(event["message"], event["reason"])
        return event


def _as_line(request: Mapping[str, Any], number: int) -> str:
    check_type("request", request, Mapping, SettingError, 'a dict of plain values, as {"kind": "devices"}')
    try:
        return json.dumps({"kind": "measure", **request, "id": number})
    except (TypeError, ValueError, RecursionError):
        raise SettingError(f"request is {shown(request)}, but must hold plain values, as JSON has them") from None


def _request(network: Network | Family | str, settings: Settings) -> Event:
    check_type("settings", settings, Settings, SettingError, "Settings, as Settings(batch=64)")
    return {"network": plain_network(network, settings.resolution), **settings.plain()}


def _limit(request: Mapping[str, Any]) -> float:
    seconds = request.get("seconds", 10.0)
    usual = seconds if isinstance(seconds, int | float) and seconds > 0 else 0.0  # the subprocess refuses the rest
    return min(usual, threading.TIMEOUT_MAX) + _SLACK_S + (_COMPILE_S if request.get("compile") else 0.0)
