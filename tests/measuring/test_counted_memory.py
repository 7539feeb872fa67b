"""Counted memory: by hand, in proportion to the batch, and as torch's profiler sees real runs allocate."""

from typing import Any, cast

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

import fastscale_lib as fs
from fastscale_lib.architectures.resolutions import pixels
from fastscale_lib.measuring.counted_memory import peak_memory
from fastscale_lib.measuring.device_finder import find_device
from fastscale_lib.measuring.running import prepare, runner
from fastscale_lib.measuring.settings import Settings

KINDS = {
    "bottleneck": {"block": "res_bottleneck_block", "group_widths": 8, "se_ratio": 0.25},
    "basic": {"block": "res_basic_block"},
    "vanilla": {"block": "vanilla_block"},
    "stride on the 1×1": {"block": "res_bottleneck_stride_1x1_block", "group_widths": 8},
    "mbconv": {"block": "mbconv", "bottlenecks": 6, "se_ratio": 0.25, "activation": "silu"},
    "linear bottleneck": {"block": "res_bottleneck_linear_block", "bottlenecks": 4, "group_widths": 8},
}
SMALL = {
    name: fs.anynet(
        **{"name": name, "depths": [2, 1], "widths": [32, 64], "strides": [1, 2], "stem_width": 32},
        **{"resolution": 32, "classes": 10},
        **kind,
    )
    for name, kind in KINDS.items()
}
each_network = pytest.mark.parametrize("network", SMALL.values(), ids=SMALL)
each_mode = pytest.mark.parametrize("mode", ["inference", "training"])


# By hand


def one_convolution() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1, bias=False), torch.nn.Flatten())


def test_a_convolution_holds_its_weights_its_images_and_its_output():
    found = peak_memory(one_convolution(), batch=5, resolution=10)
    assert found == (found.peak_bytes, 4 * 3 * 8, 0, 0, 4 * 5 * 100 * (3 + 8))
    assert found.peak_bytes == sum(found[1:])


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
def test_a_module_has_images_of_its_own_channels_and_type(channels, kind):
    module = torch.nn.Sequential(torch.nn.Conv2d(channels, 8, 1, bias=False), torch.nn.Flatten())
    found = peak_memory(module.to(kind), batch=2, resolution=16)
    assert found.peak_bytes == kind.itemsize * (8 * channels + 2 * 256 * (channels + 8))
    family = fs.family(lambda w: torch.nn.Conv2d(channels, w(8), 1, bias=False).to(kind), resolution=16)
    assert peak_memory(family, batch=2) == found


def test_in_bf16_a_convolution_holds_copies_of_its_weights_and_images():
    found = peak_memory(one_convolution(), batch=5, precision="bf16", resolution=10)
    copies = 2 * (3 * 8 + 5 * 100 * 3)
    assert found.params_bytes == 4 * 3 * 8
    assert found.activations_bytes == 4 * 5 * 100 * 3 + copies + 2 * 5 * 100 * 8
    assert found == peak_memory(one_convolution(), batch=5, precision="fp16", resolution=10)


def test_training_holds_weights_gradients_and_momenta_of_one_size():
    """The layer is so wide that the peak is the end of the backward pass, or the step after it."""
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64 * 64, 100))
    weights = sum(each.numel() for each in module.parameters())
    found = peak_memory(module, batch=2, mode="training", resolution=64)
    assert (found.params_bytes, found.gradients_bytes, found.momenta_bytes) == (4 * weights,) * 3
    assert 4 * 2 * 3 * 64 * 64 <= found.activations_bytes < 4 * 2 * 3 * 64 * 64 + 5000


# Properties


@each_mode
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_not_the_params_grows_in_proportion_to_the_batch(mode, precision):
    two, four, six = (peak_memory(SMALL["mbconv"], batch, mode, precision) for batch in (64, 128, 192))
    assert six.peak_bytes - four.peak_bytes == pytest.approx(four.peak_bytes - two.peak_bytes, rel=1e-3)
    assert two.params_bytes == six.params_bytes
    assert two.momenta_bytes == six.momenta_bytes


@each_network
def test_a_network_its_module_and_the_fake_one_need_the_same(network):
    module = fs.build(network)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    for mode in ("inference", "training"):
        assert peak_memory(module, 8, mode, resolution=32) == peak_memory(network, 8, mode)
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(each.grad is None for each in module.parameters())


def test_attention_is_counted_with_the_kernel_of_a_cpu():
    """A user's module runs as on a CPU; on "meta" the weights of all tokens would be kept."""
    module = fs.build("DeiT-Ti", "meta")
    assert peak_memory("DeiT-Ti", 2, "training") == peak_memory(module, 2, "training", resolution=224)


@each_network
def test_bf16_needs_less_and_training_more(network):
    fp32, bf16 = (peak_memory(network, 64, "training", precision) for precision in ("fp32", "bf16"))
    assert 0.4 < bf16.peak_bytes / fp32.peak_bytes < 0.8
    assert peak_memory(network, 64).peak_bytes < bf16.peak_bytes


def test_params_are_those_counted_and_the_running_statistics_beside_them():
    network = fs.network("RegNetX-200MF")
    module = fs.build(network, "meta")
    buffers = sum(each.numel() * each.element_size() for each in module.buffers())
    assert peak_memory(network, 2).params_bytes == 4 * fs.complexity(network).params + buffers
    assert peak_memory(network, 64, "training").momenta_bytes == 4 * fs.complexity(network).params


# Against real runs on this CPU


@each_mode
@each_network
def test_the_profiler_sees_a_real_run_allocate_as_much(network, mode):
    """Never less; of dense 3×3 convolutions, trained, 3 % more, which is a copy in a layout of oneDNN's."""
    counted = peak_memory(network, 16, mode).peak_bytes
    assert 0.995 * counted <= profiled(network, 16, mode) <= 1.04 * counted


def profiled(network: fs.Network, batch: int, mode: fs.measuring.Mode) -> int:
    """Return the peak of the bytes that torch's profiler sees held in one run, without oneDNN's own."""
    module, settings, _, channels = prepare(
        network, Settings(batch, mode, "fp32", "cpu", channels_last=False), find_device("cpu")
    )
    assert settings.resolution is not None
    run = runner(module, settings, find_device("cpu"), channels)
    run()
    params = sum(each.nbytes for each in module.parameters())
    held = params + sum(each.nbytes for each in module.buffers()) + batch * channels * pixels(settings.resolution) * 4
    held += (params + batch * 8) if mode == "training" else 0  # momenta, labels
    for each in module.parameters():
        each.grad = None
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    profiler: Any = seen.profiler
    events = sorted(allocations(profiler.kineto_results.experimental_event_tree(), None), key=lambda e: e[0])
    return held + peak(events)


def allocations(nodes, convolution):
    """Yield each allocation (bytes > 0) and free (< 0): time, place, bytes, and the convolution it is in."""
    for node in nodes:
        fields = node.extra_fields
        if hasattr(fields, "alloc_size"):
            yield node.start_time_ns, fields.ptr, fields.alloc_size, convolution
        inner = node.start_time_ns if "conv" in node.name and convolution is None else convolution
        yield from allocations(node.children, inner)


def peak(events) -> int:
    """Return the largest sum of the bytes held, without what a convolution both takes and frees: oneDNN's own."""
    taken, scratch = {}, set()
    for number, (_, place, size, convolution) in enumerate(events):
        if size > 0:
            taken[place] = number, convolution
        elif place in taken:
            first, within = taken.pop(place)
            if within is not None and within == convolution:
                scratch |= {first, number}
    total = highest = 0
    for number, (_, _, size, _) in enumerate(events):
        total += 0 if number in scratch else size
        highest = max(highest, total)
    return highest


# Refusals


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"batch": 0}, "batch is 0"),
        ({"mode": "test"}, "one of inference, training; try inference"),
        ({"precision": "int8"}, "one of fp32, bf16, fp16"),
    ],
)
def test_a_wrong_setting_is_refused_in_a_sentence(asked, said):
    with pytest.raises(fs.records.MeasureError, match=said):
        peak_memory("ResNet-50", **asked)


def test_a_module_does_not_tell_its_resolution():
    with pytest.raises(fs.records.MeasureError, match="try resolution=224"):
        peak_memory(one_convolution())
    with pytest.raises(fs.records.MeasureError, match="cannot count the memory of a int"):
        peak_memory(cast(Any, 3))
