"""The error of a fit on families of networks that were held out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from .._common.statistics import pearson
from ..records.conditions import Conditions
from .forms import BY, By, Form, Runs, fit_form, forms_of, host_seconds, log_seconds
from .timed_rows import LEAST_ROWS, families_of, timed_rows, timed_runs, too_few

_FOLDS = 5
_UNKNOWN: dict[str, float] = dict.fromkeys(
    ("error", "error_90", "pearson", "spearman", "pearson_of_logs"), float("nan")
)


def prediction_errors(frame: pd.DataFrame, extra: pd.DataFrame | None = None) -> pd.DataFrame:
    """Compute the error of each kind of model on held-out families of networks.

    Every family of base networks is held out in turn; the model is fitted to the rest, and predicts it.

    Arguments:
        frame: as for `RuntimeModel.fit`.
        extra: rows that are always fitted to and never judged, as those of `calibrate`; default: none.

    Returns:
        One row for each setting and model: the columns of `Conditions.FIT`, by, rows, families, error and error_90
        (median and 90th percentile of the absolute error, as fractions), pearson, spearman, pearson_of_logs (Spearman's
        is the same on both scales), and reason: why these are NaN, if a setting has too few rows or families; else
        None.
    """
    found = []
    known = {} if extra is None else dict(timed_rows(extra))
    for setting, rows in timed_rows(frame):
        both = pd.concat([rows, known[setting]], ignore_index=True) if setting in known else rows
        what = setting.row(Conditions.FIT)
        counts = {"rows": len(rows), "families": len(set(families_of(rows)))}
        reason = _unfit(both, setting)
        agreements = dict.fromkeys(BY, _UNKNOWN) if reason else _judged(rows, both, setting)
        for by, agreement in agreements.items():
            found.append({**what, "by": by, **counts, **agreement, "reason": reason})
    return pd.DataFrame(found)


def _judged(rows: pd.DataFrame, both: pd.DataFrame, setting: Conditions) -> dict[By, dict[str, float]]:
    """Compare the predictions of each kind of model with the rows, which come first in `both`."""
    runs, seconds = timed_runs(both)
    families, judged = np.array(families_of(both)), np.arange(len(both)) < len(rows)
    found = {}
    for by in BY:
        every = [
            _chosen(form, runs, seconds, both, setting, families, judged).held_out[judged]
            for form in forms_of(by, both)
        ]
        found[by] = _agreement(min(every, key=lambda each: _off(each, seconds[judged]).mean()), seconds[judged])
    return found


def _unfit(rows: pd.DataFrame, setting: Conditions) -> str | None:
    """Say why nothing is left to fit to once a family is held out; else None."""
    if len(rows) < LEAST_ROWS:
        return too_few(setting, rows)
    families = sorted(set(families_of(rows)))
    return f"all rows are of {families[0]}: without it there are none to fit to" if len(families) == 1 else None


def _agreement(predicted: np.ndarray, seconds: np.ndarray) -> dict[str, float]:
    off = np.abs(predicted / seconds - 1)
    ranks = [pd.Series(values).rank().to_numpy() for values in (predicted, seconds)]
    return {
        "error": float(np.median(off)),
        "error_90": float(np.quantile(off, 0.9)),
        "pearson": float(pearson(predicted, seconds)),
        "spearman": float(pearson(*ranks)),
        "pearson_of_logs": float(pearson(np.log(predicted), np.log(seconds))),
    }


def _off(predicted: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    return np.abs(np.log(predicted / seconds))


class Chosen(NamedTuple):
    """A formula fitted to the rows of a setting.

    Attributes:
        form: the formula.
        parameters: fitted to all rows.
        held_out: seconds of each row, predicted by a fit to the rows of other families.
    """

    form: Form
    parameters: np.ndarray
    held_out: np.ndarray


def best_form(by: By, runs: Runs, seconds: np.ndarray, rows: pd.DataFrame, setting: Conditions) -> Chosen:
    """Fit the formula of the least mean error on held-out rows.

    Each family is held out in turn; if there is only one, each fifth of the rows.
    """
    groups = held_out_groups(rows)
    everywhere = np.full(len(rows), True)
    tried = [_chosen(form, runs, seconds, rows, setting, groups, everywhere) for form in forms_of(by, rows)]
    return min(tried, key=lambda each: _off(each.held_out, seconds).mean())


def held_out_groups(rows: pd.DataFrame, folds: int = _FOLDS) -> np.ndarray:
    """Group rows by what is held out at a time: families, or of a single one, folds of rows."""
    groups = np.array(families_of(rows))
    return groups if len(set(groups)) > 1 else np.arange(len(rows)) % folds


def _chosen(
    form: Form,
    runs: Runs,
    seconds: np.ndarray,
    rows: pd.DataFrame,
    setting: Conditions,
    groups: np.ndarray,
    judged: np.ndarray,
) -> Chosen:
    """Fit to all rows; predict each judged row from all but its group (NaN for the others)."""
    held_out = np.full(len(rows), np.nan)
    # A search from the fit to all rows ends sooner; the guess that holds a parameter is from the fitted rows alone.
    first = fit_form(form, runs, seconds, rows, setting)
    for group in sorted(set(groups[judged])):
        out = judged & (groups == group)
        held_out[out] = predict_from(~out, form, runs, seconds, rows, setting, first)[out]
    return Chosen(form, first, held_out)


def predict_from(
    on: np.ndarray,
    form: Form,
    runs: Runs,
    seconds: np.ndarray,
    rows: pd.DataFrame,
    setting: Conditions,
    first: np.ndarray | None = None,
) -> np.ndarray:
    """Predict the seconds of every row from those where the mask is true, launches included."""
    parameters = fit_form(form, runs, seconds, rows, setting, on, first)
    _, usual, _ = host_seconds(runs, on)
    return np.exp(log_seconds(form, runs._replace(host=runs.launches * usual), parameters))
