"""What budgets buy, as scorecards and tables say it: ratios with their evidence, what the laws expect, and units."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pandas as pd

from .._common.digits import significant
from ..prediction.forms import SETTING
from ..prediction.model import RuntimeModel
from ..records.store import Store
from ..scaling.strategies import strategy as named_strategy

# How costs are shown: under which name, and in how many of the column's units.
_SHOWN = {
    "scale": ("s", 1),
    "flops": ("flops, G", 1e9),
    "params": ("params, M", 1e6),
    "activations": ("activations, M", 1e6),
    "predicted_ms": ("time, ms", 1),
    "low_ms": ("low, ms", 1),
    "high_ms": ("high, ms", 1),
    "time_ms": ("time, ms", 1),
    "counted_memory_bytes": ("memory, MB", 1e6),
    "memory_bytes": ("memory, MB", 1e6),
}


def predicted_from(model: RuntimeModel) -> str:
    """What a model of one setting predicts from, and how well, as evidence names it."""
    [(setting, fitted)] = model.fitted.items()
    device = setting[SETTING.index("device_name")]
    return f"predicted from {fitted.rows} rows of {device}, 90 % within {100 * fitted.error_90:.0f} %"


def device_kind(paths: Iterable[str | os.PathLike], model: RuntimeModel | None) -> str:
    """The kind of device that a model predicts, "cuda" or "cpu", as its rows in stores say; "" where none does."""
    names = set() if model is None else set(model.rates()["device_name"])
    rows = (row for path in paths for row in Store(path) if row.get("device_name") in names)
    kinds = {str(row.get("device", "")).split(":")[0] for row in rows}
    return kinds.pop() if len(kinds) == 1 else ""


def flops_bought(
    bought: pd.DataFrame, one: str, other: str, room: float, model: RuntimeModel | None = None
) -> dict[str, Any]:
    """The flops that one strategy buys as times another's: found, evidence, low and high, as a `Claim` takes them.

    Arguments:
        bought: rows of `within`.
        room: the budget, as times what the base network costs; at 1 or less nothing is scaled up, and nothing found.
        model: that predicted the times of the budget; left out: the budget was counted. The interval is then the ratio
            divided and multiplied by 1 + the 90th percentile of the model's error on families that it has not seen,
            or by more where the time of one of the two networks has a wider interval: the two errors are taken as one,
            and a time that is off by so much as flops that are.
    """
    if not room > 1:
        return {"found": None, "evidence": f"the budget is {room:.2g} times what the base network costs: no scaling up"}
    for reason in bought.loc[bought["strategy"].isin([one, other]), "reason"].dropna() if "reason" in bought else ():
        return {"found": None, "evidence": reason}
    flops = bought.set_index("strategy")["flops"]
    ratio = float(flops[one] / flops[other])
    if model is None:
        return {"found": ratio, "evidence": "counted"}
    [fitted] = model.fitted.values()
    pair = bought[bought["strategy"].isin([one, other])]
    wider = (pair["high_ms"] / pair["predicted_ms"]).max() if "high_ms" in pair else 1.0
    off = max(1 + fitted.error_90, float(wider))
    return {"found": ratio, "evidence": predicted_from(model), "low": ratio / off, "high": ratio * off}


def bought_by_law(budget: str, one: str, other: str, room: float, mode: str) -> tuple[str, float] | None:
    """How the flops that one strategy buys should stand to another's: a relation and a limit, as a `Claim` takes them.

    A count that grows as s to e is at `room` times its value where s, and so flops, are at room to 1/e (section 3 of
    the paper). Under a budget of activations, of time, which follows them on a GPU, or of memory in training, which
    keeps them, the strategy whose activations grow slower buys more; the other one has at least its share by the laws.
    Under one of params, that whose params grow slower buys more. Memory in inference is weights and the largest
    output: of strategies whose largest outputs grow alike, that whose params grow slower buys more.

    Returns:
        None where the laws do not tell the two apart.
    """
    ways = [named_strategy(each) for each in (one, other)]
    weights_decide = budget == "params" or (budget == "memory_bytes" and mode == "inference")
    law = "params" if weights_decide else "activations"
    first, second = (getattr(way.laws, law) / way.laws.flops for way in ways)
    outputs = {(way.exponents.w + 2 * way.exponents.r) / way.laws.flops for way in ways}
    if first == second or (weights_decide and budget != "params" and len(outputs) > 1):
        return None
    if weights_decide:
        return (">" if first < second else "<"), 1.0
    return ">", min(1.0, room ** float(1 / first - 1 / second))


def in_units(frame: pd.DataFrame) -> pd.DataFrame:
    """Costs as they are read: flops in G, params and activations in M, memory in MB, times in ms, and named so."""
    shown = {name: frame[name] / _SHOWN[name][1] for name in frame if name in _SHOWN}
    return frame.assign(**shown).rename(columns={name: text for name, (text, _) in _SHOWN.items()})


def budget_text(name: str, most: float) -> str:
    """A budget with its unit: "800 ms", "1,036 MB", "26.1 M"."""
    text, size = _SHOWN[name]
    return f"{significant(most / size)} {text.split(', ')[1]}"
