"""One measurement: of a network in a subprocess, of a torch module here. Loads no torch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .._common.checks import shown
from .._common.errors import first_line
from ..architectures.definition import Network
from ..architectures.resolutions import Resolution
from ..architectures.traced.module_family import Family
from ..architectures.zoo import network as named_network
from ..records.measurement import MeasureError, Measurement, SettingError
from .settings import Mode, Precision, Progress, Settings, positive
from .worker import Worker

if TYPE_CHECKING:
    import torch


def measure(
    network_or_module: Network | str | Family | torch.nn.Module,
    batch: int = 64,
    mode: Mode = "inference",
    precision: Precision = "fp32",
    device: str | torch.device | None = None,
    channels_last: bool = True,
    compile: bool = False,
    resolution: Resolution | None = None,
    interval: float = 0.01,
    seconds: float = 10.0,
    progress: Progress | None = None,
    tf32: bool = False,
    threads: int | None = None,
    limit: float | None = None,
    cuda_graph: bool = False,
    cudnn_benchmark_limit: int | None = None,
) -> Measurement:
    """Time a network on random images, in a subprocess and with a time limit.

    So a network that hangs, crashes or runs out of memory does no harm here. The subprocess starts with the first
    call, which takes some seconds, waits for the next, and ends with this process. A torch module, and one
    that a Family makes, cannot be sent there: it is timed in this process, without a limit.

    On a CPU torch (2.13) writes beyond its memory in the backward pass of strided 1×1 convolutions to 8 or 16
    channels, in the layout channels_last. A Network in training is timed without them: its convolutions take every
    other pixel first, and then have no stride. A module is timed as it is: if it has such convolutions, set
    channels_last=False.

    Arguments:
        network_or_module: a `Network`, the name of a base network, a `Family`, or a torch module from images (of the
            channels that a trace finds, else 3) to logits. A module is moved to the device and, in training, trained:
            its weights change.
        batch: images in a run; default: 64.
        mode: "inference" (a forward pass; default) or "training" (forward, cross-entropy with random labels, backward,
            SGD step with momentum).
        precision: "fp32" (default), or "bf16" or "fp16" by autocast (weights stay fp32); fp16 on GPUs only.
        device: "cpu", "cuda" or "cuda:N"; default: torch's current GPU, else the CPU.
        channels_last: the memory layout of images and weights; default: True.
        compile: time the module as torch.compile makes it; compilation is not timed; default: False.
        resolution: side of the images in pixels, or (height, width); default: the network's or family's own (a module
            has none).
        interval: stop when the 95 % interval lies within this fraction of the median; default: 0.01 ...
        seconds: ... or when this time is spent; default: 10. It begins after the first run, so that building and
            compiling do not count; a first run, a warm-up run and a timed block are always made.
        progress: called repeatedly with the phase ("building", "warm-up", "timing") and the fraction of `seconds`
            spent; for a network, from another thread; default: None.
        tf32: let a GPU round fp32 products to TF32; default: False, unlike PyTorch, whose convolutions do.
        threads: of torch on the CPU; default: as many as torch takes by itself; for a module, as many as it has now.
        limit: seconds after which the measurement of a network is stopped; default: `seconds` and 2 minutes, with
            compile 10 minutes more.
        cuda_graph: on a GPU, capture the run and replay it, so that the host launches no kernels, for which small
            networks wait; not for compiled modules, nor for training in fp16; default: False.
        cudnn_benchmark_limit: how many algorithms cuDNN's autotuner tries for each convolution of a GPU: with fewer the
            first run takes less time, and the later ones perhaps more; default: as many as torch lets it (10).

    Returns:
        The `Measurement`.

    Raises:
        NetworkError: the name is not that of a base network.
        SettingError: (a ValueError) a setting is wrong or the device is not there.
        MeasureError: there is no time; `reason` is "out of memory", "time limit", "died" (the subprocess was killed or
            crashed) or "failed" (torch.compile failed, for instance, or the module cannot take the images).
    """
    settings = Settings(
        *(batch, mode, precision, device, channels_last, compile, resolution, interval, seconds, tf32, threads),
        *(cuda_graph, cudnn_benchmark_limit),
    )
    if limit is not None:
        positive("limit", limit)
    if isinstance(network_or_module, Network | str):
        network = named_network(network_or_module)
        with kept_worker() as worker:
            return worker.time(network, settings, limit, progress)
    if limit is not None:
        raise SettingError(
            f"limit is {shown(limit)}, but a module is measured in this process, which nothing stops; leave it out, or "
            "give a Network"
        )
    from .device_finder import find_device
    from .timing import time_here

    if find_device(settings.device, settings.precision).queues:
        close_kept()  # idle workers hold memory of the GPU, and would count as other processes on it
    try:
        return time_here(network_or_module, settings, progress)
    except MeasureError:
        raise
    except Exception as error:  # the module's own, as where it does not take the images
        message = f"the module failed: {first_line(error)}; see that it takes such images"
        raise MeasureError(message, "failed") from error


# Idle workers, by the process that owns them: a fork must not use its parent's. They end with it.
_idle: dict[int, list[Worker]] = {}


@contextlib.contextmanager
def kept_worker() -> Iterator[Worker]:
    """Lend an idle worker of this process, or a new one; it is kept for the next call."""
    idle = _idle.setdefault(os.getpid(), [])
    try:
        worker = idle.pop()
    except IndexError:
        worker = Worker()
    try:
        yield worker
    finally:
        idle.append(worker)


def close_kept() -> None:
    """End the idle workers of this process."""
    for worker in _idle.pop(os.getpid(), []):
        worker.close()
