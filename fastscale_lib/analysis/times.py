"""Compare strategies at equal flops: measured times, predicted times, and the knee over α."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .._common.checks import AnalysisError, check_column, check_columns, check_frame, check_real, several
from .._common.frames import dicts
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..prediction.forms import PredictionError
from ..prediction.model import RuntimeModel
from ..records.conditions import LARGEST, Conditions, kind_names, with_cuda_graphs
from ..records.measurement import joined_doubts, ratio_ends, time_doubt, without_range
from ..records.rows_that_judge import judging, undisturbed
from ..scaling.strategies import Strategy, StrategyLike, alpha_of, scale_factor
from ..scaling.strategies import strategy as named_strategy

_TIMES = ("strategy", "alpha", "scale", "ms_per_image", "low_ms", "high_ms")
_PREDICTED = {"ms_per_image": "predicted_ms"} | {
    name: name for name in ("low_ms", "high_ms", "low_90_ms", "high_90_ms")
}  # columns per image, and those of `RuntimeModel.predict` per run
_EXACT = 1e-9  # share of the way between two measured networks up to which only the nearer one's time is used


def knee(alphas: ArrayLike, values: ArrayLike, nearly: float) -> float:
    """Find the smallest α from which on all values are nearly as low as with width scaling.

    That is the smallest α with value(α') ≤ (1 + nearly) · value(1) for all α' ≥ α.

    Arguments:
        alphas: in any order, 1 among them.
        values: counts or times at equal flops, one per α.
        nearly: allowed excess over width scaling (α = 1), as a fraction.

    Raises:
        AnalysisError: (a ValueError) α = 1 is not among the alphas, a value is missing, or nearly is not a number.
    """
    nearly = check_real("knee: nearly", nearly, AnalysisError, 0)
    given, unsorted = np.asarray(alphas, dtype=float), np.asarray(values, dtype=float)
    order = np.argsort(given, kind="stable")
    x, y = given[order], unsorted[order]
    if not (len(x) and x[-1] == 1 and np.isfinite(y).all()):
        raise AnalysisError("knee: values are compared with that of α = 1; give a value for each α, and 1 among them")
    far = np.flatnonzero(y > (1 + nearly) * y[-1])
    return float(x[far[-1] + 1] if len(far) else x[0])


def knees(frame: pd.DataFrame, by: Sequence[str], value: str, nearly: float) -> pd.DataFrame:
    """Find the `knee` of each group of rows.

    Arguments:
        frame: rows with the columns alpha, `value` and those of `by`; rows without an alpha are ignored.
        by: columns that define the groups.
        value: column of the values, as "activations".
        nearly: allowed excess over width scaling (α = 1), as a fraction.

    Returns:
        One row per group. Columns: those of `by`; knee.

    Raises:
        AnalysisError: (a ValueError) the frame lacks a column; or as for `knee`.
    """
    by, value = check_columns("knees: by", by, AnalysisError), check_column("knees: value", value, AnalysisError)
    check_frame("knees: frame", frame, AnalysisError, by, ["alpha", value])
    family = frame[frame["alpha"].notna()]
    groups = family.groupby(list(by), sort=False, dropna=False)
    rows = [(*key, knee(_floats(each["alpha"]), _floats(each[value]), nearly)) for key, each in groups]
    return pd.DataFrame(rows, columns=[*by, "knee"])


def _floats(column: pd.Series) -> np.ndarray:
    return column.astype("Float64").to_numpy(float, na_value=np.nan)


def measured_bases(rows: pd.DataFrame) -> list[Network]:
    """List the base networks of measured rows as their rows describe them, in that order."""
    if not {"base", "strategy", "description"} <= set(rows):
        return []
    own = rows[rows["strategy"].isna()].drop_duplicates("base")
    return [Network.from_dict(each) for each in own["description"]]


def measured_times(
    rows: pd.DataFrame,
    network: Network | str,
    strategies: Sequence[StrategyLike] | None = None,
    scales: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Interpolate the measured times of a network's strategies to equal flops.

    Networks scaled by one factor differ in flops, because sizes are rounded. The logarithm of time, and of the ends of
    its interval, is therefore interpolated linearly in the logarithm of flops, between a strategy's two nearest
    networks; the base network belongs to every strategy. Nothing is extrapolated: a target outside the range of a
    strategy has no row. Rows that judge nothing (`measurement.judges_nothing`) are left out.

    Arguments:
        rows: of `read_rows`, or of one store.
        network: the base network, or its name.
        strategies: default: all that were measured.
        scales: target flops relative to the base network; default: the largest that all strategies of a case reach.

    Returns:
        One row per case, scale and strategy. Columns: those of `Conditions.CASE` (batch is "largest" for rows that fill
        the device); strategy; alpha; scale; ms_per_image; low_ms and high_ms (the 95 % interval, ms/image; NaN where a
        row has none); doubt (why the time cannot decide, as `measurement.time_doubt`; None: it can).

    Raises:
        NetworkError: there is no such network.
        StrategyError: there is no such strategy, or a scale is not a number above 0.
        AnalysisError: (a ValueError) rows is not a frame.
        PredictionError: the rows lack columns that a plan's store has.
    """
    base = named_network(network)
    wanted = None if strategies is None else {named_strategy(each).exponents for each in several(strategies, Strategy)}
    scales = None if scales is None else [scale_factor(s) for s in several(scales)]
    check_frame("measured_times: rows", rows, AnalysisError)
    found = []
    for case, timed in Conditions.groups(judging(_labelled(rows)), Conditions.CASE):
        timed = _of_base(timed, base)
        curves = {way: curve for way, curve in _curves(timed, base) if wanted is None or way.exponents in wanted}
        if not curves:
            continue
        reached = min(curve["flops"].max() for curve in curves.values()) / complexity(base).flops
        for s in [reached] if scales is None else scales:
            for way, curve in curves.items():
                times = _interpolated(curve, s * complexity(base).flops)
                found += [(*case.row(Conditions.CASE).values(), way.name, alpha_of(way), s, *times)] if times else []
    return pd.DataFrame(found, columns=[*Conditions.CASE, *_TIMES, "doubt"])


def times_ratio(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Compute the ratio of two rows of `measured_times`, as arguments of a `Claim`.

    Its ends are what it can be if both times are within their 95 % intervals; NaN if one has none.
    """
    low, high = ratio_ends(*((row["low_ms"], row["high_ms"]) for row in (one, other)))
    doubt = joined_doubts({row["strategy"]: row["doubt"] for row in (one, other)})
    return {"found": one["ms_per_image"] / other["ms_per_image"], "low": low, "high": high, "doubt": doubt}


def predicted_times(rows: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Predict the times of networks of equal flops, for each case from its own measured rows.

    Arguments:
        rows: as for `measured_times`, of all base networks: the model is fitted to them.
        frame: rows of `equal_flops`.

    Returns:
        One row per case and network. Columns: those of `Conditions.CASE`; network; strategy; alpha; scale;
        ms_per_image, low_ms and high_ms, low_90_ms and high_90_ms (as of `RuntimeModel.predict`); error (the model's
        median error on unseen families, as a fraction); reason (why there is no prediction; None: there is one); note
        (why the interval is wider than error; None: it is not).

    Raises:
        AnalysisError: (a ValueError) rows or frame is not a frame, or the latter lacks a column.
    """
    check_frame("predicted_times: rows", rows, AnalysisError)
    check_frame("predicted_times: frame", frame, AnalysisError, ["network", "strategy", "alpha", "scale", "scaled"])
    found, timed = [], _labelled(rows)
    for case, _ in Conditions.groups(timed, Conditions.CASE):
        shown = frame[["network", "strategy", "alpha", "scale"]].assign(**case.row(Conditions.CASE))
        try:
            times = _predict(case, timed, list(frame["scaled"]))
        except PredictionError as error:
            times = dict.fromkeys((*_PREDICTED, "error"), np.nan) | {
                "reason": str(error),
                "note": None,
            }
        found.append(shown.assign(**times))
    names = [*Conditions.CASE, "network", *_TIMES, "low_90_ms", "high_90_ms", "error", "reason", "note"]
    return pd.concat(found, ignore_index=True)[names] if found else pd.DataFrame(columns=names)


def _predict(case: Conditions, timed: pd.DataFrame, networks: list[Network]) -> dict[str, Any]:
    """Predict with a model that is fitted to the rows of the case's setting, of any batch."""
    if case.batch is None or isinstance(case.batch, str):
        raise PredictionError("predict: the largest batch of a network is not known beforehand; give one batch for all")
    alike = timed
    for name, value in case.row(("source", *Conditions.FIT)).items():
        alike = alike[alike[name].isna() if value is None else alike[name] == value]
    model = RuntimeModel.fit(alike)
    [fitted] = model.fitted.values()
    times = model.predict(networks, case.batch, strict=False)
    columns: dict[str, Any] = {name: times[column].to_numpy() / case.batch for name, column in _PREDICTED.items()}
    known = times["predicted_ms"].notna()
    notes = {"reason": times["note"].mask(known, None), "note": times["note"].where(known, None)}
    return columns | {"error": fitted.error} | {name: found.to_numpy() for name, found in notes.items()}


def _labelled(rows: pd.DataFrame) -> pd.DataFrame:
    """Select the undisturbed rows with a time, and add source, kind of device, requested batch."""
    rows = undisturbed(rows[rows["median_ms"].notna()]) if "median_ms" in rows else rows.iloc[:0]
    rows = with_cuda_graphs(rows)
    if missing := sorted({"base", "strategy", "flops", "device", *Conditions.FIT, "batch"} - set(rows)):
        if len(rows):
            raise PredictionError(
                f"times: the rows lack {', '.join(missing)}; give the rows of a store that a plan made"
            )
        return pd.DataFrame(columns=["base", "strategy", "flops", "median_ms", "images", *Conditions.CASE])
    rows = rows.assign(images=rows["batch"], device=kind_names(rows["device"]))
    rows["source"] = rows.get("source", "rows")
    if "fills_device" in rows:
        rows["batch"] = rows["batch"].astype(object).where(rows["fills_device"].ne(True), LARGEST)
    return rows


def _of_base(timed: pd.DataFrame, base: Network) -> pd.DataFrame:
    """Select the rows of a base network and those scaled from it, and of no namesake."""
    timed = timed[timed["base"] == base.name]
    if "description" not in timed:
        return timed
    own = [base.may_become(Network.from_dict(each)) for each in timed["description"]]
    return timed[np.array(own, dtype=bool)]


def _curves(timed: pd.DataFrame, base: Network) -> Iterator[tuple[Strategy, pd.DataFrame]]:
    """Yield each strategy's rows with those of the base, by flops; of equal networks the last."""
    shared = timed[timed["flops"] == complexity(base).flops]
    for name, own in timed[timed["strategy"].notna()].groupby("strategy", sort=False):
        curve = pd.concat([shared, own]).drop_duplicates("flops", keep="last")
        yield named_strategy(str(name)), curve.sort_values("flops")


def _interpolated(curve: pd.DataFrame, flops: float) -> tuple[Any, ...] | None:
    """Interpolate time, low and high (ms/image), and join the doubts; None out of range."""
    at = np.log(curve["flops"].to_numpy(dtype=float))
    target = np.log(flops)
    if not (at[0] <= target <= at[-1]):
        return None
    place = np.interp(target, at, np.arange(len(at)))
    if abs(place - round(place)) < _EXACT:
        place = round(place)
    near = curve.iloc[[int(np.floor(place)), int(np.ceil(place))]]
    rows = [without_range(row) for row in dicts(near)]
    share = place - np.floor(place)
    times = []
    for name in ("median_ms", "low_ms", "high_ms"):
        first, second = (np.log(np.array(row[name], dtype=float) / row["images"]) for row in rows)
        times.append(float(np.exp(first + share * (second - first))))
    doubts = dict.fromkeys(doubt for row in rows if (doubt := time_doubt(row)))
    return *times, "; ".join(doubts) or None
