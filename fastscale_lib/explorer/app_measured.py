"""Measured times for the explorer's page: rows of a store as points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from .._common.errors import FastscaleError
from .._common.shipped import find_folder
from ..architectures.definition import Network
from ..records.conditions import Conditions
from ..records.measurement import Measurement
from ..records.rows import read_rows
from ..records.store import Store
from .app_data import Timing

Measured: TypeAlias = Store | str | Path | pd.DataFrame | Iterable[Mapping[str, Any]]
_FOLDER = "measured"  # of the data folder
_FIELDS = [each.name for each in fields(Measurement)]


@cache
def shipped_rows() -> tuple[Mapping[str, Any], ...]:
    """Return the rows of the shipped stores that have a time, in the order of their files."""
    data = find_folder("data", _FOLDER)
    stores = sorted((data / _FOLDER).glob("*.jsonl")) if data else []
    return tuple(_timed(read_rows(stores).to_dict("records")) if stores else ())


def rows_of(measured: Measured | None) -> list[Mapping[str, Any]]:
    """Read the rows with a time and the description of a network; None: the shipped rows."""
    if measured is None:
        return list(shipped_rows())
    if isinstance(measured, Store):
        return _timed(measured.rows())
    frame = read_rows(measured) if isinstance(measured, str | Path) else measured
    return _timed(frame.to_dict("records") if isinstance(frame, pd.DataFrame) else frame)


def points(base: Network, rows: Iterable[Mapping[str, Any]], timings: Sequence[Timing] = ()) -> list[dict[str, Any]]:
    """Make points of the rows whose networks are this base network with other sizes.

    See `Point` of state.js. A row of the device, setting and batch of a predicted time is shown with it, the others
    under labels of their own.
    """
    predicted = [(timing, timing.model.setting(**timing.setting)) for timing in timings]
    found = []
    for row in rows:
        if row.get("base") != base.name or not _is_scaled(base, row["description"]):
            continue
        measured_at, measurement = Conditions.of(row), measurement_of(row)
        labels = [timing.label for timing, key in predicted if _alike(timing, key, measured_at)]
        known = pd.notna(measurement.low_ms)
        found.append(
            {
                "label": labels[0] if labels else replace(measured_at, source=None).label(),
                "strategy": row["strategy"] if isinstance(row.get("strategy"), str) else "",
                "flops": int(row["flops"]),
                "ms": float(measurement.median_ms),
                "low": float(measurement.low_ms) if known else None,
                "high": float(measurement.high_ms) if known else None,
                "doubt": doubt_of(measurement),
                "text": f"{row['network']}\n{measurement}",
            }
        )
    return sorted(found, key=lambda each: ("training" in each["label"], each["label"], each["flops"]))


def doubt_of(measurement: Measurement) -> str | None:
    """Say what keeps a time from deciding anything, and what disturbed it; None if nothing did."""
    return "; ".join(filter(None, (measurement.doubt, measurement.warning))) or None


def _alike(timing: Timing, key: Conditions, row: Conditions) -> bool:
    known = {name: getattr(key, name) for name in Conditions.FIT} | {"batch": timing.batch}
    return all(value is None or getattr(row, name) == value for name, value in known.items())


def _timed(rows: Iterable[Mapping[Any, Any]]) -> list[Mapping[str, Any]]:
    return [each for each in rows if pd.notna(each.get("median_ms")) and isinstance(each.get("description"), Mapping)]


def _is_scaled(base: Network, description: Mapping[str, Any]) -> bool:
    try:
        found = Network.from_dict(description)
        return found == base.with_dimensions(found.dimensions, name=found.name, scaling=found.scaling)
    except FastscaleError:  # a description of a later version, or of other stages
        return False


def measurement_of(row: Mapping[str, Any]) -> Measurement:
    """Read the measurement of a store's row."""
    given = {name: row[name] for name in _FIELDS if name in row}
    return Measurement.from_dict({name: None if _missing(value) else value for name, value in given.items()})


def _missing(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
