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
from typing import Any

from ..architectures.definition import Network
from ..records.measurement import MeasureError
from ..records.rows import LARGEST
from .batch_search import LIMIT, search
from .in_subprocess import kept_worker
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
        settings: of `Worker.measure`; `batch` may be "largest".
        worker: to measure with; left out: one of this process's, which is kept for the next task.

    Returns:
        {"measurement": {...}}, or {"reason": ..., "message": ...} where there is none. Beside it "worker", who
        answers, "device", the one asked for, and "batch_limit": where the search for the largest batch ended at its
        limit, this limit, else None.
    """
    network, settings, limit = Network.from_dict(network), dict(settings), None
    with _one(worker) as worker, _failure() as answer:
        if settings["batch"] == LARGEST:
            settings["batch"] = _largest_batch(worker, network, settings)
            limit = LIMIT if settings["batch"] == LIMIT else None
        answer["measurement"] = worker.measure(network, **settings).to_dict()
    return {**answer, "worker": _address(), "device": settings["device"], "batch_limit": limit}


def _largest_batch(worker: Worker, network: Network, settings: Mapping[str, Any]) -> int:
    how = {name: settings[name] for name in ("mode", "precision", "device", "channels_last")}
    return search(network, how, worker=worker)


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
