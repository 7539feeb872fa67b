"""What budgets buy, as scorecards and tables say it: ratios with their evidence, what the laws expect, and units."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from .._common.device_kinds import CPU, CUDA
from .._common.digits import significant
from ..prediction.model import RuntimeModel
from ..records.rows import read_rows
from ..scaling.strategies import strategy as named_strategy
from .claims import BEYOND, PAPER, Claim

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
_PLACES = {CUDA.name: "a GPU", CPU.name: "a CPU"}


def predicted_from(model: RuntimeModel) -> str:
    """Say what a model of one setting predicts from, and how well: "42 rows of A chip, 90 % within 12 %"."""
    [(setting, fitted)] = model.fitted.items()
    device = setting.device_name
    return f"{fitted.rows} rows of {device}, 90 % within {100 * fitted.error_90:.0f} %"


def device_kind(paths: Iterable[str | os.PathLike], model: RuntimeModel | None) -> str:
    """The kind of device that a model predicts, "cuda" or "cpu", as its rows in stores say; "" where none does."""
    names = set() if model is None else set(model.rates()["device_name"])
    rows = read_rows(paths).reindex(columns=["device_name", "device"])
    kinds = set(rows.loc[rows["device_name"].isin(names), "device"].dropna())
    return kinds.pop() if len(kinds) == 1 else ""


def flops_bought(
    bought: pd.DataFrame, one: str, other: str, room: float, model: RuntimeModel | None = None
) -> dict[str, Any]:
    """The flops that one strategy buys as times another's, with their evidence, as a `Claim` takes them.

    Arguments:
        bought: rows of `within`.
        room: the budget, as times what the base network costs; at 1 or less nothing is scaled up, and nothing found.
        model: that predicted the times of the budget; left out: the budget was counted. The interval is then the ratio
            divided and multiplied by 1 + the 90th percentile of the model's error on families that it has not seen,
            or by more where the time of one of the two networks has a wider interval: the two errors are taken as one,
            and a time that is off by so much as flops that are.
    """
    kind = "counted" if model is None else "predicted"
    if not room > 1:
        missing = f"the budget is {room:.2g} times what the base network costs: no scaling up"
        return {"found": None, "evidence": kind, "details": missing}
    for reason in bought.loc[bought["strategy"].isin([one, other]), "reason"].dropna() if "reason" in bought else ():
        return {"found": None, "evidence": kind, "details": reason}
    flops = bought.set_index("strategy")["flops"]
    ratio = float(flops[one] / flops[other])
    if model is None:
        return {"found": ratio, "evidence": kind}
    [fitted] = model.fitted.values()
    pair = bought[bought["strategy"].isin([one, other])]
    wider = (pair["high_ms"] / pair["predicted_ms"]).max() if "high_ms" in pair else 1.0
    off = max(1 + fitted.error_90, float(wider))
    ends: dict[str, Any] = {"low": ratio / off, "high": ratio * off}
    return {"found": ratio, "evidence": kind, "details": predicted_from(model), **ends}


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


def bought_claims(
    bought: Mapping[str, pd.DataFrame], rooms: Mapping[str, float], others: Iterable[str], mode: str
) -> list[Claim]:
    """Claim the flops that fast scaling buys as times others', under budgets of activations, params and memory.

    Memory in inference is beyond the paper.

    Arguments:
        bought: by the budget's name ("activations", "params", "memory_bytes"), rows of `within`.
        rooms: by the same names, the budget as times what the base network costs.
        others: strategies that dWr is held against.
        mode: "inference" or "training".
    """
    others = list(others)
    claims = []
    for name, words in {"activations": "activations", "params": "params", "memory_bytes": f"memory in {mode}"}.items():
        scope = BEYOND if (name, mode) == ("memory_bytes", "inference") else PAPER
        claims += _ratios_claimed(bought[name], name, words, others, rooms[name], mode, scope)
    return claims


def bought_by_time_claims(
    bought: Mapping[str, pd.DataFrame],
    rooms: Mapping[str, float],
    models: Mapping[str, RuntimeModel],
    kinds: Mapping[str, str],
    others: Iterable[str],
    mode: str,
) -> list[Claim]:
    """Claim the flops that fast scaling buys as times others', under a budget of predicted time on each device.

    The paper's claims are on GPUs; those on other devices are beyond it.

    Arguments:
        bought: by the device's name, rows of `within`.
        rooms, models, kinds: by the same names: the budget as times what the base network takes, the model that
            predicted it, and `device_kind`.
        others, mode: as for `bought_claims`.
    """
    others = list(others)
    claims = []
    for name, model in models.items():
        words = f"time of {mode} on {_PLACES.get(kinds[name], 'an unknown device')} ({name})"
        scope = PAPER if kinds[name] == CUDA.name else BEYOND
        claims += _ratios_claimed(bought[name], "time_ms", words, others, rooms[name], mode, scope, model)
    return claims


def untested_on_a_gpu(others: Iterable[str], room: float, mode: str, precision: str) -> list[Claim]:
    """Give the claims of `bought_by_time_claims` on a GPU that no rows of one can test.

    Arguments:
        room: a budget of time, as times what the base network takes.
    """
    missing = f"no times predicted from rows of a GPU, {mode}, {precision}"
    text = f"ratio of flops bought by time of {mode} on a GPU, dWr over"
    laws = {other: bought_by_law("time_ms", "dWr", other, room, mode) for other in others}
    return [
        Claim(f"{text} {other}", law[1], None, evidence="predicted", details=missing, relation=law[0])
        for other, law in laws.items()
        if law
    ]


def measured_time_claims(found: pd.DataFrame, device: str, model: RuntimeModel | None) -> list[Claim]:
    """Claim that networks take the time that was predicted, within what nine in ten predictions keep to.

    A measurement that others disturbed, or of another device than the fitted one, judges nothing.

    Arguments:
        found: a row for each network: strategy, ratio (measured time over predicted), low, high, on (the device that
            measured), disturbed and doubt ("" for none).
        device: the one whose rows were fitted.
        model: that predicted; None where nothing was measured.
    """
    text = "ratio of measured to predicted time"
    scope: dict[str, Any] = {"scope": BEYOND, "evidence": "measured"}
    if found.empty or model is None:
        return [Claim(text, 1, None, **scope, details="nothing was measured")]
    [fitted] = model.fitted.values()
    claims = []
    for row in found.itertuples():
        named = f"{text}, {row.strategy}"
        if row.disturbed or row.on != device:
            why = f"disturbed: {row.disturbed}" if row.disturbed else f"measured on {row.on}, which was not fitted"
            claims.append(Claim(named, 1, None, **scope, details=why))
        else:
            details = f"{row.on}; predicted from {predicted_from(model)}"
            ends: dict[str, Any] = {"low": row.low, "high": row.high, "doubt": row.doubt or None}
            claims.append(Claim(named, 1, row.ratio, fitted.error_90, **scope, details=details, **ends))
    return claims


def _ratios_claimed(
    bought: pd.DataFrame,
    budget: str,
    words: str,
    others: Iterable[str],
    room: float,
    mode: str,
    scope: str,
    model: RuntimeModel | None = None,
) -> list[Claim]:
    """The claims of one budget: one for each other strategy that the laws tell from dWr."""
    claims = []
    for other in others:
        if law := bought_by_law(budget, "dWr", other, room, mode):
            text = f"ratio of flops bought by {words}, dWr over {other}"
            ratio = flops_bought(bought, "dWr", other, room, model)
            claims.append(Claim(text, law[1], relation=law[0], scope=scope, **ratio))
    return claims


def in_units(frame: pd.DataFrame) -> pd.DataFrame:
    """Costs as they are read: flops in G, params and activations in M, memory in MB, times in ms, and named so."""
    shown = {name: frame[name] / _SHOWN[name][1] for name in frame if name in _SHOWN}
    return frame.assign(**shown).rename(columns={name: text for name, (text, _) in _SHOWN.items()})


def budget_text(name: str, most: float) -> str:
    """A budget with its unit: "800 ms", "1,036 MB", "26.1 M"."""
    text, size = _SHOWN[name]
    return f"{significant(most / size)} {text.split(', ')[1]}"
