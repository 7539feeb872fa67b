"""What a command does with the streams and signals that the shell gave it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator


def open_closed_streams() -> None:
    """Open on nothing what the shell has closed, as by 2>&-.

    Else the next file that is opened, such as a store, takes its number, and with it what is written to stderr.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115


def say(text: str) -> None:
    """Print a line on stderr; where nobody can be told, go on."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM stop the command as Ctrl-C does.

    Started with SIGINT ignored, as by a script that puts it in the background, it can be stopped by nothing else. Of
    torchrun's processes each may wait for the others, which Python cannot interrupt: there SIGTERM ends at once.
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
