"""The largest batch that fits: what counts as fitting, and the search for it."""

import os
import signal
import sys
from typing import Any

import pytest
import torch

import fastscale_lib as fs
from fastscale_lib._common.memory import available_bytes
from fastscale_lib.measuring.batch_search import CapacityWarning, largest_batch
from fastscale_lib.measuring.device_finder import find_device
from fastscale_lib.measuring.running import is_out_of_memory, is_spoilt
from fastscale_lib.measuring.settings import MODES, Settings
from fastscale_lib.measuring.worker import Worker
from fastscale_lib.records.measurement import MeasureError, SettingError

TINY = fs.anynet(name="Tiny", depths=[1, 1], widths=[16, 32], group_widths=8, stem_width=16, resolution=64, classes=10)
CPU = find_device("cpu")
MIB = 2**20

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells and limits a CPU's memory")


@pytest.fixture(scope="module")
def worker():
    with Worker() as worker:
        yield worker


# What fits.


def fits(worker, batch, mode, memory_bytes, resolution=None) -> bool:
    """Tell whether a trial runs; it may fail of memory alone."""
    try:
        worker.try_run(TINY, Settings(batch, mode, device="cpu", resolution=resolution), memory_bytes)
    except MeasureError as error:
        if error.reason != "out of memory":
            raise
        return False
    return True


@linux
def test_half_the_batch_found_fits_and_training_takes_more_memory(worker):
    how: dict[str, Any] = {"memory_bytes": 320 * MIB, "resolution": 128}
    found = {}  # some 310 and 80 to 160 images
    for mode in MODES:
        found[mode] = largest_batch(TINY, mode, device="cpu", **how, grain=1, worker=worker)
        assert fits(worker, mode=mode, batch=found[mode] // 2, **how)
    assert 8 <= found["training"] < found["inference"]


@linux
def test_images_need_not_be_square(worker):
    how: dict[str, Any] = {"memory_bytes": 320 * MIB, "device": "cpu", "worker": worker}
    assert largest_batch(TINY, **how, resolution=(32, 128), limit=2) == 2


@linux
def test_where_nothing_fits_the_reason_is_told(worker):
    with pytest.raises(MeasureError, match=r"^Tiny: not even one image fits: "):
        largest_batch(TINY, device="cpu", resolution=2048, memory_bytes=MIB, limit=1, worker=worker)


@linux
@pytest.mark.parametrize("mib", [1, 8])
def test_where_memory_was_refused_the_next_measurement_works(worker, mib):
    """Though oneDNN, once refused memory, keeps refusing in that process."""
    batch = 2
    while fits(worker, batch=batch, mode="training", memory_bytes=mib * MIB):
        batch *= 2
    assert worker.time(TINY, Settings(batch, "training", device="cpu", seconds=0.1)).blocks


@linux
def test_the_limit_is_upon_what_is_allocated_inside():
    with CPU.limited(64 * MIB):
        assert torch.empty(16 * MIB, dtype=torch.uint8).numel()
        with pytest.raises(RuntimeError) as error:
            torch.empty(256 * MIB, dtype=torch.uint8)
    assert is_out_of_memory(error.value)
    assert torch.empty(256 * MIB, dtype=torch.uint8).numel()


@linux
def test_a_try_may_take_what_is_available_and_no_more():
    available = available_bytes()
    assert available is not None
    with CPU.limited(), pytest.raises(RuntimeError) as error:
        torch.empty(available, dtype=torch.uint8)
    assert is_out_of_memory(error.value)


def test_without_knowing_the_memory_no_batch_is_tried_on_a_cpu(monkeypatch):
    monkeypatch.setattr("fastscale_lib.measuring.device_classes.available_bytes", lambda: None)
    with pytest.raises(SettingError, match="only Linux tells how much memory a CPU has left"), CPU.limited():
        pass


@pytest.mark.parametrize(
    ("message", "ran_out"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB.", True),
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.", True),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", True),
        ("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED", True),
        ("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED", True),
        ("FIND was unable to find an engine to execute this computation", True),
        ("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`", True),
        ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`", False),
        ("CUDA error: an illegal memory access was encountered", False),
        ("std::bad_alloc", True),
        ("could not create a primitive", True),
        ("could not create a primitive descriptor for a convolution", False),
        ("mat1 and mat2 shapes cannot be multiplied", False),
    ],
)
def test_what_counts_as_memory_running_out(message, ran_out):
    assert is_out_of_memory(RuntimeError(message)) is ran_out


@pytest.mark.parametrize(
    ("message", "spoilt"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB.", False),
        ("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`", True),
        ("could not create a primitive", True),
    ],
)
def test_after_a_library_was_refused_memory_the_process_is_of_no_more_use(message, spoilt):
    assert is_spoilt(RuntimeError(message)) is spoilt


# The search.


class Device:
    """A worker on a made-up device: so many images fit; more fail for this reason."""

    def __init__(self, fits: int, reason: str = "out of memory"):
        self.fits, self.reason, self.tried = fits, reason, []

    def try_run(self, network, settings, memory_bytes=None, timeout=None):
        batch = settings.batch
        self.tried.append(batch)
        if batch > self.fits:
            raise MeasureError(f"batch {batch} does not fit", self.reason)


@pytest.mark.parametrize("fits", [1, 2, 15, 16, 17, 100, 1000, 1023])
def test_the_search_is_right_to_the_grain(fits):
    device, told = Device(fits), []
    found = largest_batch(TINY, worker=device, progress=lambda phase, fraction: told.append((phase, fraction)))
    assert found <= fits <= max(found, found * (1 + 1 / 16))
    assert [phase for phase, _ in told] == [f"batch {batch}" for batch in device.tried]
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] < 1  # it promised enough tries


def test_it_ends_at_the_limit():
    device = Device(10**9)
    with pytest.warns(CapacityWarning, match=r"100 images fit, and the search ended there, at its limit; .* limit=400"):
        assert largest_batch(TINY, limit=100, worker=device) == 100
    assert device.tried == [16, 32, 64, 100]
    with pytest.warns(CapacityWarning):
        assert largest_batch(TINY, limit=3, worker=device) == 3


def test_a_batch_that_fills_the_device_is_told_without_a_warning(recwarn):
    largest_batch(TINY, limit=100, worker=Device(99))
    assert not recwarn.list


def test_a_try_that_kills_the_process_did_not_fit():
    assert 94 <= largest_batch(TINY, worker=Device(100, "died")) <= 100


@linux
def test_a_process_that_the_system_kills_is_survived(monkeypatch, worker):
    """Killed in the middle of a try, as the system does when memory runs out."""
    submit, killed = Worker.submit, []

    def submit_and_kill(self, request, *rest):
        number = submit(self, request, *rest)
        if request["batch"] > 20:
            killed.append(self.pid)
            os.kill(self.pid, signal.SIGKILL)
        return number

    monkeypatch.setattr(Worker, "submit", submit_and_kill)
    assert largest_batch(TINY, device="cpu", resolution=224, grain=0.25, worker=worker) == 20
    assert len(set(killed)) == 2


def test_what_is_said_where_not_one_image_fits():
    with pytest.raises(MeasureError, match=r"^Tiny: not even one image fits: batch 1 does not fit$") as failed:
        largest_batch(TINY, worker=(device := Device(0)))
    assert failed.value.reason == "out of memory"
    assert device.tried == [16, 8, 4, 2, 1]


@pytest.mark.parametrize("reason", ["time limit", "failed"])
def test_once_a_batch_has_fitted_any_failure_bounds_the_search(reason):
    with pytest.warns(CapacityWarning, match=r"images are taken not to fit, since trying them failed otherwise: batch"):
        assert 38 <= largest_batch(TINY, worker=Device(40, reason)) <= 40


@pytest.mark.parametrize(("fits", "reason"), [(0, "time limit"), (0, "failed"), (40, "setting"), (40, "cancelled")])
def test_what_fails_otherwise_is_not_taken_for_memory(fits, reason):
    with pytest.raises(MeasureError) as failed:
        largest_batch(TINY, worker=Device(fits, reason))
    assert failed.value.reason == reason


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"limit": 0}, "limit is 0, but must be a whole number of at least 1; try limit=4096"),
        ({"grain": 0}, "grain is 0, but must be a number above 0 and at most 1; try grain=1/16"),
        ({"memory_bytes": -1}, "memory_bytes is -1, but must be a whole number of at least 1"),
    ],
)
def test_refuses_in_a_sentence(how, sentence):
    with pytest.raises(SettingError) as refused:
        largest_batch(TINY, worker=Device(1), **how)
    assert sentence in str(refused.value)
