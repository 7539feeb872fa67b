"""ConvNeXt and vision transformers: modules with timm's logits from timm's weights, and what they refuse."""

import dataclasses
from typing import Any

import pytest
import torch
from helpers.hooked_counts import timm_module
from helpers.other_libraries import import_library
from torch import nn

import fastscale_lib as fs
from fastscale_lib.architectures import trace
from fastscale_lib.architectures.resolutions import both_sides
from fastscale_lib.architectures.zoo import aliases
from fastscale_lib.models.modules import DropPath
from fastscale_lib.models.namings import NAMINGS
from fastscale_lib.models.token_modules import ChannelNorm

BLOCKS = ["convnext", "convnext_v2", "transformer", "transformer_layer_scale"]


def small(block: str, **changes) -> fs.Network:
    """A network of one of these block types that runs in a few milliseconds."""
    settings: dict[str, Any] = {"depths": [1, 2], "widths": [16, 24], "strides": [1, 2], "stem": "patchify_4"}
    settings |= {"kernels": 7, "head": "pool_norm"}
    if "transformer" in block:
        settings = {"depths": [2], "widths": [16], "strides": 1, "stem": "tokens_8_class", "group_widths": 8}
        settings |= {"kernels": 1, "head": "norm_pool"}
    settings |= {"bottlenecks": 4, "stem_width": 16, "activation": "gelu", "resolution": 32, "classes": 10}
    return fs.anynet(block=block, **settings | changes)


def images(net: fs.Network, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, net.channels, *both_sides(net.resolution))


def with_numbers(module: nn.Module) -> nn.Module:
    """The module with weights that keep its outputs from vanishing: timm starts scales and tokens near 0."""
    torch.manual_seed(0)
    with torch.no_grad():
        for each in module.parameters():
            each.copy_(torch.randn_like(each) * (0.5 if each.ndim < 2 else each[0].numel() ** -0.5))
    return module.eval()


# With the weights of others


def shallow(name: str) -> tuple[fs.Network, dict]:
    """A base network with a block or two a stage, and what timm's function is told for the same."""
    net = fs.network(name)
    depths = tuple(min(depth, 2) for depth in net.depths)
    stages = tuple(dataclasses.replace(stage, depth=depth) for stage, depth in zip(net.stages, depths, strict=True))
    return net.replace(stages=stages), {"depth": depths[0]} if net.has_tokens else {"depths": depths}


LIKE_TIMM = ["ConvNeXt-Atto", "ConvNeXt-T", "ConvNeXtV2-Femto", "ConvNeXtV2-T", "ViT-Ti/16", "ViT-S/32", "ViT-B/16-GAP"]
LIKE_TIMM += ["DeiT-S", "DeiT-III-S"]


@pytest.mark.parametrize("name", LIKE_TIMM)
def test_logits_are_those_of_timm_from_the_same_weights(name):
    (net, keywords), alias = shallow(name), aliases("timm")[name]
    theirs = with_numbers(import_library("timm").create_model(alias, num_classes=1000, **keywords))
    x = images(net, 1)
    with torch.no_grad():
        expected = theirs(x)
        assert expected.std() > 0.1
        for weights in (theirs, theirs.state_dict()):
            mine = fs.load_weights(fs.build(net), weights).eval()
            torch.testing.assert_close(mine(x), expected, rtol=0, atol=1e-5)


def test_logits_are_those_of_torchvision_s_vit():
    net, _ = shallow("ViT-B/32")
    vit = import_library("torchvision").models.VisionTransformer
    theirs = with_numbers(vit(image_size=224, patch_size=32, num_layers=2, num_heads=12, hidden_dim=768, mlp_dim=3072))
    mine = fs.load_weights(fs.build(net), theirs).eval()
    x = images(net, 1)
    with torch.no_grad():
        torch.testing.assert_close(mine(x), theirs(x), rtol=0, atol=1e-5)


def test_logits_are_those_of_torchvision_s_convnext():
    theirs = with_numbers(import_library("torchvision").models.get_model("convnext_tiny"))
    net = fs.network("convnext_tiny", resolution=64)
    x = images(net, 2)
    with torch.no_grad():
        expected = theirs(x)
        assert (expected[0] - expected[1]).abs().max() > 0.01
        for weights in (theirs, theirs.state_dict()):
            mine = fs.load_weights(fs.build(net), weights).eval()
            torch.testing.assert_close(mine(x), expected, rtol=0, atol=1e-5)


def test_another_number_of_heads_is_refused():
    """Which no tensor tells: the shapes are the same."""
    theirs = import_library("timm").create_model("vit_tiny_patch16_224", num_heads=6, depth=2)
    with pytest.raises(fs.models.WeightsError, match=r"attn has num_heads 6, but .*product of ViT-Ti/16 has 3"):
        fs.load_weights(fs.build(shallow("ViT-Ti/16")[0]), theirs)


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("ViT-Ti/16", "vit_xsmall_patch16_clip_224"),
        ("ConvNeXt-Atto", "convnext_atto_ols"),
        ("DeiT-Ti", "deit_tiny_distilled_patch16_224"),
    ],
)
def test_other_networks_of_timm_are_refused(base, name):
    net, keywords = shallow(base)
    theirs = import_library("timm").create_model(name, num_classes=1000, **keywords)
    with pytest.raises(fs.models.WeightsError, match="load_weights: these weights"):
        fs.load_weights(fs.build(net), theirs)


@pytest.mark.parametrize("block", BLOCKS)
def test_their_own_weights_are_loaded(block):
    net = small(block)
    one, other = with_numbers(fs.build(net)), fs.build(net).eval()
    fs.load_weights(other, one.state_dict())
    x = images(net)
    assert torch.equal(one(x), other(x))
    fs.load_weights(fs.build(net), one)


# Names and forms


def test_the_names_of_convnext_s_tensors_are_these():
    """Saved weights depend on them: they must not change."""
    names = list(fs.build(small("convnext", depths=[1, 1])).state_dict())
    branch = ["conv.weight", "conv.bias", "norm.weight", "norm.bias", "fc1.weight", "fc1.bias", "fc2.weight"]
    branch = [f"branch.{each}" for each in [*branch, "fc2.bias", "scale.weight"]]
    smaller = [f"downsample.{each}" for each in ("norm.weight", "norm.bias", "conv.weight", "conv.bias")]
    assert names == [
        *["stem.conv.weight", "stem.conv.bias", "stem.norm.weight", "stem.norm.bias"],
        *[f"stage1.block1.{each}" for each in branch],
        *[f"stage2.block1.{each}" for each in [*smaller, *branch]],
        *["head.norm.weight", "head.norm.bias", "head.linear.weight", "head.linear.bias"],
    ]


def test_the_layers_of_a_transformer_are_these():
    layers = fs.layers(small("transformer_layer_scale", depths=[1]))
    attention, mlp = ["norm", "qkv", "product", "proj", "scale"], ["norm", "fc1", "fc2", "scale"]
    assert layers["name"].tolist() == [
        *["stem.conv", "stem.tokens"],
        *[f"stage1.block1.attention.{each}" for each in attention],
        *[f"stage1.block1.mlp.{each}" for each in mlp],
        *["head.norm", "head.pool", "head.linear"],
    ]
    product = layers.set_index("name").loc["stage1.block1.attention.product"]
    tokens = (32 // 8) ** 2 + 1
    assert (product["flops"], product["activations"]) == (2 * tokens**2 * 16, 0)
    assert product["attention_matrices"] == layers["attention_matrices"].sum() == 16 // 8 * tokens**2


def test_a_trace_finds_as_many_elements_of_attention_matrices():
    net = fs.network("ViT-S/32")
    found = trace(fs.build(net, "meta"), resolution=net.resolution).complexity
    assert found.attention_matrices == fs.layers(net)["attention_matrices"].sum() == 12 * 6 * 50**2


@pytest.mark.parametrize("block", BLOCKS)
def test_every_row_of_layers_is_a_module_with_its_params(block):
    net = small(block)
    model, layers = fs.build(net, device="meta"), fs.layers(net)
    for row in layers.itertuples():
        assert sum(each.numel() for each in model.get_submodule(str(row.name)).parameters()) == row.params
    assert sum(each.numel() for each in model.parameters()) == fs.complexity(net).params


@pytest.mark.parametrize("block", BLOCKS)
def test_they_train_with_drop_path_and_every_parameter_is_used(block):
    net = small(block)
    model = fs.build(net, drop_path=0.3)
    assert {each.rate > 0 for each in model.modules() if isinstance(each, DropPath)} == {True}
    model(images(net, 8)).logsumexp(1).sum().backward()
    assert all(each.grad is not None for each in model.parameters())


@pytest.mark.parametrize("block", BLOCKS)
def test_export_and_channels_last_give_the_same_logits(block):
    net = small(block)
    x = images(net)
    model: Any = with_numbers(fs.build(net))  # torch does not type memory_format
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    last = model.to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(x.to(memory_format=torch.channels_last)), expected)


def test_other_sides_are_taken_by_convnext_and_refused_by_a_transformer():
    assert fs.build(small("convnext"))(torch.randn(1, 3, 40, 72)).shape == (1, 10)
    with pytest.raises(ValueError, match=r"has 5×4 patches, but positions are learned for 4×4: give images of"):
        fs.build(small("transformer"))(torch.randn(1, 3, 40, 32))


@pytest.mark.parametrize("block", BLOCKS)
def test_memory_is_counted_at_any_resolution(block):
    low, high = (fs.measuring.peak_memory(small(block), 2, resolution=side) for side in (32, 64))
    assert 0 < low.activations_bytes < high.activations_bytes


def test_a_norm_of_channels_is_one_of_each_pixel():
    x = torch.randn(2, 6, 3, 5)
    made = ChannelNorm(6)(x)
    torch.testing.assert_close(made[1, :, 2, 4], nn.functional.layer_norm(x[1, :, 2, 4], (6,)))


# What does not fit together


@pytest.mark.parametrize(
    ("block", "changes", "sentence"),
    [
        (
            "convnext",
            {"stem": "tokens_8_class"},
            "stage 1: convnext works on images, but stem tokens_8_class makes",
        ),
        ("transformer", {"stem": "patchify_4"}, "stage 1: transformer works on tokens, .* stems for it are tokens_8_"),
        ("transformer", {"head": "conv_pool"}, "head: kind is conv_pool, but that of a transformer is norm_pool"),
        ("transformer", {"depths": [1, 1], "widths": [16, 16]}, "a transformer has one stage, as wide as its stem"),
        ("transformer", {"stem_width": 24}, "a transformer has one stage, as wide as its stem"),
        (
            "transformer",
            {"widths": [20], "stem_width": 20},
            "width 20 is not a multiple of .* 8; width 16 would",
        ),
        ("transformer", {"kernels": 3}, "stage 1: kernel 3 and stride 1, but a transformer has no convolution"),
        ("transformer", {"se_ratio": 0.25}, "stage 1: se_ratio 0.25, but transformer has no squeeze-and-excitation"),
        ("transformer", {"bottlenecks": 0.01}, "stage 1: bottleneck 0.01 of width 16 leaves no inner width"),
        (
            "convnext",
            {"group_widths": 8},
            "group width 8, but convnext has depthwise convolutions: its group width is 1",
        ),
        ("convnext", {"resolution": 7}, "resolution is 7, but must be of at least 8 pixels"),
        ("transformer", {"resolution": 30}, "resolution is 30, .* multiple of the 8 pixels .* nearest are 24 and 32"),
        ("convnext", {"head_width": 8}, "head: width is 8, but pool_norm has no convolution"),
    ],
)
def test_what_does_not_fit_together_is_refused(block, changes, sentence):
    with pytest.raises(fs.architectures.NetworkError, match=sentence):
        small(block, **changes)


def test_a_transformer_has_heads_of_64_where_none_are_given():
    assert small("transformer", widths=[128], stem_width=128, group_widths=None).group_widths == (64,)


@pytest.mark.parametrize("name", ["ConvNeXtV2-Atto", "ViT-B/16-GAP", "DeiT-III-H/14"])
def test_they_survive_yaml_and_python(name):
    net = fs.network(name)
    assert fs.Network.from_yaml(net.to_yaml()) == net
    assert eval(net.to_python(), {"fs": fs}) == net
    side = both_sides(net.resolution)[0] // net.total_stride
    assert f"{side}×{side}" in net._repr_html_()
    assert fs.network("ViT-S/16").may_become(fs.scale("ViT-S/16", "dWr", 4))
    assert not fs.network("ViT-S/16").may_become(fs.network("ViT-L/14"))


def test_the_epsilon_of_convnext_xxl_is_that_of_timm():
    """Which a state dict does not hold; timm has 1e-6 in the others."""
    net = fs.network("ConvNeXt-XXL")
    assert {naming.other_eps.get(net.name) for naming in NAMINGS if naming.source == "timm's ConvNeXt"} == {1e-5}
    theirs = timm_module(import_library("timm"), "convnext_xxlarge", depths=(1, 1, 1, 1))
    assert {each.eps for each in theirs.modules() if isinstance(each, nn.LayerNorm)} == {1e-5}
