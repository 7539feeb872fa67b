"""Tell what budgets bought, and which of it is decided."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from .._common.frames import rows as rows_of
from .._common.wording import counted, listed
from ..prediction.model import RuntimeModel
from .budget_claims import flops_bought

_BUDGETS = {
    "time_ms": "predicted time",
    "memory_bytes": "memory",
    "params": "params",
    "activations": "activations",
}


def bought_text(bought: Mapping[str, pd.DataFrame]) -> str:
    """Say how many flops each strategy makes of each budget, most first.

    Arguments:
        bought: of `bought_within`.
    """
    said, places = [], []
    for name, rows in bought.items():
        order = _ordered(rows)
        if order:
            said.append(f"{_BUDGETS[name]} {listed(f'{flops:.2f} by {way}' for way, flops in order)}")
            places += [[way for way, _ in order].index("dWr") + 1] if "dWr" in dict(order) else []
    if not said:
        return "No budget leaves room to scale up."
    first = sum(place <= 2 for place in places)
    text = f"**What came out.** Flops in G that each budget buys: {'; '.join(said)}."
    of_all = counted(len(places), "budget")
    return text + f" Fast scaling (dWr) is first or second under {first} of {of_all}." * bool(places)


def bought_on_each_text(on_each: Mapping[str, pd.DataFrame], models: Mapping[str, RuntimeModel]) -> str:
    """Say what a time buys on each device, and whether dWr is surely behind the best.

    The ratio of the two has the interval of `flops_bought`.

    Arguments:
        on_each: rows by device, of `bought_on_each`.
        models: by device, the model that predicted the times.
    """
    said = []
    for device, rows in on_each.items():
        order = _ordered(rows)
        if not order:
            continue
        best, _ = order[0]
        text = f"On {device}, as predicted, {listed(f'{flops:.2f} G by {way}' for way, flops in order)}"
        if "dWr" in dict(order) and best != "dWr":
            ratio = flops_bought(rows.dropna(subset="flops"), "dWr", best, math.inf, models[device])
            within = "within" if ratio["high"] >= 1 else "beyond"
            text += f"; dWr buys {ratio['found']:.2f} times the flops of {best} ({ratio['low']:.2f} to "
            text += f"{ratio['high']:.2f}), which is {within} the error of the predictions"
        said.append(f"{text}.")
    return "**What came out.** " + " ".join(said) if said else "No device has rows enough to predict a time."


def _ordered(rows: pd.DataFrame) -> list[tuple[str, float]]:
    known = rows.dropna(subset="flops").astype({"flops": float}).sort_values("flops", ascending=False)
    return [(row.strategy, row.flops / 1e9) for row in rows_of(known)]
