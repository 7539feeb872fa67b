"""How long one network takes on one device: warm-up, blocks of runs, the median and its 95 % interval.

Importing this loads no torch; measuring does. To keep torch out of a process, measure in a `worker.Worker`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._common.statistics import median_interval
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..records.measurement import MeasureError, Measurement, has_interval, now
from . import nvml
from .environment import Load, surroundings, watched
from .memory import is_out_of_memory
from .running import Run, flags, on, one_line, prepare, runner, with_threads, within_memory
from .settings import Settings, find_device

if TYPE_CHECKING:
    import torch


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
_LAUNCHES = 11  # of which the median is taken
_AT_WORK_S = 0.2  # of work, while which a GPU is asked how it is


def measure(
    network_or_module: Network | str | torch.nn.Module, progress: Progress | None = None, **settings: Any
) -> Measurement:
    """Time a network on random images, in this process: what `apart.measure` asks for, wherever it is done.

    Nothing ends a run that hangs or takes too long: `seconds` is looked at between runs.

    Arguments:
        network_or_module: as for `apart.measure`.
        progress: called between blocks with the phase ("building", "warm-up", "timing") and the fraction of
            `seconds` that is spent.
        settings: of `Settings`, as `apart.measure` explains them; `threads` left out: as many as torch has now.

    Raises:
        NetworkError: the name is not that of a base network.
        SettingError: (a ValueError) a setting is wrong or the device is not there.
        MeasureError: with reason "out of memory", or "failed" where torch.compile fails, or the module cannot take
            the images: these have not its channels, or in training BN has one value of a channel alone.
    """
    source = named_network(network_or_module) if isinstance(network_or_module, str) else network_or_module
    asked = Settings(**settings)
    return within_memory(lambda: _measure(source, asked, progress or _quiet), source, asked)


def _measure(source: Any, settings: Settings, progress: Progress) -> Measurement:
    """`measure`, but for memory running out."""
    device = find_device(settings.device, settings.precision)
    progress("building", 0.0)
    with flags(settings.tf32) as (tf32, autotuned), with_threads(settings.threads), on(device):
        module, settings, name, channels = prepare(source, settings, device)
        was_training = module.training
        try:
            timed = _time(runner(module, settings, device, channels), settings, device, progress)
        finally:
            module.train(was_training)
        gpu = device.type == "cuda"
        told = {**surroundings(device), "tf32": gpu and tf32, "cudnn_benchmark": gpu and autotuned, "date": now()}
    return _record(name, settings, timed, told)


class _Timed(NamedTuple):
    """What came out: seconds a run for each block, runs in a block, and what went on beside."""

    blocks: list[float]
    n: int
    peak: int | None
    launch: float | None
    before: nvml.State
    after: nvml.State
    load: float | None


def _time(run: Run, settings: Settings, device: torch.device, progress: Progress) -> _Timed:
    import torch

    gpu = device.type == "cuda"
    timer = partial(_cuda_seconds if gpu else _cpu_seconds, run)
    progress("warm-up", 0.0)
    run_s = _first_run(timer, settings)
    began = time.perf_counter()

    def spent(phase: str) -> float:
        share = min(1.0, (time.perf_counter() - began) / settings.seconds)
        progress(phase, share)
        return share

    run_s = _warm_up(timer, run_s, settings.seconds, spent)
    if gpu:
        torch.cuda.reset_peak_memory_stats(device)
    n = max(1, math.ceil(_BLOCK_S[device.type] / run_s))
    first_look = max(_FIRST_LOOK, math.ceil(_TIMED_S / (n * run_s)))
    before, load = _state_at_work(run, run_s, device), Load()
    blocks = _blocks(timer, n, first_look, settings.interval, spent)
    share, after = load.share(), _state_at_work(run, run_s, device)
    peak = torch.cuda.max_memory_allocated(device) if gpu else None
    return _Timed(blocks, n, peak, _launch_seconds(run, settings) if gpu else None, before, after, share)


def _state_at_work(run: Run, run_s: float, device: torch.device) -> nvml.State:
    """How a GPU is while it works: an idle one lowers its clock. A CPU is not asked."""
    import torch

    if device.type != "cuda":
        return nvml.State()
    with watched(device) as state:
        for _ in range(math.ceil(_AT_WORK_S / run_s)):
            run()
        told = state()
        torch.cuda.synchronize(device)
    return told


def _launch_seconds(run: Run, settings: Settings) -> float:
    """Seconds that the host takes to start a run on an idle GPU: the median of some.

    With 2 images, so that the GPU keeps up: its queue takes about a thousand kernels, and a host that finds it full,
    or asks for a result (as fp16's loss scale does), would be timed waiting. The host's own work is the same. A
    compiled module is asked with all its images, since for 2 it would be compiled again.
    """
    from torch import backends, cuda

    backends.cudnn.benchmark = settings.compile  # no tuning for 2 images; `flags` sets it back
    few, times = run if settings.compile else run.with_few_images(), []
    few()
    for _ in range(_LAUNCHES):
        cuda.synchronize()
        began = time.perf_counter()
        few()
        times.append(time.perf_counter() - began)
    cuda.synchronize()
    return float(np.median(times))


def _cpu_seconds(run: Run, n: int) -> float:
    """Seconds a run, of n runs timed together."""
    began = time.perf_counter_ns()
    for _ in range(n):
        run()
    return (time.perf_counter_ns() - began) / 1e9 / n


def _cuda_seconds(run: Run, n: int) -> float:
    """Seconds a run, of n runs timed together by the GPU's own clock.

    They follow a run that does not count. With nothing in its queue the GPU would pass `begin` at once, and be timed
    waiting for the host to come to the first kernel, once a block. So it passes `begin` at the end of a run: where it
    is slower than the host, with the next kernels queued; where the host is slower, as between any two runs.
    """
    import torch

    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    run()
    begin.record()
    for _ in range(n):
        run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3 / n


def _first_run(timer: Callable[[int], float], settings: Settings) -> float:
    """The run in which everything is compiled, tuned and allocated; its failures are the settings' or the memory's."""
    try:
        return timer(1)
    except Exception as error:
        if not settings.compile or is_out_of_memory(error):
            raise
        said = f"torch.compile failed: {one_line(error)}; try it without compile"
        raise MeasureError(said, spoilt=True) from error  # by what it failed is not known


def _warm_up(timer: Callable[[int], float], run_s: float, seconds: float, spent: Callable[[str], float]) -> float:
    """Run until two windows in a row agree, or for a share of the budget; the seconds a run takes in the last."""
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
    """The larger side of the median's interval (of few times: of their range), as a fraction of the median."""
    (low, high), median = median_interval(times), float(np.median(times))
    return max(high - median, median - low) / median


def _record(name: str, settings: Settings, timed: _Timed, told: dict[str, Any]) -> Measurement:
    blocks, n = timed.blocks, timed.n
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
        converged=has_interval(len(blocks)) and half_width <= settings.interval,
        runs=n * len(blocks),
        blocks=len(blocks),
        images_per_s=settings.batch / median,
        peak_memory_bytes=timed.peak,
        **told,
        interval=settings.interval,
        launch_ms=None if timed.launch is None else timed.launch * 1e3,
        **_beside(timed),
    )


def _beside(timed: _Timed) -> dict[str, Any]:
    """The part of the record about what went on in the machine meanwhile."""
    moments = {"before": timed.before._asdict(), "after": timed.after._asdict()}
    counts = [state.pop("other_processes") for state in moments.values()]
    seen = [count for count in counts if count is not None]
    states = {f"{name}_{moment}": value for moment, state in moments.items() for name, value in state.items()}
    return {**states, "other_processes": max(seen, default=None), "load": timed.load}


def _quiet(phase: str, fraction: float) -> None:
    """The progress of those who do not ask for it."""
