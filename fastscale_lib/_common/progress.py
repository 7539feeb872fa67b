"""How far a sweep is, counted as its rows come, and told to whoever watches."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

_LIVE_S = 0.1  # a person sees no more than some ten updates a second
_LOG_S = 30.0


class Step(NamedTuple):
    """How far a sweep is: `done` of `total` points have their row, `failed` of these one without a time.

    `name` is the point that came last; it and `seconds_left`, an estimate, are None before the first.
    """

    done: int
    total: int
    failed: int
    name: str | None = None
    seconds_left: float | None = None

    def __str__(self) -> str:
        parts = [f"{self.done:,}/{self.total:,}"]
        parts += [f"{self.failed:,} failed"] if self.failed else []
        parts += [f"about {_duration(self.seconds_left)} left"] if self.seconds_left else []
        return " · ".join(parts + ([self.name] if self.name else []))


class Tally:
    """Counts rows, and tells of each.

    The time left is that which a row took on average since the beginning, times the rows that are missing.

    Arguments:
        tell: called with a `Step`, now and at each `count`.
        done, total, failed: the rows that are there already, those that there will be, and those without a time.
    """

    def __init__(self, tell: Callable[[Step], None], done: int, total: int, failed: int):
        self._tell, self._step, self._held = tell, Step(done, total, failed), done
        self._began = time.monotonic()
        tell(self._step)

    def count(self, name: str, timed: bool) -> None:
        """One more row has come: of this point, with a time or without."""
        done, total, failed = self._step[:3]
        done += 1
        left = (time.monotonic() - self._began) / (done - self._held) * (total - done)
        self._step = Step(done, total, failed + (not timed), name, left)
        self._tell(self._step)


class Line:
    """A step as a line on stderr: a terminal or a notebook shows it in place, a log gets one now and then."""

    def __init__(self):
        self._live = bool(sys.stderr and sys.stderr.isatty()) or "ipykernel" in sys.modules
        self._next, self._width = 0.0, 0

    def __call__(self, step: Step) -> None:
        now, last = time.monotonic(), step.done == step.total
        if now < self._next and not last:
            return
        text = str(step)
        line = "\r" + text.ljust(self._width) + "\n" * last if self._live else text + "\n"
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or None: nobody looks, and it goes on
            sys.stderr.write(line)
            sys.stderr.flush()
        self._next, self._width = now + (_LIVE_S if self._live else _LOG_S), len(text)


def _duration(seconds: float) -> str:
    """In seconds, minutes or hours, to as many digits as an estimate is worth."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.{0 if seconds >= 10 * length else 1}f} {unit}"
    return f"{max(seconds, 1):.0f} s"
