"""What one network costs as times another: counted, published and measured ratios, and claims on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd

from .._common.device_kinds import CPU, CUDA
from .claims import BEYOND, Claim
from .pairs import fast_scaled

_PAPERS = "RegNetY-16GF"  # as tables name the network that the paper holds against EfficientNet-B4


class Ratio(NamedTuple):
    """One cost of a network as times another's, with its evidence, as `figures.ratios` draws it and a `Claim` takes it.

    Attributes:
        cost: in words, as "time in training".
        of: the two networks, and where.
        evidence, details, low, high, scope, doubt: as of a `Claim`.
        ratio: above 1 the first network costs more.
        on: the device that was timed; "" for what was counted.
    """

    cost: str
    of: str
    evidence: str
    details: str
    ratio: float
    scope: str
    low: float = float("nan")
    high: float = float("nan")
    on: str = ""
    doubt: str | None = None


def counted_ratios(counts: pd.DataFrame, peaks: pd.DataFrame, of: str, details: str, scope: str) -> list[Ratio]:
    """Give the ratios of counts and of counted memory, first network over second.

    Arguments:
        counts: a row for each of the two networks; columns flops, params, activations.
        peaks: bytes of counted memory, a row for each mode and a column for each network, in the order of `counts`.
        of, scope: as of a `Ratio`.
        details: of the counted memory.
    """
    one, other = counts.index
    ratios = [
        Ratio(name, of, "counted", "", counts.loc[one, name] / counts.loc[other, name], scope)
        for name in ("flops", "params", "activations")
    ]
    return ratios + [
        Ratio(f"peak memory in {mode}", of, "counted", details, row[one] / row[other], scope)
        for mode, row in peaks.iterrows()
    ]


def published_ratios(times: pd.DataFrame, published_as: str, rival: str, scope: str) -> list[Ratio]:
    """Give the ratios of published times; of networks that were designed, and not scaled, they are beyond the paper.

    Arguments:
        times: of `published_pairs`.
        published_as, rival: its two networks.
        scope: of a claim on the pair.
    """
    ratios = []
    for row in times.itertuples():
        made, where = _made(row.source, published_as), f"on a {row.device_name}"
        of, details = f"{published_as}, {made}, over {rival}, {where}", f"{row.source}, {where}"
        own = _published_scope(made, published_as, scope)
        ratios.append(Ratio(f"time in {row.mode}", of, "published", details, row.ratio, own, on=row.device_name))
    return ratios


def measured_ratios(measured: pd.DataFrame, of: str, scope: str) -> list[Ratio]:
    """Give the ratios of measured times and memory; those of other devices than GPUs are beyond the paper.

    Arguments:
        measured: of `measured_pairs`, with a column named: device and settings in words.
        of: the two networks.
        scope: of a claim on the pair.
    """
    ratios = []
    for row in measured.itertuples():
        kind = {CUDA.name: "a GPU", CPU.name: "a CPU"}.get(row.device, row.device)
        who = f"{of}, on {kind} ({row.named})", "measured", row.named
        own = scope if row.device == CUDA.name else BEYOND
        more: dict[str, Any] = {"on": row.device_name}
        ends: dict[str, Any] = {"low": row.low, "high": row.high, "doubt": row.doubt}
        ratios.append(Ratio(f"time in {row.mode}", *who, row.ratio, own, **more, **ends))
        ratios.append(Ratio(f"measured memory in {row.mode}", *who, row.memory_ratio, own, **more))
    return ratios


def ratio_claims(ratios: Iterable[Ratio]) -> list[Claim]:
    """Claim that the first network costs less, in all but flops and params; ratios of NaN are passed over."""
    return [
        Claim(
            f"ratio of {each.cost}: {each.of}",
            1,
            each.ratio,
            scope=each.scope,
            evidence=each.evidence,
            details=each.details,
            relation="<",
            low=each.low,
            high=each.high,
            doubt=each.doubt,
        )
        for each in ratios
        if each.cost not in ("flops", "params") and not pd.isna(each.ratio)
    ]


def unmeasured_claims(measured: pd.DataFrame, of: str, scope: str) -> list[Claim]:
    """Give the claims on time and memory that no measured rows of a GPU can test; arguments as `measured_ratios`."""
    claims = []
    for mode in ("inference", "training"):
        there = measured[(measured["device"] == CUDA.name) & (measured["mode"] == mode)]
        for cost, column in (("time", "ratio"), ("measured memory", "memory_ratio")):
            if there[column].isna().all():
                text = f"ratio of {cost} in {mode}: {of}, on a GPU"
                missing: dict[str, Any] = {
                    "evidence": "measured",
                    "details": f"no measured rows of both on a GPU, {mode}",
                }
                claims.append(Claim(text, 1, None, scope=scope, relation="<", **missing))
    return claims


def error_claims(
    errors: pd.DataFrame, published_as: str, rival: str, what: str, tolerance: float, scope: str
) -> list[Claim]:
    """Claim that the first network's published error is lower, or higher by no more than the tolerance.

    Arguments:
        errors: index source and epochs; column difference (percentage points of top-1 error).
        published_as, rival, scope: as for `published_ratios`.
        what: the first network in words, for the claim that is there where no table has both.
        tolerance: percentage points.
    """
    claims = []
    for (source, epochs), row in errors.iterrows():
        made = _made(source, published_as)
        text = f"difference of errors in percentage points, {epochs} epochs: {published_as}, {made}, less {rival}"
        more: dict[str, Any] = {
            "evidence": "published",
            "details": source,
            "scope": _published_scope(made, published_as, scope),
        }
        claims.append(Claim(f"{text}, in {source}", 0, row["difference"], tolerance, relation="<", **more))
    if not claims:
        missing: dict[str, Any] = {"evidence": "published", "details": "no published errors of both", "scope": scope}
        text = f"difference of errors in percentage points: {what} less {rival}"
        claims.append(Claim(text, 0, None, tolerance, relation="<", **missing))
    return claims


def _made(source: str, network: str) -> str:
    return "fast-scaled" if fast_scaled(source, network) else "designed"


def _published_scope(made: str, published_as: str, scope: str) -> str:
    """The scope of a claim on a published network: the pair's, if it is the paper's own and was made as there."""
    return scope if made == "fast-scaled" and published_as == _PAPERS else BEYOND
