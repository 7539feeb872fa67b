"""`report`: check what is asked for, run it or take it from the cache, and write pages."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

from .._common.checks import (
    check_flag,
    check_path,
    check_progress,
    check_text,
    check_type,
    check_whole,
    real_number,
    several,
    shown,
)
from .._common.child_process import one_line
from .._common.files import write_whole
from .._common.progress import Line, Step, Tally
from .._common.shipped import DATA_VARIABLE
from ..measuring.worker import Worker
from ..records.published_rows import PublishedError, data_folder, is_data_folder
from ..training import datasets
from . import pages
from .cache import Runs, commit, versions
from .execution import Stopped, execute
from .expected import VERDICTS_FILE, verdicts_text
from .result import LARGEST_PAGE, Report
from .selection import PROFILES, SelectionError, Task, is_own, notebooks_folder, tasks

try:
    import fcntl
except ModuleNotFoundError:  # on Windows
    fcntl = None


def report(
    only: str | Sequence[str] = (),
    *,
    profile: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    jobs: int | None = None,
    out: str | PathLike = "reports",
    force: bool = False,
    notebooks: str | PathLike | None = None,
    limit: float | None = None,
    offline: bool = False,
    progress: Callable[[Step], None] | None = None,
) -> list[Report]:
    """Run notebooks with parameters, and write a page of each and an index of all.

    The verdicts of all are also in `<out>/verdicts.json`.

    Everything is checked before anything runs. Each notebook runs in a process of its own and in a folder of its own,
    `<out>/runs/<name>/`; its page is `<out>/<name>.html`. One that has run with the same source, parameters, library,
    data, devices and versions of packages is taken from there, unless it failed. One that measures (its parameter
    `measure` is true, or its `device_name` is "calibrate") runs alone, after the others. One that fails does not stop
    the others, and its page shows the error. Stopped and called again, it continues with what is missing.

    Arguments:
        only: names of notebooks, or what they begin with, as "04"; default: all of them.
        profile: a set of parameters in the folder's profiles.yaml; default: "fast", or if there is no such file, the
            notebooks' own values.
        parameters: by name; they come before the profile's, for those notebooks that take them. A string may give a
            value of another type, as on a command line.
        grid: of a parameter, several values, with a report for each; of several parameters, for each combination.
        jobs: how many run at a time; default: the number of cores.
        out: the folder for pages and runs; default: "reports".
        force: whether to run again what has run already; default: False.
        notebooks: the folder that holds them; default: `notebooks` of a checkout beside the library, in the working
            folder or above it; else those that are installed with the library. They read the `data` beside them, if
            that is a checkout's.
        limit: seconds that each may take; default: no limit.
        offline: whether to forbid fetching a data set that is not on this machine; default: False.
        progress: called with a `Step` at the start and after each notebook; default: a line on stderr.

    Returns:
        The reports, in the order of the notebooks and of the grid's values. `error` says which failed, `too_large`
        which page has more than 1.5 MB.

    Raises:
        ParameterError: (a ValueError) no notebook takes such a parameter, or one does not take its value.
        SelectionError: (a ValueError) there is no such notebook, profile or folder, or it is in use, cannot be written
            or has no room for the pages; jobs or limit is no such number.
        PublishedError: (a ValueError) the environment variable FASTSCALE_DATA names a folder without the data.
        SettingError: (a ValueError) the device that a parameter names is not here.
    """
    only = [check_text("only: a notebook", each, SelectionError) for each in several(only)]
    parameters, grid = _by_name("parameters", parameters), _by_name("grid", grid)
    jobs, out = _jobs(jobs), check_path("out", out, SelectionError).absolute()
    if limit is not None and real_number(limit, 0, above=True) is None:
        raise SelectionError(f"limit is {shown(limit)}, but must be a number of seconds above 0; leave it out for none")
    check_progress(progress, SelectionError)
    folder = notebooks_folder() if notebooks is None else check_path("notebooks", notebooks, SelectionError).absolute()
    if profile is not None:
        check_text("profile", profile, SelectionError, "; leave it out for the fast one")
    force = check_flag("force", force, SelectionError)
    offline = check_flag("offline", offline, SelectionError)
    profile = profile or ("fast" if (folder / PROFILES).is_file() else None)
    todo = tasks(folder, only, profile, parameters, grid)
    data, machine = _data_beside(folder), _machine(todo)
    with _alone_in(out):
        _check_space(out, todo)
        runs = Runs(out, {**machine, **_here()}, data)
        runs.prune()
        names = [task.name for task in todo]
        site = pages.Site(names, is_own(folder))
        reports = {} if force else _cached(todo, runs, profile, site)
        tally = Tally(progress or Line(), len(reports), len(todo), 0)
        missing = [task for task in todo if task.name not in reports]
        one = _Run(runs, {**machine, **commit(), "profile": profile or "none"}, limit, data, offline)
        with contextlib.closing(_executed(missing, jobs, one)) as done:
            for each in done:
                reports[each.name] = _written(each, site)
                tally.count(each.name, reports[each.name].error is None)
        ordered = [reports[name] for name in names]
        _write_beside(out / pages.INDEX, pages.index(ordered, site))
        _write_beside(out / VERDICTS_FILE, verdicts_text(ordered))
    return ordered


def _cached(todo: Sequence[Task], runs: Runs, profile: str | None, site: pages.Site) -> dict[str, Report]:
    """Return the reports that need no run, by name, with their pages written."""
    found = {}
    for task in todo:
        if report := runs.find(task):
            report = replace(report, made={**report.made, "profile": profile or "none"})
            found[task.name] = _written(report, site)
    return found


def _by_name(what: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the values by the names of parameters; none if none are given."""
    if given is None:
        return {}
    check_type(what, given, Mapping, SelectionError, "a dict, of values by the names of parameters")
    return {check_text(f"{what}: a name", name, SelectionError): value for name, value in given.items()}


def _jobs(asked: int | None) -> int:
    if asked is not None:
        return check_whole("jobs", asked, SelectionError, remedy="; leave it out for the cores")
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _machine(todo: Sequence[Task]) -> dict[str, str]:
    """Describe the machine: devices, which must be there, and package versions.

    A subprocess asks: one that looks for a GPU holds some of it until it ends.
    """
    with Worker() as worker:
        for device in {task.parameters.get("device") or None for task in todo} - {None}:
            worker.environment(device=device)
        devices = worker.devices()
    return {"device": ", ".join(devices.values()), "python": platform.python_version(), **versions()}


def _here() -> dict[str, bool]:
    """Look for what notebooks need on this machine beside the checkout."""
    return {"fashion-mnist": datasets.fashion_mnist_folder() is not None}


def _data_beside(notebooks: Path) -> Path | None:
    """Find the data that notebooks read: of their own checkout, else by `data_folder`."""
    if DATA_VARIABLE not in os.environ and is_data_folder(notebooks.parent / "data"):
        return notebooks.parent / "data"
    try:
        return data_folder()
    except PublishedError:
        if DATA_VARIABLE in os.environ:
            raise
        return None  # a notebook that needs it will say so


@contextlib.contextmanager
def _alone_in(out: Path) -> Iterator[None]:
    """Lock the folder of the reports, so that no other `report` writes to it meanwhile."""
    try:
        (out / "runs").mkdir(parents=True, exist_ok=True)
        file = (out / "runs" / ".lock").open("w")
    except (FileExistsError, NotADirectoryError):
        raise SelectionError(f"report: {out} is no folder; name another by --out (in Python, out=)") from None
    except OSError as error:
        raise SelectionError(f"report: {out} {_cannot_be_written(error)}") from None
    with file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SelectionError(
                    f"report: another report is being written to {out}; wait for it, or name another folder by --out"
                ) from None
            except OSError as error:  # a file system without locks
                raise SelectionError(f"report: {out} {_cannot_be_written(error)}") from None
        yield


def _cannot_be_written(error: OSError) -> str:
    return f"cannot be written ({error.strerror or error}); name another folder by --out (in Python, out=)"


def _check_space(out: Path, todo: Sequence[Task]) -> None:
    """Refuse a disk without room for the pages, of which existing ones are written over."""
    there = [path.stat().st_size for task in todo if (path := out / f"{task.name}.html").is_file()]
    needed, free = LARGEST_PAGE * len(todo) - sum(there), shutil.disk_usage(out).free
    if free < needed:
        raise SelectionError(
            f"report: the disk of {out} has {free / 1e6:.0f} MB left, but pages of at most {LARGEST_PAGE / 1e6:g} MB "
            f"each may take {needed / 1e6:.0f} MB; make room, or name another folder by --out (in Python, out=)"
        )


@dataclass(frozen=True)
class _Run:
    """How a task is run."""

    runs: Runs
    made: Mapping[str, str]
    limit: float | None
    data: Path | None
    offline: bool

    def __call__(self, task: Task, stop: threading.Event, threads: int | None) -> Report:
        made = {"date": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC", **self.made}
        began = time.monotonic()
        try:
            key, folder = self.runs.key(task), self.runs.begin(task)
            error = execute(task, folder, self.limit, stop, self.data, threads, self.offline)
            if task.calibrates:  # the probes that it rests on were measured just now
                key = self.runs.key(task)
            return self.runs.end(task, key, error, time.monotonic() - began, made)
        except Stopped:
            raise
        except Exception as error:  # a full disk, say; the others still run
            return self.runs.lost(task, f"it could not be run: {_named(error)}", time.monotonic() - began, made)


def _executed(todo: Sequence[Task], jobs: int, run: _Run) -> Generator[Report, None, None]:
    """Yield the reports as they come: several at a time, then, alone, those that measure.

    Those beside each other share the cores: threads of several that wait for one another spend most of their time so.
    """
    stop = threading.Event()
    beside = [task for task in todo if not task.measures]
    alone = [task for task in todo if task.measures]
    for group, most in ((beside, jobs), (alone, 1)):
        width = max(1, min(most, len(group)))
        share = max(1, _jobs(None) // width) if width > 1 else None
        with ThreadPoolExecutor(width, thread_name_prefix="fastscale report") as threads:
            futures = [threads.submit(run, task, stop, share) for task in group]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BaseException:  # Ctrl-C, or whoever takes the reports gives up
                stop.set()
                for future in futures:
                    future.cancel()
                raise


def _written(report: Report, site: pages.Site) -> Report:
    """Write the page of one of these reports; if no page can be made of it, one that says why."""
    if report.shown:
        try:
            page = pages.render(report, site)
            pages.index([report], site)  # the index shows it, too
        except Exception as error:  # a notebook may show what no page can; the others are still made
            said = f"no page can be made of it: {_named(error)}"
            report = replace(report, error=f"{report.error}; {said}" if report.error else said, shown=False)
    try:
        write_whole(report.page, page if report.shown else _bare(report))
    except OSError as error:  # a full disk, say; an earlier page is as it was, and so is what has run
        said = f"its page {_cannot_be_written(error)}"
        report = replace(report, error=f"{report.error}; {said}" if report.error else said)
    return report


def _write_beside(path: Path, text: str) -> None:
    try:
        write_whole(path, text)
    except OSError as error:
        raise SelectionError(
            f"report: {path} {_cannot_be_written(error)}; what has run is kept, and the same command continues"
        ) from None


def _bare(report: Report) -> str:
    """Make a page of the name and the error alone."""
    return f"<!doctype html><meta charset=utf-8><title>{escape(report.name)}</title><p>{escape(report.error or '')}"


def _named(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}")
