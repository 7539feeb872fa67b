"""How long one network takes on one device: warm-up, blocks of runs, the median and its 95 % interval.

Importing this loads no torch; measuring does. To keep torch out of a process, measure in a `worker.Worker`.
"""

from __future__ import annotations

import contextlib
import math
import numbers
import platform
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .build import build
from .measurement import MeasureError, Measurement, SettingError, median_interval, whole
from .networks import Network
from .zoo import network as named_network

if TYPE_CHECKING:
    import torch

MODES = ("inference", "training")
PRECISIONS = ("fp32", "bf16", "fp16")

Progress = Callable[[str, float], None]

_WINDOW_S = 0.05  # warm-up goes by windows of at least this
_STEADY = 0.03  # two windows in a row that agree this well end the warm-up
_WARM_RUNS = 3  # at least, the first included
_WARM_SHARE = 0.25  # of the budget, at most
# Long for the clock (some 40,000 steps of CUDA's, 0.5 µs; a CPU's is finer), and on a CPU no longer: a short block
# is mostly free of other processes' turns, so that the median leaves them out.
_BLOCK_S = {"cuda": 0.02, "cpu": 0.002}
_TIMED_S = 0.25  # the interval is not looked at before
# Each look at the interval is one more chance to stop on a lucky one. A look at every block from the 6th on
# covers the median of normal noise in 92 to 94 % of simulated measurements; these rarer looks, in 94 to 96 %.
_FIRST_LOOK = 12
_LOOK_GROWTH = 1.25


def measure(
    network_or_module: Network | str | torch.nn.Module,
    batch: int = 64,
    mode: str = "inference",
    precision: str = "fp32",
    device: str | torch.device | None = None,
    channels_last: bool = True,
    compile: bool = False,
    resolution: int | None = None,
    interval: float = 0.01,
    seconds: float = 10.0,
    progress: Progress | None = None,
    tf32: bool = False,
) -> Measurement:
    """Time a network on random images.

    Arguments:
        network_or_module: a `Network`, the name of a base network, or a torch module from images (3 channels) to
            logits. A module is moved to the device and, in training, trained: its weights change.
        batch: images in a run.
        mode: "inference" (a forward pass) or "training" (forward, cross-entropy with random labels, backward,
            SGD step with momentum).
        precision: "fp32", or "bf16" or "fp16" by autocast (weights stay fp32); fp16 on GPUs only.
        device: "cpu", "cuda" or "cuda:N"; left out: the GPU where there is one.
        channels_last: the memory layout of images and weights.
        compile: time the module as torch.compile makes it; compilation is not timed.
        resolution: side of the images in pixels; left out: the network's own (a module has none).
        interval: stop when the 95 % interval lies within this fraction of the median ...
        seconds: ... or when this time is spent. It runs from the end of the first run, so that building and
            compiling do not count; a first run, a warm-up run and a timed block are always made.
        progress: called between blocks with the phase ("building", "warm-up", "timing") and the fraction of
            `seconds` that is spent.
        tf32: let a GPU round fp32 products to TF32. Off, unlike in PyTorch, whose convolutions do by default.

    Raises:
        NetworkError: the name is not that of a base network.
        SettingError: (a ValueError) a setting is wrong or the device is not there.
        MeasureError: with reason "out of memory", or "failed" where torch.compile fails.
    """
    source = named_network(network_or_module) if isinstance(network_or_module, str) else network_or_module
    settings = _Settings(
        batch, mode, precision, channels_last, compile, resolution, interval, seconds, tf32, str(device or "")
    )
    try:
        return _measure(source, settings, progress or _quiet)
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
    # Out of the handler, so that no traceback keeps the tensors of the failed run alive.
    _forget(settings)
    raise MeasureError(_memory_sentence(source, settings), "out of memory")


def devices() -> dict[str, str]:
    """The devices here that `measure` accepts, by their torch name, with the names people know them by."""
    import torch

    threads = torch.get_num_threads()
    found = {"cpu": f"{_cpu_name()} ({threads} thread{'s' if threads > 1 else ''})"}
    for index in range(torch.cuda.device_count()):
        found[f"cuda:{index}"] = torch.cuda.get_device_name(index)
    return found


@dataclass(frozen=True)
class _Settings:
    """What was asked for, checked as far as that goes without torch."""

    batch: int
    mode: str
    precision: str
    channels_last: bool
    compile: bool
    resolution: int | None
    interval: float
    seconds: float
    tf32: bool
    device: str

    def __post_init__(self):
        object.__setattr__(self, "batch", whole("batch", self.batch))
        if self.resolution is not None:
            object.__setattr__(self, "resolution", whole("resolution", self.resolution))
        _known("mode", self.mode, MODES)
        _known("precision", self.precision, PRECISIONS)
        for name in ("interval", "seconds"):
            _positive(name, getattr(self, name))
        for name in ("channels_last", "compile", "tf32"):
            if getattr(self, name) not in (True, False):
                raise SettingError(f"{name} is {getattr(self, name)!r}, but must be True or False; try {name}=True")
            object.__setattr__(self, name, bool(getattr(self, name)))


def _known(name: str, value: Any, known: Sequence[str]) -> None:
    if value not in known:
        raise SettingError(f"{name} is {value!r}, but must be one of {', '.join(known)}; try {name}={known[0]!r}")


def _positive(name: str, value: Any) -> None:
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (number and 0 < value < math.inf):
        raise SettingError(f"{name} is {value!r}, but must be a number above 0; leave it out for the usual one")


def _device(settings: _Settings) -> torch.device:
    """The device asked for, or a refusal: no other device stands in for it."""
    import torch

    count, asked = torch.cuda.device_count(), settings.device
    here = ", ".join(["cpu", *(f"cuda:{index}" for index in range(count))])
    try:
        device = torch.device(asked or ("cuda" if count else "cpu"))
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise SettingError(f"device is {asked!r}, but must be 'cpu', 'cuda' or 'cuda:N'; here there are: {here}")
    if device.type == "cpu":
        _check_cpu_precision(settings.precision)
        return torch.device("cpu")
    index = device.index if device.index is not None else torch.cuda.current_device() if count else 0
    if index >= count:
        raise SettingError(
            f"device is {asked!r}, but must be a device that torch finds here; try one of: {here} "
            f"(torch {torch.__version__} finds {count} CUDA devices)"
        )
    return torch.device("cuda", index)


def _check_cpu_precision(precision: str) -> None:
    # torch accepts fp16 autocast on a CPU, but without fp16 units converts back and forth: on an AMD EPYC two
    # convolutions took 4 (inference) and 20 (training) times fp32's time. That number would be of no use.
    if precision == "fp16":
        raise SettingError("precision is 'fp16', but a CPU is measured in fp32 or bf16; try precision='bf16'")


def _measure(source: Any, settings: _Settings, progress: Progress) -> Measurement:
    """`measure`, but for memory running out."""
    device = _device(settings)
    progress("building", 0.0)
    with _flags(settings.tf32) as flags, _on(device):
        module, settings, name, channels = _module(source, settings, device)
        was_training = module.training
        try:
            run = _runner(module, settings, device, channels)
            blocks, n, peak = _time(run, settings, device, progress)
        finally:
            module.train(was_training)
    return _record(name, settings, device, flags, blocks, n, peak)


@contextlib.contextmanager
def _flags(tf32: bool) -> Iterator[tuple[bool, bool]]:
    """TF32 and cuDNN's autotuner as a measurement wants them, and afterwards as they were; gives (TF32, autotuner).

    Set by PyTorch's older switches, which keep all of its own views of TF32 consistent (torch.compile reads the
    old ones); saved and restored by the newer, as reading the old ones fails after somebody has set the new.
    """
    from torch import backends, get_float32_matmul_precision, set_float32_matmul_precision

    parts = (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn, backends.mkldnn.matmul)
    saved = [part.fp32_precision for part in parts]
    benchmark, matmul = backends.cudnn.benchmark, None
    with contextlib.suppress(RuntimeError):
        matmul = get_float32_matmul_precision()
    try:
        backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = tf32
        backends.cudnn.benchmark = True
        yield backends.cudnn.conv.fp32_precision == "tf32", backends.cudnn.benchmark
    finally:
        backends.cudnn.benchmark = benchmark
        if matmul is not None:
            set_float32_matmul_precision(matmul)
        for part, value in zip(parts, saved, strict=True):
            part.fp32_precision = value


def _on(device: torch.device) -> contextlib.AbstractContextManager:
    """Makes the device current: CUDA events are recorded on the current device's stream."""
    import torch

    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def _module(source: Any, settings: _Settings, device: torch.device) -> tuple[Any, _Settings, str, int]:
    """The module on its device, the settings with the resolution known, the name, the channels of the images."""
    import torch

    if isinstance(source, Network):
        network = replace(source, resolution=settings.resolution or source.resolution)
        module, name, channels = build(network, device=device), network.name, network.channels
        settings = replace(settings, resolution=network.resolution)
    elif isinstance(source, torch.nn.Module):
        module, name, channels = source.to(device), type(source).__name__, 3
    else:
        raise SettingError(f"cannot measure a {type(source).__name__}; give a Network or a torch module")
    if settings.resolution is None:
        raise SettingError("resolution is None, but a module does not tell its own; try resolution=224")
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    return module.to(memory_format=layout), settings, name, channels


def _runner(module: Any, settings: _Settings, device: torch.device, channels: int) -> Callable[[], None]:
    """What is timed: a function that makes one run."""
    import torch

    generator = torch.Generator(device).manual_seed(0)
    shape = (settings.batch, channels, settings.resolution, settings.resolution)
    images = torch.randn(shape, generator=generator, device=device)
    if settings.channels_last:
        images = images.to(memory_format=torch.channels_last)
    if settings.mode == "inference":
        return _inference(module, settings, images)
    return _training(module, settings, images, generator)


def _inference(module: Any, settings: _Settings, images: torch.Tensor) -> Callable[[], None]:
    import torch

    forward = _forward(module.eval(), settings)
    autocast = _autocast(settings, images)

    def run() -> None:
        with torch.inference_mode(), autocast():
            forward(images)

    return run


def _training(module: Any, settings: _Settings, images: torch.Tensor, generator: torch.Generator) -> Callable[[], None]:
    import torch

    classes = _classes(module, images)
    labels = torch.randint(classes, (settings.batch,), generator=generator, device=images.device)
    forward = _forward(module.train(), settings)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.001, momentum=0.9)
    scaler = torch.amp.GradScaler(images.device.type, enabled=settings.precision == "fp16")
    autocast = _autocast(settings, images)

    def run() -> None:
        optimizer.zero_grad(set_to_none=True)
        with autocast():
            loss = torch.nn.functional.cross_entropy(forward(images), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return run


def _forward(module: Any, settings: _Settings) -> Callable:
    import torch

    if not settings.compile:
        return module
    # Networks share their forward code. Without this, the ninth one would meet torch.compile's limit of
    # versions per code and run uncompiled, and the second batch size would be compiled for any size.
    torch._dynamo.reset()
    return torch.compile(module, dynamic=False)


def _autocast(settings: _Settings, images: torch.Tensor) -> Callable[[], torch.autocast]:
    import torch

    # fp32 is said, not left out: an autocast around `measure` must not reach in.
    kind = torch.float16 if settings.precision == "fp16" else torch.bfloat16
    return partial(torch.autocast, images.device.type, dtype=kind, enabled=settings.precision != "fp32")


def _classes(module: Any, images: torch.Tensor) -> int:
    """How many logits the module gives; asked with one image and no gradients."""
    import torch

    with torch.inference_mode():
        logits = module.eval()(images[:1])
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2:
        raise SettingError("the module does not give logits (images × classes), so it cannot be trained here")
    return logits.shape[1]


def _time(
    run: Callable[[], None], settings: _Settings, device: torch.device, progress: Progress
) -> tuple[list[float], int, int | None]:
    """Seconds a run, one for each block; runs in a block; bytes at the peak."""
    import torch

    timer = partial(_cuda_seconds if device.type == "cuda" else _cpu_seconds, run)
    progress("warm-up", 0.0)
    run_s = _first_run(timer, settings)
    began = time.perf_counter()

    def spent(phase: str) -> float:
        share = min(1.0, (time.perf_counter() - began) / settings.seconds)
        progress(phase, share)
        return share

    run_s = _warm_up(timer, run_s, spent)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    n = max(1, math.ceil(_BLOCK_S[device.type] / run_s))
    first_look = max(_FIRST_LOOK, math.ceil(_TIMED_S / (n * run_s)))
    blocks = _blocks(timer, n, first_look, settings.interval, spent)
    return blocks, n, torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def _cpu_seconds(run: Callable[[], None], n: int) -> float:
    """Seconds a run, of n runs timed together."""
    began = time.perf_counter_ns()
    for _ in range(n):
        run()
    return (time.perf_counter_ns() - began) / 1e9 / n


def _cuda_seconds(run: Callable[[], None], n: int) -> float:
    """Seconds a run, of n runs timed together by the GPU's own clock."""
    import torch

    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    begin.record()
    for _ in range(n):
        run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3 / n


def _first_run(timer: Callable[[int], float], settings: _Settings) -> float:
    """The run in which everything is compiled, tuned and allocated; its failures are the settings' or the memory's."""
    try:
        return timer(1)
    except Exception as error:
        if not settings.compile or _is_out_of_memory(error):
            raise
        raise MeasureError(f"torch.compile failed: {one_line(error)}; try compile=False") from error


def _warm_up(timer: Callable[[int], float], run_s: float, spent: Callable[[str], float]) -> float:
    """Run until two windows in a row agree, or for a share of the budget; the seconds a run takes in the last."""
    runs = 1
    while True:
        n = max(1, math.ceil(_WINDOW_S / run_s))
        before, run_s = run_s, timer(n)
        runs += n
        steady = runs >= _WARM_RUNS and abs(run_s - before) <= _STEADY * run_s
        if spent("warm-up") >= _WARM_SHARE or steady:
            return run_s


def _blocks(
    timer: Callable[[int], float], n: int, look: int, interval: float, spent: Callable[[str], float]
) -> list[float]:
    """Time blocks of n runs until the interval is as narrow as asked, or the budget is spent; look first at `look`."""
    times = []
    while True:
        times.append(timer(n))
        if len(times) >= look:
            if _half_width(times) <= interval:
                return times
            look = math.ceil(look * _LOOK_GROWTH)
        if spent("timing") >= 1:
            return times


def _half_width(times: Sequence[float]) -> float:
    """The larger side of the median's interval, as a fraction of the median."""
    (low, high), median = median_interval(times), float(np.median(times))
    return max(high - median, median - low) / median


def _record(
    name: str,
    settings: _Settings,
    device: torch.device,
    flags: tuple[bool, bool],
    blocks: list[float],
    n: int,
    peak: int | None,
) -> Measurement:
    low, high = median_interval(blocks)
    q1, median, q3 = (float(value) for value in np.quantile(blocks, (0.25, 0.5, 0.75)))
    half_width = _half_width(blocks) if len(blocks) > 1 else None  # one block tells nothing of its spread
    asked = ("batch", "mode", "precision", "channels_last", "compile", "resolution")
    return Measurement(
        network=name,
        **{key: getattr(settings, key) for key in asked},
        median_ms=median * 1e3,
        low_ms=low * 1e3,
        high_ms=high * 1e3,
        q1_ms=q1 * 1e3,
        q3_ms=q3 * 1e3,
        half_width=half_width,
        converged=len(blocks) >= 6 and half_width <= settings.interval,
        runs=n * len(blocks),
        blocks=len(blocks),
        images_per_s=settings.batch / median,
        peak_memory_bytes=peak,
        **_surroundings(device, flags),
    )


def _surroundings(device: torch.device, flags: tuple[bool, bool]) -> dict[str, Any]:
    """The part of the record that is about the machine."""
    import torch

    from . import __version__  # which is set after the package's rooms are imported

    gpu = device.type == "cuda"
    cudnn = torch.backends.cudnn.version() if gpu else None
    return {
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if gpu else _cpu_name(),
        "threads": torch.get_num_threads(),
        "tf32": gpu and flags[0],
        "cudnn_benchmark": gpu and flags[1],
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": None if cudnn is None else str(cudnn),
        "driver": _driver() if gpu else None,
        "library": __version__,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def _cpu_name() -> str:
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine() or "CPU"


def _driver() -> str | None:
    """NVIDIA's driver version, where Linux tells it."""
    with contextlib.suppress(OSError):
        text = Path("/proc/driver/nvidia/version").read_text()
        found = re.search(r"\s(\d{3,}\.\d+(?:\.\d+)?)\s", text)
        return found[1] if found else None
    return None


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out: torch has an own error for it on GPUs, and none on CPUs or inside cuDNN and cuBLAS."""
    signs = ("out of memory", "can't allocate memory", "ALLOC_FAILED", "Storage size calculation overflowed")
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)


def _memory_sentence(source: Any, settings: _Settings) -> str:
    name = source.name if isinstance(source, Network) else type(source).__name__
    remedy = f"batch={settings.batch // 2}" if settings.batch > 1 else "a lower resolution"
    return f"{name}: memory ran out on {_device(settings)} in {settings.mode} with batch {settings.batch}; try {remedy}"


def _forget(settings: _Settings) -> None:
    """Give the failed run's memory back to the GPU, for the next measurement."""
    import torch

    if _device(settings).type == "cuda":
        torch.cuda.empty_cache()


def one_line(error: BaseException) -> str:
    """The first line that an error says, with its kind."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _quiet(phase: str, fraction: float) -> None:
    """The progress of those who do not ask for it."""
