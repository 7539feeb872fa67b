"""Leave out measured rows that judge nothing: of a machine in use, or launch-bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from .._common.frames import dicts
from .measurement import judges_nothing, shared_use

_STATE = ("launch_ms", "median_ms", "load", "other_processes")


def undisturbed(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out the rows that were measured while others used the machine.

    That is another process on the GPU, or processes that used more than a twentieth of all cores
    (`measurement.shared_use`).

    Arguments:
        rows: of `read_rows`; where a column is missing, nothing is known of it, and rows stay.
    """
    return rows[_without(rows, shared_use)]


def judging(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out the rows whose times judge nothing: disturbed or launch-bound ones.

    Arguments:
        rows: of `read_rows`; as for `undisturbed`.
    """
    return rows[_without(rows, judges_nothing)]


def _without(rows: pd.DataFrame, reason: Callable[[Mapping[str, Any]], str | None]) -> pd.Series:
    """Tell of each row whether it has no such reason to be left out."""
    states = dicts(rows.reindex(columns=list(_STATE)))
    return pd.Series([reason(state) is None for state in states], rows.index, dtype=bool)
