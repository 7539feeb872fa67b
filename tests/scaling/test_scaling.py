"""Scaling: strategies and their exponents, and networks scaled by them, exactly as pycls scales them."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from helpers.drawn_networks import alphas, anynets, base_networks, grammars, scales, scaling_strategies
from helpers.provenance import scaling_of
from helpers.reference import SCALED
from helpers.waiting import stopped_where_it_hangs
from hypothesis import assume, example, given
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib._common.checks import shown

ZOO = fs.networks()


# Strategies


@pytest.mark.parametrize(
    ("name", "exponents", "laws"),
    [  # depth, width, group width, resolution; flops, params, activations
        ("d", "1 0 0 0", "1 1 1"),
        ("w", "0 1/2 1/2 0", "1 1 1/2"),
        ("r", "0 0 0 1/2", "1 0 1"),
        ("dw", "1/2 1/4 1/4 0", "1 1 3/4"),
        ("dr", "1/2 0 0 1/4", "1 1/2 1"),
        ("wr", "0 1/4 1/4 1/4", "1 1/2 3/4"),
        ("dwr", "1/3 1/6 1/6 1/6", "1 2/3 5/6"),
        ("dWr", "1/10 2/5 2/5 1/20", "1 9/10 3/5"),
    ],
)
def test_the_papers_strategies(name, exponents, laws):
    strategy = fs.strategy(name)
    assert strategy.exponents == tuple(map(Fraction, exponents.split()))
    assert strategy.laws == tuple(map(Fraction, laws.split()))
    assert str(strategy) == strategy.name == name


def test_these_are_all_the_names():
    assert list(fs.scaling.STRATEGIES) == ["d", "w", "r", "dw", "dr", "wr", "dwr", "dWr"]


@pytest.mark.parametrize(
    ("name", "grammar", "alpha"),
    [
        ("d", "d1", None),
        ("w", "w1_g1", 1),
        ("r", "r1", None),
        ("dw", "d1_w1_g1", None),
        ("dr", "d1_r1", 0),
        ("wr", "w1_g1_r1", None),
        ("dwr", "d1_w1_g1_r1", Fraction(1, 3)),
        ("dwr", "g2_r2_d2_w2", 1 / 3),
        ("dWr", "d1_w8_g8_r1", 0.8),
        ("dWr", "d0.5_w4_g4_r0.5", "4/5"),
    ],
)
def test_a_name_a_grammar_and_an_alpha_are_one_strategy(name, grammar, alpha):
    named = fs.strategy(name)
    assert fs.strategy(grammar).exponents == named.exponents
    assert named.alpha == (None if alpha is None else Fraction(alpha).limit_denominator(10))
    if alpha is not None:
        assert fs.strategy(alpha=alpha).exponents == named.exponents


def test_the_decimals_of_an_alpha_are_named_only_where_they_are_too_many():
    for wrong in (1.5, float("nan"), True, "much"):
        with pytest.raises(fs.scaling.StrategyError, match=r"must be a number from 0 to 1$"):
            fs.strategy(alpha=wrong)
    with pytest.raises(fs.scaling.StrategyError, match="from 0 to 1 with 400 decimals at most"):
        fs.strategy(alpha="0." + 401 * "1")


def test_an_alpha_is_given_in_many_ways():
    ways = [fs.strategy(alpha=0.8), fs.strategy(0.8), fs.strategy("alpha=0.8"), fs.strategy("α = 4/5")]
    assert set(ways) == {fs.strategy(alpha=Fraction(4, 5))}
    assert fs.strategy(alpha=np.float64(0.8)) == ways[0]
    assert fs.strategy(alpha=1) == fs.strategy(alpha=1.0)


@given(st.one_of(st.floats(0, 1), st.fractions(0, 1)))
@example(1 / 3)
@example(0.1234567)
def test_the_name_of_an_alpha_means_that_alpha(alpha):
    assert fs.strategy(fs.strategy(alpha=alpha).name) == fs.strategy(alpha=alpha)


def test_a_name_that_the_strategy_tells_gives_the_strategy():
    for strategy in map(fs.strategy, [*fs.scaling.STRATEGIES, "d1_w8_g0_r1", 0.25, 1]):
        assert fs.strategy(strategy.name) == fs.strategy(strategy) == strategy


@given(grammars())
def test_weights_are_shared_out_so_that_flops_grow_with_s(grammar):
    d, w, _, r = fs.strategy(grammar).exponents
    assume(d or w or r)  # g alone changes no flops of the first order
    assert d + 2 * w + 2 * r == 1
    assert all(isinstance(exponent, Fraction) and exponent >= 0 for exponent in fs.strategy(grammar).exponents)


@given(alphas())
def test_every_alpha_makes_flops_grow_with_s(alpha):
    strategy = fs.strategy(alpha=alpha)
    d, w, g, r = strategy.exponents
    assert d + 2 * w + 2 * r == 1
    assert g == w
    assert strategy.alpha is not None
    assert float(strategy.alpha) == float(alpha)
    assert strategy.laws == (1, (1 + strategy.alpha) / 2, 1 - strategy.alpha / 2)


@given(grammars() | st.sampled_from(list(fs.scaling.STRATEGIES)))
def test_the_laws_follow_from_the_exponents(name):
    strategy = fs.strategy(name)
    d, w, _, r = strategy.exponents
    assert strategy.laws == (d + 2 * w + 2 * r, d + 2 * w, d + w + 2 * r)


def test_a_dimension_without_a_name_stays_as_it_is():
    assert fs.strategy("d1_w8_r1") == fs.strategy("d1_w8_r1")
    assert fs.strategy("d1_w8_r1").exponents == fs.strategy("d1_w8_g0_r1").exponents
    assert fs.strategy("d1_w8_r1").exponents.g == 0
    assert fs.scale("RegNetX-400MF", "w1", 16).group_widths == fs.network("RegNetX-400MF").group_widths
    assert fs.strategy("g3").exponents == (0, 0, 1, 0)


BAD_WEIGHTS = ["d1w1", "d1_", "_d1", "d1_d2", "d-1", "d1_w", "d1_x2", "d1e3", "d0", "d0_g0"]


@pytest.mark.parametrize("name", ["", "x", "D", "dW", "wdr", "dwr ", "alpha=", *BAD_WEIGHTS])
def test_what_is_no_strategy_is_refused_in_a_sentence(name):
    with pytest.raises(fs.scaling.StrategyError, match=r"^strategy: ") as refused:
        fs.strategy(name)
    assert repr(name) in str(refused.value) or "alpha" in str(refused.value)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, 2, math.nan, math.inf, "x", "2", "1/0", True, [0.5], 1j], ids=repr)
def test_an_alpha_is_a_number_from_0_to_1(alpha):
    with pytest.raises(fs.scaling.StrategyError, match=r"^strategy: alpha is .*, but must be a number from 0 to 1"):
        fs.strategy(alpha=alpha)


def test_either_a_name_or_an_alpha():
    with pytest.raises(fs.scaling.StrategyError, match="give either a name or alpha="):
        fs.strategy()
    with pytest.raises(fs.scaling.StrategyError, match="give either a name or alpha="):
        fs.strategy("dWr", alpha=0.8)


# Scaled networks


@pytest.mark.parametrize("name", sorted({row.network for row in SCALED}))
def test_a_network_scales_as_in_pycls_to_the_last_digit(name):
    for row in (row for row in SCALED if row.network == name):
        net = fs.scale(name, row.strategy, row.scale)
        assert (net.resolution, net.depths, net.widths, net.group_widths) == row[3:7], row


def test_the_reference_is_whole():
    assert len(SCALED) == 420
    assert len({(row.network, row.strategy) for row in SCALED}) == 4 * 15


def test_a_scaled_network_tells_where_it_comes_from():
    net = fs.scale("RegNetY-4.0GF", "dWr", 4)
    assert net.name == "RegNetY-4.0GF dWr ×4"
    assert str(net.scaling) == "RegNetY-4.0GF scaled by dWr with s = 4"
    assert fs.scale(fs.network("RegNetY-4.0GF"), fs.strategy("dWr"), 4.0) == net


def test_efficientnet_scales_its_stem_and_head_and_stays_depthwise():
    net = fs.scale("EfficientNet-B0", "w", 4)
    assert (net.stem.width, net.head.width) == (64, 2560)
    assert set(net.group_widths) == {1}


def test_other_networks_keep_their_stem_and_head():
    for name in ("ResNet-50", "RegNetY-4.0GF", "RegNetZ-500MF"):
        net = fs.scale(name, "w", 4)
        assert (net.stem, net.head) == (fs.network(name).stem, fs.network(name).head)


@pytest.mark.parametrize("name", ZOO)
def test_a_scale_of_1_changes_nothing(name):
    for strategy in (*fs.scaling.STRATEGIES, 0.5, "w1", "g1"):
        assert fs.scale(name, strategy, 1).dimensions == fs.network(name).dimensions, strategy


@given(anynets(), scaling_strategies())
def test_a_scale_of_1_changes_nothing_of_a_network_by_hand(net, strategy):
    assert fs.scale(net, strategy, 1).dimensions == net.dimensions


@pytest.mark.parametrize("name", ZOO)
def test_scaling_down_ends_at_one_step_of_each_dimension(name):
    base = fs.network(name)
    one = {base.group_widths[0] if base.has_tokens else 8}
    for strategy in fs.scaling.STRATEGIES:
        net = fs.scale(base, strategy, 1e-300)
        d, w, _, r = fs.strategy(strategy).exponents
        assert net.depths == ((1,) * len(base.depths) if d else base.depths), strategy
        assert set(net.widths) == one if w else net.widths == base.widths, strategy
        side = max(4, base.resolution_unit, base.least_resolution) if r else base.resolution
        assert net.resolution == side, strategy
        assert all(count > 0 for count in fs.complexity(net)), strategy


@given(anynets() | base_networks(), scaling_strategies(), scales())
def test_a_scaled_network_can_always_be_built(net, strategy, s):
    """Odd bottlenecks included: the inner width is a multiple of the group width, and nothing is refused."""
    scaled = fs.scale(net, strategy, s)
    for block, stage in zip(scaled.block_types, scaled.stages, strict=True):
        inner = stage.width if "mbconv" in block.name or block.takes_tokens else round(stage.width * stage.bottleneck)
        assert inner >= 1
        assert inner % stage.group_width == 0
    assert fs.Network.from_dict(scaled.to_dict()) == scaled


@given(st.floats(0.1, 4), st.integers(8, 512), st.sampled_from([1, 8, 16]), scales())
@example(0.333, 96, 1, 1.0)
@example(0.67, 64, 8, 1.0)
def test_any_bottleneck_scales_near_the_width_asked(bottleneck, width, group_width, s):
    """A bottleneck that is no simple fraction neither fails nor blows the width up beyond a step of rounding."""
    inner = max(group_width, group_width * round(width * bottleneck / group_width))
    width = max(1, round(inner / bottleneck))
    assume(round(width * bottleneck) % group_width == 0)
    net = fs.anynet(depths=[1], widths=[width], bottlenecks=bottleneck, group_widths=group_width)
    scaled = fs.scale(net, "w1", s)
    asked = width * math.sqrt(s)
    assert abs(scaled.widths[0] - asked) <= 8 + 4 * group_width * max(1, 1 / bottleneck)


@given(st.integers(8, 512), st.floats(0.1, 4), st.sampled_from(["d", "r", "dr"]), scales())
@example(96, 0.35, "d", 1.0)
@example(100, 0.333, "d", 1.0)
def test_what_no_strategy_widens_keeps_its_width(width, bottleneck, strategy, s):
    """A network that can be built, without groups, scaled in depth and resolution alone."""
    net = fs.anynet(depths=[1], widths=[width], bottlenecks=bottleneck)
    scaled = fs.scale(net, strategy, s)
    assert (scaled.widths, scaled.group_widths) == (net.widths, net.group_widths)


@given(anynets() | base_networks(), scaling_strategies(), scales(), scales())
def test_more_scale_is_never_less_of_depth_resolution_or_group_width_asked(net, strategy, one, other):
    assume(1 not in (one, other))  # sizes stay as they are, and 5 pixels are more than the 4 that 5.9 are rounded to
    few, many = (fs.scale(net, strategy, s) for s in sorted((one, other)))
    assert few.resolution <= many.resolution
    assert all(a <= b for a, b in zip(few.depths, many.depths, strict=True))
    assert few.stem.width <= many.stem.width
    assert few.head.width <= many.head.width


@given(base_networks(), scales(), scales())
def test_where_groups_do_not_bind_more_scale_is_never_less_width(net, one, other):
    assume("mbconv" in net.block or net.name.startswith("ResNet"))
    few, many = (fs.scale(net, "w1", s) for s in sorted((one, other)))
    assert all(a <= b for a, b in zip(few.widths, many.widths, strict=True))


@given(base_networks(), scaling_strategies(), scales(1, 64))
def test_each_dimension_is_a_rounding_step_from_what_the_strategy_asks(net, strategy, s):
    scaled = fs.scale(net, strategy, s)
    d, w, _, r = (s ** float(exponent) for exponent in strategy.exponents)
    assert abs(scaled.resolution - net.resolution * r) <= max(4, net.resolution_unit) / 2 + 1e-6
    assert all(abs(now - was * d) <= 0.5 + 1e-6 for was, now in zip(net.depths, scaled.depths, strict=True))
    for was, now in zip(net.stages, scaled.stages, strict=True):
        step = 1 if "mbconv" in net.block else now.group_width * max(1, 1 / now.bottleneck)
        assert abs(now.width - was.width * w) <= 4 + max(step, now.bottleneck) + 1e-6


@pytest.mark.parametrize("s", [1e12, 1e30, 1e60])
def test_a_huge_scale_gives_exact_whole_numbers(s):
    for name in ZOO:
        for strategy in fs.scaling.STRATEGIES:
            net = fs.scale(name, strategy, s)
            sizes = (net.resolution, *net.depths, *net.widths, *net.group_widths, *fs.complexity(net))
            assert {type(size) for size in sizes} == {int}


@pytest.mark.parametrize("s", [0, -1, math.nan, math.inf, "4", True, None, [4], 1j, 10**400], ids=lambda s: repr(s)[:9])
def test_a_scale_is_a_finite_number_above_0(s):
    with pytest.raises(
        fs.scaling.StrategyError, match=r"^scale: the scale factor is .*, but must be a finite number above 0"
    ):
        fs.scale("ResNet-50", "dWr", s)


def test_a_scale_may_be_any_kind_of_number():
    net = fs.scale("ResNet-50", "dWr", 4)
    assert fs.scale("ResNet-50", "dWr", np.int64(4)) == net
    assert fs.scale("ResNet-50", "dWr", Fraction(4)) == net
    assert type(scaling_of(fs.scale("ResNet-50", "dWr", np.float32(4))).s) is float


def test_what_is_too_large_to_count_is_refused_in_a_sentence():
    with pytest.raises(
        fs.scaling.StrategyError, match=r"^scale: by d with s = 1e\+308 a dimension is too large to count"
    ):
        fs.scale("ResNet-50", "d", 1e308)


@pytest.mark.parametrize(
    "given",
    [
        *["alpha=1e-100000000", "alpha=1e-99999999999999999999", "alpha=" + "1" * 10**6, "alpha=1/" + "9" * 500],
        *["d" + "1" * 10**6, "d1_" * 10**6, "alpha=١e-١٠٠٠٠٠٠٠٠", 10**400, Fraction(1, 10**500), ["dWr"] * 10**6],
    ],
    ids=lambda given: shown(given)[:20],
)
def test_a_hostile_strategy_is_refused_in_few_words(given):
    with stopped_where_it_hangs(), pytest.raises(fs.scaling.StrategyError) as refused:
        fs.strategy(given)
    assert len(str(refused.value)) < 300


def test_alpha_may_be_any_real_number():
    alphas = [0.8, np.float32(0.8), np.float64(0.8), np.array(0.8), Decimal("0.8"), Fraction(4, 5), "alpha=8e-1"]
    assert {fs.strategy(each) for each in alphas} == {fs.strategy(alpha=0.8)}
    assert fs.strategy(np.int64(1)) == fs.strategy(1)
    assert fs.strategy("alpha=5e-324").alpha == Fraction(5, 10**324)


# Factors instead of a strategy


def test_efficientnet_b3_from_its_factors_is_b3_but_for_what_the_help_says():
    b3 = fs.network("EfficientNet-B3")
    net = fs.scale("EfficientNet-B0", depth=1.4, width=1.2, resolution=300)
    assert (net.depths, b3.depths) == ((1, 3, 3, 4, 4, 6, 1), (2, 3, 3, 5, 5, 6, 2))
    assert (net.widths[0], b3.widths[0]) == (16, 24)
    assert net.widths[1:] == b3.widths[1:]
    assert net.replace(name=b3.name, stages=b3.stages) == b3  # resolution, stem, head and all else are equal


@pytest.mark.parametrize(
    ("name", "depth", "width", "resolution"),  # Tan and Le, EfficientNet, 2019
    [
        ("EfficientNet-B1", 1.1, 1.0, 240),
        ("EfficientNet-B2", 1.2, 1.1, 260),
        ("EfficientNet-B3", 1.4, 1.2, 300),
        ("EfficientNet-B4", 1.8, 1.4, 380),
        ("EfficientNet-B5", 2.2, 1.6, 456),
        ("EfficientNet-B6", 2.6, 1.8, 528),
        ("EfficientNet-B7", 3.1, 2.0, 600),
    ],
)
def test_published_efficientnets_differ_by_how_they_round(name, depth, width, resolution):
    base, published = fs.network("EfficientNet-B0"), fs.network(name)
    net = fs.scale(base, depth=depth, width=width, resolution=resolution)
    assert net.depths == tuple(max(1, round(depth * blocks)) for blocks in base.depths)
    assert published.depths == tuple(math.ceil(depth * blocks) for blocks in base.depths)
    raised = [8 * (size < 0.9 * width * asked) for size, asked in zip(net.widths, base.widths, strict=True)]
    assert published.widths == tuple(size + more for size, more in zip(net.widths, raised, strict=True))
    assert (net.resolution, net.stem, net.head) == (published.resolution, published.stem, published.head)


def test_factors_of_1_and_the_own_resolution_change_nothing():
    for net in map(fs.network, ZOO):
        assert fs.scale(net, depth=1, width=1, resolution=net.resolution).dimensions == net.dimensions
        assert fs.scale(net, width=1.0).dimensions == net.dimensions


def test_group_widths_grow_with_the_factor_of_width():
    net = fs.scale("RegNetY-4.0GF", width=2)
    assert net.group_widths == (128,) * 4
    assert net.widths == tuple(2 * width for width in fs.network("RegNetY-4.0GF").widths)
    assert (net.depths, net.resolution) == ((2, 6, 12, 2), 224)


@given(base_networks(), scaling_strategies(), scales())
def test_the_factors_of_a_strategy_give_its_depths_and_widths(base, strategy, s):
    d, w, g, _ = (float(s) ** float(exponent) for exponent in fs.strategy(strategy).exponents)
    assume(w == g and min(d, w) >= 1e-9 and max(d, w) <= 1e9)
    by_strategy, by_factors = fs.scale(base, strategy, s), fs.scale(base, depth=d, width=w)
    assert by_factors.dimensions._replace(resolution=0) == by_strategy.dimensions._replace(resolution=0)


def test_a_network_scaled_by_factors_tells_them():
    net = fs.scale("EfficientNet-B0", depth=2, width=1.5, resolution=448)
    assert net.name == "EfficientNet-B0 depth ×2 width ×1.5 448px"
    assert (scaling_of(net).base, scaling_of(net).strategy) == ("EfficientNet-B0", "depth ×2 width ×1.5 448px")
    assert scaling_of(net).s == 2 * 1.5**2 * 2**2
    assert fs.Network.from_yaml(net.to_yaml()).scaling == net.scaling
    assert scaling_of(fs.scale("ResNet-50", resolution=224)).strategy == "224px"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"resolution": 1.3}, "resolution is 1.3, but must be a whole number .* in pixels, not a factor"),
        ({"resolution": 2}, "resolution is 2, but must be a whole number from 8"),
        ({"depth": 0}, "the factor of depth is 0, but must be a number from 1e-09 to"),
        ({"width": "1.2"}, "the factor of width is '1.2', but must be a number"),
        ({"width": math.nan}, "the factor of width is nan, but must be a number"),
        ({"strategy": "dWr", "s": 4, "resolution": 300}, "give either a strategy and s, or depth, width"),
        ({"s": 4, "depth": 2}, "give either a strategy and s, or depth, width"),
        ({}, "give a strategy and s, as in .*, or factors, as in"),
    ],
)
def test_wrong_factors_are_refused_in_a_sentence(given, sentence):
    with pytest.raises(fs.scaling.StrategyError, match=f"^scale: {sentence}"):
        fs.scale("EfficientNet-B0", **given)


def test_group_widths_stay_by_the_weights_that_the_help_names_for_pycls():
    base = fs.network("RegNetY-4.0GF")
    for pycls, ours in (("w", "w1"), ("dw", "d1_w1"), ("dwr", "d1_w1_r1")):
        assert fs.scale(base, ours, 4).group_widths == base.group_widths
        assert fs.scale(base, pycls, 4).group_widths != base.group_widths
