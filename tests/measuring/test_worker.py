"""Workers: networks measured in a subprocess, and how a job ends there."""

from __future__ import annotations

import json
import math
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from helpers.posix import posix
from helpers.quick_runs import LONG, SHORT, TINY
from helpers.waiting import HANGS_S, until

import fastscale_lib as fs
from fastscale_lib.measuring.device_finder import devices
from fastscale_lib.measuring.environment import read_environment
from fastscale_lib.measuring.settings import Settings
from fastscale_lib.measuring.worker import Worker
from fastscale_lib.records.measurement import MeasureError, SettingError


@pytest.fixture(scope="module")
def worker():
    with Worker() as worker:
        yield worker


class Events:
    """Callback of a job: keeps its events, and can wait for one."""

    def __init__(self):
        self.all, self._new = [], queue.SimpleQueue()

    def __call__(self, event):
        self.all.append(event)
        self._new.put(event)

    def wait_for(self, *wanted, timeout=HANGS_S):
        while True:
            event = self._new.get(timeout=timeout)
            if event["kind"] in wanted or event.get("phase") in wanted:
                return event

    @property
    def terminal(self):
        return [event for event in self.all if event["kind"] != "progress"]


def start_long(worker):
    """Start a job that would be timed for a minute, and wait until it is."""
    events = Events()
    worker.submit({"network": TINY.to_dict(), **LONG}, events)
    events.wait_for("timing")
    return events


def test_two_measurements_share_a_process(worker):
    told = []
    first = worker.time(TINY, Settings(**SHORT), progress=lambda phase, fraction: told.append(phase))
    pid = worker.pid
    second = worker.time(TINY, Settings(**SHORT, mode="training"))
    assert worker.pid == pid != os.getpid()
    assert (first.network, first.mode, second.mode) == ("Tiny", "inference", "training")
    assert set(told) == {"building", "warm-up", "timing"}
    assert worker.devices() == devices()
    assert worker.environment("cpu") == read_environment("cpu")


def ended(worker, request) -> dict:
    """Return the event that ends a plain request."""
    worker.submit(request, events := Events())
    return events.wait_for("result", "error")


def test_a_refusal_is_the_same_from_a_worker(worker):
    told = ended(worker, {"network": TINY.to_dict(), **SHORT, "batch": 0})
    assert told["message"].startswith("batch is 0, but must be a whole number")
    assert told["reason"] == "setting"
    for ask in (worker.environment, lambda device: worker.time(TINY, Settings(device=device))):
        with pytest.raises(SettingError, match="device is 'cuda:99', but must be a device that torch finds here"):
            ask("cuda:99")


def test_whatever_failed_the_next_job_has_a_fresh_process(worker):
    """After a CUDA error, for one, everything in that process would fail."""
    assert worker.time(TINY, Settings(**SHORT)).blocks
    pid = worker.pid
    told = ended(worker, {"network": TINY.to_dict(), **SHORT, "colour": "blue"})
    assert told["reason"] == "failed"
    assert re.match("TypeError: .*colour", told["message"])
    assert worker.time(TINY, Settings(**SHORT)).blocks
    assert worker.pid != pid


@posix
def test_one_job_at_a_time_and_its_cancelling(worker):
    events = start_long(worker)
    with pytest.raises(MeasureError, match="a job is running"):
        worker.submit({"network": TINY.to_dict()}, print)
    assert os.getpgid(worker.pid) != os.getpgid(0)  # Ctrl-C here does not reach it
    worker.cancel()
    assert not worker.busy
    assert events.wait_for("error")["reason"] == "cancelled"
    assert worker.time(TINY, Settings(**SHORT)).blocks
    assert len(events.terminal) == 1
    worker.cancel()  # without a job, nothing happens
    assert worker.pid


def test_a_patient_cancel_keeps_the_process_for_the_next_job(worker):
    events, pid = start_long(worker), worker.pid
    worker.cancel(patience=10.0)
    assert events.wait_for("error")["reason"] == "cancelled"
    assert worker.time(TINY, Settings(**SHORT)).blocks
    assert worker.pid == pid


@posix
def test_a_killed_process_is_one_error_and_the_next_measurement_works(worker):
    events = start_long(worker)
    pid = worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    event = events.wait_for("error")
    assert event["reason"] == "died"
    assert "killed (signal 9)" in event["message"]
    assert "try a smaller batch" in event["message"]
    assert worker.time(TINY, Settings(**SHORT)).blocks
    assert worker.pid != pid
    assert len(events.terminal) == 1


@posix
def test_a_time_limit(worker):
    with pytest.raises(MeasureError, match=r"stopped at the time limit of 0\.5 s") as stopped:
        worker.time(TINY, Settings(**LONG), timeout=0.5)
    assert stopped.value.reason == "time limit"


@posix
def test_a_crash_between_jobs_goes_unnoticed_and_a_callback_may_submit():
    events = Events()

    def then_again(event):
        assert event["kind"] == "devices"
        worker.submit({"kind": "devices"}, events)

    with Worker() as worker:
        worker.submit({"kind": "dance"}, first := Events())
        assert "kind is 'dance'" in first.wait_for("error")["message"]
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSEGV)
        until(lambda: not worker.pid)
        worker.submit({"kind": "devices"}, then_again)
        assert "cpu" in events.wait_for("devices")["devices"]
    with pytest.raises(MeasureError, match="closed"):
        worker.submit({"kind": "devices"}, events)


@posix
def test_the_process_ends_with_its_caller_and_the_caller_loads_no_torch():
    code = (
        "import json, sys, time\n"
        "from fastscale_lib.measuring.worker import Worker\n"
        "worker = Worker()\n"
        "tell = lambda event: print(event.get('phase'), worker.pid, 'torch' in sys.modules, flush=True)\n"
        "worker.submit(json.loads(sys.argv[1]), tell)\n"
        "time.sleep(60)\n"
    )
    request = json.dumps({"network": TINY.to_dict(), **LONG})
    root = str(Path(fs.__file__).parents[1])
    command = [sys.executable, "-c", code, request]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}) as caller:
        assert caller.stdout is not None
        said = next(line.split() for line in caller.stdout if line.startswith("timing"))
        caller.kill()
    pid, torch_loaded = int(said[1]), said[2]
    assert torch_loaded == "False"
    until(lambda: not runs(pid))


def runs(pid):
    """Tell whether the process still runs: one that has ended may be listed until its parent asks."""
    asked = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return asked.stdout.strip() not in ("", "Z", "Z+", "Zs")


@pytest.mark.parametrize("limit", [1e10, sys.float_info.max], ids=["1e10", "the largest float"])
def test_a_limit_of_more_years_than_a_thread_can_wait_is_one(worker, limit):
    """Its timer waits as long as it can, and does not die at once."""
    job = Events()
    worker.submit({"network": TINY.to_dict(), **LONG}, job, limit)
    job.wait_for("timing")
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    assert threading.TIMEOUT_MAX in [timer.interval for timer in timers]
    worker.cancel()
    assert job.wait_for("error")["reason"] == "cancelled"


@pytest.mark.parametrize("limit", [0, -1, math.nan, math.inf, "9", True, 10**400])
def test_a_limit_that_is_none_is_refused_by_the_worker_too(worker, limit):
    with pytest.raises(SettingError, match=r"^limit is .*, but must be a number above 0"):
        worker.time(TINY, Settings(**SHORT), timeout=limit)
