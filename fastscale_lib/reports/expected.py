"""Verdicts of reports as a JSON file, and claims that are expected to hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from .._common.checks import shown
from .._common.frames import dicts
from ..analysis.claims import HOLDS, VERDICTS
from .result import Report
from .selection import SelectionError

VERDICTS_FILE = "verdicts.json"  # beside the index


class Expected(NamedTuple):
    """A claim that is to hold, in a report of this name; "" for any."""

    report: str
    claim: str


def verdicts_text(reports: Sequence[Report]) -> str:
    """Write the claims of reports with their verdicts, as a JSON list of objects."""
    rows = []
    for report in reports:
        plain = report.verdicts().to_json(orient="records", double_precision=15)  # NaN becomes null
        rows += [{"report": report.name, **row} for row in json.loads(plain)]
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def read_expected(path: str | PathLike) -> list[Expected]:
    """Read which claims are expected to hold: those of a list as `verdicts_text` writes it.

    Of each object, claim is needed. One with another verdict than "holds" is passed over, so that the verdicts of an
    earlier run say that what held then is to hold now.

    Raises:
        SelectionError: (a ValueError) the file is not there, or is no such list, or expects nothing.
    """
    wrong, rule = f"--expect {path}", f"give a list as {VERDICTS_FILE} of an earlier run"
    try:
        rows = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise SelectionError(f"{wrong} cannot be read ({error.strerror}); {rule}") from None
    except ValueError as error:
        raise SelectionError(f"{wrong} is no JSON ({error}); {rule}") from None
    if not isinstance(rows, list):
        raise SelectionError(f"{wrong} has {shown(rows)}, but must be a list; {rule}")
    expected = [_expected(row, f"{wrong}: entry {number}", rule) for number, row in enumerate(rows, 1)]
    if not (found := [each for each in expected if each is not None]):
        raise SelectionError(f"{wrong} expects no claim to hold; {rule}, of which one holds at least")
    return found


def _expected(row: Any, wrong: str, rule: str) -> Expected | None:
    if not isinstance(row, dict) or not isinstance(row.get("claim"), str):
        raise SelectionError(f"{wrong} is {shown(row)}, but must be an object with a claim; {rule}")
    verdict, report = row.get("verdict", HOLDS), row.get("report", "")
    if verdict not in VERDICTS or not isinstance(report, str):
        raise SelectionError(f"{wrong} has a verdict {shown(verdict)} of {shown(report)}; {rule}")
    return Expected(report, row["claim"]) if verdict == HOLDS else None


def unmet(expected: Sequence[Expected], reports: Sequence[Report]) -> list[str]:
    """List the expected claims that do not hold in these reports, in a sentence each.

    Those of a report that is not among these are left out; if that leaves none, this is said.
    """
    found = {Expected(each.name, row["claim"]): row["verdict"] for each in reports for row in dicts(each.verdicts())}
    names = [each.name for each in reports]
    asked = [each for each in expected if not each.report or each.report in names]
    if not asked:
        return ["none of the expected claims is of a report that was asked for"]
    said = []
    for each in asked:
        alike = [Expected(name, each.claim) for name in names if each.report in ("", name)]
        verdicts = [found[one] for one in alike if one in found]
        if not verdicts:
            said.append(f"expected to hold, but not stated: {each.claim}")
        elif set(verdicts) != {HOLDS}:
            said.append(f"expected to hold, but {next(one for one in verdicts if one != HOLDS)}: {each.claim}")
    return said
