"""From settings to a run: a module on its device, images, and the function called."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any, TypeVar

import torch
from torch import backends, get_float32_matmul_precision, nn, set_float32_matmul_precision

from ..architectures.definition import Network
from ..architectures.design_spaces import anynet
from ..architectures.resolutions import both_sides, size_text
from ..architectures.traced.module_family import Family
from ..architectures.traced.modules import image_channels
from ..models.builder import build
from ..models.modules import subsample
from ..records.measurement import MeasureError, SettingError
from .device_classes import Cpu, Device
from .device_finder import find_device
from .settings import Settings

Result = TypeVar("Result")

# Messages of torch: of BN, and of a convolution.
_ONE_VALUE = re.compile("more than 1 value per channel when training")
_CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels")
# Memory ran out. oneDNN names no cause: it made the algorithm (the "primitive descriptor"), but not its tables.
_ONEDNN = r"could not (create|execute) a primitive(?! descriptor)"
# Of cuDNN and cuBLAS: no memory for their handle or workspace.
_LIBRARIES = r"ALLOC_FAILED|ALLOCATION_FAILED|CUBLAS_STATUS_NOT_INITIALIZED|unable to find an engine to execute"
# Of torch, and of the C++ library.
_RAN_OUT = rf"out of memory|can't allocate memory|Storage size calculation overflowed|bad_alloc|{_LIBRARIES}|{_ONEDNN}"

# Run first, without a memory limit: torch loads some 100 MB for a first training step, which are not the network's.
_SMALL = anynet(name="small", depths=[1], widths=[32], group_widths=8, stem_width=32, resolution=32, classes=10)


class Run:
    """A forward pass of images, or a training step of images and labels, each time it is called.

    Attributes:
        optimizer: of the training step; None without one.
    """

    def __init__(
        self,
        step: Callable[..., None],
        images: torch.Tensor,
        labels: torch.Tensor | None = None,
        optimizer: torch.optim.Optimizer | None = None,
    ):
        self._step = step
        self._given = (images,) if labels is None else (images, labels)
        self.optimizer = optimizer

    def __call__(self) -> None:
        self._step(*self._given)

    def with_few_images(self) -> Run:
        """Return the same run with the first 2 images: as many layers, but next to no arithmetic."""
        images, *labels = (tensor[:2] for tensor in self._given)
        return Run(self._step, images, *labels[:1], optimizer=self.optimizer)


@contextlib.contextmanager
def flags(tf32: bool, benchmark_limit: int | None = None) -> Iterator[tuple[bool, bool]]:
    """Set TF32 and cuDNN's autotuner within the context; yield (TF32, autotuner).

    The autotuner tries `benchmark_limit` algorithms for each convolution; default: as many as torch lets it.

    PyTorch's older switches set them, which keep all of its own views of TF32 consistent (torch.compile reads these).
    The newer ones (from torch 2.9) save and restore them, as do the older, if they can be read: they cannot once the
    newer have been set.
    """
    newer = hasattr(backends.cudnn, "conv")
    names = ("cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul") if newer else ("cuda.matmul", "cudnn")
    parts = [attrgetter(name)(backends) for name in names]
    switch = "fp32_precision" if newer else "allow_tf32"
    saved = [getattr(part, switch) for part in parts]
    benchmark, matmul, cudnn = backends.cudnn.benchmark, None, None
    limit = backends.cudnn.benchmark_limit
    with contextlib.suppress(RuntimeError):
        matmul = get_float32_matmul_precision()
    with contextlib.suppress(RuntimeError):
        cudnn = backends.cudnn.allow_tf32
    try:
        backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = tf32
        backends.cudnn.benchmark = True
        if benchmark_limit is not None:
            backends.cudnn.benchmark_limit = benchmark_limit
        yield tf32, backends.cudnn.benchmark
    finally:
        backends.cudnn.benchmark = benchmark
        if benchmark_limit is not None:
            backends.cudnn.benchmark_limit = limit
        if matmul is not None:
            set_float32_matmul_precision(matmul)
        if cudnn is not None:
            backends.cudnn.allow_tf32 = cudnn
        for part, value in zip(parts, saved, strict=True):
            setattr(part, switch, value)


@contextlib.contextmanager
def with_threads(count: int | None) -> Iterator[None]:
    """Set torch's threads on the CPU within the context; None changes nothing."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def prepare(source: Any, settings: Settings, device: Device) -> tuple[Any, Settings, str, int]:
    """Return the module on its device, the settings with a resolution, name and channels."""
    if isinstance(source, Network):
        network = source.replace(resolution=settings.resolution or source.resolution)
        module, name = build(network, device=device.at), _name(network)
        channels = network.channels
        settings = replace(settings, resolution=network.resolution)
        if isinstance(device, Cpu) and settings.mode == "training" and settings.channels_last:
            subsample(module, widest=16)  # the backward pass of strided 1×1 convolutions may crash on a CPU
    elif isinstance(source, Family):
        family = source.at(settings.resolution)
        module, name = family.module(device.at).to(device.at), _name(family)
        settings = replace(settings, resolution=family.resolution)
    elif isinstance(source, nn.Module):
        module, name = source.to(device.at), _name(source)
    else:
        raise SettingError(f"cannot measure a {type(source).__name__}; give a Network, a Family or a torch module")
    if settings.resolution is None:
        raise SettingError("resolution is None, but a module does not tell its own; try resolution=224")
    if not isinstance(source, Network):
        _check_type(module, settings)
        channels = image_channels(module, settings.resolution)
    return _in_layout(module, settings), settings, name, channels


def _check_type(module: nn.Module, settings: Settings) -> None:
    """Refuse parameters that are not fp32 where the row would say fp32."""
    kind = next((each.dtype for each in module.parameters() if each.is_floating_point()), torch.float32)
    if settings.precision == "fp32" and kind != torch.float32:
        raise SettingError(
            f"precision is fp32, but the module's parameters are {str(kind).removeprefix('torch.')}; give "
            "module.float(), and precision='bf16' or 'fp16' to run it in these"
        )


def _in_layout(module: Any, settings: Settings) -> Any:  # torch does not type memory_format
    return module.to(memory_format=torch.channels_last if settings.channels_last else torch.contiguous_format)


def runner(module: nn.Module, settings: Settings, device: Device, channels: int) -> Run:
    """Make the run that is timed, on random images (and labels)."""
    generator = torch.Generator(device.at).manual_seed(0)
    images = torch.randn(image_shape(settings, channels), generator=generator, device=device.at)
    if settings.channels_last:
        images = images.to(memory_format=torch.channels_last)
    return runner_on(images, module, settings, generator)


def image_shape(settings: Settings, channels: int) -> tuple[int, ...]:
    """Return the shape of the images of a run."""
    assert settings.resolution is not None
    return (settings.batch, channels, *both_sides(settings.resolution))


def runner_on(
    images: torch.Tensor, module: nn.Module, settings: Settings, generator: torch.Generator | None = None
) -> Run:
    """Make the run on these images, where they are; on "meta", in fp32, nothing is computed."""
    if settings.mode == "inference":
        return _inference(module, settings, images)
    return _training(module, settings, images, generator)


def _inference(module: Any, settings: Settings, images: torch.Tensor) -> Run:
    forward = _forward(module.eval(), settings)
    autocast = _autocast(settings, images)

    def step(images: torch.Tensor) -> None:
        with torch.inference_mode(), autocast():
            forward(images)

    return Run(step, images)


def _training(module: Any, settings: Settings, images: torch.Tensor, generator: torch.Generator | None) -> Run:
    classes = _classes(module, images)
    labels = torch.randint(classes, (settings.batch,), generator=generator, device=images.device)
    forward = _forward(module.train(), settings)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.001, momentum=0.9)
    scaler = torch.amp.GradScaler(images.device.type, enabled=settings.precision == "fp16")
    autocast = _autocast(settings, images)

    def step(images: torch.Tensor, labels: torch.Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        with autocast():
            loss = torch.nn.functional.cross_entropy(forward(images), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return Run(step, images, labels, optimizer)


def _forward(module: Any, settings: Settings) -> Callable:
    if not settings.compile:
        return module
    # Networks share their forward code. Without this, the ninth would exceed torch.compile's limit of versions per
    # code and run uncompiled, and the second batch size would be compiled for any size.
    torch._dynamo.reset()
    return torch.compile(module, dynamic=False)


def _autocast(settings: Settings, images: torch.Tensor) -> Callable[[], contextlib.AbstractContextManager]:
    if images.is_meta and settings.precision == "fp32":
        return contextlib.nullcontext  # there is no autocast of tensors without data
    # In fp32 it is disabled, not absent: an autocast around `measure` must not reach in.
    kind = torch.float16 if settings.precision == "fp16" else torch.bfloat16
    return partial(torch.autocast, images.device.type, dtype=kind, enabled=settings.precision != "fp32")


def _classes(module: Any, images: torch.Tensor) -> int:
    """Count the logits that the module returns for one image."""
    with torch.inference_mode():
        logits = module.eval()(images[:1])
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2:
        raise SettingError("the module does not give logits (images × classes), so it cannot be trained here")
    return logits.shape[1]


def try_run(source: Network | Family, settings: Settings, memory_bytes: int | None = None) -> None:
    """Run twice, untimed, to see whether the network fits in memory (`Device.limited`).

    By the second training step gradients, the optimizer's momenta and the workspaces of tuned algorithms all exist.
    """
    device = find_device(settings.device, settings.precision)

    def run() -> None:
        with flags(settings.tf32), device.current():
            _run_twice(_SMALL, replace(settings, batch=2, resolution=None), device)
            with device.limited(memory_bytes):
                _run_twice(source, settings, device)

    try:
        within_memory(run, source, settings)
    except MeasureError as error:
        error.spoilt |= isinstance(device, Cpu)  # oneDNN may have been refused memory before torch was
        raise


def _run_twice(source: Network | Family, settings: Settings, device: Device) -> None:
    module, settings, _, channels = prepare(source, settings, device)
    run = runner(module, settings, device, channels)
    for _ in range(2):
        run()
    device.synchronize()


def within_memory(action: Callable[[], Result], source: Any, settings: Settings) -> Result:
    """Return what the action returns; if memory runs out, free it and raise a MeasureError.

    So are images that the module cannot take, as far as torch's message shows it.
    """
    try:
        return action()
    except (RuntimeError, ValueError, MemoryError) as error:
        if said := _unfit(error, source, settings):
            raise MeasureError(said) from error
        if not is_out_of_memory(error):
            raise
        spoilt = is_spoilt(error)
    # Outside the handler, so that no traceback keeps the tensors of the failed run alive.
    device = find_device(settings.device, settings.precision)
    device.free_cache()
    remedy = f"batch={settings.batch // 2}" if settings.batch > 1 else "a lower resolution"
    sentence = (
        f"{_name(source)}: memory ran out on {device} in {settings.mode} with batch {settings.batch}; try {remedy}"
    )
    raise MeasureError(sentence, "out of memory", spoilt)


def _unfit(error: BaseException, source: Any, settings: Settings) -> str | None:
    """Return the message for images that do not fit the module; None for any other error."""
    said = f"{error} {error.__cause__}"  # torch.compile's error has it in its cause
    if _ONE_VALUE.search(said):
        size = size_text(settings.resolution or source.resolution)
        return (
            f"{_name(source)}: with batch {settings.batch} and {size} pixels BN sees one value of a channel, "
            f"but training takes two or more; try batch={settings.batch + 1}, or a higher resolution"
        )
    if isinstance(source, Network) or not (found := _CHANNELS.search(said)):
        return None
    wanted, given = found.groups()
    if int(given) != 3:  # a fault within the module, not of its images
        return None
    return (
        f"{_name(source)}: a convolution takes {wanted} channels, but was given {given}; images have 3 where the "
        "first convolution that is registered tells it, or a trace of the module finds no other number"
    )


def _name(source: Any) -> str:
    return source.name if isinstance(source, Network | Family) else type(source).__name__


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether memory ran out; on CPUs and inside libraries only the message shows it."""
    return isinstance(error, MemoryError) or re.search(_RAN_OUT, str(error)) is not None


def is_spoilt(error: Exception) -> bool:
    """Tell whether the process cannot measure anything after this error.

    Once refused memory, oneDNN (torch 2.13) keeps refusing; so does cuBLAS once the GPU has failed for this process.
    """
    return re.search(rf"{_LIBRARIES}|{_ONEDNN}", str(error)) is not None
