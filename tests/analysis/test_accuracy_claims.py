"""Claims on accuracy: published errors at equal time and of one base, and errors of networks trained here."""

import pandas as pd
import pytest
from helpers.notebooks import REPO

import fastscale_lib as fs
from fastscale_lib.analysis import BEYOND, FAILS, HOLDS, UNDECIDED, UNTESTED

EARLY = fs.records.published_errors("early_convolutions_table2").query("epochs == 100")
ROWS = fs.records.read_rows(sorted((REPO / "data" / "measured" / "training").glob("*.jsonl")))


def made_up(strategy: str | None, error: float, seed: int) -> dict:
    """A row of a training; strategy None: of the base."""
    times = 4 if strategy else 1
    row = {"kind": "trained", "network_id": f"{strategy}", "network": strategy or "Tiny", "base": "Tiny"}
    row |= {"strategy": strategy, "scale": times, "data": "noise", "data_id": "n", "part": "test", "recipe_id": "r"}
    row |= {"flops": 10**6 * times, "params": 10, "activations": 20, "device_name": "Made-up GPU", "reason": None}
    return row | {"seed": seed, "top1_error": error, "seconds": 1800.0}


def made_up_rows(**means: float) -> pd.DataFrame:
    """Three seeds of the base and of each strategy, with these mean errors."""
    seeds = enumerate((-0.2, 0.0, 0.2))
    errors = {None: 10.0, **means}
    return pd.DataFrame([made_up(way, mean + off, seed) for seed, off in seeds for way, mean in errors.items()])


def test_the_largest_gap_at_equal_time_decides():
    claims = fs.analysis.equal_time_claims(EARLY, ["RegNetY", "RegNetZ"], 100, 0.0)
    for claim, family in zip(claims, ("RegNetY", "RegNetZ"), strict=True):
        assert claim.claim == f"error at equal training time: {family} (dWr) less EfficientNet (dwr)"
        gaps = fs.analysis.error_gaps(EARLY, family, "EfficientNet", "training_ms_per_image")["gap"]
        assert (claim.found, claim.verdict, claim.evidence) == (gaps.max(), HOLDS, "published")
    [claim] = fs.analysis.equal_time_claims(EARLY.head(0), ["RegNetY"], 100, 0.0)
    assert (claim.verdict, claim.details) == (UNTESTED, "no times that both families reach")


def test_of_one_base_what_is_published_is_judged_and_the_rest_left_open():
    ways = fs.analysis.errors_of_one_base(fs.records.published_errors())
    claims = {claim.claim.split(": ")[1]: claim for claim in fs.analysis.one_base_claims(ways, 0.0, 0.5)}
    first = claims["dwr less w"]
    assert (first.found, first.verdict) == (pytest.approx(-1.0), HOLDS)  # of MobileNetV2, the least of the four
    for pair in ("dWr less w", "dWr less dwr"):
        assert claims[pair].verdict == UNTESTED
        assert claims[pair].details.startswith("no table has errors of one ConvNet under both dWr and")


def test_a_table_with_errors_under_fast_scaling_is_judged():
    """As soon as the data has them; here with errors that are made up, and unlike."""
    ways = fs.analysis.errors_of_one_base(fs.records.published_errors())
    ways.loc["EfficientNet-B0", "dWr"] = 20.5
    claims = {claim.claim.split(": ")[1]: claim for claim in fs.analysis.one_base_claims(ways, 0.0, 0.5)}
    assert claims["dWr less w"].found == pytest.approx(20.5 - ways["w"]["EfficientNet-B0"])
    last = claims["dWr less dwr"]
    assert (last.found, last.verdict) == (pytest.approx(20.5 - ways["dwr"]["EfficientNet-B0"]), FAILS)
    assert last.details.endswith(": 1 base")


def test_own_trainings_hold_fail_or_leave_it_undecided():
    errors = fs.analysis.seed_errors(made_up_rows(w=8.0, dwr=7.0, dWr=7.3))
    claims = fs.analysis.trained_claims(errors, [4.0], 0.0, 0.5)
    assert [claim.claim.split(": ")[1] for claim in claims] == ["dwr less w", "dWr less w", "dWr less dwr"]
    assert [claim.verdict for claim in claims] == [HOLDS, HOLDS, UNDECIDED]  # 0.3 + 0.35 lies above 0.5
    assert claims[0].details == "Made-up GPU: noise, 3 seeds; one-sided, Holm over 3 comparisons"
    assert {claim.scope for claim in claims} == {BEYOND}
    worse = fs.analysis.seed_errors(made_up_rows(w=8.0, dwr=9.0, dWr=7.3))
    assert fs.analysis.trained_claims(worse, [4.0], 0.0, 0.5)[0].verdict == FAILS


def test_no_worse_than_is_asked_on_one_side():
    """Much better than the other is no less than as good."""
    better = fs.analysis.seed_errors(made_up_rows(w=8.0, dwr=8.0, dWr=4.0))
    claim = fs.analysis.trained_claims(better, [4.0], 0.0, 0.5)[2]
    assert (claim.relation, claim.tolerance, claim.verdict) == ("<", 0.5, HOLDS)


def test_a_difference_that_would_do_alone_may_not_do_among_twelve():
    rows = made_up_rows(w=8.0, dwr=7.4)
    one = fs.analysis.trained_claims(fs.analysis.seed_errors(rows), [4.0], 0.0, 0.5)
    others = [rows.assign(base=f"Other {n}", top1_error=8.0 + rows["seed"] * 0.2) for n in range(11)]
    others = [each.assign(network=each["network"].replace("Tiny", each["base"].iloc[0])) for each in others]
    others = [each.assign(network_id=each["base"] + each["network_id"]) for each in others]
    many = fs.analysis.trained_claims(fs.analysis.seed_errors(pd.concat([rows, *others])), [4.0], 0.0, 0.5)
    assert [claim.verdict for claim in one] == [HOLDS]
    assert [claim.verdict for claim in many if "Tiny" in claim.claim] == [UNDECIDED]
    assert len(many) == 12


def test_without_several_seeds_it_is_said():
    one = made_up_rows(w=8.0, dwr=7.0).query("seed == 0")
    for rows in (one, pd.DataFrame()):
        [claim] = fs.analysis.trained_claims(fs.analysis.seed_errors(rows), [4.0], 0.0, 0.5)
        assert (claim.verdict, claim.details) == (*[UNTESTED, "no errors of networks trained here with several seeds"],)


def test_shipped_trainings_are_judged_by_intervals_over_seeds():
    own = fs.analysis.seed_errors(ROWS).query("part == 'test'")
    claims = {claim.claim: claim for claim in fs.analysis.trained_claims(own, [4.0, 8.0], 0.0, 0.5)}
    part = own[own["base"] == "RegNetY-28px"]
    gap = fs.analysis.error_difference(part, "dWr", "w", 4)
    claim = claims["error of RegNetY-28px at 4 times its flops: dWr less w"]
    assert gap is not None
    assert (claim.found, claim.verdict) == (gap.found, UNDECIDED)
    assert claim.low is not None
    assert claim.high is not None
    assert claim.low < gap.low < gap.high < claim.high  # corrected for twelve comparisons
    assert claim.details == f"AMD EPYC: fashion-mnist, {gap.seeds} seeds; one-sided, Holm over 12 comparisons"


def test_errors_are_split_by_base_and_images():
    errors = fs.analysis.seed_errors(ROWS)
    parts = fs.analysis.errors_by_setting(errors)
    assert {base for base, *_ in parts} == {"RegNetY-28px", "MBConv-28px"}
    assert sum(len(part) for *_, part in parts) == len(errors)


def test_hours_of_training_are_added_up():
    hours = fs.analysis.training_hours(made_up_rows(w=8.0))
    assert hours.T["Made-up GPU", "test"].tolist() == [6, 3.0]
    assert list(hours) == list(fs.analysis.training_hours(pd.DataFrame())) == ["trainings", "hours"]


def test_regnetz_errs_no_more_than_efficientnet_at_equal_flops():
    """Between B4 (17.1 % at 4.2 GF) and B7 (15.7 % at 37 GF) lies RegNetZ-16GF (15.9 %)."""
    quoted = fs.records.published_errors("mvit_table17")
    claim = fs.analysis.equal_flops_error_claim(quoted, 0.5)
    gaps = fs.analysis.error_gaps(quoted, "RegNetZ", "EfficientNet")
    assert (claim.found, claim.relation, claim.verdict) == (gaps["gap"].max(), "<", HOLDS)
    assert gaps["flops"].tolist() == [4.2e9, 15.9e9]
    assert fs.analysis.equal_flops_error_claim(quoted.head(0), 0.5).verdict == UNTESTED
