"""Networks by hand and by stage; what cannot be built is refused in a sentence."""

import dataclasses
import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.drawn_networks import ACCEPTED, any_networks
from helpers.small_networks import small
from hypothesis import example, given
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib._common.checks import shown
from fastscale_lib.architectures.blocks import BLOCKS
from fastscale_lib.architectures.parts import STEMS, Head, Stage, Stem

# Other values of some fields


def test_replace_changes_fields_of_a_network():
    net = small().replace(resolution=64, classes=10, head=Head(64))
    assert net == small(resolution=64, classes=10, head_width=64)


def test_replace_drops_where_the_sizes_came_from_and_keeps_the_note():
    scaled = fs.scale_to("RegNetZ-4GF", "dWr", flops=8e9)
    assert scaled.note == fs.network("RegNetZ-4GF").note != ""
    assert scaled.scaling is not None
    assert scaled.scaling.achieved == fs.complexity(scaled).flops
    for changes in ({"resolution": 224}, {"classes": 10}, {"stem": Stem("res_stem_in", 32)}):
        net = scaled.replace(**changes)
        assert (net.scaling, net.note) == (None, scaled.note)
    for changes in ({}, {"name": "mine"}, {"note": ""}, {"classes": 1000}):
        assert scaled.replace(**changes).scaling == scaled.scaling
    assert scaled.replace(note="").note == ""
    assert scaled.replace(classes=10, scaling=scaled.scaling).scaling == scaled.scaling


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"depths": [1, 2]}, "replace: a network has no field depths; its fields are name, resolution, stem"),
        ({"x" * 10**6: 1}, "replace: a network has no field x{60}; its fields"),
        ({"classes": 0}, "network: classes is 0, but must be a whole number of at least 1"),
        ({"block": "conv"}, "block"),
        ({"stages": ()}, "network: it has no stages"),
    ],
    ids=lambda given: shown(given)[:20],
)
def test_replace_refuses_what_a_new_network_refuses(changes, sentence):
    with pytest.raises(fs.architectures.NetworkError, match=f"^{sentence}"):
        small().replace(**changes)


# Block, squeeze-and-excitation and activation by stage


MIXED = {"depths": [1, 2, 1], "widths": [16, 32, 64], "bottlenecks": [4, 0.25, 1]}


def test_a_stage_has_what_it_does_not_say_from_the_network():
    net = small(**MIXED, blocks=["mbconv", None, "res_basic_block"], se_ratios=[None, 0.25, None], activations="silu")
    assert [block.name for block in net.block_types] == ["mbconv", "res_bottleneck_block", "res_basic_block"]
    assert (net.se_ratios, net.activations) == ((0, 0.25, 0), ("silu",) * 3)
    assert [stage.group_width for stage in net.stages] == [1, 8, 64]
    assert list(net.to_dict()["stages"][0])[-2:] == ["block", "activation"]
    assert fs.complexity(net).params == sum(each.numel() for each in fs.build(net, "meta").parameters())


def test_what_a_stage_says_as_the_network_does_makes_no_other_network():
    plain = small(activation="silu", se_ratio=0.25)
    said = small(activation="silu", se_ratio=0.25, blocks=plain.block, se_ratios=0.25, activations=[None, "silu"])
    assert (said, said.id, said.to_yaml()) == (plain, plain.id, plain.to_yaml())


def test_networks_differ_where_one_stage_has_another_activation():
    assert small(activations=[None, "silu"]) != small() != small(se_ratios=[0.25, None])
    assert small(activations=[None, "silu"]).id != small().id


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"blocks": [None, "conv"]}, "stage 2: block: 'conv' is not one of res_bottleneck_block"),
        ({"activations": "tanh"}, "stage 1: activation: 'tanh' is not one of relu"),
        ({"se_ratios": [0, 2]}, "stage 2: se_ratio is 2, but must be a number from 0 to 1"),
        ({"blocks": ["mbconv"]}, "network: blocks has 1 entry, but depths has 2 stages"),
        ({"blocks": ["mbconv", None], "group_widths": 4}, "stage 1: group width 4, but mbconv has depthwise"),
    ],
)
def test_what_no_stage_can_be_is_refused_with_its_number(changes, sentence):
    with pytest.raises(fs.architectures.NetworkError, match=f"^{sentence}"):
        small(**changes)


def test_ids_of_published_networks_stay_as_they_were_first_stored():
    """Stores, plans and trainings know networks by them."""
    kept = json.loads((Path(__file__).parent / "network_ids.json").read_text("utf-8"))
    assert {name: fs.network(name).id for name in kept} == kept


# Made by hand


def test_a_single_number_serves_all_stages():
    net = small(strides=1, bottlenecks=0.25, group_widths=8, kernels=5)
    assert net == small(strides=[1, 1], bottlenecks=[0.25, 0.25], group_widths=[8, 8], kernels=[5, 5])


def test_without_group_widths_there_are_no_groups():
    assert small(bottlenecks=0.5).group_widths == (16, 32)
    assert small(block="res_basic_block").group_widths == (32, 64)
    assert small(block="mbconv", bottlenecks=6).group_widths == (1, 1)


def test_numpy_numbers_become_plain_ones():
    net = small(
        depths=np.array([1, 2]),
        widths=np.array([32, 64], np.int32),
        bottlenecks=np.float32(0.5),
        resolution=np.int64(32),
    )
    assert net == small(bottlenecks=0.5)
    assert {type(each) for each in (*net.depths, *net.widths, net.resolution)} == {int}
    assert type(net.stages[0].bottleneck) is float
    assert net.to_yaml() == small(bottlenecks=0.5).to_yaml()


def test_a_stem_for_small_images_keeps_the_resolution():
    assert small(strides=[1, 2]).total_stride == 2
    assert fs.layers(small()).resolution_out[0] == 32
    assert fs.network("ResNet-50").total_stride == 2 * 2 * 1 * 2 * 2 * 2


NOT_WHOLE = [0, -1, 2.0, 1.5, "8", True, None, float("nan"), float("inf")]


@pytest.mark.parametrize("value", NOT_WHOLE, ids=repr)
@pytest.mark.parametrize("field", ["depths", "widths", "strides", "group_widths", "kernels"])
def test_a_stage_takes_whole_numbers(field, value):
    name = field.removesuffix("s")
    with pytest.raises(
        fs.architectures.NetworkError, match=rf"^stage 2: {name} is .*, but must be a whole number of at least 1"
    ):
        small(**{field: [1, value]})


@pytest.mark.parametrize("value", NOT_WHOLE, ids=repr)
@pytest.mark.parametrize("field", ["resolution", "classes", "channels", "stem_width"])
def test_a_network_takes_whole_numbers(field, value):
    part = "stem: width" if field == "stem_width" else f"network: {field}"
    with pytest.raises(fs.architectures.NetworkError, match=f"^{part} is .*, but must be a whole number of at least 1"):
        small(**{field: value})


@pytest.mark.parametrize(
    "value", [0, -1, "1", True, None, float("nan"), float("inf"), 1j, 1e308, 10**400, 5e-324], ids=shown
)
def test_a_bottleneck_is_a_number_that_is_built(value):
    with pytest.raises(
        fs.architectures.NetworkError, match=r"^stage 2: bottleneck is .*, but must be a number from 1e-06 to 1e\+06"
    ):
        small(bottlenecks=[1, value])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"depths": [], "widths": []}, "no stages; give at least one"),
        ({"depths": 3}, r"depths is 3, but must have one entry per stage"),
        ({"depths": "12"}, r"depths is '12', but must have one entry per stage"),
        ({"widths": [32]}, r"widths has 1 entry, but depths has 2 stages"),
        ({"strides": [1, 2, 3]}, r"strides has 3 entries, but depths has 2 stages"),
        ({"widths": "ab"}, "widths is 'ab'"),
        ({"kernels": [3, 4]}, r"stage 2: kernel 4 is even, but padding \(k−1\)/2 needs an odd kernel"),
        ({"group_widths": [32, 24]}, r"stage 2: inner width 64 .* is not a multiple of group width 24; width \d+ with"),
        ({"bottlenecks": [1, 0.001]}, r"stage 2: inner width 0 "),
        ({"block": "mbconv", "group_widths": [1, 8]}, "stage 2: group width 8, but mbconv has depthwise"),
        ({"block": "mbconv", "bottlenecks": [6, 0.5]}, "stage 2: bottleneck 0.5, but mbconv expands"),
        ({"block": "res_basic_block", "bottlenecks": [1, 4]}, "stage 2: bottleneck 4, but res_basic_block has dense"),
        ({"block": "res_basic_block", "group_widths": [32, 8]}, "stage 2: group width 8, .* its width, 64"),
        ({"block": "vanilla_block", "bottlenecks": [1, 4]}, "stage 2: bottleneck 4, but vanilla_block has dense"),
        ({"block": "res_bottleneck_stride_1x1_block", "group_widths": [32, 24]}, "stage 2: inner width 64 .* is not"),
        ({"block": ["mbconv"]}, r"block: \['mbconv'\] is not one of res_bottleneck_block, "),
        ({"block": "swin"}, "block: 'swin' is not one of res_bottleneck_block, "),
        ({"stem": "patchify"}, "stem: 'patchify' is not one of simple_stem_in, res_stem_in, res_stem_cifar"),
        ({"activation": "tanh"}, "activation: 'tanh' is not one of relu, silu, gelu"),
        ({"se_ratio": 1.5}, "se_ratio is 1.5, but must be a number from 0 to 1"),
        ({"se_ratio": -0.1}, "se_ratio is -0.1"),
        ({"se_ratio": True}, "se_ratio is True"),
        ({"head_width": -8}, "head: width is -8, but must be a whole number of at least 0"),
        ({"head_width": 1.0}, r"head: width is 1\.0"),
    ],
)
def test_what_cannot_be_built_is_refused_with_stage_value_and_rule(changes, sentence):
    with pytest.raises(fs.architectures.NetworkError, match=sentence):
        small(**changes)


def test_the_refusal_tells_what_would_fit():
    with pytest.raises(fs.architectures.NetworkError, match="width 72 with group width 24 would fit"):
        small(widths=[32, 64], group_widths=[32, 24])
    assert small(widths=[32, 72], group_widths=[32, 24]).widths == (32, 72)


@given(st.sampled_from(list(BLOCKS)), st.integers(1, 5000), st.floats(0.01, 16), st.integers(1, 512))
@example("res_bottleneck_block", 2000, 0.0004, 1)
def test_what_is_made_to_fit_can_be_built(block, width, bottleneck, group_width):
    if block in ACCEPTED:
        bottleneck = 1.0 if ACCEPTED[block] == (1,) else max(1.0, bottleneck)
    fit = BLOCKS[block].fit
    width, group_width = fit(width, bottleneck, group_width)
    tokens = {"stem": "tokens_8_class", "stem_width": width, "strides": 1, "kernels": 1, "head": "norm_pool"}
    net = small(
        block=block,
        depths=[1],
        widths=[width],
        bottlenecks=bottleneck,
        group_widths=group_width,
        **tokens if BLOCKS[block].takes_tokens else {},
    )
    assert fit(width, bottleneck, group_width) == (net.widths[0], net.group_widths[0])


def test_a_regnet_is_expanded_into_its_stages():
    """RegNetX-200MF, from its four numbers; blocks of one width are one stage."""
    net = fs.regnet(name="RegNetX-200MF", depth=13, w0=24, wa=36.44, wm=2.49, group_width=8)
    assert net == fs.network("RegNetX-200MF")
    assert (net.depths, net.widths) == ((1, 1, 4, 7), (24, 56, 152, 368))


def test_a_regnet_names_itself_and_refuses_what_it_has_no_use_for():
    numbers: dict[str, Any] = {"depth": 13, "w0": 24, "wa": 36.44, "wm": 2.49, "group_width": 8}
    assert fs.regnet(**numbers).name == "RegNet"
    unknowns: tuple[dict[str, Any], ...] = ({"foo": 1}, {"widths": [8]})
    for unknown in unknowns:
        with pytest.raises(TypeError, match=r"regnet.. got an unexpected keyword argument '(foo|widths)'"):
            fs.regnet(**numbers, **unknown)


# What a network is like


def test_a_network_is_frozen_and_hashable():
    net = small()
    for frozen, name in ((net, "resolution"), (net.stages[0], "width")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(frozen, name, 64)
    assert {net: "found"}[small()] == "found"
    assert isinstance(small(depths=[1, 2]).stages, tuple)


def test_equality_is_by_what_a_network_is_not_by_where_it_comes_from():
    scaled = fs.scale("ResNet-50", "dWr", 4)
    by_hand = dataclasses.replace(scaled, scaling=None)
    assert by_hand == scaled
    assert hash(by_hand) == hash(scaled)
    assert small(classes=10) != small(classes=11)
    assert small(name="a") != small(name="b")


def test_networks_are_told_apart_by_what_they_compute():
    net = fs.network("RegNetY-400MF")
    by_hand = fs.Network.from_dict(net.to_dict() | {"name": "mine"})
    assert by_hand.id == net.id
    assert fs.scale(net, "w", 2).id != net.id
    trained_otherwise = set(fs.networks("DeiT"))  # ViT-Ti/16, ViT-S/16 and ViT-B/16 by other names
    assert {fs.network(name).id for name in trained_otherwise} < {fs.network(name).id for name in fs.networks("ViT")}
    others = set(fs.networks()) - trained_otherwise
    assert len({fs.network(name).id for name in others}) == len(others)


def test_the_id_of_a_network_stays_what_stores_hold():
    """Rows are found by it: it must not change."""
    assert fs.network("ResNet-50").id == "e0310d46e35e"
    assert fs.network("EfficientNet-B0").id == "0d7aaaea8411"


@given(any_networks())
def test_a_network_survives_pickling(net):
    back = pickle.loads(pickle.dumps(net))
    assert (back, back.scaling, hash(back)) == (net, net.scaling, hash(net))


def test_a_network_says_in_a_line_what_it_is():
    assert str(small()) == "AnyNet (32×32 px, depths 1-2, widths 32-64, group widths 32-64)"


@pytest.mark.parametrize("kind", STEMS)
def test_the_parts_are_refused_by_themselves_too(kind):
    eight: Any = np.int64(8)
    assert Stem(kind, eight).width == 8
    with pytest.raises(fs.architectures.NetworkError, match="stem: width is 0"):
        Stem(kind, 0)
    with pytest.raises(fs.architectures.NetworkError, match="stage: depth is 0"):
        Stage(0, 8)
    assert Head().width == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("group_width", 0), ("depth", 13.5), ("depth", 0), ("group_width", "8"), ("depth", 1e308), ("depth", 10**8)],
        *[("w0", 1e308), ("w0", 10**400), ("wa", math.nan), ("wm", 1), ("wm", 1e300), ("bottleneck", "1")],
    ],
)
def test_a_regnet_that_cannot_be_is_refused(name, value):
    settings = {"depth": 13, "w0": 24, "wa": 36.44, "wm": 2.49, "group_width": 8, "name": "x"} | {name: value}
    with pytest.raises(fs.architectures.NetworkError, match=f"^regnet: {name} is .*, but must be a .*number"):
        fs.regnet(**settings)
