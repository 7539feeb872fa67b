"""Removes the working folder from the path of `python -m fastscale_lib`; imported first.

-m puts the working folder first, so that a numpy.py beside a plan would be imported instead of numpy.
"""

from __future__ import annotations

import os
import sys


def leave_out(package: str) -> None:
    """Remove the working folder from the path if -m names this package, else do nothing."""
    # While Python looks for the module that -m names, argv has "-m" in place of the module's name.
    named = sys.orig_argv[-len(sys.argv)] if sys.argv[:1] == ["-m"] else ""
    if not named.partition(".")[0].endswith(package) or getattr(sys.flags, "safe_path", False):
        return
    try:
        here = os.getcwd()
    except OSError:  # the folder was removed, and Python has not put it on the path
        return
    if sys.path[0] == here:
        del sys.path[0]


leave_out(__name__.partition(".")[0])
