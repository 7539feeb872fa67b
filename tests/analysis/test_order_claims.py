"""Claims on growth and order of activations and times, of scaled and designed networks."""

import pandas as pd
import pytest

import fastscale_lib as fs
from fastscale_lib.analysis.claims import BEYOND, FAILS, HOLDS, UNDECIDED, UNTESTED
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


def predicted(device: str, band: float) -> pd.DataFrame:
    """Times of two regimes in the order of the laws, whose 90 % bands are so wide."""
    rows = IN_ORDER.assign(regime=["RegNetY-800MF", "RegNetY-1.6GF"]).melt("regime", var_name="strategy")
    rows = rows.rename(columns={"value": "ms_per_image"}).assign(case="A chip, training", network="RegNetY-400MF")
    rows = rows.assign(device=device, named="A chip", source="own.jsonl", error=0.08)
    return rows.assign(high_90_ms=rows["ms_per_image"] * (1 + band))


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_predicted_times_are_judged_by_device_and_by_their_bands(device):
    claim, *rest = time_order_claims(predicted(device, 0.15), WAYS, "training")
    assert (claim.found, claim.low, claim.high, claim.verdict) == (0, 0, 0, HOLDS)
    assert (claim.scope, claim.evidence) == (BEYOND, "predicted")
    assert claim.details == ("rows of A chip, training, of own.jsonl, median error 8%, nine in ten within 15%; 6 pairs")
    assert [each.verdict for each in rest] == ([] if device == "cuda" else [UNTESTED])
    alone, *_ = time_order_claims(predicted(device, 0.15), ["w"], "training")
    assert (alone.verdict, alone.low, alone.details) == (UNTESTED, None, "the laws order no two of these strategies")


def test_a_band_wider_than_a_ratio_leaves_its_order_open():
    """The least ratio is 1.2 (dWr over w), the next 1.25 and 4/3; the others are 1.5 and 2."""
    found = {band: time_order_claims(predicted("cuda", band), WAYS, "training")[0] for band in (0.22, 0.4, 1.1)}
    assert [(each.found, each.low, each.high) for each in found.values()] == [(0, 0, 1), (0, 0, 3), (0, 0, 6)]
    assert {each.verdict for each in found.values()} == {UNDECIDED}
    turned = predicted("cuda", 0.15).replace({"strategy": {"w": "dwr", "dwr": "w"}})
    [claim] = time_order_claims(turned, WAYS, "training")
    assert (claim.found, claim.low, claim.high, claim.verdict) == (6, 6, 6, FAILS)


def test_errors_within_those_of_the_same_networks_tell_nothing():
    scaled = pd.Series([False, False, True])
    claim = scaled_and_designed_claim(pd.Series([-4.0, -1.0, -2.0]), scaled, 0.0)
    assert claim.verdict == UNTESTED
    assert claim.details.startswith("training differs: of the same networks, errors differ by 1.0 to 4.0 points")
    claim = scaled_and_designed_claim(pd.Series([-4.0, -1.0, -5.0]), scaled, 0.0)
    assert (claim.found, claim.verdict) == (-2.5, HOLDS)


@pytest.mark.parametrize(
    ("gaps", "verdict", "ending"),
    [
        ([-2.0, -3.0], UNTESTED, "So the training may explain all of it."),
        ([-2.0, -9.0], UNTESTED, "So the training may explain that of 1 of 2 networks, and not of all."),
        ([-8.0, -9.0], HOLDS, "So not all of it can be put down to the training of the two tables."),
    ],
)
def test_claim_and_sentence_count_alike_what_training_may_explain(gaps, verdict, ending):
    both = pd.DataFrame({"gap": [-4.0, -1.0, *gaps], "family": ["EfficientNet"] * 2 + ["RegNetY"] * 2}, list("abcd"))
    both = both.assign(**{"activations (early)": 1.0, "activations (zoo)": [1.0, 1.0, 2.0, 2.0]})
    claim = scaled_and_designed_claim(both["gap"], both["family"] == "RegNetY", 0.0)
    assert claim.verdict == verdict
    assert fs.analysis.both_tables_text(both).endswith(ending)
    if "1 of 2" in ending:
        assert claim.details.endswith("as for 1 of 2 scaled networks")
