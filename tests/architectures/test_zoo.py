"""The base networks by their published names, and by those of timm and torchvision."""

import dataclasses
import re
from typing import Any

import pytest
from helpers.small_networks import small

import fastscale_lib as fs

NAMES = fs.networks()


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
