"""The peak memory of a run, counted without a device: the bytes of the tensors alive."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from .._common.device_kinds import CPU
from .._common.errors import first_line
from ..architectures.definition import Network
from ..architectures.resolutions import Resolution, both_sides
from ..architectures.traced.module_family import Family
from ..architectures.zoo import network as named_network
from ..models.builder import build
from ..records.measurement import MeasureError, SettingError
from .device_finder import find_device
from .live_tensors import LiveTensors
from .running import runner
from .settings import Mode, Precision, Settings


class PeakMemory(NamedTuple):
    """Bytes of the tensors alive when a run holds the most.

    Attributes:
        peak_bytes: of all tensors; the sum of the four below.
        params_bytes: of weights, biases, and BN's running statistics.
        gradients_bytes: of the parameters' gradients that exist at that moment.
        momenta_bytes: of the optimizer.
        activations_bytes: of everything else: outputs of layers, their gradients, copies in another precision, images
            and labels.
    """

    peak_bytes: int
    params_bytes: int
    gradients_bytes: int
    momenta_bytes: int
    activations_bytes: int

    def __str__(self) -> str:
        parts = (f"{name.removesuffix('_bytes')} {value / 1e6:,.1f} MB" for name, value in self._asdict().items())
        return ", ".join(parts)


def peak_memory(
    network_or_module: Network | str | Family | torch.nn.Module,
    batch: int = 64,
    mode: Mode = "inference",
    precision: Precision = "fp32",
    resolution: Resolution | None = None,
) -> PeakMemory:
    """Count the most bytes of tensors alive at a time in the run that `measure` times.

    Nothing is computed and no device is needed: torch passes tensors without data through the forward pass, or a
    second training step (the first one makes the momenta), and each is counted from when it is made until it is
    freed. The result is the same on every machine.

    On a GPU, `peak_memory_bytes` of a measurement is higher: it includes the workspaces of convolution algorithms, and
    rounds each tensor up to 512 bytes. Neither includes what the allocator reserves beyond, or the device's context.
    torch.compile, which keeps fewer tensors, is not counted.

    Arguments:
        network_or_module: a `Network`, the name of a base network, a `Family`, or a torch module from images (3
            channels) to logits, which is left unchanged.
        batch: images in a run; default: 64.
        mode: as for `measure`; default: "inference".
        precision: as for `measure`; default: "fp32". fp16 is counted as bf16, of the same size.
        resolution: side of the images in pixels, or (height, width); default: the network's or family's own (a
            module has none).

    Returns:
        Bytes of all tensors at the peak, and of its parts.

    Raises:
        NetworkError: the name is not that of a base network.
        SettingError: (a ValueError) a setting is wrong.
        MeasureError: a module does not take the images, or torch cannot follow its run without data.
    """
    settings = Settings(batch, mode, precision, resolution=resolution, channels_last=False)  # takes as much as True
    if settings.precision == "fp16":  # scaling the loss reads values, and there are none
        settings = replace(settings, precision="bf16")
    source, settings, channels = _source(network_or_module, settings)
    try:
        return _counted(source, settings, channels)
    except Exception as error:
        if isinstance(network_or_module, Network | str):
            raise
        height, width = both_sides(settings.resolution)
        raise MeasureError(
            f"peak_memory: the module does not take {settings.batch} × 3 × {height} × {width} "
            f"images, or torch cannot follow it without data: {first_line(error)}",
            "failed",
        ) from error


def _counted(source: torch.nn.Module, settings: Settings, channels: int) -> PeakMemory:
    with FakeTensorMode(), LiveTensors() as alive:
        module = _copied_without_data(source)
        params = alive.numbers([*module.parameters(), *module.buffers()])
        # The device that the tensors claim to be on decides nothing but the autocast.
        run = runner(module, settings, find_device(CPU.name), channels)
        given = set(alive.sizes)
        run()
        if settings.mode == "inference":
            return _parts(alive, params, set(), set())
        gradients = alive.numbers(each.grad for each in module.parameters())
        momenta = set(alive.sizes) - given - gradients
        alive.restart()
        run()
        gradients |= alive.numbers(each.grad for each in module.parameters())
        return _parts(alive, params, gradients, momenta)


def _source(network_or_module: Any, settings: Settings) -> tuple[torch.nn.Module, Settings, int]:
    """Return the module, the settings with a resolution, and the channels of the images."""
    if isinstance(network_or_module, torch.nn.Module):
        if settings.resolution is None:
            raise SettingError("resolution is None, but a module does not tell its own; try resolution=224")
        return network_or_module, settings, 3
    if isinstance(network_or_module, Family):
        family = network_or_module.at(settings.resolution)
        return family.module("meta"), replace(settings, resolution=family.resolution), 3
    if not isinstance(network_or_module, Network | str):
        kind = type(network_or_module).__name__
        raise SettingError(
            f"cannot count the memory of a {kind}; give a Network, its name, a Family, or a torch module"
        )
    network = named_network(network_or_module, resolution=settings.resolution)
    settings = replace(settings, resolution=network.resolution)
    return build(network, device="meta"), settings, network.channels


def _copied_without_data(module: torch.nn.Module) -> torch.nn.Module:
    copies: dict[int, Any] = {}  # what deepcopy takes for copied already
    for each in [*module.parameters(), *module.buffers()]:
        empty = torch.empty(each.shape, dtype=each.dtype, device=CPU.name)
        is_param = isinstance(each, torch.nn.Parameter)
        copies[id(each)] = torch.nn.Parameter(empty, each.requires_grad) if is_param else empty
    return copy.deepcopy(module, copies)


def _parts(alive: LiveTensors, params: set[int], gradients: set[int], momenta: set[int]) -> PeakMemory:
    kept, grads, moved = (
        sum(alive.at_peak.get(number, 0) for number in numbers) for numbers in (params, gradients, momenta)
    )
    return PeakMemory(alive.peak, kept, grads, moved, alive.peak - kept - grads - moved)
