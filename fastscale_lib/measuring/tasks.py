"""One task of a sweep, where it is measured: plain data in, plain data out, so that any executor can carry it.

An executor pickles these functions by name: a worker of it needs fastscale installed, and no more. The measurement
itself runs in a `Worker`, a process apart, so that a network that dies there does not take the executor's down.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..architectures.definition import Network
from ..records.conditions import LARGEST
from ..records.measurement import MeasureError
from .batch_search import LIMIT, search
from .in_subprocess import kept_worker
from .settings import Settings
from .worker import Worker

Answer = dict[str, Any]


def surroundings(settings: Mapping[str, Any], worker: Worker | None = None) -> Answer:
    """What a record made here says of the machine, for this `device`.

    Returns:
        {"surroundings": {...}}, or {"reason": ..., "message": ...} where the device is not there.
    """
    with _one(worker) as worker, _failure() as answer:
        answer["surroundings"] = worker.surroundings(**settings)
    return answer


def measured(network: Mapping[str, Any], settings: Mapping[str, Any], worker: Worker | None = None) -> Answer:
    """One measurement.

    Arguments:
        network: its description (`Network.to_dict`).
        settings: plain values of `Settings`; `batch` may be "largest".
        worker: to measure with; left out: one of this process's, which is kept for the next task.

    Returns:
        {"measurement": {...}}, or {"reason": ..., "message": ...} where there is none. Beside it "worker", who
        answers, "device", the one asked for, and "batch_limit": where the search for the largest batch ended at its
        limit, this limit, else None.
    """
    network, limit = Network.from_dict(network), None
    with _one(worker) as worker, _failure() as answer:
        largest = settings["batch"] == LARGEST
        asked = Settings(**{**settings, "batch": 1} if largest else settings)
        if largest:
            tried = replace(asked, compile=False, tf32=False, threads=None)  # as `largest_batch` tries
            asked = replace(asked, batch=search(network, tried, worker=worker))
            limit = LIMIT if asked.batch == LIMIT else None
        answer["measurement"] = worker.time(network, asked).to_dict()
    return {**answer, "worker": _address(), "device": settings["device"], "batch_limit": limit}


def _one(worker: Worker | None) -> contextlib.AbstractContextManager[Worker]:
    """The worker given, or one of this process's."""
    return kept_worker() if worker is None else contextlib.nullcontext(worker)


@contextlib.contextmanager
def _failure() -> Iterator[Answer]:
    """An answer to fill in, which says why there is none where measuring fails."""
    answer: Answer = {}
    try:
        yield answer
    except MeasureError as error:
        answer.update(reason=error.reason, message=str(error))


def _address() -> str:
    """Who measured: the address of a Dask worker, else host:process."""
    if dask := sys.modules.get("distributed"):
        with contextlib.suppress(ValueError):  # this process has it loaded, and is none of its workers
            return dask.get_worker().address
    return f"{socket.gethostname()}:{os.getpid()}"
