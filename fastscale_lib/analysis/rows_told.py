"""Tell how many measured rows there are, and which of them judge nothing."""

from __future__ import annotations

import pandas as pd

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
    return (
        f"Of {len(timed):,} measured time{'s' * (len(timed) != 1)} {disturbed} {_was(disturbed)} made while others "
        f"used more than {100 * BUSY:g} % of the machine, or its GPU, and {_is(disturbed)} left out. Of the others, "
        f"{bound} {_is(bound)} launch-bound and judge{'s' * (bound == 1)} nothing; {few} come{'s' * (few == 1)} from "
        "fewer than six blocks of runs, with a range instead of a 95 % interval."
    )


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
