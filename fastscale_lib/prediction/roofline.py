"""How near measured rows come to the peak rates of their device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .._common.checks import AnalysisError, check_frame, several, shown
from .._common.frames import rows
from ..architectures.definition import Network
from ..architectures.operation_lists import element_bytes, operations
from ..measuring.peak_rates import TRAINING_RUNS, Ceilings


def roofline_share(frame: pd.DataFrame, known: list[Ceilings]) -> pd.Series:
    """Divide the shortest time that the peak rates allow by the measured time of each row.

    The shortest time is the sum over the operations of the larger of arithmetic at one peak rate and data at the other,
    with every tensor read and written once and nothing fused; a training step counts as three forward passes. A share
    above 1 is possible: data may stay in a cache that the copy exceeds.

    Arguments:
        frame: rows of a store: description, batch, mode, precision, median_ms, device_name, threads, tf32.
        known: peak rates of devices and settings.

    Returns:
        The share of each row, 1 for as fast as the peak rates allow; NaN if `known` has none for it.

    Raises:
        AnalysisError: (a ValueError) the frame lacks a column, or known holds something else than `Ceilings`.
    """
    needed = ["description", "mode", "device_name", "threads", "precision", "tf32"]
    check_frame("roofline_share: frame", frame, AnalysisError, needed, ["batch", "median_ms"])
    if not all(isinstance(each, Ceilings) for each in several(known)):
        raise AnalysisError(f"roofline_share: known is {shown(known)}, but must be a list of Ceilings")
    by_setting = {(each.device_name, each.threads, each.precision, each.tf32): each for each in several(known)}
    keys = zip(*(frame[name] for name in ("device_name", "threads", "precision", "tf32")), strict=True)
    shares = [
        _shortest_ms(row, by_setting[key]) / row.median_ms if key in by_setting else np.nan
        for key, row in zip(keys, rows(frame), strict=True)
    ]
    return pd.Series(shares, index=frame.index, name="roofline_share", dtype=float)


def _shortest_ms(row: Any, at: Ceilings) -> float:
    ops = operations(Network.from_dict(row.description))
    moved = element_bytes(row.precision) * (row.batch * ops.moved + ops.weights)
    bounds = row.batch * ops.flops / at.multiply_adds_per_s, moved / at.bytes_per_s
    passes = TRAINING_RUNS if row.mode == "training" else 1
    return 1e3 * passes * float((np.maximum(*bounds) * ops.times).sum())
