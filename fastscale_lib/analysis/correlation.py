"""How well flops, params and activations predict runtime: correlations, with intervals, and which is ahead."""

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
_MOST_SAMPLES = 25_000  # different ones that are gone through instead of drawing: those of 9 families
_MOST_RESAMPLES = 1_000_000  # more would fill the memory
_TAIL = 0.025  # beyond each end of an interval
_STANDARD_ERRORS = 4  # that other draws may move an end by


def correlations(
    frame: pd.DataFrame,
    by: Sequence[str] = Conditions.CORRELATE,
    metrics: Sequence[str] = METRICS,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """How closely time follows each metric, group by group: one row for each group, metric and statistic.

    Columns: those of `by`, metric, statistic ("Pearson", "Pearson of logs", "Spearman", which is the same on plain
    and log scales), r, low, high, rows, families. The 95 % interval is the percentile interval of a bootstrap that
    draws whole families (Field and Welsh, Bootstrapping clustered data, 2007), since networks of one family are no
    independent evidence. Up to 9 families have so few different samples that all are gone through, each as probable
    as it is: then no chance is in the interval. It is somewhat narrow: of simulated normal logarithms it covers the
    true r in 91 % of cases with 30 families, 86 % with 6. It is missing where there are fewer than 5 families, and r
    where there are fewer than 3 rows or all values are the same.

    Arguments:
        frame: timings as `published` gives them; of it are read ms_per_image, family, the metrics and `by`. All metrics
            of a group are judged on the same rows: those that have a time, of the network and not of the host
            (launch_bound), and every metric that the group has at all.
        by: the columns that tell groups apart; a missing value is one of its own.
        metrics: columns of counts.
        resamples, seed: of the bootstrap, where there are more than 9 families.

    Raises:
        AnalysisError: (a ValueError) the frame lacks a column, or holds something else than numbers where these are
            needed; resamples or seed is no whole number.
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
    """How far one metric's correlation with time is above each of the others', group by group.

    Columns: those of `by`, statistic, metric, other, lead (the difference of r), low, high (its 95 % interval, both
    metrics on the same drawn families, as for `correlations`), and verdict: "ahead", "behind", "undecided" where the
    interval holds 0 or is missing, "not tested" where a correlation is. Where samples were drawn, it is undecided too
    where an end is so near 0 that other draws might move it across: its tail of 2.5 % of the samples is known to four
    standard errors, 4·sqrt(0.025 · 0.975 / resamples). So fewer than 625 resamples decide nothing.

    Arguments:
        metric: the one that is compared with the others.
        frame, by, metrics, resamples, seed: as for `correlations`.

    Raises:
        AnalysisError: (a ValueError) the metric is none of `metrics`; or as `correlations`.
    """
    by, metrics = _checked("leads", frame, by, metrics, resamples, seed)
    check_choice("leads: metric", metric, metrics, AnalysisError)
    rows = []
    for key, group in _groups(frame, by):
        found = {(name, statistic): each for name, statistic, each in _estimates(group, metrics, resamples, seed)}
        for statistic in STATISTICS:
            for other in metrics:
                if other != metric:
                    lead = found[metric, statistic].less(found[other, statistic])
                    rows.append((*key, statistic, metric, other, *lead.interval, lead.verdict))
    return pd.DataFrame(rows, columns=[*by, "statistic", "metric", "other", "lead", "low", "high", "verdict"])


def _checked(
    asked_by: str, frame: pd.DataFrame, by: Sequence[str], metrics: Sequence[str], resamples: int, seed: int
) -> tuple[list[str], list[str]]:
    """The columns of groups and metrics; the rest is refused where it is wrong."""
    by = check_columns(f"{asked_by}: by", by, AnalysisError)
    metrics = check_columns(f"{asked_by}: metrics", metrics, AnalysisError)
    check_frame(f"{asked_by}: frame", frame, AnalysisError, [*by, "family"], ["ms_per_image", *metrics])
    check_whole(f"{asked_by}: resamples", resamples, AnalysisError, most=_MOST_RESAMPLES)
    check_whole(f"{asked_by}: seed", seed, AnalysisError, least=0)
    return by, metrics


def complete(frame: pd.DataFrame, metrics: Sequence[str] = METRICS) -> pd.DataFrame:
    """ms_per_image and the metrics that the frame has at all, as floats, of the rows that have all of them.

    A count of 0 has been rounded away, and is missing. Rows that are launch_bound, where the frame says so, are left
    out: their time is that of the host.
    """
    if "launch_bound" in frame:
        frame = frame[~frame["launch_bound"].fillna(False).astype(bool)]
    numbers = frame[["ms_per_image", *metrics]].astype("Float64").astype("float64")
    numbers = numbers.where(numbers > 0)
    given = [name for name in metrics if numbers[name].notna().any()]
    return numbers[["ms_per_image", *given]].dropna()


class _Samples(NamedTuple):
    """How often each row counts in each sample, how probable that is, and whether they are all or were drawn."""

    weights: np.ndarray
    odds: np.ndarray
    drawn: bool


class _Estimate(NamedTuple):
    """A statistic, and what it is on each sample."""

    value: float
    values: np.ndarray
    samples: _Samples
    rows: int
    families: int

    @property
    def interval(self) -> tuple[float, float, float]:
        """The value and its 95 % interval."""
        return self.value, *self._ends(_TAIL)

    @property
    def verdict(self) -> str:
        """Which side of 0 the interval lies on, whatever samples had been drawn."""
        error = math.sqrt(_TAIL * (1 - _TAIL) / len(self.values)) if self.samples.drawn else 0.0
        low, high = self._ends(_TAIL - _STANDARD_ERRORS * error)
        if np.isnan(self.value):
            return "not tested"
        return "ahead" if low > 0 else "behind" if high < 0 else "undecided"

    def _ends(self, tail: float) -> tuple[float, float]:
        """The values with so much of the probability of all samples beyond them on either side."""
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

    def less(self, other: _Estimate) -> _Estimate:
        """The difference, sample by sample; what two equal statistics differ by in their last digits is 0."""
        value, values = self.value - other.value, np.round(self.values - other.values, 12)
        return self._replace(value=value, values=values)


def _groups(frame: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    return iter(frame.groupby(list(by), sort=False, dropna=False))


def _estimates(
    group: pd.DataFrame, metrics: Sequence[str], resamples: int, seed: int
) -> Iterator[tuple[str, str, _Estimate]]:
    """Every statistic of every metric, all on the same rows and the same drawn families."""
    group = group.reset_index(drop=True)
    numbers = complete(group, metrics)
    codes, families = pd.factorize(group.loc[numbers.index, "family"], use_na_sentinel=False)
    samples = _samples(codes, len(families), resamples, seed)
    weights = np.concatenate([np.ones((1, len(codes))), samples.weights])  # first the rows as they are
    time = numbers["ms_per_image"].to_numpy()
    for metric in metrics:
        x = numbers.get(metric, numbers["ms_per_image"]).to_numpy()
        rows = len(x) if metric in numbers else 0
        enough = rows >= _FEWEST_ROWS and min(np.ptp(x), np.ptp(time)) > 0
        for statistic in STATISTICS:
            value, *found = _statistic(statistic, x, time, weights) if enough else np.full(len(weights), np.nan)
            yield metric, statistic, _Estimate(float(value), np.array(found), samples, rows, len(families))


def _samples(codes: np.ndarray, families: int, resamples: int, seed: int) -> _Samples:
    """Samples of as many families as there are, with replacement: all different ones, or as many as asked for.

    Of k families there are (2k − 1)! / (k! (k − 1)!) different ones; one that holds family i n_i times has the
    multinomial probability k! / (n_1! … n_k!) / k^k.
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
    """The rank of each value in each weighted sample; equal values share the mean of theirs."""
    order = np.argsort(values, kind="stable")
    ties = np.unique(values[order], return_inverse=True)[1].reshape(-1)
    last = np.searchsorted(ties, np.arange(ties[-1] + 1), side="right") - 1
    upto = np.cumsum(weights[:, order], axis=1)[:, last]
    below = np.concatenate([np.zeros((len(weights), 1)), upto[:, :-1]], axis=1)
    ranks = np.empty_like(weights)
    ranks[:, order] = ((below + upto + 1) / 2)[:, ties]
    return ranks
