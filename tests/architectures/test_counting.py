"""Complexity: exact counts of one network, of its layers, and of whole grids at once; and the laws they follow."""

import math
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from helpers.drawn_networks import alphas, anynets, base_networks, scales, scaling_strategies
from helpers.reference import EARLY, PYCLS_ZOO, SCALED
from hypothesis import given, settings
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib._common.frames import rows
from fastscale_lib.architectures.parts import METRICS as NAMES
from fastscale_lib.architectures.parts import Head

ZOO = fs.networks()
METRICS = ["flops", "params", "activations"]


# One network


@pytest.mark.parametrize("name", sorted({row.network for row in SCALED}))
def test_a_scaled_network_counts_as_in_pycls_to_the_last_digit(name):
    for row in (row for row in SCALED if row.network == name):
        assert fs.complexity(fs.scale(name, row.strategy, row.scale)) == row.complexity, row


@pytest.mark.parametrize(("name", "flops_g", "params_m", "activations_m"), PYCLS_ZOO)
def test_a_base_network_counts_as_published(name, flops_g, params_m, activations_m):
    flops, params, activations = fs.complexity(name)
    assert [f"{count / unit:.1f}" for count, unit in [(flops, 1e9), (params, 1e6), (activations, 1e6)]] == [
        flops_g,
        params_m,
        activations_m,
    ]


def test_counts_at_another_resolution_are_those_of_the_network_there():
    for name in ZOO:
        net = fs.network(name)
        side = math.ceil(160 / net.resolution_unit) * net.resolution_unit
        there = replace(net, resolution=side)
        assert fs.complexity(name, resolution=side) == fs.complexity(there)
        assert fs.layers(name, resolution=side).equals(fs.layers(there))
    assert fs.layers("ResNet-50", resolution=160)["resolution_in"][0] == 160
    with pytest.raises(fs.architectures.NetworkError, match="resolution is 0, but must be a whole number"):
        fs.complexity("ResNet-50", resolution=0)


def test_each_count_is_named_once():
    assert fs.architectures.Complexity._fields == NAMES


def test_regnetz_500mf_counts_as_timm_s_regnetz_005():
    assert fs.complexity("RegNetZ-500MF") == (507_217_126, 7_122_742, 5_860_358)


def rounded(network: fs.Network) -> tuple[str, ...]:
    """Params and activations as Table 2 of Early Convolutions rounds them, in M."""
    return tuple(f"{count / 1e6:.1f}" for count in fs.complexity(network)[1:])


def regnetz(flops_g: str) -> fs.Network:
    """The RegNetZ of that table: RegNetZ-500MF and -4GF, fast-scaled."""
    if flops_g == "4.0":
        return fs.network("RegNetZ-4GF")
    return fs.scale_to("RegNetZ-500MF" if flops_g == "1.0" else "RegNetZ-4GF", "dWr", flops=1e9 * float(flops_g),
                       adjust=False)  # fmt: skip


@pytest.mark.parametrize("row", [row for row in EARLY if row[0].startswith("RegNetZ")], ids=lambda row: row[0])
def test_regnetz_and_its_scaled_networks_count_as_published(row):
    """Which they do because the head stays as wide as it is, as pycls's scaler leaves that of every RegNet."""
    network = regnetz(row[1])
    assert rounded(network) == row[2:]
    assert fs.complexity(network).flops / 1e9 == pytest.approx(float(row[1]), rel=0.015)
    if network.scaling:
        grown = 8 * round(network.head.width * network.scaling.s**0.4 / 8)
        assert rounded(replace(network, head=Head(grown))) != row[2:]


def test_the_head_of_regnetz_4gf_is_fitted_and_says_so():
    rows = [row for row in EARLY if row[0] in ("RegNetZ-4GF", "RegNetZ-16GF", "RegNetZ-32GF")]
    fitting = [w for w in range(980, 1030)
               if all(rounded(replace(regnetz(row[1]), head=Head(w))) == row[2:] for row in rows)]  # fmt: skip
    assert (fitting[0], fitting[-1]) == (990, 1015)
    base = fs.network("RegNetZ-4GF")
    assert abs(base.head.width - sum(fitting) / len(fitting)) <= 4
    for shown in (base.note, base.to_yaml(), base._repr_html_(), repr(base), fs.scale(base, "dWr", 4).note):
        assert "width is not published: 1,000 is fitted to the published params and activations" in shown


def test_a_network_small_enough_to_count_by_hand():
    """A 3×3 stem to 2 channels, one stage of one basic block to 4 channels at stride 2, 10 classes, 8×8 pixels."""
    net = fs.anynet(
        stem="res_stem_cifar", stem_width=2, block="res_basic_block", depths=[1], widths=[4], classes=10, resolution=8
    )
    stem, first, second, shortcut = 9 * 3 * 2, 9 * 2 * 4, 9 * 4 * 4, 2 * 4
    norms = 2 * (2 + 4 + 4 + 4)
    assert fs.complexity(net) == (
        64 * stem + 16 * (first + second + shortcut) + 4 * 10 + 10,
        stem + first + second + shortcut + norms + 4 * 10 + 10,
        64 * 2 + 3 * 16 * 4 + 10,
    )


def test_a_block_without_a_residual_counts_the_shortcut_less():
    sizes = {"stem": "res_stem_cifar", "stem_width": 16, "depths": [9, 9, 9], "widths": [16, 32, 64]}
    basic, vanilla = (
        fs.anynet(block=block, strides=[1, 2, 2], classes=10, resolution=32, **sizes)
        for block in ("res_basic_block", "vanilla_block")
    )
    shortcuts = {"flops": 16**2 * 16 * 32 + 8**2 * 32 * 64, "params": 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64}
    shortcuts |= {"activations": 16**2 * 32 + 8**2 * 64}
    difference = [a - b for a, b in zip(fs.complexity(basic), fs.complexity(vanilla), strict=True)]
    assert difference == list(shortcuts.values())
    assert fs.layers(vanilla)["kind"].value_counts()["conv"] == 55  # the deepest of 56 layers is linear


def test_resnet_50_with_the_stride_on_the_first_1x1():
    """As pycls counts it with STRIDE_1X1."""
    early = replace(fs.network("ResNet-50"), block="res_bottleneck_stride_1x1_block")
    assert fs.complexity(early) == (3_857_974_248, 25_557_032, 10_788_840)
    strides = fs.layers(early).set_index("name")["stride"]
    assert (strides["stage2.block1.conv1"], strides["stage2.block1.conv2"]) == (2, 1)
    assert fs.complexity(early).params == fs.complexity("ResNet-50").params


def test_complexity_says_that_flops_are_multiply_adds():
    assert str(fs.architectures.Complexity(1000, 20, 3)) == "1,000 flops (multiply-adds), 20 params, 3 activations"
    assert fs.complexity("ResNet-50") == fs.complexity(fs.network("ResNet-50"))


@given(base_networks() | anynets(), scaling_strategies(), scales(1 / 16, 16))
def test_counts_are_exact_whole_numbers(net, strategy, s):
    assert {type(count) for count in fs.complexity(fs.scale(net, strategy, s))} == {int}


def test_counts_are_exact_beyond_what_a_float_holds():
    """EfficientNet under w: widths beyond 2**53, which expand exactly six times."""
    layers = fs.layers(fs.scale("EfficientNet-B0", "w", 1e30)).set_index("name")
    for name in ("stage2.block2.conv1", "stage4.block2.conv1", "stage7.block1.conv1"):
        width_in, width_out, side, flops = map(
            int, layers.loc[name, ["width_in", "width_out", "resolution_out", "flops"]]
        )
        assert width_in > 2**53
        assert width_out == 6 * width_in
        assert flops == 6 * width_in**2 * side**2


# Layers


@pytest.mark.parametrize("name", ZOO)
def test_the_sum_of_the_layers_is_the_complexity(name):
    assert tuple(fs.layers(name)[METRICS].sum()) == fs.complexity(name)


@given(anynets(), scaling_strategies(), scales(1 / 16, 16))
def test_the_sum_of_the_layers_is_the_complexity_of_any_network(net, strategy, s):
    scaled = fs.scale(net, strategy, s)
    assert tuple(fs.layers(scaled)[METRICS].sum()) == fs.complexity(scaled)


def test_layers_are_rows_in_order():
    layers = fs.layers("ResNeXt-50")
    assert list(layers.columns) == [
        *["name", "kind", "kernel", "stride", "groups", "width_in", "width_out", "resolution_in", "resolution_out"],
        *METRICS,
        "attention_matrices",
    ]
    assert layers.name.is_unique
    first = layers[layers.kind == "conv"].iloc[0]
    assert tuple(first[:9]) == ("stem.conv", "conv", 7, 2, 1, 3, 64, 224, 112)
    grouped = layers.set_index("name").loc["stage1.block1.conv2"]
    assert (grouped.groups, grouped.width_in, grouped.flops) == (32, 128, 9 * 4 * 128 * 56**2)
    last = layers.iloc[-1]
    assert (last["name"], last.kind, last.width_in, last.width_out) == ("head.linear", "linear", 2048, 1000)


@pytest.mark.parametrize("name", ZOO)
def test_each_layer_takes_up_where_the_last_left_off(name):
    trunk = fs.layers(name)
    trunk = trunk[~trunk.name.str.contains(r"\.se\.|\.shortcut\.|^head")]
    assert list(trunk.width_in[1:]) == list(trunk.width_out[:-1])
    assert list(trunk.resolution_in[1:]) == list(trunk.resolution_out[:-1])


# Grids


def one_by_one(networks, strategies, scales) -> pd.DataFrame:
    """What `sweep` is held to: every combination scaled and counted by itself."""
    rows = []
    for net in networks:
        for strategy in strategies:
            for s in scales:
                scaled = fs.scale(net, strategy, s)
                stages = ["-".join(map(str, each)) for each in (scaled.depths, scaled.widths, scaled.group_widths)]
                strategy = fs.strategy(strategy)
                alpha = np.nan if strategy.alpha is None else float(strategy.alpha)
                labels = (net.name, strategy.name, alpha, float(s))
                rows.append((*labels, *fs.complexity(scaled), scaled.resolution, *stages))
    columns = ["network", "strategy", "alpha", "scale", *METRICS, "resolution", "depths", "widths", "group_widths"]
    return pd.DataFrame(rows, columns=columns)


def assert_equal_in_every_cell(frame: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(frame.columns) == list(expected.columns)
    assert len(frame) == len(expected)
    for column in frame:
        ours, theirs = frame[column].tolist(), expected[column].tolist()
        if column == "alpha":
            np.testing.assert_array_equal(ours, theirs)
        else:
            assert ours == theirs, column


def few(values: st.SearchStrategy, most: int = 3) -> st.SearchStrategy[list]:
    return st.lists(values, min_size=1, max_size=most)


@given(
    few(base_networks() | anynets(), 2),
    few(scaling_strategies() | alphas().map(float), 4),
    few(scales(1 / 64, 256), 12),
)
def test_a_sweep_equals_scale_and_complexity_in_every_cell(networks, strategies, scales):
    """Unsorted and repeated scales and strategies included."""
    assert_equal_in_every_cell(fs.sweep(networks, strategies, scales), one_by_one(networks, strategies, scales))


@given(few(base_networks(), 2), few(scaling_strategies()), few(scales(1e-6, 1e40), 5))
@settings(max_examples=50)
def test_a_sweep_is_exact_beyond_64_bits(networks, strategies, scales):
    assert_equal_in_every_cell(fs.sweep(networks, strategies, scales), one_by_one(networks, strategies, scales))


def test_a_sweep_at_another_resolution_is_that_of_the_bases_there():
    frame = fs.sweep(["ResNet-50", "RegNetY-4.0GF"], ["dWr", "w"], [1, 4], resolution=160)
    bases = [fs.network(name, resolution=160) for name in ("ResNet-50", "RegNetY-4.0GF")]
    assert frame.equals(fs.sweep(bases, ["dWr", "w"], [1, 4]))
    assert set(frame["resolution"][frame["strategy"] == "w"]) == {160}


@pytest.mark.parametrize("name", ZOO)
def test_a_sweep_of_every_base_network_and_strategy(name):
    scales = np.geomspace(1 / 8, 100, 4)  # drawn networks are swept at any scale above
    strategies = [*fs.scaling.STRATEGIES, "w1", "d1_w8_r1", 0.5]
    assert_equal_in_every_cell(fs.sweep(name, strategies, scales), one_by_one([fs.network(name)], strategies, scales))


@pytest.mark.parametrize("strategy", ["w", "dwr", "dWr", 0.3])
def test_a_sweep_rounds_as_scale_does_where_the_last_bit_decides(strategy):
    """At and beside the scales where a width of 512 would be halfway between two eights."""
    exponent = float(fs.strategy(strategy).exponents.w)
    halfway = [((8 * eights + 4) / 512) ** (1 / exponent) for eights in range(40, 120)]
    scales = [near for s in halfway for near in (np.nextafter(s, 0), s, np.nextafter(s, 1e9))]
    net = fs.network("RegNetY-4.0GF")
    assert_equal_in_every_cell(fs.sweep(net, strategy, scales), one_by_one([net], [strategy], scales))


@pytest.mark.parametrize("name", ["ResNet-50", "EfficientNet-B0"])
def test_a_sweep_is_exact_where_64_bits_end(name):
    """From some 2**58 flops to some 2**72, in one sweep and one by one."""
    scales = np.geomspace(2**26, 2**40, 15)
    net, strategies = fs.network(name), ["w", "r", "dWr", "d"]
    whole = fs.sweep(net, strategies, scales)
    assert_equal_in_every_cell(whole, one_by_one([net], strategies, scales))
    assert whole.flops.max() > 2**65
    each = [fs.sweep(net, strategy, s) for strategy in strategies for s in scales]
    assert whole.flops.tolist() == [frame.flops.item() for frame in each]


def test_a_long_sweep_equals_its_parts():
    """Longer than what is counted at once, so that the parts meet inside a strategy."""
    scales, strategies = np.geomspace(1 / 4, 64, 7001), ["dWr", "g1", "d"]
    whole = fs.sweep("EfficientNet-B0", strategies, scales)
    parts = [fs.sweep("EfficientNet-B0", each, part) for each in strategies for part in np.array_split(scales, 5)]
    pd.testing.assert_frame_equal(whole, pd.concat(parts, ignore_index=True))


def test_the_reference_in_one_sweep():
    keys = ["network", "strategy", "scale"]
    rows = pd.DataFrame([(*row[:3], *row.complexity) for row in SCALED], columns=[*keys, *METRICS])
    grid = fs.sweep(*(list(rows[key].unique()) for key in keys), stages=False)
    both = rows.merge(grid, on=keys, suffixes=("", "_ours"))
    assert len(both) == len(grid) == 420
    for metric in METRICS:
        assert (both[metric] == both[f"{metric}_ours"]).all()


def test_a_sweep_takes_one_of_each_or_several_in_any_form():
    one = fs.sweep("ResNet-50", "dWr", 4)
    several = [
        fs.sweep(["ResNet-50"], ["dWr"], [4]),
        fs.sweep(fs.network("ResNet-50"), fs.strategy("dWr"), np.float64(4)),
        fs.sweep(("ResNet-50",), ("dWr",), np.array([4])),
        fs.sweep(iter(["ResNet-50"]), iter(["dWr"]), range(4, 5)),
        fs.sweep("ResNet-50", "dWr", pd.Series([4.0], index=[7])),
        fs.sweep("ResNet-50", "dWr", np.array([4], np.float32)),
    ]
    for frame in several:
        pd.testing.assert_frame_equal(frame, one)
    assert fs.sweep("ResNet-50", 0.8, 4).alpha.item() == fs.sweep("ResNet-50", Fraction(4, 5), 4).alpha.item() == 0.8
    assert len(fs.sweep(["ResNet-50", "ResNet-101"], [0, 1, "dwr"], [1, 2, 3, 4])) == 2 * 3 * 4


def test_the_rows_of_a_sweep_are_in_the_order_asked():
    frame = fs.sweep(["ResNet-101", "ResNet-50"], ["w", 0.5], [2, 1])
    asked = [(n, s, x) for n in ("ResNet-101", "ResNet-50") for s in ("w", "alpha=0.5") for x in (2.0, 1.0)]
    assert list(frame[["network", "strategy", "scale"]].itertuples(index=False, name=None)) == asked
    assert list(frame.index) == list(range(8))


def test_the_columns_of_a_sweep():
    frame = fs.sweep(["RegNetY-4.0GF", "ResNet-50"], ["d", "dWr"], [1, 4])
    labels, numbers = ["network", "strategy", "alpha", "scale"], [*METRICS, "resolution"]
    assert list(frame.columns) == [*labels, *numbers, "depths", "widths", "group_widths"]
    assert {str(frame[column].dtype) for column in numbers} == {"int64"}
    assert {str(frame[column].dtype) for column in ("alpha", "scale")} == {"float64"}
    assert frame.alpha.isna().tolist() == [True, True, False, False] * 2
    assert frame.loc[0, ["depths", "widths", "group_widths"]].tolist() == [
        "2-6-12-2",
        "128-192-512-1088",
        "64-64-64-64",
    ]
    plain = fs.sweep(["RegNetY-4.0GF", "ResNet-50"], ["d", "dWr"], [1, 4], stages=False)
    pd.testing.assert_frame_equal(plain, frame[[*labels, *numbers]])


@pytest.mark.parametrize(
    "scales", [0, [1, -1], [1, np.nan], np.inf, "abc", "4", [True], [None], [[1, 2], [3]]], ids=repr
)
def test_a_sweep_refuses_what_is_no_scale_in_a_sentence(scales):
    with pytest.raises(fs.scaling.StrategyError, match=r"must be (a finite number|numbers) above 0"):
        fs.sweep("ResNet-50", "dWr", scales)


@pytest.mark.parametrize("arguments", [([], "w", 1), ("ResNet-50", [], 1), ("ResNet-50", "w", [])])
def test_an_empty_sweep_is_refused_in_a_sentence(arguments):
    with pytest.raises(ValueError, match="nothing to count; give at least one network, one strategy and one scale"):
        fs.sweep(*arguments)


def test_a_sweep_names_what_it_does_not_know():
    with pytest.raises(fs.architectures.NetworkError, match="the nearest names are ResNet-50"):
        fs.sweep(["ResNet50x"], "w", 1)
    with pytest.raises(fs.scaling.StrategyError, match="'wd' is not one"):
        fs.sweep("ResNet-50", ["w", "wd"], 1)


@pytest.mark.parametrize("alpha", [np.float32(0.5), np.float64(0.5), np.int64(1)], ids=repr)
def test_a_sweep_takes_numpy_numbers_as_alpha(alpha):
    pd.testing.assert_frame_equal(fs.sweep("ResNet-50", alpha, 4), fs.sweep("ResNet-50", float(alpha), 4))
    pd.testing.assert_frame_equal(fs.sweep("ResNet-50", [alpha], 4), fs.sweep("ResNet-50", float(alpha), 4))


# Laws


def test_the_laws_are_powers_of_s_through_the_base_network():
    frame = fs.scaling.laws("ResNet-50", ["w", "dWr", 0.5], [0.5, 1, 16])
    assert list(frame.columns) == ["network", "strategy", "alpha", "scale", *METRICS]
    base = fs.complexity("ResNet-50")
    for row in rows(frame):
        laws = fs.strategy(row.strategy).laws
        expected = [count * row.scale ** float(law) for count, law in zip(base, laws, strict=True)]
        assert [row.flops, row.params, row.activations] == pytest.approx(expected, rel=1e-12)
    assert frame[frame.scale == 1][METRICS].to_numpy().tolist() == [list(base)] * 3


def test_laws_and_counts_have_the_same_rows():
    asked = (["ResNet-50", "EfficientNet-B0"], ["d", 0.25, "dWr"], [2, 1, 8])
    labels = ["network", "strategy", "alpha", "scale"]
    pd.testing.assert_frame_equal(fs.scaling.laws(*asked)[labels], fs.sweep(*asked)[labels])


def fitted(name: str, least: float, most: float) -> pd.DataFrame:
    frame = fs.scaling.fit_exponents(name, list(fs.scaling.STRATEGIES), np.geomspace(least, most, 15))
    return frame.assign(off=(frame.fitted - frame.law.astype(float)).abs())


@pytest.mark.parametrize(
    "name", [names[-1] for names in fs.architectures.families().values() if not fs.network(names[-1]).has_tokens]
)
def test_counts_approach_the_laws_for_large_s(name):
    """Stem, classifier and rounding set the counted exponents off; they matter less and less."""
    near, far = fitted(name, 2**10, 2**20), fitted(name, 2**40, 2**50)
    assert near.off.max() < 0.03
    assert far.off.max() < 0.005
    assert far.off.mean() < near.off.mean()


@pytest.mark.parametrize("name", ["ViT-S/16", "ViT-L/16", "DeiT-III-B"])
@pytest.mark.parametrize("strategy", fs.scaling.STRATEGIES)
def test_counts_of_a_transformer_are_near_its_laws(name, strategy):
    """The laws add those of the products of attention (d·w·r⁴) and of positions (w·r²) to those of the paper."""
    scales = [2**20, 2**30]
    counted, expected = (made(name, strategy, scales) for made in (fs.sweep, fs.scaling.laws))
    for metric in METRICS:
        assert (counted[metric] / expected[metric]).to_numpy() == pytest.approx(1, abs=0.06), metric


def test_the_law_of_a_transformer_is_that_of_what_grows_fastest():
    fits = fs.scaling.fit_exponents("ViT-S/16", ["r", "dwr", "dWr"], [2**60, 2**70])
    laws = {(row.strategy, row.metric): row.law for row in fits.itertuples()}
    assert (laws["r", "flops"], laws["r", "params"], laws["r", "activations"]) == (2, 1, 1)
    assert (laws["dwr", "flops"], laws["dWr", "flops"]) == (Fraction(7, 6), 1)
    assert (fits["fitted"] - fits["law"].astype(float)).abs().max() < 0.01


def test_the_counted_exponents_of_a_network_follow_its_laws():
    near = fitted("RegNetY-4.0GF", 2**10, 2**20)
    assert near.off.max() < 0.015
    fast = near[near.strategy == "dWr"].set_index("metric")
    assert dict(fast.law) == {"flops": 1, "params": Fraction(9, 10), "activations": Fraction(3, 5)}
    assert fast.residual.max() < 0.06


def test_an_exact_power_is_fitted_exactly():
    """Under r the params stay as they are: exponent 0, no residual."""
    frame = fs.scaling.fit_exponents("ResNet-50", "r", [1, 2, 4]).set_index("metric")
    assert frame.loc["params", "fitted"] == pytest.approx(0, abs=1e-9)
    assert frame.loc["params", "residual"] == pytest.approx(0, abs=1e-9)


def test_the_columns_of_a_fit():
    frame = fs.scaling.fit_exponents("ResNet-50", ["w", 0.5])
    expected = ["network", "strategy", "metric", "law", "fitted", "residual", "scale_from", "scale_to"]
    assert list(frame.columns) == expected
    assert list(frame.metric) == METRICS * 2
    assert (frame.scale_from.unique().item(), frame.scale_to.unique().item()) == (1, 64)
    assert all(isinstance(law, int | Fraction) for law in frame.law)


@pytest.mark.parametrize("scales", [[4], [4, 4], 4])
def test_an_exponent_takes_two_scales(scales):
    with pytest.raises(ValueError, match="an exponent takes at least two different ones"):
        fs.scaling.fit_exponents("ResNet-50", "w", scales)


# Without torch


def test_counting_loads_neither_torch_nor_plotly_nor_widgets():
    code = (
        "import sys, fastscale_lib as fs; fs.sweep(fs.networks(), list(fs.scaling.STRATEGIES), [1, 4]);"
        "fs.layers('ResNet-50');"
        "print(*[m for m in ('torch', 'plotly', 'ipywidgets', 'anywidget', 'IPython') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == ""
