"""The operations that run: they add up to the counts, and move what torch is seen to move."""

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.other_libraries import import_library
from hypothesis import given
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib.architectures.operation_lists import KINDS, Operations, operations
from fastscale_lib.architectures.resolutions import both_sides
from fastscale_lib.scaling.module_scaling import network_or_modules
from fastscale_lib.scaling.rounding import scaled_dimensions
from fastscale_lib.scaling.strategies import grid_factors

SEEN = {
    torch.nn.Conv2d: ("conv 1×1", "conv k×k", "conv in groups", "conv depthwise"),
    torch.nn.BatchNorm2d: ("norm",),
    torch.nn.Linear: ("linear",),
    torch.nn.MaxPool2d: ("pool",),
    torch.nn.AdaptiveAvgPool2d: ("pool",),
}


def total(ops: Operations, column: str, *kinds: str) -> np.ndarray:
    chosen = np.isin(ops.kind, [KINDS.index(kind) for kind in kinds or KINDS])
    return (getattr(ops, column) * ops.times * chosen).sum(axis=0)


@pytest.mark.parametrize("name", fs.networks())
def test_they_add_up_to_the_counts(name):
    ops, counted = operations(fs.network(name)), fs.complexity(name)
    assert total(ops, "flops") == counted.flops
    assert total(ops, "weights") == counted.params


@pytest.mark.parametrize("name", ["EfficientNet-B0", "RegNetY-400MF", "RegNetZ-500MF", "ResNet-50", "ResNeXt-50"])
def test_they_move_what_torch_is_seen_to_move(name):
    network = fs.network(name)
    module, seen = fs.build(network, device="meta").eval(), dict.fromkeys(KINDS, 0)

    def look(layer, inputs, output):
        kinds = next((kinds for kind, kinds in SEEN.items() if isinstance(layer, kind)), None)
        if kinds is None:
            kinds = ("smooth",) if isinstance(layer, torch.nn.SiLU | torch.nn.Sigmoid) else ("pointwise",)
        seen[kinds[0]] += inputs[0].numel() + output.numel()

    for layer in module.modules():
        if not list(layer.children()):
            layer.register_forward_hook(look)
    module(torch.empty(1, 3, *both_sides(network.resolution), device="meta"))

    ops = operations(network)
    for kinds in {*SEEN.values(), ("smooth",)}:
        assert total(ops, "moved", *kinds) == seen[kinds[0]], kinds
    assert total(ops, "moved", "pointwise") > seen["pointwise"]  # sums and products are no modules


@given(
    st.sampled_from(fs.networks()),
    st.lists(st.sampled_from([*fs.scaling.STRATEGIES, "d1_w8_g8_r1", "w1"]), min_size=1, max_size=3, unique=True),
    st.lists(st.floats(0.25, 32), min_size=1, max_size=3),
)
def test_many_networks_at_once_are_as_one_by_one(name, strategies, scales):
    network, strategies = fs.network(name), [fs.strategy(each) for each in strategies]
    dims = scaled_dimensions(network, *grid_factors(strategies, np.array(scales)))
    together = operations(network, dims, len(strategies) * len(scales))
    one_by_one = [operations(fs.scale(network, each, s)) for each in strategies for s in scales]
    for column in ("flops", "moved", "weights", "times"):
        for kind in KINDS:
            alone = [total(ops, column, kind)[0] for ops in one_by_one]
            assert total(together, column, kind).tolist() == alone, (column, kind)


@pytest.mark.parametrize("name", fs.networks())
def test_flops_by_kind_are_those_of_the_layers(name):
    layers = fs.layers(name)
    conv, depthwise = layers["kind"] == "conv", layers["groups"] == layers["width_in"]
    grouped = (layers["groups"] > 1) & ~depthwise
    rows = {"conv depthwise": conv & depthwise, "conv in groups": conv & grouped}
    rows |= {"linear": (layers["kind"] == "linear") & layers["name"].str.startswith("head.")}
    rows |= {"token linear": (layers["kind"] == "linear") & ~rows["linear"], "attention": layers["kind"] == "attention"}
    rows |= {"conv 1×1": conv & (layers["groups"] == 1) & (layers["kernel"] == 1)}
    rows |= {"conv k×k": conv & (layers["groups"] == 1) & (layers["kernel"] > 1)}
    if name.startswith("ConvNeXt") and fs.network(name).stem.width >= 96:  # as timm runs them
        rows["token linear"] |= rows.pop("conv 1×1")
    expected = {kind: layers[of_kind]["flops"].sum() for kind, of_kind in rows.items() if of_kind.any()}
    assert fs.architectures.flops_by_kind(name) == expected
    assert sum(expected.values()) == fs.complexity(name).flops


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("ConvNeXt-Nano", "convnext_nano"),
        ("ConvNeXt-T", "convnext_tiny"),
        ("ConvNeXtV2-Nano", "convnextv2_nano"),
        ("ConvNeXtV2-T", "convnextv2_tiny"),
    ],
)
def test_a_convnext_runs_what_the_trace_of_timm_s_runs(name, theirs):
    """Narrow ones have 1×1 convolutions, and wide ones linear layers on channels-last pixels.

    The eight operations of a global response norm are one.
    """
    timm = import_library("timm")
    described = operations(fs.network(name))
    traced = operations(network_or_modules(timm.create_model(theirs), 224))
    for kind in KINDS:
        assert total(described, "flops", kind) == total(traced, "flops", kind), kind
        assert total(described, "moved", kind) == total(traced, "moved", kind), kind
    assert (total(described, "flops", "conv 1×1") > 0) == theirs.endswith("nano")
    assert (total(described, "flops", "token linear") > 0) == theirs.endswith("tiny")
    scaled = operations(
        fs.network("ConvNeXt-Nano"), fs.network("ConvNeXt-Nano").dimensions._replace(stem_width=np.array([80, 96])), 2
    )
    assert (total(scaled, "flops", "conv 1×1") > 0).tolist() == [True, False]


class Squared(torch.nn.Module):
    """A convolution, a squared ReLU with a learned factor, and a convolution again."""

    def __init__(self):
        super().__init__()
        self.first, self.last = torch.nn.Conv2d(3, 8, 1), torch.nn.Conv2d(8, 8, 1)
        self.factor = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.last(self.factor * self.first(x).relu() ** 2)


def test_elementwise_operations_of_one_module_are_one_when_compiled():
    """Those of several modules stay apart, as the layers of a described network do."""
    network = network_or_modules(Squared(), 16)
    elements = 8 * 16 * 16
    eager, compiled = operations(network), operations(network, compiled=True)
    assert moved_by_kind(eager) == 3 * [("pointwise", 2 * elements)]  # a square is a product
    assert moved_by_kind(compiled) == [("pointwise", 2 * elements)]
    apart = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1), torch.nn.SiLU(), torch.nn.ReLU())
    both = [operations(network_or_modules(apart, 16), compiled=each) for each in (False, True)]
    assert moved_by_kind(both[0]) == moved_by_kind(both[1]) == [("smooth", 2 * elements), ("pointwise", 2 * elements)]


class Powers(torch.nn.Module):
    """A convolution, and powers of all kinds."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 1)

    def forward(self, x):
        x = self.first(x)
        return torch.pow(2, x) + x**x + x**3 + x**2.0 + x**0.5


def test_squares_and_cubes_are_products_and_other_powers_are_not():
    kinds = [kind for kind, _ in moved_by_kind(operations(network_or_modules(Powers(), 16)))]
    sums = 4
    assert sorted(kinds) == ["pointwise"] * (2 + sums) + ["smooth"] * 3


def test_powers_are_in_single_precision_under_autocast():
    """A square reads and writes 4 bytes an element after a cast; the next convolution casts back."""
    network = network_or_modules(Squared(), 16)
    elements = 8 * 16 * 16
    single = operations(network, autocast=True)
    cast = 3 * elements  # 2 bytes read and 4 written, or the other way round
    assert moved_by_kind(single) == [
        ("pointwise", 2 * elements),
        ("pointwise", 2 * 2 * elements + cast),
        ("pointwise", 2 * 2 * elements),
    ]
    convolutions = [total(each, "moved", "conv 1×1") for each in (operations(network), single)]
    assert convolutions[1] - convolutions[0] == cast
    for kind in ("flops", "weights"):
        assert getattr(single, kind).sum() == getattr(operations(network), kind).sum()


class Standardised(torch.nn.Conv2d):
    """A convolution whose weights are brought to mean 0 and variance 1 in every pass."""

    def forward(self, x):
        weight = torch.nn.functional.batch_norm(self.weight.reshape(1, len(self.weight), -1), None, None, training=True)
        return torch.nn.functional.conv2d(x, weight.reshape_as(self.weight), self.bias)


def test_what_runs_on_weights_alone_moves_them_once_a_run():
    plain, standardised = (
        network_or_modules(torch.nn.Sequential(kind(3, 8, 3)), 16) for kind in (torch.nn.Conv2d, Standardised)
    )
    weights = 8 * 3 * 9
    before, after = operations(plain), operations(standardised)
    assert total(after, "moved") == total(before, "moved")
    assert total(after, "weights") == total(before, "weights") + 2 * weights  # read, and written
    assert fs.complexity(standardised) == fs.complexity(plain)
    pd.testing.assert_frame_equal(fs.architectures.layers(standardised), fs.architectures.layers(plain))


def test_biases_are_operations_but_for_those_of_depthwise_convolutions():
    dense, depthwise, without = (
        torch.nn.Conv2d(3, 8, 1),
        torch.nn.Conv2d(8, 8, 3, padding=1, groups=8),
        torch.nn.Conv2d(8, 8, 1, bias=False),
    )
    network = network_or_modules(torch.nn.Sequential(dense, depthwise, without), 16)
    assert moved_by_kind(operations(network)) == []
    assert moved_by_kind(operations(network, biases=True)) == [("pointwise", 2 * 8 * 16 * 16)]


def test_a_kernel_that_is_not_square_is_as_a_square_as_large():
    sizes = [(1, 1), (1, 3), (3, 1), (7, 1), (1, 11), (5, 5), (9, 9)]
    convolutions = [torch.nn.Conv2d(8, 8, size, padding=(size[0] // 2, size[1] // 2), groups=8) for size in sizes]
    ops = operations(network_or_modules(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1), *convolutions), 16))
    assert list(ops.kernel[1:, 0]) == [1, 2, 2, 3, 4, 5, 9]
    dense = [torch.nn.Conv2d(3, 8, size, padding=(size[0] // 2, size[1] // 2)) for size in ((1, 1), (3, 1))]
    kinds = [operations(network_or_modules(torch.nn.Sequential(each), 16)).kind[0, 0] for each in dense]
    assert [KINDS[kind] for kind in kinds] == ["conv 1×1", "conv k×k"]


def test_a_compiled_group_norm_reads_its_input_twice():
    network = network_or_modules(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1), torch.nn.GroupNorm(2, 8)), 16)
    elements = 8 * 16 * 16
    assert moved_by_kind(operations(network, compiled=True)) == [("pointwise", 3 * elements)]
    assert total(operations(network), "moved", "layer norm") == 2 * elements


def moved_by_kind(ops):
    """List the elementwise operations: kind, and elements moved."""
    kinds = [KINDS[kind] for kind in ops.kind[:, 0]]
    return [(kind, n) for kind, n in zip(kinds, ops.moved[:, 0], strict=True) if kind in ("pointwise", "smooth")]


@pytest.mark.parametrize("module", [torch.nn.Identity(), torch.nn.Sequential(), torch.nn.ReLU()])
def test_a_module_without_layers_has_no_operations_to_tell_of(module):
    with pytest.raises(
        fs.FastscaleError, match=f"^{type(module).__name__} has no convolution, linear layer or matrix product"
    ):
        operations(network_or_modules(module, 16))


def test_biases_beside_layer_norms_are_no_operations_of_their_own():
    """Their time is in the rate of layer norms, as profiles are fitted to ConvNeXts that have them."""
    norm = torch.nn.LayerNorm(16)
    network = network_or_modules(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1), norm), 16)
    assert moved_by_kind(operations(network, biases=True)) == []
