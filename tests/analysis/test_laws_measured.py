"""Laws measured by doubling: on networks whose counts are known, and beside those of traced modules."""

import math

import pytest

import fastscale_lib as fs
from fastscale_lib.analysis import BEYOND, FAILS, HOLDS
from fastscale_lib.analysis.laws_measured import PAPER_LAWS, PAPER_ROW


def exponents(network, metric) -> dict[str, float]:
    laws = fs.analysis.measured_laws([network])
    return laws[laws["metric"] == metric].set_index("size")["measured"].to_dict()


def test_an_exponent_is_log2_of_what_a_count_grew_by():
    base, deeper = fs.complexity("ConvNeXt-T"), fs.complexity(fs.scale("ConvNeXt-T", depth=2))
    assert exponents("ConvNeXt-T", "flops")["d"] == math.log2(deeper.flops / base.flops)
    assert exponents("ConvNeXt-T", "params")["r"] == 0


def test_described_and_traced_networks_have_the_same_laws():
    """A family of modules measures its laws by the same doublings."""
    module = fs.family(
        lambda d, w, r: fs.build(fs.scale("ResNet-18", depth=d(1), width=w(8) / 8), "meta"), resolution=224
    )
    laws = module.laws()
    for metric in PAPER_LAWS:
        assert tuple(exponents("ResNet-18", metric).values()) == pytest.approx(getattr(laws, metric), abs=1e-9)


def test_a_stage_far_larger_than_its_ends_follows_the_paper_s_laws():
    """3×3 convolutions, 2,048 wide and 60 deep: stem and classifier hardly count."""
    plain = fs.anynet(depths=[60], widths=[2048], strides=[1], block="vanilla_block", classes=1, resolution=224)
    for metric, law in PAPER_LAWS.items():
        assert tuple(exponents(plain, metric).values()) == pytest.approx(law, abs=0.03), metric


def test_laws_are_written_as_powers_with_the_paper_s_first():
    table = fs.analysis.laws_table(fs.analysis.measured_laws(["ConvNeXt-T", "convnext_tiny", "ViT-S/16"]))
    assert table.index.tolist() == [PAPER_ROW, "ConvNeXt-T", "ViT-S/16"]  # two names of one network are one row
    assert table.loc[PAPER_ROW].tolist() == ["d^1.00 w^2.00 r^2.00", "d^1.00 w^2.00 r^0.00", "d^1.00 w^1.00 r^2.00"]
    assert table.loc["ConvNeXt-T", "flops"] == "d^0.97 w^1.98 r^2.00"
    assert table.loc["ViT-S/16", "flops"] == "d^0.99 w^1.93 r^2.30"


def test_a_family_s_range_is_that_of_its_networks():
    table = fs.analysis.laws_by_family("params")
    assert table.loc[PAPER_ROW].tolist() == ["", "1", "2", "0"]
    assert table.index[1:].tolist() == list(fs.architectures.families())
    assert table["networks"][1:].astype(int).sum() == len(fs.networks())
    deit = [exponents(name, "params")["d"] for name in ("DeiT-Ti", "DeiT-S", "DeiT-B")]
    assert table.loc["DeiT", "d"] == f"{min(deit):.2f} to {max(deit):.2f}"
    convnets = table.drop(index=["DeiT", "DeiT-III", "ViT"])
    assert set(convnets["r"]) == {"0", "0.00"}  # positions are learned by transformers alone


def test_attention_is_counted_and_its_share_grows_with_resolution():
    """By hand for ViT-S/16 at 224 px: 12 blocks, 197 tokens, 6 heads of 64: 2·12·197²·384 multiply-adds."""
    found = fs.analysis.attention_by_resolution(["ConvNeXt-T", "ViT-S/16", "vit_small_patch16_224"], [224, 384])
    assert found["network"].tolist() == ["ViT-S/16"] * 2
    first, second = found.to_dict("records")
    assert first["attention_flops"] == 2 * 12 * 197**2 * 384
    assert first["attention_matrices"] == 12 * 6 * 197**2
    assert first["growth"] == pytest.approx(math.log2((28**2 + 1) ** 2 / 197**2))
    assert second["share"] == pytest.approx(0.198, abs=5e-4)  # as a trace of timm's module says
    shown = fs.analysis.attention_table(found)
    assert shown.loc["ViT-S/16"].tolist() == ["7.8%", "19.8%"]


def test_of_each_metric_the_exponent_farthest_off_is_judged():
    laws = fs.analysis.measured_laws(["ViT-S/16", "RegNetY-4.0GF"])
    flops, params, activations = fs.analysis.measured_law_claims(laws, ["vit_small_patch16_224"], 0.1)
    assert {each.scope for each in (flops, params, activations)} == {BEYOND}
    assert flops.claim == "flops of ViT-S/16: exponent of r, the farthest from the law"
    assert (flops.paper, flops.verdict) == (2, FAILS)
    assert flops.found == exponents("ViT-S/16", "flops")["r"]
    assert (params.verdict, activations.verdict) == (HOLDS, HOLDS)


def test_attention_is_claimed_to_grow_as_the_fourth_power():
    found = fs.analysis.attention_by_resolution(["ViT-S/16", "ViT-L/16"], [64, 224])
    [claim] = fs.analysis.attention_claims(found, 0.1)
    assert (claim.paper, claim.found) == (4, pytest.approx(math.log2(65**2 / 17**2)))  # 64 px: the class token counts
    assert claim.details.startswith("ViT-S/16, from 64 to 128 px")
    assert fs.analysis.attention_claims(found[:0], 0.1) == []
