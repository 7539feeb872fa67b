"""Notebooks run with parameters, and what comes of them as pages to share.

Importing this loads neither papermill nor plotly: notebooks import `parameters`, and the package imports `report`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from .._common.progress import Step

if TYPE_CHECKING:
    from .result import Report


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
    progress: Callable[[Step], None] | None = None,
) -> list[Report]:
    """Run notebooks with parameters, several at a time, and write a page of each and an index of all.

    Everything is checked before anything runs. Each notebook runs in a process of its own and in a folder of its own,
    `<out>/runs/<name>/`; its page is `<out>/<name>.html`. One that has run with the same source, parameters, library,
    data, devices and versions of packages is taken from there, unless it failed. One that measures (its parameter
    `measure` is true, or its `device_name` is "calibrate") runs alone, after the others. One that fails does not stop
    the others, and its page shows the error. Stopped and called again, it goes on with what is missing.

    Arguments:
        only: names of notebooks, or what they begin with, as "04"; left out: all of them.
        profile: a set of parameters in the folder's profiles.yaml; left out: "fast", or where there is no such file,
            the notebooks' own values.
        parameters: by name; they go before the profile, each to those notebooks that take it. A text may say a value
            of another type, as on a command line.
        grid: of a parameter, several values, with a report for each; of several parameters, for each combination.
        jobs: how many run at a time; left out: as many as there are cores.
        out: the folder for pages and runs.
        force: whether to run again what has run already.
        notebooks: the folder that holds them; left out: `notebooks` of a checkout beside the library, in the working
            folder or above it; else those that are installed with the library. They read the `data` beside them,
            where that is a checkout's.
        limit: seconds that each may take.
        progress: called with a `Step` at the start and after each notebook; left out: a line on stderr.

    Returns:
        The reports, in the order of the notebooks and of the grid's values. `error` says which failed, `too_large`
        which page has more than 6 MB.

    Raises:
        ParameterError: (a ValueError) no notebook takes such a parameter, or one does not take its value; the message
            lists what it takes.
        SelectionError: (a ValueError) there is no such notebook, profile or folder, or it is in use, cannot be written
            or has no room for the pages; jobs or limit is no such number.
        PublishedError: (a ValueError) the environment variable FASTSCALE_DATA names a folder without the data.
        SettingError: (a ValueError) the device that a parameter names is not here.
    """
    from .engine import run

    only = [only] if isinstance(only, str) else list(only)
    return run(only, profile, parameters or {}, grid or {}, jobs, out, force, notebooks, limit, progress)
