"""Correlate runtime with flops, params and activations, and tell which is ahead."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._common.checks import AnalysisError, check_choice, check_columns, check_frame, check_whole
from .._common.statistics import holm_levels, pearson
from ..architectures.counting import METRICS
from ..records.conditions import Conditions, with_cuda_graphs

STATISTICS = ("Pearson", "Pearson of logs", "Spearman")
_FEWEST_ROWS = 3  # through two points there is always a line
_FEWEST_FAMILIES = 5  # fewer, drawn with replacement, are too often all the same
_MOST_SAMPLES = 25_000  # up to which all samples are enumerated instead of drawn: those of 9 families
_MOST_RESAMPLES = 1_000_000  # more would fill the memory
_CONSTANT = 1e-12  # of the variance; less is rounding, so a sample is constant
_TAIL = 0.025  # beyond each end of an interval
_STANDARD_ERRORS = 4  # by which other draws may move a probability


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
        by: columns that define the groups; a missing value is a value of its own, but of cuda_graph it is False, and a
            frame may lack channels_last and compile; default: `Conditions.CORRELATE`.
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
    frame, by, metrics = _checked("correlations", frame, by, metrics, resamples, seed)
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
    resamples: int = 5000,
    seed: int = 0,
    statistics: Sequence[str] = STATISTICS,
) -> pd.DataFrame:
    """Compare one metric's correlation with time to those of the others, in each group.

    The lead is the difference of two r. Its 95 % interval is that of `correlations`, with both metrics on the same
    samples, of each comparison by itself. The chance is twice the share of samples on the other side of 0. Where
    samples are drawn, that share is taken as the upper end of Wilson's interval of four standard errors (Probable
    inference, 1927), so that other draws would not decide otherwise. The verdicts of a group are corrected for their
    number by `holm_verdicts`.

    Arguments:
        frame: timings, as for `correlations`.
        metric: the one that is compared with the others; default: activations.
        by: columns that define the groups; default: `Conditions.CORRELATE`.
        metrics: columns of counts; default: flops, params, activations.
        resamples: number of bootstrap samples, for more than 9 families; default: 5000, which settles up to 7
            comparisons.
        seed: of the bootstrap, for more than 9 families; default: 0.
        statistics: some of "Pearson", "Pearson of logs", "Spearman"; default: all.

    Returns:
        One row per group, statistic and other metric. Columns: those of `by`; statistic; metric; other; lead; low and
        high; chance; verdict ("ahead" or "behind"; "undecided" if the chance is larger than Holm's level or missing;
        "not tested" if a correlation is missing).

    Raises:
        AnalysisError: (a ValueError) metric is not one of `metrics`; or as for `correlations`.
    """
    frame, by, metrics = _checked("leads", frame, by, metrics, resamples, seed)
    check_choice("leads: metric", metric, metrics, AnalysisError)
    rows = []
    for key, group in _groups(frame, by):
        estimates = _estimates(group, metrics, resamples, seed, statistics)
        found = {(name, statistic): each for name, statistic, each in estimates}
        for statistic in statistics:
            for other in metrics:
                if other != metric:
                    lead = found[metric, statistic].minus(found[other, statistic])
                    rows.append((*key, statistic, metric, other, *lead.interval, lead.chance))
    frame = pd.DataFrame(rows, columns=[*by, "statistic", "metric", "other", "lead", "low", "high", "chance"])
    return holm_verdicts(frame, by)


def holm_verdicts(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Decide the leads of each group, which all together err in at most 5 % of cases.

    Several comparisons are corrected by Holm's method (A simple sequentially rejective multiple test procedure, 1979).

    Arguments:
        frame: of `leads`: columns lead and chance.
        by: columns that define the groups of comparisons that are judged together.

    Returns:
        The rows in their order, with the column verdict.
    """
    parts = [part.assign(verdict=_verdicts(part)) for _, part in frame.groupby(list(by), sort=False, dropna=False)]
    return pd.concat(parts).loc[frame.index] if parts else frame.assign(verdict=pd.Series(dtype=object))


def _verdicts(part: pd.DataFrame) -> list[str]:
    chances = [1.0 if np.isnan(each) else float(each) for each in part["chance"]]
    levels = holm_levels(chances)
    return [
        "not tested" if np.isnan(lead) else "undecided" if chance > level else "ahead" if lead > 0 else "behind"
        for lead, chance, level in zip(part["lead"], chances, levels, strict=True)
    ]


def _checked(
    caller: str, frame: pd.DataFrame, by: Sequence[str], metrics: Sequence[str], resamples: int, seed: int
) -> tuple[pd.DataFrame, list[str], list[str]]:
    by = check_columns(f"{caller}: by", by, AnalysisError)
    metrics = check_columns(f"{caller}: metrics", metrics, AnalysisError)
    if isinstance(frame, pd.DataFrame):
        unsaid = [name for name in ("channels_last", "compile") if name in by and name not in frame]
        frame = frame.assign(**dict.fromkeys(unsaid))
        frame = with_cuda_graphs(frame) if "cuda_graph" in by else frame
    check_frame(f"{caller}: frame", frame, AnalysisError, [*by, "family"], ["ms_per_image", *metrics])
    check_whole(f"{caller}: resamples", resamples, AnalysisError, most=_MOST_RESAMPLES)
    check_whole(f"{caller}: seed", seed, AnalysisError, least=0)
    return frame, by, metrics


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
    """Bootstrap samples: counts of families, (samples, families), and probabilities."""

    counts: np.ndarray
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
    def chance(self) -> float:
        """Twice the probability of samples on the other side of 0; NaN for few families."""
        known = ~np.isnan(self.values)
        if self.families < _FEWEST_FAMILIES or not known.any() or np.isnan(self.value):
            return np.nan
        beyond = self.values[known] <= 0 if self.value > 0 else self.values[known] >= 0
        share = float(self.samples.odds[known][beyond].sum() / self.samples.odds[known].sum())
        return min(1.0, 2 * (_at_most(share, int(known.sum())) if self.samples.drawn else share))

    def _ends(self, tail: float) -> tuple[float, float]:
        """Return the values with this much probability below the first and above the second."""
        known = ~np.isnan(self.values)
        if self.families < _FEWEST_FAMILIES or not known.any():
            return np.nan, np.nan
        order = np.argsort(self.values[known])
        values, odds = self.values[known][order], self.samples.odds[known][order]
        upto = np.cumsum(odds) / odds.sum()
        low, high = np.searchsorted(upto, [tail, 1 - tail])
        return float(values[low]), float(values[min(high, len(values) - 1)])

    def minus(self, other: _Estimate) -> _Estimate:
        """Subtract sample by sample; differences in the last digits of equal statistics become 0."""
        value, values = self.value - other.value, np.round(self.values - other.values, 12)
        return self._replace(value=value, values=values)


def _at_most(share: float, samples: int) -> float:
    """Return the upper end of Wilson's interval of a share that was drawn."""
    z = _STANDARD_ERRORS
    spread = z * math.sqrt(share * (1 - share) / samples + z**2 / (4 * samples**2))
    return (share + z**2 / (2 * samples) + spread) / (1 + z**2 / samples)


def _groups(frame: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    return iter(frame.groupby(list(by), sort=False, dropna=False))


def _estimates(
    group: pd.DataFrame, metrics: Sequence[str], resamples: int, seed: int, statistics: Sequence[str] = STATISTICS
) -> Iterator[tuple[str, str, _Estimate]]:
    """Compute all statistics of all metrics, on the same rows and the same samples."""
    group = group.reset_index(drop=True)
    numbers = complete(group, metrics)
    codes, families = pd.factorize(group.loc[numbers.index, "family"], use_na_sentinel=False)
    samples = _samples(len(families), resamples, seed)
    counts = np.concatenate([np.ones((1, len(families))), samples.counts])  # the rows as they are first
    time = numbers["ms_per_image"].to_numpy()
    for metric in metrics:
        x = numbers.get(metric, numbers["ms_per_image"]).to_numpy()
        rows = len(x) if metric in numbers else 0
        enough = rows >= _FEWEST_ROWS and min(np.ptp(x), np.ptp(time)) > 0
        for statistic in statistics:
            value, *found = _statistic(statistic, x, time, codes, counts) if enough else np.full(len(counts), np.nan)
            yield metric, statistic, _Estimate(float(value), np.array(found), samples, rows, len(families))


def _samples(families: int, resamples: int, seed: int) -> _Samples:
    """Enumerate all bootstrap samples of few families, or draw some of them.

    Of k families there are (2k − 1)! / (k! (k − 1)!) samples. One with family i n_i times has the multinomial
    probability k! / (n_1! … n_k!) / k^k.
    """
    if families and math.comb(2 * families - 1, families) <= _MOST_SAMPLES:
        chosen = np.array(list(combinations_with_replacement(range(families), families)))
        counts = (chosen[:, :, None] == np.arange(families)).sum(1)
        ways = np.array([math.factorial(n) for n in range(families + 1)], dtype=float)
        odds = ways[-1] / ways[counts].prod(1) / float(families) ** families
        return _Samples(counts.astype(float), odds, drawn=False)
    odds = np.full(resamples, 1 / resamples)
    if not families:
        return _Samples(np.ones((resamples, 0)), odds, drawn=True)
    counts = np.random.default_rng(seed).multinomial(families, np.full(families, 1 / families), resamples)
    return _Samples(counts.astype(float), odds, drawn=True)


def _statistic(name: str, x: np.ndarray, y: np.ndarray, codes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Compute a statistic of x and y, shape (rows,), on each sample of their families."""
    if name == "Spearman":
        weights = counts[:, codes]
        return pearson(_ranks(x, weights), _ranks(y, weights), weights)
    x, y = (np.log(x), np.log(y)) if name == "Pearson of logs" else (x, y)
    return _pearson_of_families(x - x.mean(), y - y.mean(), codes, counts)


def _pearson_of_families(x: np.ndarray, y: np.ndarray, codes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Compute Pearson's r on each sample from the families' sums, not row by row."""
    columns = (np.ones_like(x), x, y, x * x, y * y, x * y)
    sums = np.stack([np.bincount(codes, each, counts.shape[1]) for each in columns], axis=1)
    n, sum_x, sum_y, squares_x, squares_y, products = (counts @ sums).T
    spread_x, spread_y = n * squares_x - sum_x**2, n * squares_y - sum_y**2
    for spread, values in ((spread_x, x), (spread_y, y)):
        spread[spread <= _CONSTANT * n**2 * values.var()] = np.nan
    return np.clip((n * products - sum_x * sum_y) / np.sqrt(spread_x * spread_y), -1, 1)


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
