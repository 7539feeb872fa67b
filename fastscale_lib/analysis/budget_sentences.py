"""Tell what budgets bought, and which of it is decided."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from .._common.frames import rows as rows_of
from .._common.wording import listed
from ..prediction.model import RuntimeModel

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
    return (
        f"**What came out.** Flops in G that each budget buys: {'; '.join(said)}. Fast scaling (dWr) is first or "
        f"second under {first} of {len(places)} budgets."
    )


def bought_on_each_text(on_each: Mapping[str, pd.DataFrame], models: Mapping[str, RuntimeModel]) -> str:
    """Say what a time buys on each device, and whether dWr is surely beside or behind the best.

    Arguments:
        on_each: rows by device, of `bought_on_each`.
        models: by device, the model that predicted the times.
    """
    said = []
    for device, rows in on_each.items():
        order = _ordered(rows)
        if not order:
            continue
        [fitted] = models[device].fitted.values()
        known = dict(order)
        best, most = order[0]
        text = f"On {device}, as predicted, {listed(f'{flops:.2f} G by {way}' for way, flops in order)}"
        if "dWr" in known and best != "dWr":
            gap = 1 - known["dWr"] / most
            side, within = "less" if gap < fitted.error_90 else "more", f"{100 * fitted.error_90:.0f} %"
            text += f"; dWr buys {100 * gap:.0f} % less than {best}, which is {side} than the {within} within which "
            text += "nine in ten predictions stay"
        said.append(f"{text}.")
    return "**What came out.** " + " ".join(said) if said else "No device has rows enough to predict a time."


def _ordered(rows: pd.DataFrame) -> list[tuple[str, float]]:
    known = rows.dropna(subset="flops").astype({"flops": float}).sort_values("flops", ascending=False)
    return [(row.strategy, row.flops / 1e9) for row in rows_of(known)]
