"""The paper's central claims, judged by the claims that are evidence of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pandas as pd

from .._common.frames import dicts
from .claims import BEYOND, EVIDENCE, FAILS, HEADLINES, HOLDS, PAPER, UNDECIDED, UNTESTED, VERDICTS

_SINGLE = {HOLDS: HOLDS, FAILS: FAILS, UNDECIDED: f"is {UNDECIDED}", UNTESTED: f"is {UNTESTED}"}
_SEVERAL = {HOLDS: "hold", FAILS: "do not hold", UNDECIDED: f"are {UNDECIDED}", UNTESTED: f"are {UNTESTED}"}


def headlines(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Judge each central claim of the paper that one of these claims is evidence of.

    Arguments:
        verdicts: of `scorecard`, with a column report: where each claim is shown.

    Returns:
        One row per central claim, in the order of `HEADLINES`. Columns: headline, statement (what the paper says),
        found (sentences on what came out), verdict, evidence (kinds of it, in words), reports (where it is shown).
    """
    rows = []
    for name, statement in HEADLINES.items():
        own = [row for row in dicts(verdicts) if row["headline"] == name] if len(verdicts) else []
        if own:
            tested = [row for row in own if row["verdict"] != UNTESTED]
            rows.append(
                {
                    "headline": name,
                    "statement": statement,
                    "found": _found(tested, len(own) - len(tested)),
                    "verdict": _verdict(own),
                    "evidence": _evidence([row for row in tested if _is_paper(row)]) or "–",
                    "reports": _distinct(row["report"] for row in tested or own),
                }
            )
    return pd.DataFrame(rows, columns=["headline", "statement", "found", "verdict", "evidence", "reports"])


def _distinct(reports: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for each in reports:
        if each not in found:
            found.append(each)
    return found


def _evidence(tested: list[dict]) -> str:
    """Name the kinds of evidence, and the device or table where all of a kind is from one."""
    said = []
    for kind in EVIDENCE:
        own = [row for row in tested if row["evidence"] == kind]
        sources = {row["details"].split("; ")[0] for row in [row for row in own if not _doubted(row)] or own}
        source = next(iter(sources)) if kind != "counted" and len(sources) == 1 else ""
        said += [f"{kind}: {source}" if source else kind] if own else []
    return "; ".join(said)


def _is_paper(row: dict) -> bool:
    return row["scope"] == PAPER


def _doubted(row: dict) -> bool:
    return isinstance(row["doubt"], str) and row["verdict"] == UNDECIDED


def _verdict(rows: list[dict]) -> str:
    """Apply the last of `RULES`."""
    own = [row for row in rows if _is_paper(row) and row["verdict"] != UNTESTED]
    if not own:
        return UNTESTED
    judging = [row["verdict"] for row in own if not _doubted(row)]
    counts = Counter(judging)
    if counts[FAILS] > counts[HOLDS]:
        return FAILS
    return HOLDS if not counts[FAILS] and 2 * counts[HOLDS] > len(judging) else UNDECIDED


def _found(tested: list[dict], untested: int) -> str:
    said = []
    for scope in (PAPER, BEYOND):
        for kind in EVIDENCE:
            own = [row for row in tested if row["evidence"] == kind and row["scope"] == scope]
            judging = [row for row in own if not _doubted(row)]
            parts = [(_values(judging) if scope == PAPER else "") or _counted(judging)] if judging else []
            if doubted := len(own) - len(judging):
                parts.append(f"{doubted}{' more' if judging else ''} {_are(doubted)} in doubt")
            if parts:
                said.append(f"{'beyond the paper, ' if scope == BEYOND else ''}{kind}: {'; '.join(parts)}")
    if untested:
        said.append(f"{untested} {_are(untested)} not tested here")
    return " ".join(f"{each[0].upper()}{each[1:]}." for each in said)


def _values(rows: list[dict]) -> str:
    """Say the numbers found, each in the claim's own words; "" where a claim has none."""
    if not all(row["words"] for row in rows):
        return ""
    by_words: dict[str, list[float]] = {}
    for row in rows:
        by_words.setdefault(row["words"], []).append(row["found"])
    said = [words.replace("{}", _span(found)) for words, found in by_words.items()]
    failing = sum(row["verdict"] != HOLDS for row in rows)
    return ", ".join(said) + (f" ({_counted(rows)})" if failing else "")


def _span(found: list[float]) -> str:
    low, high = f"{min(found):.2f}", f"{max(found):.2f}"
    return (low if low == high else f"{low} to {high}").replace("-", "−")


def _counted(rows: list[dict]) -> str:
    verdicts = [row["verdict"] for row in rows]
    if len(set(verdicts)) > 1:
        return f"of {len(rows)}, {verdicts_in_words(verdicts)}"
    if len(rows) < 3:
        return f"both {_SEVERAL[verdicts[0]]}" if len(rows) == 2 else f"the one claim {_SINGLE[verdicts[0]]}"
    return f"all {verdicts_in_words(verdicts)}"


def verdicts_in_words(verdicts: Iterable[str]) -> str:
    """Count verdicts in words, as "2 hold, 1 is undecided".

    Arguments:
        verdicts: of claims, in any order.
    """
    counts = Counter(verdicts)
    words = {each: _SINGLE if counts[each] == 1 else _SEVERAL for each in VERDICTS if counts[each]}
    return ", ".join(f"{counts[each]} {said[each]}" for each, said in words.items())


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
