"""A process apart and the thread that reads from it, as a `Worker` has it in hand."""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from .._common.child_process import cause, kill_group, start_child

Event = dict[str, Any]

CANCELLED = "the measurement was cancelled"
TERMINAL = ("result", "error", "devices", "surroundings", "ran")  # the kinds of events in which a job ends


@dataclass(frozen=True, eq=False)
class Job:
    """What the process is to do: its number, who is told of it, and after how many seconds it is stopped."""

    number: int
    on_event: Callable[[Event], None]
    limit: float

    def tell(self, event: Event) -> None:
        """Pass an event on; what the callback raises must not end the thread that reads."""
        try:
            self.on_event(event)
        except Exception:
            logging.getLogger(__name__).exception("the callback of job %d failed", self.number)


class Child:
    """One process and the thread that reads from it; all events of its jobs come from that thread, in order.

    So killing only marks the job and kills: the thread then finds the end of stdout, and tells why. No lock is
    held while a callback runs, and a callback may itself cancel or submit.
    """

    def __init__(self):
        self.job: Job | None = None
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

    def take(self, job: Job, line: str) -> bool:
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

    def kill(self, reason: str, message: str, only: Job | None = None) -> None:
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

    def _kill_cancelled(self, job: Job) -> None:
        self.kill("cancelled", CANCELLED, job)

    def join(self) -> None:
        """Wait until the process is gone (not in a callback: the thread to wait for is running it)."""
        if threading.current_thread() is not self._reader:
            self._reader.join(timeout=5)

    def _too_long(self, job: Job) -> None:
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
            if event["kind"] in TERMINAL:
                self._finished()
            if event.pop("spoilt", False):  # the next job starts a fresh one
                self._end("died", "the measuring process was of no more use")
        job.tell(event)

    def _finished(self) -> Job | None:
        """No job is in hand from here on; the one that was."""
        job, self.job = self.job, None
        if self._timer:
            self._timer.cancel()
        return job


def _start_timer(seconds: float, act: Callable[[Job], None], job: Job) -> threading.Timer:
    """Act after so many seconds; 292 years are the most that a thread can wait, and one that is to wait longer dies."""
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), act, (job,))
    timer.daemon = True
    timer.start()
    return timer


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
