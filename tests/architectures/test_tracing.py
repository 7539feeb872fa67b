"""Any torch module is counted by tracing it: as described, as torch's own counter says, and as hooks see it."""

from __future__ import annotations

import random
import warnings
from collections import namedtuple
from dataclasses import replace
from typing import Any

import pytest
import torch
from helpers.other_libraries import import_library
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import fastscale_lib as fs
from fastscale_lib.architectures import NetworkError, trace

timm = import_library("timm")
NO_IMAGES = ("test_",)  # timm's own, for its tests
DRAWN = random.Random(14).sample([name for name in timm.list_models() if not name.startswith(NO_IMAGES)], 40)


def without_data(name: str) -> nn.Module:
    with torch.device("meta"):
        return timm.create_model(name).eval().requires_grad_(False)


def side_of(module: Any) -> int:
    return module.pretrained_cfg["input_size"][-1]


@pytest.mark.parametrize("name", fs.networks())
def test_a_built_network_is_traced_as_it_is_described(name):
    """With at most two blocks a stage: those after the second are as the second, and take most of the time."""
    whole = fs.network(name)
    network = replace(whole, stages=tuple(replace(each, depth=min(each.depth, 2)) for each in whole.stages))
    module = fs.build(network, "meta")
    found = trace(module, resolution=network.resolution).complexity
    assert tuple(found) == tuple(fs.complexity(network))
    assert found.uncounted == {}


def test_traced_rows_are_those_of_the_description():
    module = fs.build("RegNetY-400MF", "meta")
    described = fs.layers("RegNetY-400MF")
    del module.network
    assert fs.layers(module, resolution=224).equals(described)


def test_a_built_module_is_recognised_as_its_network():
    module = fs.build("ResNet-50", "meta")
    assert fs.complexity(module) == fs.complexity("ResNet-50")
    assert fs.complexity(module, resolution=320) == fs.complexity("ResNet-50", resolution=320)
    assert fs.layers(module).equals(fs.layers("ResNet-50"))


def test_a_built_module_that_was_changed_is_traced():
    module = fs.build("ResNet-50", "meta")
    module.get_submodule("head").linear = nn.Sequential(nn.Flatten(), nn.Linear(2048, 10, device="meta"))
    assert fs.complexity(module, resolution=224).params == fs.complexity(fs.network("ResNet-50", classes=10)).params


@pytest.mark.parametrize("name", DRAWN)
def test_timm_is_counted_as_torch_and_hooks_count(name):
    module = without_data(name)
    side, outputs = side_of(module), {}

    def add(name, out):
        outputs[name] = outputs.get(name, 0) + out.numel()

    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    for part, each in module.named_modules():
        if isinstance(each, kinds):
            each.register_forward_hook(lambda _, __, out, part=part: add(part, out))
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(1, 3, side, side, device="meta"))
    hooked = dict(outputs)
    found = trace(module, resolution=side)
    assert found.complexity.torch_flops == counter.get_total_flops()
    assert found.complexity.params == sum(each.numel() for each in module.parameters())
    traced = {}
    for each in found.operations:
        if each.kind in ("conv", "linear"):
            traced[each.name] = traced.get(each.name, 0) + each.outputs
    assert {part: traced.get(part) for part in hooked} == hooked
    assert found.complexity.uncounted == {}


@pytest.mark.parametrize("name", ["ResNet-50", "EfficientNet-B0"])
def test_forward_with_backward_is_what_torch_counts(name):
    module = fs.build(name, "meta").eval()
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(1, 3, 224, 224, device="meta")).sum().backward()
    assert trace(module, resolution=224).complexity.torch_flops_backward == counter.get_total_flops()


@given(
    kernel=st.integers(1, 7),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2, 4, 8]),
    transposed=st.booleans(),
    bias=st.booleans(),
    height=st.integers(16, 24),
    width=st.integers(16, 24),
)
@settings(max_examples=60, deadline=None)
def test_a_convolution_counts_its_products_and_biases(
    kernel, stride, dilation, groups, transposed, bias, height, width
):
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    module = kind(8, 16, kernel, stride, dilation=dilation, groups=groups, bias=bias)
    out = module(torch.zeros(1, 8, height, width))
    area = height * width if transposed else out.shape[-2] * out.shape[-1]
    products = kernel**2 * 8 * 16 // groups * area
    counts = fs.complexity(module, resolution=(height, width))
    assert counts.flops == products + bias * out.numel()
    assert counts.params == kernel**2 * 8 * 16 // groups + bias * 16
    assert counts.activations == out.numel()


def test_attention_is_counted_and_its_matrices_told_apart():
    attention = nn.MultiheadAttention(64, 4, batch_first=True)
    tokens = torch.zeros(1, 10, 64)
    found = trace(attention, example=(tokens, tokens, tokens)).complexity
    assert found.flops == 10 * 4 * (64 * 64 + 64) + 2 * 10 * 10 * 64  # three projections in, one out; two products
    assert found.activations == 10 * 4 * 64
    assert found.attention_matrices == 4 * 10 * 10
    assert found.params == sum(each.numel() for each in attention.parameters())


class Spectrum(nn.Module):
    def forward(self, x):
        return torch.fft.rfft2(x).abs().sum()


def test_an_operator_that_is_not_known_is_named():
    found = trace(Spectrum(), resolution=32).complexity
    assert found.uncounted == {"aten._fft_r2c": 1}
    assert "not known, and counted as 0: aten._fft_r2c (called 1×)" in str(found)
    assert "unknown (aten._fft_r2c)" in set(fs.layers(Spectrum(), resolution=32)["kind"])


def test_the_sums_of_the_rows_are_the_counts():
    module = without_data("vit_tiny_patch16_224")
    sums = fs.layers(module, resolution=224)[["flops", "params", "activations"]].sum()
    assert tuple(sums) == tuple(fs.complexity(module, resolution=224))


def test_the_module_stays_as_it_is():
    module = fs.build("RegNetX-200MF").train()
    module.get_submodule("head").eval()
    before = {name: each.clone() for name, each in module.state_dict().items()}
    trace(module, resolution=64)
    assert module.training
    assert not module.get_submodule("head").training
    assert all(torch.equal(each, before[name]) for name, each in module.state_dict().items())


class Caches(nn.Module):
    """Keeps what a pass made, in each of the ways that a module can."""

    pe: torch.Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.register_buffer("pe", None, persistent=False)
        self.calls, self.kept, self.by_size, self.plain = 0, [], {"sizes": []}, None
        self.aside = [nn.Linear(4, 4)]

    def forward(self, x):
        self.calls += 1
        if self.pe is None:
            self.pe = torch.ones_like(x)
            self.plain = torch.ones_like(x)
            self.register_buffer("late", torch.ones_like(x))
            self.inner.mask = torch.ones_like(x)
            self.aside[0].mask = torch.ones_like(x)
        self.kept.append(x)
        self.by_size["sizes"].append(x)
        return self.inner(x) + self.pe + self.plain + self.inner.mask + self.aside[0].mask


def test_what_a_module_keeps_of_a_pass_is_taken_back():
    module, x = Caches(), torch.zeros(1, 4)
    kept, state = module.kept, list(module.state_dict())
    assert fs.complexity(module, example=x).flops == 4 * 4 + 4
    assert module.calls == 0
    assert module.pe is None
    assert module.kept is kept
    assert kept == module.by_size["sizes"] == []
    assert list(module.state_dict()) == state
    torch.testing.assert_close(module(x), module.inner(x) + 4)


def test_a_module_that_cannot_be_traced_stays_as_it_is():
    module = nn.Sequential(Caches(), LooksAtValues())
    with pytest.raises(NetworkError, match="looks at values"):
        trace(module, example=torch.zeros(1, 4))
    assert module.training
    assert module[0].calls == 0
    assert module[0].pe is None


@pytest.mark.parametrize(
    ("pool", "activations"),
    [
        (nn.AdaptiveAvgPool2d(2), 12),
        (nn.AdaptiveMaxPool2d(2), 12),
        (nn.AdaptiveAvgPool2d((1, 2)), 6),
        (nn.AvgPool2d(4), 12),
        (nn.MaxPool2d(4), 12),
        (nn.FractionalMaxPool2d(2, output_size=2), 12),
        (nn.LPPool2d(2, 4), 12),
        (nn.AdaptiveAvgPool2d(1), 0),
        (nn.AdaptiveMaxPool2d(1), 0),
        (nn.AvgPool2d(8), 0),
        (nn.MaxPool2d(8), 0),
    ],
)
def test_a_pool_counts_its_outputs_unless_it_is_global(pool, activations):
    assert fs.complexity(pool, resolution=8).activations == activations
    assert ("globalpool" in set(fs.layers(pool, resolution=8)["kind"])) == (activations == 0)


def test_pools_of_sequences_count_as_those_of_images():
    x = torch.zeros(2, 3, 8)
    assert fs.complexity(nn.AdaptiveAvgPool1d(4), example=x).activations == 2 * 3 * 4
    assert fs.complexity(nn.AvgPool1d(8), example=x).activations == 0


@pytest.mark.parametrize("bias", [True, False])
def test_a_bilinear_layer_counts_its_products(bias):
    found = trace(nn.Bilinear(3, 4, 5, bias=bias), example=(torch.zeros(2, 3), torch.zeros(2, 4))).complexity
    assert tuple(found) == (2 * (3 * 4 * 5 + 5 * bias), 3 * 4 * 5 + 5 * bias, 2 * 5)
    assert found.uncounted == {}


def test_what_a_module_returns_does_not_matter():
    pair = namedtuple("pair", "first second")
    for made in (lambda y: {"out": y, "more": [y]}, lambda y: pair(y, y), lambda y: None):
        assert fs.complexity(Then(made), resolution=32).flops == 30 * 30 * 8 * 28


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_a_module_of_any_type_of_numbers_is_counted(kind):
    assert fs.complexity(nn.Conv2d(3, 8, 3).to(kind), resolution=32).flops == 30 * 30 * 8 * 28


@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel, torch.fx.symbolic_trace, lambda x: x.to("meta")])
def test_a_wrapped_module_is_counted_as_the_one_inside(wrap: Any):
    plain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    counts = fs.complexity(plain, resolution=32)
    assert fs.complexity(wrap(plain), resolution=32) == counts
    assert fs.complexity(nn.Sequential(wrap(nn.Conv2d(3, 8, 3)), nn.ReLU()), resolution=32) == counts


def test_a_named_tuple_is_one_argument():
    packed = nn.utils.rnn.pack_padded_sequence(torch.zeros(2, 5, 16), torch.tensor([5, 3]), batch_first=True)
    with pytest.raises(NetworkError, match="LSTM does not take this example"):
        fs.complexity(nn.LSTM(16, 32, batch_first=True), example=packed)


class Retries(nn.Module):
    """Catches what its first layer raises, and calls another."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(7, 7), nn.Conv2d(3, 8, 3)

    def forward(self, x):
        try:
            return self.first(x)
        except RuntimeError:
            return self.second(x)


def test_a_module_that_raised_and_was_caught_is_left():
    (row,) = fs.layers(Retries(), resolution=32).query("kind == 'conv'").to_dict("records")
    assert row["name"] == "second"


class LooksAtValues(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Then(nn.Module):
    """A convolution, and a function of its output."""

    def __init__(self, then: Any = lambda y: y) -> None:
        super().__init__()
        self.conv, self.then = nn.Conv2d(3, 8, 3), then

    def forward(self, x):
        return self.then(self.conv(x))


def fails(*_: Any) -> None:
    raise ValueError("the hook is wrong")


def hooked() -> nn.Module:
    module = nn.Sequential(nn.Conv2d(3, 8, 3))
    module[0].register_forward_hook(fails)
    return module


def quantised() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 4)), {nn.Linear})


def scripted() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(nn.Conv2d(3, 8, 3))


class TwoInputs(nn.Module):
    def forward(self, left, right):
        return left @ right


class ByKeyword(nn.Module):
    def forward(self, *, image, scale=1.0):
        return image * scale


class HeadFirst(nn.Module):
    """Its head is registered before its stem."""

    def __init__(self, channels: int, taken: int = 8) -> None:
        super().__init__()
        self.head, self.stem = nn.Conv2d(8, 2, 1), nn.Conv2d(channels, taken, 3)

    def forward(self, image):
        return self.head(self.stem(image))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_channels_are_those_of_the_first_convolution_that_runs(channels):
    found = fs.complexity(HeadFirst(channels), resolution=16)
    assert found == fs.complexity(HeadFirst(channels), example=torch.zeros(1, channels, 16, 16))


def test_a_guess_of_channels_that_fails_is_named_with_the_remedy():
    said = r"1 × 8 × 16 × 16 images, of the channels of 'head' .* given as example=torch.empty\(1, 3, 16, 16\)$"
    with pytest.raises(NetworkError, match=said):
        fs.complexity(HeadFirst(3, taken=9), resolution=16)


def test_several_inputs_are_given_as_an_example():
    assert fs.complexity(ByKeyword(), example={"image": torch.zeros(1, 3)}).flops == 0
    pair = torch.zeros(2, 3), torch.zeros(3, 4)
    assert fs.complexity(TwoInputs(), example=pair).flops == 24
    assert fs.complexity(TwoInputs(), example={"left": pair[0], "right": pair[1]}).flops == 24


@pytest.mark.parametrize(
    ("module", "given", "said"),
    [
        (LooksAtValues(), {"resolution": 32}, "its forward pass looks at values"),
        (nn.Sequential(nn.Conv2d(3, 3, 1), LooksAtValues()), {"resolution": 32}, "'1' .LooksAtValues. looks at values"),
        (Then(lambda y: y.numpy()), {"resolution": 32}, "its forward pass looks at values"),
        (Then(lambda y: y.mean().item()), {"resolution": 32}, "its forward pass looks at values"),
        (Then(lambda y: y.cpu()), {"resolution": 32}, r"moves a tensor to a device, .* its input .x.device"),
        (Then(lambda y: y.to("cpu")), {"resolution": 32}, "moves a tensor to a device"),
        (Then(lambda y: y.mean().tolist()), {"resolution": 32}, "as .cpu.., .* and .tolist.. do, .* values are looked"),
        (Then(lambda y: y[y > 0]), {"resolution": 32}, "calls torch.nonzero, whose result has a shape that follows"),
        (Then(lambda y: y.cuda()), {"resolution": 32}, "asks for a device of its own"),
        (Then(lambda y: torch.autograd.grad(y.sum(), y)), {"resolution": 32}, "takes gradients"),
        (nn.Sequential(nn.Conv2d(3, 8, 1).double(), nn.Conv2d(8, 8, 1)), {"resolution": 32}, "'1' .Conv2d. is given"),
        (nn.Conv2d(3, 8, 3), {"example": torch.zeros(1, 3, 8, 8).half()}, "of another type .* module.float()"),
        (nn.ModuleList([nn.ReLU()]), {"resolution": 32}, "ModuleList has no forward pass"),
        (hooked(), {"resolution": 32}, "a hook that fails at '0' .Conv2d.: fails .ValueError: the hook is wrong"),
        (quantised(), {"resolution": 32}, "'0' .Linear. is a quantised layer"),
        (scripted(), {"resolution": 32}, "is a TorchScript module"),
        (nn.Sequential(scripted()), {"resolution": 32}, "'0' .RecursiveScriptModule. is a TorchScript module"),
        (nn.Sequential(nn.Flatten(), nn.Linear(9, 4)), {"resolution": 32}, "'1' .Linear. fails with RuntimeError"),
        (TwoInputs(), {"resolution": 32}, r"does not take 1 × 3 × 32 × 32 images .*example=\(left, right\)"),
        (TwoInputs(), {"example": {"lef": torch.zeros(1)}}, r"does not take this example .*example=\(left, right\)"),
        (ByKeyword(), {"resolution": 32}, r"give what .* takes by keyword, as example=\{'image': image\}$"),
        (
            nn.Conv2d(3, 4, 3),
            {},
            "^trace: give resolution=224 for images, or example= for anything else: a module does",
        ),
        (nn.Conv2d(3, 4, 3), {"resolution": 32, "example": torch.zeros(1, 3, 8, 8)}, "both are given"),
        (nn.Conv2d(3, 4, 3), {"resolution": 2}, "does not take 1 × 3 × 2 × 2 images"),
        (nn.Conv2d(3, 4, 3), {"resolution": (8, 8, 8)}, "must be a side in pixels, or a pair \\(height, width\\)"),
        (nn.Conv2d(3, 4, 3), {"example": 3}, "must be a tensor"),
        (nn.LazyConv2d(4, 3), {"resolution": 32}, "call LazyConv2d once on an input first"),
        (nn.Sequential(nn.LazyConv2d(4, 3)), {"resolution": 32}, "'0' .LazyConv2d. has lazy parameters"),
    ],
)
def test_what_cannot_be_traced_is_refused_in_a_sentence(module, given, said):
    with pytest.raises(NetworkError, match=said) as caught:
        fs.complexity(module, **given)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_a_network_takes_no_example():
    with pytest.raises(NetworkError, match="torch modules alone"):
        fs.complexity("ResNet-50", example=torch.zeros(1, 3, 8, 8))
