"""Where the notebooks and the data are: in a checkout or in the installed library."""

from __future__ import annotations

import contextlib
from pathlib import Path

DATA_VARIABLE = "FASTSCALE_DATA"  # environment variable that names the data folder
LIBRARY = Path(__file__).resolve().parents[1]


def find_folder(name: str, holds: str) -> Path | None:
    """Find a folder of a checkout, else of the installed library; return None if there is none.

    A checkout is looked for beside the library, then in the working folder and above it. It comes first because files
    may have been added there.

    Arguments:
        name: "notebooks" or "data".
        holds: a path in the folder, by which it is recognised.
    """
    above: list[Path] = []
    with contextlib.suppress(FileNotFoundError):  # the working folder was removed
        above = [Path.cwd(), *Path.cwd().parents]
    for place in (LIBRARY.parent, *above, LIBRARY):
        if (place / name / holds).exists():
            return place / name
    return None
