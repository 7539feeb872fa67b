"""How `measure` agrees with torch's own benchmark, how it repeats itself, and how long it takes to be sure.

On a GPU where there is one, else on the CPU. The numbers are of an idle machine or of none: each table says what
disturbed it.
"""

import itertools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.utils import benchmark

import fastscale_lib as fs
from fastscale_lib._common.statistics import median_interval
from fastscale_lib.measuring.running import flags
from fastscale_lib.measuring.settings import Settings
from fastscale_lib.measuring.timing import time_here

GPU = torch.cuda.is_available()
AGREE, SPREAD = 0.03, 0.02  # goals; the spread's is for a GPU
ROUNDS, REPEATS = 5, 5
LONGEST = 10.0  # seconds that reaching an interval may take


class Case(NamedTuple):
    """One network, and how it is run."""

    network: str
    mode: str
    batch: int
    resolution: int
    precision: str = "fp32"

    def __str__(self) -> str:
        return f"{self.network}, {self.mode}, batch {self.batch}, {self.resolution} px, {self.precision}"


CASES = [
    Case("RegNetX-200MF", "inference", 4, 128),
    Case("EfficientNet-B0", "inference", 4, 128),
    Case("ResNet-50", "inference", 4, 128),
    Case("RegNetX-200MF", "training", 4, 128),
    Case("EfficientNet-B0", "training", 4, 128),
]
if GPU:
    CASES = [
        Case(name, mode, 64, 224, precision)
        for name in ("RegNetX-200MF", "EfficientNet-B0", "ResNet-50", "RegNetY-4.0GF")
        for mode, precision in (("inference", "bf16"), ("training", "bf16"), ("training", "fp32"))
    ]


@pytest.fixture(autouse=True)
def as_measured():
    """TF32 and cuDNN's autotuner as `measure` has them, for those that it is compared with."""
    with flags(tf32=False):
        yield


def ours(case: Case, module: torch.nn.Module | None = None, **more) -> fs.records.Measurement:
    """The case's network, or this module of it; in this process, as those beside."""
    how = {"mode": case.mode, "batch": case.batch, "resolution": case.resolution, "precision": case.precision}
    return time_here(module or fs.network(case.network), Settings(**{**how, "seconds": LONGEST, **more}))


class Warm(NamedTuple):
    """A module, and what runs it once; both have been used before."""

    module: torch.nn.Module
    run: Callable[[], None]


def by_hand(case: Case) -> Warm:
    """What anyone would write to run the network once."""
    device = "cuda" if GPU else "cpu"
    module: Any = fs.build(case.network, device=device)  # torch types no memory format
    module.to(memory_format=torch.channels_last)
    module.train(case.mode == "training")
    images = torch.randn(case.batch, 3, case.resolution, case.resolution, device=device)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.randint(1000, (case.batch,), device=device)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.001, momentum=0.9)
    lower = torch.autocast(device, dtype=torch.bfloat16, enabled=case.precision == "bf16")

    def forward() -> None:
        with torch.inference_mode(), lower:
            module(images)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with lower:
            loss = torch.nn.functional.cross_entropy(module(images), labels)
        loss.backward()
        optimizer.step()

    run = step if case.mode == "training" else forward
    for _ in range(10):
        run()
    return Warm(module, run)


def torch_times(run: Callable[[], None], seconds: float) -> list[float]:
    """Seconds a run, of each block of `blocked_autorange`."""
    timer = benchmark.Timer("run()", globals={"run": run}, num_threads=torch.get_num_threads())
    return timer.blocked_autorange(min_run_time=seconds).times


def event_times(run: Callable[[], None], runs: int = 50) -> list[float]:
    """Seconds of each of some runs, by CUDA events around every one."""
    events = [torch.cuda.Event(enable_timing=True) for _ in range(runs + 1)]
    torch.cuda.synchronize()
    events[0].record()
    for event in events[1:]:
        run()
        event.record()
    torch.cuda.synchronize()
    return [begin.elapsed_time(end) / 1000 for begin, end in itertools.pairwise(events)]


def loop_times(run: Callable[[], None]) -> list[float]:
    """Seconds of each of 40 runs, after 10 that do not count."""
    times = []
    for _ in range(50):
        began = time.perf_counter()
        run()
        if GPU:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return times[10:]


def half_width(times: list[float]) -> float:
    """The larger side of the 95 % interval of the median, as a fraction of it."""
    (low, high), median = median_interval(times), float(np.median(times))
    return max(high - median, median - low) / median


def machine(found: list[fs.records.Measurement]) -> tuple[str, str, str]:
    """The last row of a table: the device, and how much it was disturbed."""
    load = max((each.load or 0 for each in found), default=0)
    said = sum(each.warning is not None for each in found)
    return "device", found[0].where, f"{said} of {len(found)} disturbed; others used up to {load:.0%} of all cores"


def test_agreement(report):
    """In turn, so that what slows the machine for a while slows all; of each round's ratios the middle one."""
    rows, found, apart = [], [], {}
    names = ["blocked_autorange", "CUDA events"]
    for case in CASES:
        run, ratios = by_hand(case).run, []
        for _ in range(ROUNDS):
            found.append(ours(case, seconds=1.0))
            others = [np.median(torch_times(run, 1.0))] + ([np.median(event_times(run))] if GPU else [])
            ratios.append([found[-1].median_ms / 1000 / other for other in others])
        off = apart[str(case)] = [float(each) - 1 for each in np.median(ratios, axis=0)]
        remark = ", ".join(f"{each:+.1%} of {name}" for name, each in zip(names, off, strict=False))
        rows.append((str(case), f"{found[-1].median_ms:.3g} ms", remark))
    within = np.mean([abs(each) <= AGREE for off in apart.values() for each in off])
    rows += [(f"within {AGREE:.0%}", f"{within:.0%}", "of the comparisons"), machine(found)]
    report.table("measure beside others: median time of a run", rows, apart=apart)
    assert within == 1 or not GPU, apart


def test_five_repeats(report):
    rows, found, spreads = [], [], {}
    for case in CASES:
        repeats = [ours(case, seconds=3.0) for _ in range(REPEATS)]
        medians = [each.median_ms for each in repeats]
        spreads[str(case)] = (max(medians) - min(medians)) / float(np.median(medians))
        sure = sum(each.converged for each in repeats)
        rows.append((str(case), f"{spreads[str(case)]:.1%}", f"{sure} of {REPEATS} came to 1 % within 3 s"))
        found += repeats
    goal = f"goal on an idle GPU {SPREAD:.0%}" + ("" if GPU else "; on a CPU it is reported only")
    rows += [("the largest", f"{max(spreads.values()):.1%}", goal), machine(found)]
    report.table(f"{REPEATS} repeats: (largest − smallest) / median", rows, spreads=spreads)
    assert max(spreads.values()) < SPREAD or not GPU, spreads


def seconds_of_ours(case: Case, module: torch.nn.Module, interval: float) -> tuple[float, fs.records.Measurement]:
    """Seconds from its first run of a warm module on: with its own warm-up, without building and tuning."""
    begun: dict[str, float] = {}
    mark = {"progress": lambda phase, _: begun.setdefault(phase, time.perf_counter())}
    measured = ours(case, module, interval=interval, **mark)
    return time.perf_counter() - begun["warm-up"], measured


def seconds_of_torch(run: Callable[[], None], interval: float) -> float | None:
    """Seconds of the shortest `blocked_autorange` that comes to this interval, of those twice as long each time."""
    shortest = 0.2
    while shortest <= LONGEST:
        began = time.perf_counter()
        times = torch_times(run, shortest)
        if len(times) >= 6 and half_width(times) <= interval:
            return time.perf_counter() - began
        shortest *= 2
    return None


def test_seconds_to_an_interval(report):
    """All get the same warm module, and `blocked_autorange` is not charged for the tries that were too short."""
    rows, found, kept = [], [], {}
    for case in CASES:
        module, run = by_hand(case)
        began = time.perf_counter()
        fixed = half_width(loop_times(run))
        kept[str(case)] = {"loop": (time.perf_counter() - began, fixed)}
        rows.append((f"{case}: 10 + 40 runs", f"{kept[str(case)]['loop'][0]:.2f} s", f"comes to {fixed:.1%}"))
        for interval in (0.05, 0.01):
            seconds, measured = seconds_of_ours(case, module, interval)
            module.train(case.mode == "training")
            theirs = seconds_of_torch(run, interval)
            kept[str(case)][interval] = (seconds, measured.half_width, theirs)
            beside = f"not within {LONGEST:.0f} s" if theirs is None else f"{theirs:.2f} s"
            rows.append(
                (
                    f"{case}: to {interval:.0%}",
                    f"{seconds:.2f} s",
                    f"comes to {measured.half_width or 1:.1%}; blocked_autorange {beside}",
                )
            )
            found.append(measured)
    report.table("Seconds to a 95 % interval of the median", [*rows, machine(found)], seconds=kept)
