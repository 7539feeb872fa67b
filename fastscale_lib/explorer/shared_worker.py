"""The process that measures, one for all explorers: two would disturb each other."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from ..measuring.child_handle import CANCELLED, Event
from ..measuring.worker import Worker

# A process that has torch loaded is worth keeping, if its present run is a short one.
PATIENCE_S = 0.5


class SharedWorker:
    """A share in the one process that measures, in which a job waits for its turn.

    The process starts with the first job of any share, and ends when no share is left: one that is closed is none,
    until it submits a job again.
    """

    @property
    def pid(self) -> int | None:
        """The process id of the subprocess; None where none runs."""
        worker = _LINE.worker
        return worker.pid if worker else None

    def submit(self, request: Mapping[str, Any], on_event: Callable[[Event], None]) -> None:
        """Queue a job, and return at once; its events are told as `Worker.submit` tells them."""
        _LINE.submit(_Turn(self, request, on_event))

    def cancel(self) -> None:
        """End this share's jobs, each with an "error" event of reason "cancelled"."""
        _LINE.cancel(self)

    def close(self) -> None:
        """Cancel this share's jobs, and end the process if no other share is left."""
        _LINE.close(self)


class _Turn(NamedTuple):
    share: SharedWorker
    request: Mapping[str, Any]
    on_event: Callable[[Event], None]

    def fail(self, reason: str, message: str) -> None:
        self.on_event({"kind": "error", "reason": reason, "message": message})


class _Line:
    """The process, the job in hand, and those that wait.

    Listeners are told outside the lock: they may submit and cancel.
    """

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self._shares: set[SharedWorker] = set()
        self._waiting: deque[_Turn] = deque()
        self._present: _Turn | None = None
        self._lock = threading.Lock()

    def submit(self, turn: _Turn) -> None:
        with self._lock:
            self._shares.add(turn.share)
            self._waiting.append(turn)
        self._go_on()

    def cancel(self, share: SharedWorker) -> None:
        with self._lock:
            dropped = [turn for turn in self._waiting if turn.share is share]
            self._waiting = deque(turn for turn in self._waiting if turn.share is not share)
            # In the lock, so that the job in hand is still this share's when it is cancelled.
            if self._present and self._present.share is share and self.worker:
                self.worker.cancel(PATIENCE_S)
        for turn in dropped:
            turn.fail("cancelled", CANCELLED)

    def close(self, share: SharedWorker) -> None:
        self.cancel(share)
        with self._lock:
            self._shares.discard(share)
            left = None if self._shares else self.worker
            if left:
                self.worker = None
        if left:
            left.close()

    def _go_on(self) -> None:
        """Start the next job, if none is in hand; one that cannot be started fails."""
        while True:
            with self._lock:
                if self._present or not self._waiting:
                    return
                turn = self._present = self._waiting.popleft()
                self.worker = self.worker or Worker()
                try:
                    self.worker.submit(turn.request, partial(self._arrived, turn))
                    return
                except OSError as error:
                    self._present, reason = None, str(error)
            turn.fail("failed", f"the measuring process cannot be started: {reason}")

    def _arrived(self, turn: _Turn, event: Event) -> None:
        """Pass an event on; called in the thread that reads from the worker."""
        if event["kind"] != "progress":
            with self._lock:
                self._present = None
            self._go_on()
        turn.on_event(event)


_LINE = _Line()
