"""Published scaling rules as strategies, held against the sizes of the networks that were published with them."""

import numpy as np
import pytest

import fastscale_lib as fs


def test_each_rule_is_a_strategy_of_three_shares():
    rules = fs.scaling.published_rules()
    assert list(rules.index[:4]) == ["w", "dw", "dwr", "dWr"]
    assert len(rules) == 10
    for name, rule in rules.to_dict("index").items():
        e = fs.strategy(rule["strategy"]).exponents
        assert e.w == e.g, name
        assert [float(e.d), 2 * float(e.w), 2 * float(e.r)] == pytest.approx([rule[each] for each in "dwr"])
        assert sum(rule[each] for each in "dwr") == pytest.approx(1)
        assert rule["source"]


@pytest.mark.parametrize(
    ("rule", "shares", "off"),
    [  # shares of depth, width, resolution; the largest departure of a size
        ("dWr", (0.1, 0.8, 0.1), None),
        ("EfficientNet α, β, γ", (0.279, 0.292, 0.428), None),
        ("EfficientNet-B1 to B7", (0.252, 0.303, 0.446), 0.037),
        ("EfficientNet-X, GPU", (0.379, 0.422, 0.199), 0.003),
        ("EfficientNet-X, TPU, B1 to B4", (0.376, 0.374, 0.250), 0.007),
        ("EfficientNet-X, TPU, B6 and B7", (0.279, 0.524, 0.198), 0.019),
        ("ResNet-RS", (0.626, 0, 0.374), 0.24),
    ],
)
def test_the_shares_of_a_rule(rule, shares, off):
    found = fs.scaling.published_rules().loc[rule]
    assert tuple(found[["d", "w", "r"]]) == pytest.approx(shares, abs=0.001)
    assert np.isnan(found["off"]) if off is None else off - 0.01 < found["off"] <= off


@pytest.mark.parametrize(
    ("rule", "steps"),
    [  # of rounding: depth, width, pixels
        ("EfficientNet-B1 to B7", (0.1, 0.1, 20)),
        ("EfficientNet-X, GPU", (0.02, 0.01, 2)),
        ("EfficientNet-X, TPU, B1 to B4", (0.02, 0.02, 3)),
        ("EfficientNet-X, TPU, B6 and B7", (0.12, 0.04, 2)),
    ],
)
def test_a_rule_gives_the_published_sizes_within_rounding(rule, steps):
    sizes = fs.scaling.rule_sizes(rule)
    for name, step in zip(("depth", "width", "resolution"), steps, strict=True):
        assert (sizes[f"{name} by rule"] - sizes[name]).abs().max() <= step / 2, name


def test_the_rule_of_the_gpu_gives_its_networks_to_the_digit_or_the_next():
    """Factors were published to two decimals: these are 0.01 off at most, and a pixel."""
    sizes = fs.scaling.rule_sizes("EfficientNet-X, GPU")
    assert (sizes["depth by rule"].round(2) - sizes["depth"]).abs().max() <= 0.011
    assert (sizes["resolution by rule"].round() - sizes["resolution"]).abs().max() <= 1


def test_depths_of_resnet_rs_are_those_of_the_zoo():
    depths = fs.scaling.rule_sizes("ResNet-RS")["depth"]
    assert len(depths)
    for name, blocks in depths.items():
        assert blocks == sum(fs.network(str(name).split("@")[0]).depths)


def test_the_published_efficientnets_do_not_follow_from_their_constants():
    """By 1.2, 1.1 and 1.15 at B7's flops depth would be 13 % more; its resolution is larger for it."""
    b7 = fs.scaling.rule_sizes("EfficientNet-B1 to B7").loc["EfficientNet-B7"]
    e = fs.strategy(fs.scaling.published_rules()["strategy"]["EfficientNet α, β, γ"]).exponents
    assert b7["s"] ** float(e.d) / b7["depth"] == pytest.approx(1.131, abs=0.002)
    assert 224 * b7["s"] ** float(e.r) / b7["resolution"] == pytest.approx(0.976, abs=0.002)


def test_a_rule_without_networks_is_refused_in_a_sentence():
    with pytest.raises(fs.scaling.StrategyError, match="rule_sizes: rule is 'dWr', but must be one of EfficientNet-B1"):
        fs.scaling.rule_sizes("dWr")
