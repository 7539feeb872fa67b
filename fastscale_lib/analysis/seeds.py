"""Errors of networks that were trained with several seeds each: means, differences, and their 95 % intervals.

Seeds change the first weights, the order of the images and their augmentation. All intervals speak of that, for the
images that the errors were taken on, and not of other images.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pandas as pd

from .._common.checks import AnalysisError, check_frame, check_real, shown
from .._common.statistics import student
from ..records.conditions import Conditions
from ..scaling.strategies import StrategyLike
from ..scaling.strategies import strategy as named_strategy

_NEAR = 0.05  # networks whose flops differ by less are compared as if at the same: few widths and depths can be built
_COUNTS = ["flops", "params", "activations"]


class Difference(NamedTuple):
    """The difference of two mean errors in percentage points, with its 95 % interval from low to high.

    `seeds` are the fewest of both, `devices` those that trained them.
    """

    found: float
    low: float
    high: float
    seeds: int
    device: str


def seed_errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean top-1 error over seeds, with its 95 % interval: a row for each network and setting.

    The variance is taken to be the same for all networks that one base gives in one setting, and is estimated from
    them together: few seeds of many networks are then enough. The interval is Student's, with as many degrees of
    freedom as there are seeds beyond the first of each network. With one seed each there is none. It is cut at 0 and
    100 %, beyond which no error lies: Student's takes no notice of these where few seeds give a wide one.

    Arguments:
        rows: of a store, as `train` writes them; others, as those of epochs and of trainings without an end, are
            passed over. Of one network, setting and seed the last counts. Rows of `measure` give the time.

    Returns:
        Columns base, those of `Conditions.TRAINED`, device, network, strategy, scale (its flops, as times those of the
        base; NaN where that was not trained), seeds, error, low, high (in %), deviation (between seeds, in percentage
        points; of all of a base's networks), freedom, the counts flops, params and activations, training_ms_per_image,
        measured with the largest batch (NaN where it was not), and timed_on; by base and flops. Of one base and setting
        all times agree in `Conditions.FIT`, at the recipe's precision: those of the device and setting that has most.

    Raises:
        AnalysisError: (a ValueError) the rows are no frame, or lack a column of trained rows.
    """
    columns = ["base", *Conditions.TRAINED, "device", "network", "strategy", "scale", "seeds", "error", "low", "high"]
    columns += ["deviation", "freedom", *_COUNTS, "training_ms_per_image", "timed_on"]
    check_frame("seed_errors: rows", rows, AnalysisError)
    if "top1_error" in rows:
        needed = ["kind", "base", "network", "network_id", "strategy", "seed", "device_name", *Conditions.TRAINED]
        check_frame("seed_errors: rows", rows, AnalysisError, needed, ["top1_error", *_COUNTS])
    if "top1_error" not in rows or not (trained := _trained(rows)).size:
        return pd.DataFrame(columns=columns)
    parts = []
    for (base, *setting), group in trained.groupby(["base", *Conditions.TRAINED], sort=False):
        by = group.groupby("network_id", sort=False)
        part = by[["network", "strategy", *_COUNTS]].first()
        part["scale"] = part["flops"] / part["flops"].where(part["network"] == base).max()
        part["device"] = by["device_name"].agg(lambda names: ", ".join(dict.fromkeys(names)))
        part["training_ms_per_image"], part["timed_on"] = _times(rows, part.index, _precision(group))
        part["seeds"], part["error"] = by["seed"].nunique(), by["top1_error"].mean()
        freedom = int((part["seeds"] - 1).sum())
        within = ((group["top1_error"] - by["top1_error"].transform("mean")) ** 2).sum()
        deviation = math.sqrt(within / freedom) if freedom else math.nan
        half = student(freedom) * deviation / part["seeds"] ** 0.5
        ends = {"low": (part["error"] - half).clip(lower=0), "high": (part["error"] + half).clip(upper=100)}
        part = part.assign(**ends, deviation=deviation, freedom=freedom)
        parts.append(part.assign(base=base, **dict(zip(Conditions.TRAINED, setting, strict=True))))
    return pd.concat(parts)[columns].sort_values(["base", "flops"], kind="stable").reset_index(drop=True)


def error_difference(errors: pd.DataFrame, one: StrategyLike, other: StrategyLike, scale: float) -> Difference | None:
    """How far the mean error under one strategy lies above that under another, at so many times the base's flops.

    Arguments:
        errors: rows of `seed_errors`, of one base and setting.
        one, other: strategies, or their names.
        scale: networks within 5 % of it are taken.

    Returns:
        The difference, or None where one of the two was not trained.

    Raises:
        AnalysisError: (a ValueError) the rows lack a column, or are of several bases or settings; scale is no number
            above 0.
        StrategyError: there is no such strategy.
    """
    scale = check_real("error_difference: scale", scale, AnalysisError, 0, above=True)
    numbers = ["scale", "error", "deviation", "seeds", "freedom"]
    needed = ["base", *Conditions.TRAINED, "strategy", "device"]
    check_frame("error_difference: errors", errors, AnalysisError, needed, numbers)
    one, other = named_strategy(one), named_strategy(other)
    for name in ("base", *Conditions.TRAINED):
        if len(several := errors[name].unique()) > 1:
            listed = ", ".join(map(shown, several[:3]))
            raise AnalysisError(f"error_difference: errors of one {name} are compared, not of {listed}")
    errors = errors[(errors["scale"] / scale - 1).abs() < _NEAR]
    found = [errors[[_same(name, each) for name in errors["strategy"]]] for each in (one, other)]
    if not all(len(each) for each in found):
        return None
    first, second = (each.iloc[0] for each in found)
    gap = first["error"] - second["error"]
    spread = first["deviation"] * math.sqrt(1 / first["seeds"] + 1 / second["seeds"])
    half = student(int(first["freedom"])) * spread
    device = ", ".join(dict.fromkeys([first["device"], second["device"]]))
    return Difference(gap, gap - half, gap + half, int(min(first["seeds"], second["seeds"])), device)


def _same(name: Any, way: StrategyLike) -> bool:
    return not pd.isna(name) and named_strategy(name).exponents == named_strategy(way).exponents


def _times(rows: pd.DataFrame, ids: pd.Index, precision: str | None) -> tuple[list[float], str | None]:
    """Milliseconds an image of a training step, of the networks with these ids, and the one device they are of."""
    if "median_ms" not in rows:
        return [math.nan] * len(ids), None
    measured = rows[(rows["mode"] == "training") & rows["median_ms"].notna() & rows["network_id"].isin(ids)]
    measured = measured.reindex(columns=["network_id", "median_ms", "batch", *Conditions.FIT])
    if precision is not None:
        measured = measured[measured["precision"] == precision]
    ways = [group for _, group in Conditions.groups(measured, Conditions.FIT)]
    if not ways:
        return [math.nan] * len(ids), None
    most = max(ways, key=lambda group: group["network_id"].nunique()).sort_values("batch", kind="stable")
    last = (most["median_ms"] / most["batch"]).groupby(most["network_id"]).last()
    return [last.get(each, math.nan) for each in ids], most["device_name"].iloc[0]


def _precision(trained: pd.DataFrame) -> str | None:
    """Of the one recipe of these rows."""
    recipe = trained["recipe"].iloc[0] if "recipe" in trained else None
    return recipe.get("precision") if isinstance(recipe, dict) else None


def _trained(rows: pd.DataFrame) -> pd.DataFrame:
    ended = rows[(rows["kind"] == "trained") & rows["top1_error"].notna()]
    return ended.drop_duplicates(["network_id", *Conditions.TRAINED, "seed"], keep="last")
