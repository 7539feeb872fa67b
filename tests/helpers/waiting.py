"""Waiting for what happens elsewhere: bounds that a hang alone reaches, however slow or busy the machine."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

HANGS_S = 200.0  # nothing that a test waits for takes as long on a machine ten times slower
SPINS_S = 20.0  # of this process's own time, which other processes do not spend


class Hangs(Exception):
    """What was called computes, or waits, for as long as nothing that a test calls does."""


@contextmanager
def stopped_where_it_hangs() -> Iterator[None]:
    """Raise `Hangs` where the work within takes SPINS_S of processor time, or HANGS_S in all."""

    def stop(*_: Any) -> None:
        raise Hangs

    timers = ((signal.SIGPROF, signal.ITIMER_PROF, SPINS_S), (signal.SIGALRM, signal.ITIMER_REAL, HANGS_S))
    before = [signal.signal(number, stop) for number, _, _ in timers]
    for _, timer, seconds in timers:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for (number, timer, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)


def until(condition: Callable[[], Any], pause: Callable[[], Any] = lambda: time.sleep(0.01)) -> None:
    """Wait until the condition holds, pausing between looks; fail where it never comes to hold."""
    end = time.monotonic() + HANGS_S
    while not condition():
        assert time.monotonic() < end, f"waited {HANGS_S:g} s in vain"
        pause()
