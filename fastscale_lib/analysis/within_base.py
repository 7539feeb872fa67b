"""The paper's section 4: times of one base network's strategies at equal flops."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from .._common.checks import AnalysisError, check_frame
from .._common.device_kinds import CUDA
from .._common.frames import dicts
from .._common.statistics import pearson
from .._common.wording import counted
from ..architectures.counting import complexity
from ..records.conditions import Conditions, distinct_labels, short_titles
from ..records.rows_that_judge import judging
from .claims import Claim, place
from .times import measured_bases, measured_times

_FEWEST = 3  # strategies: two have an order by chance
_GROWN = 1.5  # times the flops of the base, below which rounding leaves strategies alike
_COMPARED = ("params", "activations")  # flops are equal
_TIMES = ("base", "scale", "strategy", "ms_per_image", "low_ms", "high_ms", "doubt")


def times_within_bases(rows: pd.DataFrame) -> pd.DataFrame:
    """Compute the times of each base network's strategies at equal flops, beside their counts.

    Arguments:
        rows: of `read_rows`, or of one store. Those that judge nothing (`fs.records.judging`) are left out.

    Returns:
        One row per case, base network and strategy, at the largest flops that all its strategies reach, for three
        strategies or more that reach 1.5 times the base's flops. Columns: those of `Conditions.CASE`; base; scale;
        strategy; ms_per_image, low_ms, high_ms, doubt (as of `measured_times`); params and activations, interpolated
        as times are.

    Raises:
        AnalysisError: (a ValueError) rows is not a frame.
    """
    check_frame("times_within_bases: rows", rows, AnalysisError)
    rows = judging(rows)
    found = []
    for base in measured_bases(rows):
        for _, timed in Conditions.groups(measured_times(rows, base), Conditions.CASE):
            scale = float(timed["scale"].iloc[0])
            if len(timed) < _FEWEST or scale < _GROWN:
                continue
            flops = scale * complexity(base).flops
            counts = [_counts(rows[rows["base"] == base.name], way, flops) for way in timed["strategy"]]
            found.append(timed.assign(base=base.name, **{name: [each[name] for each in counts] for name in _COMPARED}))
    columns = [*Conditions.CASE, *_TIMES, *_COMPARED]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def within_base_table(timed: pd.DataFrame) -> pd.DataFrame:
    """Correlate time with params and with activations, within each base network.

    Arguments:
        timed: of `times_within_bases`.

    Returns:
        Index: case (device, mode and precision, or all settings where that is not enough), base. Columns: strategies
        (how many), flops (relative to the base), fastest to slowest; Spearman and Pearson of logs, each of params and
        of activations.
    """
    rows, parts = [], list(_parts(timed))
    short = [short_titles(part)[0] for _, _, part in parts]
    brief = len(set(zip(short, (base for _, base, _ in parts), strict=True))) == len(parts)
    for (case, base, part), title in zip(parts, short, strict=True):
        ordered = part.sort_values("ms_per_image")
        row = {"case": title if brief else case, "base": base, "strategies": len(part), "flops": part["scale"].iloc[0]}
        row["fastest to slowest"] = " ".join(ordered["strategy"])
        for metric in _COMPARED:
            row[f"Spearman, {metric}"] = _ranked(part, metric)
            row[f"Pearson of logs, {metric}"] = _of_logs(part, metric)
        rows.append(row)
    return pd.DataFrame(rows).set_index(["case", "base"]) if rows else pd.DataFrame()


def within_base_claims(timed: pd.DataFrame) -> list[Claim]:
    """Claim that within a base network times at equal flops are in the order of activations.

    The number found is how many pairs of strategies are in the other order. The lower end of its interval counts those
    whose 95 % intervals of time do not overlap, the upper end all but those that are surely in order. The paper claims
    it of GPUs; of other devices `within_base_table` shows it, and nothing is judged.

    Arguments:
        timed: of `times_within_bases`.

    Returns:
        One claim per case of a GPU and base; without any one that is not tested.
    """
    text = "number of pairs of strategies with times in another order than their activations"
    claims = []
    for case, base, part in _parts(timed[timed["device"] == CUDA.name]):
        scale = part["scale"].iloc[0]
        pairs = [pair for pair in combinations(dicts(part), 2) if pair[0]["activations"] != pair[1]["activations"]]
        said = ", ".join(f"{_ranked(part, metric):.2f} with {metric}" for metric in _COMPARED)
        compared = f"{counted(len(pairs), 'pair')} of {' '.join(part['strategy'])}"
        claims.append(
            Claim(
                f"{text}, on {place(CUDA.name)}: {base} at {scale:.3g}× flops, {case}",
                0,
                sum(_order(*pair, sure=False) < 0 for pair in pairs),
                evidence="measured",
                details=f"{case.split(', ')[0]}; {compared}; Spearman's r {said}",
                low=sum(_order(*pair, sure=True) < 0 for pair in pairs),
                high=sum(_order(*pair, sure=True) <= 0 for pair in pairs),
                headline="one base",
            )
        )
    missing = f"no base network measured on a GPU under {_FEWEST} strategies at equal flops"
    untested = Claim(f"{text}, on a GPU", 0, None, evidence="measured", details=missing, headline="one base")
    return claims or [untested]


def _parts(timed: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield the case in words, the base and the rows of each."""
    named = timed.assign(case=distinct_labels(timed, briefly=True)) if len(timed) else timed.assign(case=[])
    for (case, base), part in named.groupby(["case", "base"], sort=False):
        yield str(case), str(base), part


def _order(one: dict[str, Any], other: dict[str, Any], sure: bool) -> int:
    """Return 1 where times are in the order of activations, -1 in the other, 0 for unsure."""
    few, many = sorted((one, other), key=lambda row: row["activations"])
    if not sure:
        return int(np.sign(many["ms_per_image"] - few["ms_per_image"]))
    return int(few["high_ms"] < many["low_ms"]) - int(many["high_ms"] < few["low_ms"])


def _counts(own: pd.DataFrame, way: str, flops: float) -> dict[str, float]:
    """Interpolate the counts of a base network's strategy, on logarithmic axes."""
    curve = own[own["strategy"].isna() | (own["strategy"] == way)].drop_duplicates("flops").sort_values("flops")
    at = np.log(curve["flops"].to_numpy(float))
    found = {name: np.interp(np.log(flops), at, np.log(curve[name].to_numpy(float))) for name in _COMPARED}
    return {name: float(np.exp(value)) for name, value in found.items()}


def _ranked(part: pd.DataFrame, metric: str) -> float:
    x, y = (part[name].rank().to_numpy(float) for name in (metric, "ms_per_image"))
    return float(pearson(x, y))


def _of_logs(part: pd.DataFrame, metric: str) -> float:
    x, y = (np.log(part[name].to_numpy(float)) for name in (metric, "ms_per_image"))
    return float(pearson(x, y))
