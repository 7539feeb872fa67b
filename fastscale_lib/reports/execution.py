"""One notebook run with parameters, in a subprocess and a folder of its own.

`execute` runs in the caller. `main` runs in the subprocess: it reads from stdin what to run, runs it by papermill, and
ends with its kernel, when it is told to or when its stdin ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

from .._common.child_process import cause, kill_group, one_line, start_child
from .._common.files import write_whole
from .._common.light_imports import light_imports
from .._common.shipped import DATA_VARIABLE, OFFLINE_VARIABLE
from .selection import Task

_LOOK_S = 0.05  # between two looks at whether it is done
_PATIENCE_S = 10.0  # for a process that is told to end
_STARTS = 3  # of a kernel that dies before it answers
_UNSTARTED = "Kernel died before replying"  # as jupyter_client says
_ENGINE = "fastscale"
_THREADS = "OMP_NUM_THREADS"  # torch and numpy read it
_SAVED_EACH_S = 5.0


class Stopped(Exception):
    """The run was given up, as the caller asked for."""


def execute(
    task: Task,
    folder: Path,
    limit: float | None,
    stop: threading.Event,
    data: Path | None = None,
    threads: int | None = None,
    offline: bool = False,
) -> str | None:
    """Run a notebook in a folder, and save it there, executed as far as it ran.

    Return why it failed, in a sentence, or None. It is ended after `limit` seconds, or once `stop` is set, which raises
    Stopped. `data` is the folder that `data_folder` finds there, and `threads` are how many of them compute, unless
    OMP_NUM_THREADS says it; default: each library's own number. `offline` forbids fetching data sets.
    """
    with tempfile.TemporaryFile() as log:
        process = _start(folder, log, data, threads, offline)
        try:
            with contextlib.suppress(BrokenPipeError):  # it has died already, and the log says of what
                assert process.stdin is not None  # start_child makes a pipe
                process.stdin.write(json.dumps({"notebook": str(task.notebook), "parameters": task.parameters}) + "\n")
                process.stdin.flush()
            in_time = _wait(process, limit, stop)
        finally:
            _end(process)
        cells = _cells(folder / task.notebook.name)
        if cells is None:  # it ended before the first cell, or while it was written
            shutil.copyfile(task.notebook, folder / task.notebook.name)
        if not in_time:
            return f"it was ended after {limit:g} s, its time limit"
        return _error(cells or []) or (_death(process.returncode, log) if process.returncode else None)


def _start(
    folder: Path, log: IO[bytes], data: Path | None, threads: int | None, offline: bool
) -> subprocess.Popen[str]:
    """Start the child in a session of its own, which the caller's Ctrl-C does not reach."""
    here = str(Path(__file__).resolve().parents[2])  # for the kernel, which is to have the same library
    ours = {
        "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel is this Python's, not one that the user has installed as python3
        "PLOTLY_RENDERER": "plotly_mimetype",  # figures are kept as data; the page brings plotly.js once
        **({DATA_VARIABLE: str(data)} if data else {}),
        **({OFFLINE_VARIABLE: "1"} if offline else {}),
        **({_THREADS: str(threads)} if threads and _THREADS not in os.environ else {}),
    }
    return start_child(__name__, log, stdout=log, cwd=folder, path=[here], environment=ours)


def _wait(process: subprocess.Popen[str], limit: float | None, stop: threading.Event) -> bool:
    """Wait until it is done; return False if it takes longer than the limit."""
    end = None if limit is None else time.monotonic() + limit
    while process.poll() is None:
        if stop.wait(_LOOK_S):
            raise Stopped
        if end is not None and time.monotonic() > end:
            return False
    return True


def _end(process: subprocess.Popen[str]) -> None:
    """End the process and its kernel, unless it has ended."""
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            kill_group(process)
            process.wait()


def _cells(notebook: Path) -> list[dict[str, Any]] | None:
    """Read the cells of a notebook; None if there is no whole one."""
    try:
        return json.loads(notebook.read_text("utf-8"))["cells"]
    except (OSError, ValueError):
        return None


def _error(cells: list[dict[str, Any]]) -> str | None:
    """Find the error that executed cells show, in a sentence."""
    for cell in cells:
        for output in cell.get("outputs", ()):
            if output["output_type"] == "error":
                return one_line(f"cell [{cell['execution_count']}]: {output['ename']}: {output['evalue']}")
    return None


def _death(code: int, log: IO[bytes]) -> str:
    """Say why the process ended: by which signal, or by which exception."""
    how = f"signal {-code}, {signal.strsignal(-code)}" if code < 0 else f"exit status {code}"
    said = cause(log)
    return f"its process died ({how})" + (f": {said}" if said else "")


# In the subprocess


def main() -> None:
    """Run the notebook that a line of stdin names, in the working folder."""
    asked = json.loads(sys.stdin.readline())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # which shuts the kernel down on its way
    threading.Thread(target=_end_with_the_caller, daemon=True).start()
    sys.exit(_run(Path(asked["notebook"]), asked["parameters"]))


def _end_with_the_caller() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_PATIENCE_S)
    if hasattr(os, "killpg"):
        os.killpg(os.getpgrp(), signal.SIGKILL)


def _run(notebook: Path, parameters: dict[str, Any]) -> int:
    with light_imports():
        from papermill import PapermillExecutionError, execute_notebook
        from papermill.engines import papermill_engines

    papermill_engines.register(_ENGINE, _saving_engine(Path(notebook.name)))
    for starts in range(1, _STARTS + 1):
        try:
            execute_notebook(
                _literal(str(notebook)),
                None,
                parameters,
                engine_name=_ENGINE,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                store_widget_state=False,
                shutdown_kernel="immediate",
            )
        except PapermillExecutionError:
            return 1  # the notebook shows it
        except RuntimeError as error:  # kernels that start at once may take the same port; no cell has run
            if _UNSTARTED not in str(error) or starts == _STARTS:
                raise
        else:
            break
    return 0


def _saving_engine(executed: Path) -> type:
    """Make an engine of papermill that saves at the end, and every few seconds before.

    Papermill's own saves it, and validates all of it, before and after each cell: that took a third of the time of a
    notebook with many figures. What papermill notes beside, folders of this machine among it, is not saved.
    """
    from nbformat import NotebookNode
    from nbformat.v4 import writes
    from papermill.engines import NBClientEngine

    class Saving(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **more: Any) -> Any:
            def save() -> None:
                kept = {key: value for key, value in nb_man.nb.metadata.items() if key != "papermill"}
                write_whole(executed, writes(NotebookNode({**nb_man.nb, "metadata": kept})) + "\n")

            def save_seldom(**_: Any) -> None:
                if (nb_man.now() - nb_man.last_save_time).total_seconds() > _SAVED_EACH_S:
                    save()
                    nb_man.last_save_time = nb_man.now()

            nb_man.save = save_seldom
            try:
                return super().execute_managed_notebook(nb_man, kernel_name, **more)
            finally:
                save()

    return Saving


def _literal(path: str) -> str:
    """Double the braces of a path, so that papermill leaves it as it is."""
    return path.replace("{", "{{").replace("}", "}}")
