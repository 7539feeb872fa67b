"""The process apart: measures networks without loading torch in, blocking or endangering the caller's process.

`Worker` is the caller's side, `worker_process` the other: it reads requests from stdin and writes events to stdout,
one JSON object a line, and ends when its stdin does.
"""

from __future__ import annotations

import atexit
import itertools
import json
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..records.measurement import MeasureError, Measurement, SettingError
from .child_handle import TERMINAL, Child, Event, Job
from .settings import Progress, Settings, positive

_SLACK_S = 120.0  # for starting, importing torch, building, and a first run
_COMPILE_S = 600.0  # torch.compile takes minutes for a deep network


class Worker:
    """Measures one network at a time in a process apart, which starts with the first job and serves many.

    Each submitted job ends in exactly one terminal event (see `submit`), whatever becomes of the process;
    after a job was cancelled, ran out of time, died, failed or spoilt it, the next one starts a fresh process.
    """

    def __init__(self):
        self._child: Child | None = None
        self._closed = False
        self._lock = threading.Lock()  # over submitting
        self._ids = itertools.count(1)
        atexit.register(self.close)

    @property
    def pid(self) -> int | None:
        """The process id of the process apart; None where none runs."""
        child = self._child
        return child.process.pid if child and child.alive else None

    @property
    def busy(self) -> bool:
        """Whether a job is in hand."""
        return self._child is not None and self._child.busy

    def submit(self, request: Mapping[str, Any], on_event: Callable[[Event], None], limit: float | None = None) -> int:
        """Start a job, and return at once.

        Arguments:
            request: {"kind": "measure", "network": network.to_dict()} with the settings of `measure` beside, all
                plain; {"kind": "try", ...} likewise, and `memory_bytes`, for `running.try_run`; {"kind": "devices"};
                or {"kind": "surroundings", "device": ...}.
            on_event: called from another thread with {"kind": "progress", "phase": ..., "fraction": ...} now and
                then, and once, last, with {"kind": "result", "measurement": {...}}, {"kind": "ran"} of a try,
                {"kind": "devices", "devices": {...}}, {"kind": "surroundings", "surroundings": {...}} or
                {"kind": "error", "reason": ..., "message": one sentence}.
            limit: seconds after which the job is killed; left out: the request's `seconds` and 2 minutes, with
                compile 10 minutes more.

        Returns:
            The number of the job.

        Raises:
            SettingError: (a ValueError) `limit` is not a number above 0.
            MeasureError: with reason "busy", a job is in hand; with "cancelled", the worker is closed.
            TypeError: the request is not plain.
        """
        if limit is not None:
            positive("limit", limit)
        with self._lock:
            if self._closed:
                raise MeasureError("this worker is closed; make another", "cancelled")
            if self.busy:
                raise MeasureError("a job is in hand, and there is one at a time; wait for it or cancel it", "busy")
            number = next(self._ids)
            line = json.dumps({"kind": "measure", **request, "id": number})
            job = Job(number, on_event, _limit(request) if limit is None else limit)
            if self._child is None or not self._child.take(job, line):
                self._child = Child()
                self._child.take(job, line)
        return number

    def time(
        self,
        network: Network | str,
        settings: Settings,
        timeout: float | None = None,
        progress: Progress | None = None,
    ) -> Measurement:
        """Time a network as `timing.time_here` does, and wait for it.

        Arguments:
            network: the network, or the name of a base network.
            timeout: seconds after which the job is killed; see `submit`.
            progress: called from another thread.

        Raises:
            NetworkError: this is not a network, nor the name of one.
            SettingError: (a ValueError) a setting is wrong or the device is not there.
            MeasureError: with the reason why there is no measurement.
        """
        request = {"kind": "measure", **_request(network, settings)}
        return Measurement.from_dict(self._wait(request, timeout, progress)["measurement"])

    def devices(self, timeout: float | None = None) -> dict[str, str]:
        """The devices that can be measured on, by torch name, with their human names; waits for torch to load.

        Raises:
            MeasureError: with the reason why they cannot be told.
        """
        return self._wait({"kind": "devices"}, timeout, None)["devices"]

    def surroundings(self, device: str | None = None, timeout: float | None = None) -> dict[str, Any]:
        """What a measurement made here and now would record of the machine; see `environment.surroundings`.

        Raises:
            SettingError: (a ValueError) the device is not there.
            MeasureError: with the reason why it cannot be told.
        """
        return self._wait({"kind": "surroundings", "device": device}, timeout, None)["surroundings"]

    def try_run(
        self,
        network: Network | str,
        settings: Settings,
        memory_bytes: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """Run a network twice, untimed, to see whether the memory is enough, and wait for it.

        Arguments:
            network: the network, or the name of a base network.
            memory_bytes: the most that it may take; see `running.try_run`.
            timeout: seconds after which the job is killed; see `submit`.

        Raises:
            NetworkError: this is not a network, nor the name of one.
            SettingError: (a ValueError) a setting is wrong or the device is not there.
            MeasureError: with reason "out of memory", or another.
        """
        request = {"kind": "try", **_request(network, settings), "memory_bytes": memory_bytes}
        self._wait(request, timeout, None)

    def cancel(self, patience: float = 0.0) -> None:
        """End the job in hand, if any, with an "error" event with reason "cancelled", by killing the process.

        Arguments:
            patience: seconds in which the process may end the job between two runs by itself, and so live on for
                the next; after them it is killed.
        """
        child = self._child
        if child and child.busy:
            child.cancel(patience)

    def close(self) -> None:
        """End the process; a job in hand is cancelled. Closing twice is fine, submitting afterwards is not."""
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
        """The event that a job ends in, which is not an error."""
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()

        def on_event(event: Event) -> None:
            if event["kind"] in TERMINAL:
                events.put(event)
            elif progress:
                progress(event["phase"], event["fraction"])

        self.submit(request, on_event, timeout)
        try:
            event = events.get()
        except BaseException:  # the caller was interrupted, and will not come back for the result
            self.cancel()
            raise
        if event["kind"] == "error":
            error = SettingError if event["reason"] == "setting" else MeasureError
            raise error(event["message"], event["reason"])
        return event


def _request(network: Network | str, settings: Settings) -> Event:
    return {"network": named_network(network).to_dict(), **settings.plain()}


def _limit(request: Mapping[str, Any]) -> float:
    seconds = request.get("seconds", 10.0)
    usual = seconds if isinstance(seconds, (int, float)) and seconds > 0 else 0.0  # the other side refuses the rest
    return min(usual, threading.TIMEOUT_MAX) + _SLACK_S + (_COMPILE_S if request.get("compile") else 0.0)
