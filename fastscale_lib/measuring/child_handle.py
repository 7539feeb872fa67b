"""The subprocess of a `Worker`, and the thread that reads from it."""

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
TERMINAL = ("result", "error", "devices", "environment", "ran")  # the kinds of events that end a job


@dataclass(frozen=True, eq=False)
class Job:
    """One job of the subprocess; it is killed after `limit` seconds."""

    number: int
    on_event: Callable[[Event], None]
    limit: float

    def tell(self, event: Event) -> None:
        try:  # what the callback raises must not end the thread that reads
            self.on_event(event)
        except Exception:
            logging.getLogger(__name__).exception("the callback of job %d failed", self.number)


class Child:
    """One subprocess, and the thread that reads from it and tells all events in order.

    `kill` only marks the job and kills the process: the thread then finds the end of stdout, and says why. No lock is
    held while a callback runs, so a callback may itself cancel or submit.
    """

    def __init__(self):
        self.job: Job | None = None
        self._lock = threading.Lock()  # guards job, _ending and _over
        self._ending: tuple[str, str] | None = None  # reason and message, once it is killed from here
        self._over = False  # stdout has ended
        self._timer: threading.Timer | None = None
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self.process = start_child(f"{__package__}.worker_process", self._stderr, stdout=subprocess.PIPE)
        assert self.process.stdin is not None  # both are pipes
        assert self.process.stdout is not None
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        self._reader = threading.Thread(target=self._read, name="fastscale worker", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        return not self._over and self._ending is None and self.process.poll() is None

    @property
    def busy(self) -> bool:
        """Whether a job is running that has not been killed."""
        return self.job is not None and self._ending is None

    def take(self, job: Job, line: str) -> bool:
        """Start a job; return False if the process has ended, or is about to."""
        with self._lock:
            if not self.alive:
                return False
            self.job = job
            self._timer = _start_timer(job.limit, self._too_long, job)
            self._stderr.seek(0)  # the process shares the position: output of earlier jobs is dropped
            self._stderr.truncate()
        self._send(line)
        return True

    def _send(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # the process has died: the reader tells the job
            self._stdin.write(line + "\n")
            self._stdin.flush()

    def kill(self, reason: str, message: str, only: Job | None = None) -> None:
        """Kill the process, if this is its job, and all that it started; the job ends."""
        with self._lock:
            if self._over or self._ending or (only and self.job is not only):
                return
            self._end(reason, message)

    def _end(self, reason: str, message: str) -> None:
        self._ending = reason, message  # `_lock` is held
        if self.process.poll() is None:
            kill_group(self.process)

    def cancel(self, patience: float) -> None:
        """Ask the running job to end, and kill it after `patience` seconds."""
        job = self.job
        if job is None:
            return
        if patience <= 0:
            self._kill_cancelled(job)
            return
        self._send(json.dumps({"kind": "cancel", "id": job.number}))
        _start_timer(patience, self._kill_cancelled, job)

    def _kill_cancelled(self, job: Job) -> None:
        self.kill("cancelled", CANCELLED, job)

    def join(self) -> None:
        """Wait until the process is gone."""
        if threading.current_thread() is not self._reader:  # the reader may be running the callback that asks
            self._reader.join(timeout=5)

    def _too_long(self, job: Job) -> None:
        self.kill("time limit", f"stopped at the time limit of {job.limit:g} s; try a smaller batch", job)

    def _read(self) -> None:
        for line in self._stdout:
            with contextlib.suppress(ValueError):  # a line cut short by the process's death
                self._pass_on(json.loads(line))
        self.process.wait()
        with self._lock:
            self._over = True
            job = self._finished()
        reason, message = self._ending or ("died", _death(self.process.returncode, self._stderr))
        if job:
            job.tell({"kind": "error", "reason": reason, "message": message})
        with contextlib.suppress(OSError):  # closing flushes to a process that is gone
            self._stdin.close()
        self._stdout.close()
        self._stderr.close()

    def _pass_on(self, event: Event) -> None:
        with self._lock:
            job = self.job
            if job is None or event.pop("id") != job.number or self._ending:
                return
            if event["kind"] in TERMINAL:
                self._finished()
            if event.pop("spoilt", False):  # the next job starts a fresh process
                self._end("died", "the measuring process could not be used again")
        job.tell(event)

    def _finished(self) -> Job | None:
        """Take the running job away, and return it."""
        job, self.job = self.job, None
        if self._timer:
            self._timer.cancel()
        return job


def _start_timer(seconds: float, act: Callable[[Job], None], job: Job) -> threading.Timer:
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), act, (job,))  # a thread cannot wait longer
    timer.daemon = True
    timer.start()
    return timer


def _death(code: int, stderr: IO[bytes]) -> str:
    """Say in one sentence why a process that nobody stopped has ended."""
    if code == -getattr(signal, "SIGKILL", 9):
        return (
            "the measuring process was killed (signal 9), which is what the system does when memory runs out; "
            "try a smaller batch"
        )
    if code < 0:
        return f"the measuring process crashed (signal {-code}, {signal.strsignal(-code)}); try other settings"
    said = cause(stderr)
    return f"the measuring process ended with code {code}" + (f": {said}" if said else "")
