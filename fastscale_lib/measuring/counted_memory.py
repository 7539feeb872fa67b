"""The peak memory of a run, counted without a device: the bytes of the tensors alive."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .._common.device_kinds import CPU
from .._common.errors import first_line
from ..architectures.definition import Network, check_blocks
from ..architectures.operation_lists import flops_by_kind
from ..architectures.resolutions import Resolution, both_sides
from ..architectures.traced.module_family import Family
from ..architectures.traced.modules import image_channels
from ..architectures.zoo import network as named_network
from ..models.builder import build
from ..records.measurement import MeasureError, SettingError
from .running import Run, image_shape, runner_on
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
            channels, or those that a trace finds) to logits, which is left unchanged.
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
    if isinstance(network_or_module, Network | str):
        network = named_network(network_or_module, resolution=settings.resolution)
        check_blocks("build", network)
        settings = replace(settings, resolution=network.resolution)
        return _counted_network(replace(network, name="counted", scaling=None), settings)
    source, settings = _source(network_or_module, settings)
    assert settings.resolution is not None
    channels = image_channels(source, settings.resolution)
    try:
        return _counted(source, settings, channels)
    except Exception as error:
        height, width = both_sides(settings.resolution)
        raise MeasureError(
            f"peak_memory: the module does not take {settings.batch} × {channels} × {height} × {width} "
            f"images, or torch cannot follow it without data: {first_line(error)}",
            "failed",
        ) from error


def _counted(source: torch.nn.Module, settings: Settings, channels: int) -> PeakMemory:
    """Count a user's module, of which a copy runs as on a CPU."""
    with FakeTensorMode(), LiveTensors() as alive:
        module = _copied_without_data(source)
        params = alive.numbers([*module.parameters(), *module.buffers()])
        kind = next((each.dtype for each in module.parameters() if each.is_floating_point()), torch.float32)
        # The device that the tensors claim to be on decides nothing but the autocast.
        images = torch.empty(image_shape(settings, channels), dtype=kind, device=CPU.name)
        run = runner_on(images, module, settings)
        return _peak_of(alive, module, params, run, run)


@lru_cache(maxsize=4096)
def _counted_network(network: Network, settings: Settings) -> PeakMemory:
    """Count a network, which uses all of its parameters in a run."""
    module = build(network, device="meta")
    # Autocast takes no tensors on "meta", and attention has another kernel there than on a CPU.
    if settings.precision != "fp32" or "attention" in flops_by_kind(network):
        return _counted(module, settings, network.channels)
    with LiveTensors() as alive:
        params = alive.numbers([*module.parameters(), *module.buffers()])
        images = torch.empty(image_shape(settings, network.channels), device="meta")
        run = runner_on(images, module, settings)

        def first_step() -> None:
            """Make the momenta, as a whole step would."""
            assert run.optimizer is not None  # of a run in training
            for each in module.parameters():
                each.grad = torch.empty_like(each)
            run.optimizer.step()

        return _peak_of(alive, module, params, run, first_step)


def _peak_of(
    alive: LiveTensors, module: torch.nn.Module, params: set[int], run: Run, first: Callable[[], None]
) -> PeakMemory:
    """Count a forward pass, or the training step after a first one."""
    given = set(alive.sizes)
    if run.optimizer is None:
        run()
        return _parts(alive, params, set(), set())
    first()
    gradients = alive.numbers(each.grad for each in module.parameters())
    momenta = set(alive.sizes) - given - gradients
    alive.restart()
    run()
    gradients |= alive.numbers(each.grad for each in module.parameters())
    return _parts(alive, params, gradients, momenta)


def _source(module: Any, settings: Settings) -> tuple[torch.nn.Module, Settings]:
    """Return the module, and the settings with a resolution."""
    if isinstance(module, torch.nn.Module):
        if settings.resolution is None:
            raise SettingError("resolution is None, but a module does not tell its own; try resolution=224")
        return module, settings
    if isinstance(module, Family):
        family = module.at(settings.resolution)
        return family.module("meta"), replace(settings, resolution=family.resolution)
    kind = type(module).__name__
    raise SettingError(f"cannot count the memory of a {kind}; give a Network, its name, a Family, or a torch module")


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


class LiveTensors(TorchDispatchMode):
    """Count the storages that torch makes within this context, until they are freed.

    Views share a storage, and in-place operations make none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[int, int] = {}  # bytes of each storage alive, by its number
        self._known: dict[int, tuple[weakref.ref, int]] = {}  # by id(storage), which is used again once it is freed
        self._made = 0
        self._total = 0
        self.restart()

    def restart(self) -> None:
        """Forget the peak, the largest sum of sizes, and look for it again from what is alive now."""
        self.peak, self.at_peak = self._total, dict(self.sizes)

    def numbers(self, tensors: Iterable[torch.Tensor | None]) -> set[int]:
        """Return the numbers of the tensors' storages; those not yet known count from now on."""
        return {self._number(each) for each in tensors if each is not None}

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self._number(result)
        elif isinstance(result, tuple | list):  # many calls return neither, as those that ask for a device
            self.numbers(each for each in tree_leaves(result) if isinstance(each, torch.Tensor))
        return result

    def _number(self, tensor: torch.Tensor) -> int:
        storage = tensor.untyped_storage()
        key = id(storage)
        if key in self._known:
            return self._known[key][1]
        self._made += 1
        number, size = self._made, storage.nbytes()

        def freed(_: weakref.ref) -> None:
            del self._known[key], self.sizes[number]
            self._total -= size

        self._known[key] = weakref.ref(storage, freed), number
        self.sizes[number] = size
        self._total += size
        if self._total > self.peak:
            self.peak, self.at_peak = self._total, dict(self.sizes)
        return number
