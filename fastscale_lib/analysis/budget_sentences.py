"""Tell what budgets bought, and which of it is decided."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from .._common.wording import counted, listed
from ..prediction.model import RuntimeModel
from .budget_claims import BUDGETS, flops_bought


def bought_text(bought: Mapping[str, pd.DataFrame]) -> str:
    """Say which strategy makes the most flops of each budget, and how near fast scaling comes.

    Arguments:
        bought: of `bought_within`.
    """
    best: dict[str, list[str]] = {}
    places, shares = [], []
    for name, rows in bought.items():
        flops = _ordered(rows)
        if not flops:
            continue
        first = next(iter(flops))
        best.setdefault(first, []).append(BUDGETS[name])
        if "dWr" in flops:
            places.append(list(flops).index("dWr") + 1)
            shares += [f"{flops['dWr'] / flops[first]:.2f} for {BUDGETS[name]}"] * (first != "dWr")
    if not best:
        return "No budget leaves room to scale up."
    said = "; ".join(f"by {way} for {listed(names)}" for way, names in best.items())
    text = f"**What came out.** The most flops are bought {said}."
    if places:
        second = sum(place <= 2 for place in places)
        text += f" Fast scaling (dWr) is first or second under {second} of {counted(len(places), 'budget')}"
        text += f"; as a share of the most flops, it buys {listed(shares)}" * bool(shares)
        text += "."
    return text


def bought_on_each_text(on_each: Mapping[str, pd.DataFrame], models: Mapping[str, RuntimeModel]) -> str:
    """Say which strategy buys the most flops for a time on each device, and where dWr is.

    The ratio of the two has the interval of `flops_bought`.

    Arguments:
        on_each: rows by device, of `bought_on_each`.
        models: by device, the model that predicted the times.
    """
    said = []
    for device, rows in on_each.items():
        flops = _ordered(rows)
        if not flops:
            continue
        best = next(iter(flops))
        text = f"on {device} by {best}"
        if "dWr" in flops and best != "dWr":
            ratio = flops_bought(rows.dropna(subset="flops"), "dWr", best, math.inf, models[device])
            within = "within" if ratio["high"] >= 1 else "beyond"
            text += (
                f" (dWr {ratio['found']:.2f} times as many, {ratio['low']:.2f} to {ratio['high']:.2f}: {within} the "
            )
            text += "error of the predictions)"
        said.append(text)
    if not said:
        return "No device has rows enough to predict a time."
    return f"**By device.** As predicted, the most flops for the same time are bought {'; '.join(said)}."


def _ordered(rows: pd.DataFrame) -> dict[str, float]:
    known = rows.dropna(subset="flops").astype({"flops": float}).sort_values("flops", ascending=False)
    return dict(zip(known["strategy"], known["flops"], strict=True))
