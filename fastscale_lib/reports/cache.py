"""Runs that are kept, so that nothing runs twice on the same inputs.

Each run has a folder `<out>/runs/<name>/`, which is complete once it has `run.json`, written last. Earlier runs of that
name with other parameters are kept in `<out>/runs/.earlier/`, under the key of the run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .._common.files import write_whole
from ..prediction.calibration import kept_in
from .result import Report
from .selection import Task

_RUN, _EARLIER = "run.json", ".earlier"
_KEPT = 50  # runs that are kept aside; in a checkout each change of the library leaves one behind
_GIT_S = 10.0  # that git may take to name the commit
_LIBRARY = Path(__file__).resolve().parents[1]


class Runs:
    """The runs in a folder of reports.

    `machine` is what results depend on beside notebook, parameters, library and data: names of devices, versions of
    packages. `data` is the folder of the published and measured figures.
    """

    def __init__(self, out: Path, machine: Mapping[str, Any], data: Path | None) -> None:
        self._folder = out / "runs"
        self._moving = threading.Lock()
        library = [path for path in _LIBRARY.rglob("*") if path.is_file() and path.suffix != ".pyc"]
        self._environment = {"machine": machine, "library": _digest(_LIBRARY, *library), "data": data and digest(data)}

    def key(self, task: Task) -> str:
        """Make a key that is the same for two runs if and only if they depend on the same."""
        mine = {
            "notebook": task.notebook.stem,
            "source": digest(task.notebook),
            "parameters": task.parameters,
            "files": [digest(path) for path in task.files],
            "probes": digest(kept_in()) if task.calibrates and kept_in().is_file() else None,
        }
        return hashlib.sha256(json.dumps({**mine, **self._environment}, sort_keys=True).encode()).hexdigest()

    def find(self, task: Task) -> Report | None:
        """Find a run with this task's key, and move it to the task's place; None if there is none."""
        key, place = self.key(task), self._folder / task.name
        if _kept(place, key):
            return self._report(task)
        aside = self._folder / _EARLIER / key
        if _kept(aside, key):
            self._clear(place)
            os.replace(aside, place)
            return self._report(task)
        for other in self._folder.glob("*"):  # the same parameters under another name, as of a grid
            if _kept(other, key):
                self._clear(place)
                _copy(other, place)
                return self._report(task)
        return None

    def begin(self, task: Task) -> Path:
        """Make an empty folder for the task to run in."""
        place = self._folder / task.name
        self._clear(place)
        place.mkdir(parents=True)
        return place

    def prune(self) -> None:
        """Remove the oldest of the runs that are kept aside."""
        aside = [each for each in (self._folder / _EARLIER).glob("*") if each.is_dir()]
        for old in sorted(aside, key=lambda each: each.stat().st_mtime)[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    def lost(self, task: Task, error: str, seconds: float, made: Mapping[str, str]) -> Report:
        """Report a run of which nothing is kept."""
        executed = self._folder / task.name / task.notebook.name
        return Report(task.name, executed, task.parameters, error, seconds, made=dict(made), shown=False)

    def end(self, task: Task, key: str, error: str | None, seconds: float, made: Mapping[str, str]) -> Report:
        """Mark a run as complete: from now on it is found by its key, unless it failed."""
        place = self._folder / task.name
        executed = place / task.notebook.name
        run = {
            "key": None if error else key,
            "name": task.name,
            "notebook": executed.name,
            "sha256": digest(executed),
            "parameters": task.parameters,
            "error": error,
            "seconds": round(seconds, 3),
            "made": dict(made),
        }
        write_whole(place / _RUN, json.dumps(run, indent=1, ensure_ascii=False) + "\n")
        return Report(task.name, executed, task.parameters, error, seconds, made=dict(made))

    def _report(self, task: Task) -> Report:
        place = self._folder / task.name
        run = _read(place)
        return Report(
            task.name, place / run["notebook"], task.parameters, seconds=run["seconds"], cached=True, made=run["made"]
        )

    def _clear(self, place: Path) -> None:
        """Make room: keep a complete run aside, and remove anything else."""
        key = _read(place).get("key")
        if not key:
            if place.exists():
                shutil.rmtree(place)
            return
        aside = self._folder / _EARLIER / key
        with self._moving:  # two places may hold the same run
            shutil.rmtree(aside, ignore_errors=True)
            aside.parent.mkdir(exist_ok=True)
            os.replace(place, aside)


def digest(path: Path) -> str:
    """Hash a file's content; of a folder, each file's path within it and its content."""
    if path.is_dir():
        return _digest(path, *(each for each in path.rglob("*") if each.is_file()))
    return _digest(path.parent, path)


def _digest(folder: Path, *files: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(files):
        found.update(f"{path.relative_to(folder).as_posix()}\0".encode(errors="surrogateescape"))
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


@lru_cache
def versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on."""
    found = {}
    for name in ("fastscale", "torch", "numpy", "pandas", "plotly"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # fastscale itself, used from a source tree
            found[name] = "unknown"
    return found


@lru_cache
def commit() -> dict[str, str]:
    """Return the commit of the checkout that holds the library, by "commit"; nothing elsewhere."""
    root = _LIBRARY.parent
    if not (root / ".git").exists():
        return {}
    asked = ["git", "-C", str(root), "describe", "--always", "--dirty=, changed", "--exclude=*"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=_GIT_S)
    except (OSError, subprocess.TimeoutExpired):  # there is no git, or its disk does not answer
        return {}
    return {"commit": done.stdout.strip()} if done.returncode == 0 else {}


def _kept(place: Path, key: str) -> bool:
    """Tell whether a complete, unchanged run with this key is here."""
    run = _read(place)
    executed = place / str(run.get("notebook"))
    return run.get("key") == key and executed.is_file() and digest(executed) == run["sha256"]


def _read(place: Path) -> dict[str, Any]:
    try:
        return json.loads((place / _RUN).read_text("utf-8"))
    except (OSError, ValueError):  # it was never whole
        return {}


def _copy(whole: Path, place: Path) -> None:
    """Copy a run; the copy is complete only at the end."""
    shutil.copytree(whole, place, ignore=shutil.ignore_patterns(_RUN))
    shutil.copyfile(whole / _RUN, place / _RUN)
