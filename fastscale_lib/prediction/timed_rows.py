"""Measured rows in the form that a fit takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ..architectures.definition import Network
from ..records.conditions import Conditions
from .forms import PredictionError, Runs, runs_of

LEAST_ROWS = 10
# Columns that published rows lack, and what stands for them: their times are means of many runs.
_MAY_LACK = {"threads": None, "tf32": None, "half_width": 0.01, "cuda_graph": False}


def families_of(rows: pd.DataFrame) -> list[str]:
    """Return the family of each row's base network: its name up to the first hyphen.

    Arguments:
        rows: with the columns network and, where it is known, base.
    """
    names = rows["base"].fillna(rows["network"]) if "base" in rows else rows["network"]
    return [name.split("-")[0] for name in names]


def timed_rows(frame: pd.DataFrame) -> list[tuple[Conditions, pd.DataFrame]]:
    """Split the rows that have a time and a description by setting.

    Rows of several versions of PyTorch, which have rates of their own, are settings of their own if any has enough.
    """
    if not isinstance(frame, pd.DataFrame):
        raise PredictionError(
            f"fit: expected a data frame, got a {type(frame).__name__}; give that of a store, fs.Store(path).frame()"
        )
    needed = {"network", "description", "batch", "median_ms", *Conditions.FIT} - set(_MAY_LACK)
    if missing := sorted(needed - set(frame.columns)):
        raise PredictionError(
            f"fit: the frame lacks {', '.join(missing)}; fs.measure_plan(plan, store) gives rows that have all, "
            "and so do fs.Store(path).frame() of its store and fs.records.read_timm(path)"
        )
    timed = frame[frame["median_ms"].notna() & frame["description"].notna()]
    if timed["description"].map(lambda each: isinstance(each, str)).any():
        raise PredictionError(
            "fit: the column description holds texts, as a CSV file has them; keep rows by fs.Store, or read each as a "
            "dict by ast.literal_eval"
        )
    timed = timed.assign(**{name: value for name, value in _MAY_LACK.items() if name not in frame})
    found = []
    for setting, rows in Conditions.groups(timed, Conditions.FIT):
        versions = rows.groupby("torch", sort=False, dropna=False) if "torch" in rows else []
        if len(versions) > 1 and max(len(each) for _, each in versions) >= LEAST_ROWS:
            found += [(replace(setting, torch=str(version)), each) for version, each in versions]
        else:
            found.append((setting, rows))
    return found


def newest(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out the older rows of a network, told by its description, at the same batch."""
    ids = [Network.from_dict(each).id for each in rows["description"]]
    return rows[~pd.MultiIndex.from_arrays([ids, rows["batch"]]).duplicated(keep="last")]


def fit_settings(frame: pd.DataFrame, once: bool = False) -> list[tuple[Conditions, pd.DataFrame]]:
    """Split rows by setting, and leave out settings with fewer rows than a fit takes.

    Arguments:
        frame: as for `RuntimeModel.fit`.
        once: whether of several rows of a network at a batch only the newest counts; default: False.

    Raises:
        PredictionError: as for `RuntimeModel.fit`.
    """
    settings = timed_rows(frame)
    if not settings:
        what = "time (median_ms)" if frame["median_ms"].isna().all() else "time and the description of its network"
        raise PredictionError(
            f"fit: none of the frame's {len(frame)} rows has a {what}; a fit takes {LEAST_ROWS} of one "
            "setting at least, as fs.calibrate() or fs.measure_plan(plan, store) measures them"
        )
    settings = [(setting, newest(rows)) for setting, rows in settings] if once else settings
    if max(len(rows) for _, rows in settings) < LEAST_ROWS:
        raise PredictionError(f"fit: {too_few(*max(settings, key=lambda each: len(each[1])))}")
    return [(setting, rows) for setting, rows in settings if len(rows) >= LEAST_ROWS]


def too_few(setting: Conditions, rows: pd.DataFrame) -> str:
    """Say that a setting has too few rows."""
    devices = rows["device"].dropna().tolist()[:1] if "device" in rows else []
    named = replace(setting, device=devices[0] if devices else None)  # of a GPU no threads are named
    return f"{len(rows)} measured rows for {named.label()}; a fit takes {LEAST_ROWS} of them at least"


def timed_runs(rows: pd.DataFrame) -> tuple[Runs, np.ndarray]:
    """Return the runs of one setting's rows, and the seconds that they took."""
    networks = [Network.from_dict(each) for each in rows["description"]]
    runs = runs_of(networks, rows["batch"].to_numpy(dtype=float), Conditions.of(rows.iloc[0]), merge=True)
    if "launch_ms" in rows:
        runs = runs._replace(host=rows["launch_ms"].astype(float).fillna(0.0).to_numpy() / 1e3)
    return runs, rows["median_ms"].to_numpy(float) / 1e3
