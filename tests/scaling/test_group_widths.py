"""Group widths in powers of two: what a GPU has fast kernels for, kept when a network is scaled."""

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from helpers.drawn_networks import anynets, base_networks, scales, scaling_strategies
from helpers.provenance import scaling_of
from hypothesis import given, settings

import fastscale_lib as fs
from fastscale_lib._common.integers import nearest_power_of_two
from fastscale_lib.architectures.provenance import GroupWidths

POWERS: GroupWidths = "powers of two"


def is_power_of_two(width: int) -> bool:
    return width & (width - 1) == 0


@pytest.mark.parametrize(
    ("strategy", "s", "multiples_of_8", "powers_of_two"),
    [("dWr", 2, 80, 64), ("dWr", 4, 112, 128), ("dWr", 8, 144, 128), ("w", 2, 88, 128), ("w", 4, 128, 128)],
)
def test_the_group_widths_of_a_scaled_regnet(strategy, s, multiples_of_8, powers_of_two):
    assert set(fs.scale("RegNetY-4.0GF", strategy, s).group_widths) == {multiples_of_8}
    scaled = fs.scale("RegNetY-4.0GF", strategy, s, group_widths=POWERS)
    assert set(scaled.group_widths) == {powers_of_two}
    assert scaled.name == f"RegNetY-4.0GF {strategy} ×{s}, g = 2^k"


def test_by_factors_too():
    assert set(fs.scale("RegNetY-4.0GF", width=1.75).group_widths) == {112}
    assert set(fs.scale("RegNetY-4.0GF", width=1.75, group_widths=POWERS).group_widths) == {128}


@given(anynets() | base_networks(), scaling_strategies(), scales())
@settings(max_examples=60)
def test_a_group_width_that_grows_is_a_power_of_two_or_one_group(net, strategy, s):
    scaled = fs.scale(net, strategy, s, group_widths=POWERS)
    for block, was, now in zip(net.block_types, net.stages, scaled.stages, strict=True):
        one_group = now.group_width == block.undivided(now.width, now.bottleneck)
        assert is_power_of_two(now.group_width) or one_group or now.group_width == was.group_width
    assert fs.Network.from_dict(scaled.to_dict()) == scaled


@pytest.mark.parametrize("name", ["ResNet-50", "EfficientNet-B0", "ConvNeXt-T", "ViT-S/16", "MobileNetV2"])
def test_dense_and_depthwise_networks_stay_as_they_are(name):
    for strategy in ("w", "dWr"):
        plain, powers = (fs.scale(name, strategy, 3, group_widths=rule) for rule in ("multiples of 8", POWERS))
        assert powers.dimensions == plain.dimensions


@given(st.floats(0.01, 1e12))
def test_the_power_of_two_is_the_nearest_in_ratio(x):
    power = int(nearest_power_of_two(x))
    assert is_power_of_two(power)
    assert power / x <= 2**0.5 * (1 + 1e-9) or power == 1
    assert x / power <= 2**0.5 * (1 + 1e-9)
    assert np.array_equal(nearest_power_of_two(np.array([x])), [power])


@pytest.mark.parametrize("name", ["RegNetX-400MF", "RegNetZ-500MF", "ResNeXt-50", "EfficientNet-B0", "SE-ResNet-50"])
def test_a_sweep_counts_what_scale_gives(name):
    ways, factors = ["w", "dWr", "w1", "g1"], [0.3, 1, 2, 5.5, 16, 1e18]
    swept = fs.sweep(name, ways, factors, group_widths=POWERS)
    assert len(swept) == len(ways) * len(factors)
    for row in swept.to_dict("records"):
        scaled = fs.scale(name, row["strategy"], row["scale"], group_widths=POWERS)
        assert (row["flops"], row["params"], row["activations"]) == tuple(fs.complexity(scaled))
        assert row["group_widths"] == "-".join(map(str, scaled.group_widths))


@given(
    st.sampled_from(["RegNetX-400MF", "RegNetY-4.0GF", "RegNetZ-500MF"]), st.sampled_from(["w", "dWr"]), scales(2, 16)
)
@settings(max_examples=15)
def test_a_target_is_reached_within_one_percent_on_powers_of_two(name, strategy, ratio):
    target = ratio * fs.complexity(name).flops
    network = fs.scale_to(name, strategy, flops=target, group_widths=POWERS)
    assert fs.complexity(network).flops == pytest.approx(target, rel=0.01)
    assert all(map(is_power_of_two, network.group_widths))


def test_a_network_tells_its_rule_and_files_without_it_load():
    powers = fs.scale_to("RegNetY-4.0GF", "dWr", flops=16e9, group_widths=POWERS)
    assert "group widths in powers of two" in str(powers.scaling)
    assert scaling_of(fs.Network.from_yaml(powers.to_yaml())) == powers.scaling
    plain = fs.scale("RegNetY-4.0GF", "dWr", 4)
    assert "group_widths" not in plain.to_dict()["scaling"]
    assert scaling_of(fs.Network.from_dict(plain.to_dict())).group_widths == "multiples of 8"


def test_networks_at_equal_flops_on_powers_of_two():
    found = fs.equal_flops("RegNetX-400MF", ["w", "dWr"], 4, group_widths=POWERS)
    assert found["strategy"].tolist() == ["w", "dWr"]
    assert all(is_power_of_two(width) for network in found["scaled"] for width in network.group_widths)


def test_another_rule_is_refused_in_a_sentence():
    wrong: Any = "2k"
    for call in (fs.scale, fs.sweep, lambda *given, **more: fs.scale_to(*given[:2], flops=1e9, **more)):
        with pytest.raises(fs.scaling.StrategyError, match="is '2k', but must be one of multiples of 8, powers of two"):
            call("RegNetY-4.0GF", "dWr", 4, group_widths=wrong)
