"""The paper's claims beside what comes out here, with a verdict that is computed and can fail."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd
from pandas.io.formats.style import Styler

HOLDS, FAILS, UNTESTED = "holds", "does not hold", "not tested here"


class Claim(NamedTuple):
    """One claim: `paper` is the number that it predicts, `found` the one that came out (None: nothing did)."""

    claim: str
    paper: float
    found: float | None
    tolerance: float = 0.0
    evidence: str = "counted"

    @property
    def verdict(self) -> str:
        """Holds, if what was found lies within the tolerance of what the paper predicts."""
        if self.found is None or math.isnan(self.found):
            return UNTESTED
        return HOLDS if abs(self.found - self.paper) <= self.tolerance else FAILS


def scorecard(claims: Iterable[Claim]) -> pd.DataFrame:
    """One row per claim: claim, paper, found (NaN where nothing was), tolerance, evidence, verdict."""
    claims = list(claims)
    frame = pd.DataFrame(claims, columns=list(Claim._fields))
    numbers = dict.fromkeys(("paper", "found", "tolerance"), float)
    return frame.astype(numbers).assign(verdict=[each.verdict for each in claims])


def table(verdicts: pd.DataFrame) -> Styler:
    """A scorecard as notebooks show it: every text escaped and in full, what does not hold in bold."""
    left = [{"selector": "th, td", "props": "text-align: left"}]
    shown = verdicts.style.format(precision=3, na_rep="–", escape="html").hide(axis="index").set_table_styles(left)
    return shown.map(lambda verdict: "font-weight: bold" if verdict == FAILS else "", subset=["verdict"])
