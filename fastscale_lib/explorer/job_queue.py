"""Several measurements one after another in the subprocess, without blocking who asked."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, NamedTuple

from ..measuring.child_handle import Event
from .shared_worker import SharedWorker

LOOK_S = 0.05  # how often one who waits looks
# Reasons after which the other jobs would fail alike, or are not wanted.
_FINAL = ("setting", "cancelled")


class Job(NamedTuple):
    """A request to the worker, and the key under which its events are told."""

    key: Hashable
    request: Mapping[str, Any]


class Measuring:
    """Runs jobs in order, and tells their events, and the end of all as "done".

    Where the asking thread runs an event loop (a notebook's kernel does), events are told there, so that widgets
    are touched by one thread alone; elsewhere, by the thread that reads from the worker.
    """

    def __init__(self, on_event: Callable[[Hashable, Event], None]) -> None:
        self.worker = SharedWorker()
        self._on_event = on_event
        self._events: deque[tuple[Job, Event]] = deque()
        self._jobs: deque[Job] = deque()
        self._current: Job | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._telling = threading.RLock()  # held while an event is told, so that one is told at a time, in order
        self._news = threading.Event()  # for one who waits

    @property
    def busy(self) -> bool:
        return self._current is not None

    @property
    def left(self) -> int:
        """How many jobs are still to be done, the present one included."""
        return len(self._jobs) + self.busy

    def start(self, jobs: Iterable[Job]) -> None:
        """Do these jobs; what was in hand or waiting is dropped."""
        with self._telling:
            self._loop = running_loop()
            self._jobs = deque(jobs)
            if self._current:
                self.worker.cancel()  # its end starts the first of these
            else:
                self._next()

    def cancel(self) -> None:
        """Drop all jobs; the one in hand ends with an error event of reason "cancelled"."""
        with self._telling:
            self._jobs.clear()
            self.worker.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until all is done; return False if that took longer than `timeout` seconds.

        Events are told from here meanwhile.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        while self._telling.acquire(timeout=_seconds_until(end)):
            try:
                self._tell_all()
                if not self.busy:
                    return True
            finally:
                self._telling.release()
            if time.monotonic() >= end:
                break
            self._news.wait(min(LOOK_S, _seconds_until(end)))
            self._news.clear()
        return False

    def close(self) -> None:
        """Drop all jobs as `cancel` does, and give the process back; starting jobs takes it again."""
        with self._telling:
            self._jobs.clear()
        self.worker.close()

    def _next(self) -> None:
        self._current = self._jobs.popleft() if self._jobs else None
        if self._current is None:
            self._on_event(None, {"kind": "done"})
            return
        job = self._current
        self.worker.submit(job.request, lambda event: self._arrived(job, event))

    def _arrived(self, job: Job, event: Event) -> None:
        """Note an event; called in the thread that reads from the worker."""
        self._events.append((job, event))
        self._news.set()
        if self._loop is None:
            self._tell_all()
            return
        try:
            self._loop.call_soon_threadsafe(self._tell_all)
        except RuntimeError:  # the loop is closed: the kernel is going down
            self._jobs.clear()

    def _tell_all(self) -> None:
        with self._telling:
            while self._events:
                self._tell(*self._events.popleft())

    def _tell(self, job: Job, event: Event) -> None:
        try:
            self._on_event(job.key, event)
        finally:  # whatever its callback does, a job that has ended makes way for the next
            if event["kind"] != "progress":
                if event["kind"] == "error" and event["reason"] in _FINAL and not self._replaced(event):
                    self._jobs.clear()
                self._next()

    def _replaced(self, event: Event) -> bool:
        """Return whether the job was cancelled for others that now wait."""
        return event["reason"] == "cancelled" and bool(self._jobs)


def _seconds_until(end: float) -> float:
    return min(threading.TIMEOUT_MAX, max(0.0, end - time.monotonic()))


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop of the calling thread, if one is running."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
