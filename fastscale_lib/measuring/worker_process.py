"""The subprocess of a `Worker`: reads requests, measures, and answers through a pipe."""

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

from .._common.errors import first_line
from ..architectures.traced.sending import network_of
from ..records.measurement import MeasureError, SettingError
from .child_handle import CANCELLED, Event
from .settings import Progress, Settings

_REPORT_S = 0.1  # a person sees no more than some ten updates a second


def main() -> None:
    """Serve requests until stdin ends."""
    _be_killed_first()
    requests: queue.SimpleQueue[Event] = queue.SimpleQueue()
    cancelled: set[int] = set()
    source, sink = _take_pipes()
    threading.Thread(target=_listen, args=(source, requests, cancelled), daemon=True).start()
    while True:
        _serve(requests.get(), sink, cancelled)


def _be_killed_first() -> None:
    # When memory runs out, Linux is to kill this process, not the notebook.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _take_pipes() -> tuple[IO[str], IO[str]]:
    """Keep stdin and stdout for the protocol: prints go to stderr, and code reads no requests."""
    source, sink = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return source, sink


def _listen(source: IO[str], requests: queue.SimpleQueue[Event], cancelled: set[int]) -> None:
    """Put requests in the queue; when stdin ends the parent is gone, and this process ends."""
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
    number, kind = request.pop("id"), request.pop("kind")

    def tell(kind: str, **event: Any) -> None:
        sink.write(json.dumps({"id": number, "kind": kind, **event}) + "\n")
        sink.flush()

    try:
        if kind not in _ANSWERS:
            raise SettingError(f"kind is {kind!r}, but must be one of {', '.join(map(repr, _ANSWERS))}")
        ended, answer = _ANSWERS[kind]
        tell(ended, **answer(request, _reporter(tell, lambda: number in cancelled)))
    except MeasureError as error:
        tell("error", reason=error.reason, message=str(error), spoilt=error.spoilt)
    except ValueError as error:  # as from a network that cannot be built
        tell("error", reason="setting", message=" ".join(str(error).split()))
    except Exception as error:
        # After a CUDA error, for one, everything in this process fails. A fresh one costs seconds.
        tell("error", reason="failed", message=first_line(error), spoilt=True)


# Torch is imported in these, once the process listens: it takes seconds.


def _measure(request: Event, report: Progress) -> Event:
    report("building", 0.0)
    from .device_finder import find_device
    from .timing import time_here

    gc.collect()  # the last network may sit in reference cycles
    network = network_of(request.pop("network"))
    found = time_here(network, Settings(**request), report)
    gc.collect()
    find_device(found.device).free_cache()  # an idle process is to hold no memory of a GPU
    return {"measurement": found.to_dict()}


def _try(request: Event, report: Progress) -> Event:
    from .running import try_run

    gc.collect()
    network, memory_bytes = network_of(request.pop("network")), request.pop("memory_bytes", None)
    try_run(network, Settings(**request), memory_bytes)
    return {}


def _devices(request: Event, report: Progress) -> Event:
    from .device_finder import devices

    return {"devices": devices()}


def _environment(request: Event, report: Progress) -> Event:
    from .environment import read_environment

    return {"environment": read_environment(**request)}


# By the kind of a request: the kind of the event that ends it, and the function that makes it.
_ANSWERS: dict[str, tuple[str, Callable[[Event, Progress], Event]]] = {
    "measure": ("result", _measure),
    "try": ("ran", _try),
    "devices": ("devices", _devices),
    "environment": ("environment", _environment),
}


def _reporter(tell: Callable[..., None], cancelled: Callable[[], bool]) -> Progress:
    """Make a `progress` that reports new phases at once, and ends a cancelled job."""
    last = ("", 0.0)

    def report(phase: str, fraction: float) -> None:
        nonlocal last
        if cancelled():
            raise MeasureError(CANCELLED, "cancelled")
        now = time.monotonic()
        if phase != last[0] or now - last[1] >= _REPORT_S:
            last = (phase, now)
            tell("progress", phase=phase, fraction=fraction)

    return report
