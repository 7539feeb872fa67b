"""Claims: what the paper predicts beside what came out, and a verdict that follows from the two."""

import json
import math
from fractions import Fraction

import pandas as pd
import pytest
from helpers.notebooks import REPO

from fastscale_lib.analysis.claims import (
    BEYOND,
    CLASSIC,
    FAILS,
    HOLDS,
    MIME,
    PAPER,
    RULES,
    UNDECIDED,
    UNTESTED,
    Claim,
    ClaimError,
    Scorecard,
    gathered,
    kind_of_network,
    scope_of,
    scorecard,
    table,
)


@pytest.mark.parametrize(
    ("paper", "found", "tolerance", "verdict"),
    [
        (0.6, 0.61, 0.02, HOLDS),
        (0.6, 0.57, 0.02, FAILS),  # too low is as wrong
        (0.6, 0.63, 0.02, FAILS),  # as too high
        (0.5, 0.75, 0.25, HOLDS),  # the tolerance's ends belong to it
        (Fraction(3, 5), 0.611, 0.02, HOLDS),  # laws are fractions
        (0, 0, 0, HOLDS),
        (0, 1, 0, FAILS),
        (0.6, math.inf, 0.02, FAILS),
        (0.6, None, 0.02, UNTESTED),
        (0.6, math.nan, math.inf, UNTESTED),  # no tolerance makes nothing hold
    ],
)
def test_verdicts(paper, found, tolerance, verdict):
    assert Claim("activations under dWr", paper, found, tolerance).verdict == verdict


def test_without_a_tolerance_only_the_very_number_holds():
    assert Claim("pairs in another order", 0, 0).verdict == HOLDS
    assert Claim("activations under w", 0.5, 0.5 + 1e-12).verdict == FAILS


@pytest.mark.parametrize(
    ("relation", "found", "tolerance", "verdict"),
    [
        ("<", 0.99, 0, HOLDS),
        ("<", 1, 0, FAILS),  # as much is not less
        ("<", 1.05, 0.1, HOLDS),  # nearly
        ("<", 1.25, 0.25, HOLDS),
        ("<", 1.2, 0.1, FAILS),
        (">", 1.01, 0, HOLDS),
        (">", 1, 0, FAILS),
        (">", 0.75, 0.25, HOLDS),
        (">", 0.7, 0.25, FAILS),
        ("<", None, 0, UNTESTED),
        (">", math.nan, 1, UNTESTED),
        ("<", math.inf, 0, FAILS),
    ],
)
def test_a_claim_can_be_that_something_is_less_or_more(relation, found, tolerance, verdict):
    assert Claim("time beside w", 1, found, tolerance, relation=relation).verdict == verdict


@pytest.mark.parametrize(
    ("relation", "low", "high", "tolerance", "verdict"),
    [
        ("=", -0.4, 0.3, 0.5, HOLDS),  # similar: all of the interval is
        ("=", 0.2, 0.7, 0.5, UNDECIDED),
        ("=", -0.9, 0.9, 0.5, UNDECIDED),
        ("=", 0.6, 0.9, 0.5, FAILS),
        ("=", -0.9, -0.6, 0.5, FAILS),
        ("<", -0.4, -0.1, 0, HOLDS),
        ("<", -0.4, 0.0, 0, UNDECIDED),
        ("<", 0.0, 0.4, 0, FAILS),
        ("<", -0.4, 0.1, 0.2, HOLDS),
        (">", 0.1, 0.4, 0, HOLDS),
        (">", -0.1, 0.4, 0, UNDECIDED),
        (">", -0.4, -0.1, 0, FAILS),
    ],
)
def test_where_chance_has_a_part_the_whole_interval_decides(relation, low, high, tolerance, verdict):
    found = (low + high) / 2
    assert Claim("error less w's", 0, found, tolerance, relation=relation, low=low, high=high).verdict == verdict


@pytest.mark.parametrize(("found", "verdict"), [(0.5, UNDECIDED), (2.0, UNDECIDED), (None, UNTESTED)])
def test_what_is_in_doubt_decides_nothing_and_says_why(found, verdict):
    """As a single block of runs, which has no interval; shown with the evidence, and kept as data."""
    claim = Claim(
        "time over w", 1, found, evidence="measured", details="A chip", relation="<", doubt="a single block of runs"
    )
    assert claim.verdict == verdict
    bundle = Scorecard([claim])._repr_mimebundle_()
    assert "A chip; a single block of runs</td>" in bundle["text/html"]
    again = gathered(json.loads(json.dumps(bundle[MIME])))
    assert again[["doubt", "verdict"]].iloc[0].tolist() == ["a single block of runs", verdict]


def test_no_doubt_is_none_or_what_a_frame_makes_of_it():
    assert Claim("time", 1, 0.5, relation="<", doubt=math.nan).verdict == HOLDS


@pytest.mark.parametrize(
    ("field", "given", "said"),
    [
        ("relation", "≈", "relation '≈' of a claim: give one of =, <, >"),
        ("evidence", "measured on a CPU", "evidence 'measured on a CPU' of a claim: give one of counted, measured, "),
        ("headline", "mine", "headline 'mine' of a claim: give one of fast, compound, "),
        ("scope", "mine", "scope 'mine' of a claim: give one of the paper's, beyond the paper"),
    ],
)
def test_a_field_that_takes_a_word_takes_no_other(field, given, said):
    with pytest.raises(ClaimError, match=said):
        Claim("time", 1, 1, **{field: given})


def test_claims_beyond_the_paper_come_last_and_keep_their_order():
    claims = [Claim("a", 1, 1, scope=BEYOND), Claim("b", 1, 1), Claim("c", 1, 1, scope=BEYOND), Claim("d", 1, 1)]
    frame = scorecard(claims)
    assert frame["claim"].tolist() == ["b", "d", "a", "c"]
    assert frame["scope"].tolist() == [PAPER, PAPER, BEYOND, BEYOND]
    html = table(frame).to_html()
    assert html.count(f"{BEYOND}</td>") == 2


def test_what_is_not_tested_shows_no_kind_of_evidence():
    html = table(scorecard([Claim("time", 1, None, evidence="measured", details="no rows of a GPU")])).to_html()
    assert "measured" not in html
    assert ">no rows of a GPU</td>" in html


def test_words_in_a_claim_s_text_set_neither_scope_nor_evidence():
    """They were parsed from the beginnings of the texts."""
    frame = scorecard([Claim("beyond the paper: time", 1, 1, evidence="trained", details="measured on a CPU")])
    assert frame[["scope", "evidence"]].iloc[0].tolist() == [PAPER, "trained"]


CLAIMS = [
    Claim("activations under w", Fraction(1, 2), 0.517, 0.02, details="EfficientNet-B0"),
    Claim("activations under dw", 0.75, 0.674, 0.05, details="RegNetZ-500MF"),
    Claim("time follows activations", 1, None),
]


def test_a_scorecard_has_a_row_for_each_claim():
    frame = scorecard(CLAIMS)
    columns = ["claim", "scope", "relation", "paper", "found", "low", "high", "tolerance", "evidence", "details"]
    columns += ["doubt", "headline", "words", "verdict"]
    assert list(frame) == columns
    assert frame["claim"].tolist() == [each.claim for each in CLAIMS]
    assert frame["verdict"].tolist() == [HOLDS, FAILS, UNTESTED]
    assert frame["paper"].tolist() == [0.5, 0.75, 1.0]
    assert frame["found"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize("claims", [[], CLAIMS[2:], CLAIMS])
def test_a_scorecard_s_columns_are_of_the_same_kind_however_few_the_claims(claims):
    frame = scorecard(each for each in claims)  # any iterable will do
    assert len(frame) == len(claims)
    assert all(frame[name].dtype == float for name in ("paper", "found", "tolerance"))
    assert table(frame).to_html().count("<tr>") == 1 + len(claims)


def test_a_table_shows_every_claim_in_full_and_what_does_not_hold_in_bold():
    long = Claim("activations " * 40, 0.75, 0.674, evidence="counted")
    html = table(scorecard([*CLAIMS, long])).to_html()
    assert long.claim in html
    assert ">0.517</td>" in html
    assert ">–</td>" in html  # nothing was found
    assert "nan" not in html
    styled, _ = html.split("</style>")
    assert [f"row{row}_col7" in styled for row in range(4)] == [False, True, False, True]
    assert "bold" in styled


def test_text_in_a_table_stays_text():
    html = table(scorecard([Claim("<b>s</b> & α < 1", 1, 1, details="<script>alert(1)</script>")])).to_html()
    assert "&lt;b&gt;s&lt;/b&gt; &amp; α &lt; 1" in html
    assert "<script>" not in html


def test_a_scorecard_is_left_as_it_was():
    frame = scorecard(CLAIMS)
    before = frame.copy()
    table(frame).to_html()
    pd.testing.assert_frame_equal(frame, before)


def test_a_notebook_keeps_its_verdicts_as_data_too():
    less = Claim("memory beside EfficientNet-B4", 1, 0.8, evidence="counted", relation="<")
    close = Claim("error of dWr less dwr", 0, 0.1, 0.5, evidence="trained", details="a CPU", low=-0.2, high=0.4)
    card = Scorecard([*CLAIMS, less, close])
    bundle = card._repr_mimebundle_()
    assert ">0.100 (-0.200 to 0.400)</td>" in bundle["text/html"]
    assert ">&lt; 1.000</td>" in bundle["text/html"]
    assert "time follows activations" in bundle["text/plain"]
    rows = json.loads(json.dumps(bundle[MIME], allow_nan=False))  # as it lies in the file
    pd.testing.assert_frame_equal(gathered(rows), card.frame)


def test_a_verdict_that_was_written_into_the_data_does_not_count():
    [row] = Scorecard([Claim("activations under w", 0.5, 0.9)])._repr_mimebundle_()[MIME]
    assert gathered([{**row, "verdict": HOLDS}])["verdict"].tolist() == [FAILS]


def test_the_documentation_states_the_rules_of_verdicts_word_for_word():
    text = " ".join((REPO / "docs" / "concepts.md").read_text("utf-8").split())
    assert all(rule in text for rule in RULES)


def test_convnext_and_transformers_are_beyond_the_paper():
    kinds = {"ViT-S/16": "ViT", "DeiT-Ti w": "ViT", "ConvNeXtV2-T": "ConvNeXt", "ResNet-50": CLASSIC, "a net": CLASSIC}
    assert {name: kind_of_network(name) for name in kinds} == kinds
    assert {name for name in kinds if scope_of(name) == PAPER} == {"ResNet-50", "a net"}
    assert scope_of("ResNet-50", BEYOND) == BEYOND
