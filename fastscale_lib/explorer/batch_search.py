"""The search for the largest batch that fits, in the process that measures."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .._common.errors import FastscaleError
from ..architectures.definition import Network
from ..measuring.batch_search import search
from ..measuring.child_handle import Event
from ..measuring.settings import Settings
from ..measuring.worker import Worker
from .job_queue import LOOK_S, running_loop
from .shared_worker import SharedWorker


class BatchSearch:
    """Finds the largest batch at which all of some networks fit in memory.

    What it tells, it tells in the event loop of the thread that asked, where one runs; else from a thread of its own.

    Arguments:
        tell: called with what goes on, and the done fraction.
        end: called once with the batch, or with what prevented finding one.
    """

    def __init__(self, tell: Callable[[str, float], object], end: Callable[[int | FastscaleError], object]) -> None:
        self._tell, self._end = tell, end
        self._trials = _Trials()
        self._news: deque[Callable[[], object]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self, networks: Sequence[Network], settings: Settings) -> None:
        """Search below the batch of these settings, which does not fit, and return at once."""
        self._loop = running_loop()
        self._thread = threading.Thread(target=self._search, args=(networks, settings), daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """End the search; it ends with an error of reason "cancelled"."""
        self._trials.cancel()

    def close(self) -> None:
        """End the search, and give the process that measures back."""
        self._trials.close()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the search has ended; return False if that took longer than `timeout` seconds."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        while self._thread and self._thread.is_alive():
            self._tell_all()
            if time.monotonic() >= end:
                return False
            self._thread.join(LOOK_S)
        self._tell_all()
        return True

    def _search(self, networks: Sequence[Network], settings: Settings) -> None:
        found, one = settings.batch - 1, replace(settings, batch=1)
        try:
            for network in networks:
                found = search(network, one, found, progress=self._later_tell, worker=self._trials)
        except FastscaleError as error:
            self._later(lambda error=error: self._end(error))
        else:
            self._later(lambda: self._end(found))

    def _later_tell(self, phase: str, fraction: float) -> None:
        self._later(lambda: self._tell(phase, fraction))

    def _later(self, action: Callable[[], object]) -> None:
        self._news.append(action)
        if self._loop is None:
            self._tell_all()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell_all)

    def _tell_all(self) -> None:
        while self._news:
            self._news.popleft()()


class _Trials(Worker):
    """A worker whose jobs are done by the process that all explorers of a kernel share."""

    def __init__(self) -> None:
        super().__init__()
        self._share = SharedWorker()

    def submit(self, request: Mapping[str, Any], on_event: Callable[[Event], None], limit: float | None = None) -> int:
        self._share.submit(request, on_event)
        return 0

    def cancel(self, patience: float = 0.0) -> None:
        self._share.cancel()

    def close(self) -> None:
        self._share.close()
        super().close()
