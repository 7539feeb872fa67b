"""Streams and signals of a command started from a shell."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

DONE, FAILED, WRONG, STOPPED = 0, 1, 2, 130  # exit statuses


def open_closed_streams() -> None:
    """Open the standard streams that the shell closed, as by 2>&-, on the null device.

    Otherwise the next opened file, such as a store, takes the stream's number and with it what is written to stderr.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115


def say(text: str) -> None:
    """Print a line on stderr, if that is open."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM stop the command as Ctrl-C does.

    A command that a script starts in the background ignores SIGINT, so that nothing else can stop it in good order.
    torchrun's processes may wait for each other in calls that Python cannot interrupt: there SIGTERM ends at once.
    """
    usual = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if not usual or "WORLD_SIZE" in os.environ:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
