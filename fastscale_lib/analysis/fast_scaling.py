"""Fast scaling beside width, compound and depth-width scaling at equal flops: tables of times, and claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from .._common.device_kinds import CPU, CUDA
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..records.conditions import distinct_labels
from ..scaling.matched import equal_flops
from ..scaling.strategies import strategy as named_strategy
from .claims import BEYOND, PAPER, Claim
from .times import measured_bases, measured_times, predicted_times, times_ratio

OTHERS = ("w", "dwr", "dw")  # what fast scaling is held against
_PAPERS_ALPHA = 0.8


def measured_times_of_bases(rows: pd.DataFrame, network: Network | str, alpha: float) -> pd.DataFrame:
    """Give `measured_times` of w, dwr, dw and α for a network and for every base network among the rows.

    Targets are the largest flops that all four strategies reach. Columns are those of `measured_times`, base, and case
    (device and settings in words).
    """
    bases = [named_network(network), *measured_bases(rows)]
    times = [measured_times(rows, base, [*OTHERS, alpha]).assign(base=base.name) for base in bases]
    timed = pd.concat(times).drop_duplicates().astype({"scale": float}).reset_index(drop=True)
    return timed.assign(case=distinct_labels(timed))


def predicted_times_beside(rows: pd.DataFrame, counted: pd.DataFrame, timed: pd.DataFrame) -> pd.DataFrame:
    """Give `predicted_times` of counted networks and of those that the times of their base network are given for.

    Arguments:
        rows: of `read_rows`.
        counted: rows of `equal_flops`, of one base network.
        timed: of `measured_times_of_bases`; rows of other base networks are passed over.

    Returns:
        The columns of `predicted_times`, and case (device and settings in words).
    """
    [base] = counted["network"].unique()
    own = timed[timed["base"] == base]
    there = equal_flops(base, own["strategy"].unique(), own["scale"].unique())
    times = predicted_times(rows, pd.concat([counted, there], ignore_index=True)).astype({"scale": float})
    return times.assign(case=distinct_labels(times))


def measured_beside_predicted(timed: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """Put measured times of an image in ms, with interval and doubt, beside the predicted ones.

    Arguments:
        timed: of `measured_times_of_bases`, of one base network.
        predicted: of `predicted_times_beside`.

    Returns:
        Index device (the case), scale and strategy; columns measured, low, high, predicted and doubt ("" for none).
    """
    keys = ["case", "scale", "strategy"]
    beside = timed.merge(predicted[[*keys, "ms_per_image"]], how="left", on=keys, suffixes=("", "_predicted"))
    shown = {"ms_per_image": "measured", "low_ms": "low", "high_ms": "high", "ms_per_image_predicted": "predicted"}
    table = beside.fillna({"doubt": ""}).set_index(keys)[[*shown, "doubt"]].rename(columns=shown)
    return table.rename_axis(["device", "scale", "strategy"])


def fast_scaling_ratios(timed: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """Give the time of fast scaling as times that of w, dwr and dw, of each device and base network.

    Arguments:
        timed: of `measured_times_of_bases`.

    Returns:
        Index device and base network; columns w, dwr, dw, and "in doubt" (how many of the four times decide nothing).
        Only where all four were measured.
    """
    keys = ["case", "base"]
    ours = timed[timed["alpha"] == alpha].drop_duplicates(keys).set_index(keys)["ms_per_image"]
    theirs = timed[timed["strategy"].isin(OTHERS)].pivot(index=keys, columns="strategy", values="ms_per_image")
    ratios = theirs.rdiv(ours, axis=0).reindex(columns=list(OTHERS)).dropna()
    asked = timed["strategy"].isin(OTHERS) | timed["alpha"].eq(alpha)
    ratios["in doubt"] = timed[asked].drop_duplicates([*keys, "strategy"]).groupby(keys)["doubt"].count()
    return ratios.rename_axis(["device", "base network"])


def how_often_faster(ratios: pd.DataFrame) -> pd.DataFrame:
    """Count, by device, the base networks for which fast scaling took less time than w, dwr and dw.

    Arguments:
        ratios: of `fast_scaling_ratios`.

    Returns:
        Index device; columns w, dwr, dw, and "base networks", of which they are.
    """
    by_device = ratios[list(OTHERS)].lt(1).groupby("device", sort=False)
    return by_device.sum().assign(**{"base networks": by_device.size()})


def activation_claims(counted: pd.DataFrame, network: str, alpha: float, scales: Sequence[float]) -> list[Claim]:
    """Claim how many activations fast scaling has as times those of w, dwr and dw, at equal flops.

    By the laws, at s times the flops, at most s to (1−α)/2 times those of w, and fewer than dwr and dw (sections 3
    and 5 of the paper). An α other than 0.8 is beyond the paper.

    Arguments:
        counted: rows of `equal_flops`, with α, α = 1, dwr and dw at each scale.
        network: the base network's name.
    """
    fast, scope = _called(alpha)
    limits = {"w": ("alpha=1", (1 - alpha) / 2, 1e-9), "dwr": ("dwr", 0, 0), "dw": ("dw", 0, 0)}
    claims = []
    for s in scales:
        there = counted[(counted["network"] == network) & (counted["scale"] == s)]
        activations = there.set_index("strategy")["activations"]
        for other, (name, power, equal) in limits.items():
            text = f"{network} at {s:g}× flops, activations: {fast} over {other}"
            ratio = activations[named_strategy(alpha=alpha).name] / activations[name]
            claims.append(Claim(text, s**power, ratio, equal, scope=scope, relation="<"))
    return claims


def time_claims(timed: pd.DataFrame, network: str, alpha: float, nearly: float, mode: str) -> list[Claim]:
    """Claim that fast scaling is nearly as fast as w, and faster than dwr and dw, on each device that timed all four.

    The paper says so of GPUs and of α = 0.8; all else is beyond it. Without rows of a GPU its claims are there, and
    not tested.

    Arguments:
        timed: of `measured_times_of_bases`.
        network: the base network's name; rows of others are passed over.
        nearly: the part of w's time by which fast scaling may be slower.
        mode: of the rows, "inference" or "training".
    """
    fast, scope = _called(alpha)
    allowed = dict.fromkeys(OTHERS, 0.0) | {"w": nearly}
    own = timed[timed["base"] == network]
    own = own.assign(named=distinct_labels(own, briefly=True)).set_index("strategy", drop=False)
    claims, of_gpus = [], False
    for _, times in own.groupby("case", sort=False):
        if not (set(OTHERS) <= set(times.index) and times["alpha"].eq(alpha).any()):
            continue
        ours = times[times["alpha"] == alpha].iloc[0]
        on_gpu = ours["device"] == CUDA.name
        of_gpus |= on_gpu
        place = {CUDA.name: "a GPU", CPU.name: "a CPU"}.get(ours["device"], ours["device"])
        for other, most in allowed.items():
            text = f"time on {place} ({ours['named']}), {network} at {ours['scale']:.3g}× flops: {fast} over {other}"
            evidence: dict[str, Any] = {
                "scope": scope if on_gpu else BEYOND,
                "evidence": "measured",
                "details": ours["case"],
            }
            ratio = times_ratio(ours, times.loc[other])
            claims.append(Claim(text, 1, tolerance=most, relation="<", **evidence, **ratio))
    missing = f"no measured rows of {network} scaled by w, dwr, dw and {fast} on a GPU ({mode})"
    untested: dict[str, Any] = {
        "evidence": "measured",
        "details": f"{missing}; published tables time none",
        "relation": "<",
    }
    for other, most in () if of_gpus else allowed.items():
        text = f"time on a GPU, {network} at equal flops: {fast} over {other}"
        claims.append(Claim(text, 1, None, most, scope=scope, **untested))
    return claims


def _called(alpha: float) -> tuple[str, str]:
    """How scaling by α is called in a claim, and the claim's scope."""
    return ("dWr", PAPER) if alpha == _PAPERS_ALPHA else (f"α = {alpha:g}", BEYOND)
