"""The campaign for a few minutes on a GPU: its plans, their order, a script that stops in time, goes on, and checks."""

import contextlib
import importlib.util
import json
import re
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
from helpers.posix import posix
from helpers.waiting import HANGS_S, until

import fastscale_lib as fs
from fastscale_lib.measuring import tasks
from fastscale_lib.records.measurement import Measurement
from fastscale_lib.records.store import Store

PLANS = Path(__file__).parents[2] / "data" / "plans"
SCRIPT = PLANS / "gpu_campaign.py"
FILES = sorted(PLANS.glob("gpu_campaign_*.yaml"))
TINY = fs.anynet(name="Tiny", depths=[1], widths=[16], group_widths=8, stem_width=16, resolution=32, classes=10)
HOW: dict[str, Any] = {"precision": "bf16", "device": "cuda"}

pytestmark = posix  # its alarm clock is


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("gpu_campaign", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "rows.jsonl")


# The plans.


def test_there_are_six_plans():
    assert [file.stem[-1] for file in FILES] == list("123456")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_plan_has_as_many_points_as_it_says(file):
    [said] = re.findall(r"(\d+) points", file.read_text("utf-8"))
    assert len(fs.Plan.read(file)) == int(said)


@pytest.mark.parametrize(("number", "settings"), [(2, 2), (5, 1), (6, 1)])
def test_ten_networks_of_six_families_are_enough_for_a_fit(number, settings):
    by_setting: dict[Any, list[str]] = {}
    for point in fs.Plan.read(FILES[number - 1]).points():
        by_setting.setdefault((point.mode, point.precision), []).append(point.base)
    assert len(by_setting) == settings
    for bases in by_setting.values():
        assert len(bases) == 10
        assert len({name.split("-")[0] for name in bases}) == 6


def test_small_networks_are_measured_with_cuda_graphs_and_once_without():
    assert [fs.Plan.read(file).cuda_graph for file in FILES] == [False, True, True, True, True, False]


def test_one_plan_has_group_widths_of_both_kinds():
    networks = [each.network for each in fs.Plan.read(FILES[3]).points() if isinstance(each.network, fs.Network)]
    widths = {network.group_widths[-1] for network in networks}
    assert {24, 64, 128} < widths
    assert any(width & (width - 1) for width in widths if width > 64)


# The script, on an executor that only acts.

MACHINE = {
    **{"device": "cuda:0", "device_name": "A GPU", "device_count": 1, "cpu_name": "A CPU", "threads": 4},
    **{"torch": "2.13.0", "cuda": "12.9", "cudnn": "91002", "driver": "580.0", "library": "0.1.0"},
}
NO_GRAPH = "the capture of a CUDA graph failed: not permitted; try it without cuda_graph"


class Acting(Executor):
    """Measures nothing: each point takes the next of these milliseconds; no graph of ConvNeXt is captured."""

    def __init__(self, *ms: float) -> None:
        self.ms, self.done = iter(ms), []

    def submit(self, task, /, *data, **options) -> Future:
        future = Future()
        future.set_result({"environment": MACHINE} if task is tasks.read_environment else self.answer(*data))
        return future

    def answer(self, network: Any, settings: Any) -> dict[str, Any]:
        self.done.append((network["name"], settings["mode"], settings["cuda_graph"]))
        told = {"worker": "acting:1", "device": "cuda:0"}
        if settings["cuda_graph"] and network["name"].startswith("ConvNeXt"):
            return {"reason": "failed", "message": NO_GRAPH, **told}
        ms = next(self.ms, 10.0)
        names = ("batch", "mode", "precision", "channels_last", "compile", "tf32", "cuda_graph")
        measurement = Measurement(
            **{"network": network["name"], "resolution": network["resolution"]},
            **{name: settings[name] for name in names},
            **{"median_ms": ms, "low_ms": 0.999 * ms, "high_ms": 1.001 * ms, "q1_ms": ms, "q3_ms": ms},
            **{"half_width": 0.001, "converged": True, "runs": 60, "blocks": 12, "images_per_s": 1e3},
            **{"peak_memory_bytes": 10**6, "cudnn_benchmark": True, "date": "2026-01-01T00:00:00+00:00", **MACHINE},
        )
        return {"measurement": measurement.to_dict(), **told}


class Hanging(Acting):
    """Never answers."""

    def submit(self, task, /, *data, **options) -> Future:
        return super().submit(task, *data) if task is tasks.read_environment else Future()


def run(script: Any, plans: list[fs.Plan], store: Store, executor: Executor, seconds: float = HANGS_S) -> bool:
    return script.campaign(plans, store, seconds, lambda: contextlib.nullcontext(executor))


def test_plans_are_measured_in_order_and_the_first_points_again(script, store, capsys):
    plans = [fs.Plan("ResNet-50", mode=["inference", "training"], **HOW), fs.Plan("RegNetX-400MF", **HOW)]
    acting = Acting(10, 20, 30, 10.1, 19.9)
    assert run(script, plans, store, acting)
    first = [("ResNet-50", "inference", False), ("ResNet-50", "training", False)]
    assert acting.done == [*first, ("RegNetX-400MF", "inference", False), *first]
    said = capsys.readouterr().err
    assert "plan 2 of 2, 1 points; " in said
    assert "ResNet-50, batch 64, inference, bf16, measured again: same: 1.010× the time" in said


def test_times_that_differ_when_measured_again_are_said(script, store, capsys):
    assert not run(script, [fs.Plan("ResNet-50", **HOW)], store, Acting(10, 11))
    assert "measured again: slower: 1.100× the time" in capsys.readouterr().err


def test_what_cannot_be_captured_is_measured_without_a_graph(script, store, capsys):
    plan = fs.Plan(["ResNet-50", "ConvNeXt-T"], cuda_graph=True, **HOW)
    assert run(script, [plan], store, Acting())
    rows = [(row["network"], row["cuda_graph"], row["message"], row["median_ms"]) for row in store]
    assert rows == [
        ("ResNet-50", True, None, 10.0),
        ("ConvNeXt-T", True, NO_GRAPH, None),
        ("ConvNeXt-T", False, None, 10.0),
        ("ResNet-50", True, None, 10.0),  # again
    ]
    assert "no CUDA graph of ConvNeXt-T, so these are measured without" in capsys.readouterr().err
    again = Acting()
    assert run(script, [plan], store, again)  # which goes on where it was
    assert again.done == [("ResNet-50", "inference", True)]


def test_when_the_time_is_up_the_rest_is_left(script, store, capsys):
    plans = [fs.Plan("ResNet-50", **HOW)] * 2
    assert run(script, plans, store, Hanging(), seconds=1.5)
    assert re.search("the time is up before plan [12]; the same command goes on", capsys.readouterr().err)
    assert not len(store)


@pytest.fixture
def ctrl_c():
    """Ctrl+C raises, also where the tests run in the background and ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_all(script):
    with pytest.raises(KeyboardInterrupt), script.stopped_after(HANGS_S):
        signal.raise_signal(signal.SIGINT)
    with script.stopped_after(HANGS_S):
        signal.raise_signal(signal.SIGALRM)


# The script, really, on a CPU.


def test_killed_and_started_again_it_goes_on(tmp_path):
    plans, store = tmp_path / "plans", tmp_path / "rows.jsonl"
    plans.mkdir()
    how: dict[str, Any] = {"batch": [1, 2, 4, 8], "device": "cpu", "interval": 0.5, "seconds": 0.05}
    for number, mode in enumerate(("inference", "training"), 1):
        plan = fs.Plan(TINY, mode=mode, **how)
        (plans / f"gpu_campaign_{number}.yaml").write_text(plan.to_yaml(), "utf-8")
    command = [sys.executable, SCRIPT, store, "--plans", plans]
    first = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    until(lambda: store.is_file() and store.read_bytes().count(b"\n") >= 2)
    first.kill()
    first.wait()
    kept = store.read_bytes()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=HANGS_S)
    assert done.returncode in (0, 1), done.stderr  # a busy machine may be slower than before
    assert store.read_bytes().startswith(kept)
    rows = [json.loads(line) for line in store.read_text("utf-8").splitlines()]
    counted = Counter((row["mode"], row["batch"]) for row in rows)
    again = {("inference", batch): 2 for batch in (1, 2, 4)}
    assert counted == Counter(
        {(mode, batch): 1 for mode in ("inference", "training") for batch in how["batch"]} | again
    )
    assert done.stderr.count("measured again: ") == 3
