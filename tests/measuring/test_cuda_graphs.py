"""CUDA graphs: captured and replayed by a stand-in of torch.cuda, as there is no GPU; and a condition of their own."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.acting_gpu import ActingCuda, ActingGpu
from helpers.fake_device import BASES, HERE, by_layers, rows
from helpers.quick_runs import SHORT, TINY, Witness

import fastscale_lib as fs
from fastscale_lib.measuring import timing
from fastscale_lib.measuring.device_classes import Cpu
from fastscale_lib.measuring.running import flags, runner
from fastscale_lib.measuring.settings import MODES, Settings
from fastscale_lib.records.conditions import Conditions
from fastscale_lib.records.measurement import MeasureError, Measurement, SettingError

GRAPH: dict[str, Any] = {**SHORT, "device": "cuda", "cuda_graph": True}


@pytest.fixture
def gpu(monkeypatch) -> ActingGpu:
    return ActingGpu(monkeypatch)


class Counting(Witness):
    """Counts how often the host runs its forward pass."""

    calls = 0

    def forward(self, images):
        self.calls += 1
        return super().forward(images)


class Looking(Witness):
    """Looks at a value, for which the host waits."""

    def forward(self, images):
        return super().forward(images) * images.sum().item()


@pytest.mark.parametrize("mode", MODES)
def test_what_is_timed_are_replays_without_the_host(gpu, mode):
    module = Counting()
    found = timing.time_here(module, Settings(**GRAPH, mode=mode, resolution=32))
    [graph] = gpu.graphs
    assert found.cuda_graph
    assert graph.replays > found.runs
    assert module.calls == 3 + 1 + (mode == "training")  # before the capture, captured, and to count the classes
    assert found.launch_ms is not None  # of a replay
    assert " · CUDA graph" in str(found)


def test_a_graph_is_captured_as_torch_says(gpu):
    ActingCuda().captured(lambda: gpu.done.append("run"))
    assert gpu.done == [
        *("side 0 waits for usual", "on side 0", "run", "run", "run", "off side 0", "usual waits for side 0"),
        *("wait", "forget the peak", "capture on side 0", "run"),
    ]


def test_replayed_training_steps_change_the_weights_as_steps_do(gpu):
    """Each replay is a whole step: gradients are written anew where they are, not added."""
    settings, device = Settings(4, "training", resolution=32), ActingCuda()
    replayed = Witness()
    stepped = deepcopy(replayed)
    step, replay = runner(stepped, settings, device, 3), device.captured(runner(replayed, settings, device, 3))
    for _ in range(3 + 1):  # the runs before the capture, and that within, which the stand-in does
        step()
    for _ in range(5):
        step()
        replay()
    for one, other in zip(stepped.parameters(), replayed.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_what_cannot_be_captured_is_said_in_a_sentence(gpu):
    said = r"^the capture of a CUDA graph failed: .*not permitted when stream is capturing; try it without cuda_graph$"
    with pytest.raises(MeasureError, match=said) as failed:
        timing.time_here(Looking(), Settings(**GRAPH, resolution=32))
    assert failed.value.spoilt  # the next measurement has a process of its own
    without = timing.time_here(Looking(), Settings(**{**GRAPH, "cuda_graph": False}, resolution=32))
    assert not without.cuda_graph


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"compile": True}, "a compiled module is not captured here; leave one out"),
        ({"mode": "training", "precision": "fp16"}, "the host looks at the gradients .*; try precision='bf16'"),
        ({"cuda_graph": 1}, "cuda_graph is 1, but must be True or False; try cuda_graph=True"),
    ],
)
def test_what_is_no_run_of_a_graph_is_refused(settings, sentence):
    with pytest.raises(SettingError, match=sentence):
        Settings(**{**GRAPH, **settings})


def test_a_cpu_has_no_cuda_graph():
    with pytest.raises(SettingError, match="cuda_graph is True, but the device is cpu"):
        Cpu(torch.device("cpu")).captured(lambda: None)
    with pytest.raises(SettingError, match="only a GPU of NVIDIA replays CUDA graphs; leave it out"):
        timing.time_here(TINY, Settings(**{**GRAPH, "device": "cpu"}))


def test_the_search_of_cudnn_is_limited_within_and_recorded(gpu, monkeypatch):
    backend: Any = torch.backends.cudnn
    monkeypatch.setattr(backend, "benchmark_limit", 10)
    with flags(tf32=False, benchmark_limit=3):
        assert backend.benchmark_limit == 3
    assert backend.benchmark_limit == 10
    limited = timing.time_here(TINY, Settings(**GRAPH, cudnn_benchmark_limit=3))
    assert limited.cudnn_benchmark_limit == 3
    usual = timing.time_here(TINY, Settings(**GRAPH))
    assert usual.cudnn_benchmark_limit is None
    assert "cudnn_benchmark_limit" in fs.records.compare(limited, usual).differs
    with pytest.raises(SettingError, match=r"cudnn_benchmark_limit is 0, but must be .*; try cudnn_benchmark_limit=4"):
        Settings(cudnn_benchmark_limit=0)


def test_the_first_run_is_counted(gpu):
    found = timing.time_here(TINY, Settings(**GRAPH))
    assert found.first_run_s is not None
    assert found.first_run_s > 0


# A condition of its own.


def test_times_with_and_without_a_graph_are_different_conditions():
    for columns in (Conditions.FIT, Conditions.CASE, Conditions.HELD, Conditions.COMPARE):
        assert "cuda_graph" in columns
    key = Conditions(**HERE)
    assert replace(key, cuda_graph=True).label() == f"{key.label()}, CUDA graph"


def test_a_row_that_does_not_say_it_replayed_none(tmp_path):
    older = {"network": "A", "compile": False, "median_ms": 1.0}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(older) + "\n", "utf-8")
    store = fs.Store(path)
    assert store.rows() == [{**older, "cuda_graph": False}]
    store.add({**older, "cuda_graph": True})
    assert [row["cuda_graph"] for row in store] == [False, True]
    assert len(store.find(cuda_graph=False)) == 1
    assert Conditions.of(older) == Conditions.of({**older, "cuda_graph": None}) == Conditions(compile=False)


def test_a_fit_mixes_no_times_with_a_graph_with_others():
    older = rows(by_layers, BASES[:2]).drop(columns="cuda_graph")
    newer = rows(by_layers, BASES[:2])
    graph = rows(lambda network, batch: by_layers(network, batch) / 2, BASES[:2], cuda_graph=True)
    model = fs.RuntimeModel.fit(pd.concat([older, newer, graph], ignore_index=True))
    assert [key.cuda_graph for key in model.fitted] == [False, True]
    assert [each.rows for each in model.fitted.values()] == [2 * len(graph), len(graph)]
    each, half = (model.predict("RegNetX-400MF", cuda_graph=graph)["predicted_ms"][0] for graph in (False, True))
    assert half == pytest.approx(each / 2, rel=0.1)


def test_a_profile_says_it_only_of_graphs(tmp_path):
    model = fs.RuntimeModel.fit(rows(by_layers, BASES[:2], cuda_graph=True))
    [path] = fs.prediction.write_profiles(model, tmp_path, "made up for a test", "2026-11-27")
    assert json.loads(path.read_text("utf-8"))["settings"][0]["setting"]["cuda_graph"] is True
    assert not any(fs.prediction.profiles()["cuda_graph"])


def test_measurements_with_a_graph_come_back_from_a_store(tmp_path, gpu):
    found = timing.time_here(TINY, Settings(**GRAPH))
    store = fs.Store(tmp_path / "rows.jsonl")
    store.add(found)
    [row] = store.rows()
    assert Measurement.from_dict(row) == found
    assert not Measurement.from_dict({**row, "cuda_graph": None}).cuda_graph
    assert np.isfinite(found.median_ms)
