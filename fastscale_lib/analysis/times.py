"""Strategies compared at the same flops: the networks, their measured and predicted times, and what is near width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .._common.checks import AnalysisError, check_column, check_columns, check_frame, check_real, several
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..prediction.forms import PredictionError
from ..prediction.model import RuntimeModel
from ..records.conditions import LARGEST, Conditions, kind_names
from ..records.measurement import joined_doubts, ratio_ends, time_doubt, without_range
from ..scaling.strategies import Strategy, StrategyLike, alpha_of, scale_factor
from ..scaling.strategies import strategy as named_strategy

_TIMES = ("strategy", "alpha", "scale", "ms_per_image", "low_ms", "high_ms")
_EXACT = 1e-9  # of the way between two measured networks: nearer to one of them, its time is taken alone


def knee(alphas: Sequence[float], values: Sequence[float], nearly: float) -> float:
    """The α from which on every value is nearly that of width scaling: at most 1 + nearly times the one of α = 1.

    Arguments:
        alphas: of the values, in any order; 1 is among them.
        values: counts or times at the same flops, of which less is better.

    Returns:
        The smallest such α; 1 where no other is near.

    Raises:
        AnalysisError: (a ValueError) α = 1 is not among the alphas, a value is missing, or nearly is no number.
    """
    nearly = check_real("knee: nearly", nearly, AnalysisError, 0)
    order = np.argsort(np.asarray(alphas, dtype=float), kind="stable")
    alphas, values = np.asarray(alphas, dtype=float)[order], np.asarray(values, dtype=float)[order]
    if not (len(alphas) and alphas[-1] == 1 and np.isfinite(values).all()):
        raise AnalysisError("knee: a value is held to that of α = 1; give a value for each α, and 1 among them")
    far = np.flatnonzero(values > (1 + nearly) * values[-1])
    return float(alphas[far[-1] + 1] if len(far) else alphas[0])


def knees(frame: pd.DataFrame, by: Sequence[str], value: str, nearly: float) -> pd.DataFrame:
    """The knee of each group of rows: columns those of `by`, and knee; rows outside the α family are passed over.

    Raises:
        AnalysisError: (a ValueError) the frame lacks a column, or as `knee`.
    """
    by, value = check_columns("knees: by", by, AnalysisError), check_column("knees: value", value, AnalysisError)
    check_frame("knees: frame", frame, AnalysisError, by, ["alpha", value])
    family = frame[frame["alpha"].notna()]
    groups = family.groupby(list(by), sort=False, dropna=False)
    rows = [(*key, knee(*_floats(rows, "alpha", value), nearly)) for key, rows in groups]
    return pd.DataFrame(rows, columns=[*by, "knee"])


def _floats(rows: pd.DataFrame, *columns: str) -> Iterator[np.ndarray]:
    """Columns of numbers as floats; what is missing is NaN, whichever kind of missing it is."""
    return (rows[name].astype("Float64").to_numpy(float, na_value=np.nan) for name in columns)


def measured_bases(rows: pd.DataFrame) -> list[Network]:
    """The base networks among measured rows, each as its own row describes it, in the order of the rows.

    Rows of a network that is a base network no more, or never was, are thus taken for what they are.
    """
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
    """Measured times of a network's scaled networks, brought to the same flops.

    Two strategies measured at one scale factor have not the same flops, since rounding gives more or less. So the
    logarithm of a strategy's time is interpolated in the logarithm of its counted flops, between its two measured
    networks next to the target; so are the ends of their intervals. The base network is one of every strategy's.
    Nothing is extrapolated: a target that a strategy's networks do not enclose has no row.

    Arguments:
        rows: of `read_rows`, or of one store.
        strategies: left out: all that were measured.
        scales: targets, as times the flops (multiply-adds) of the base network; left out: the largest that all of a
            case's strategies reach.

    Returns:
        One row a case, scale and strategy. Columns those of `Conditions.CASE` (batch is "largest" where the rows were
        to fill the device), strategy, alpha, scale, ms_per_image, low_ms, high_ms (the 95 % interval, of an image; NaN
        where a row that it comes from has none), doubt (why the time decides nothing, as `measurement.time_doubt` says
        it of the rows that it comes from; None where it can).

    Raises:
        NetworkError, StrategyError: naming the value and the rule.
        AnalysisError: (a ValueError) rows are no frame.
    """
    base = named_network(network)
    wanted = None if strategies is None else {named_strategy(each).exponents for each in several(strategies, Strategy)}
    scales = None if scales is None else [scale_factor(s) for s in several(scales)]
    check_frame("measured_times: rows", rows, AnalysisError)
    found = []
    for case, timed in Conditions.groups(_labelled(rows), Conditions.CASE):
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
    """One measured time as times another: found, low, high and doubt, as a `Claim` takes them.

    Arguments:
        one, other: rows of `measured_times`.

    Returns:
        low and high are the ends of the ratio that the two 95 % intervals allow; NaN where one has none.
    """
    low, high = ratio_ends(*((row["low_ms"], row["high_ms"]) for row in (one, other)))
    doubt = joined_doubts({row["strategy"]: row["doubt"] for row in (one, other)})
    return {"found": one["ms_per_image"] / other["ms_per_image"], "low": low, "high": high, "doubt": doubt}


def predicted_times(rows: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """The time of each network of `equal_flops`, predicted for every case from that case's measured rows.

    Arguments:
        rows: as for `measured_times`; of all base networks, since the model is fitted to them.
        frame: rows of `equal_flops`.

    Returns:
        One row a case and network: the columns of `Conditions.CASE`, network, strategy, alpha, scale, ms_per_image,
        low_ms, high_ms (as `RuntimeModel.predict` gives them), error (the model's median error on families that it has
        not seen), reason (why there is no prediction; None where there is one), note (why the interval of one is wider
        than error; None where it is not).

    Raises:
        AnalysisError: (a ValueError) rows or frame are no frames, or the latter lacks a column.
    """
    check_frame("predicted_times: rows", rows, AnalysisError)
    check_frame("predicted_times: frame", frame, AnalysisError, ["network", "strategy", "alpha", "scale", "scaled"])
    found, timed = [], _labelled(rows)
    for case, _ in Conditions.groups(timed, Conditions.CASE):
        shown = frame[["network", "strategy", "alpha", "scale"]].assign(**case.row(Conditions.CASE))
        try:
            times = _predicted(case, timed, list(frame["scaled"]))
        except PredictionError as error:
            times = dict.fromkeys(("ms_per_image", "low_ms", "high_ms", "error"), np.nan) | {
                "reason": str(error),
                "note": None,
            }
        found.append(shown.assign(**times))
    names = [*Conditions.CASE, "network", *_TIMES, "error", "reason", "note"]
    return pd.concat(found, ignore_index=True)[names] if found else pd.DataFrame(columns=names)


def _predicted(case: Conditions, timed: pd.DataFrame, networks: list[Network]) -> dict[str, Any]:
    """The columns of predicted times, from a model that is fitted to the rows of the case's setting, of any batch."""
    if case.batch == LARGEST:
        raise PredictionError("predict: the largest batch of a network is not known beforehand; give one batch for all")
    alike = timed
    for name, value in case.row(("source", *Conditions.FIT)).items():
        alike = alike[alike[name].isna() if value is None else alike[name] == value]
    model = RuntimeModel.fit(alike)
    [fitted] = model.fitted.values()
    times = model.predict(networks, case.batch, strict=False)
    per_image = {"ms_per_image": "predicted_ms", "low_ms": "low_ms", "high_ms": "high_ms"}
    columns = {name: times[column].to_numpy() / case.batch for name, column in per_image.items()}
    known = times["predicted_ms"].notna()
    notes = {"reason": times["note"].mask(known, None), "note": times["note"].where(known, None)}
    return columns | {"error": fitted.error} | {name: found.to_numpy() for name, found in notes.items()}


def _labelled(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that have a time, with their source, kind of device, and the batch that was asked for."""
    rows = rows[rows["median_ms"].notna()] if "median_ms" in rows else rows.iloc[:0]
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
    """The rows of a base network and of those scaled from it; of another network of its name none are."""
    timed = timed[timed["base"] == base.name]
    if "description" not in timed:
        return timed
    own = [base.may_become(Network.from_dict(each)) for each in timed["description"]]
    return timed[np.array(own, dtype=bool)]


def _curves(timed: pd.DataFrame, base: Network) -> Iterator[tuple[Strategy, pd.DataFrame]]:
    """The rows of each strategy, the base network's among them, in order of flops; of equal networks the last row."""
    shared = timed[timed["flops"] == complexity(base).flops]
    for name, own in timed[timed["strategy"].notna()].groupby("strategy", sort=False):
        curve = pd.concat([shared, own]).drop_duplicates("flops", keep="last")
        yield named_strategy(name), curve.sort_values("flops")


def _interpolated(curve: pd.DataFrame, flops: float) -> tuple[Any, ...] | None:
    """Time, low and high end, of an image, and doubt, between these flops' neighbours; None outside of the curve."""
    at = np.log(curve["flops"].to_numpy(dtype=float))
    target = np.log(flops)
    if not (at[0] <= target <= at[-1]):
        return None
    place = np.interp(target, at, np.arange(len(at)))
    if abs(place - round(place)) < _EXACT:
        place = round(place)
    near = curve.iloc[[int(np.floor(place)), int(np.ceil(place))]]
    rows = [without_range(row) for row in near.to_dict("records")]
    share = place - np.floor(place)
    times = []
    for name in ("median_ms", "low_ms", "high_ms"):
        first, second = (np.log(np.array(row[name], dtype=float) / row["images"]) for row in rows)
        times.append(float(np.exp(first + share * (second - first))))
    doubts = dict.fromkeys(doubt for row in rows if (doubt := time_doubt(row)))
    return *times, "; ".join(doubts) or None
