"""Errors of two families at equal cost, and how a family's complexity grows with its flops."""

from __future__ import annotations

import numpy as np
import pandas as pd


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
    """
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
    rows = frame.loc[frame["family"] == family, [x, "top1_error_pct"]].dropna().astype(float)
    return rows.groupby(x)["top1_error_pct"].min()


def growth(frame: pd.DataFrame, metric: str = "activations") -> float:
    """The exponent of flops by which a metric grows from network to network, by least squares on logarithms.

    NaN for fewer than two sizes.
    """
    rows = frame[["flops", metric]].dropna().astype(float)
    if rows["flops"].nunique() < 2:
        return float("nan")
    return float(np.polyfit(np.log(rows["flops"]), np.log(rows[metric]), 1)[0])
