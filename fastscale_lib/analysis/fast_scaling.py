"""Compare fast scaling with w, dwr and dw at equal flops: tables of times, and claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from .._common.device_kinds import CUDA
from .._common.frames import dicts
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..records.conditions import distinct_labels
from ..scaling.matched import equal_flops
from ..scaling.strategies import strategy as named_strategy
from .claims import BEYOND, PAPER, WITHIN_ONE_RUN, Claim, place, scope_of, scope_on
from .times import measured_bases, measured_times, predicted_times, times_ratio

OTHERS = ("w", "dwr", "dw")  # what fast scaling is compared with
_SAME = {"found": 1.0, "low": 1.0, "high": 1.0}  # w over itself
_PAPERS_ALPHA = 0.8


def measured_times_of_bases(rows: pd.DataFrame, network: Network | str, alpha: float) -> pd.DataFrame:
    """Compute `measured_times` of w, dwr, dw and α, for every base network of the rows.

    Arguments:
        rows: of `read_rows`, or of one store.
        network: a base network that comes first, or its name.
        alpha: of fast scaling, as 0.8.

    Returns:
        One row per case, base network and strategy, at the largest flops that all its strategies reach. Columns: those
        of `measured_times`; base; case (device and settings in words).
    """
    bases = [named_network(network), *measured_bases(rows)]
    times = [measured_times(rows, base, [*OTHERS, alpha]).assign(base=base.name) for base in bases]
    timed = pd.concat(times).drop_duplicates().astype({"scale": float}).reset_index(drop=True)
    return timed.assign(case=distinct_labels(timed))


def predicted_times_beside(rows: pd.DataFrame, counted: pd.DataFrame, timed: pd.DataFrame) -> pd.DataFrame:
    """Compute `predicted_times` of counted networks, and of those that were measured.

    Arguments:
        rows: of `read_rows`.
        counted: rows of `equal_flops`, of one base network.
        timed: rows of `measured_times_of_bases`; those of other base networks are ignored.

    Returns:
        Columns: those of `predicted_times`; case (device and settings in words).
    """
    [base] = counted["network"].unique()
    own = timed[timed["base"] == base]
    there = equal_flops(base, own["strategy"].unique(), own["scale"].unique())
    times = predicted_times(rows, pd.concat([counted, there], ignore_index=True)).astype({"scale": float})
    return times.assign(case=distinct_labels(times))


def relative_times(timed: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """Divide measured and predicted times by those of width scaling.

    Arguments:
        timed: rows of `measured_times_of_bases`, of one base network.
        predicted: of `predicted_times_beside`.

    Returns:
        One row per case and strategy, of the cases that timed w. Columns: case, scale, strategy, alpha, ratio (measured
        time over that of w), low and high (its ends, as of `times_ratio`), doubt (why the time decides nothing), and
        predicted (the same ratio of predicted times; NaN where there are none).
    """
    keys = ["case", "scale", "strategy"]
    expected = predicted.drop_duplicates(keys).set_index(keys)["ms_per_image"]
    found = []
    for case, own in timed.groupby("case", sort=False):
        rows = {row["strategy"]: row for row in dicts(own)}
        for name, row in rows.items() if "w" in rows else ():
            ratio = times_ratio(row, rows["w"]) if name != "w" else {**_SAME, "doubt": row["doubt"]}
            one, other = (expected.get((case, row["scale"], way), math.nan) for way in (name, "w"))
            ends = (ratio["found"], ratio["low"], ratio["high"], ratio["doubt"], one / other)
            found.append((case, row["scale"], name, row["alpha"], *ends))
    columns = ["case", "scale", "strategy", "alpha", "ratio", "low", "high", "doubt", "predicted"]
    return pd.DataFrame(found, columns=columns)


def fast_scaling_ratios(timed: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """Compute the time of fast scaling relative to w, dwr and dw.

    Arguments:
        timed: rows of `measured_times_of_bases`.
        alpha: of fast scaling, as there.

    Returns:
        One row per device and base network with measured times of all four strategies. Index: device, base network.
        Columns: w, dwr, dw (the ratios); in doubt (how many of the four times have a doubt).
    """
    keys = ["case", "base"]
    ours = timed[timed["alpha"] == alpha].drop_duplicates(keys).set_index(keys)["ms_per_image"]
    theirs = timed[timed["strategy"].isin(OTHERS)].pivot(index=keys, columns="strategy", values="ms_per_image")
    ratios = theirs.rdiv(ours, axis=0).reindex(columns=list(OTHERS)).dropna()
    asked = timed["strategy"].isin(OTHERS) | timed["alpha"].eq(alpha)
    doubts = timed[asked].drop_duplicates([*keys, "strategy"]).groupby(keys)["doubt"].count()
    ratios = ratios.assign(**{"in doubt": doubts.reindex(ratios.index).astype(int)})
    return ratios.rename_axis(["device", "base network"])


def activation_claims(counted: pd.DataFrame, network: str, alpha: float, scales: Sequence[float]) -> list[Claim]:
    """Claim how the activations of fast scaling compare with w, dwr and dw at equal flops.

    By the laws they are at most s^((1−α)/2) times those of w at s times the flops, and fewer than those of dwr and dw
    (sections 3 and 5 of the paper). Claims on another α than 0.8, or on other networks than ConvNets, are
    beyond the paper.

    Arguments:
        counted: rows of `equal_flops`, with α, α = 1, dwr and dw at each scale.
        network: name of the base network.
        alpha: of fast scaling.
        scales: flops relative to the base network; three claims for each.
    """
    fast, scope = _name_and_scope(alpha, network)
    limits = {"w": ("alpha=1", (1 - alpha) / 2, 1e-9), "dwr": ("dwr", 0, 0), "dw": ("dw", 0, 0)}
    claims = []
    for s in scales:
        there = counted[(counted["network"] == network) & (counted["scale"] == s)]
        activations = there.set_index("strategy")["activations"]
        for other, (name, power, equal) in limits.items():
            text = f"{network} at {s:g}× flops, activations: {fast} over {other}"
            ratio = activations[named_strategy(alpha=alpha).name] / activations[name]
            headline = "equal flops" if scope == PAPER else ""
            words = f"{{}} times the activations of {other}"
            shared: dict[str, Any] = {"scope": scope, "relation": "<", "headline": headline, "words": words}
            claims.append(Claim(text, s**power, ratio, equal, **shared))
    return claims


def time_claims(timed: pd.DataFrame, network: str, alpha: float, nearly: float, mode: str) -> list[Claim]:
    """Claim that fast scaling is nearly as fast as w, and faster than dwr and dw.

    The paper's claims are of ConvNets, on GPUs and with α = 0.8; others are beyond it.

    Arguments:
        timed: rows of `measured_times_of_bases`.
        network: name of the base network; rows of others are ignored.
        alpha: of fast scaling.
        nearly: by how much fast scaling may be slower than w, relative to the time of w.
        mode: of the rows, "inference" or "training".

    Returns:
        Three claims for each device that timed all four strategies; and three on a GPU that are not tested, where no
        GPU did.
    """
    fast, scope = _name_and_scope(alpha, network)
    headline = "time" if scope == PAPER else ""
    allowed = dict.fromkeys(OTHERS, 0.0) | {"w": nearly}
    own = timed[timed["base"] == network]
    own = own.assign(named=distinct_labels(own, briefly=True)).set_index("strategy", drop=False)
    claims, of_gpus = [], False
    for _, times in own.groupby("case", sort=False):
        if not (set(OTHERS) <= set(times.index) and times["alpha"].eq(alpha).any()):
            continue
        ours = times[times["alpha"] == alpha].iloc[0]
        of_gpus |= ours["device"] == CUDA.name
        own_scope = scope_on(ours["device"], scope)
        for other, most in allowed.items():
            where = f"{place(ours['device'])} ({ours['named']})"
            text = f"time on {where}, {network} at {ours['scale']:.3g}× flops: {fast} over {other}"
            ratio = times_ratio(ours, times.loc[other])
            shared: dict[str, Any] = {
                "scope": own_scope,
                "evidence": "measured",
                "details": f"{ours['case']}; {WITHIN_ONE_RUN}" if pd.notna(ratio["low"]) else ours["case"],
                "relation": "<",
                "headline": headline,
                "words": f"{{}} times the time of {other}",
            }
            claims.append(Claim(text, 1, tolerance=most, **shared, **ratio))
    missing = f"no measured rows of {network} scaled by w, dwr, dw and {fast} on a GPU ({mode})"
    missing += "; published tables time none"
    for other, most in () if of_gpus else allowed.items():
        text = f"time on a GPU, {network} at equal flops: {fast} over {other}"
        shared = {"scope": scope, "evidence": "measured", "details": missing, "relation": "<", "headline": headline}
        claims.append(Claim(text, 1, None, most, **shared))
    return claims


def _name_and_scope(alpha: float, network: str) -> tuple[str, str]:
    return ("dWr", scope_of(network)) if alpha == _PAPERS_ALPHA else (f"α = {alpha:g}", BEYOND)
