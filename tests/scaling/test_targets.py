"""`scale_to`: the scaled network nearest a target, and what it says of itself."""

import re
import tracemalloc
import warnings

import hypothesis.strategies as st
import numpy as np
import pytest
from helpers.drawn_networks import anynets
from helpers.provenance import scaling_of
from hypothesis import given, settings

import fastscale_lib as fs
from fastscale_lib.architectures.group_fit import fit
from fastscale_lib.architectures.resolutions import both_sides
from fastscale_lib.scaling.strategies import STRATEGIES

WIDTH_OR_RESOLUTION = [name for name in STRATEGIES if name != "d"]
# Transformers go by whole heads and patches, far coarser steps: test_scaling_tokens.py.
networks = st.sampled_from([name for name in fs.networks() if fs.network(name).resolution_unit == 1])
ratios = st.floats(1.5, 16)


def count(network, metric="flops"):
    return getattr(fs.complexity(network), metric)


@given(networks, st.sampled_from(WIDTH_OR_RESOLUTION), ratios)
@settings(max_examples=60)
def test_comes_within_one_percent_and_is_never_farther_off_than_scale(name, strategy, ratio):
    target = ratio * count(name)
    network = fs.scale_to(name, strategy, flops=target)
    error = abs(count(network) - target)
    assert error <= 0.01 * target
    assert error <= abs(count(fs.scale(name, strategy, ratio)) - target)
    assert scaling_of(network).achieved == count(network)


# Targets that s alone, or one or two changes, miss; found by searching all networks and strategies.
@pytest.mark.parametrize(
    ("name", "strategy", "ratio"),
    [
        ("RegNetY-4.0GF", "dWr", 2),
        ("RegNetZ-4GF", "dWr", 8.853455),
        ("ResNet-50", "wr", 16),
        ("RegNetX-16GF", "dWr", 1.5),
    ],
)
def test_hard_targets(name, strategy, ratio):
    target = ratio * count(name)
    assert count(fs.scale_to(name, strategy, flops=target)) == pytest.approx(target, rel=0.01)


def test_says_what_was_asked_achieved_and_changed():
    network = fs.scale_to("RegNetY-4.0GF", "dWr", flops=2 * count("RegNetY-4.0GF"))
    scaling = scaling_of(network)
    assert (scaling.base, scaling.strategy, scaling.metric) == ("RegNetY-4.0GF", "dWr", "flops")
    plain = fs.scale(scaling.base, scaling.strategy, scaling.s)
    assert scaling.changes  # s alone is 8 % off here
    for change in scaling.changes:
        size, before, unrounded = map(float, re.findall(r"(?:width|instead of|unrounded|resolution) ([\d.]+)", change))
        assert size in (*network.widths, network.resolution)
        assert before in (*plain.widths, plain.resolution)
        assert size / unrounded == pytest.approx(1, abs=0.15)
    assert f"{scaling.achieved:,}" in str(scaling)
    assert fs.Network.from_yaml(network.to_yaml()).scaling == scaling


def test_without_adjusting_it_is_the_strategys_own_network_for_its_s():
    target = 2 * count("RegNetY-4.0GF")
    network = fs.scale_to("RegNetY-4.0GF", "dWr", flops=target, adjust=False)
    assert scaling_of(network).changes == ()
    assert network.dimensions == fs.scale("RegNetY-4.0GF", "dWr", scaling_of(network).s).dimensions
    below, above = scaling_of(network).neighbours
    assert below.count < target < above.count
    for neighbour in (below, above):
        assert count(fs.scale("RegNetY-4.0GF", "dWr", neighbour.s)) == neighbour.count


@given(networks, st.sampled_from(list(STRATEGIES)), ratios, st.floats(0.5, 2))
@settings(max_examples=40)
def test_no_other_s_comes_nearer(name, strategy, ratio, elsewhere):
    target = ratio * count(name)
    nearest = fs.scale_to(name, strategy, flops=target, adjust=False)
    other = fs.scale(name, strategy, scaling_of(nearest).s * elsewhere)
    assert abs(count(nearest) - target) <= abs(count(other) - target)


def test_depth_alone_says_what_its_neighbours_are():
    target = 1.15 * count("EfficientNet-B0")
    with pytest.warns(fs.scaling.TargetWarning, match=r"the strategy's nearest counts are .* and .*"):
        network = fs.scale_to("EfficientNet-B0", "d", flops=target)
    below, above = scaling_of(network).neighbours
    assert below.count < target < above.count
    assert scaling_of(network).changes == ()


@pytest.mark.parametrize("metric", ["params", "activations"])
@given(networks, st.sampled_from(["w", "dw", "dwr", "dWr", 0.5]), ratios)
@settings(max_examples=15)
def test_other_targets_than_flops(metric, name, strategy, ratio):
    target = ratio * count(name, metric)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fs.scaling.TargetWarning)
        network = fs.scale_to(name, strategy, **{metric: target})
    scaling = scaling_of(network)
    assert scaling.achieved == count(network, metric)
    nearest = min(abs(each.count - target) for each in scaling.neighbours)
    assert abs(scaling.achieved - target) <= max(0.03 * target, nearest)  # a small network goes by coarse steps


@pytest.mark.parametrize(("name", "strategy", "ratio"), [("ResNet-18", "dWr", 7.38), ("ResNet-10T", 0.5, 4)])
def test_where_steps_are_coarse_the_nearest_network_is_found(name, strategy, ratio):
    target = ratio * count(name, "params")
    with pytest.warns(fs.scaling.TargetWarning):
        network = fs.scale_to(name, strategy, params=target)
    off = abs(count(network, "params") - target)
    assert off <= min(abs(each.count - target) for each in scaling_of(network).neighbours)


def test_a_network_of_many_stages():
    network = fs.anynet(depths=[1] * 12, widths=[64] * 12, strides=[2, 2, 2, *[1] * 9], group_widths=16)
    target = 2.71 * count(network)
    assert count(fs.scale_to(network, "dWr", flops=target)) == pytest.approx(target, rel=0.01)


@pytest.mark.parametrize("bottleneck", [1.5, 2.5, 0.75, 1 / 3, 1.1])
def test_bottlenecks_that_are_no_simple_fraction(bottleneck):
    widths = [fit(width, bottleneck, 8)[0] for width in (32, 64)]
    base = fs.anynet(depths=[2, 2], widths=widths, group_widths=8, bottlenecks=bottleneck)
    for times in np.geomspace(1.5, 8, 10):
        network = fs.scale_to(base, "dWr", flops=times * count(base))
        assert count(network) == pytest.approx(times * count(base), rel=0.01)


@given(anynets(), st.sampled_from(list(STRATEGIES)), st.sampled_from(fs.complexity("ResNet-50")._fields), ratios)
@settings(max_examples=60)
def test_what_scale_builds_scale_to_builds(base, strategy, metric, ratio):
    target = ratio * count(base, metric)
    if count(fs.scale(base, strategy, 2.0**-40), metric) == count(fs.scale(base, strategy, 2.0**40), metric):
        with pytest.raises(fs.scaling.StrategyError, match="does not change the"):
            fs.scale_to(base, strategy, **{metric: target})
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fs.scaling.TargetWarning)
        network = fs.scale_to(base, strategy, **{metric: target})
    assert abs(count(network, metric) - target) <= abs(count(fs.scale(base, strategy, ratio), metric) - target)


def many_stages(number: int) -> fs.Network:
    widths = [64 + 8 * stage for stage in range(number)]
    depths = [1 + stage % 3 for stage in range(number)]
    return fs.anynet(depths=depths, widths=widths, strides=[2, 2, 2] + [1] * (number - 3), group_widths=8)


@pytest.mark.parametrize("stages", [40, 100])
def test_many_stages_are_searched_within_bounds(stages):
    base = many_stages(stages)
    tracemalloc.start()
    networks = [fs.scale_to(base, strategy, flops=2.71 * count(base)) for strategy in ("dWr", "dw")]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(count(each) == pytest.approx(2.71 * count(base), rel=0.01) for each in networks)
    assert most < 100e6  # 5.4 GB and 72 s, where all changes of all networks were made at once


def test_more_stages_than_any_machine_builds_are_refused():
    with pytest.raises(
        fs.scaling.StrategyError, match="AnyNet has 300 stages, but may have 256 at most; put blocks of the same"
    ):
        fs.scale_to(many_stages(300), "dWr", flops=1e12)


def test_scales_down_too():
    target = 0.3 * count("EfficientNet-B0")
    assert count(fs.scale_to("EfficientNet-B0", "dWr", flops=target)) == pytest.approx(target, rel=0.01)


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        ({}, "0 targets given; give exactly one of flops, params, activations"),
        ({"flops": 1e9, "params": 1e6}, "2 targets given"),
        ({"flops": 0}, "the target flops are 0, but must be a finite number above 0"),
        ({"flops": "4e9"}, "the target flops are '4e9'"),
        ({"flops": 1e18}, "the target flops are 1e+18, but may be 1e+17 at most"),
        ({"activations": float("nan")}, "the target activations are nan"),
    ],
)
def test_refuses_what_is_no_target(targets, sentence):
    with pytest.raises(fs.scaling.StrategyError, match=re.escape(sentence)):
        fs.scale_to("EfficientNet-B0", "dWr", **targets)


def test_refuses_a_count_that_the_strategy_does_not_change():
    with pytest.raises(
        fs.scaling.StrategyError, match=r"r does not change the params of ResNet-50: they stay 25,557,032"
    ):
        fs.scale_to("ResNet-50", "r", params=3e7)


@pytest.mark.parametrize("strategy", ["w", "dw"])
@pytest.mark.parametrize("name", ["EfficientNet-B0", "RegNetY-4.0GF", "ResNet-50", "RegNetX-200MF"])
def test_what_the_strategy_leaves_alone_stays(name, strategy):
    """A network scaled by w that sees larger images is none that is scaled by w."""
    base = fs.network(name)
    for times in np.geomspace(1.5, 16, 12):
        assert fs.scale_to(base, strategy, flops=times * fs.complexity(base).flops).resolution == base.resolution


def test_the_resolution_is_that_of_the_base():
    base = fs.network("RegNetX-800MF", resolution=160)
    scaled = fs.scale_to("RegNetX-800MF", "dw", flops=1e9, resolution=160)
    assert scaled == fs.scale_to(base, "dw", flops=1e9)
    assert (scaled.resolution, scaling_of(scaled).base) == (160, "RegNetX-800MF")
    assert both_sides(fs.scale_to("RegNetX-800MF", "dWr", flops=1e10, resolution=160).resolution) > (160, 160)


def test_a_small_network_that_rounding_holds_for_a_while_is_scaled():
    tiny = fs.anynet(name="Tiny", depths=[1], widths=[8], strides=[2], group_widths=8, stem_width=8, resolution=28)
    assert fs.complexity(fs.scale(tiny, 0.5, 1.5)).flops == fs.complexity(tiny).flops
    scaled = fs.scale_to(tiny, 0.5, flops=100 * fs.complexity(tiny).flops)
    assert fs.complexity(scaled).flops == pytest.approx(100 * fs.complexity(tiny).flops, rel=0.05)


def test_a_target_that_a_strategy_hardly_moves_to_is_refused():
    """Resolution adds learned positions alone: a billion params would take images of 25,536 pixels."""
    said = (
        r"r hardly changes the params of ViT-S/16: four times the flops make them 1\.02% more; use a strategy that does"
    )
    with pytest.raises(fs.scaling.StrategyError, match=said):
        fs.scale_to("ViT-S/16", "r", params=1e9)
    with pytest.raises(
        fs.scaling.StrategyError, match="r does not change the params of ResNet-50: they stay 25,557,032"
    ):
        fs.scale_to("ResNet-50", "r", params=1e9)
    assert fs.complexity(fs.scale_to("ViT-S/16", "w", params=1e9)).params == pytest.approx(1e9, rel=0.01)


@pytest.mark.parametrize("ratio", [1.5, 2, 3])
def test_where_nothing_comes_near_only_scaled_sizes_are_changed(ratio):
    """A tiny network has few sizes: the nearest one would have a third of the pixels of a network scaled by width."""
    tiny = fs.anynet(depths=[1, 1], widths=[8, 16], bottlenecks=1, resolution=28, classes=10, channels=1)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = fs.scale_to(tiny, "w", flops=ratio * fs.complexity(tiny).flops)
    assert found.scaling is not None
    if abs(found.scaling.error) > 0.01:
        assert [each.category for each in seen] == [fs.scaling.TargetWarning]
        assert (found.resolution, found.depths) == (tiny.resolution, tiny.depths)
        of_s = fs.scale(tiny, "w", found.scaling.s)
        assert all(abs(a - b) <= 8 for a, b in zip(found.widths, of_s.widths, strict=True))
