"""The paper's central claims, judged by the claims that are evidence of them."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest

from fastscale_lib.analysis.claims import BEYOND, FAILS, HEADLINES, HOLDS, UNDECIDED, UNTESTED, Claim, scorecard
from fastscale_lib.analysis.headlines import headlines


def judged(*claims: Claim) -> pd.Series:
    frame = scorecard(claims)
    [row] = headlines(frame.assign(report="04")).to_dict("records")
    return pd.Series(row)


def timed(found: float | None, **more) -> Claim:
    settings: dict[str, Any] = {"relation": "<", "evidence": "measured", "headline": "time"} | more
    return Claim("time over dwr", 1, found, **settings)


HELD, FAILED, OPEN = timed(0.8), timed(1.2), timed(1.0, low=0.9, high=1.1)


@pytest.mark.parametrize(
    ("claims", "verdict"),
    [
        ([HELD], HOLDS),
        ([HELD, HELD, OPEN], HOLDS),
        ([HELD, OPEN], UNDECIDED),
        ([HELD, HELD, FAILED], UNDECIDED),
        ([FAILED, FAILED, HELD], FAILS),
        ([OPEN], UNDECIDED),
        ([HELD, timed(1.3, doubt="launch-bound")], HOLDS),  # a doubtful time judges nothing
        ([timed(1.3, doubt="launch-bound")], UNDECIDED),
        ([HELD, timed(1.3, scope=BEYOND)], HOLDS),  # and neither does what goes beyond the paper
        ([timed(0.8, scope=BEYOND)], UNTESTED),
        ([timed(None)], UNTESTED),
    ],
)
def test_more_than_half_must_hold_and_none_may_fail(claims, verdict):
    assert judged(*claims)["verdict"] == verdict


def test_it_says_in_words_what_came_out():
    fast, wide = "{} times the time of dwr", "{} times the time of w"
    row = judged(
        timed(0.71, words=fast),
        timed(0.8, words=fast),
        timed(1.061, words=wide),
        timed(1.3, words=fast, doubt="launch-bound"),
        timed(1.2, words=fast, scope=BEYOND),
        timed(None),
    )
    assert row["statement"] == HEADLINES["time"]
    assert row["found"] == (
        "Measured: 0.71 to 0.80 times the time of dwr, 1.06 times the time of w (of 3, 2 hold, 1 does not hold); "
        "1 more is in doubt. Beyond the paper, measured: the one claim does not hold. 1 is not tested here."
    )
    assert row["evidence"] == "measured"


def test_numbers_without_words_are_counted_by_verdict():
    published = timed(0.5, evidence="published")
    row = judged(HELD, HELD, OPEN, published, published)
    assert row["found"] == "Measured: of 3, 2 hold, 1 is undecided. Published: both hold."
    assert row["evidence"] == "measured; published"


def test_evidence_from_one_source_is_named():
    chip, table = {"details": "NVIDIA H200, bf16; flops ahead"}, {"details": "Table 2", "evidence": "published"}
    assert judged(timed(0.8, **chip), timed(0.9, **chip))["evidence"] == "measured: NVIDIA H200, bf16"
    assert judged(timed(0.8, **chip), HELD, timed(0.8, **table))["evidence"] == "measured; published: Table 2"


def test_reports_that_show_it_are_named_once():
    frame = scorecard([HELD, HELD, Claim("else", 1, 1)])
    assert headlines(frame.assign(report=["04", "04", "05"]))["reports"].tolist() == [["04"]]
    assert headlines(scorecard([]).assign(report=[])).empty


def test_central_claims_are_sentences():
    assert all(re.fullmatch(r"[A-Z].*\.", sentence) for sentence in HEADLINES.values())
    assert len(HEADLINES) == 10
