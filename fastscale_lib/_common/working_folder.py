"""Keeps the working folder off the path of `python -m fastscale_lib`. The package imports this before all else.

-m puts the working folder first, where a numpy.py that lies beside a plan would be run for numpy.
"""

from __future__ import annotations

import os
import sys


def leave_out(package: str) -> None:
    """Take the working folder off the path if -m names this package; nobody else's path is touched."""
    # While Python looks for the module that -m names, argv has "-m" in place of the module's name.
    named = sys.orig_argv[-len(sys.argv)] if sys.argv[:1] == ["-m"] else ""
    if not named.partition(".")[0].endswith(package) or getattr(sys.flags, "safe_path", False):
        return
    try:
        here = os.getcwd()
    except OSError:  # it has been removed, and Python has not put it there
        return
    if sys.path[0] == here:
        del sys.path[0]


leave_out(__name__.partition(".")[0])
