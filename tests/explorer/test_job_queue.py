"""Several jobs in order, told to one listener; most here on a worker that only acts, the last on a real one."""

import asyncio
import threading
import time

import pytest
from helpers.fake_device import TINY
from helpers.waiting import HANGS_S, until

from fastscale_lib.explorer import job_queue as measuring
from fastscale_lib.explorer.job_queue import Job, Measuring
from fastscale_lib.explorer.shared_worker import SharedWorker

DONE = (None, "done")


class Actor:
    """Stands in for a `SharedWorker`: a job is {"events": [...], "holds": ...}; one that holds ends when cancelled."""

    def __init__(self):
        self.submitted, self.cancelled, self.closed = [], 0, False
        self._released = threading.Event()
        self._held = None

    def submit(self, request, on_event):
        assert self._held is None, "a job is in hand"
        self.submitted.append(request)
        self._released.clear()
        self._held = threading.Thread(target=self._act, args=(request, on_event), daemon=True)
        self._held.start()
        return len(self.submitted)

    def cancel(self):
        self.cancelled += 1
        self._released.set()

    def close(self):
        self.closed = True
        self._released.set()

    def _act(self, request, on_event):
        for event in request.get("events", []):
            on_event(event)
        if request.get("holds") and self._released.wait(HANGS_S):
            last = {"kind": "error", "reason": "cancelled", "message": "the measurement was cancelled"}
        else:
            last = request.get("last", {"kind": "result", "measurement": {}})
        self._held = None  # as with the real one: the next may be submitted by who is told of the end
        on_event(last)


def failed(reason: str) -> dict:
    return {"kind": "error", "reason": reason, "message": f"{reason}."}


HOLDS = {"holds": True, "events": [{"kind": "progress", "phase": "timing", "fraction": 0.5}]}


@pytest.fixture
def told() -> list:
    return []


@pytest.fixture
def jobs(monkeypatch, told):
    """A `Measuring` on an acting worker, that writes down the key and kind of what it is told."""
    monkeypatch.setattr(measuring, "SharedWorker", Actor)
    made = Measuring(lambda key, event: told.append((key, event["kind"])))
    yield made
    made.close()


def test_jobs_are_done_in_order_and_the_end_is_told(jobs, told):
    jobs.start([Job(key, {}) for key in "abc"])
    assert jobs.wait(HANGS_S)
    assert told == [("a", "result"), ("b", "result"), ("c", "result"), DONE]
    assert not jobs.busy
    assert jobs.left == 0


def test_nothing_to_wait_for(jobs, told):
    assert jobs.wait(0)
    jobs.start([])
    assert jobs.wait(HANGS_S)
    assert told == [DONE]


def test_how_many_are_left_counts_the_one_in_hand(jobs):
    jobs.start([Job("a", HOLDS), Job("b", {})])
    assert jobs.busy
    assert jobs.left == 2


def test_waiting_takes_no_longer_than_asked(jobs):
    jobs.start([Job("a", HOLDS)])
    assert not jobs.wait(0.2)
    jobs.cancel()
    assert jobs.wait(HANGS_S)


def test_starting_drops_what_was_in_hand_and_waiting(jobs, told):
    jobs.start([Job("old", HOLDS), Job("older", {})])
    until(lambda: told)
    jobs.start([Job("new", {})])
    assert jobs.wait(HANGS_S)
    assert told == [("old", "progress"), ("old", "error"), ("new", "result"), DONE]
    assert len(jobs.worker.submitted) == 2


def test_only_the_last_of_many_starts_counts(jobs, told):
    for number in range(20):
        jobs.start([Job(number, HOLDS)])
    jobs.start([Job("last", {})])
    assert jobs.wait(HANGS_S)
    assert told[-2:] == [("last", "result"), DONE]
    assert {kind for _, kind in told[:-2]} <= {"progress", "error"}
    assert told.count(DONE) == 1


def test_cancelling_drops_all(jobs, told):
    jobs.start([Job("a", HOLDS), Job("b", {})])
    until(lambda: told)
    jobs.cancel()
    assert jobs.wait(HANGS_S)
    assert told == [("a", "progress"), ("a", "error"), DONE]
    jobs.start([Job("c", {})])
    assert jobs.wait(HANGS_S)
    assert told[-2:] == [("c", "result"), DONE]


def test_cancelling_nothing_is_fine(jobs, told):
    jobs.cancel()
    assert told == []


@pytest.mark.parametrize("reason", ["out of memory", "failed", "died", "time limit"])
def test_after_a_failure_the_others_are_done(jobs, told, reason):
    jobs.start([Job("a", {"last": failed(reason)}), Job("b", {})])
    assert jobs.wait(HANGS_S)
    assert told == [("a", "error"), ("b", "result"), DONE]


def test_a_wrong_setting_would_fail_for_all_and_is_told_once(jobs, told):
    jobs.start([Job("a", {"last": failed("setting")}), Job("b", {})])
    assert jobs.wait(HANGS_S)
    assert told == [("a", "error"), DONE]


def test_a_listener_may_start_the_next(monkeypatch):
    monkeypatch.setattr(measuring, "SharedWorker", Actor)
    told = []

    def on_event(key, event):
        told.append((key, event["kind"]))
        if (key, event["kind"]) == ("a", "result"):
            made.start([Job("b", {})])

    made = Measuring(on_event)
    made.start([Job("a", {})])
    assert made.wait(HANGS_S)
    assert ("b", "result") in told
    assert told[-1] == DONE
    made.close()


def test_waiting_ends_after_the_last_was_told(monkeypatch):
    """`wait` promises that all is done, so what the listener does about the end is done as well."""
    monkeypatch.setattr(measuring, "SharedWorker", Actor)
    ended = []

    def on_event(key, event):
        if event["kind"] == "done":
            time.sleep(0.3)
            ended.append(True)

    made = Measuring(on_event)
    made.start([Job("a", {})])
    made.wait(HANGS_S)
    assert ended
    made.close()


def test_events_are_told_in_order_while_another_thread_waits(monkeypatch):
    monkeypatch.setattr(measuring, "SharedWorker", Actor)
    events = [{"kind": "progress", "phase": "timing", "fraction": n / 3000} for n in range(3000)]
    told = []

    def on_event(key, event):
        told.append(event.get("fraction", 1 if event["kind"] == "result" else 2))

    made = Measuring(on_event)
    made.start([Job("a", {"events": events})])
    assert made.wait(HANGS_S)
    assert told == sorted(told)
    made.close()


def test_with_a_loop_events_are_told_in_its_thread(monkeypatch):
    monkeypatch.setattr(measuring, "SharedWorker", Actor)
    told = []

    async def notebook():
        made = Measuring(lambda key, event: told.append((event["kind"], threading.get_ident())))
        made.start([Job("a", {"events": HOLDS["events"]}), Job("b", {})])
        while made.busy:
            await asyncio.sleep(0.005)
        made.close()
        return threading.get_ident()

    here = asyncio.run(notebook())
    assert [kind for kind, _ in told] == ["progress", "result", "result", "done"]
    assert {thread for _, thread in told} == {here}


def test_a_cell_that_waits_is_told_although_the_loop_stands_still(monkeypatch):
    monkeypatch.setattr(measuring, "SharedWorker", Actor)
    told = []

    async def cell():
        made = Measuring(lambda key, event: told.append((key, event["kind"])))
        made.start([Job("a", {}), Job("b", {})])
        assert made.wait(HANGS_S)
        seen = list(told)
        await asyncio.sleep(0.05)  # what the loop was asked to tell was told already
        made.close()
        return seen

    assert asyncio.run(cell()) == told == [("a", "result"), ("b", "result"), DONE]


def test_a_loop_that_is_gone_stops_the_rest(monkeypatch):
    actor = Actor()
    monkeypatch.setattr(measuring, "SharedWorker", lambda: actor)
    told = []

    async def started():
        made = Measuring(lambda key, event: told.append((key, event["kind"])))
        made.start([Job("a", HOLDS), Job("b", {})])
        return made

    made = asyncio.run(started())
    until(lambda: actor.submitted)
    made.close()
    time.sleep(0.1)
    assert len(actor.submitted) == 1


def test_closing_closes_the_worker_and_starts_nothing(jobs):
    jobs.start([Job("a", HOLDS), Job("b", {})])
    jobs.close()
    until(lambda: jobs.worker.closed)
    time.sleep(0.05)
    assert len(jobs.worker.submitted) == 1


def test_on_the_real_worker():
    told = []
    made = Measuring(lambda key, event: told.append((key, event)))
    assert isinstance(made.worker, SharedWorker)
    request = {"kind": "measure", "network": TINY[0].to_dict(), "device": "cpu", "batch": 2, "seconds": 0.1}
    made.start([Job("devices", {"kind": "devices"}), Job("time", request)])
    try:
        assert made.wait(HANGS_S)
    finally:
        made.close()
    ends = [(key, event["kind"]) for key, event in told if event["kind"] != "progress"]
    assert ends == [("devices", "devices"), ("time", "result"), DONE]
    assert "cpu" in told[0][1]["devices"]
    assert [event["phase"] for key, event in told if key == "time" and event["kind"] == "progress"]
    assert made.worker.pid is None
