"""Correlate runtime with flops, params and activations, and tell which is ahead."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._common.checks import AnalysisError, check_choice, check_columns, check_frame, check_whole
from .._common.statistics import pearson
from ..architectures.counting import METRICS
from ..records.conditions import Conditions

STATISTICS = ("Pearson", "Pearson of logs", "Spearman")
_FEWEST_ROWS = 3  # through two points there is always a line
_FEWEST_FAMILIES = 5  # fewer, drawn with replacement, are too often all the same
_MOST_SAMPLES = 25_000  # up to which all samples are enumerated instead of drawn: those of 9 families
_MOST_RESAMPLES = 1_000_000  # more would fill the memory
_TAIL = 0.025  # beyond each end of an interval
_STANDARD_ERRORS = 4  # by which other draws may move an end


def correlations(
    frame: pd.DataFrame,
    by: Sequence[str] = Conditions.CORRELATE,
    metrics: Sequence[str] = METRICS,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlate time per image with each metric, in each group of timings.

    The 95 % interval is the percentile interval of a bootstrap that resamples whole families (Field and Welsh,
    Bootstrapping clustered data, 2007), since networks of one family are not independent. For up to 9 families all
    samples are enumerated with their probabilities, so the interval is exact; for more, they are drawn. The interval is
    somewhat narrow: for simulated normal logarithms it covers the true r in 91 % of cases with 30 families, and in 86 %
    with 6.

    Arguments:
        frame: timings as `published` returns them, with the columns ms_per_image, family, and those of `metrics` and
            `by`. All metrics of a group are correlated on the same rows: those with a time that is not launch_bound,
            and with a count for every metric of which the group has any count.
        by: columns that define the groups; a missing value is a value of its own; default: `Conditions.CORRELATE`.
        metrics: columns of counts; default: flops, params, activations.
        resamples: number of bootstrap samples, for more than 9 families; default: 1000.
        seed: of the bootstrap, for more than 9 families; default: 0.

    Returns:
        One row per group, metric and statistic. Columns: those of `by`; metric; statistic ("Pearson", "Pearson of logs"
        or "Spearman"); r (NaN for fewer than 3 rows or constant values); low and high (NaN for fewer than 5 families);
        rows and families (how many there are).

    Raises:
        AnalysisError: (a ValueError) the frame lacks a column, or has something other than numbers in one; resamples or
            seed is not a whole number.
    """
    by, metrics = _checked("correlations", frame, by, metrics, resamples, seed)
    rows = [
        (*key, metric, statistic, *each.interval, each.rows, each.families)
        for key, group in _groups(frame, by)
        for metric, statistic, each in _estimates(group, metrics, resamples, seed)
    ]
    return pd.DataFrame(rows, columns=[*by, "metric", "statistic", "r", "low", "high", "rows", "families"])


def leads(
    frame: pd.DataFrame,
    metric: str = "activations",
    by: Sequence[str] = Conditions.CORRELATE,
    metrics: Sequence[str] = METRICS,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare one metric's correlation with time to those of the others, in each group.

    The lead is the difference of two r. Its 95 % interval is that of `correlations`, with both metrics on the same
    samples. Where samples are drawn, the tails of 2.5 % are uncertain by a standard error of
    sqrt(0.025 · 0.975 / resamples); the verdict is undecided if moving them by four of these could change it. With
    fewer than 625 resamples it therefore always is.

    Arguments:
        frame: timings, as for `correlations`.
        metric: the one that is compared with the others; default: activations.
        by: columns that define the groups; default: `Conditions.CORRELATE`.
        metrics: columns of counts; default: flops, params, activations.
        resamples: number of bootstrap samples, for more than 9 families; default: 1000.
        seed: of the bootstrap, for more than 9 families; default: 0.

    Returns:
        One row per group, statistic and other metric. Columns: those of `by`; statistic; metric; other; lead; low and
        high; verdict ("ahead" or "behind"; "undecided" if the interval includes 0 or is missing; "not tested" if a
        correlation is missing).

    Raises:
        AnalysisError: (a ValueError) metric is not one of `metrics`; or as for `correlations`.
    """
    by, metrics = _checked("leads", frame, by, metrics, resamples, seed)
    check_choice("leads: metric", metric, metrics, AnalysisError)
    rows = []
    for key, group in _groups(frame, by):
        found = {(name, statistic): each for name, statistic, each in _estimates(group, metrics, resamples, seed)}
        for statistic in STATISTICS:
            for other in metrics:
                if other != metric:
                    lead = found[metric, statistic].minus(found[other, statistic])
                    rows.append((*key, statistic, metric, other, *lead.interval, lead.verdict))
    return pd.DataFrame(rows, columns=[*by, "statistic", "metric", "other", "lead", "low", "high", "verdict"])


def _checked(
    caller: str, frame: pd.DataFrame, by: Sequence[str], metrics: Sequence[str], resamples: int, seed: int
) -> tuple[list[str], list[str]]:
    by = check_columns(f"{caller}: by", by, AnalysisError)
    metrics = check_columns(f"{caller}: metrics", metrics, AnalysisError)
    check_frame(f"{caller}: frame", frame, AnalysisError, [*by, "family"], ["ms_per_image", *metrics])
    check_whole(f"{caller}: resamples", resamples, AnalysisError, most=_MOST_RESAMPLES)
    check_whole(f"{caller}: seed", seed, AnalysisError, least=0)
    return by, metrics


def complete(frame: pd.DataFrame, metrics: Sequence[str] = METRICS) -> pd.DataFrame:
    """Select the rows with a time and all metrics, as floats.

    Metrics without any count are left out. A count of 0 was rounded down, and is taken as missing. Rows that are
    launch_bound are left out: they timed the host.
    """
    if "launch_bound" in frame:
        frame = frame[~frame["launch_bound"].fillna(False).astype(bool)]
    numbers = frame[["ms_per_image", *metrics]].astype("Float64").astype("float64")
    numbers = numbers.where(numbers > 0)
    given = [name for name in metrics if numbers[name].notna().any()]
    return numbers[["ms_per_image", *given]].dropna()


class _Samples(NamedTuple):
    """Bootstrap samples: weights of shape (samples, rows), and the samples' probabilities."""

    weights: np.ndarray
    odds: np.ndarray
    drawn: bool  # or all that there are


class _Estimate(NamedTuple):
    """A statistic: its value on the rows as they are, and its values on the samples."""

    value: float
    values: np.ndarray
    samples: _Samples
    rows: int
    families: int

    @property
    def interval(self) -> tuple[float, float, float]:
        """Value, low and high end of the 95 % interval."""
        return self.value, *self._ends(_TAIL)

    @property
    def verdict(self) -> str:
        """Side of 0 on which the interval lies, with any samples that might have been drawn."""
        error = math.sqrt(_TAIL * (1 - _TAIL) / len(self.values)) if self.samples.drawn else 0.0
        low, high = self._ends(_TAIL - _STANDARD_ERRORS * error)
        if np.isnan(self.value):
            return "not tested"
        return "ahead" if low > 0 else "behind" if high < 0 else "undecided"

    def _ends(self, tail: float) -> tuple[float, float]:
        """Return the values with this much probability below the first and above the second."""
        known = ~np.isnan(self.values)
        if self.families < _FEWEST_FAMILIES or not known.any():
            return np.nan, np.nan
        if tail <= 0:
            return -np.inf, np.inf
        order = np.argsort(self.values[known])
        values, odds = self.values[known][order], self.samples.odds[known][order]
        upto = np.cumsum(odds) / odds.sum()
        low, high = np.searchsorted(upto, [tail, 1 - tail])
        return float(values[low]), float(values[min(high, len(values) - 1)])

    def minus(self, other: _Estimate) -> _Estimate:
        """Subtract sample by sample; differences in the last digits of equal statistics become 0."""
        value, values = self.value - other.value, np.round(self.values - other.values, 12)
        return self._replace(value=value, values=values)


def _groups(frame: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    return iter(frame.groupby(list(by), sort=False, dropna=False))


def _estimates(
    group: pd.DataFrame, metrics: Sequence[str], resamples: int, seed: int
) -> Iterator[tuple[str, str, _Estimate]]:
    """Compute all statistics of all metrics, on the same rows and the same samples."""
    group = group.reset_index(drop=True)
    numbers = complete(group, metrics)
    codes, families = pd.factorize(group.loc[numbers.index, "family"], use_na_sentinel=False)
    samples = _samples(codes, len(families), resamples, seed)
    weights = np.concatenate([np.ones((1, len(codes))), samples.weights])  # the rows as they are first
    time = numbers["ms_per_image"].to_numpy()
    for metric in metrics:
        x = numbers.get(metric, numbers["ms_per_image"]).to_numpy()
        rows = len(x) if metric in numbers else 0
        enough = rows >= _FEWEST_ROWS and min(np.ptp(x), np.ptp(time)) > 0
        for statistic in STATISTICS:
            value, *found = _statistic(statistic, x, time, weights) if enough else np.full(len(weights), np.nan)
            yield metric, statistic, _Estimate(float(value), np.array(found), samples, rows, len(families))


def _samples(codes: np.ndarray, families: int, resamples: int, seed: int) -> _Samples:
    """Enumerate all bootstrap samples of few families, or draw some of them.

    Of k families there are (2k − 1)! / (k! (k − 1)!) samples. One with family i n_i times has the multinomial
    probability k! / (n_1! … n_k!) / k^k.
    """
    if families and math.comb(2 * families - 1, families) <= _MOST_SAMPLES:
        chosen = np.array(list(combinations_with_replacement(range(families), families)))
        counts = (chosen[:, :, None] == np.arange(families)).sum(1)
        ways = np.array([math.factorial(n) for n in range(families + 1)], dtype=float)
        odds = ways[-1] / ways[counts].prod(1) / float(families) ** families
        return _Samples(counts[:, codes].astype(float), odds, drawn=False)
    odds = np.full(resamples, 1 / resamples)
    if not families:
        return _Samples(np.ones((resamples, 0)), odds, drawn=True)
    counts = np.random.default_rng(seed).multinomial(families, np.full(families, 1 / families), resamples)
    return _Samples(counts[:, codes].astype(float), odds, drawn=True)


def _statistic(name: str, x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if name == "Spearman":
        return pearson(_ranks(x, weights), _ranks(y, weights), weights)
    return pearson(np.log(x), np.log(y), weights) if name == "Pearson of logs" else pearson(x, y, weights)


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rank the values in each weighted sample; equal values get the mean of their ranks."""
    order = np.argsort(values, kind="stable")
    ties = np.unique(values[order], return_inverse=True)[1].reshape(-1)
    last = np.searchsorted(ties, np.arange(ties[-1] + 1), side="right") - 1
    upto = np.cumsum(weights[:, order], axis=1)[:, last]
    below = np.concatenate([np.zeros((len(weights), 1)), upto[:, :-1]], axis=1)
    ranks = np.empty_like(weights)
    ranks[:, order] = ((below + upto + 1) / 2)[:, ties]
    return ranks
