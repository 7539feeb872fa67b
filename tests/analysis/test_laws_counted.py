"""The laws of scaling beside counts: tables of both, and claims on how near the counts come to the laws."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import fastscale_lib as fs
from fastscale_lib.analysis import BEYOND, FAILS, HOLDS, UNTESTED

ZOO = ["EfficientNet-B0", "RegNetY-4.0GF", "RegNetZ-500MF"]
PAPERS = ["w", "dw", "dwr", "dWr"]

# Fast and Accurate Model Scaling, section 3: exponents of depth, width, resolution; of flops, params, activations.
PAPER = {
    "d": "1 0 0 1 1 1",
    "w": "0 1/2 0 1 1 1/2",
    "r": "0 0 1/2 1 0 1",
    "dw": "1/2 1/4 0 1 1 3/4",
    "dr": "1/2 0 1/4 1 1/2 1",
    "wr": "0 1/4 1/4 1 1/2 3/4",
    "dwr": "1/3 1/6 1/6 1 2/3 5/6",
    "dWr": "1/10 2/5 1/20 1 9/10 3/5",
}


@pytest.fixture(scope="module")
def equal() -> pd.DataFrame:
    return fs.analysis.growth_at_equal_flops(ZOO, PAPERS, 16)


@pytest.fixture(scope="module")
def large() -> pd.DataFrame:
    return fs.scaling.fit_exponents(ZOO, PAPERS, np.geomspace(1024, 2**20, 64))


def test_the_laws_are_the_paper_s():
    table = fs.analysis.law_table(fs.scaling.STRATEGIES)
    assert list(table.index) == list(PAPER)
    assert (table["group width"] == table["width"]).all()
    rows = table.drop(columns="group width").to_dict("split")["data"]
    assert [" ".join(map(str, row)) for row in rows] == list(PAPER.values())


def test_laws_stand_under_the_names_that_are_given():
    table = fs.analysis.law_table({"α = 1/3": fs.strategy(alpha=Fraction(1, 3)), "fast": "dWr"})
    assert table.T["α = 1/3"].tolist() == fs.analysis.law_table(["dwr"]).T["dwr"].tolist()
    assert table.loc["fast", "activations"] == fs.strategy("dWr").laws.activations


def test_base_networks_are_counted_under_the_zoo_s_names():
    counts = fs.analysis.base_counts(["regnety-4gf", fs.network("ResNet-50")])
    assert counts.index.tolist() == ["RegNetY-4.0GF", "ResNet-50"]
    assert counts.T["ResNet-50"].tolist() == list(fs.complexity("ResNet-50"))


def test_counts_are_relative_to_the_own_base():
    counts = fs.sweep(["ResNet-50", "ResNet-101"], ["d", "w"], 4)
    table = fs.analysis.relative_to_base(counts, ["ResNet-50", "ResNet-101"])
    base, scaled = fs.complexity("ResNet-101"), fs.complexity(fs.scale("ResNet-101", "w", 4))
    assert table.T["ResNet-101", "w"].tolist() == [one / other for one, other in zip(scaled, base, strict=True)]


def test_at_equal_flops_activations_are_ordered_as_the_laws(equal):
    assert list(equal.columns) == ["flops", "params", "activations", "law", "exponent"]
    assert equal["flops"].between(15.84, 16.16).all()
    for name in ZOO:
        assert equal.loc[name]["activations"].loc[["w", "dWr", "dw", "dwr"]].is_monotonic_increasing
        base, scaled = fs.complexity(name), fs.complexity(fs.scale_to(name, "dw", flops=16 * fs.complexity(name).flops))
        grown = np.log(scaled.activations / base.activations) / np.log(scaled.flops / base.flops)
        assert equal.loc[(name, "dw"), "exponent"] == pytest.approx(grown)
    below_law = equal["activations"] / equal["flops"] ** equal["law"].astype(float)
    assert 4 / 5 <= below_law.xs("dwr", level="strategy").min() < 0.82  # up to a fifth fewer


def test_the_largest_distance_from_the_laws_is_kept(large):
    near = fs.scaling.fit_exponents(ZOO, PAPERS, np.geomspace(1, 64, 64))
    table = fs.analysis.distance_from_laws(pd.concat([near, large]))
    assert list(table.index) == PAPERS
    assert table["s from 1 to 64"].max(axis=None) == pytest.approx(0.07, abs=0.005)
    assert table["s from 1,024 to 1,048,576"].max(axis=None) <= 0.02
    rows = near[(near["metric"] == "params") & (near["strategy"] == "dw")]
    largest = (rows["fitted"] - rows["law"].astype(float)).abs().max()
    assert table.loc["dw", ("s from 1 to 64", "params")] == largest


# Sentences


def test_growth_is_told_beside_the_laws():
    counts = fs.sweep("ResNet-50", ["w", "r"], [1, 4, 16])
    grown = {way: fs.complexity(fs.scale("ResNet-50", way, 16)).activations for way in ("w", "r")}
    times = {way: f"{count / fs.complexity('ResNet-50').activations:.3g}" for way, count in grown.items()}
    assert fs.analysis.growth_text(counts, ["activations"]) == (
        "At s = 16, with the laws' values in parentheses, "
        f"ResNet-50 has {times['w']} (4) times its activations under w and {times['r']} (16) under r."
    )
    assert "params under w" in fs.analysis.growth_text(counts)


def test_the_farthest_network_and_the_order_are_told(equal):
    text = fs.analysis.equal_flops_text(equal, 16)
    assert (
        "At 16 times the flops, of 18 pairs of strategies whose laws differ, all have activations in their order; "
        in text
    )
    assert text.endswith("that of dw for RegNetZ-500MF, 0.674 where the law is 0.750.")
    swapped = equal.copy()
    swapped.loc[(ZOO[0], "w"), "exponent"] = 0.65  # above dWr's
    assert "all but 1 have activations" in fs.analysis.equal_flops_text(swapped, 16)
    alone = fs.analysis.growth_at_equal_flops(["ResNet-50"], ["w"], 1)
    assert fs.analysis.equal_flops_text(alone, 1).startswith("At the flops of the base network nothing grows")


def test_each_range_of_fits_is_told(large):
    near = fs.scaling.fit_exponents(["ResNet-50"], ["w"], [1, 4, 16])
    few, many = fs.analysis.fits_text(near), fs.analysis.fits_text(pd.concat([near, large]))
    assert many.startswith(few + " Fitted for s from 1,024 to 1,048,576, exponents differ from the laws by at most ")
    assert few.endswith("of 3 are too low.")


def test_exponents_stand_beside_their_law(equal):
    table = fs.analysis.exponents_beside_laws(equal)
    assert table.columns.tolist() == ["law", *ZOO]
    assert table["law"].to_dict() == {way: fs.strategy(way).laws.activations for way in PAPERS}
    assert table.loc["dw", ZOO[1]] == equal.loc[(ZOO[1], "dw"), "exponent"]


# Claims


def test_of_several_networks_the_one_farthest_off_is_judged(large):
    claims = {claim.claim: claim for claim in fs.analysis.exponent_claims(large, 0.02)}
    assert len(claims) == 3 * len(PAPERS)
    assert {claim.verdict for claim in claims.values()} == {HOLDS}
    rows = large[(large["metric"] == "activations") & (large["strategy"] == "dw")].set_index("network")
    off = (rows["fitted"] - 0.75).abs()
    claim = claims["activations under dw, for large s"]
    assert (claim.paper, claim.details) == (0.75, off.idxmax())
    assert claim.found == rows.loc[off.idxmax(), "fitted"]
    assert {claim.verdict for claim in fs.analysis.exponent_claims(large, 0.0)} == {FAILS}
    assert {claim.scope for claim in claims.values()} == {fs.analysis.PAPER}


def test_networks_that_the_paper_does_not_speak_of_are_judged_apart(large):
    own = fs.analysis.exponent_claims(large, 0.02)
    other = large[large["network"] == ZOO[0]].assign(network="ViT-S/16", fitted=9.0)
    both = fs.analysis.exponent_claims(pd.concat([large, other], ignore_index=True), 0.02)
    assert [each for each in both if each.scope == fs.analysis.PAPER] == own
    later = [each for each in both if each.scope == BEYOND]
    assert [each.claim for each in later] == [f"{each.claim}, ViT" for each in own]
    assert {(each.details, each.verdict, each.headline) for each in later} == {("ViT-S/16", FAILS, "")}


def test_at_equal_flops_depth_misses_the_tolerance_and_width_keeps_it(equal):
    claims = {claim.claim: claim for claim in fs.analysis.equal_flops_claims(equal, 16, 0.05)}
    verdicts = {name: claims[f"activations under {name}, at 16× flops"].verdict for name in PAPERS}
    assert verdicts == {"w": HOLDS, "dWr": HOLDS, "dw": FAILS, "dwr": FAILS}
    assert {claim.scope for claim in claims.values()} == {BEYOND}  # the laws are those of large s
    farthest = (equal["exponent"] - 5 / 6).abs().xs("dwr", level="strategy").idxmax()
    claim = claims["activations under dwr, at 16× flops"]
    assert (claim.details, claim.found) == (farthest, equal.loc[(farthest, "dwr"), "exponent"])


def test_pairs_in_another_order_than_the_laws_are_counted(equal):
    claim = fs.analysis.exponent_order_claim(equal, 16)
    assert (claim.claim, claim.found, claim.details, claim.verdict) == (
        *["pairs of strategies in another order than the laws', at 16× flops", 0, "18 pairs", HOLDS],
    )
    swapped = equal.copy()
    swapped.loc[(ZOO[0], "w"), "exponent"] = 0.65  # above dWr's
    assert fs.analysis.exponent_order_claim(swapped, 16).found == 1
    alone = fs.analysis.exponent_order_claim(equal.xs("w", level="strategy", drop_level=False), 16)
    assert (alone.verdict, alone.details) == (UNTESTED, "0 pairs")


def test_at_the_base_s_own_flops_no_exponent_is_known():
    same = fs.analysis.growth_at_equal_flops(["ResNet-50"], ["w"], 1)
    assert same["exponent"].isna().all()
    [claim] = fs.analysis.equal_flops_claims(same, 1, 0.05)
    assert claim.verdict == UNTESTED
