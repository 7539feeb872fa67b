"""The paper's claims beside what comes out here, with a verdict that is computed and can fail."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd
from pandas.io.formats.style import Styler

from .._common.errors import FastscaleError

HOLDS, FAILS, UNDECIDED, UNTESTED = "holds", "does not hold", "undecided", "not tested here"
RELATIONS = ("=", "<", ">")
MIME = "application/vnd.fastscale.claims+json"  # under which an executed notebook keeps its verdicts as data


class ClaimError(FastscaleError, ValueError):
    """What is to be a claim is none; the message says what it lacks, and what to do."""


class Claim(NamedTuple):
    """One claim of the paper.

    Arguments:
        claim: in words.
        paper: the number that the paper gives or implies.
        found: the number that came out; None where nothing did, and then `evidence` says why.
        tolerance: how far from `paper` still counts.
        evidence: starts with counted, measured (on which device), predicted (from which rows) or published (in which
            source), or, of a claim that is not tested, says what is missing.
        relation: "=": found is to be `paper`, "<": below it, ">": above it; within the tolerance each time.
        low, high: the 95 % interval of what was found, where chance has a part in it; None: it has none.
        doubt: why what was found decides nothing, whatever it is, as of a time without an interval, or of one that is
            the host's (`measurement.time_doubt`); the verdict is then undecided. None: it decides.
    """

    claim: str
    paper: float
    found: float | None
    tolerance: float = 0.0
    evidence: str = "counted"
    relation: str = "="
    low: float | None = None
    high: float | None = None
    doubt: str | None = None

    @property
    def verdict(self) -> str:
        """Holds, if what was found stands to what the paper says as the relation wants it.

        Of an interval the whole must stand so. It does not hold if nothing within the interval stands so; between the
        two it is undecided, as it is where there is a doubt.
        """
        if not _number(self.found):
            return UNTESTED
        if isinstance(self.doubt, str):  # a frame's column may have NaN for None
            return UNDECIDED
        ends = (self.low, self.high) if _number(self.low) and _number(self.high) else (self.found, self.found)
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


def scorecard(claims: Iterable[Claim]) -> pd.DataFrame:
    """One row per claim: the fields of `Claim` (NaN for no number, None for no doubt), and verdict."""
    claims = list(claims)
    for each in claims:
        if each.relation not in RELATIONS:
            raise ClaimError(f"relation {each.relation!r} of a claim: one of {', '.join(RELATIONS)}")
    frame = pd.DataFrame(claims, columns=list(Claim._fields))
    numbers = dict.fromkeys(("paper", "found", "low", "high", "tolerance"), float)
    columns = ["claim", "relation", "paper", "found", "low", "high", "tolerance", "evidence", "doubt"]
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
    for name in Claim._fields:
        if name not in row:
            raise ClaimError(f"claims: the row {row.get('claim')!r:.60} has no {name!r}; {remedy}")
        kinds, kind = _kinds(name, row.get("found") is not None)
        if not isinstance(row[name], kinds):
            raise ClaimError(
                f"claims: {name} of {row['claim']!r:.60} is {row[name]!r:.60}, but must be {kind}; {remedy}"
            )
    return Claim(**{name: row[name] for name in Claim._fields})


def _kinds(name: str, tested: bool) -> tuple[tuple[type, ...], str]:
    """What a field of a claim may hold, as types and in words; what was found is held against paper and tolerance."""
    if name in ("claim", "evidence", "relation"):
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
    evidence = [evidence_text(*each) for each in verdicts[["evidence", "doubt"]].itertuples(index=False)]
    shown = verdicts.drop(columns=["relation", "low", "high", "doubt"])
    shown = shown.assign(paper=said, found=found, evidence=evidence)
    left = [{"selector": "th, td", "props": "text-align: left"}]
    styled = shown.style.format(precision=3, escape="html").hide(axis="index").set_table_styles(left)
    return styled.map(lambda verdict: "font-weight: bold" if verdict == FAILS else "", subset=["verdict"])


def found_text(found: float, low: float, high: float) -> str:
    """A number as scorecards show it, with its interval; a dash for none."""
    if not _number(found):
        return "–"
    return f"{found:,.3f}" + (f" ({low:,.3f} to {high:,.3f})" if _number(low) else "")


def evidence_text(evidence: str, doubt: str | None) -> str:
    """The evidence as scorecards show it, with what keeps it from deciding."""
    return f"{evidence}; {doubt}" if isinstance(doubt, str) else evidence


def _number(value: float | None) -> bool:
    return value is not None and not math.isnan(value)
