"""Tell how many measured rows there are, and which of them judge nothing."""

from __future__ import annotations

import pandas as pd

from .._common.wording import counted
from ..records.measurement import BUSY, has_interval
from ..records.rows_that_judge import judging, undisturbed


def measured_rows_text(rows: pd.DataFrame) -> str:
    """Say how many measured rows are left out, and how many of the rest have no interval.

    Arguments:
        rows: of `read_rows`; those without a time are not counted.
    """
    timed = rows[rows["median_ms"].notna()] if "median_ms" in rows else rows.iloc[:0]
    if not len(timed):
        return "There are no measured times."
    alone = undisturbed(timed)
    left = judging(alone)
    few = int((~left["blocks"].map(has_interval)).sum()) if "blocks" in left else 0
    disturbed, bound = len(timed) - len(alone), len(alone) - len(left)
    busy = f"{disturbed or 'none'} {'were' if disturbed > 1 else 'was'} made while others used more than"
    out = f", and {'are' if disturbed > 1 else 'is'} left out" * bool(disturbed)
    waits = f"{bound or 'none'} {'are' if bound > 1 else 'is'} launch-bound" + ", and judges nothing" * (bound == 1)
    waits += ", and judge nothing" * (bound > 1)
    rest = "the others" if disturbed else "them"
    return (
        f"Of {counted(len(timed), 'measured time')} {busy} {100 * BUSY:g} % of the machine, or its GPU{out}. Of "
        f"{rest}, {waits}; {few or 'none'} come{'s' * (few <= 1)} from fewer than six blocks of runs, with a range "
        "instead of a 95 % interval."
    )
