"""On a real GPU: what other files test on made-up ones.

It needs torch, numpy, pandas, pyyaml and pytest alone:

python -m pytest --noconftest tests/measuring/test_on_gpu.py

No other process is to use the GPU.
"""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

import fastscale_lib as fs
from fastscale_lib.measuring.device_finder import find_device
from fastscale_lib.measuring.running import flags, runner
from fastscale_lib.measuring.settings import MODES, PRECISIONS, Settings
from fastscale_lib.measuring.worker import Worker
from fastscale_lib.records.measurement import MeasureError

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

NETWORK = "RegNetX-400MF"
GIB = 2**30
BATCH = 256  # of ResNet-50 in bf16: with 64 images an H200 waits for its host
WATCHED = ("clock_mhz", "power_w", "temperature_c", "throttle")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("mode", MODES)
def test_a_measurement_is_whole(mode, precision):
    found = fs.measure(NETWORK, batch=64, mode=mode, precision=precision, device="cuda", interval=0.05, seconds=3)
    assert (found.mode, found.precision) == (mode, precision)
    assert found.device.startswith("cuda:")
    assert found.blocks >= 6
    assert 0 < found.low_ms <= found.median_ms <= found.high_ms
    assert found.launch_ms is not None
    assert found.peak_memory_bytes is not None
    assert found.device_count is not None
    assert 0 < found.launch_ms < 1000
    assert found.peak_memory_bytes > 4 * fs.complexity(NETWORK).params  # weights are fp32
    assert found.driver
    assert found.device_count >= 1
    told = {f"{name}_{when}": getattr(found, f"{name}_{when}") for name in WATCHED for when in ("before", "after")}
    assert None not in told.values(), told


def test_a_small_network_waits_for_the_host_and_a_large_one_does_not():
    small = fs.measure(NETWORK, batch=2, resolution=32, device="cuda", seconds=2)
    large = fs.measure("ResNet-50", batch=64, mode="training", device="cuda", seconds=2)
    assert (small.launch_bound, large.launch_bound) == (True, False)


@pytest.mark.parametrize("mode", MODES)
def test_a_cuda_graph_takes_the_host_out_and_changes_nothing_else(mode):
    how: dict[str, Any] = {"mode": mode, "precision": "bf16", "device": "cuda", "seconds": 2}
    small, replayed = (fs.measure(NETWORK, 2, resolution=64, cuda_graph=graph, **how) for graph in (False, True))
    assert (small.launch_bound, replayed.cuda_graph) == (True, True)
    assert replayed.median_ms < small.median_ms
    large, same = (fs.measure("ResNet-50", BATCH, cuda_graph=graph, **how) for graph in (False, True))
    assert same.median_ms == pytest.approx(large.median_ms, rel=0.05)
    assert same.peak_memory_bytes == pytest.approx(large.peak_memory_bytes, rel=0.2)


def test_a_replayed_training_step_does_what_a_step_does():
    """From the same weights, on the same images: weights and statistics are alike after some steps."""
    settings, device = Settings(8, "training", device="cuda", resolution=64), find_device("cuda")
    modules: list[Any] = [fs.build(NETWORK, device="cuda") for _ in range(2)]
    modules[1].load_state_dict(modules[0].state_dict())
    run, captured = (runner(each, settings, device, 3) for each in modules)
    with flags(tf32=False):
        replay = device.captured(captured)
        for _ in range(3):  # before the capture, in which nothing is run
            run()
        for _ in range(5):
            run()
            replay()
        torch.cuda.synchronize()
    for one, other in zip(*(each.state_dict().values() for each in modules), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-3)


def test_a_module_does_not_share_the_gpu_with_a_process_of_ours_that_waits():
    assert fs.measure(NETWORK, batch=2, device="cuda", seconds=0.5).blocks
    found = fs.measure(fs.build(NETWORK), batch=2, device="cuda", resolution=64, seconds=0.5)
    assert not found.other_processes


def test_out_of_memory_is_a_reason_and_the_next_measurement_works():
    with Worker() as worker:
        with pytest.raises(MeasureError, match=f"^{NETWORK}: memory ran out on cuda") as failed:
            worker.time(NETWORK, Settings(2**15, "training", device="cuda"))
        assert failed.value.reason == "out of memory"
        assert worker.time(NETWORK, Settings(8, "training", device="cuda", seconds=0.5)).blocks


def test_the_largest_batch_fits_and_twice_as_many_images_do_not():
    how: dict[str, Any] = {"mode": "training", "device": "cuda"}
    with Worker() as worker:
        found = fs.largest_batch(NETWORK, **how, memory_bytes=4 * GIB, worker=worker)
        assert 8 < found < 4096
        worker.try_run(NETWORK, Settings(found, **how), 4 * GIB)
        with pytest.raises(MeasureError, match="memory ran out"):
            worker.try_run(NETWORK, Settings(2 * found, **how), 4 * GIB)


def by_hand(runs: int = 50) -> float:
    """Return the median ms of a forward pass of ResNet-50 in bf16, by CUDA events around each."""
    built: Any = fs.build("ResNet-50", device="cuda")  # torch does not type memory_format
    module = built.eval().to(memory_format=torch.channels_last)
    images = torch.randn(BATCH, 3, 224, 224, device="cuda").to(memory_format=torch.channels_last)
    events = [torch.cuda.Event(enable_timing=True) for _ in range(runs + 1)]
    with flags(tf32=False), torch.inference_mode(), torch.autocast("cuda", dtype=torch.bfloat16):
        for _ in range(20):  # tuned, and warm
            module(images)
        events[0].record()
        for event in events[1:]:
            module(images)
            event.record()
        torch.cuda.synchronize()
    return float(np.median([begin.elapsed_time(end) for begin, end in itertools.pairwise(events)]))


def ours(seconds: float = 3.0) -> float:
    return fs.measure("ResNet-50", batch=BATCH, precision="bf16", device="cuda", seconds=seconds).median_ms


def test_agrees_with_events_by_hand():
    """In turn, so that what slows the GPU for a while slows both."""
    ratios = [ours(1.0) / by_hand() for _ in range(5)]
    print(f"ours over by hand: {ratios}")
    assert np.median(ratios) == pytest.approx(1, abs=0.03)


def test_five_repeats_are_nearly_the_same():
    medians = [ours() for _ in range(5)]
    print(f"medians, ms: {medians}")
    assert (max(medians) - min(medians)) / np.median(medians) < 0.02


def test_ceilings():
    single, half = (fs.measuring.ceilings("cuda", precision, seconds=1) for precision in ("fp32", "bf16"))
    assert half.multiply_adds_per_s > 2 * single.multiply_adds_per_s  # of tensor cores
    assert half.bytes_per_s == pytest.approx(single.bytes_per_s, rel=0.05)
    assert single.bytes_per_s > 1e11


def test_a_sweep(tmp_path):
    plan = fs.Plan(NETWORK, batch=[8, 16], precision="bf16", device="cuda", seconds=0.5)
    frame = fs.measure_plan(plan, tmp_path / "rows.jsonl", progress=lambda step: None)
    assert len(frame) == len(plan) == 2
    assert (frame["median_ms"] > 0).all()
    assert frame["device"].str.startswith("cuda:").all()
    assert fs.measure_plan(plan, tmp_path / "rows.jsonl", progress=lambda step: None).equals(frame)
