"""Compare the errors of two families at equal cost; fit how complexity grows with flops."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .._common.checks import AnalysisError, check_column, check_frame, check_text

_ERROR = "top1_error_pct"


def error_gaps(frame: pd.DataFrame, family: str, other: str, x: str = "flops") -> pd.DataFrame:
    """Compute the difference of two families' errors at equal cost.

    Errors are interpolated linearly in the logarithm of cost, between neighbouring networks of a family. Nothing is
    extrapolated: costs outside the range of either family have no row.

    Arguments:
        frame: rows of `published_errors`, of one source and one number of epochs.
        family: name of the family, as in the column family.
        other: name of the family to compare with.
        x: column of the cost: flops, params, activations, training_ms_per_image or inference_ms_per_image; default:
            flops.

    Returns:
        One row per cost of a network of either family. Columns: the one that `x` names; family and other (the two
        top-1 errors in percent); gap (family less other, in percentage points).

    Raises:
        AnalysisError: (a ValueError) the frame lacks a column, or has something other than numbers in one.
    """
    for name, each in (("family", family), ("other", other)):
        check_text(f"error_gaps: {name}", each, AnalysisError, "; name a family of the frame, as RegNetY")
    x = check_column("error_gaps: x", x, AnalysisError)
    frame = check_frame("error_gaps: frame", frame, AnalysisError, ["family"], [x, _ERROR])
    curves = [_curve(frame, each, x) for each in (family, other)]
    costs = np.union1d(*(curve.index for curve in curves))
    for curve in curves:
        costs = costs[(costs >= curve.index.min()) & (costs <= curve.index.max())]  # of an empty curve none
    first, second = (np.interp(np.log(costs), np.log(curve.index), curve) if len(costs) else costs for curve in curves)
    return pd.DataFrame({x: costs, "family": first, "other": second, "gap": first - second})


def _curve(frame: pd.DataFrame, family: str, x: str) -> pd.Series:
    """Return a family's lowest error at each cost, indexed by cost in ascending order."""
    rows = frame.loc[(frame["family"] == family).fillna(False), [x, _ERROR]].dropna().astype(float)
    return rows[rows[x] > 0].groupby(x)[_ERROR].min()


def growth(frame: pd.DataFrame, metric: str = "activations") -> float:
    """Fit e in metric ∝ flops^e, by least squares on logarithms.

    Arguments:
        frame: one row per network, with the columns flops and `metric`; counts of 0 or below are left out.
        metric: column to fit; default: activations.

    Returns:
        The exponent e; NaN where all networks have the same flops.

    Raises:
        AnalysisError: (a ValueError) the frame lacks a column, or has something other than numbers in one.
    """
    metric = check_column("growth: metric", metric, AnalysisError)
    frame = check_frame("growth: frame", frame, AnalysisError, numbers=["flops", metric])
    rows = frame[list(dict.fromkeys(["flops", metric]))].dropna().astype(float)
    rows = rows[(rows > 0).all(axis=1) & (rows < float("inf")).all(axis=1)]
    if rows["flops"].nunique() < 2:
        return float("nan")
    return float(np.polyfit(np.log(rows["flops"]), np.log(rows[metric]), 1)[0])
