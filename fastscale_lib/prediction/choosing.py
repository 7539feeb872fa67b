"""Which network to take: published and scaled ones within a budget of time and memory."""

from __future__ import annotations

import math
from typing import Any, SupportsIndex

import numpy as np
import pandas as pd

from .._common.checks import check_flag, check_real, check_whole
from .._common.frames import dicts
from ..measuring.counted_batch import HELD_BEYOND
from ..measuring.settings import Mode
from ..records.conditions import Conditions
from .budgets import BudgetError
from .contenders import contenders
from .model import RuntimeModel

SURE_FIRST, FIRST = 2, 5  # of the first rows: surely within, and all
_NINETY = 1.645  # standard deviations on each side that hold nine in ten
_KEPT_UNKNOWN = 5  # rows of networks without a published accuracy, after those with one
_COLUMNS = ["network", "strategy", "scale", "resolution", "top1_accuracy_pct", "weights", "fits", "chance"]
_COLUMNS += [
    "predicted_ms",
    "low_90_ms",
    "high_90_ms",
    "time_from",
    "memory_bytes",
    "flops",
    "params",
    "activations",
    "note",
]


def which(
    device: str | RuntimeModel,
    ms: float,
    batch: SupportsIndex = 64,
    *,
    gb: float | None = None,
    min_top1: float | None = None,
    scaled: bool = True,
    sure: bool = False,
    rows: SupportsIndex | None = 20,
    **setting: Any,
) -> pd.DataFrame:
    """Choose networks that run within a budget: the published ones, and some of them scaled.

    Times are predicted with a band that holds nine in ten networks of families left out. A network `fits` ("yes") if
    the whole band is within the budget, is "likely" to if the prediction is, and "perhaps" does if only a part of the
    band is. The first rows are the two most accurate that fit and the three others that are most probably the most
    accurate within the budget (`chance`). How often the truly best is among these five, and how often one that fits
    does not, tests/benchmarks/bench_which.py finds on published rows. The rest follow by accuracy, and then networks
    without a published accuracy by flops.

    Arguments:
        device: name of a device, as `RuntimeModel.of` takes it; or a model, as `calibrate` makes one.
        ms: the most that a run of one batch may take.
        batch: images in a run; default: 64.
        gb: the most memory in 10⁹ bytes, in which a network must fit with as much more than is counted as any on an
            H200 held (`attrs["held_beyond"]`, a fraction, larger in inference); default: no limit.
        min_top1: the least published top-1 accuracy on ImageNet, in percent; default: any, and unknown.
        scaled: whether to choose among scaled networks, too, whose accuracy is not known; default: True.
        sure: whether to list only those that fit; default: False.
        rows: the most rows; default: 20; None: all, and all that do not fit, too (`fits` is "no").
        setting: as for `RuntimeModel.of`, as compile=True.

    Returns:
        One row a network: network, strategy and scale (missing where it is as published), resolution,
        top1_accuracy_pct and weights (the best published by timm at this resolution; missing if not known), fits,
        chance (to be the most accurate within the budget), predicted_ms, low_90_ms and high_90_ms (the band of nine in
        ten), time_from (predicted, or an estimate), memory_bytes (as `peak_memory` counts networks of the family),
        flops, params, activations, note. The frame's `attrs` have the budget, held_beyond, and in words the setting and
        what its predictions are (`note`, None if nothing).

    Raises:
        BudgetError: a budget or accuracy is no number above 0, or no network fits.
        PredictionError: as for `RuntimeModel.of`, or the batch is outside the fitted rows.
    """
    budget = check_real("which: ms", ms, BudgetError, 0, above=True)
    most_gb = math.inf if gb is None else check_real("which: gb", gb, BudgetError, 0, above=True)
    if min_top1 is not None:
        min_top1 = check_real("which: min_top1", min_top1, BudgetError, 0, 100)
    most = None if rows is None else check_whole("which: rows", rows, BudgetError)
    sure = check_flag("which: sure", sure, BudgetError)
    known = contenders(check_flag("which: scaled", scaled, BudgetError))
    model = device if isinstance(device, RuntimeModel) else RuntimeModel.of(device, **setting)
    key = model.setting(**(setting if isinstance(device, RuntimeModel) else {}))
    curve = model.curve_of(known.ops, known.extent, batch, **key.row((*Conditions.FIT, "torch")))
    images = model.batch(batch, **key.row((*Conditions.FIT, "torch")))
    times, low, high = curve.ms, curve.low_90_ms, curve.high_90_ms
    mode: Mode = "training" if key.mode == "training" else "inference"
    memory = known.memory(images, str(key.precision), mode)
    table = known.table.assign(
        fits=np.select([high <= budget, times <= budget, low <= budget], ["yes", "likely", "perhaps"], "no"),
        predicted_ms=times,
        low_90_ms=low,
        high_90_ms=high,
        time_from="estimated by the data sheet" if model.fitted[key].note else "predicted",
        memory_bytes=memory,
        note=pd.Series(curve.notes, dtype=object),
    )
    within = np.isfinite(times) & ((1 + HELD_BEYOND[mode]) * memory <= 1e9 * most_gb)
    if min_top1 is not None:
        within &= table["top1_accuracy_pct"].to_numpy() >= min_top1
    table = table[within]
    asked = ", ".join(
        [f"{budget:g} ms", *([f"{most_gb:g} GB"] if gb else []), *([f"top-1 ≥ {min_top1:g} %"] if min_top1 else [])]
    )
    listed = in_order(table, budget)
    if not (listed["fits"] == "yes").any():
        remedy = " or ".join(["give more memory"] * bool(gb) + ["ask for less accuracy"] * bool(min_top1))
        raise BudgetError(f"which: no network fits {asked} at batch {images} on {key.label()}{_nearest(table, remedy)}")
    listed = listed[listed["fits"] == "yes"] if sure else listed
    listed = listed if most is None else _cut(listed[listed["fits"] != "no"], most)
    listed = listed.reindex(columns=_COLUMNS).reset_index(drop=True)
    of_model = {"setting": key.label(), "note": model.fitted[key].note}
    listed.attrs = {"ms": budget, "batch": images, "asked": asked, "held_beyond": HELD_BEYOND[mode], **of_model}
    return listed


def in_order(table: pd.DataFrame, budget: float) -> pd.DataFrame:
    """Order networks by what is within the budget, and by accuracy; see `which`.

    Arguments:
        table: columns top1_accuracy_pct, fits, predicted_ms, high_90_ms and flops.
        budget: in ms.
    """
    table = table.assign(chance=np.nan).sort_values(["top1_accuracy_pct", "flops"], ascending=False)
    known = table[table["top1_accuracy_pct"].notna()]
    chance = _chances(known, budget)
    known = known.assign(chance=chance)
    first = known[known["fits"] == "yes"].head(SURE_FIRST)
    others = known.drop(first.index).sort_values("chance", ascending=False)
    likely = others[others["fits"] != "no"].head(FIRST - len(first))
    rest = others.drop(likely.index).sort_values("top1_accuracy_pct", ascending=False)
    of_rest = [rest[rest["fits"] == fits] for fits in ("yes", "likely", "perhaps", "no")]
    unknown = table[table["top1_accuracy_pct"].isna()].sort_values("flops", ascending=False)
    unknown = [unknown[unknown["fits"] == fits] for fits in ("yes", "likely", "perhaps", "no")]
    return pd.concat([each for each in (first, likely, *of_rest, *unknown) if len(each)] or [table])


def _chances(known: pd.DataFrame, budget: float) -> np.ndarray:
    """Return the probabilities to be the first, in this order, of those within the budget."""
    times, high = known["predicted_ms"].to_numpy(float), known["high_90_ms"].to_numpy(float)
    away = np.log(budget / times) / np.maximum(np.log(high / times) / _NINETY, 1e-9)
    within = np.array([0.5 * math.erfc(-each / math.sqrt(2)) for each in away.tolist()])
    return within * np.concatenate([[1.0], np.cumprod(1 - within)[:-1]]) if len(within) else within


def _cut(listed: pd.DataFrame, most: int) -> pd.DataFrame:
    """Leave room for some networks without a published accuracy."""
    unknown = listed["top1_accuracy_pct"].isna()
    room = min(_KEPT_UNKNOWN, int(unknown.sum()), most // 4)
    return pd.concat(
        [listed[~unknown].head(most - room), listed[unknown].head(max(room, most - int((~unknown).sum())))]
    )


def _nearest(table: pd.DataFrame, remedy: str) -> str:
    if not len(table):
        return f"; {remedy}"
    [fastest] = dicts(table.nsmallest(1, "high_90_ms"))
    return f"; the fastest there is, {fastest['network']}, takes up to {fastest['high_90_ms']:,.3g} ms"
