"""Ratios of two networks' costs, and the claims on them."""

import math

import pandas as pd
import pytest

from fastscale_lib.analysis.claims import BEYOND, FAILS, HOLDS, PAPER, UNDECIDED, UNTESTED
from fastscale_lib.analysis.pair_claims import (
    counted_ratios,
    error_claims,
    measured_ratios,
    published_ratios,
    ratio_claims,
    unmeasured_claims,
)

BOTH = "Big over Rival"


def measured(device: str, **more) -> pd.DataFrame:
    row = {"device": device, "device_name": "A chip", "mode": "training", "named": "A chip, training", "ratio": 0.8}
    return pd.DataFrame(
        [row | {"low": 0.7, "high": 0.9, "doubt": None, "left_out": None, "memory_ratio": math.nan} | more]
    )


def test_counted_ratios_are_of_counts_and_memory():
    counts = pd.DataFrame({"flops": [4, 1], "params": [3, 1], "activations": [1, 2]}, index=["Big", "Rival"])
    peaks = pd.DataFrame({"Rival": [2.0], "Big": [1.0]}, index=["training"])  # in any order
    ratios = counted_ratios(counts, peaks, BOTH, "live tensors", PAPER)
    assert [(each.cost, each.ratio) for each in ratios] == [
        ("flops", 4),
        ("params", 3),
        ("activations", 0.5),
        ("peak memory in training", 0.5),
    ]
    claims = ratio_claims(ratios)
    assert [each.claim for each in claims] == [
        f"ratio of activations: {BOTH}",
        f"ratio of peak memory in training: {BOTH}",
    ]
    assert [(each.verdict, each.evidence, each.scope) for each in claims] == [(HOLDS, "counted", PAPER)] * 2


def test_published_times_of_designed_networks_are_beyond_the_paper():
    times = pd.DataFrame({"source": ["early_convolutions_table2", "pycls_zoo_v100"], "device_name": "V100"})
    times = times.assign(mode="training", ratio=[0.9, 1.1])
    claims = ratio_claims(published_ratios(times, "RegNetY-16GF", "Rival", PAPER))
    assert [(each.verdict, each.scope) for each in claims] == [(HOLDS, PAPER), (FAILS, BEYOND)]
    assert claims[0].claim == "ratio of time in training: RegNetY-16GF, fast-scaled, over Rival, on a V100"
    assert claims[0].details == "Early Convolutions, on a V100"
    for published_as, scope in (("RegNetY-8GF", PAPER), ("RegNetY-16GF", BEYOND)):
        assert {each.scope for each in published_ratios(times, published_as, "Rival", scope)} == {BEYOND}


@pytest.mark.parametrize(("device", "place", "scope"), [("cuda", "a GPU", PAPER), ("cpu", "a CPU", BEYOND)])
def test_measured_ratios_are_judged_by_their_intervals(device, place, scope):
    [claim] = ratio_claims(measured_ratios(measured(device), BOTH, PAPER))  # there is no memory to judge
    assert claim.claim == f"ratio of time in training: {BOTH}, on {place} (A chip, training)"
    assert (claim.low, claim.high, claim.verdict, claim.scope) == (0.7, 0.9, HOLDS, scope)
    [claim] = ratio_claims(measured_ratios(measured(device, doubt="a single block of runs"), BOTH, PAPER))
    assert claim.verdict == UNDECIDED


def test_what_no_gpu_has_measured_is_not_tested():
    claims = unmeasured_claims(measured("cuda"), BOTH, PAPER)
    assert [each.claim for each in claims] == [
        f"ratio of time in inference: {BOTH}, on a GPU",
        f"ratio of measured memory in inference: {BOTH}, on a GPU",
        f"ratio of measured memory in training: {BOTH}, on a GPU",
    ]
    assert {each.verdict for each in claims} == {UNTESTED}
    assert len(unmeasured_claims(measured("cpu"), BOTH, PAPER)) == 4


def test_errors_are_judged_table_by_table_and_untested_without_any():
    index = pd.MultiIndex.from_tuples([("early_convolutions_table2", 100)], names=["source", "epochs"])
    errors = pd.DataFrame({"difference": [0.4]}, index=index)
    [claim] = error_claims(errors, "RegNetY-16GF", "Rival", "Big", 0.5, PAPER)
    assert (claim.found, claim.verdict, claim.scope, claim.evidence) == (0.4, HOLDS, PAPER, "published")
    [claim] = error_claims(errors.iloc[:0], "RegNetY-16GF", "Rival", "Big", 0.5, PAPER)
    assert (claim.verdict, claim.details) == (UNTESTED, "no published errors of both")
