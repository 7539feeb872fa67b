"""Claims on growth and order of activations and times, of scaled and designed networks."""

import pandas as pd
import pytest

import fastscale_lib as fs
from fastscale_lib.analysis.claims import BEYOND, FAILS, HOLDS, UNTESTED
from fastscale_lib.analysis.order_claims import (
    growth_claims,
    order_claim,
    scaled_and_designed_claim,
    time_order_claims,
)

WAYS = ["w", "dwr", "dWr"]  # by their laws activations grow as s to 1/2, 5/6 and 3/5
IN_ORDER = pd.DataFrame({"w": [1.0, 2.0], "dwr": [1.5, 4.0], "dWr": [1.2, 3.0]})


def test_growth_is_that_of_the_network_farthest_from_the_law():
    frame = fs.scaling.regimes(["RegNetY-400MF", "RegNetY-4.0GF"], WAYS)
    designed, *scaled = growth_claims(frame, WAYS, 0.05)
    assert (designed.paper, designed.scope, designed.verdict) == (0.5, BEYOND, HOLDS)
    assert designed.claim == "exponent of activations, designed RegNetY (Radosavovic et al.)"
    assert [each.paper for each in scaled] == pytest.approx([1 / 2, 5 / 6, 3 / 5])
    assert {each.scope for each in scaled} == {BEYOND}
    own = frame[frame["strategy"] == "dwr"].groupby("network")
    farthest = max((fs.analysis.growth(rows) for _, rows in own), key=lambda found: abs(found - 5 / 6))
    assert scaled[1].found == farthest


def test_an_order_is_counted_pair_by_pair():
    claim = order_claim(IN_ORDER, WAYS)
    assert (claim.found, claim.verdict, claim.details) == (0, HOLDS, "6 pairs")
    claim = order_claim(IN_ORDER.assign(dWr=[0.9, 5.0]), WAYS)
    assert (claim.found, claim.verdict) == (2, FAILS)
    assert order_claim(IN_ORDER, ["w"]).verdict == UNTESTED


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_times_are_judged_by_device(device):
    index = pd.MultiIndex.from_product([["A chip, training"], ["RegNetY-400MF"], ["RegNetY-800MF", "RegNetY-1.6GF"]])
    times = IN_ORDER.set_axis(index.set_names(["case", "network", "regime"]))
    told = {"device": device, "named": "A chip", "source": "own.jsonl", "error": 0.08, "widest": 0.2}
    cases = pd.DataFrame([told], index=["A chip, training"])
    claim, *rest = time_order_claims(times, cases, WAYS, "training")
    assert (claim.found, claim.verdict, claim.scope, claim.evidence) == (0, HOLDS, BEYOND, "predicted")
    assert claim.details == (
        "rows of A chip, training, of own.jsonl, median error 8%, 20% of networks beyond the fitted; 6 pairs"
    )
    assert [each.verdict for each in rest] == ([] if device == "cuda" else [UNTESTED])


def test_errors_within_those_of_the_same_networks_tell_nothing():
    scaled = pd.Series([False, False, True])
    claim = scaled_and_designed_claim(pd.Series([-4.0, -1.0, -2.0]), scaled, 0.0)
    assert claim.verdict == UNTESTED
    assert claim.details.startswith("training differs: of the same networks, errors differ by 1.0 to 4.0 points")
    claim = scaled_and_designed_claim(pd.Series([-4.0, -1.0, -5.0]), scaled, 0.0)
    assert (claim.found, claim.verdict) == (-2.5, HOLDS)
