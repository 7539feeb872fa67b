"""Child processes: a module of this package in a process of its own, its end, and why it ended."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_LONGEST = 300  # of an error in a sentence

# Python puts the working folder first on a child's path, where a torch.py that lies there would be run for torch. So
# it is taken off, and the package is loaded from its own folder, which need not be on the path either.
_LAUNCH = """
import sys
sys.path[:] = [folder for folder in sys.path if folder]
from importlib import import_module, util
package, source, module = sys.argv[1:]
spec = util.spec_from_file_location(package, source)
sys.modules[package] = util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[package])
import_module(module).main()
"""

_WARNING = re.compile(r"\S.*:\d+: \w+: ")  # a warning's file, line and kind
_TRACEBACK = "Traceback (most recent call last)"
_NOT_ITS_END = ("Exception ignored", "Exception in thread")  # a traceback under one of these ended no process


def start_child(
    module: str,
    log: IO[bytes],
    *,
    stdout: IO[bytes] | int,
    cwd: Path | None = None,
    path: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start `main` of a module of this package in a process that talks through pipes.

    It runs no code of its working folder, unless PYTHONPATH names that. It has a session of its own: the caller's
    Ctrl-C does not reach it, and `kill_group` ends it with all that it has started.

    Arguments:
        module: its full name, as "fastscale_lib.worker".
        log: takes its stderr.
        stdout: a file, or subprocess.PIPE.
        cwd: its working folder; left out: the caller's.
        path: folders before those of the caller's PYTHONPATH.
        environment: variables beside the caller's, or instead of them.
    """
    package, source = __name__.partition(".")[0], Path(__file__).parents[1] / "__init__.py"
    # An empty part, as "$PYTHONPATH:/more" leaves one, would name the working folder.
    inherited = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    settings = {
        "PYTHONPATH": os.pathsep.join([*path, *inherited]),
        "PYTHONSAFEPATH": "1",  # for the Pythons that it starts in turn, from Python 3.11
        "PYTHON_COLORS": "0",  # `cause` reads its tracebacks
    }
    return subprocess.Popen(
        [sys.executable, "-u", "-c", _LAUNCH, package, str(source), module],
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=log,
        encoding="utf-8",
        env={**os.environ, **settings, **(environment or {})},
        start_new_session=True,
    )


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill a process of `start_child`'s and all that it has started; one that has ended is left alone."""
    with contextlib.suppress(OSError):  # it was quicker
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def cause(log: IO[bytes]) -> str:
    """Tell by a process's stderr which exception ended it.

    Returns:
        The line that names the exception; without a traceback, the last line that is no warning; else nothing.
    """
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").splitlines()
    for start in reversed([number for number, line in enumerate(lines) if line.startswith(_TRACEBACK)]):
        if not (start and lines[start - 1].startswith(_NOT_ITS_END)):
            return one_line(next((line for line in lines[start + 1 :] if line[:1].strip()), ""))
    said = [line for line in lines if line[:1].strip() and not _WARNING.match(line)]
    return one_line(said[-1]) if said else ""


def one_line(text: str) -> str:
    """The text in one line of at most 300 characters."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
