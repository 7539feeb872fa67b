"""The torch modules are what was counted: by torch's own counters, for every base network and for drawn ones."""

import math
from typing import Any, NamedTuple

import pytest
import torch
from helpers.drawn_networks import anynets, base_networks, scales, scaling_strategies
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import fastscale_lib as fs
from fastscale_lib._common.frames import rows
from fastscale_lib.architectures import blocks
from fastscale_lib.architectures.layer_types import Activation, Conv, Norm, Residual
from fastscale_lib.architectures.resolutions import both_sides
from fastscale_lib.models import token_modules
from fastscale_lib.models.modules import DropPath, ResidualBlock

ZOO = [
    name for names in fs.architectures.families().values() for name in dict.fromkeys((names[0], names[len(names) // 2]))
]
KINDS = {
    "conv": nn.Conv2d,
    "norm": nn.BatchNorm2d,
    "maxpool": nn.MaxPool2d,
    "avgpool": nn.AvgPool2d,
    "globalpool": nn.AdaptiveAvgPool2d,
    "linear": nn.Linear,
    "layernorm": nn.LayerNorm,
    "layerscale": token_modules.Scale,
    "responsenorm": token_modules.GlobalResponseNorm,
    "embedding": token_modules.Tokens,
    "attention": token_modules.SelfAttention,
    "tokenpool": token_modules.Pool,
}
HAVE_BIASES = nn.Conv2d | nn.Linear  # that are added by a multiply-add each


def small(block: str = "res_bottleneck_block", **changes) -> fs.Network:
    """A network of any block type that runs in a few milliseconds."""
    settings: dict[str, Any] = {"depths": [1, 2], "widths": [16, 24], "stem": "res_stem_cifar", "stem_width": 8}
    settings |= {"resolution": 16, "se_ratio": 0.25, "classes": 10, "bottlenecks": 4 if "mbconv" in block else 1}
    return fs.anynet(block=block, **settings | changes)


BLOCKS = [name for name, block in blocks.BLOCKS.items() if block.has_gate]  # the others: test_token_modules.py
RESIDUAL = [block for block in BLOCKS if block != "vanilla_block"]


def images(net: fs.Network, batch: int = 2, device: str = "cpu") -> torch.Tensor:
    return torch.randn(batch, net.channels, *both_sides(net.resolution), device=device)


# Counted by others


class Seen(NamedTuple):
    """What torch saw while one image passed through a module on the meta device."""

    complexity: fs.architectures.Complexity
    layers: list[tuple[str, int]]  # each layer's name and its output's side, in the order of running
    logits: tuple[int, ...]


def seen_by_torch(net: fs.Network, norms: bool = True) -> Seen:
    """Build and run the network on the meta device, and let torch count.

    FlopCounterMode counts two for a multiply-add, and nothing for a bias: we count one for each output of a
    layer that has one. Without `norms` BN passes its input on: it changes no shape, has no multiply-adds, and
    takes most of the time on the meta device.
    """
    model = fs.build(net, device="meta").eval()
    params = sum(parameter.numel() for parameter in model.parameters())
    activations = biases = 0
    order = []

    def watch(name: str):
        def hook(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
            nonlocal activations, biases
            order.append((name, {4: output.shape[-1], 3: math.isqrt(output.shape[1])}.get(output.ndim, 1)))
            if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d | nn.Linear):
                activations += output.numel()
            if isinstance(module, HAVE_BIASES) and module.bias is not None:
                biases += output.numel()

        return hook

    for name, module in model.named_modules():
        if isinstance(module, tuple(KINDS.values())):
            module.register_forward_hook(watch(name))
        if isinstance(module, nn.BatchNorm2d) and not norms:
            module.forward = lambda input: input
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        logits = model(images(net, 1, "meta"))
    flops, odd = divmod(counter.get_total_flops(), 2)
    assert not odd
    return Seen(fs.architectures.Complexity(flops + biases, params, activations), order, tuple(logits.shape))


def assert_torch_sees_what_was_counted(net: fs.Network, norms: bool = False) -> None:
    seen = seen_by_torch(net, norms)
    layers = fs.layers(net)
    assert seen.complexity == fs.complexity(net)
    assert seen.layers == list(zip(layers["name"], layers.resolution_out, strict=True))
    assert seen.logits == (1, net.classes)


@pytest.mark.parametrize("name", ZOO)
def test_torch_sees_what_was_counted_in_a_base_network(name):
    assert_torch_sees_what_was_counted(fs.network(name), norms=True)


drawn = settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


@given(base_networks(), scaling_strategies(), scales(1 / 16, 16))
@drawn
def test_torch_sees_what_was_counted_in_a_scaled_network(net, strategy, s):
    scaled = fs.scale(net, strategy, s)
    assume(sum(scaled.depths) <= 20)  # deeper ones repeat blocks, and take long on the meta device
    assert_torch_sees_what_was_counted(scaled)


@given(anynets(), scaling_strategies(), scales(1 / 16, 16))
@drawn
def test_torch_sees_what_was_counted_in_a_scaled_network_made_by_hand(net, strategy, s):
    scaled = fs.scale(net, strategy, s)
    assume(sum(scaled.depths) <= 20)
    assert_torch_sees_what_was_counted(scaled)


@given(anynets())
@settings(max_examples=30)
def test_torch_sees_what_was_counted_in_a_network_made_by_hand(net):
    assert_torch_sees_what_was_counted(net, norms=True)


@pytest.mark.parametrize("name", ["ResNet-50", "RegNetY-4.0GF", "RegNetZ-500MF", "EfficientNet-B0"])
@pytest.mark.parametrize("strategy", ["w", "dwr", "dWr"])
def test_torch_sees_what_was_counted_at_sixteen_times_the_flops(name, strategy):
    assert_torch_sees_what_was_counted(fs.scale(name, strategy, 16))


# A block type of one's own


class TwoResiduals(blocks.BlockType):
    """A k×k with a residual, then a 1×1 with one of its own; where the shape changes, the first has none."""

    name = "two_residuals"

    def parts(self, b):
        mixing = (
            Conv("conv", b.width_in, b.width, b.kernel, b.stride),
            Norm("norm", b.width, last=True),
            Activation("act", b.width),
        )
        unchanged = False if b.stride > 1 else b.width_in == b.width
        return (
            Residual(b.width, mixing, added=unchanged, name="mix"),
            Residual(b.width, (Conv("conv", b.width, b.width), Norm("norm", b.width, last=True)), name="expand"),
        )

    def check(self, number, stage):
        pass

    def fit(self, width, bottleneck, group_width):
        return width, width

    def undivided(self, width, bottleneck):
        return width


@pytest.fixture
def two_residuals(monkeypatch):
    monkeypatch.setitem(blocks.BLOCKS, TwoResiduals.name, TwoResiduals())
    return small(TwoResiduals.name, se_ratio=0)


@pytest.mark.parametrize("strategy", [None, *fs.scaling.STRATEGIES])
def test_a_registered_block_type_is_counted_scaled_and_built(two_residuals, strategy):
    assert_torch_sees_what_was_counted(fs.scale(two_residuals, strategy, 2) if strategy else two_residuals)


def test_the_residuals_of_one_block_are_dropped_alike_and_told_apart(two_residuals: fs.Network):
    model = fs.build(two_residuals, drop_path=0.3)
    assert {"stage1.block1.mix.conv.weight", "stage1.block1.expand.conv.weight"} <= model.state_dict().keys()
    assert [each.drop_path and each.drop_path.rate for each in residual_blocks(model)] == pytest.approx(
        [None, 0.1, None, 0.2, 0.3, 0.3]
    )
    copy = fs.build(two_residuals)
    fs.models.load_weights(copy, model.state_dict())
    x = images(two_residuals)
    assert torch.equal(copy.eval()(x), model.eval()(x))


# Names


@pytest.mark.parametrize("block", BLOCKS)
def test_every_row_of_layers_is_a_module_of_that_name(block):
    model, layers = fs.build(small(block), device="meta"), fs.layers(small(block))
    assert len(layers) > 5
    for row in rows(layers):
        module = model.get_submodule(row.name)
        assert isinstance(module, KINDS[row.kind])
        assert sum(parameter.numel() for parameter in module.parameters()) == row.params
        if row.kind == "conv":
            assert (module.kernel_size, module.stride, module.groups) == (
                (row.kernel, row.kernel),
                (row.stride, row.stride),
                row.groups,
            )


@pytest.mark.parametrize("name", ZOO)
def test_the_state_dict_has_the_names_of_the_layers(name):
    layers = fs.layers(name)
    owners = dict.fromkeys(key.rpartition(".")[0] for key in fs.build(name, device="meta").state_dict())
    assert set(owners) == set(layers[layers.params > 0].name)


BRANCH = {
    "res_bottleneck_block": ["conv1", "norm1", "conv2", "norm2", "se.reduce", "se.expand", "conv3", "norm3"],
    "res_bottleneck_linear_block": ["conv1", "norm1", "conv2", "norm2", "se.reduce", "se.expand", "conv3", "norm3"],
    "res_bottleneck_stride_1x1_block": ["conv1", "norm1", "conv2", "norm2", "se.reduce", "se.expand", "conv3", "norm3"],
    "res_basic_block": ["conv1", "norm1", "se.reduce", "se.expand", "conv2", "norm2"],
    "vanilla_block": ["conv1", "norm1", "se.reduce", "se.expand", "conv2", "norm2"],
    "mbconv": ["conv1", "norm1", "conv2", "norm2", "se.reduce", "se.expand", "conv3", "norm3"],
    "res_bottleneck_d_block": ["conv1", "norm1", "conv2", "norm2", "se.reduce", "se.expand", "conv3", "norm3"],
    "res_bottleneck_se_block": ["conv1", "norm1", "conv2", "norm2", "conv3", "norm3", "se.reduce", "se.expand"],
    "res_bottleneck_d_se_block": ["conv1", "norm1", "conv2", "norm2", "conv3", "norm3", "se.reduce", "se.expand"],
    "res_basic_d_block": ["conv1", "norm1", "se.reduce", "se.expand", "conv2", "norm2"],
    "res_basic_se_block": ["conv1", "norm1", "conv2", "norm2", "se.reduce", "se.expand"],
    "mbconv_v3": ["conv1", "norm1", "conv2", "norm2", "se.reduce", "se.expand", "conv3", "norm3"],
    "fused_mbconv": ["conv1", "norm1", "se.reduce", "se.expand", "conv2", "norm2"],
    "edge_residual": ["conv1", "norm1", "se.reduce", "se.expand", "conv2", "norm2"],
}
PROJECTED = [
    *("res_bottleneck_block", "res_bottleneck_stride_1x1_block", "res_basic_block", "res_bottleneck_d_block"),
    *("res_bottleneck_se_block", "res_bottleneck_d_se_block", "res_basic_d_block", "res_basic_se_block"),
]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_names_in_a_state_dict_are_these(block):
    """Saved weights depend on them: they must not change."""
    names = dict.fromkeys(key.rpartition(".")[0] for key in fs.build(small(block, head_width=32)).state_dict())
    shortcut = ["shortcut.conv", "shortcut.norm"] if block in PROJECTED else []
    assert list(names) == [
        *["stem.conv", "stem.norm"],
        *[f"stage1.block1.{name}" for name in [*BRANCH[block], *shortcut]],
        *[f"stage2.block1.{name}" for name in [*BRANCH[block], *shortcut]],
        *[f"stage2.block2.{name}" for name in BRANCH[block]],
        *["head.conv", "head.norm", "head.linear"],
    ]


REPLACED = ["ResNet-18", "MobileNetV3-Small-0.5", "ConvNeXt-Atto", "ViT-Ti/16", "RegNetZ-040"]  # a head of each kind


@pytest.mark.parametrize("name", REPLACED)
def test_the_classifier_may_be_replaced(name: str):
    net = fs.network(name)
    model = fs.build(net).eval()
    x = images(net, batch=1)
    linear = model.head.linear
    with torch.no_grad():
        logits = model(x)
        model.head.linear = nn.Identity()
        features = model(x)
        assert features.shape == (1, linear.in_features)
        torch.testing.assert_close(linear(features), logits)
        model.head.linear = nn.Linear(linear.in_features, 10)
        assert model(x).shape == (1, 10)


def test_weights_are_saved_and_loaded(tmp_path):
    saved, net = tmp_path / "weights.pt", small("mbconv")
    model, other = fs.build(net).eval(), fs.build(net, drop_path=0.5, zero_gamma=True).eval()
    torch.save(model.state_dict(), saved)
    other.load_state_dict(torch.load(saved, weights_only=True))
    x = images(net)
    assert torch.equal(model(x), other(x))


def test_a_module_knows_its_network():
    net = fs.scale("ResNet-50", "dWr", 0.1)
    assert fs.build(net, device="meta").network == net
    assert fs.build("ResNet-50", device="meta").network == fs.network("ResNet-50")


# Running


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("stem", ["simple_stem_in", "res_stem_in", "res_stem_cifar"])
def test_images_become_logits(block, stem):
    net = small(block, stem=stem, channels=1, classes=7, resolution=20)
    logits = fs.build(net)(images(net, batch=3))
    assert logits.shape == (3, 7)
    assert logits.isfinite().all()


@pytest.mark.parametrize("activation", ["relu", "silu", "gelu"])
def test_the_activation_is_the_one_asked_for(activation):
    model = fs.build(small(activation=activation, se_ratio=0))
    kinds = {type(module) for module in model.modules()} & {nn.ReLU, nn.SiLU, nn.GELU, nn.Sigmoid}
    assert kinds == {{"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU}[activation]}


def test_a_module_takes_images_of_other_sides_too():
    net = small()
    assert fs.build(net).eval()(torch.randn(1, 3, 33, 47)).shape == (1, 10)


@pytest.mark.parametrize("block", BLOCKS)
def test_export_gives_the_same_logits(block):
    net = small(block)
    model, x = fs.build(net).eval(), images(net)
    exported = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},))
    for batch in (2, 5):
        x = images(net, batch)
        torch.testing.assert_close(exported.module()(x), model(x))


@pytest.mark.parametrize("block", BLOCKS)
def test_compile_gives_the_same_logits_in_one_graph(block):
    torch._dynamo.reset()
    net = small(block)
    model, x = fs.build(net, drop_path=0.5).eval(), images(net)
    torch.testing.assert_close(torch.compile(model, backend="aot_eager", fullgraph=True)(x), model(x))


def test_compile_takes_training_with_drop_path():
    torch._dynamo.reset()
    net = small("mbconv")
    compiled = torch.compile(fs.build(net, drop_path=0.5).train(), backend="aot_eager", fullgraph=True)
    compiled(images(net)).square().sum().backward()
    assert compiled.stem.conv.weight.grad.isfinite().all()


@pytest.mark.parametrize("block", BLOCKS)
def test_channels_last_is_kept_and_gives_the_same_logits(block):
    net = small(block)
    model: Any = fs.build(net).eval()  # torch does not type memory_format
    x = images(net)
    expected = model(x)
    formats = []
    model = model.to(memory_format=torch.channels_last)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(
                lambda _, __, out: formats.append(out.is_contiguous(memory_format=torch.channels_last))
            )
    torch.testing.assert_close(model(x.to(memory_format=torch.channels_last)), expected)
    assert formats
    assert all(formats)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_parameter_is_used(block):
    torch.manual_seed(0)
    net = small(block, resolution=32)
    model = fs.build(net)
    model(images(net, batch=8)).logsumexp(1).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("name", ["EfficientNet-B7", "RegNetY-32GF"])
def test_the_meta_device_holds_no_numbers(name: str):
    model = fs.build(name, device="meta")
    assert {str(each.device) for each in (*model.parameters(), *model.buffers())} == {"meta"}
    with pytest.raises(NotImplementedError, match="no data"):
        model.stem.conv.weight.clone().to("cpu")


def test_the_default_device_is_torchs():
    with torch.device("meta"):
        assert fs.build(small()).stem.conv.weight.device.type == "meta"
    assert fs.build(small()).stem.conv.weight.device.type == "cpu"
    assert fs.build(small(), device=torch.device("meta")).stem.conv.weight.device.type == "meta"


def test_building_leaves_the_default_device_as_it_was():
    fs.build(small(), device="meta")
    assert torch.empty(1).device.type == "cpu"


# Weights at the start


def test_a_seed_gives_the_same_weights():
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([each.flatten() for each in fs.build(small()).state_dict().values()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_convolutions_start_as_in_he_2015():
    """Zero mean, variance 2 / fan-out, within four standard errors; groups share the outputs out."""
    torch.manual_seed(0)
    net = small(depths=[1], widths=[256], group_widths=32, stem_width=256)
    model = fs.build(net)
    block = model.stage1.block1
    for conv, groups in [(model.stem.conv, 1), (block.conv1, 1), (block.conv2, 8), (block.conv3, 1)]:
        assert conv.groups == groups
        count = conv.weight.numel()
        expected = math.sqrt(2 / (conv.kernel_size[0] ** 2 * conv.out_channels))
        assert abs(conv.weight.mean()) < 4 * expected / math.sqrt(count)
        assert conv.weight.std().item() == pytest.approx(expected, rel=4 / math.sqrt(2 * count))


def test_biases_start_at_zero_and_norms_at_one():
    model = fs.build(small("mbconv"))
    for module in model.modules():
        bias = getattr(module, "bias", None)
        assert bias is None or not bias.any()
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
    assert model.head.linear.weight.std().item() == pytest.approx(0.01, rel=0.3)


def residual_blocks(model: nn.Module) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, ResidualBlock)]


@pytest.mark.parametrize("block", RESIDUAL)
def test_with_zero_gamma_a_residual_branch_adds_nothing_at_the_start(block):
    """The sum is the (projected) input."""
    added = [each for each in residual_blocks(fs.build(small(block), zero_gamma=True)) if each.added]
    assert added
    for each in added:
        x = torch.randn(2, each.conv1.in_channels, 8, 8).relu()
        shortcut = x if each.shortcut is None else each.shortcut(x)
        torch.testing.assert_close(each(x), shortcut.relu() if each.after else shortcut)


@pytest.mark.parametrize("block", BLOCKS)
def test_with_zero_gamma_the_logits_still_depend_on_the_image(block):
    """A block without a sum has no other way for the image than its branch."""
    torch.manual_seed(0)
    net = small(block)
    model = fs.build(net, zero_gamma=True)
    logits = model(images(net, batch=4))
    assert logits.std(0).max() > 0
    logits.square().sum().backward()
    assert model.stem.conv.weight.grad.any()


def test_without_zero_gamma_every_gamma_is_one():
    norms = [each for each in fs.build(small()).modules() if isinstance(each, nn.BatchNorm2d)]
    assert norms
    assert all((each.weight == 1).all() for each in norms)


# Drop-path


@pytest.mark.parametrize("block", RESIDUAL)
def test_drop_path_is_for_training_only(block):
    torch.manual_seed(0)
    net = small(block, depths=[3, 3])
    plain, dropped = fs.build(net), fs.build(net, drop_path=0.5)
    dropped.load_state_dict(plain.state_dict())
    x = images(net, batch=16)
    assert torch.equal(plain.eval()(x), dropped.eval()(x))
    assert not torch.equal(dropped.train()(x), dropped(x))


def test_drop_path_grows_linearly_to_the_rate_asked():
    model = fs.build(small(depths=[2, 2]), drop_path=0.4)
    rates = [block.drop_path.rate for block in residual_blocks(model)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert all(block.drop_path is None for block in residual_blocks(fs.build(small())))


def test_where_there_is_no_sum_nothing_is_dropped():
    model = fs.build(small("mbconv", depths=[2, 2]), drop_path=0.4)
    assert [block.drop_path is not None for block in residual_blocks(model)] == [
        block.added for block in residual_blocks(model)
    ]
    assert [block.added for block in residual_blocks(model)] == [False, True, False, True]


def test_a_network_without_residuals_has_no_drop_path():
    model = fs.build(small("vanilla_block"), drop_path=0.4, zero_gamma=True)
    assert not residual_blocks(model)
    assert not any(isinstance(module, DropPath) for module in model.modules())


def test_drop_path_drops_whole_samples_and_keeps_the_mean():
    torch.manual_seed(0)
    rate, samples = 0.3, 20_000
    out = DropPath(rate).train()(torch.ones(samples, 2, 2, 1))
    kept = out[:, 0, 0, 0] != 0
    assert (out == out[:, :1, :1]).all()
    assert out[kept].unique().item() == pytest.approx(1 / (1 - rate))
    assert kept.float().mean().item() == pytest.approx(1 - rate, abs=4 * math.sqrt(rate * (1 - rate) / samples))
    assert out.mean().item() == pytest.approx(1, abs=0.02)


@given(st.floats() | st.sampled_from(["0.5", None, True, [0.1], 2]))
@example("0.5")
@example(None)
@settings(max_examples=30)
def test_a_drop_path_is_a_probability_below_1(drop_path):
    if isinstance(drop_path, float) and 0 <= drop_path < 1:
        assert fs.build(small(), device="meta", drop_path=drop_path) is not None
        return
    with pytest.raises(ValueError, match=r"^build: drop_path is .*, but must be a probability from 0 to below 1"):
        fs.build(small(), device="meta", drop_path=drop_path)


def test_what_cannot_be_built_is_named():
    with pytest.raises(fs.architectures.NetworkError, match="the nearest names are"):
        fs.build("ResNet-5O")


@pytest.mark.parametrize("device", ["quantum", 3.5, "cuda:99"])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(ValueError, match=r"^build: .* is not (a device|there)"):
        fs.build("RegNetX-200MF", device)
