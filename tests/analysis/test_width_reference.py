"""Networks at the flops of the one scaled by width: what they cost relative to it, and the claims on that."""

import math
from fractions import Fraction

import pytest

import fastscale_lib as fs
from fastscale_lib.analysis import FAILS, HOLDS

WAYS = ["w", "dw", "dwr", "dWr"]


@pytest.fixture(scope="module")
def equal():
    return fs.analysis.beside_width(["ConvNeXt-T", "ViT-S/16"], WAYS, 16)


def test_all_strategies_come_to_the_flops_of_width(equal):
    for name, part in equal.groupby("network"):
        wide = fs.complexity(fs.scale(str(name), "w", 16))
        assert part["strategy"].tolist() == WAYS
        assert part["flops"].iloc[0] == wide.flops
        assert part["activations"].iloc[0] == wide.activations
        assert part["flops_to_w"].tolist() == pytest.approx([1] * 4, abs=0.01)
        assert part["times"].iloc[0] == wide.flops / fs.complexity(str(name)).flops


def test_exponents_are_of_the_growth_from_the_base(equal):
    row = equal[(equal["network"] == "ViT-S/16") & (equal["strategy"] == "dWr")].iloc[0]
    base = fs.complexity("ViT-S/16")
    assert row["law"] == Fraction(3, 5)
    assert row["exponent"] == pytest.approx(
        math.log(row["activations"] / base.activations) / math.log(row["flops"] / base.flops)
    )


def test_attention_matrices_are_counted_apart(equal):
    """12 blocks of 24 heads of 197² elements under w; a network without attention has none."""
    by = equal.set_index(["network", "strategy"])
    assert by.loc[("ViT-S/16", "w"), "attention_matrices"] == 12 * 24 * 197**2
    assert by.loc["ViT-S/16", "matrices_law"].map(str).tolist() == ["1/2", "3/4", "7/6", "7/10"]
    convnext = by.loc["ConvNeXt-T"]
    assert convnext["attention_matrices"].tolist() == [0] * 4
    assert convnext[["attention_matrices_to_w", "matrices_exponent", "matrices_law"]].isna().all(axis=None)


def test_tables_have_texts_and_dashes(equal):
    table = fs.analysis.relative_table(equal)
    *counts, resolution = table.xs("ConvNeXt-T").T["dwr"].tolist()
    assert counts == ["1.00", "2.53", "–", "0.40", "8-8-23-8", "152-304-608-1216"]
    assert resolution == 356
    assert table.loc[("ViT-S/16", "dwr"), "attention matrices"] == "5.87"
    exponents = fs.analysis.exponents_table(equal)
    assert list(exponents) == ["law", "ConvNeXt-T", "ViT-S/16", "law of matrices", "matrices of ViT-S/16"]
    assert exponents["law"].tolist() == pytest.approx([0.5, 0.75, 5 / 6, 0.6])
    assert list(fs.analysis.exponents_table(equal[:4])) == ["law", "ConvNeXt-T"]


def test_activations_follow_the_laws_and_attention_matrices_do_not(equal):
    claims = {each.claim: each for each in fs.analysis.beside_width_claims(equal, 0.05)}
    verdicts = {text: each.verdict for text, each in claims.items()}
    assert len(verdicts) == 2 + 2 + 4
    failing = [text for text, verdict in verdicts.items() if verdict == FAILS]
    text = "attention matrices of ViT-S/16 under {}: exponent, as of activations"
    assert failing == [text.format("dwr"), text.format("dWr")]
    assert set(verdicts.values()) == {HOLDS, FAILS}
    order = claims["pairs of strategies with activations of ViT-S/16 in another order than the laws'"]
    assert (order.found, order.details) == (0, "6 pairs at 14.9× flops")


def test_an_order_that_is_swapped_is_counted(equal):
    made = equal[:4].assign(activations=[4, 3, 2, 1])
    [_, order] = fs.analysis.beside_width_claims(made, 0.05)
    assert order.found == 4  # all but dw and dwr beside dWr, of which the laws fall, too
    [_, alone] = fs.analysis.beside_width_claims(equal[:1], 0.05)
    assert alone.found is None  # one strategy has no order


def test_one_of_your_own_networks_may_be_compared():
    mine = fs.network("ConvNeXt-T").replace(name="mine", resolution=96)
    assert fs.analysis.beside_width([mine], ["dWr"], 4)["network"].tolist() == ["mine"]
