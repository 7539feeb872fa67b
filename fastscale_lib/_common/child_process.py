"""Child processes: start a module of this package in one, kill it, and tell why it ended."""

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

_LONGEST = 300  # characters of an error in a sentence

# Python puts the working folder first on a child's path, so that a torch.py in it would be run instead of torch. The
# folder is therefore removed, and the package is loaded from its own folder, which need not be on the path either.
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
_NOT_FATAL = ("Exception ignored", "Exception in thread")  # a traceback under one of these did not end the process


def start_child(
    module: str,
    log: IO[bytes],
    *,
    stdout: IO[bytes] | int,
    cwd: Path | None = None,
    path: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start `main` of a module of this package in a child process with a pipe to its stdin.

    The child runs no code from its working folder unless PYTHONPATH names it. It has its own session: the caller's
    Ctrl-C does not reach it, and `kill_group` ends it with every process that it started. Folders of `path` come before
    the caller's PYTHONPATH; variables of `environment` are added to the caller's, or replace them.
    """
    package, source = __name__.partition(".")[0], Path(__file__).parents[1] / "__init__.py"
    # An empty part, as in "$PYTHONPATH:/more" where PYTHONPATH is unset, would mean the working folder.
    inherited = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    settings = {
        "PYTHONPATH": os.pathsep.join([*path, *inherited]),
        "PYTHONSAFEPATH": "1",  # for the Pythons that the child starts in turn, from Python 3.11
        "PYTHON_COLORS": "0",  # `cause` reads the child's tracebacks
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
    """Kill a process from `start_child`, unless it has ended, and every process that it started."""
    with contextlib.suppress(OSError):  # it has just ended
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def cause(log: IO[bytes]) -> str:
    """Return the line of a process's stderr that names the exception, or the last but warnings."""
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").splitlines()
    for start in reversed([number for number, line in enumerate(lines) if line.startswith(_TRACEBACK)]):
        if not (start and lines[start - 1].startswith(_NOT_FATAL)):
            return one_line(next((line for line in lines[start + 1 :] if line[:1].strip()), ""))
    kept = [line for line in lines if line[:1].strip() and not _WARNING.match(line)]
    return one_line(kept[-1]) if kept else ""


def one_line(text: str) -> str:
    """Join the lines of a text into one of at most 300 characters."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
