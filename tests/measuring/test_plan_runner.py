"""Plans that run: on a made-up executor; then really here, in pools, and on a Dask cluster."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest
from helpers.posix import posix
from helpers.waiting import HANGS_S

import fastscale_lib as fs
from fastscale_lib._common.progress import Line, Step
from fastscale_lib.measuring import in_subprocess, tasks
from fastscale_lib.measuring.batch_search import LIMIT
from fastscale_lib.measuring.plan_runner import SweepWarning, measure_plan
from fastscale_lib.measuring.plans import Plan
from fastscale_lib.records import store as storing
from fastscale_lib.records.measurement import MeasureError, Measurement, SettingError
from fastscale_lib.records.store import Store, StoreError

TINY = fs.anynet(name="Tiny", depths=[1], widths=[16], group_widths=8, stem_width=16, resolution=32, classes=10)
SHORT: dict[str, Any] = {"seconds": 0.05, "interval": 0.2, "device": "cpu"}
PLAN = Plan(TINY, ["d", "w"], [1, 4, 9, 16], [1, 2], **SHORT)  # of 14 points


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "rows.jsonl")


def quiet(step: Step) -> None:
    """Report no progress."""


def measured_once(store: Store, plan: Plan = PLAN) -> bool:
    """Tell whether every point of the plan has one row, and no more."""
    kept = Counter((row["network_id"], row["batch"], row["mode"], row["precision"]) for row in store)
    asked = [(point.network_id, point.batch, point.mode, point.precision) for point in plan.points()]
    return kept == Counter(asked)


# The engine, on an executor that only acts.

MACHINE = {
    **{"device": "cuda:0", "device_name": "A GPU", "device_count": 1, "cpu_name": "A CPU", "threads": 4},
    **{"torch": "2.13.0", "cuda": "12.9", "cudnn": "91002", "driver": "580.0", "library": "0.1.0"},
}
TIMES = {"median_ms": 2.0, "low_ms": 1.9, "high_ms": 2.1, "q1_ms": 1.95, "q3_ms": 2.05, "half_width": 0.05}


def answered(network: dict, settings: dict) -> dict:
    """Return what a worker answers on that machine."""
    asked = {name: settings[name] for name in ("mode", "precision", "channels_last", "compile", "tf32")}
    batch = 512 if settings["batch"] == "largest" else settings["batch"]
    measurement = Measurement(
        **{"network": network["name"], "resolution": network["resolution"], "batch": batch, **asked, **TIMES},
        **{"converged": True, "runs": 60, "blocks": 12, "images_per_s": 500.0 * batch, "peak_memory_bytes": 10**6},
        **{**MACHINE, "threads": settings["threads"] or 4},
        **{"cudnn_benchmark": True, "date": "2026-01-01T00:00:00+00:00"},
    )
    return {"measurement": measurement.to_dict(), "worker": "acting:1", "device": None}


class Acting(Executor):
    """Measures nothing: answers each task, or raises, at once, or once `holds` tasks are there."""

    def __init__(self, answer=answered, holds: int = 1):
        self.answer, self.holds, self.asked, self.held, self.most = answer, holds, [], [], 0

    def submit(self, task, *data):
        future = Future()
        if task is tasks.read_environment:
            future.set_result({"environment": MACHINE})
            return future
        json.dumps(data)  # plain
        self.asked.append(data)
        self.held.append((future, data))
        self.most = max(self.most, len(self.held))
        if len(self.held) >= self.holds:
            self.finish()
        return future

    def finish(self):
        while self.held:
            future, data = self.held.pop()
            try:
                future.set_result(self.answer(*data))
            except Exception as error:
                future.set_exception(error)


def failing(reason: str):
    def answer(network, settings):
        return {"reason": reason, "message": f"{reason}; try another", "worker": "acting:1", "device": "cuda:1"}

    return answer


def test_a_row_says_what_was_measured_where_and_by_whom(store):
    plan = Plan("ResNet-50", "dWr", [1, 4], 64, "training", "bf16", tf32=True, threads=2)
    frame = measure_plan(plan, store, Acting(), quiet)
    pd.testing.assert_frame_equal(frame, store.frame())
    base, big = store.rows()
    network = fs.scale("ResNet-50", "dWr", 4)
    assert (base["base"], base["strategy"], base["scale"]) == ("ResNet-50", None, 1)
    assert (big["base"], big["strategy"], big["scale"]) == ("ResNet-50", "dWr", 4)
    assert fs.Network.from_dict(big["description"]) == network
    assert big["network_id"] == network.id
    assert (big["flops"], big["params"], big["activations"]) == fs.complexity(network)
    assert (big["batch"], big["mode"], big["precision"], big["tf32"], big["threads"]) == (
        64,
        "training",
        "bf16",
        True,
        2,
    )
    assert (big["median_ms"], big["worker"], big["reason"], big["message"]) == (2.0, "acting:1", None, None)
    assert big["device_name"] == "A GPU"


def test_what_the_store_holds_is_not_measured_again(store):
    measure_plan(PLAN, store, Acting(), quiet)
    again = Acting()
    frame = measure_plan(PLAN, store, again, quiet)
    assert again.asked == []
    assert len(frame) == len(PLAN)
    assert measured_once(store)


def test_the_rows_are_the_plans_in_its_order(store):
    measure_plan(Plan(TINY, ["d", "w"], [9, 4], [2, 1], **SHORT), store, Acting(), quiet)
    frame = measure_plan(PLAN, store, Acting(), quiet)
    assert list(zip(frame.network_id, frame.batch, strict=True)) == [(p.network_id, p.batch) for p in PLAN.points()]


@pytest.mark.parametrize(
    "other",
    [
        *({"batch": 3}, {"mode": "training"}, {"precision": "bf16"}, {"compile": True}, {"channels_last": False}),
        *({"tf32": True}, {"threads": 1}, {"resolution": 64}),
    ],
)
def test_another_setting_is_another_measurement(store, other: dict[str, Any]):
    measure_plan(Plan("ResNet-50"), store, Acting(), quiet)
    measure_plan(Plan("ResNet-50", **other), store, Acting(), quiet)
    assert len(store) == 2
    measure_plan(Plan("ResNet-50", seconds=1, interval=0.1), store, Acting(), quiet)  # how long it took is none
    assert len(store) == 2


@pytest.mark.parametrize("name", fs.records.Conditions.MACHINE)
def test_another_machine_is_another_measurement(store, monkeypatch, name):
    measure_plan(Plan("ResNet-50"), store, Acting(), quiet)
    monkeypatch.setitem(MACHINE, name, "another")
    measure_plan(Plan("ResNet-50"), store, Acting(), quiet)
    assert [row[name] for row in store][1] == "another"


@pytest.mark.parametrize("reason", ["out of memory", "time limit", "died", "failed"])
def test_a_failure_is_a_row_and_is_tried_again_only_where_that_is_asked(store, reason):
    plan = Plan("ResNet-50", batch=[64, "largest"])
    frame = measure_plan(plan, store, Acting(failing(reason)), quiet)
    assert frame["reason"].tolist() == [reason] * 2
    assert frame["median_ms"].isna().all()
    row = store.rows()[0]
    timed = measure_plan(Plan("ResNet-101"), store.path.with_name("other"), Acting(), quiet)
    assert list(row) == list(timed)
    assert (row["network"], row["batch"], row["device_name"], row["device"]) == ("ResNet-50", 64, "A GPU", "cuda:1")
    assert row["message"] == f"{reason}; try another"
    again = Acting()
    measure_plan(plan, store, again, quiet)
    assert again.asked == []
    steps = []
    assert measure_plan(plan, store, again, steps.append, retry=True)["median_ms"].tolist() == [2.0, 2.0]
    assert (steps[0].done, steps[0].failed, steps[-1].done, steps[-1].failed) == (0, 0, 2, 0)
    measure_plan(plan, store, again, quiet, retry=True)  # what went well is no failure
    assert len(again.asked) == 2
    assert len(store) == 4


def test_measured_again_a_point_has_its_newest_row_also_of_a_failure(store):
    """An older time of a point that has failed now would pass for a new one."""
    plan = Plan("ResNet-50", batch=[64, 128])
    measure_plan(plan, store, Acting(), quiet)
    frame = measure_plan(plan, store, Acting(failing("died")), quiet, again=True)
    assert frame["reason"].tolist() == ["died"] * 2
    assert frame["median_ms"].isna().all()
    assert measure_plan(plan, store, Acting(), quiet)["median_ms"].tolist() == [2.0, 2.0]  # these are kept, too
    assert len(store) == 4


def test_the_largest_batch_is_asked_for_and_found_again(store):
    plan = Plan("ResNet-50", batch="largest")
    frame = measure_plan(plan, store, Acting(), quiet)
    assert (frame["batch"].tolist(), frame["fills_device"].tolist()) == ([512], [True])
    measure_plan(plan, store, Acting(), quiet)
    assert len(store) == 1


def test_a_largest_batch_at_the_limit_of_its_search_is_told_by_its_row(store):
    """It does not say that the device is full; and is found again all the same."""

    def limited(network, settings):
        return {**answered(network, settings), "batch_limit": LIMIT if settings["batch"] == "largest" else None}

    plan = Plan("ResNet-50", batch=["largest", 64])
    frame = measure_plan(plan, store, Acting(limited), quiet)
    assert (frame["fills_device"].tolist(), frame["batch_limit"][0]) == ([False, False], LIMIT)
    again = Acting()
    assert len(measure_plan(plan, store, again, quiet)) == 2
    assert again.asked == []


def test_a_wrong_setting_stops_the_sweep_and_is_no_row(store):
    with pytest.raises(SettingError, match="setting; try another"):
        measure_plan(PLAN, store, Acting(failing("setting")), quiet)
    assert len(store) == 0


def test_an_executor_that_breaks_loses_nothing_that_is_stored(store):
    def breaks(network, settings):
        if len(store) == 3:
            raise BrokenProcessPool("a process was terminated")
        return answered(network, settings)

    with pytest.raises(MeasureError, match=r"executor has broken or dropped its tasks .* run the same again to go on"):
        measure_plan(PLAN, store, Acting(breaks), quiet, ahead=1)
    assert len(store) == 3
    measure_plan(PLAN, store, Acting(), quiet)
    assert measured_once(store)


def test_a_worker_that_cannot_take_tasks_stops_the_sweep(store):
    def lacks(network, settings):
        raise ModuleNotFoundError("No module named 'fastscale_lib'")

    with pytest.raises(MeasureError, match=r"could not take its task \(ModuleNotFoundError.*same fastscale installed"):
        measure_plan(PLAN, store, Acting(lacks), quiet)
    assert len(store) == 0


def given_up():
    """Make the error by which Dask gives up a task whose workers died."""
    from distributed.scheduler import KilledWorker, WorkerState

    return KilledWorker("task", cast(WorkerState, SimpleNamespace(address="tcp://10.0.0.1:4000")), 3)


def test_of_points_that_dask_gives_up_only_the_one_that_kills_is_blamed(store):
    """It blames all that were assigned to a dying worker; they run again, each with nothing else in hand."""
    acting = Acting(holds=9)
    plan = Plan("ResNet-50", batch=list(range(1, 10)))

    def kills(network, settings):
        acting.holds = 1
        if len(acting.asked) == 9 or settings["batch"] == 3:  # all nine in hand, or this one
            raise given_up()
        return answered(network, settings)

    acting.answer = kills
    frame = measure_plan(plan, store, acting, quiet)
    [row] = store.find(batch=3)
    assert (row["reason"], row["worker"], row["median_ms"]) == ("died", None, None)
    assert "the workers that ran it, and nothing else, died (KilledWorker: " in row["message"]
    assert frame.loc[frame["batch"] != 3, "reason"].isna().all()
    assert len(acting.asked) == 9 + 9
    assert len(store) == 9


def test_workers_that_die_whatever_they_are_given_are_no_rows(store):
    class Dying(Acting):
        def submit(self, task, *data):
            future = super().submit(task, *data)
            if task is tasks.read_environment and self.asked:
                future = Future()
                future.set_exception(given_up())
            return future

    def dies(network, settings):
        raise given_up()

    with pytest.raises(MeasureError, match=r"workers die whatever they are given .*; look into their logs, and"):
        measure_plan(PLAN, store, Dying(dies), quiet)
    assert len(store) == 0


def test_only_so_many_tasks_are_in_hand(store):
    acting = Acting(holds=4)
    plan = Plan("ResNet-50", batch=list(range(1, 41)))
    measure_plan(plan, store, acting, quiet, ahead=4)
    assert acting.most == 4
    assert len(store) == 40
    with pytest.raises(SettingError, match="ahead is 0, but"):
        measure_plan(plan, store, acting, quiet, ahead=0)


def test_a_row_that_another_sweep_has_stored_meanwhile_is_not_stored_again(store):
    def late(network, settings):
        measure_plan(Plan(TINY, **SHORT), Store(store.path), Acting(), quiet)
        return answered(network, settings)

    measure_plan(Plan(TINY, **SHORT), store, Acting(late), quiet)
    assert len(store) == 1


def test_sweeps_at_a_time_on_one_store_double_no_row(store):
    """Three at once, each with a look and a row for each point, and none that waits for another."""
    plan = Plan("ResNet-50", batch=list(range(1, 101)))
    sweeps = [
        threading.Thread(target=measure_plan, args=(plan, Store(store.path), Acting(), quiet), kwargs={"ahead": 1})
        for _ in range(3)
    ]
    for sweep in sweeps:
        sweep.start()
    for sweep in sweeps:
        sweep.join(HANGS_S)
    assert measured_once(store, plan)


def test_a_plan_may_be_the_path_of_one(store, tmp_path):
    (tmp_path / "plan.yaml").write_text(PLAN.to_yaml())
    assert len(measure_plan(str(tmp_path / "plan.yaml"), store, Acting(), quiet)) == len(PLAN)
    assert len(measure_plan(tmp_path / "plan.yaml", store, Acting(), quiet)) == len(PLAN)
    assert measured_once(store)


@pytest.mark.parametrize(
    ("plan", "executor", "said"),
    [
        (
            PLAN,
            "tcp://host:8786",
            r"executor is 'tcp://host:8786', but must have submit, .* leave it out for this mach",
        ),
        (
            {"networks": "ResNet-50"},
            None,
            "plan: expected a Plan or the path of one, got {'networks': 'ResNet-50'}; make",
        ),
        ("none.yaml", None, r"plan: none\.yaml cannot be read: No such file"),
    ],
)
def test_what_is_no_plan_or_carries_no_tasks_is_refused_in_a_sentence(store, plan, executor, said):
    with pytest.raises(ValueError, match=said):
        measure_plan(plan, store, executor, quiet)


def test_a_store_that_cannot_be_written_is_refused_before_measuring(tmp_path):
    (tmp_path / "file").write_text("")
    acting = Acting()
    with pytest.raises(StoreError, match=r"cannot be written: .*file is no folder; give another path"):
        measure_plan(PLAN, tmp_path / "file" / "rows.jsonl", acting, quiet)
    assert acting.asked == []


def test_a_disk_that_fills_up_is_said_in_a_sentence(store, monkeypatch):
    def full(file, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    measure_plan(Plan(TINY, **SHORT), store, Acting(), quiet)
    monkeypatch.setattr(storing, "_write_all", full)
    with pytest.raises(
        StoreError, match=r"cannot take a row \(No space left on device\); those before are kept; make"
    ) as said:
        measure_plan(PLAN, store, Acting(), quiet)
    assert len(store) == 1
    monkeypatch.undo()
    assert store.add(said.value.row)  # what was measured is not lost
    assert [row["reason"] for row in store] == [None, None]


def test_a_cluster_of_several_kinds_is_told(store):
    def elsewhere(network, settings):
        answer = answered(network, settings)
        answer["measurement"]["device_name"] = "Another GPU"
        return answer

    with pytest.warns(SweepWarning, match=r"acting:1 has another device_name \(Another GPU\) than"):
        assert measure_plan(Plan("ResNet-50"), store, Acting(elsewhere), quiet).empty
    with pytest.warns(SweepWarning):
        measure_plan(Plan("ResNet-50"), store, Acting(elsewhere), quiet)
    assert [row["device_name"] for row in store] == ["Another GPU"]


def test_stopping_drops_what_is_in_hand_and_going_on_makes_it_up(store):
    acting = Acting(holds=5)

    def stops(step):
        if step.done == 2:
            acting.holds = 100
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_plan(PLAN, store, acting, stops, ahead=5)
    assert len(store) == 2
    assert all(future.cancelled() for future, _ in acting.held)
    measure_plan(PLAN, store, Acting(), quiet)
    assert measured_once(store)


def test_rows_are_found_among_many_as_among_few(store):
    """By an index, which sees what others add, and what has taken the file's place."""
    store.add({"a": 1, "b": "x", "list": [1]})
    assert store.find(a=1) == store.find(b="x", a=1) == store.find() == store.find(list=[1]) == store.rows()
    assert store.find(a=2) == store.find(c=None) == store.find(list=1) == []
    Store(store.path).add({"a": 2, "b": None})
    assert store.find(a=2) == store.find(b=None) == [{"a": 2, "b": None}]
    store.path.write_text('{"a": 3}\n')
    assert (store.find(a=1), store.find(a=3)) == ([], [{"a": 3}])


# What is told of it.


def test_progress_tells_how_many_are_done_and_how_long_the_rest_may_take(store):
    steps = []
    measure_plan(PLAN, store, Acting(), steps.append)
    assert [step.done for step in steps] == list(range(len(PLAN) + 1))
    assert {step.total for step in steps} == {len(PLAN)}
    assert steps[0] == Step(0, len(PLAN), 0, None, None)
    assert steps[1].seconds_left > 0
    assert steps[-1].seconds_left == 0
    assert steps[-1].name in {str(point) for point in PLAN.points()}


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Step(0, 12, 0), "0/12"),
        (Step(3, 1200, 1, "Net, batch 4", 59.6), "3/1,200 · 1 failed · about 60 s left · Net, batch 4"),
        (Step(3, 12, 0, "Net", 150), "3/12 · about 2.5 min left · Net"),
        (Step(3, 12, 0, "Net", 90000), "3/12 · about 25 h left · Net"),
        (Step(12, 12, 0, "Net", 0.0), "12/12 · Net"),
    ],
)
def test_a_step_reads_as_a_line(step, text):
    assert str(step) == text


def test_a_log_gets_a_line_now_and_then_and_a_terminal_one_in_place(capsys, monkeypatch):
    steps = [Step(done, 3, 0, "Net", 1.0) for done in range(4)]
    line = Line()
    for step in steps:
        line(step)
    assert [text[:3] for text in capsys.readouterr().err.splitlines() if text] == ["0/3", "3/3"]
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    line = Line()
    for step in steps:
        line(step)
    shown = capsys.readouterr().err
    assert shown.count("\r") == 2
    assert shown.endswith("Net\n")


# On real parts.


def test_here(store):
    frame = measure_plan(PLAN, store, progress=quiet)
    assert len(frame) == len(PLAN)
    assert (frame["median_ms"] > 0).all()
    assert (frame["device"] == "cpu").all()
    assert measured_once(store)
    assert measure_plan(PLAN, store, progress=quiet).equals(frame)


def test_here_what_is_impossible_is_refused_before_anything_is_measured(store):
    with pytest.raises(SettingError, match="device is 'cuda:77'"):
        measure_plan(Plan(TINY, seconds=0.05, device="cuda:77"), store, progress=quiet)
    assert len(store) == 0


@posix
def test_what_dies_or_does_not_fit_is_a_row_and_the_others_follow(store, monkeypatch):
    real = tasks.Worker.time

    def timed(worker, network, settings):
        if settings.batch == 3:
            threading.Timer(1, lambda: os.kill(worker.pid, signal.SIGKILL)).start()
            settings = replace(settings, seconds=60, interval=1e-9)
        return real(worker, network, settings)

    monkeypatch.setattr(tasks.Worker, "time", timed)
    frame = measure_plan(Plan(TINY, batch=[3, 2**30, 2], **SHORT), store, progress=quiet)
    assert frame["reason"].tolist()[:2] == ["died", "out of memory"]
    assert frame["median_ms"].isna().tolist() == [True, True, False]
    assert "killed (signal 9)" in frame["message"][0]
    assert measured_once(store, Plan(TINY, batch=[3, 2**30, 2]))


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_in_a_pool(store, pool):
    with pool(2) as executor:
        frame = measure_plan(PLAN, store, executor, quiet)
    assert len(frame) == len(PLAN)
    assert (frame["median_ms"] > 0).all()
    assert measured_once(store)
    for worker in in_subprocess._idle.pop(os.getpid(), []):  # which else end with this process
        worker.close()


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        resources={"GPU": 1},
    ) as made:
        yield made


@pytest.fixture
def client(cluster):
    with cluster.get_client() as client:
        client.wait_for_workers(2, timeout=HANGS_S)
        yield client


@pytest.fixture
def executor(client) -> Executor:
    return client.get_executor(resources={"GPU": 1}, pure=False)


def test_on_a_cluster(store, client, executor):
    frame = measure_plan(PLAN, store, executor, quiet)
    assert (frame["median_ms"] > 0).all()
    assert measured_once(store)
    assert set(frame["worker"]) == set(client.nthreads())  # both took part


@posix
def test_on_a_cluster_a_worker_is_killed(store, client, executor):
    pids = client.run(os.getpid)
    killed = []

    def kills(step):
        if step.done == 3:
            killed.append(pids.popitem())
            os.kill(killed[0][1], signal.SIGKILL)

    frame = measure_plan(PLAN, store, executor, kills)
    assert killed
    assert (frame["median_ms"] > 0).all()
    assert measured_once(store)


@posix
def test_on_a_cluster_no_point_is_blamed_for_a_worker_that_is_killed(store):
    """One worker, nine points, killed four times: then Dask gives up all nine, of which eight have never run."""
    distributed = pytest.importorskip("distributed")
    plan, killed = Plan(TINY, batch=list(range(1, 10)), seconds=1, interval=1e-9, device="cpu"), []
    settings = {"threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None, "resources": {"GPU": 1}}

    def kill_four_times(client, nanny):
        """Each time when all nine are assigned, of which the first takes a second or more, and all has started."""
        while len(killed) < 4:
            started = nanny.status.name == "running" and nanny.process and nanny.process.status.name == "running"
            if started and nanny.pid not in killed and len(client.processing().get(nanny.worker_address, ())) == 9:
                killed.append(nanny.pid)
                os.kill(nanny.pid, signal.SIGKILL)
            time.sleep(0.01)

    with distributed.LocalCluster(n_workers=1, **settings) as cluster, cluster.get_client() as client:
        client.wait_for_workers(1, timeout=HANGS_S)
        killer = threading.Thread(target=kill_four_times, args=(client, cluster.workers[0]), daemon=True)
        killer.start()
        frame = measure_plan(plan, store, client.get_executor(resources={"GPU": 1}, pure=False), quiet)
        killer.join(HANGS_S)
        blamed = cluster.scheduler.task_prefixes["measure_point"].suspicious
    assert (len(killed), blamed) == (4, 36)
    assert frame["reason"].isna().all(), frame["message"].tolist()
    assert (frame["median_ms"] > 0).all()
    assert measured_once(store, plan)


def test_on_a_cluster_a_sweep_is_stopped_and_started_again(store, executor):
    def stops(step):
        if step.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_plan(PLAN, store, executor, stops)
    assert len(store) == 4
    measure_plan(PLAN, store, executor, quiet)
    assert measured_once(store)


@posix
def test_on_a_cluster_whose_scheduler_is_killed(store, tmp_path):
    """It takes all tasks with it; what was measured is kept, and another cluster goes on."""
    distributed = pytest.importorskip("distributed")
    file = str(tmp_path / "scheduler.json")

    def start(kind: str, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--scheduler-file", file, "--no-dashboard"]
        return subprocess.Popen([*command, *arguments], stderr=subprocess.DEVNULL)

    scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0")
    worker = start("worker", "--nworkers", "1", "--nthreads", "1", "--resources", "GPU=1")

    def kills(step):
        if step.done == 3:
            scheduler.kill()

    try:
        with (
            distributed.Client(scheduler_file=file) as client,
            pytest.raises(MeasureError, match="has broken or dropped"),
        ):
            measure_plan(PLAN, store, client.get_executor(resources={"GPU": 1}, pure=False), kills)
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()
    assert 3 <= len(store) < len(PLAN)
    measure_plan(PLAN, store, progress=quiet)
    assert measured_once(store)


def test_a_point_whose_images_do_not_fit_is_a_row_among_others(store):
    deep = fs.anynet(name="Deep", depths=[1] * 4, widths=[16] * 4, group_widths=8, stem_width=16, resolution=32)
    frame = measure_plan(Plan(deep, batch=[1, 2], mode="training", **SHORT), store, progress=quiet)
    assert frame["reason"].fillna("").tolist() == ["failed", ""]
    assert "BN sees one value of a channel" in frame["message"][0]
    assert frame["interval"].tolist() == [SHORT["interval"]] * 2  # that was asked for


def test_the_largest_batch_here(store):
    frame = measure_plan(Plan(TINY, batch="largest", **SHORT), store, progress=quiet)
    assert frame["reason"].isna().all()
    assert frame["batch"][0] >= 64
    assert measure_plan(Plan(TINY, batch="largest", **SHORT), store, progress=quiet).equals(frame)
