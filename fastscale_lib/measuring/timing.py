"""The time of a network on a device: warm-up, blocks of runs, median and 95 % interval."""

# The steps of a measurement:
#
# 1. The network is built on its device, in its layout; images and labels are drawn once. A run is one call of
#    `Run`: a forward pass, or a whole training step. TF32 and cuDNN's autotuner are set, and set back at the end.
# 2. The first run compiles, tunes and allocates; with `cuda_graph` it is captured, and from there on replayed. It does
#    not count, and the budget of `seconds` begins after it.
# 3. Warm-up: windows of at least 0.05 s, until two in a row agree within 3 % or a quarter of the budget is spent.
# 4. Timing: blocks of n runs, n such that a block takes 0.02 s on a GPU and 0.002 s on a CPU. Each gives one time.
# 5. Synchronisation: a CPU's run has ended when its call returns. A GPU only queues it, so two events in its queue take
#    the block's time, behind a run that does not count; the host waits for the second event once a block.
# 6. Stopping: after 12 blocks and 0.25 s, then each time there are a quarter more, the median's 95 % interval is
#    computed; timing ends when it lies within `interval` of the median, or when the budget is spent.
# 7. Also recorded: the GPU's clock, power and temperature under work before and after, the load of other processes, the
#    peak of memory, and the time that the host takes to launch a run.

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from .._common.errors import first_line
from .._common.statistics import median_interval
from ..architectures.definition import Network
from ..architectures.traced.module_family import Family
from ..records.measurement import MeasureError, Measurement, SettingError, has_interval, now
from . import nvml
from .device_classes import Device
from .device_finder import find_device
from .environment import Load, read_environment
from .running import Run, flags, is_out_of_memory, prepare, runner, with_threads, within_memory
from .settings import Progress, Settings

_WINDOW_S = 0.05  # of warm-up, at least
_STEADY = 0.03  # two windows in a row that agree this well end the warm-up
_WARM_RUNS = 3  # at least, the first included
_WARM_SHARE = 0.25  # of the budget, at most
_TIMED_S = 0.25  # before the interval is first computed
# Each check of the interval is one more chance to stop at one that is narrow by chance. Checks after every block from
# the 6th on cover the median of normal noise in 92 to 94 % of simulated measurements; these rarer ones, in 94 to 96 %.
_FIRST_LOOK = 12
_LOOK_GROWTH = 1.25
_LAUNCHES = 11  # of which the median is taken


def time_here(
    source: Network | Family | nn.Module, settings: Settings, progress: Progress | None = None
) -> Measurement:
    """Time a network or a module on random images, in this process.

    Nothing ends a run that hangs or takes too long: the time is checked, and `progress` called, between runs.
    """
    return within_memory(
        lambda: _time_on_device(source, settings, progress or (lambda phase, share: None)), source, settings
    )


def _time_on_device(source: Network | Family | nn.Module, settings: Settings, progress: Progress) -> Measurement:
    device = find_device(settings.device, settings.precision)
    progress("building", 0.0)
    with (
        flags(settings.tf32, settings.cudnn_benchmark_limit) as (tf32, autotuned),
        with_threads(settings.threads),
        device.current(),
    ):
        module, settings, name, channels = prepare(source, settings, device)
        was_training = module.training
        try:
            timed = _time(runner(module, settings, device, channels), settings, device, progress)
        finally:
            module.train(was_training)
        tunes = device.kind.tf32  # both are settings of CUDA's libraries
        switches = {"tf32": tunes and tf32, "cudnn_benchmark": tunes and autotuned}
        limit = {"cudnn_benchmark_limit": settings.cudnn_benchmark_limit if tunes else None}
        machine = {**read_environment(str(device)), **switches, **limit, "date": now()}
    return _record(name, settings, timed, machine)


class _Timed(NamedTuple):
    """The result of timing, before it becomes a record."""

    blocks: list[float]  # seconds per run
    n: int  # runs in a block
    peak: int | None
    launch: float | None
    before: nvml.State
    after: nvml.State
    load: float | None
    first_run_s: float


def _time(run: Run, settings: Settings, device: Device, progress: Progress) -> _Timed:
    progress("warm-up", 0.0)
    began = time.perf_counter()
    repeated, run_s = _first_run(run, settings, device)
    timer, first_run_s = partial(device.seconds, repeated), time.perf_counter() - began
    began = time.perf_counter()

    def spent(phase: str) -> float:
        share = min(1.0, (time.perf_counter() - began) / settings.seconds)
        progress(phase, share)
        return share

    run_s = _warm_up(timer, run_s, settings.seconds, spent)
    if not settings.cuda_graph:
        device.forget_peak_memory()
    n = max(1, math.ceil(device.kind.block_s / run_s))
    first_look = max(_FIRST_LOOK, math.ceil(_TIMED_S / (n * run_s)))
    before, load = device.state_at_work(repeated, run_s), Load()
    blocks = _blocks(timer, n, first_look, settings.interval, spent)
    share, after = load.share(), device.state_at_work(repeated, run_s)
    peak, launch = device.peak_memory(), _launch_seconds(run, repeated, settings, device)
    return _Timed(blocks, n, peak, launch, before, after, share, first_run_s)


def _launch_seconds(run: Run, repeated: Callable[[], None], settings: Settings, device: Device) -> float | None:
    """Return the median seconds that a host takes to start a run on an idle GPU; else None.

    The runs have 2 images, so that the GPU keeps up: its queue takes about a thousand kernels, and a host that finds
    it full, or needs a result (as fp16's loss scale does), would be timed waiting. The host's own work is the same. A
    compiled module runs with all its images, since for 2 it would be compiled again. A CUDA graph is replayed as it is.
    """
    if not device.queues:
        return None
    torch.backends.cudnn.benchmark = settings.compile  # no tuning for 2 images; `flags` sets it back
    few = repeated if settings.compile or settings.cuda_graph else run.with_few_images()
    few()
    return float(np.median([device.launch_seconds(few) for _ in range(_LAUNCHES)]))


def _first_run(run: Run, settings: Settings, device: Device) -> tuple[Callable[[], None], float]:
    """Return what is repeated, the run or the replay of its CUDA graph, and the seconds of one."""
    repeated: Callable[[], None] = run
    try:  # all is compiled, tuned and allocated here
        if settings.cuda_graph:
            repeated = device.captured(run)
        return repeated, device.seconds(repeated, 1)
    except SettingError:
        raise
    except Exception as error:
        if not (settings.compile or settings.cuda_graph) or is_out_of_memory(error):
            raise
        what = "the capture of a CUDA graph" if settings.cuda_graph else "torch.compile"
        without = "cuda_graph" if settings.cuda_graph else "compile"
        said = f"{what} failed: {first_line(error)}; try it without {without}"
        raise MeasureError(said, spoilt=True) from error  # for whatever reason


def _warm_up(timer: Callable[[int], float], run_s: float, seconds: float, spent: Callable[[str], float]) -> float:
    """Run until two windows agree, or a share of the budget is spent; return seconds per run."""
    runs, used = 1, 0.0
    while True:
        window = min(_WINDOW_S, (_WARM_SHARE - used) * seconds)
        n = max(1, math.ceil(window / run_s))
        before, run_s = run_s, timer(n)
        runs += n
        steady = runs >= _WARM_RUNS and abs(run_s - before) <= _STEADY * run_s
        used = spent("warm-up")
        if used >= _WARM_SHARE or steady:
            return run_s


def _blocks(
    timer: Callable[[int], float], n: int, look: int, interval: float, spent: Callable[[str], float]
) -> list[float]:
    """Time blocks of n runs until the interval is narrow enough, or the budget is spent.

    The interval is first computed after `look` blocks.
    """
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
    """Return the larger side of the median's interval, or of the range, over the median."""
    (low, high), median = median_interval(times), float(np.median(times))
    return max(high - median, median - low) / median


def _record(name: str, settings: Settings, timed: _Timed, machine: dict[str, Any]) -> Measurement:
    blocks, n = timed.blocks, timed.n
    low, high = median_interval(blocks)
    q1, median, q3 = (float(value) for value in np.quantile(blocks, (0.25, 0.5, 0.75)))
    half_width = _half_width(blocks) if len(blocks) > 1 else None  # one block has no spread
    asked = ("batch", "mode", "precision", "channels_last", "compile", "resolution", "cuda_graph")
    return Measurement(
        network=name,
        **{key: getattr(settings, key) for key in asked},
        median_ms=median * 1e3,
        low_ms=low * 1e3,
        high_ms=high * 1e3,
        q1_ms=q1 * 1e3,
        q3_ms=q3 * 1e3,
        half_width=half_width,
        converged=has_interval(len(blocks)) and half_width is not None and half_width <= settings.interval,
        runs=n * len(blocks),
        blocks=len(blocks),
        images_per_s=settings.batch / median,
        peak_memory_bytes=timed.peak,
        **machine,
        interval=settings.interval,
        first_run_s=timed.first_run_s,
        launch_ms=None if timed.launch is None else timed.launch * 1e3,
        **_conditions(timed),
    )


def _conditions(timed: _Timed) -> dict[str, Any]:
    """Return the GPU's states, other processes and load, as in the record."""
    moments = {"before": timed.before._asdict(), "after": timed.after._asdict()}
    counts = [state.pop("other_processes") for state in moments.values()]
    seen = [count for count in counts if count is not None]
    states = {f"{name}_{moment}": value for moment, state in moments.items() for name, value in state.items()}
    return {**states, "other_processes": max(seen, default=None), "load": timed.load}
