"""Where the notebooks and the data lie: in a checkout, or in the installed library."""

from __future__ import annotations

import contextlib
from pathlib import Path

DATA_VARIABLE = "FASTSCALE_DATA"  # of the environment: the folder of the data
LIBRARY = Path(__file__).resolve().parents[1]


def find_folder(name: str, holds: str) -> Path | None:
    """Return the folder of this name of a checkout, else of the installed library; None where there is neither.

    A checkout is looked for beside the library, then in the working folder and above it: what was added there goes
    before what was installed.

    Arguments:
        name: "notebooks" or "data".
        holds: a path within the folder, by which it is known.
    """
    above: list[Path] = []
    with contextlib.suppress(FileNotFoundError):  # the working folder was removed
        above = [Path.cwd(), *Path.cwd().parents]
    for place in (LIBRARY.parent, *above, LIBRARY):
        if (place / name / holds).exists():
            return place / name
    return None
