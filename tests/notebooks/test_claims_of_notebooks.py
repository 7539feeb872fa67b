"""Every claim of every notebook keeps to the rules of verdicts; and a claim that breaks one is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from helpers.notebooks import NOTEBOOKS, claims, code, stored
from helpers.rules_of_verdicts import broken

from fastscale_lib.analysis.claims import BEYOND, HOLDS, PAPER, UNDECIDED, WITHIN_ONE_RUN, Claim, scorecard

JUDGING = [path for path in NOTEBOOKS if any("Scorecard(" in cell.source for cell in code(stored(path)))]
AROUND = "an interval has two ends, around what was found"
REASON = "what is not tested has a reason and no number"
NOTHING = "what judges nothing decides nothing"
EXACT = "counts are exact"
RANGE = "fewer than six blocks have a range, and no interval"
ONE_RUN = "an interval of measured times is of one run"
PAPERS = "the paper speaks of ConvNets, GPUs, ImageNet and large s"
BAND = "a predicted time has the band of its model"
SEEDS = "errors over seeds are compared one-sided, by intervals"
HOLM = "correlations are corrected by Holm"
BEST = "a model is compared with the best baseline"

COUNTED = Claim("activations: dWr over w", 1, 0.9, relation="<")
TIMED = Claim("time on a GPU (a chip): dWr over w", 1, 0.9, relation="<", evidence="measured", low=0.8, high=0.95)
TIMED = replace(TIMED, details=f"a chip; {WITHIN_ONE_RUN}")
DOUBTED = replace(TIMED, claim="time on a GPU: dWr over dw", low=None, high=None, details="a chip")
DOUBTED = replace(DOUBTED, doubt="w: 5 blocks of runs (range ±2 %) give no interval")
FOLLOWS = Claim("number of comparisons with another metric above activations, on a GPU: a chip", 0, 1, low=1, high=2)
DETAILS = "flops: 1 behind; params: 1 undecided; Holm over 2 comparisons"
FOLLOWS = replace(FOLLOWS, evidence="published", details=DETAILS)
BOUGHT = Claim("ratio of flops bought by time on a CPU", 1, 2, scope=BEYOND, evidence="predicted", relation=">")
BOUGHT = replace(BOUGHT, low=1.6, high=2.5, details="42 rows of a chip, 90 % within 25 %")
TRAINED = Claim("error of A: dWr less w", 0, -1, scope=BEYOND, evidence="trained", relation="<", low=-2, high=-0.5)
TRAINED = replace(TRAINED, details="a chip: images, 3 seeds; one-sided")
ERROR = Claim("median error of predicted times on families left out, over the best that is fitted to counts", 1, 0.9)
ERROR = replace(ERROR, scope=BEYOND, evidence="predicted", relation="<", details="42 rows of a chip")
UNTESTED = Claim("time on a GPU", 1, None, evidence="measured", relation="<", details="no rows of a GPU")
EXPONENT = Claim("activations under w, for large s", 0.5, 0.5, 0.1)
KEPT = (COUNTED, TIMED, DOUBTED, FOLLOWS, BOUGHT, TRAINED, ERROR, UNTESTED, EXPONENT)


@pytest.mark.parametrize("path", JUDGING, ids=lambda path: path.stem)
def test_claims_keep_to_the_rules_of_verdicts(path, executed):
    found = claims(executed(path))
    assert len(found) > 9
    assert broken(found) == []


def test_claims_that_keep_to_the_rules_are_left_alone():
    assert broken(scorecard(KEPT)) == []


def _breaks(kept: Claim, rule: str, **changed: Any) -> Any:
    return pytest.param(replace(kept, **changed), rule, id=f"{KEPT.index(kept)}-{'-'.join(changed)}")


@pytest.mark.parametrize(
    ("claim", "rule"),
    [
        _breaks(TIMED, AROUND, high=None),
        _breaks(TIMED, AROUND, found=0.7),
        _breaks(UNTESTED, REASON, details=""),
        _breaks(UNTESTED, REASON, low=0.8, high=0.9),
        _breaks(TIMED, NOTHING, details=f"a chip; {WITHIN_ONE_RUN}; launch-bound"),
        _breaks(COUNTED, EXACT, low=0.8, high=0.95),
        _breaks(COUNTED, EXACT, doubt="rounded"),
        _breaks(TIMED, RANGE, doubt=DOUBTED.doubt),
        _breaks(DOUBTED, RANGE, doubt="6 blocks of runs give no interval"),
        _breaks(TIMED, ONE_RUN, details="a chip"),
        _breaks(TIMED, ONE_RUN, low=None, high=None),
        _breaks(TIMED, PAPERS, claim="time on a CPU, and on a GPU"),
        _breaks(TIMED, PAPERS, claim="time: dWr over w"),
        _breaks(COUNTED, PAPERS, claim="ViT-S/16: dWr over w"),
        _breaks(TRAINED, PAPERS, scope=PAPER),
        _breaks(EXPONENT, PAPERS, claim="activations at 16× flops"),
        _breaks(FOLLOWS, PAPERS, claim=FOLLOWS.claim.replace("activations", "flops")),
        _breaks(BOUGHT, BAND, low=1.9),
        _breaks(BOUGHT, BAND, details="42 rows of a chip"),
        _breaks(TRAINED, SEEDS, relation="="),
        _breaks(TRAINED, SEEDS, details="a chip: images, 3 seeds"),
        _breaks(FOLLOWS, HOLM, details="flops: 1 behind; params: 1 undecided"),
        _breaks(FOLLOWS, HOLM, low=0),
        _breaks(ERROR, BEST, claim=ERROR.claim.replace("the best", "those")),
    ],
)
def test_a_claim_that_breaks_a_rule_is_found(claim, rule):
    assert broken(scorecard([claim])) == [f"{rule}: {claim.claim}"]


def test_claims_that_stand_twice_and_trainings_left_apart_are_found():
    assert broken(scorecard([COUNTED, COUNTED])) == [f"two claims have one text: {COUNTED.claim}"]
    both = [TRAINED, replace(TRAINED, claim="error of A: dWr less dwr")]
    assert [text.partition(":")[0] for text in broken(scorecard(both))] == ["trainings are corrected together"] * 2
    together = [replace(each, details=f"{each.details}, Holm over 2 comparisons") for each in both]
    assert broken(scorecard(together)) == []


def test_verdicts_that_do_not_follow_are_found():
    """Such as no `Claim` reaches by itself."""
    doubted = replace(DOUBTED, doubt="two days apart")
    assert broken(scorecard([doubted]).assign(verdict=HOLDS)) == [f"what decides is beyond doubt: {doubted.claim}"]
    either = broken(scorecard([COUNTED]).assign(verdict=UNDECIDED))
    assert either == [f"what is undecided may be either: {COUNTED.claim}"]
