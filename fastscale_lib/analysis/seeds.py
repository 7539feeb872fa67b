"""Mean errors over training seeds, differences between strategies, and their 95 % intervals.

A seed decides the initial weights, the order of the images and their augmentation. The intervals cover this variation
on the given test images; they do not cover the choice of the test images.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pandas as pd

from .._common.checks import AnalysisError, check_frame, check_real, shown
from .._common.statistics import student
from ..architectures.counting import METRICS
from ..records.conditions import Conditions
from ..records.rows_that_judge import undisturbed
from ..scaling.strategies import StrategyLike
from ..scaling.strategies import strategy as named_strategy

_NEAR = 0.05  # relative difference of flops up to which networks are compared: small ones cannot be scaled exactly


class Difference(NamedTuple):
    """Difference of two mean errors, in percentage points, with its 95 % interval."""

    found: float
    low: float
    high: float
    seeds: int  # of the network with fewer of them
    device: str  # names of the devices that trained the two
    error: float  # standard error of the difference
    freedom: int  # degrees of freedom; 0: no interval

    def interval(self, sure: float) -> tuple[float, float]:
        """Return the ends of Student's interval of the difference.

        Arguments:
            sure: the probability that it has the true difference.
        """
        half = student(self.freedom, sure) * self.error
        return self.found - half, self.found + half


def seed_errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Compute the mean top-1 error over seeds, with its 95 % interval.

    The interval is Student's t, ± t·sd/√n, of the network's own seeds: networks of one base differ up to 18-fold in
    their standard deviation, so it is not pooled. It is clipped to 0 to 100 %.

    Arguments:
        rows: of a store, as `train` writes them. If there are several of one network, setting and seed, the last
            counts. Rows of `measure` add the times; other rows are ignored.

    Returns:
        One row per network and setting, in order of base and flops. Columns: base; those of `Conditions.TRAINED`;
        device; network; strategy; scale (flops relative to the base; NaN where the base was not trained); seeds; error,
        low, high (in percent; low and high are NaN with one seed); deviation (standard deviation between seeds, in
        percentage points; NaN with one seed); flops, params, activations;
        training_ms_per_image (at the largest measured batch; NaN if there is none) and timed_on. The times of one base
        and setting agree in `Conditions.FIT`, at the precision of the recipe: those of the device and setting with the
        most networks.

    Raises:
        AnalysisError: (a ValueError) the rows are not a frame, or lack a column.
    """
    columns = ["base", *Conditions.TRAINED, "device", "network", "strategy", "scale", "seeds", "error", "low", "high"]
    columns += ["deviation", *METRICS, "training_ms_per_image", "timed_on"]
    check_frame("seed_errors: rows", rows, AnalysisError)
    if "top1_error" in rows:
        needed = ["kind", "base", "network", "network_id", "strategy", "seed", "device_name", *Conditions.TRAINED]
        check_frame("seed_errors: rows", rows, AnalysisError, needed, ["top1_error", *METRICS])
    if "top1_error" not in rows or not (trained := _trained(rows)).size:
        return pd.DataFrame(columns=columns)
    parts = []
    for (base, *setting), group in trained.groupby(["base", *Conditions.TRAINED], sort=False):
        by = group.groupby("network_id", sort=False)
        part = by[["network", "strategy", *METRICS]].first()
        part["scale"] = part["flops"] / part["flops"].where(part["network"] == base).max()
        part["device"] = by["device_name"].agg(lambda names: ", ".join(dict.fromkeys(names)))
        part["training_ms_per_image"], part["timed_on"] = _times(rows, part.index, _precision(group))
        part["seeds"], part["error"] = by["seed"].nunique(), by["top1_error"].mean()
        part["deviation"] = by["top1_error"].std(ddof=1)
        half = [student(int(n) - 1) for n in part["seeds"]] * part["deviation"] / part["seeds"] ** 0.5
        ends = {"low": (part["error"] - half).clip(lower=0), "high": (part["error"] + half).clip(upper=100)}
        part = part.assign(**ends)
        parts.append(part.assign(base=base, **dict(zip(Conditions.TRAINED, setting, strict=True))))
    return pd.concat(parts)[columns].sort_values(["base", "flops"], kind="stable").reset_index(drop=True)


def errors_by_setting(errors: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Split errors by base network and by what they were trained on.

    Arguments:
        errors: rows of `seed_errors`.

    Returns:
        Base, name of the images, and rows, in the order of the rows.
    """
    groups = errors.groupby(["base", *Conditions.TRAINED], sort=False)
    return [(str(base), str(data), part) for (base, data, *_), part in groups]


def training_hours(rows: pd.DataFrame) -> pd.DataFrame:
    """Add up how long the trainings of a store took.

    Arguments:
        rows: as for `seed_errors`.

    Returns:
        Index: device and part (of the images that the error was taken on); columns trainings (how many), and hours that
        they took together. Empty where there are none.
    """
    if "top1_error" not in rows:
        return pd.DataFrame(columns=["trainings", "hours"])
    ended = rows[rows["kind"] == "trained"]
    hours = (ended["seconds"] / 3600).groupby([ended["device_name"].rename("device"), ended["part"]])
    return hours.agg(["count", "sum"]).set_axis(["trainings", "hours"], axis=1)


def error_difference(errors: pd.DataFrame, one: StrategyLike, other: StrategyLike, scale: float) -> Difference | None:
    """Compute the difference of the mean errors of two strategies at about the same flops.

    Its interval is that of Welch (The generalization of Student's problem, 1947), which lets the variances differ; the
    degrees of freedom are rounded down.

    Arguments:
        errors: rows of `seed_errors`, of one base and setting.
        one: the first strategy, or its name.
        other: the strategy whose error is subtracted, or its name.
        scale: flops relative to the base; networks within 5 % of it are compared.

    Returns:
        The difference; None if there is no network of one of the strategies at this scale.

    Raises:
        AnalysisError: (a ValueError) the rows lack a column, or are of several bases or settings; scale is not a number
            above 0.
        StrategyError: there is no such strategy.
    """
    scale = check_real("error_difference: scale", scale, AnalysisError, 0, above=True)
    numbers = ["scale", "error", "deviation", "seeds"]
    needed = ["base", *Conditions.TRAINED, "strategy", "device"]
    check_frame("error_difference: errors", errors, AnalysisError, needed, numbers)
    one, other = named_strategy(one), named_strategy(other)
    for name in ("base", *Conditions.TRAINED):
        if len(several := errors[name].unique()) > 1:
            listed = ", ".join(map(shown, several[:3]))
            raise AnalysisError(f"error_difference: errors of one {name} are compared, not of {listed}")
    errors = errors[is_near(errors, scale)]
    found = [errors[[_same(name, each) for name in errors["strategy"]]] for each in (one, other)]
    if not all(len(each) for each in found):
        return None
    first, second = (each.iloc[0] for each in found)
    gap = first["error"] - second["error"]
    parts = [float(each["deviation"]) ** 2 / int(each["seeds"]) for each in (first, second)]
    freedom = _welch(parts, [int(each["seeds"]) - 1 for each in (first, second)])
    device = ", ".join(dict.fromkeys([first["device"], second["device"]]))
    seeds = int(min(first["seeds"], second["seeds"]))
    found = Difference(gap, gap, gap, seeds, device, math.sqrt(sum(parts)), freedom)
    low, high = found.interval(0.95)
    return found._replace(low=low, high=high)


def is_near(errors: pd.DataFrame, scale: float) -> pd.Series:
    """Tell which networks have about so many times the flops of their base: within 5 %.

    Arguments:
        errors: rows of `seed_errors`.
        scale: flops relative to the base.
    """
    return (errors["scale"] / scale - 1).abs() < _NEAR


def _welch(parts: list[float], freedoms: list[int]) -> int:
    """Compute Welch and Satterthwaite's degrees of freedom, rounded down; 0 if unknown."""
    if not all(freedoms):
        return 0
    below = sum(part**2 / freedom for part, freedom in zip(parts, freedoms, strict=True))
    return int(sum(parts) ** 2 / below) if below else sum(freedoms)


def _same(name: Any, way: StrategyLike) -> bool:
    return not pd.isna(name) and named_strategy(name).exponents == named_strategy(way).exponents


def _times(rows: pd.DataFrame, ids: pd.Index, precision: str | None) -> tuple[list[float], str | None]:
    """Look up training times in ms/image, and the device that measured most of them."""
    if "median_ms" not in rows:
        return [math.nan] * len(ids), None
    measured = rows[(rows["mode"] == "training") & rows["median_ms"].notna() & rows["network_id"].isin(ids)]
    measured = undisturbed(measured).reindex(columns=["network_id", "median_ms", "batch", *Conditions.FIT])
    if precision is not None:
        measured = measured[measured["precision"] == precision]
    ways = [group for _, group in Conditions.groups(measured, Conditions.FIT)]
    if not ways:
        return [math.nan] * len(ids), None
    most = max(ways, key=lambda group: group["network_id"].nunique()).sort_values("batch", kind="stable")
    last = (most["median_ms"] / most["batch"]).groupby(most["network_id"]).last()
    return [last.get(each, math.nan) for each in ids], most["device_name"].iloc[0]


def _precision(trained: pd.DataFrame) -> str | None:
    recipe = trained["recipe"].iloc[0] if "recipe" in trained else None
    return recipe.get("precision") if isinstance(recipe, dict) else None


def _trained(rows: pd.DataFrame) -> pd.DataFrame:
    ended = rows[(rows["kind"] == "trained") & rows["top1_error"].notna()]
    return ended.drop_duplicates(["network_id", *Conditions.TRAINED, "seed"], keep="last")
