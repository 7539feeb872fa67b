"""Where the notebooks and the data are: in a checkout or in the installed library."""

from __future__ import annotations

import contextlib
from pathlib import Path

DATA_VARIABLE = "FASTSCALE_DATA"  # environment variable that names the data folder
OFFLINE_VARIABLE = "FASTSCALE_OFFLINE"  # environment variable that, set to anything, forbids fetching data sets
LIBRARY = Path(__file__).resolve().parents[1]


def find_folder(name: str, holds: str) -> Path | None:
    """Find the folder "notebooks" or "data" that holds this path, or return None.

    A checkout, beside the library or in the working folder and above, comes before the installed library: files may
    have been added there.
    """
    above: list[Path] = []
    with contextlib.suppress(FileNotFoundError):  # the working folder was removed
        above = [Path.cwd(), *Path.cwd().parents]
    for place in (LIBRARY.parent, *above, LIBRARY):
        if (place / name / holds).exists():
            return place / name
    return None
