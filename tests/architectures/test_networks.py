"""Networks: by published name, by hand, from files; what cannot be built is refused in a sentence."""

import dataclasses
import html
import html.parser
import itertools
import json
import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.drawn_networks import ACCEPTED, anynets, base_networks, scales, scaling_strategies
from helpers.waiting import stopped_where_it_hangs
from hypothesis import example, given
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib._common.checks import shown
from fastscale_lib.architectures.blocks import BLOCKS
from fastscale_lib.architectures.html_table import table
from fastscale_lib.architectures.parts import STEMS, Head, Stage, Stem
from fastscale_lib.architectures.provenance import Neighbour, Scaling

NAMES = fs.networks()
scaled_networks = st.builds(fs.scale, base_networks() | anynets(), scaling_strategies(), scales(1 / 16, 64))


def small(**changes) -> fs.Network:
    """A network made by hand, for small images."""
    return fs.anynet(
        **{"depths": [1, 2], "widths": [32, 64], "stem": "res_stem_cifar", "stem_width": 16, "resolution": 32} | changes
    )


# The zoo


SIZES = {
    **{"EfficientNet": 10, "EfficientNet-Lite": 5, "EfficientNetV2": 7, "EfficientNetV2-B": 4, "TinyNet": 5},
    **{"MnasNet-A1": 4, "MnasNet-B1": 4, "MobileNetV2": 7, "MobileNetV3-Large": 3, "MobileNetV3-Small": 3},
    **{"RegNetX": 12, "RegNetY": 15, "RegNetZ": 4},
    **{"ResNet": 7, "ResNet-D": 7, "ResNet-T": 4, "ResNet-RS": 7, "ResNeXt": 7, "WideResNet": 2},
    **{"SE-ResNet": 7, "SE-ResNeXt": 6},
}


def test_the_zoo_holds_networks_family_by_family():
    assert len(NAMES) == len(set(NAMES)) >= 120
    sizes = {family: len(names) for family, names in fs.architectures.families().items()}
    assert {family: sizes[family] for family in SIZES} == SIZES
    assert [name for names in fs.architectures.families().values() for name in names] == NAMES


def test_the_names_of_one_family():
    assert fs.networks("wide_resnet") == ["WideResNet-50-2", "WideResNet-101-2"]
    unknown: list[Any] = ["ViTs", 3]
    for family in unknown:
        with pytest.raises(fs.architectures.NetworkError, match=r"^networks: .* is no family; there are ConvNeXt,"):
            fs.networks(family)


@pytest.mark.parametrize("name", NAMES)
def test_a_base_network_bears_its_published_name(name):
    assert fs.network(name).name == name


def test_each_family_goes_from_small_to_large():
    for names in fs.architectures.families().values():
        flops = [fs.complexity(name).flops for name in names]
        assert flops == sorted(flops)


def test_a_published_network():
    """RegNetY-4.0GF as in Radosavovic et al., Designing Network Design Spaces, 2020, Figure 19."""
    net = fs.network("RegNetY-4.0GF")
    assert (net.resolution, net.stem.width, net.se_ratio) == (224, 32, 0.25)
    assert net.depths == (2, 6, 12, 2)
    assert net.widths == (128, 192, 512, 1088)
    assert net.group_widths == (64, 64, 64, 64)


@pytest.mark.parametrize(
    ("name", "flops_g", "params_m", "activations_m"),
    [("EfficientNet-B6", 19.40, 43.04, 167.39), ("EfficientNet-B7", 38.33, 66.35, 289.94)],
)
def test_b6_and_b7_have_the_published_complexity(name, flops_g, params_m, activations_m):
    """As in the timm project's benchmark results. Params and activations agree as they are.

    Its multiply-adds include two for each output of a BN layer, which we do not count: with them they agree.
    """
    counted, layers = fs.complexity(name), fs.layers(name)
    norms = layers[layers.kind == "norm"]
    norm_outputs = (norms.width_out * norms.resolution_out**2).sum()
    assert round(counted.params / 1e6, 2) == params_m
    assert round(counted.activations / 1e6, 2) == activations_m
    assert round((counted.flops + 2 * norm_outputs) / 1e9, 2) == flops_g


@pytest.mark.parametrize("name", ["regnety-4gf", "RegNetY 4.0GF", "REGNETY_4.0GF", "RegNetY-4GF"])
def test_case_dashes_and_a_trailing_zero_do_not_matter(name):
    assert fs.network(name) is fs.network("RegNetY-4.0GF")


@pytest.mark.parametrize(
    ("mistyped", "nearest"),
    [
        ("EfficientNet-B9", "EfficientNet-B"),
        ("RegNetY-4.5GF", "RegNetY-4.0GF"),
        ("RegnetZ-4G", "RegNetZ-4GF"),
        ("ResNet50x", "ResNet-50"),
        ("Resnext-5O", "ResNeXt-50"),
    ],
)
def test_a_mistyped_name_gets_the_nearest_names(mistyped, nearest):
    with pytest.raises(fs.architectures.NetworkError, match=r"the nearest names? (is|are) ") as refused:
        fs.network(mistyped)
    assert repr(mistyped) in str(refused.value)
    assert nearest in str(refused.value)


@pytest.mark.parametrize("name", ["vgg16", "vgg11_bn", "alexnet", "swin_tiny"])
def test_a_name_like_none_gets_no_names_but_what_counts_it(name):
    with pytest.raises(fs.architectures.NetworkError, match=r"fs.complexity\(module, resolution=224\)") as refused:
        fs.network(name)
    assert "nearest" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "x", "swin_tiny", 50, None, ["ResNet-50"]])
def test_what_is_no_name_at_all_is_refused_in_a_sentence(name):
    with pytest.raises(fs.architectures.NetworkError, match=r"^network: .* (neither|not)"):
        fs.network(name)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("regnety_040", "RegNetY-4.0GF"),
        ("regnetx_002", "RegNetX-200MF"),
        ("regnety_016", "RegNetY-1.6GF"),
        ("regnety_320", "RegNetY-32GF"),
        ("regnet_y_3_2gf", "RegNetY-3.2GF"),  # torchvision's; not RegNetY-32GF
        ("regnet_x_1_6gf", "RegNetX-1.6GF"),
        ("regnet_y_32gf", "RegNetY-32GF"),
        ("resnext50_32x4d", "ResNeXt-50"),
        ("resnet50", "ResNet-50"),
        ("efficientnet_b0", "EfficientNet-B0"),
        ("tf_efficientnetv2_b0", "EfficientNetV2-B0"),
        ("tf_efficientnetv2_s.in21k_ft_in1k", "EfficientNetV2-S"),
        ("efficientnet_v2_s", "EfficientNetV2-S"),
        ("mobilenet_v3_large", "MobileNetV3-Large-1.0"),
        ("regnetz_005", "RegNetZ-500MF"),
        ("regnetz_040", "RegNetZ-040"),
        ("ResNet-50-D", "ResNet-50D"),
        ("convnext_tiny", "ConvNeXt-T"),
        ("convnextv2_atto.fcmae", "ConvNeXtV2-Atto"),
        ("vit_base_patch16_224.augreg_in21k", "ViT-B/16"),
        ("vit_l_32", "ViT-L/32"),
        ("deit3_huge_patch14_224", "DeiT-III-H/14"),
        ("resnet50.a1_in1k", "ResNet-50"),
    ],
)
def test_timms_and_torchvisions_spellings_are_known(spelling, name):
    assert fs.network(spelling).name == name


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ("regnety_041", "RegNetY-4.0GF"),
        ("regnety_041.pycls_in1k", "RegNetY-4.0GF"),
        ("mobilenetv3_large_10", "MobileNetV3-Large-1.0"),
        ("mobilenet_v2_101", "MobileNetV2-1.0"),
        ("RegNet_Y_4GB", "RegNetY-4.0GF"),
        ("resnext-50-32x8d", "ResNeXt-50"),
    ],
)
def test_the_first_hint_is_the_network_that_was_meant(given, first):
    with pytest.raises(
        fs.architectures.NetworkError, match=f"is not a base network; the nearest names? (is|are) {first}[,;]"
    ):
        fs.network(given)


@pytest.mark.parametrize("name", NAMES)
def test_a_hint_never_leaves_the_right_network_out(name):
    """However it is cut short or misspelt at its end."""
    for mistyped in (name + "x", name[:-1] + "@"):
        with pytest.raises(fs.architectures.NetworkError, match=r"the nearest names? (is|are) ") as told:
            fs.network(mistyped)
        assert name in re.split(r"[ ,;]+", str(told.value))


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("efficientnet_b1x", "the nearest names are EfficientNet-B1, "),
        ("convnextv2_huge2", "the nearest name is ConvNeXtV2-H; "),
    ],
)
def test_a_hint_of_one_name_is_in_the_singular(given, hint):
    with pytest.raises(fs.architectures.NetworkError, match=f"is not a base network; {hint}"):
        fs.network(given)


@pytest.mark.parametrize("name", ["densenet121", "swin_tiny_patch4_window7_224", "x"])
def test_a_hint_says_how_to_take_another_network_of_timm(name):
    with pytest.raises(fs.architectures.NetworkError, match=r"fs\.family\(timm\.create_model, '\.\.\.'\) takes timm's"):
        fs.network(name)


@pytest.mark.parametrize("name", ["tf_efficientnet_l2.ns_jft_in1k_475", "convnext_base.fb_in22k"])
def test_a_tag_changes_neither_resolution_nor_classes(name):
    net = fs.network(name)
    assert net == fs.network(name.partition(".")[0])
    assert net.classes == 1000
    given = fs.network(name, resolution=480, classes=21841)
    assert (given.resolution, given.classes) == (480, 21841)


@pytest.mark.parametrize("family", ["efficientnetv2", "EfficientNet_V2"])
def test_the_name_of_a_family_is_answered_with_its_networks(family):
    networks = ", ".join(fs.networks("EfficientNetV2"))
    with pytest.raises(fs.architectures.NetworkError, match=rf"it is a family: {re.escape(networks)}; or fs\.anynet"):
        fs.network(family)


@pytest.mark.parametrize("use", [fs.network, fs.build, lambda net: fs.sweep(net, "dWr", 2)])
def test_a_torch_module_in_place_of_a_network_is_told_in_a_sentence(use):
    module = fs.build("ResNet-50", "meta")  # its repr has over 12,000 characters
    with pytest.raises(
        fs.architectures.NetworkError, match=r"^network: a torch module \(\w+\) is neither a Network nor"
    ) as told:
        use(module)
    assert len(str(told.value)) < 200


def test_a_network_of_millions_of_blocks_is_counted_and_not_listed():
    net = small(depths=[10**7, 1])
    assert fs.complexity(net).params > 10**7
    for use in (fs.layers, fs.build):
        with pytest.raises(fs.architectures.NetworkError, match="AnyNet has 10000001 blocks, and 10,000 are the most"):
            use(net)


def test_a_network_stands_for_itself():
    assert fs.network(net := small()) is net


def test_a_base_network_at_another_resolution_and_with_other_classes():
    net = fs.network("EfficientNet-B3", resolution=224, classes=10)
    assert (net.name, net.resolution, net.classes) == ("EfficientNet-B3", 224, 10)
    assert dataclasses.replace(net, resolution=300, classes=1000) == fs.network("EfficientNet-B3")
    assert fs.network(small(), resolution=64) == small(resolution=64)


@pytest.mark.parametrize("name", fs.networks())
def test_other_classes_change_the_linear_layer_alone(name):
    base, net = fs.network(name), fs.network(name, classes=10)
    inputs = base.head.hidden or base.head.width or base.widths[-1]
    linear = 990 * inputs + 990  # fewer weights, and fewer biases; of each one multiply-add
    assert fs.complexity(net) == tuple(
        count - fewer for count, fewer in zip(fs.complexity(base), (linear, linear, 990), strict=True)
    )


@pytest.mark.parametrize("field", ["resolution", "classes"])
@pytest.mark.parametrize("value", [0, 1.5, "224", True, -1])
def test_resolution_and_classes_are_whole_numbers(field, value):
    with pytest.raises(fs.architectures.NetworkError, match=rf"^network: {field} is .*, but must be a whole number"):
        fs.network("ResNet-50", **{field: value})


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
        ({"blocks": ["mbconv"]}, "network: blocks has 1 entries, but there are 2 stages"),
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


# To a dict, YAML or Python, and back

any_network = base_networks() | anynets() | scaled_networks


@given(any_network)
def test_a_network_comes_back_from_a_dict(net):
    back = fs.Network.from_dict(net.to_dict())
    assert (back, back.scaling) == (net, net.scaling)


@given(any_network)
def test_a_network_comes_back_from_yaml(net):
    back = fs.Network.from_yaml(net.to_yaml())
    assert (back, back.scaling) == (net, net.scaling)


@given(any_network)
def test_a_network_comes_back_from_python(net):
    assert eval(net.to_python(), {"fs": fs}) == net


@pytest.mark.parametrize("name", NAMES)
def test_every_base_network_comes_back_from_each(name):
    net = fs.network(name)
    assert fs.Network.from_dict(net.to_dict()) == net
    assert fs.Network.from_yaml(net.to_yaml()) == net
    assert eval(net.to_python(), {"fs": fs}) == net


printable = st.characters(categories=("L", "M", "N", "P", "S"), include_characters=" ")


@given(st.text(printable, min_size=1).filter(str.strip))
@example("...")
@example("--- b")
@example("null")
@example("'\"\\ – № #")
def test_any_name_of_one_line_comes_back(name):
    net = small(name=name)
    assert fs.Network.from_yaml(net.to_yaml()) == net
    assert eval(net.to_python(), {"fs": fs}) == net


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\tb", "a\u2028b", "a\x00b", None, 7])
def test_a_name_is_a_line_of_text(name):
    """A name stands in comments, tables and file names, where a second line would be taken for something else."""
    with pytest.raises(fs.architectures.NetworkError, match=r"network: name is .*, but must be a line of text"):
        small(name=name)


def test_where_a_network_comes_from_is_kept():
    scaling = Scaling(
        "Base", "dWr", 2.5, "flops", 16e9, 15_999_000_000, ("stage 2: width 64 → 72",), (Neighbour(2.0, 9),)
    )
    net = dataclasses.replace(small(), scaling=scaling)
    assert fs.Network.from_dict(net.to_dict()).scaling == scaling
    assert fs.Network.from_yaml(net.to_yaml()).scaling == scaling
    assert fs.scale("ResNet-50", "dWr", 4).scaling == Scaling("ResNet-50", "dWr", 4.0)


def test_a_dict_is_plain_and_yaml_is_short():
    net = fs.network("RegNetY-4.0GF")
    plain = net.to_dict()
    assert plain["stages"][1] == {
        "depth": 6,
        "width": 192,
        "stride": 2,
        "bottleneck": 1.0,
        "group_width": 64,
        "kernel": 3,
    }
    assert "scaling" not in plain
    lines = net.to_yaml().splitlines()
    assert lines[:4] == [
        "name: RegNetY-4.0GF",
        "resolution: 224",
        "stem: {kind: simple_stem_in, width: 32}",
        "block: res_bottleneck_block",
    ]
    assert "- {depth: 6, width: 192, stride: 2, bottleneck: 1.0, group_width: 64, kernel: 3}" in lines


def test_yaml_runs_nothing(tmp_path):
    made = tmp_path / "made"
    with pytest.raises(fs.architectures.NetworkError, match="this is not plain YAML"):
        fs.Network.from_yaml(
            f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{made}']]"
        )
    with pytest.raises(fs.architectures.NetworkError, match="this is not plain YAML"):
        fs.Network.from_yaml(
            small().to_yaml().replace("name: AnyNet", f"name: !!python/object/apply:os.mkdir ['{made}']")
        )
    assert not Path(made).exists()


@pytest.mark.parametrize("text", ["", "3", "[1, 2]", "a: [", "just text", "\x00"])
def test_yaml_that_is_no_network_is_refused_in_a_sentence(text):
    with pytest.raises(fs.architectures.NetworkError, match="network: "):
        fs.Network.from_yaml(text)


SCALING = {"base": "Base", "strategy": "dWr", "s": 4.0}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d.pop("block"), "network: block is missing"),
        (lambda d: d.pop("stages"), "network: stages is missing"),
        (lambda d: d.update(stages=[]), "no stages"),
        (lambda d: d.pop("stem"), "network: stem is missing"),
        (lambda d: d["stem"].clear(), "stem: kind, width is missing"),
        (lambda d: d.clear(), "network: name, resolution, stem, block, stages is missing"),
        (lambda d: d["stages"][1].pop("width"), "stage 2: width is missing"),
        (lambda d: d["stages"][1].update(widht=8), "stage 2: widht is not known here; known are depth, width"),
        (lambda d: d.update(stem="simple_stem_in"), "stem: expected names with values, got 'simple_stem_in'"),
        (lambda d: d.update(stages={"depth": 1}), "stages must be a list with one entry per stage"),
        (lambda d: d.update(stages=[1]), "stage 1: expected names with values, got 1"),
        (lambda d: d.update(stages=None), "stages must be a list"),
        (lambda d: d["stages"][0].update(depth=0), "stage 1: depth is 0, but must be a whole number of at least 1"),
        (lambda d: d["stages"][1].update(width="64"), "stage 2: width is '64'"),
        (lambda d: d["stages"][1].update(group_width=5), "stage 2: inner width 64 .* multiple of group width 5"),
        (lambda d: d.update(colour="red", sound=1), "network: colour, sound is not known here"),
        (lambda d: d.update(head=None), "head: expected names with values, got None"),
        (lambda d: d.update(scaling={"base": "x"}), "scaling: strategy, s is missing"),
        (lambda d: d.update(scaling=3), "scaling: expected names with values, got 3"),
        (lambda d: d.update(scaling=SCALING | {"s": "4"}), "scaling: s is '4', but must be a number above 0"),
        (lambda d: d.update(scaling=SCALING | {"base": None}), "scaling: base is None, but must be a line of text"),
        (lambda d: d.update(scaling=SCALING | {"metric": "time"}), "metric: 'time' is not one of flops, params"),
        (lambda d: d.update(scaling=SCALING | {"metric": "flops"}), "scaling: target is None, but must be a number"),
        (lambda d: d.update(scaling=SCALING | {"changes": [1]}), r"changes are \(1,\), but must be lines of text"),
        (lambda d: d.update(scaling=SCALING | {"neighbours": [{"s": 0, "count": 1}]}), "neighbour: s is 0, but"),
    ],
)
def test_a_wrong_dict_is_refused_in_a_sentence(change, sentence):
    plain = small().to_dict()
    change(plain)
    with pytest.raises(fs.architectures.NetworkError, match=sentence):
        fs.Network.from_dict(plain)


def test_a_configuration_of_pycls_is_told_as_what_it_is():
    with pytest.raises(
        fs.architectures.NetworkError, match=r"a configuration file of pycls; fs\.Network\.from_pycls\(text\) reads it"
    ):
        fs.Network.from_yaml("MODEL: {TYPE: regnet}\nREGNET: {DEPTH: 22}")


@pytest.mark.parametrize(
    "text", ["1.0e+309", "1" * 400, "-1", "[1]", "yes"], ids=["1e309", "400 digits", "-1", "list", "yes"]
)
@pytest.mark.parametrize("field", ["resolution", "width", "depth", "bottleneck", "group_width", "se_ratio", "s"])
def test_any_number_in_yaml_is_read_or_refused_in_a_sentence(field, text):
    described = fs.scale(small(), "dWr", 2).to_yaml()
    described = re.sub(rf"\b{field}: [0-9.]+", f"{field}: {text}", described)
    assert text in described
    with pytest.raises(fs.architectures.NetworkError, match=rf"{field} is .*, but must be a ") as refused:
        fs.Network.from_yaml(described)
    assert len(str(refused.value)) < 200


def test_where_a_network_comes_from_can_always_be_printed():
    counted: list[Any] = [np.float32(2.5), "flops", 1e9, np.int64(7)]
    net = dataclasses.replace(small(), scaling=Scaling("Base", "dWr", *counted))
    assert str(net.scaling).startswith("Base scaled by dWr with s = 2.5: flops asked 1,000,000,000, achieved 7")
    assert net._repr_html_()
    with pytest.raises(fs.architectures.NetworkError, match=r"^network: scaling is \{.*, but must be a Scaling"):
        dataclasses.replace(small(), scaling=SCALING)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"depths": [1] * 1_001}, "depths has over 1,000 entries"),
        ({"depths": itertools.count(1)}, "depths has over 1,000 entries"),
        ({"kernels": 2 * 10**300}, "kernel a number of about 301 digits is even"),
        ({"depths": "x" * 10**6}, "depths is 'xxx"),
        ({"name": ["x"] * 10**6}, "name is "),
        ({"block": {"a": "x" * 10**6}}, "block: "),
        ({"widths": [10**300 + 1] * 2, "group_widths": 7}, "stage 1: inner width a number of about 301 digits"),
    ],
)
def test_a_hostile_network_is_refused_in_few_words(changes, sentence):
    with stopped_where_it_hangs(), pytest.raises(fs.architectures.NetworkError, match=sentence) as refused:
        small(**changes)
    assert len(str(refused.value)) < 600  # names of all block types


def test_what_a_dict_leaves_out_has_the_default():
    plain = {
        "name": "Short",
        "resolution": 32,
        "stem": {"kind": "res_stem_cifar", "width": 16},
        "block": "res_basic_block",
        "stages": [{"depth": 1, "width": 16, "group_width": 16}],
    }
    net = fs.Network.from_dict(plain)
    assert net == fs.anynet(
        name="Short",
        resolution=32,
        stem="res_stem_cifar",
        stem_width=16,
        block="res_basic_block",
        depths=[1],
        widths=[16],
    )


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
        ({"widths": [32]}, r"widths has 1 entries, but there are 2 stages"),
        ({"strides": [1, 2, 3]}, r"strides has 3 entries, but there are 2 stages"),
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


@given(any_network)
def test_a_network_survives_pickling(net):
    back = pickle.loads(pickle.dumps(net))
    assert (back, back.scaling, hash(back)) == (net, net.scaling, hash(net))


class Cells(html.parser.HTMLParser):
    """The rows of cells in a table, and every tag that was met."""

    def __init__(self):
        super().__init__()
        self.rows, self.tags, self.text = [], set(), ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def cells(net: fs.Network) -> Cells:
    parser = Cells()
    parser.feed(net._repr_html_())
    return parser


def test_a_network_shows_itself_as_a_table_of_stages():
    title, *rows = cells(fs.network("EfficientNet-B0")).rows
    assert title == ["", "depth", "width", "group width", "bottleneck", "kernel", "stride", "output"]
    assert rows[0] == ["stem", "", "32", "", "", "3×3", "2", "112×112"]
    assert rows[3] == ["stage 3", "2", "40", "1", "6", "5×5", "2", "28×28"]
    assert rows[-2][:3] == ["head", "", "1280"]
    assert rows[-1][:3] == ["classes", "", "1000"]


@pytest.mark.parametrize("name", NAMES)
def test_the_table_tells_the_sides_that_are_counted(name):
    layers = fs.layers(name)
    shown = [row[-1] for row in cells(fs.network(name)).rows if row[0].startswith(("stem", "stage"))]
    layers = layers[~layers.name.str.contains(r"\.se\.")]
    last = [
        layers[layers.name.str.startswith(part)] for part in ["stem", *(f"stage{n}." for n in range(1, len(shown)))]
    ]
    assert shown == [f"{rows.resolution_out.iloc[-1]}×{rows.resolution_out.iloc[-1]}" for rows in last]


def test_the_table_tells_what_a_stage_has_of_its_own():
    shown = [row[0] for row in cells(small(blocks=["mbconv", None], se_ratios=[0.25, None], activations="silu")).rows]
    assert shown[2:4] == ["stage 1: mbconv, SE 0.25, silu", "stage 2: silu"]


def test_the_table_escapes_names():
    name = "<script>alert('&')</script>"
    shown = cells(small(name=name))
    assert "script" not in shown.tags
    assert name in shown.text
    assert table(small(name=name)) == small(name=name)._repr_html_()


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


@pytest.mark.parametrize("text", [None, 3, b"name: x"])
def test_what_is_no_text_is_no_yaml(text):
    with pytest.raises(fs.architectures.NetworkError, match="is no YAML; give a string"):
        fs.Network.from_yaml(text)
