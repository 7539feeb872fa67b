"""Claims on the flops that strategies reach within a budget, and the units of budgets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from .._common.digits import significant
from .._common.frames import rows as rows_of
from .._common.wording import counted
from ..prediction.model import RuntimeModel
from ..records.rows import read_rows
from ..scaling.strategies import strategy as named_strategy
from .claims import BEYOND, PAPER, WITHIN_ONE_RUN, Claim, place, scope_of, scope_on

BUDGETS = {  # what they limit, in words
    "time_ms": "predicted time",
    "memory_bytes": "memory",
    "params": "params",
    "activations": "activations",
}
# How columns are shown: their heading, and the number to divide by.
_SHOWN = {
    "scale": ("s", 1),
    "flops": ("flops, G", 1e9),
    "params": ("params, M", 1e6),
    "activations": ("activations, M", 1e6),
    "predicted_ms": ("time, ms", 1),
    "low_90_ms": ("low, ms", 1),
    "high_90_ms": ("high, ms", 1),
    "time_ms": ("time, ms", 1),
    "counted_memory_bytes": ("memory, MB", 1e6),
    "memory_bytes": ("memory, MB", 1e6),
}


def predicted_from(model: RuntimeModel) -> str:
    """Describe a model's rows and error: "42 rows of A chip, 90 % within 12 %"."""
    [(setting, fitted)] = model.fitted.items()
    return f"{counted(fitted.rows, 'row')} of {setting.device_name}, 90 % within {100 * fitted.error_90:.0f} %"


def device_kind(paths: Iterable[str | os.PathLike], model: RuntimeModel | None) -> str:
    """Look up in stores which kind of device a model predicts.

    Arguments:
        paths: of the stores.
        model: a fitted model, or None.

    Returns:
        "cuda" or "cpu"; "" where the rows of the stores do not say, or contradict each other.

    Raises:
        PublishedError: there is no such file.
        StoreError: a file is not a store.
    """
    names = set() if model is None else set(model.rates()["device_name"])
    rows = read_rows(paths).reindex(columns=["device_name", "device"])
    kinds = set(rows.loc[rows["device_name"].isin(names), "device"].dropna())
    return kinds.pop() if len(kinds) == 1 else ""


def flops_bought(
    bought: pd.DataFrame, one: str, other: str, headroom: float, model: RuntimeModel | None = None
) -> dict[str, Any]:
    """Compute the ratio of flops that two strategies reach within a budget, for a `Claim`.

    With a headroom (the budget relative to the cost of the base network) up to 1 nothing is scaled up, and there is no
    ratio. With a model, which predicted the times, the ratio has an interval: it is divided and multiplied by 1 + e,
    where e is the 90th percentile of the model's error on unseen families, or the relative half-width of the predicted
    times of the two networks, if larger.
    """
    kind = "counted" if model is None else "predicted"
    if not headroom > 1:
        missing = f"the budget is {headroom:.2g} times what the base network costs: no scaling up"
        return {"found": None, "evidence": kind, "details": missing}
    for reason in bought.loc[bought["strategy"].isin([one, other]), "reason"].dropna() if "reason" in bought else ():
        return {"found": None, "evidence": kind, "details": reason}
    flops = bought.set_index("strategy")["flops"]
    ratio = float(flops[one] / flops[other])
    if model is None:
        return {"found": ratio, "evidence": kind}
    [fitted] = model.fitted.values()
    pair = bought[bought["strategy"].isin([one, other])]
    wider = (pair["high_90_ms"] / pair["predicted_ms"]).max() if "high_90_ms" in pair else 1.0
    off = max(1 + fitted.error_90, float(wider))
    ends: dict[str, Any] = {"low": ratio / off, "high": ratio * off}
    return {"found": ratio, "evidence": kind, "details": predicted_from(model), **ends}


def bought_by_law(budget: str, one: str, other: str, headroom: float, mode: str) -> tuple[str, float] | None:
    """Derive from the scaling laws relation and limit of the ratio of two strategies' flops.

    If a cost grows as s^e with the scale factor s, a budget of h times the base's cost (the headroom) allows flops of
    h^(1/e) times the base's (section 3 of the paper). The law that decides depends on the budget:

    - activations; time, which follows activations on a GPU; memory in training, which keeps them: the strategy whose
      activations grow more slowly reaches more flops. The other one reaches at least the ratio of the two laws.
    - params: the strategy whose params grow more slowly reaches more flops.
    - memory in inference, which is weights and the largest output: as params, if the largest outputs of the two
      strategies grow alike; else the laws do not decide, and None is returned.
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
    return ">", min(1.0, headroom ** float(1 / first - 1 / second))


def bought_claims(
    network: str, bought: Mapping[str, pd.DataFrame], headrooms: Mapping[str, float], others: Iterable[str], mode: str
) -> list[Claim]:
    """Claim how the flops of dWr compare with others' within budgets of counts and memory.

    Claims on memory in inference, and on other networks than ConvNets, are beyond the paper.

    Arguments:
        network: name of the base network.
        bought: rows of `within` for each budget: "activations", "params", "memory_bytes".
        headrooms: for each budget, what it is relative to the cost of the base network.
        others: the strategies that dWr is compared with.
        mode: "inference" or "training".

    Returns:
        One claim per budget and strategy that the laws tell from dWr.
    """
    others = list(others)
    claims = []
    for name, text in {"activations": "activations", "params": "params", "memory_bytes": f"memory in {mode}"}.items():
        scope = scope_of(network, BEYOND if (name, mode) == ("memory_bytes", "inference") else PAPER)
        claims += _claim_ratios(bought[name], name, text, others, headrooms[name], mode, scope)
    return claims


def bought_by_time_claims(
    network: str,
    bought: Mapping[str, pd.DataFrame],
    headrooms: Mapping[str, float],
    models: Mapping[str, RuntimeModel],
    kinds: Mapping[str, str],
    others: Iterable[str],
    mode: str,
) -> list[Claim]:
    """Claim how the flops of dWr compare with others' within a budget of predicted time.

    The paper's claims are of ConvNets on GPUs; those of other networks and on other devices are beyond it.

    Arguments:
        network: name of the base network.
        bought: rows of `within` for each device.
        headrooms: for each device, the budget relative to the time of the base network.
        models: for each device, the model that predicted the times.
        kinds: for each device, its `device_kind`.
        others: the strategies that dWr is compared with.
        mode: "inference" or "training".

    Returns:
        One claim per device and strategy that the laws tell from dWr.
    """
    others = list(others)
    claims = []
    for name, model in models.items():
        words, scope = f"time of {mode} on {place(kinds[name])} ({name})", scope_of(network, scope_on(kinds[name]))
        claims += _claim_ratios(bought[name], "time_ms", words, others, headrooms[name], mode, scope, model)
    return claims


def untested_on_a_gpu(network: str, others: Iterable[str], headroom: float, mode: str, precision: str) -> list[Claim]:
    """List the claims of `bought_by_time_claims` on a GPU that no rows can test.

    Arguments:
        network: name of the base network.
        others: the strategies that dWr is compared with.
        headroom: the budget relative to the time of the base network.
        mode: "inference" or "training".
        precision: of the times, as "fp32".

    Returns:
        One claim per strategy that the laws tell from dWr.
    """
    missing = f"no times predicted from rows of a GPU, {mode}, {precision}"
    text = f"ratio of flops bought by time of {mode} on a GPU, dWr over"
    laws = {other: bought_by_law("time_ms", "dWr", other, headroom, mode) for other in others}
    how: dict[str, Any] = {"scope": scope_of(network), "evidence": "predicted", "details": missing}
    return [Claim(f"{text} {other}", law[1], None, **how, relation=law[0]) for other, law in laws.items() if law]


def measured_time_claims(found: pd.DataFrame, device: str, model: RuntimeModel | None) -> list[Claim]:
    """Claim that measured times equal the predicted ones, within the model's error.

    The tolerance is the 90th percentile of that error on unseen families. Measurements that other processes disturbed,
    and those of another device than the fitted one, test nothing.

    Arguments:
        found: one row per network, with the columns strategy, ratio (measured over predicted time), low, high (the
            95 % interval of ratio), on (name of the device that measured), disturbed and doubt ("" for none).
        device: name of the device whose rows were fitted.
        model: that predicted the times; None where nothing was measured.

    Returns:
        One claim per network, all beyond the paper.
    """
    text = "ratio of measured to predicted time"
    scope: dict[str, Any] = {"scope": BEYOND, "evidence": "measured"}
    if found.empty or model is None:
        return [Claim(text, 1, None, **scope, details="nothing was measured")]
    [fitted] = model.fitted.values()
    claims = []
    for row in rows_of(found):
        named = f"{text}, {row.strategy}"
        if row.disturbed or row.on != device:
            why = f"disturbed: {row.disturbed}" if row.disturbed else f"measured on {row.on}, which was not fitted"
            claims.append(Claim(named, 1, None, **scope, details=why))
        else:
            details = f"{row.on}; predicted from {predicted_from(model)}"
            details += f"; {WITHIN_ONE_RUN}" * bool(pd.notna(row.low))
            ends: dict[str, Any] = {"low": row.low, "high": row.high, "doubt": row.doubt or None}
            claims.append(Claim(named, 1, row.ratio, fitted.error_90, **scope, details=details, **ends))
    return claims


def _claim_ratios(
    bought: pd.DataFrame,
    budget: str,
    words: str,
    others: Iterable[str],
    headroom: float,
    mode: str,
    scope: str,
    model: RuntimeModel | None = None,
) -> list[Claim]:
    claims = []
    for other in others:
        if law := bought_by_law(budget, "dWr", other, headroom, mode):
            text = f"ratio of flops bought by {words}, dWr over {other}"
            ratio = flops_bought(bought, "dWr", other, headroom, model)
            claims.append(Claim(text, law[1], relation=law[0], scope=scope, **ratio))
    return claims


def in_units(frame: pd.DataFrame) -> pd.DataFrame:
    """Convert a table of costs to units that are easy to read, and name them in the headings.

    The headings are, for instance, "flops, G", "params, M", "memory, MB", "time, ms".

    Arguments:
        frame: columns of `within` or `costs`; other columns stay as they are.
    """
    shown = {name: frame[name] / size for name, (_, size) in _SHOWN.items() if name in frame}
    return frame.assign(**shown).rename(columns={name: text for name, (text, _) in _SHOWN.items()})


def budget_text(name: str, most: float) -> str:
    """Format a budget with its unit: "800 ms", "1,036 MB", "26.1 M".

    Arguments:
        name: of the budget: "time_ms", "memory_bytes", "flops", "params" or "activations".
        most: the budget, in ms, bytes or elements.
    """
    text, size = _SHOWN[name]
    return f"{significant(most / size)} {text.split(', ')[1]}"
