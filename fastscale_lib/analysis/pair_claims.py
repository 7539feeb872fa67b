"""Ratios of the costs of two networks, counted, published and measured, and claims on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd

from .._common.device_kinds import CUDA
from .._common.frames import rows as rows_of
from ..architectures.counting import METRICS
from ..records.published_rows import table_title
from .claims import BEYOND, PAPER, WITHIN_ONE_RUN, Claim, details_text, place, scope_on
from .pairs import made

_PAPERS = "RegNetY-16GF"  # name in tables of the network that the paper compares with EfficientNet-B4


class Ratio(NamedTuple):
    """Ratio of a cost of two networks, as `figures.ratios` and `ratio_claims` take it.

    Attributes:
        cost: in words, as "time in training".
        of: the two networks, and the device if there is one.
        evidence: as of a `Claim`.
        details: as of a `Claim`.
        ratio: cost of the first network relative to the second.
        scope: as of a `Claim`.
        low: lower end of the 95 % interval; NaN: none.
        high: upper end; NaN: none.
        on: name of the device; "" for counts.
        doubt: as of a `Claim`.
        left_out: why the times judge nothing, so that there is no ratio; None: they may.
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
    left_out: str | None = None


def counted_ratios(counts: pd.DataFrame, peaks: pd.DataFrame, of: str, details: str, scope: str) -> list[Ratio]:
    """Compute the ratios of counts and of counted memory.

    Arguments:
        counts: columns flops, params, activations; two rows, first the network of the numerators.
        peaks: counted memory in bytes; one row per mode, one column per network, named as in the index of `counts`.
        of: the two networks in words.
        details: how memory was counted, in words.
        scope: of claims on the pair.
    """
    one, other = counts.index
    by_count = counts.loc[one] / counts.loc[other]
    by_memory = peaks[one] / peaks[other]
    ratios = [Ratio(name, of, "counted", "", float(by_count[name]), scope) for name in METRICS]
    for mode, ratio in by_memory.items():
        ratios.append(Ratio(f"peak memory in {mode}", of, "counted", details, float(ratio), scope))
    return ratios


def published_ratios(times: pd.DataFrame, published_as: str, baseline: str, scope: str) -> list[Ratio]:
    """Compute the ratios of published times.

    Ratios of networks that were designed for their size, and not scaled, are beyond the paper.

    Arguments:
        times: of `published_pairs`.
        published_as: name of the first network.
        baseline: name of the second network.
        scope: of claims on the pair.
    """
    ratios = []
    for row in rows_of(times):
        how, where = made(row.source, published_as), f"on a {row.device_name}"
        of, details = f"{published_as}, {how}, over {baseline}, {where}", f"{table_title(row.source)}, {where}"
        own = _published_scope(how, published_as, scope)
        ratios.append(Ratio(f"time in {row.mode}", of, "published", details, row.ratio, own, on=row.device_name))
    return ratios


def measured_ratios(measured: pd.DataFrame, of: str, scope: str) -> list[Ratio]:
    """Compute the ratios of measured times and memory.

    Times have an interval within one run. Ratios of other devices than GPUs are beyond the paper.

    Arguments:
        measured: of `measured_pairs`, and a column named (device and settings in words).
        of: the two networks in words.
        scope: of claims on the pair.
    """
    ratios = []
    for row in rows_of(measured):
        words, own, on = f"{of}, on {place(row.device)} ({row.named})", scope_on(row.device, scope), row.device_name
        details = f"{row.named}; {WITHIN_ONE_RUN}" if pd.notna(row.low) else row.named
        judged = row.ratio, own, row.low, row.high, on, row.doubt, row.left_out
        ratios.append(Ratio(f"time in {row.mode}", words, "measured", details, *judged))
        memory = row.memory_ratio, own
        ratios.append(Ratio(f"measured memory in {row.mode}", words, "measured", row.named, *memory, on=on))
    return ratios


def ratio_claims(ratios: Iterable[Ratio]) -> list[Claim]:
    """Claim that the first network costs less.

    Arguments:
        ratios: those of flops and params, and those that are NaN, are not judged; where rows were left out, that is
            said.
    """
    ratios = list(ratios)
    headline = _headline(PAPER if any(each.scope == PAPER for each in ratios) else BEYOND)
    return [
        Claim(
            f"ratio of {each.cost}: {each.of}",
            1,
            None if pd.isna(each.ratio) else each.ratio,
            scope=each.scope,
            evidence=each.evidence,
            details=details_text(each.details, each.left_out),
            relation="<",
            low=each.low,
            high=each.high,
            doubt=None if each.left_out else each.doubt,
            headline=headline,
            words=f"{{}} times the {each.cost}",
        )
        for each in ratios
        if each.cost not in ("flops", "params") and (not pd.isna(each.ratio) or each.left_out)
    ]


def unmeasured_claims(measured: pd.DataFrame, of: str, scope: str) -> list[Claim]:
    """List the claims on time and memory on a GPU that no measured rows can test.

    Arguments:
        measured: of `measured_pairs`.
        of: the two networks in words.
        scope: of claims on the pair.
    """
    claims = []
    for mode in ("inference", "training"):
        there = measured[(measured["device"] == CUDA.name) & (measured["mode"] == mode)]
        for cost, column in (("time", "ratio"), ("measured memory", "memory_ratio")):
            if there.empty or (column == "memory_ratio" and there[column].isna().all()):
                text = f"ratio of {cost} in {mode}: {of}, on a GPU"
                why = f"no measured rows of both on a GPU, {mode}"
                shared: dict[str, Any] = {"scope": scope, "evidence": "measured", "headline": _headline(scope)}
                claims.append(Claim(text, 1, None, **shared, details=why, relation="<"))
    return claims


def _headline(scope: str) -> str:
    """Return the headline of all claims on a pair; of pairs that are not the paper's, none."""
    return "pair" if scope == PAPER else ""


def error_claims(
    errors: pd.DataFrame, published_as: str, baseline: str, what: str, tolerance: float, scope: str
) -> list[Claim]:
    """Claim that the first network's published error is at most that of the second.

    Arguments:
        errors: index source, epochs; column difference (first network less second, in percentage points of top-1
            error).
        published_as: name of the first network.
        baseline: name of the second network.
        what: the first network in words.
        tolerance: in percentage points.
        scope: of claims on the pair.

    Returns:
        One claim per row of `errors`; without any rows one claim that is not tested.
    """
    text = "difference of errors in percentage points"
    claims = []
    for row in rows_of(errors["difference"].reset_index()):
        how, table = made(row.source, published_as), table_title(row.source)
        own = _published_scope(how, published_as, scope)
        text_of_row = f"{text}, {row.epochs} epochs: {published_as}, {how}, less {baseline}, in {table}"
        evidence: dict[str, Any] = {"evidence": "published", "details": table, "scope": own}
        evidence |= {"headline": _headline(scope), "words": "{} points of error"}
        claims.append(Claim(text_of_row, 0, row.difference, tolerance, relation="<", **evidence))
    if not claims:
        evidence = {"evidence": "published", "details": "no published errors of both", "scope": scope}
        claims.append(Claim(f"{text}: {what} less {baseline}", 0, None, tolerance, relation="<", **evidence))
    return claims


def _published_scope(how: str, published_as: str, scope: str) -> str:
    """Return the pair's scope if the network is the paper's, and was made as in the paper."""
    return scope if how == "fast-scaled" and published_as == _PAPERS else BEYOND
