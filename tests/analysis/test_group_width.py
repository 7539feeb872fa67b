"""Grouped convolutions when a network grows: what its tables show, and what is lost where the group width stays."""

from fractions import Fraction

import numpy as np
import pytest

import fastscale_lib as fs
from fastscale_lib.analysis import BEYOND, HOLDS, UNTESTED

ZOO = ["RegNetX-400MF", "RegNetY-4.0GF", "RegNetZ-500MF"]
WAYS = ["w", "w1", "dWr", "d1_w8_r1"]
GROUPED = "conv in groups"


@pytest.fixture(scope="module")
def grown():
    return fs.analysis.relative_to_base(fs.sweep(ZOO, WAYS, 16), ZOO)


@pytest.fixture(scope="module")
def at_equal():
    return fs.analysis.relative_to_base(fs.equal_flops(ZOO, WAYS, 16), ZOO)


def test_the_laws_are_those_of_grouped_convolutions():
    """k²·g·w·r² for d of them: s to the power d + g + w + 2r."""
    table = fs.analysis.grouped_laws(WAYS)
    for name in WAYS:
        e = fs.strategy(name).exponents
        assert table.loc[name, "flops, in groups"] == e.d + e.g + e.w + 2 * e.r
    assert (table["flops, dense and 1×1"] == 1).all()


def test_strategies_of_width_alone_are_found_each_once():
    assert [way.name for way in fs.analysis.only_width(["w", "dWr", "w1", "w", "g1"])] == ["w", "w1", "g1"]
    assert fs.analysis.only_width(["dWr", "d1_w8_r1"]) == []


def test_the_last_block_follows_its_laws():
    """The 1×1 convolutions grow with s; the 3×3 one only where the group width follows."""
    table = fs.analysis.last_block("RegNetX-400MF", ["w", "w1"], 16)
    flops, activations = table["flops, × base"], table["activations, × base"]
    assert flops.loc["w"].tolist() == [16, 16, 16]
    assert flops.loc["w1"].tolist() == [16, 4, 16]
    assert (activations.drop("base") == 4).all()
    grouped = table[table["kernel"] == 3]
    assert grouped["read"].tolist() == [16, 64, 16]  # the base, w, w1
    assert grouped["groups"].tolist() == [24, 24, 96]


def test_sizes_are_those_of_the_scaled_networks():
    rows = fs.equal_flops("RegNetX-400MF", ["w", "dWr"], 4)
    network = rows["scaled"].iloc[1]
    assert fs.analysis.sizes(rows).to_dict("index")["RegNetX-400MF", "dWr"] == {
        "resolution": network.resolution,
        "blocks": sum(network.depths),
        "last width": network.widths[-1],
    }


def test_flops_by_kind_of_base_and_scaled_networks():
    table = fs.analysis.flops_by_kind_scaled(["RegNetX-400MF", "ResNet-50"], ["w1"], 16)
    assert table.index.tolist() == ["RegNetX-400MF", "RegNetX-400MF, w1", "ResNet-50", "ResNet-50, w1"]
    assert table.sum(axis=1).tolist() == [
        fs.complexity(each).flops
        for name in ("RegNetX-400MF", "ResNet-50")
        for each in (fs.network(name), fs.scale(name, "w1", 16))
    ]
    assert table.loc["ResNet-50", GROUPED] == 0


def test_shares_of_flops_are_kept_where_the_group_width_follows():
    table = fs.analysis.flops_by_kind_scaled(ZOO, WAYS, 16)
    shares = table[GROUPED] / table.sum(axis=1)
    for name in ZOO:
        assert shares[f"{name}, w"] == pytest.approx(shares[name], abs=0.05)
        assert shares[f"{name}, dWr"] == pytest.approx(shares[name], abs=0.05)
        assert max(shares[f"{name}, w1"], shares[f"{name}, d1_w8_r1"]) < 0.6 * shares[name]


def test_depthwise_networks_are_the_same_with_and_without_g():
    table = fs.analysis.flops_by_kind_scaled(["EfficientNet-B0"], WAYS, 16)
    for name, other in (("w", "w1"), ("dWr", "d1_w8_r1")):
        assert table.loc[f"EfficientNet-B0, {name}"].equals(table.loc[f"EfficientNet-B0, {other}"])


def test_group_width_alone_ends_dense():
    for s in (16, 64):
        dense = fs.scale("RegNetY-4.0GF", "g1", s)
        assert dense.group_widths == dense.widths
        assert fs.complexity(dense).activations == pytest.approx(fs.complexity("RegNetY-4.0GF").activations, rel=0.05)


def test_for_large_s_grouped_flops_follow_their_law():
    exponents = fs.analysis.grouped_exponents(ZOO, WAYS, 1024, 2**20)
    ends = [fs.architectures.flops_by_kind(fs.scale(ZOO[0], "w1", s))[GROUPED] for s in (1024, 2**20)]
    assert exponents.loc["w1", ZOO[0]] == pytest.approx(np.log2(ends[1] / ends[0]) / 10)
    claims = fs.analysis.grouped_exponent_claims(exponents, 0.02)
    assert [claim.paper for claim in claims] == [1, Fraction(1, 2), 1, Fraction(3, 5)]
    for claim, name in zip(claims, WAYS, strict=True):
        assert claim.claim == f"flops of grouped convolutions under {name}, large s"
        assert claim.verdict == HOLDS
        off = (exponents.T[name] - float(claim.paper)).abs()
        assert (claim.details, claim.found) == (off.idxmax(), exponents.T[name][off.idxmax()])


def test_without_grouped_convolutions_nothing_is_judged():
    [claim] = fs.analysis.grouped_exponent_claims(fs.analysis.grouped_exponents(["ResNet-50"], ["w"], 1, 1e5), 0.02)
    assert (claim.verdict, claim.details) == (UNTESTED, "no network with grouped convolutions")


def test_flops_fall_short_where_the_group_width_stays(grown):
    flops = grown["flops"].unstack()
    assert (flops["w"] > 0.9 * 16).all()
    reached = flops["w1"] / flops["w"]
    assert reached["RegNetY-4.0GF"] == reached.min() == pytest.approx(2 / 3, abs=0.01)
    assert reached["RegNetZ-500MF"] == reached.max() == pytest.approx(0.9, abs=0.01)
    kinds = fs.analysis.flops_by_kind_scaled(ZOO, [], 16)
    shares = kinds[GROUPED] / kinds.sum(axis=1)
    assert shares.sort_values().index.tolist() == reached.sort_values(ascending=False).index.tolist()


def test_at_equal_flops_activations_are_more_where_it_stays(at_equal):
    activations = at_equal["activations"].unstack()
    more = activations["w1"] / activations["w"]
    assert more["RegNetY-4.0GF"] == more.max() == pytest.approx(1.25, abs=0.01)


def test_the_network_that_is_worst_for_a_claim_is_judged(grown, at_equal):
    claims = {claim.claim: claim for claim in fs.analysis.group_width_claims(grown, at_equal, WAYS, 16, 0.01)}
    assert {(claim.verdict, claim.scope) for claim in claims.values()} == {(HOLDS, BEYOND)}
    for follows, stays in (("w", "w1"), ("dWr", "d1_w8_r1")):
        pair = f"under {stays} over those under {follows}"
        counts, equal = (
            each.xs(stays, level="strategy") / each.xs(follows, level="strategy") for each in (grown, at_equal)
        )
        assert claims[f"flops {pair}, at s = 16"].found == counts["flops"].max()
        assert claims[f"params {pair}, at s = 16"].found == counts["params"].max()
        off = (counts["activations"] - 1).abs()
        assert claims[f"activations {pair}, at s = 16"].found == counts["activations"][off.idxmax()]
        assert claims[f"activations {pair}, at 16 times the flops"].found == equal["activations"].min()
    assert len(claims) == 8


def test_without_a_pair_that_differs_in_group_width_there_is_no_claim(grown, at_equal):
    assert fs.analysis.group_width_claims(grown, at_equal, ["w", "dWr", "d1_w8_r1"][:2], 16, 0.01) == []


def test_powers_of_two_cost_no_flops_and_save_predicted_time():
    found = fs.analysis.beside_powers_of_two(["RegNetY-4.0GF"], ["w", "w1", "dWr"], [4], "RTX 4090")
    assert list(found.index) == [("RegNetY-4.0GF", "w", 4), ("RegNetY-4.0GF", "dWr", 4)]  # w1 keeps its groups
    assert found["multiples of 8"].tolist() == [128, 112]
    assert found["powers of two"].tolist() == [128, 128]
    assert found["flops"].between(0.98, 1.02).all()
    assert (found.iloc[0][["params", "activations"]] == 1).all()
    last, first = found.iloc[1][["ms, channels last", "ms, channels first"]]
    assert 0.5 < last < first < 1


def test_a_device_without_a_profile_has_no_times_of_powers_of_two():
    with pytest.raises(fs.prediction.PredictionError, match="there is no profile of 'RTX 1'"):
        fs.analysis.beside_powers_of_two(["RegNetX-400MF"], ["dWr"], [2], "RTX 1")


def test_a_profile_that_knows_one_kind_of_groups_gives_no_times():
    found = fs.analysis.beside_powers_of_two(["RegNetX-400MF"], ["dWr"], [2], "Core i7-12700H", 1)
    assert list(found.columns) == ["multiples of 8", "powers of two", "flops", "params", "activations"]


def test_counts_are_relative_to_the_laws():
    case = ["RegNetX-400MF"], ["w", "w1"], [1, 4, 16]
    counts, laws = fs.sweep(*case), fs.scaling.laws(*case)
    over = fs.analysis.counts_over_laws(counts, laws)
    assert over["flops_over_law"].tolist() == pytest.approx((counts["flops"] / laws["flops"]).tolist())
    assert over["activations_over_law"].iloc[0] == 1


def test_group_width_alone_keeps_activations():
    table = fs.analysis.group_width_alone(["RegNetZ-500MF"], [1, 8])
    network = fs.scale("RegNetZ-500MF", "g1", 8)
    row = table.T["RegNetZ-500MF", 8]
    assert row["group widths"] == "-".join(map(str, network.group_widths))
    assert row["flops"] == fs.complexity(network).flops / fs.complexity("RegNetZ-500MF").flops
    assert row["activations"] == 1
