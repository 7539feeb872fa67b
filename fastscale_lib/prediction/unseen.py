"""How far a fit is off on families of networks that it has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .._common.statistics import pearson
from .forms import Runs, fit_form, host_seconds, log_seconds
from .reach import Reach, reach_of

_FOLDS = 5


def families_of(rows: pd.DataFrame) -> list[str]:
    """The family of each row's base network, as `families` names them: what its name begins with."""
    names = rows["base"].fillna(rows["network"]) if "base" in rows else rows["network"]
    return [name.split("-")[0] for name in names]


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


def _errors_on_others(form: Any, runs: Runs, seconds: np.ndarray, rows: pd.DataFrame, setting: tuple) -> tuple:
    """The median and the 90th percentile of the absolute error on rows that were left out."""
    groups = np.array(families_of(rows))
    if len(set(groups)) == 1:
        groups = np.arange(len(rows)) % _FOLDS
    predicted = _predicted_unseen(form, runs, seconds, rows, setting, groups, np.full(len(rows), True))
    off = np.abs(predicted / seconds - 1)
    return float(np.median(off)), float(np.quantile(off, 0.9))


def _predicted_unseen(
    form: Any,
    runs: Runs,
    seconds: np.ndarray,
    rows: pd.DataFrame,
    setting: tuple,
    groups: np.ndarray,
    judged: np.ndarray,
) -> np.ndarray:
    """Predicted seconds of each judged row, from all rows but those of its group; NaN for the others."""
    predicted = np.full(len(rows), np.nan)
    for group in sorted(set(groups[judged])):
        out = judged & (groups == group)
        predicted[out] = _predicted_from(~out, form, runs, seconds, rows, setting)[out]
    return predicted


def _predicted_from(
    on: np.ndarray, form: Any, runs: Runs, seconds: np.ndarray, rows: pd.DataFrame, setting: tuple
) -> np.ndarray:
    """Predicted seconds of every row, from those where the mask is true; the others' launches are not known either."""
    parameters = fit_form(form, runs, seconds, rows, setting, on)
    _, usual, _ = host_seconds(runs, on)
    return np.exp(log_seconds(form, runs._replace(host=runs.launches * usual), parameters))


def _reach(form: Any, runs: Runs, seconds: np.ndarray, rows: pd.DataFrame, setting: tuple) -> Reach:
    return reach_of(
        rows["batch"].to_numpy(),
        runs.extent,
        lambda on: _predicted_from(on, form, runs, seconds, rows, setting),
        seconds,
    )
