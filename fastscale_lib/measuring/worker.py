"""The process apart: measures networks without loading torch in, blocking or endangering the caller's process.

`Worker` is the caller's side. `main` is the other: it reads requests from stdin and writes events to stdout, one JSON
object a line, and ends when its stdin does.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import logging
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from .._common.child_process import cause, kill_group, start_child
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..records.measurement import MeasureError, Measurement, SettingError
from .settings import positive

Event = dict[str, Any]

_SLACK_S = 120.0  # for starting, importing torch, building, and a first run
_COMPILE_S = 600.0  # torch.compile takes minutes for a deep network
REPORT_S = 0.1  # a person sees no more than some ten updates a second
CANCELLED = "the measurement was cancelled"
_TERMINAL = ("result", "error", "devices", "surroundings", "ran")


class Worker:
    """Measures one network at a time in a process apart, which starts with the first job and serves many.

    Each submitted job ends in exactly one terminal event (see `submit`), whatever becomes of the process;
    after a job was cancelled, ran out of time, died, failed or spoilt it, the next one starts a fresh process.
    """

    def __init__(self):
        self._child: _Child | None = None
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
            job = _Job(number, on_event, _limit(request) if limit is None else limit)
            if self._child is None or not self._child.take(job, line):
                self._child = _Child()
                self._child.take(job, line)
        return number

    def measure(self, network: Network | str, timeout: float | None = None, **settings: Any) -> Measurement:
        """Time a network as `timing.measure` does, and wait for it.

        Arguments:
            network: the network, or the name of a base network.
            timeout: seconds after which the job is killed; see `submit`.
            settings: as for `apart.measure`; `progress`, if given, is called from another thread.

        Raises:
            NetworkError: this is not a network, nor the name of one.
            SettingError: (a ValueError) a setting is wrong or the device is not there.
            MeasureError: with the reason why there is no measurement.
        """
        network = named_network(network)
        progress = settings.pop("progress", None)
        request = {"kind": "measure", "network": network.to_dict(), **settings}
        return Measurement.from_dict(self._wait(request, timeout, progress)["measurement"])

    def devices(self, timeout: float | None = None) -> dict[str, str]:
        """The devices that can be measured on, by torch name, with their human names; waits for torch to load.

        Raises:
            MeasureError: with the reason why they cannot be told.
        """
        return self._wait({"kind": "devices"}, timeout, None)["devices"]

    def surroundings(self, device: str | None = None, timeout: float | None = None) -> dict[str, Any]:
        """What a measurement made here and now would record of the machine; see `surroundings.surroundings`.

        Raises:
            SettingError: (a ValueError) the device is not there.
            MeasureError: with the reason why it cannot be told.
        """
        return self._wait({"kind": "surroundings", "device": device}, timeout, None)["surroundings"]

    def try_run(self, network: Network | str, timeout: float | None = None, **settings: Any) -> None:
        """Run a network twice, untimed, to see whether the memory is enough, and wait for it.

        Arguments:
            network: the network, or the name of a base network.
            timeout: seconds after which the job is killed; see `submit`.
            settings: as for `apart.measure`, and `memory_bytes`; see `running.try_run`.

        Raises:
            NetworkError: this is not a network, nor the name of one.
            SettingError: (a ValueError) a setting is wrong or the device is not there.
            MeasureError: with reason "out of memory", or another.
        """
        self._wait({"kind": "try", "network": named_network(network).to_dict(), **settings}, timeout, None)

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

    def _wait(self, request: Event, timeout: float | None, progress: Callable[[str, float], None] | None) -> Event:
        """The event that a job ends in, which is not an error."""
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()

        def on_event(event: Event) -> None:
            if event["kind"] in _TERMINAL:
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


def _limit(request: Mapping[str, Any]) -> float:
    seconds = request.get("seconds", 10.0)
    usual = seconds if isinstance(seconds, (int, float)) and seconds > 0 else 0.0  # the other side refuses the rest
    return min(usual, threading.TIMEOUT_MAX) + _SLACK_S + (_COMPILE_S if request.get("compile") else 0.0)


def _start_timer(seconds: float, act: Callable[[_Job], None], job: _Job) -> threading.Timer:
    """Act after so many seconds; 292 years are the most that a thread can wait, and one that is to wait longer dies."""
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), act, (job,))
    timer.daemon = True
    timer.start()
    return timer


@dataclass(frozen=True, eq=False)
class _Job:
    number: int
    on_event: Callable[[Event], None]
    limit: float

    def tell(self, event: Event) -> None:
        """Pass an event on; what the callback raises must not end the thread that reads."""
        try:
            self.on_event(event)
        except Exception:
            logging.getLogger(__name__).exception("the callback of job %d failed", self.number)


class _Child:
    """One process and the thread that reads from it; all events of its jobs come from that thread, in order.

    So killing only marks the job and kills: the thread then finds the end of stdout, and tells why. No lock is
    held while a callback runs, and a callback may itself cancel or submit.
    """

    def __init__(self):
        self.job: _Job | None = None
        self._lock = threading.Lock()  # over job, _ending and _over
        self._ending: tuple[str, str] | None = None  # reason and message, once we kill it ourselves
        self._over = False  # nothing will be read any more
        self._timer: threading.Timer | None = None
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self.process = start_child(f"{__package__}.worker_process", self._stderr, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, name="fastscale worker", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        return not self._over and self._ending is None and self.process.poll() is None

    @property
    def busy(self) -> bool:
        """Whether a job is in hand that has not been killed."""
        return self.job is not None and self._ending is None

    def take(self, job: _Job, line: str) -> bool:
        """Take a job on; False if the process has ended, or is about to."""
        with self._lock:
            if not self.alive:
                return False
            self.job = job
            self._timer = _start_timer(job.limit, self._too_long, job)
            self._stderr.seek(0)  # the process shares the position: what earlier jobs said is forgotten
            self._stderr.truncate()
        # If the process has died since, the reader will tell the job so.
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        return True

    def kill(self, reason: str, message: str, only: _Job | None = None) -> None:
        """Kill the process and all that it started; the job in hand ends for this reason.

        Arguments:
            only: do so only if this is the job in hand.
        """
        with self._lock:
            if self._over or self._ending or (only and self.job is not only):
                return
            self._end(reason, message)

    def _end(self, reason: str, message: str) -> None:
        """Kill the process; `_lock` is held."""
        self._ending = reason, message
        if self.process.poll() is None:
            kill_group(self.process)

    def cancel(self, patience: float) -> None:
        """End the job in hand: ask, and kill after `patience` seconds."""
        job = self.job
        if job is None:
            return
        if patience <= 0:
            self._kill_cancelled(job)
            return
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(json.dumps({"kind": "cancel", "id": job.number}) + "\n")
            self.process.stdin.flush()
        _start_timer(patience, self._kill_cancelled, job)

    def _kill_cancelled(self, job: _Job) -> None:
        self.kill("cancelled", CANCELLED, job)

    def join(self) -> None:
        """Wait until the process is gone (not in a callback: the thread to wait for is running it)."""
        if threading.current_thread() is not self._reader:
            self._reader.join(timeout=5)

    def _too_long(self, job: _Job) -> None:
        self.kill("time limit", f"stopped at the time limit of {job.limit:g} s; try a smaller batch", job)

    def _read(self) -> None:
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):  # a line that the process's death cut short
                self._pass_on(json.loads(line))
        self.process.wait()
        with self._lock:
            self._over = True
            job = self._finished()
        reason, message = self._ending or ("died", _death(self.process.returncode, self._stderr))
        if job:
            job.tell({"kind": "error", "reason": reason, "message": message})
        with contextlib.suppress(OSError):  # what is still to be written, to a process that is gone
            self.process.stdin.close()
        self.process.stdout.close()
        self._stderr.close()

    def _pass_on(self, event: Event) -> None:
        with self._lock:
            job = self.job
            if job is None or event.pop("id") != job.number or self._ending:
                return
            if event["kind"] in _TERMINAL:
                self._finished()
            if event.pop("spoilt", False):  # the next job starts a fresh one
                self._end("died", "the measuring process was of no more use")
        job.tell(event)

    def _finished(self) -> _Job | None:
        """No job is in hand from here on; the one that was."""
        job, self.job = self.job, None
        if self._timer:
            self._timer.cancel()
        return job


def _death(code: int, stderr: IO[bytes]) -> str:
    """One sentence on why a process that nobody stopped has ended."""
    if code == -getattr(signal, "SIGKILL", 9):
        return (
            "the measuring process was killed (signal 9), which is what the system does when memory runs out; "
            "try a smaller batch"
        )
    if code < 0:
        return f"the measuring process crashed (signal {-code}, {signal.strsignal(-code)}); try other settings"
    said = cause(stderr)
    return f"the measuring process ended with code {code}" + (f": {said}" if said else "")
