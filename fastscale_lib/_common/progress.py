"""Progress of a sweep: counted row by row, and reported to a callback or on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

_LIVE_S = 0.1  # nobody sees more than ten updates a second
_LOG_S = 30.0


class Step(NamedTuple):
    """Progress of a sweep."""

    done: int  # points that have a row
    total: int
    failed: int  # points whose row has no time
    name: str | None = None  # the latest point; None before the first
    seconds_left: float | None = None  # an estimate; None before the first point

    def __str__(self) -> str:
        parts = [f"{self.done:,}/{self.total:,}"]
        parts += [f"{self.failed:,} failed"] if self.failed else []
        parts += [f"about {_duration(self.seconds_left)} left"] if self.seconds_left else []
        return " · ".join(parts + ([self.name] if self.name else []))


class Tally:
    """A counter of rows that calls `tell` with a `Step`, at once and at each `count`.

    The time left is the average time per row so far, times the rows that are missing.
    """

    def __init__(self, tell: Callable[[Step], None], done: int, total: int, failed: int) -> None:
        self._tell, self._step, self._done_before = tell, Step(done, total, failed), done
        self._began = time.monotonic()
        tell(self._step)

    def count(self, name: str, timed: bool) -> None:
        """Count one more row: of this point, with a time or without."""
        done, total, failed = self._step[:3]
        done += 1
        left = (time.monotonic() - self._began) / (done - self._done_before) * (total - done)
        self._step = Step(done, total, failed + (not timed), name, left)
        self._tell(self._step)


class Line:
    """Steps as lines on stderr: one that changes in a terminal or notebook, many in a log."""

    def __init__(self) -> None:
        self._live = bool(sys.stderr and sys.stderr.isatty()) or "ipykernel" in sys.modules
        self._next, self._width = 0.0, 0

    def __call__(self, step: Step) -> None:
        now, last = time.monotonic(), step.done == step.total
        if now < self._next and not last:
            return
        text = str(step)
        line = "\r" + text.ljust(self._width) + "\n" * last if self._live else text + "\n"
        with contextlib.suppress(OSError, ValueError, AttributeError):  # stderr is closed, or None
            sys.stderr.write(line)
            sys.stderr.flush()
        self._next, self._width = now + (_LIVE_S if self._live else _LOG_S), len(text)


def _duration(seconds: float) -> str:
    # As precise as an estimate is.
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.{0 if seconds >= 10 * length else 1}f} {unit}"
    return f"{max(seconds, 1):.0f} s"
