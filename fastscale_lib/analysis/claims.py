"""The paper's claims beside what comes out here, with a verdict that is computed and can fail."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, astuple, dataclass, fields
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from .._common.errors import FastscaleError

HOLDS, FAILS, UNDECIDED, UNTESTED = "holds", "does not hold", "undecided", "not tested here"
RELATIONS = ("=", "<", ">")
EVIDENCE = ("counted", "measured", "predicted", "published", "trained")
PAPER, BEYOND = "the paper's", "beyond the paper"
MIME = "application/vnd.fastscale.claims+json"  # under which an executed notebook keeps its verdicts as data


class ClaimError(FastscaleError, ValueError):
    """What is to be a claim is none; the message says what it lacks, and what to do."""


@dataclass(frozen=True)
class Claim:
    """One claim, with what was found of it.

    Arguments:
        claim: in words.
        paper: the number that the paper gives or implies.
        found: the number that came out; None where nothing did, and then `details` says why.
        tolerance: how far from `paper` still counts.
        scope: `PAPER`, or `BEYOND` of a claim that the paper does not make; such claims are shown last.
        evidence: the kind of it, one of `EVIDENCE`; of a claim that is not tested, the kind that it would take.
        details: of the evidence, as the device that was measured, or the table that was published; of a claim that is
            not tested, what is missing.
        relation: "=": found is to be `paper`, "<": below it, ">": above it; within the tolerance each time.
        low, high: the 95 % interval of what was found, where chance has a part in it; None: it has none.
        doubt: why what was found decides nothing, whatever it is, as of a time without an interval, or of one that is
            the host's (`measurement.time_doubt`); the verdict is then undecided. None: it decides.

    Raises:
        ClaimError: (a ValueError) scope, evidence or relation is another than these.
    """

    claim: str
    paper: float
    found: float | None
    tolerance: float = 0.0
    _: KW_ONLY
    scope: str = PAPER
    evidence: str = "counted"
    details: str = ""
    relation: str = "="
    low: float | None = None
    high: float | None = None
    doubt: str | None = None

    def __post_init__(self) -> None:
        for name, allowed in (("relation", RELATIONS), ("evidence", EVIDENCE), ("scope", (PAPER, BEYOND))):
            if (given := getattr(self, name)) not in allowed:
                raise ClaimError(f"{name} {given!r:.60} of a claim: give one of {', '.join(allowed)}")

    @property
    def verdict(self) -> str:
        """Holds, if what was found stands to what the paper says as the relation wants it.

        Of an interval the whole must stand so. It does not hold if nothing within the interval stands so; between the
        two it is undecided, as it is where there is a doubt.
        """
        if not _is_number(self.found):
            return UNTESTED
        if isinstance(self.doubt, str):  # a frame's column may have NaN for None
            return UNDECIDED
        ends = (self.low, self.high) if _is_number(self.low) and _is_number(self.high) else (self.found, self.found)
        off = [end - self.paper for end in ends]
        if self.relation == "=":
            stands = max(map(abs, off)) <= self.tolerance
            apart = min(off) > self.tolerance or max(off) < -self.tolerance
        else:
            beyond = sorted(off if self.relation == "<" else [-each for each in off])
            apart, stands = (not self._within(beyond[0])), self._within(beyond[1])
        return HOLDS if stands else FAILS if apart else UNDECIDED

    def _within(self, beyond: float) -> bool:
        return beyond < self.tolerance or beyond == self.tolerance != 0


_FIELDS = [each.name for each in fields(Claim)]


def scorecard(claims: Iterable[Claim]) -> pd.DataFrame:
    """Give a row for each claim, those beyond the paper last: the fields of `Claim`, and verdict.

    Where there is no number it has NaN, and None where there is no doubt.
    """
    claims = sorted(claims, key=lambda each: each.scope == BEYOND)
    frame = pd.DataFrame([astuple(each) for each in claims], columns=_FIELDS)
    numbers = dict.fromkeys(("paper", "found", "low", "high", "tolerance"), float)
    columns = ["claim", "scope", "relation", "paper", "found", "low", "high", "tolerance"]
    columns += ["evidence", "details", "doubt"]
    return frame.astype(numbers)[columns].assign(verdict=[each.verdict for each in claims])


class Scorecard:
    """Claims as a notebook shows them: as a table, and as data that a report gathers from the executed notebook.

    Attributes:
        frame: one row per claim, as `scorecard` gives it.
    """

    def __init__(self, claims: Iterable[Claim]) -> None:
        self.frame = scorecard(claims)

    def __repr__(self) -> str:
        return self.frame.to_string(index=False)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        rows = json.loads(self.frame.to_json(orient="records", double_precision=15))  # NaN becomes null
        return {"text/plain": repr(self), "text/html": table(self.frame).to_html(), MIME: rows}


def gathered(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The scorecard that a notebook kept as data; the verdicts are computed again.

    Raises:
        ClaimError: (a ValueError) a row lacks a field, or holds something else than a text or number there.
    """
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
    """What a field of a claim may hold, as types and in words; what was found is held against paper and tolerance."""
    if name in ("claim", "scope", "evidence", "details", "relation"):
        return (str,), "a text"
    if name == "doubt":
        return (str, type(None)), "a text or null"
    if tested and name in ("paper", "tolerance"):
        return (int, float), "a number"
    return (int, float, type(None)), "a number or null"


def table(verdicts: pd.DataFrame) -> Styler:
    """A scorecard as notebooks show it: every text escaped and in full, what does not hold in bold."""
    said = [
        f"{paper:.3f}" if relation == "=" else f"{relation} {paper:.3f}"
        for relation, paper in zip(verdicts["relation"], verdicts["paper"], strict=True)
    ]
    found = [found_text(*each) for each in verdicts[["found", "low", "high"]].itertuples(index=False)]
    shown = verdicts.drop(columns=["relation", "low", "high", "doubt"])
    shown = shown.assign(paper=said, found=found, evidence=kinds(verdicts))
    shown["details"] = [details_text(*each) for each in verdicts[["details", "doubt"]].itertuples(index=False)]
    left = [{"selector": "th, td", "props": "text-align: left"}]
    styled = shown.style.format(precision=3, escape="html").hide(axis="index").set_table_styles(left)
    return styled.map(lambda verdict: "font-weight: bold" if verdict == FAILS else "", subset=["verdict"])


def found_text(found: float, low: float, high: float) -> str:
    """A number as scorecards show it, with its interval; a dash for none."""
    if not _is_number(found):
        return "–"
    return f"{found:,.3f}" + (f" ({low:,.3f} to {high:,.3f})" if _is_number(low) else "")


def kinds(verdicts: pd.DataFrame) -> list[str]:
    """The kind of evidence of each row of a scorecard; a dash where nothing was tested."""
    told = zip(verdicts["evidence"], verdicts["verdict"], strict=True)
    return ["–" if verdict == UNTESTED else evidence for evidence, verdict in told]


def details_text(details: str, doubt: str | None) -> str:
    """The details of evidence as scorecards show them, with what keeps it from deciding."""
    return "; ".join(text for text in (details, doubt) if isinstance(text, str) and text)


def _is_number(value: float | None) -> bool:
    return value is not None and not math.isnan(value)
