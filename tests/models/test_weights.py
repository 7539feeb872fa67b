"""The weights of timm, torchvision and pycls fit ours one to one, and give the same logits.

`tests/weights` holds the names and shapes in their state dicts, with the version that they were read from. Where timm
and torchvision import, their own modules stand beside ours as well.
"""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers.other_libraries import import_library
from torch import nn

import fastscale_lib as fs
from fastscale_lib.models.modules import ConvNet

FILES = sorted((Path(__file__).parent / "weights").glob("*.json"))
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def listed(name: str) -> dict:
    return json.loads((Path(__file__).parent / "weights" / f"{name}.json").read_text("utf-8"))


def with_head(name: str, width: int) -> fs.Network:
    net = fs.network(name)
    return replace(net, head=replace(net.head, width=width))


def network_of(what: dict) -> fs.Network:
    """Ours of the same structure."""
    return fs.network(what["network"])


def tensors(shapes: dict[str, list[int]], seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict of these shapes: convolutions as in He et al. 2015, BN and biases at random."""
    torch.manual_seed(seed)
    made = {}
    for key, shape in shapes.items():
        if key.endswith("num_batches_tracked"):
            made[key] = torch.tensor(7)
        elif len(shape) > 1:
            made[key] = torch.randn(shape) * (2 / torch.Size(shape[1:]).numel()) ** 0.5
        elif key.endswith(("running_var", "weight")):
            made[key] = 0.5 + torch.rand(shape)
        else:
            made[key] = torch.rand(shape) - 0.5
    return made


# One to one


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_they_have_as_many_params_as_we_count(file):
    what = json.loads(file.read_text("utf-8"))
    params = sum(torch.Size(shape).numel() for key, shape in what["shapes"].items() if not key.endswith(BUFFERS))
    assert params == fs.complexity(network_of(what)).params


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_of_their_tensors_arrives_in_one_of_ours(file):
    """Every tensor is filled with a number of its own; ours then hold each number once."""
    what = json.loads(file.read_text("utf-8"))
    given = {key: torch.full(shape, number) for number, (key, shape) in enumerate(what["shapes"].items())}
    model = fs.load_weights(fs.build(network_of(what)), given)
    arrived = [tensor.aminmax() for tensor in model.state_dict().values()]
    assert sorted((int(each.min), int(each.max)) for each in arrived) == [(n, n) for n in range(len(given))]


# The same logits, by a few lines of their own


class Plain:
    """Layers by the names in a state dict, written with torch's functions alone.

    While it is `settling`, BN takes over the statistics of what comes in, so that no output vanishes or explodes.
    """

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        self.state = state
        self.settling = False

    def __contains__(self, name: str) -> bool:
        return f"{name}.weight" in self.state

    def conv(self, x: torch.Tensor, name: str, stride: int = 1, groups: int = 1) -> torch.Tensor:
        weight = self.state[f"{name}.weight"]
        return F.conv2d(x, weight, self.state.get(f"{name}.bias"), stride, weight.shape[-1] // 2, groups=groups)

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        mean, variance, weight, bias = (
            self.state[f"{name}.{leaf}"] for leaf in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, weight, bias, self.settling, momentum=1, eps=1e-5)

    def gate(self, x: torch.Tensor, reduce: str, expand: str, act) -> torch.Tensor:
        pooled = x.mean((2, 3), keepdim=True)
        return x * self.conv(act(self.conv(pooled, reduce)), expand).sigmoid()

    def linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return x.mean((2, 3)) @ self.state[f"{name}.weight"].T + self.state[f"{name}.bias"]

    def blocks(self, prefix: str, separator: str, first: int) -> list[str]:
        """Names of the blocks of a stage, as "layer1.0"."""
        found = {key[len(prefix) :].split(".")[0] for key in self.state if key.startswith(prefix)}
        numbers = sorted(int(each.removeprefix(separator)) for each in found)
        assert numbers[0] == first
        return [f"{prefix}{separator}{number}" for number in numbers]


def resnet_of_torchvision(net: Plain, x: torch.Tensor) -> torch.Tensor:
    """ResNet-50: He et al., Deep Residual Learning, 2016, with the stride in the 3×3 convolution."""
    x = F.max_pool2d(net.norm(net.conv(x, "conv1", 2), "bn1").relu(), 3, 2, padding=1)
    for stage in (1, 2, 3, 4):
        for block in net.blocks(f"layer{stage}.", "", 0):
            stride = 2 if block.endswith(".0") and stage > 1 else 1
            y = net.norm(net.conv(x, f"{block}.conv1"), f"{block}.bn1").relu()
            y = net.norm(net.conv(y, f"{block}.conv2", stride), f"{block}.bn2").relu()
            y = net.norm(net.conv(y, f"{block}.conv3"), f"{block}.bn3")
            if f"{block}.downsample.0" in net:
                x = net.norm(net.conv(x, f"{block}.downsample.0", stride), f"{block}.downsample.1")
            x = (x + y).relu()
    return net.linear(x, "fc")


def regnet_of_timm(net: Plain, x: torch.Tensor) -> torch.Tensor:
    """RegNetY-4.0GF: Radosavovic et al., Designing Network Design Spaces, 2020; its group width is 64."""
    x = net.norm(net.conv(x, "stem.conv", 2), "stem.bn").relu()
    for stage in (1, 2, 3, 4):
        for block in net.blocks(f"s{stage}.", "b", 1):
            stride = 2 if block.endswith(".b1") else 1
            y = net.norm(net.conv(x, f"{block}.conv1.conv"), f"{block}.conv1.bn").relu()
            y = net.norm(net.conv(y, f"{block}.conv2.conv", stride, y.shape[1] // 64), f"{block}.conv2.bn").relu()
            y = net.gate(y, f"{block}.se.fc1", f"{block}.se.fc2", torch.relu)
            y = net.norm(net.conv(y, f"{block}.conv3.conv"), f"{block}.conv3.bn")
            if f"{block}.downsample.conv" in net:
                x = net.norm(net.conv(x, f"{block}.downsample.conv", stride), f"{block}.downsample.bn")
            x = (x + y).relu()
    return net.linear(x, "head.fc")


def efficientnet_of_torchvision(net: Plain, x: torch.Tensor) -> torch.Tensor:
    """EfficientNet-B0: Tan and Le, EfficientNet, 2019, table 1."""
    x = F.silu(net.norm(net.conv(x, "features.0.0", 2), "features.0.1"))
    for stage, first_stride in enumerate((1, 2, 2, 2, 1, 2, 1), 1):
        for block in net.blocks(f"features.{stage}.", "", 0):
            stride = first_stride if block.endswith(".0") else 1
            steps, y = [f"{block}.block.{step}" for step in range(4)], x
            if f"{steps[3]}.0" in net:
                expansion, *steps = steps
                y = F.silu(net.norm(net.conv(y, f"{expansion}.0"), f"{expansion}.1"))
            y = F.silu(net.norm(net.conv(y, f"{steps[0]}.0", stride, y.shape[1]), f"{steps[0]}.1"))
            y = net.gate(y, f"{steps[1]}.fc1", f"{steps[1]}.fc2", F.silu)
            y = net.norm(net.conv(y, f"{steps[2]}.0"), f"{steps[2]}.1")
            x = x + y if x.shape == y.shape else y
    x = F.silu(net.norm(net.conv(x, "features.8.0"), "features.8.1"))
    return net.linear(x, "classifier.1")


@torch.no_grad()
def assert_same_logits(ours: nn.Module, theirs, x: torch.Tensor) -> None:
    """To 1e-5 of the largest logit, for images whose logits tell them apart."""
    expected = theirs(x)
    scale = expected.abs().max()
    assert (expected[0] - expected[1]).abs().max() > scale / 100
    assert (ours(x) - expected).abs().max() < 1e-5 * scale


@pytest.mark.parametrize(
    ("name", "forward"),
    [
        ("torchvision_resnet50", resnet_of_torchvision),
        ("timm_regnety_040", regnet_of_timm),
        ("torchvision_efficientnet_b0", efficientnet_of_torchvision),
    ],
)
def test_a_network_written_with_torchs_functions_gives_the_same_logits(name, forward):
    what = listed(name)
    plain = Plain(tensors(what["shapes"]))
    plain.settling = True
    forward(plain, torch.randn(8, 3, 64, 64))
    plain.settling = False
    model = fs.load_weights(fs.build(network_of(what)).eval(), plain.state)
    assert_same_logits(model, lambda x: forward(plain, x), torch.randn(2, 3, 64, 64))


# The same logits, by their own modules


@torch.no_grad()
def alive(model: nn.Module) -> nn.Module:
    """Random γ and β, and the running statistics of random images, so that no layer's output vanishes or explodes."""
    torch.manual_seed(0)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.uniform_(-0.5, 0.5)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.weight.normal_(std=module.in_features**-0.5)
    model.train()(torch.randn(8, 3, 64, 64))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return model.eval()


ONE_OF_EACH_FORM = (
    *("mobilenetv2_035", "mobilenetv2_110d", "mobilenetv3_small_100", "mobilenetv3_large_075"),
    *("mobilenetv3_large_150d", "mnasnet_050", "semnasnet_050", "efficientnet_lite0", "efficientnetv2_rw_t"),
    *("efficientnetv2_rw_s", "tinynet_e", "regnetz_040", "regnetz_040_h"),
    *("resnet18d", "resnet26d", "resnet10t", "resnetrs50", "wide_resnet50_2", "seresnet18", "seresnext26d_32x4d"),
)


PAIRS = [
    ("torchvision", "efficientnet_b0", fs.network("EfficientNet-B0")),
    ("torchvision", "efficientnet_b3", fs.network("EfficientNet-B3")),
    ("torchvision", "efficientnet_b5", fs.network("EfficientNet-B5")),
    ("torchvision", "regnet_y_3_2gf", fs.network("RegNetY-3.2GF")),
    ("torchvision", "regnet_x_3_2gf", fs.network("RegNetX-3.2GF")),
    ("torchvision", "resnet18", fs.network("ResNet-18")),
    ("torchvision", "efficientnet_v2_s", fs.network("EfficientNetV2-S")),
    ("torchvision", "resnet50", fs.network("ResNet-50")),
    ("torchvision", "resnext50_32x4d", fs.network("ResNeXt-50")),
    *(("torchvision", name, fs.network(name)) for name in ("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large")),
    *(("torchvision", name, fs.network(name)) for name in ("mnasnet0_5", "mnasnet1_0")),
    ("timm", "efficientnet_b0", fs.network("EfficientNet-B0")),
    ("timm", "efficientnet_b5", fs.network("EfficientNet-B5")),
    ("timm", "regnety_040", fs.network("RegNetY-4.0GF")),
    ("timm", "regnetx_040", fs.network("RegNetX-4.0GF")),
    ("timm", "regnetz_005", fs.network("RegNetZ-500MF")),
    ("timm", "resnet50", fs.network("ResNet-50")),
    ("timm", "resnet101", fs.network("ResNet-101")),
    ("timm", "resnext50_32x4d", fs.network("ResNeXt-50")),
    *(("timm", name, fs.network(name)) for name in ONE_OF_EACH_FORM),
]


def theirs(library: str, name: str) -> nn.Module:
    module = import_library(library)
    return module.create_model(name) if library == "timm" else module.models.get_model(name)


@pytest.mark.parametrize(("library", "name", "net"), PAIRS, ids=lambda each: str(each).split(" ")[0])
def test_their_module_and_ours_give_the_same_logits(library, name, net: fs.Network | str):
    module = alive(theirs(library, name))
    assert sum(parameter.numel() for parameter in module.parameters()) == fs.complexity(net).params
    x = torch.randn(2, 3, 64, 64)
    ours = fs.load_weights(fs.build(net).eval(), module)
    assert_same_logits(ours, module, x)
    for tensor in ours.state_dict().values():
        tensor.zero_()
    assert_same_logits(fs.load_weights(ours, module.state_dict()), module, x)


@pytest.mark.parametrize(
    ("name", "net", "found"),
    [
        ("tf_efficientnet_b0", "EfficientNet-B0", r"conv_stem has padding \(0, 0\), but stem\.conv"),
        ("regnetz_040", with_head("RegNetZ-4GF", 0), "activation after the last block"),
        ("resnetblur50", "ResNet-50", r"layer2\.0\.conv2 has stride \(1, 1\), but stage2\.block1\.conv2"),
    ],
)
def test_the_same_tensors_in_another_network_are_refused(name, net: fs.Network | str, found):
    with pytest.raises(fs.models.WeightsError, match=found):
        fs.load_weights(fs.build(net), theirs("timm", name))


@pytest.mark.parametrize(("name", "net"), [("seresnet50", "ResNet-50"), ("resnet50d", "ResNet-50")])
def test_their_other_networks_are_refused(name, net: str):
    with pytest.raises(fs.models.WeightsError, match=r"lack|for which|have the shape|none of|no place"):
        fs.load_weights(fs.build(net), theirs("timm", name).state_dict())


# ε, which a state dict does not hold


def epsilons(model: nn.Module) -> set[float]:
    return {module.eps for module in model.modules() if isinstance(module, nn.BatchNorm2d)}


def named_as_torchvision(model: ConvNet) -> dict[str, torch.Tensor]:
    """The state dict of an MBConv network under torchvision's names."""
    state, renamed = model.state_dict(), {}
    steps = {"1": 0, "2": 1, "3": 3}
    for key, tensor in state.items():
        if found := re.fullmatch(r"stage(\d+)\.block(\d+)\.(.+)\.(\w+)", key):
            stage, block, layer, leaf = found.groups()
            moved = int(f"stage{stage}.block{block}.conv1.weight" not in state)
            if layer.startswith("se."):
                place = f"{2 - moved}.{ {'se.reduce': 'fc1', 'se.expand': 'fc2'}[layer] }".replace(" ", "")
            else:
                place = f"{steps[layer[-1]] - moved}.{int(layer.startswith('norm'))}"
            renamed[f"features.{stage}.{int(block) - 1}.block.{place}.{leaf}"] = tensor
        else:
            part, layer, leaf = key.split(".")
            number = {"stem": 0, "head": len(model.network.stages) + 1}[part]
            place = "classifier.1" if layer == "linear" else f"features.{number}.{int(layer == 'norm')}"
            renamed[f"{place}.{leaf}"] = tensor
    return renamed


@pytest.mark.parametrize(("name", "eps"), [("EfficientNet-B0", 1e-5), ("EfficientNet-B5", 1e-3)])
def test_epsilon_is_that_of_the_source(name: str, eps):
    state = named_as_torchvision(fs.build(name))
    assert epsilons(fs.load_weights(fs.build(name), state)) == {eps}
    assert epsilons(fs.load_weights(fs.build(name), state, eps=0.01)) == {0.01}


def small(**changes) -> fs.Network:
    settings = {"depths": [1, 2], "widths": [16, 24], "stem_width": 8, "resolution": 32, "classes": 10}
    return fs.anynet(**settings | changes)


def named_as_pycls(model: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict of a bottleneck network under the names of pycls."""
    names = {"stem.norm": "stem.bn", "head.linear": "head.fc", "shortcut.conv": "proj", "shortcut.norm": "bn"}
    names |= {f"conv{n}": f"f.{letter}" for n, letter in zip("123", "abc", strict=True)}
    names |= {f"norm{n}": f"f.{letter}_bn" for n, letter in zip("123", "abc", strict=True)}
    renamed = {}
    for key, tensor in model.state_dict().items():
        for ours, theirs in names.items():
            key = re.sub(rf"(?<!\w){re.escape(ours)}(?=\.)", theirs, key)
        renamed[re.sub(r"stage(\d)\.block(\d)", r"s\1.b\2", key)] = tensor
    return renamed


def test_a_module_of_ours_gives_its_weights_and_its_epsilon():
    model = fs.load_weights(fs.build(small()), named_as_pycls(fs.build(small())), eps=0.1).eval()
    again = fs.load_weights(fs.build(small()).eval(), model)
    assert epsilons(again) == {0.1}
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(again(x), model(x))
    assert epsilons(fs.load_weights(again, fs.build(small()).state_dict())) == {0.1}  # which it does not hold


# Files


def assert_holds(model: nn.Module, expected: nn.Module) -> None:
    for (ours, tensor), theirs in zip(model.state_dict().items(), expected.state_dict().values(), strict=True):
        assert torch.equal(tensor, theirs), ours


@pytest.mark.parametrize("entry", [None, "model_state", "state_dict", "model"])
def test_weights_come_from_a_file_or_a_checkpoint(tmp_path, entry):
    source = fs.build(small())
    state = named_as_pycls(source)
    torch.save(state if entry is None else {"epoch": 3, entry: state}, tmp_path / "weights.pyth")
    assert_holds(fs.load_weights(fs.build(small()), tmp_path / "weights.pyth"), source)
    assert_holds(fs.load_weights(fs.build(small()), str(tmp_path / "weights.pyth")), source)


def test_counters_of_batches_may_be_missing():
    source = fs.build(small())
    state = {key: each for key, each in named_as_pycls(source).items() if not key.endswith("num_batches_tracked")}
    target = fs.build(small())
    target(torch.randn(2, 3, 32, 32))  # it has counted one batch, and starts again
    assert_holds(fs.load_weights(target, state), source)


def test_the_model_keeps_its_dtype_and_its_mode():
    model = fs.load_weights(fs.build(small()).double().eval(), fs.build(small()).half().state_dict())
    assert model.stem.conv.weight.dtype == torch.float64
    assert not model.training


def test_the_classifier_may_stay():
    torch.manual_seed(0)
    source, model = fs.build(small(classes=10)), fs.build(small(classes=3))
    own = model.head.linear.weight.clone()
    fs.load_weights(model, named_as_pycls(source), classifier=False)
    assert torch.equal(model.head.linear.weight, own)
    assert torch.equal(model.stage2.block2.conv3.weight, source.stage2.block2.conv3.weight)
    headless = {key: each for key, each in named_as_pycls(source).items() if not key.startswith("head")}
    fs.load_weights(model, headless, classifier=False)


def test_nothing_that_the_weights_hold_is_run(tmp_path):
    torch.save({"state_dict": {}, "args": Path("x")}, tmp_path / "weights.pth")
    with pytest.raises(fs.models.WeightsError, match=r"more than tensors.*weights_only=False"):
        fs.load_weights(fs.build(small()), tmp_path / "weights.pth")


# Refused


def assert_refused(model: ConvNet, weights, match: str, **options) -> None:
    """In one sentence, and nothing is changed."""
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with pytest.raises(fs.models.WeightsError, match=match) as error:
        fs.load_weights(model, weights, **options)
    assert "\n" not in str(error.value)
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


def test_a_missing_tensor_is_named():
    state = named_as_pycls(fs.build(small()))
    del state["s2.b2.f.c_bn.running_var"]
    assert_refused(fs.build(small()), state, r"lack s2\.b2\.f\.c_bn\.running_var, which is stage2\.block2\.norm3")


def test_a_tensor_left_over_is_named():
    state = named_as_pycls(fs.build(small(depths=[1, 3])))
    assert_refused(fs.build(small()), state, r"have s2\.b3\.f\.a\.weight and 17 more, for which AnyNet has no place")


def test_a_tensor_of_another_shape_is_named():
    state = named_as_pycls(fs.build(small(widths=[16, 32])))
    assert_refused(fs.build(small()), state, r"\(32, 16, 1, 1\) in s2\.b1\.f\.a\.weight, but \(24, 16")


def lazy(tensor: torch.Tensor) -> torch.Tensor:
    return nn.parameter.UninitializedParameter()


def nested(tensor: torch.Tensor) -> torch.Tensor:
    return torch.nested.nested_tensor([tensor, tensor])


def quantized(tensor: torch.Tensor) -> torch.Tensor:
    return torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)


def with_one(value: float):
    def changed(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.clone()
        tensor.flatten()[-1] = value
        return tensor

    return changed


@pytest.mark.parametrize("key", ["s1.b1.f.b_bn.weight", "head.fc.weight", "s2.b2.f.c_bn.running_var"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (torch.Tensor.to_sparse, r"is sparse or nested \(torch\.sparse_coo\); give its to_dense\(\)$"),
        (nested, r"is sparse or nested"),
        (quantized, r"is quantized \(torch\.qint8\); give its dequantize\(\)$"),
        (lambda tensor: tensor.to("meta"), r"holds no numbers; give tensors that were loaded on cpu or cuda$"),
        (lazy, r"holds no numbers"),
        (lambda tensor: tensor.to(torch.complex64), r"is of torch\.complex64, but must be of real numbers"),
        (lambda tensor: tensor > 0, r"is of torch\.bool, but must be of real numbers"),
        (with_one(float("nan")), r"has NaN or infinite numbers; give finite ones$"),
        (with_one(float("-inf")), r"has NaN or infinite numbers; give finite ones$"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*nested tensors.*", "ignore:.*quantize.*")
def test_a_tensor_without_real_numbers_is_named(key, change, said):
    """Wherever it stands: those before it are not loaded, either."""
    state = named_as_pycls(fs.build(small()))
    state[key] = change(state[key])
    assert_refused(fs.build(small()), state, rf"^load_weights: {re.escape(key)} {said}")


def test_a_variance_below_zero_is_named():
    state = named_as_pycls(fs.build(small()))
    state["stem.bn.running_var"][0] = -1e-3
    assert_refused(fs.build(small()), state, r"stem\.bn\.running_var has numbers below 0, but a variance has none")


def test_numbers_that_the_models_type_does_not_hold_are_named():
    state = named_as_pycls(fs.build(small()))
    state["head.fc.bias"][3] = 1e6
    assert_refused(
        fs.build(small()).half(), state, r"head\.fc\.bias has numbers too large for the model's torch\.float16"
    )
    assert fs.load_weights(fs.build(small()), state).head.linear.bias[3] == 1e6


def test_counters_may_be_of_any_real_type():
    state = {key: each.half() for key, each in named_as_pycls(fs.build(small())).items()}
    assert fs.load_weights(fs.build(small()), state).stem.norm.num_batches_tracked.dtype == torch.int64
    state["stem.bn.num_batches_tracked"] = torch.tensor(float("nan"))
    assert_refused(fs.build(small()), state, r"stem\.bn\.num_batches_tracked has NaN or infinite numbers")


def test_a_model_made_for_inference_alone_is_loaded():
    source = fs.build(small())
    with torch.inference_mode():
        model = fs.build(small())
    assert_holds(fs.load_weights(model, source), source)


def test_other_classes_are_refused_with_the_way_out():
    state = named_as_pycls(fs.build(small(classes=7)))
    assert_refused(fs.build(small()), state, r"\(7, 24\) in head\.fc\.weight.*classifier=False")


def test_a_layer_that_the_source_cannot_have_is_named():
    state = named_as_torchvision(fs.build(small(block="mbconv", bottlenecks=4, se_ratio=0.25, head_width=32)))
    assert_refused(fs.build(small()), state, r"EfficientNet has no place for stage1\.block1\.shortcut\.conv\.weight")


def test_an_activation_that_the_names_do_not_show_is_refused():
    shapes = listed("timm_regnetz_005")["shapes"]
    state = tensors({key: shape for key, shape in shapes.items() if not key.startswith("final_conv")})
    assert_refused(
        fs.build(with_head("RegNetZ-500MF", 0)), state, "activation after the last block.*but RegNetZ-500MF has none"
    )


def test_unknown_names_are_refused():
    assert_refused(fs.build(small()), nn.Linear(2, 2), r"first: weight\) are those of none of fastscale, timm's")
    assert_refused(fs.build(small()), {}, r"first: none at all")


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        (7, "a value of type int is no state dict"),
        ({"stem.norm.weight": 1.0}, "'stem.norm.weight' is a value of type float"),
        ("absent.pth", "absent.pth: No such file"),
        ("weights.safetensors", "safetensors.torch.load_file"),
    ],
)
def test_what_is_no_state_dict_is_refused(weights, match):
    assert_refused(fs.build(small()), weights, match)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 torn", b"<!DOCTYPE html>"])
def test_what_is_no_file_of_weights_is_refused(tmp_path, content):
    (tmp_path / "weights.pth").write_bytes(content)
    assert_refused(fs.build(small()), tmp_path / "weights.pth", r"weights\.pth is no file that torch\.save wrote")


def test_what_is_no_network_here_is_refused():
    other: Any = nn.Linear(2, 2)
    with pytest.raises(fs.models.WeightsError, match="Linear is no network here"):
        fs.load_weights(other, {})
    with pytest.raises(fs.models.WeightsError, match="meta"):
        fs.load_weights(fs.build(small(), device="meta"), {})


@pytest.mark.parametrize("eps", [0, -1e-5, "1e-3", float("nan"), float("inf"), True])
def test_an_epsilon_is_above_zero(eps):
    assert_refused(fs.build(small()), fs.build(small()), "eps is .* but must be a number above 0", eps=eps)
