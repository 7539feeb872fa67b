"""Errors of two families at equal cost, and how a family's complexity grows with its flops."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .._common.checks import AnalysisError, check_column, check_frame, check_text

_ERROR = "top1_error_pct"


def error_gaps(frame: pd.DataFrame, family: str, other: str, x: str = "flops") -> pd.DataFrame:
    """How far one family's error lies above another's at equal cost: one row for each cost that either has.

    Between the networks of a family, error is taken as a straight line over the logarithm of cost. Only costs that
    lie within the range of both families are compared; where the ranges do not meet there are no rows.

    Arguments:
        frame: rows of `published_errors`, of one source and one number of epochs.
        family, other: of the column family.
        x: the column that is cost: flops, params, activations, training_ms_per_image or inference_ms_per_image.

    Returns:
        Columns x, family and other (their errors in percent, named so), gap (percentage points; below 0 the family
        has the lower error).

    Raises:
        AnalysisError: (a ValueError) the frame lacks a column, or holds something else than numbers there.
    """
    for name, each in (("family", family), ("other", other)):
        check_text(f"error_gaps: {name}", each, AnalysisError, "; name a family of the frame, as RegNetY")
    x = check_column("error_gaps: x", x, AnalysisError)
    frame = check_frame("error_gaps: frame", frame, AnalysisError, ["family"], [x, _ERROR])
    one, two = (_curve(frame, each, x) for each in (family, other))
    ends = [curve.index for curve in (one, two) if len(curve)]
    costs = np.union1d(one.index, two.index)
    if len(ends) < 2:
        costs = costs[:0]
    else:
        costs = costs[(costs >= max(each[0] for each in ends)) & (costs <= min(each[-1] for each in ends))]
    errors = [np.interp(np.log(costs), np.log(each.index), each) if len(costs) else costs for each in (one, two)]
    return pd.DataFrame({x: costs, "family": errors[0], "other": errors[1], "gap": errors[0] - errors[1]})


def _curve(frame: pd.DataFrame, family: str, x: str) -> pd.Series:
    """The errors of a family by cost, in its order."""
    rows = frame.loc[(frame["family"] == family).fillna(False), [x, _ERROR]].dropna().astype(float)
    return rows[rows[x] > 0].groupby(x)[_ERROR].min()


def growth(frame: pd.DataFrame, metric: str = "activations") -> float:
    """The exponent of flops by which a metric grows from network to network, by least squares on logarithms.

    NaN for fewer than two sizes. A count of 0 has been rounded away, and is missing.

    Raises:
        AnalysisError: (a ValueError) the frame lacks flops or the metric, or holds something else than numbers there.
    """
    metric = check_column("growth: metric", metric, AnalysisError)
    frame = check_frame("growth: frame", frame, AnalysisError, numbers=["flops", metric])
    rows = frame[list(dict.fromkeys(["flops", metric]))].dropna().astype(float)
    rows = rows[(rows > 0).all(axis=1) & (rows < float("inf")).all(axis=1)]
    if rows["flops"].nunique() < 2:
        return float("nan")
    return float(np.polyfit(np.log(rows["flops"]), np.log(rows[metric]), 1)[0])
