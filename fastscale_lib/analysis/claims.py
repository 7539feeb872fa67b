"""Claims, the number that was found for each, and the verdict that follows by `RULES`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, astuple, dataclass, fields
from fractions import Fraction
from typing import Any, TypeGuard

import pandas as pd
from pandas.io.formats.style import Styler

from .._common.device_kinds import CPU, CUDA, kind_of
from .._common.errors import FastscaleError
from .._common.frames import rows as rows_of

HOLDS, FAILS, UNDECIDED, UNTESTED = "holds", "does not hold", "undecided", "not tested here"
# How all notebooks reach their verdicts; the index of reports and the documentation show these sentences.
RULES = (
    "A claim is the paper's if the paper says it: of ConvNets, on GPUs, on ImageNet, and of exponents for large s. "
    "Other devices and images, laws at one scale by a tolerance of ours, and pairs that rounding may swap are "
    "beyond the paper.",
    "A claim holds if it is true for the whole interval of what was found, does not hold if it is false for the "
    "whole interval, and is undecided otherwise. Counts are exact, and published figures are taken as they stand: "
    "without an interval, a number is judged by itself.",
    "Measured times that judge nothing are left out: those that were made while others used more than a twentieth "
    "of the machine or another process its GPU, and those that wait for their host (launch-bound).",
    "A measured time of fewer than six blocks of runs has no 95 % interval; its range is called a range, and leaves "
    "a claim undecided, as does a single block. The ratio of two times may be whatever their two 95 % intervals "
    "allow. Such intervals are within one run: they do not cover other days.",
    "A ratio of two predicted times has a band: it is divided and multiplied by one plus the error within which "
    "nine in ten unseen networks stayed. An order of predicted times is sure where this band does not turn it.",
    "Correlations have intervals over families, from a bootstrap that draws whole families: all samples are "
    "enumerated for up to nine of them, so that no seed decides. Of six families such an interval covers the truth "
    "in 86 % of cases. Comparisons of correlations within one claim err together in at most 5 % of cases (Holm).",
    "Errors over seeds are compared by Welch's interval; several comparisons together err in at most 5 % of cases "
    "(Holm). That something is similar, or nearly as good, is judged one-sided: as no worse than.",
    "A model is compared with the best baseline, not with the weakest.",
    "Where nothing is left to judge, a claim is not tested here, and the reason is named.",
    "A central claim of the paper is judged by the paper's claims behind it, without those whose times are in doubt: "
    "it holds if more than half of them hold and none fails, does not hold if more fail than hold, and is undecided "
    "otherwise.",
)
# The paper's central claims, by the name that a claim which is evidence of one gives.
HEADLINES = {
    "fast": "Under fast scaling (dWr), activations grow about as √s when flops grow as s.",
    "compound": "Under compound scaling (dwr), which is how EfficientNets are scaled, activations grow almost as s.",
    "equal flops": "At equal flops, fast scaling has fewer activations than dw and dwr, and few more than width (w).",
    "follows": "On GPUs, runtime follows activations more closely than flops or params.",
    "one base": "Within one base network at equal flops, times come in the order of activations.",
    "time": "On GPUs at equal flops, fast scaling is nearly as fast as w, and faster than dw and dwr.",
    "compound accuracy": "At equal flops, compound scaling is more accurate than width alone.",
    "accuracy": "At equal flops, fast scaling is about as accurate as compound scaling, and more than width alone.",
    "frontier": "At equal training time, fast-scaled RegNets err less than EfficientNets.",
    "pair": "RegNetY-4GF, scaled fast to 16 GF, beats EfficientNet-B4 in activations, memory, time and error.",
}
CLASSIC, CONVNEXT, TRANSFORMERS = "classic ConvNets", "ConvNeXt", "ViT"  # kinds of networks; the paper's are classic
_KINDS = {"ConvNeXt": CONVNEXT, "ConvNeXtV2": CONVNEXT, "ViT": TRANSFORMERS, "DeiT": TRANSFORMERS}  # by family
VERDICTS = (HOLDS, FAILS, UNDECIDED, UNTESTED)
RELATIONS = ("=", "<", ">")
EVIDENCE = ("counted", "measured", "predicted", "published", "trained")
PAPER, BEYOND = "the paper's", "beyond the paper"
WITHIN_ONE_RUN = "interval within one run"  # of measured times: other days may differ by more
MIME = "application/vnd.fastscale.claims+json"  # under which an executed notebook keeps its verdicts as data


class ClaimError(FastscaleError, ValueError):
    """Raised for a claim with an unknown or missing field; the message names the remedy."""


@dataclass(frozen=True)
class Claim:
    """Compare a number that was found with the one that is claimed.

    Arguments:
        claim: text of the claim.
        paper: number that the paper states or implies.
        found: number that was found; None if the claim was not tested.
        tolerance: largest deviation from `paper` that still agrees; default: 0.
        scope: `PAPER`, or `BEYOND` for a claim that the paper does not make; default: `PAPER`.
        evidence: kind of evidence, one of `EVIDENCE`: the one there is, or the one that a test would need; default:
            "counted".
        details: the evidence in words, as the measured device or the published table; for a claim that was not tested,
            what is missing; default: "".
        relation: "=", "<" or ">": how `found` must compare with `paper`, within the tolerance; default: "=".
        low: lower end of the 95 % interval of `found`; default: None, no interval.
        high: upper end of it; default: None, no interval.
        doubt: why `found` cannot decide, as for a time without an interval (`measurement.time_doubt`): the verdict is
            then "undecided"; default: None, it can.
        headline: the central claim in `HEADLINES` that this is evidence of; default: "", none.
        words: what `found` is, with {} in its place, as "{} times the time of w"; default: "", the central claim counts
            verdicts instead.

    Raises:
        ClaimError: (a ValueError) scope, evidence, relation or headline is unknown.
    """

    claim: str
    paper: float | Fraction
    found: float | None
    tolerance: float = 0.0
    _: KW_ONLY
    scope: str = PAPER
    evidence: str = "counted"
    details: str = ""
    relation: str = "="
    low: float | None = None
    high: float | None = None
    doubt: str | float | None = None  # NaN in a frame: None
    headline: str = ""
    words: str = ""

    def __post_init__(self) -> None:
        known = {"relation": RELATIONS, "evidence": EVIDENCE, "scope": (PAPER, BEYOND), "headline": ("", *HEADLINES)}
        for name, allowed in known.items():
            if (given := getattr(self, name)) not in allowed:
                raise ClaimError(f"{name} {given!r:.60} of a claim: give one of {', '.join(filter(None, allowed))}")

    @property
    def verdict(self) -> str:
        """Decide the claim.

        It holds if the relation is true for the whole interval of `found` (or `found` alone, without one), and does
        not hold if it is false for the whole interval. Otherwise, or where there is a doubt, it is undecided.
        """
        if not _is_number(self.found):
            return UNTESTED
        if isinstance(self.doubt, str):
            return UNDECIDED
        ends = (self.low, self.high) if _is_number(self.low) and _is_number(self.high) else (self.found, self.found)
        low, high = sorted(end - self.paper for end in ends)
        if self.relation == "=":
            holds = max(-low, high) <= self.tolerance
            fails = low > self.tolerance or high < -self.tolerance
        else:
            best, worst = (low, high) if self.relation == "<" else (-high, -low)
            holds, fails = self._within(worst), not self._within(best)
        return HOLDS if holds else FAILS if fails else UNDECIDED

    def _within(self, excess: float) -> bool:
        return excess < self.tolerance or excess == self.tolerance != 0


_FIELDS = [each.name for each in fields(Claim)]


def scorecard(claims: Iterable[Claim]) -> pd.DataFrame:
    """Tabulate the fields and the verdict of each claim, those beyond the paper last."""
    claims = sorted(claims, key=lambda each: each.scope == BEYOND)
    frame = pd.DataFrame([astuple(each) for each in claims], columns=_FIELDS)
    numbers = dict.fromkeys(("paper", "found", "low", "high", "tolerance"), float)
    columns = ["claim", "scope", "relation", "paper", "found", "low", "high", "tolerance"]
    columns += ["evidence", "details", "doubt", "headline", "words"]
    return frame.astype(numbers)[columns].assign(verdict=[each.verdict for each in claims])


class Scorecard:
    """Show claims in a notebook, as a table and as data that a report can read.

    Arguments:
        claims: in any order; those beyond the paper are shown last.

    Attributes:
        frame: one row per claim: the fields of `Claim` (NaN for missing numbers), and verdict.
    """

    def __init__(self, claims: Iterable[Claim]) -> None:
        self.frame = scorecard(claims)

    def __repr__(self) -> str:
        return self.frame.drop(columns=["headline", "words"]).to_string(index=False)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        rows = json.loads(self.frame.to_json(orient="records", double_precision=15))  # NaN becomes null
        return {"text/plain": repr(self), "text/html": table(self.frame).to_html(), MIME: rows}


def gathered(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Read the scorecard that a notebook kept as data; the verdicts are computed again."""
    return scorecard(map(_read, rows))


def _read(row: Mapping[str, Any]) -> Claim:
    remedy = f"show claims by {Scorecard.__name__}, which keeps all that a report needs"
    if not isinstance(row, Mapping):
        raise ClaimError(f"claims: a row is {row!r:.60}, but must name its fields; {remedy}")
    for name in _FIELDS:
        if name not in row:
            raise ClaimError(f"claims: the row {row.get('claim')!r:.60} has no {name!r}; {remedy}")
        kinds, kind = _kinds(name, row.get("found") is not None)
        if not isinstance(row[name], kinds):
            raise ClaimError(
                f"claims: {name} of {row['claim']!r:.60} is {row[name]!r:.60}, but must be {kind}; {remedy}"
            )
    return Claim(**{name: row[name] for name in _FIELDS})


def _kinds(name: str, tested: bool) -> tuple[tuple[type, ...], str]:
    """Return the types that a field may have, and their name; a tested claim needs numbers."""
    if name in ("claim", "scope", "evidence", "details", "relation", "headline", "words"):
        return (str,), "a text"
    if name == "doubt":
        return (str, type(None)), "a text or null"
    if tested and name in ("paper", "tolerance"):
        return (int, float), "a number"
    return (int, float, type(None)), "a number or null"


def table(verdicts: pd.DataFrame) -> Styler:
    """Style a scorecard for a notebook: texts escaped and in full, "does not hold" in bold."""
    expected = [
        f"{paper:.3f}" if relation == "=" else f"{relation} {paper:.3f}"
        for relation, paper in zip(verdicts["relation"], verdicts["paper"], strict=True)
    ]
    found = [found_text(*each) for each in rows_of(verdicts[["found", "low", "high"]])]
    shown = verdicts.drop(columns=["relation", "low", "high", "doubt", "headline", "words"])
    shown = shown.assign(paper=expected, found=found, evidence=kinds(verdicts))
    shown["details"] = [details_text(*each) for each in rows_of(verdicts[["details", "doubt"]])]
    left = [{"selector": "th, td", "props": "text-align: left"}]
    styled = shown.style.format(precision=3, escape="html").hide(axis="index").set_table_styles(left)
    return styled.map(lambda verdict: "font-weight: bold" if verdict == FAILS else "", subset=["verdict"])


def found_text(found: float, low: float, high: float) -> str:
    """Format a number with its interval; a dash for NaN."""
    if not _is_number(found):
        return "–"
    return f"{found:,.3f}" + (f" ({low:,.3f} to {high:,.3f})" if _is_number(low) else "")


def kinds(verdicts: pd.DataFrame) -> list[str]:
    """List the kinds of evidence of a scorecard's rows; a dash where a claim was not tested."""
    pairs = zip(verdicts["evidence"], verdicts["verdict"], strict=True)
    return ["–" if verdict == UNTESTED else evidence for evidence, verdict in pairs]


def details_text(details: str, doubt: str | float | None) -> str:
    """Join the details of evidence and the doubt about it, if any."""
    return "; ".join(text for text in (details, doubt) if isinstance(text, str) and text)


def place(kind: str | None) -> str:
    """Name a kind of device in a claim: "a GPU" for "cuda", "a CPU" for "cpu"."""
    return {CUDA.name: "a GPU", CPU.name: "a CPU"}.get(kind or "", "a device of unknown kind")


def by_kind(rows: pd.DataFrame, devices: Iterable[Any]) -> dict[str, pd.DataFrame]:
    """Split rows into those of GPUs, of CPUs and of devices of unknown kind.

    Arguments:
        rows: any.
        devices: the device of each row, as "cuda:1"; others, and missing ones, are of unknown kind.
    """
    kinds = pd.Series([kind_of(each) for each in devices], rows.index, dtype=object)
    known = {"GPUs": kinds.map(lambda kind: kind is CUDA), "CPUs": kinds.map(lambda kind: kind is CPU)}
    parts = {words: rows[each.astype(bool)] for words, each in known.items()}
    return parts | {"devices of unknown kind": rows[kinds.isna()]}


def kind_of_network(name: str) -> str:
    """Name the kind of a network by its family: `CONVNEXT`, `TRANSFORMERS`, or else `CLASSIC`.

    Arguments:
        name: of the network, or of the base that it was scaled from, as "ViT-S/16".
    """
    return _KINDS.get(name.partition("-")[0], CLASSIC)


def scope_of(network: str, scope: str = PAPER) -> str:
    """Return the scope of a claim on a network: beyond the paper if it is not classic."""
    return scope if kind_of_network(network) == CLASSIC else BEYOND


def scope_on(kind: str | None, scope: str = PAPER) -> str:
    """Return the scope of a claim on times: on other devices than GPUs beyond the paper."""
    return scope if kind == CUDA.name else BEYOND


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and not math.isnan(value)
