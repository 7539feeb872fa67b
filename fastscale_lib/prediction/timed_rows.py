"""Measured rows in the form that a fit takes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..architectures.definition import Network
from ..records.conditions import Conditions
from .forms import PredictionError, Runs, runs_of

LEAST_ROWS = 10


def families_of(rows: pd.DataFrame) -> list[str]:
    """Return the family of each row's base network: its name up to the first hyphen.

    Arguments:
        rows: with the columns network and, where it is known, base.
    """
    names = rows["base"].fillna(rows["network"]) if "base" in rows else rows["network"]
    return [name.split("-")[0] for name in names]


def timed_rows(frame: pd.DataFrame) -> list[tuple[Conditions, pd.DataFrame]]:
    """Split the rows that have a time by setting."""
    if not isinstance(frame, pd.DataFrame):
        raise PredictionError(
            f"fit: expected a data frame, got a {type(frame).__name__}; give that of a store, fs.Store(path).frame()"
        )
    needed = {"network", "description", "batch", "median_ms", "half_width", *Conditions.FIT}
    if missing := sorted(needed - set(frame.columns)):
        raise PredictionError(
            f"fit: the frame lacks {', '.join(missing)}; fs.measure_plan(plan, store) gives rows that have all, "
            "and so does fs.Store(path).frame() of its store"
        )
    return Conditions.groups(frame[frame["median_ms"].notna()], Conditions.FIT)


def too_few(setting: Conditions, rows: pd.DataFrame) -> str:
    """Say that a setting has too few rows."""
    return f"{len(rows)} measured rows for {setting.label()}; a fit takes {LEAST_ROWS} of them at least"


def timed_runs(rows: pd.DataFrame) -> tuple[Runs, np.ndarray]:
    """Return the runs of one setting's rows, and the seconds that they took."""
    networks = [Network.from_dict(each) for each in rows["description"]]
    runs = runs_of(networks, rows["batch"].to_numpy(dtype=float), Conditions.of(rows.iloc[0]))
    if "launch_ms" in rows:
        runs = runs._replace(host=rows["launch_ms"].astype(float).fillna(0.0).to_numpy() / 1e3)
    return runs, rows["median_ms"].to_numpy(float) / 1e3
