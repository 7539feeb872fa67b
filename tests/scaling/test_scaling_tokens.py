"""Vision transformers grow by whole heads and whole patches; ConvNeXt keeps a pixel after all its strides."""

import numpy as np
import pytest
from helpers.drawn_networks import scales, scaling_strategies, transformers
from hypothesis import given, settings

import fastscale_lib as fs
from fastscale_lib.scaling.asymptotics import law_parts


@given(transformers(), scaling_strategies(), scales())
@settings(max_examples=50)
def test_whole_heads_and_whole_patches(net, strategy, s):
    scaled = fs.scale(net, strategy, s)
    assert scaled.group_widths == net.group_widths
    assert scaled.widths[0] % scaled.group_widths[0] == 0
    assert scaled.stem.width == scaled.widths[0]
    assert scaled.resolution % net.resolution_unit == 0


# Fang et al., You Only Look at One Sequence, 2021, table 4: DeiT-Ti scaled fourfold, there to widths of any kind.
YOLOS = {"w": (12, 384, 224), "dwr": (19, 240, 272), "dWr": (14, 330, 240)}


@pytest.mark.parametrize("strategy", YOLOS)
def test_deit_grows_as_published_up_to_half_a_head_and_a_patch(strategy):
    depth, width, resolution = YOLOS[strategy]
    big = fs.scale("DeiT-Ti", strategy, 4)
    assert big.depths == (depth,)
    assert abs(big.widths[0] - width) <= 32
    assert big.resolution == pytest.approx(resolution, abs=16)


@pytest.mark.parametrize("resolution", [223, 230])
def test_a_resolution_of_no_whole_patches_is_refused(resolution):
    sentence = (
        rf"resolution is {resolution}, but must be a multiple of the 16 pixels of a patch; the nearest are 2\d\d "
    )
    with pytest.raises(fs.architectures.NetworkError, match=sentence):
        fs.network("ViT-S/16", resolution=resolution)
    with pytest.raises(fs.architectures.NetworkError, match=sentence):
        fs.scale("ViT-S/16", width=2, resolution=resolution)


def test_convnext_is_not_scaled_below_a_pixel():
    assert fs.scale("ConvNeXt-T", "r", 1e-6).resolution == 32
    with pytest.raises(fs.architectures.NetworkError, match="resolution is 31, but must be of at least 32 pixels"):
        fs.network("ConvNeXt-T", resolution=31)


@pytest.mark.parametrize("name", ["ConvNeXt-Atto", "ConvNeXtV2-B", "ViT-S/32", "DeiT-III-M"])
@pytest.mark.parametrize("strategy", [*fs.scaling.STRATEGIES, "w1", "d1_w8_r1"])
def test_a_sweep_is_what_scale_gives(name, strategy):
    factors = np.geomspace(1 / 100, 300, 12)
    frame = fs.sweep(name, strategy, factors)
    scaled = [fs.scale(name, strategy, s) for s in factors]
    assert list(frame[["flops", "params", "activations"]].itertuples(index=False, name=None)) == [
        fs.complexity(each) for each in scaled
    ]
    assert frame["widths"].tolist() == ["-".join(map(str, each.widths)) for each in scaled]


@pytest.mark.parametrize("name", ["ConvNeXt-T", "ViT-B/16"])
@pytest.mark.parametrize("metric", ["flops", "params", "activations"])
def test_the_nearest_network_has_the_stem_of_its_first_stage(name, metric):
    target = 5 * getattr(fs.complexity(name), metric)
    found = fs.scale_to(name, "dWr", **{metric: target})
    assert found.stem.width == found.widths[0]
    assert getattr(fs.complexity(found), metric) == pytest.approx(target, rel=0.01)
    if metric == "params":
        plain = fs.scale(name, "dWr", found.scaling.s)
        assert found.resolution == plain.resolution


def test_a_law_of_a_transformer_is_told_as_the_sum_that_it_is():
    """The paper's exponents are those of ConvNets: by resolution, attention grows as s² and positions as s."""
    law = fs.figures.law
    laws = fs.scaling.laws("ViT-S/16", "r", [1, 64])
    flops = laws["flops"]
    growth = np.log(flops[1] / flops[0]) / np.log(64)
    assert growth > 1.4
    assert f"flops ∝ s<sup>{growth:.2f}</sup> on average" in law(laws, "flops")["hovertemplate"]
    assert "∝ s<sup>1</sup><" in law(fs.scaling.laws("ResNet-50", "r", [1, 64]), "flops")["hovertemplate"]
    parts = law_parts(fs.network("ViT-S/16"), fs.strategy("r"), "flops")
    whole = sum(part for part, _ in parts)
    assert [(round(part / whole, 4), float(power)) for part, power in parts] == [(0.9224, 1), (0.0776, 2)]
    assert flops[1] == pytest.approx(sum(part * 64.0 ** float(power) for part, power in parts))
