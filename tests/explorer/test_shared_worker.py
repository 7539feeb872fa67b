"""One process measures for all who share it, one job at a time; it ends with the last share."""

import os
import signal
import threading

import pytest
from helpers.fake_device import TINY
from helpers.waiting import HANGS_S, until

from fastscale_lib.explorer import shared_worker
from fastscale_lib.explorer.shared_worker import SharedWorker

SHORT = {"kind": "measure", "network": TINY[0].to_dict(), "device": "cpu", "batch": 2, "seconds": 0.05}
LONG = {**SHORT, "seconds": 100}


class Listener:
    """Writes down how its share's jobs ended."""

    def __init__(self) -> None:
        self.share = SharedWorker()
        self.ends: list[str] = []
        self.began = threading.Event()

    def submit(self, request: dict) -> None:
        self.share.submit(request, self._hear)

    def _hear(self, event: dict) -> None:
        self.began.set()
        if event["kind"] != "progress":
            self.ends.append(event.get("reason", event["kind"]))

    def ended(self, *ends: str) -> bool:
        until(lambda: self.ends == list(ends))
        return True


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def two():
    made = Listener(), Listener()
    yield made
    for each in made:
        each.share.close()


def test_two_shares_are_served_by_one_process_in_turn(two):
    first, second = two
    first.submit(LONG)
    assert first.began.wait(HANGS_S)
    second.submit(SHORT)
    pid = first.share.pid
    assert pid == second.share.pid
    assert not second.began.wait(0.3)  # its turn has not come
    first.share.cancel()
    assert first.ended("cancelled")
    assert second.ended("result")


def test_a_share_that_waits_is_cancelled_alone(two):
    first, second = two
    first.submit(LONG)
    assert first.began.wait(HANGS_S)
    second.submit(SHORT)
    second.share.cancel()
    assert second.ends == ["cancelled"]
    assert first.ends == []


def test_the_process_ends_with_the_last_share(two):
    first, second = two
    for each in two:
        each.submit(SHORT)
    assert first.ended("result")
    assert second.ended("result")
    pid = first.share.pid
    first.share.close()
    first.share.close()
    assert alive(pid)
    second.share.close()
    assert not alive(pid)
    assert second.share.pid is None
    first.submit(SHORT)  # a closed share may come back
    assert first.ended("result", "result")
    assert first.share.pid not in (pid, None)


def test_closing_a_share_ends_its_work_and_no_other_s(two):
    first, second = two
    first.submit(LONG)
    assert first.began.wait(HANGS_S)
    second.submit(SHORT)
    pid = first.share.pid
    first.share.close()
    assert first.ended("cancelled")
    assert second.ended("result")
    second.share.close()
    assert not alive(pid)


@pytest.mark.skipif(os.name != "posix", reason="kills by a signal")
def test_a_kill_ends_the_present_job_and_the_next_gets_a_fresh_process(two):
    first, second = two
    first.submit(LONG)
    assert first.began.wait(HANGS_S)
    second.submit(SHORT)
    os.kill(first.share.pid, signal.SIGKILL)
    assert first.ended("died")
    assert second.ended("result")


def test_a_process_that_cannot_be_started_is_told(two, monkeypatch):
    def refuse(*_):
        raise OSError("no more processes")

    monkeypatch.setattr(shared_worker.Worker, "submit", refuse)
    two[0].submit(SHORT)
    assert two[0].ended("failed")
