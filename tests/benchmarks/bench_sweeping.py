"""What the engine of sweeps costs: a task, as the plan grows; beside a plain loop; and going on with a full store."""

import time
from concurrent.futures import Executor, Future
from dataclasses import asdict

import numpy as np

import fastscale_lib as fs
from fastscale_lib.measuring import tasks
from fastscale_lib.measuring.plan_runner import measure_plan
from fastscale_lib.measuring.plans import Plan
from fastscale_lib.measuring.settings import Settings
from fastscale_lib.measuring.worker import Worker
from fastscale_lib.records.store import Store

SIZES = (100, 1_000, 10_000)
TINY = fs.anynet(name="Tiny", depths=[1], widths=[16], group_widths=8, stem_width=8, resolution=32, classes=10)


class Acting(Executor):
    """Answers every task at once with one measurement, under the names of the settings that it is asked for."""

    def __init__(self, measurement: fs.records.Measurement, machine: dict):
        self.measurement, self.machine, self.asked = asdict(measurement), machine, 0

    def submit(self, task, *data):
        future = Future()
        if task is tasks.read_environment:
            future.set_result({"environment": self.machine})
            return future
        self.asked += 1
        network, settings = data
        told = {"resolution": network["resolution"], **{key: settings[key] for key in ("batch", "mode", "precision")}}
        future.set_result({"measurement": {**self.measurement, **told}, "worker": "acting:1", "device": None})
        return future


def grid(size: int) -> Plan:
    """A plan of so many points: one network at many resolutions, each at 10 batches."""
    scales = [(4 * step / 224) ** 2 for step in range(1, size // 10 + 1)]
    plan = Plan("RegNetY-4.0GF", "r", scales, batch=[2**power for power in range(10)])
    assert len(plan) == size
    return plan


def seconds(work) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def quiet(step) -> None:
    """No progress is drawn."""


def test_the_cost_of_a_task_as_the_plan_grows(report, tmp_path):
    with Worker() as worker:
        measurement = worker.time(TINY, Settings(1, device="cpu", seconds=0.05))
        machine = worker.environment("cpu")
    measure_plan(grid(SIZES[0]), tmp_path / "warm.jsonl", Acting(measurement, machine), quiet)
    cost, plain, resumed = {}, {}, {}
    for size in SIZES:
        plan, store, loop = grid(size), Store(tmp_path / f"{size}.jsonl"), Store(tmp_path / f"{size}_loop.jsonl")
        cost[size] = seconds(lambda: measure_plan(plan, store, Acting(measurement, machine), quiet)) / size  # noqa: B023
        rows = store.rows()
        assert len(rows) == size
        plain[size] = seconds(lambda: [loop.add(row) for row in rows]) / size  # noqa: B023
        fresh, again = Store(store.path), Acting(measurement, machine)
        resumed[size] = seconds(lambda: measure_plan(plan, fresh, again, quiet))  # noqa: B023
        assert again.asked == 0
    first = SIZES[0]
    table = [
        (
            f"{size:,} points",
            f"{1e3 * cost[size]:.2f} ms a task",
            f"{cost[size] / cost[first]:.2f} times that of {first}; writing the rows alone: {1e3 * plain[size]:.2f} ms",
        )
        for size in SIZES
    ]
    table += [
        (f"going on, all {size:,} there", f"{resumed[size]:.2f} s", f"{1e3 * resumed[size] / size:.2f} ms a point")
        for size in SIZES
    ]
    figures = {"ms_a_task": cost, "ms_a_row_written": plain}
    figures = {name: {size: 1e3 * value for size, value in each.items()} for name, each in figures.items()}
    report.table("The engine of sweeps, on an executor that measures nothing", table, **figures, resumed_s=resumed)


def test_what_the_engine_adds_to_real_measurements(report, tmp_path):
    """The same tasks by `run` and by a loop over `Worker.measure`, in turns: from each task's end to the next one's."""
    settings = {"seconds": 0.1, "interval": 1e-6, "device": "cpu"}
    plan = Plan(TINY, ["d", "w"], [1, 4, 9, 16], [1, 2, 3, 4], **settings)

    def loop(turn):
        ends = []
        with Worker() as worker:
            for point in plan.points():
                worker.time(point.network, Settings(int(point.batch), **settings))
                ends.append(time.perf_counter())
        return ends

    def engine(turn):
        ends = []
        measure_plan(plan, tmp_path / f"{turn}.jsonl", progress=lambda step: ends.append(time.perf_counter()))
        return ends[1:]  # the first step tells of the beginning

    ms = {"loop over Worker.measure": [], "run": []}
    for turn in range(3):
        for name, work in zip(ms, (loop, engine), strict=True):
            ms[name].append(1e3 * float(np.median(np.diff(work(turn)))))
    (first, by_loop), (second, by_run) = ((name, min(each)) for name, each in ms.items())
    table = [
        (first, f"{by_loop:.1f} ms", f"0.1 s of it measuring; three turns: {by_loop:.1f} to {max(ms[first]):.1f}"),
        (second, f"{by_run:.1f} ms", f"{by_run - by_loop:+.1f} ms; three turns: {by_run:.1f} to {max(ms[second]):.1f}"),
    ]
    report.table(f"{len(plan)} real measurements: milliseconds a task, the best of 3 medians", table, **ms)
