"""The child process of a `Worker`: reads requests, measures, and answers through a pipe."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ..architectures.definition import Network
from ..records.measurement import MeasureError, SettingError
from .environment import devices, surroundings
from .memory import give_back
from .running import one_line, try_run
from .settings import Settings, find_device
from .timing import measure
from .worker import CANCELLED, REPORT_S, Event


def main() -> None:
    """The other side: serve requests until stdin ends."""
    _be_killed_first()
    requests: queue.SimpleQueue[Event] = queue.SimpleQueue()
    cancelled: set[int] = set()
    source, sink = _take_pipes()
    threading.Thread(target=_listen, args=(source, requests, cancelled), daemon=True).start()
    while True:
        _serve(requests.get(), sink, cancelled)


def _be_killed_first() -> None:
    """When memory runs out, Linux is to kill this process, not the notebook."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _take_pipes() -> tuple[IO[str], IO[str]]:
    """Stdin and stdout for the protocol alone: prints go to stderr, and nobody else reads requests."""
    source, sink = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return source, sink


def _listen(source: IO[str], requests: queue.SimpleQueue[Event], cancelled: set[int]) -> None:
    """Put requests in the queue; when stdin ends the parent is gone, and so are we, whatever is in hand."""
    try:
        for line in source:
            request = json.loads(line)
            if request["kind"] == "cancel":
                cancelled.add(request["id"])
            else:
                requests.put(request)
    finally:
        if hasattr(os, "killpg") and os.getpid() == os.getpgrp():
            os.killpg(os.getpgrp(), signal.SIGKILL)  # with what torch.compile has started
        os._exit(0)


def _serve(request: Event, sink: IO[str], cancelled: set[int]) -> None:
    """Do what is asked, and tell how it ended."""
    number, kind = request.pop("id"), request.pop("kind")

    def tell(kind: str, **event: Any) -> None:
        sink.write(json.dumps({"id": number, "kind": kind, **event}) + "\n")
        sink.flush()

    try:
        if kind == "measure":
            tell("result", measurement=_measurement(request, _reporter(tell, lambda: number in cancelled)))
        elif kind == "try":
            _try(request)
            tell("ran")
        elif kind == "devices":
            tell("devices", devices=devices())
        elif kind == "surroundings":
            tell("surroundings", surroundings=surroundings(**request))
        else:
            raise SettingError(f"kind is {kind!r}, but must be one of 'measure', 'try', 'devices', 'surroundings'")
    except MeasureError as error:
        tell("error", reason=error.reason, message=str(error), spoilt=error.spoilt)
    except ValueError as error:  # as from a network that cannot be built
        tell("error", reason="setting", message=" ".join(str(error).split()))
    except Exception as error:
        # A CUDA error, for one, stays: all that follows in this process would fail. A fresh one costs seconds.
        tell("error", reason="failed", message=one_line(error), spoilt=True)


def _measurement(request: Event, report: Callable[[str, float], None]) -> Event:
    report("building", 0.0)  # importing torch takes seconds
    gc.collect()  # the network before may sit in reference cycles
    network = Network.from_dict(request.pop("network"))
    found = measure(network, progress=report, **request)
    gc.collect()
    give_back(find_device(found.device))  # what an idle process keeps of a GPU, others cannot have
    return found.to_dict()


def _try(request: Event) -> None:
    gc.collect()
    network, memory_bytes = Network.from_dict(request.pop("network")), request.pop("memory_bytes", None)
    try_run(network, Settings(**request), memory_bytes)


def _reporter(tell: Callable[..., None], cancelled: Callable[[], bool]) -> Callable[[str, float], None]:
    """A `progress` that tells of a new phase at once, and else only now and then; it ends a cancelled job."""
    told = ("", 0.0)

    def report(phase: str, fraction: float) -> None:
        nonlocal told
        if cancelled():
            raise MeasureError(CANCELLED, "cancelled")
        now = time.monotonic()
        if phase != told[0] or now - told[1] >= REPORT_S:
            told = (phase, now)
            tell("progress", phase=phase, fraction=fraction)

    return report
