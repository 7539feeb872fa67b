"""The tasks of a sweep: plain data in, plain data out, so that any executor can carry them.

An executor pickles these functions by name: its workers need fastscale installed, and no more. A `Worker` measures in
a subprocess, so that a network that crashes does not take the executor's worker down.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..architectures.traced.sending import network_of
from ..records.conditions import LARGEST
from ..records.measurement import MeasureError
from .batch_search import LIMIT, search
from .in_subprocess import kept_worker
from .settings import Settings
from .worker import Worker

Answer = dict[str, Any]


def read_environment(settings: Mapping[str, Any], worker: Worker | None = None) -> Answer:
    """Read the columns that describe this machine: {"environment": ...}, or as `_failure`."""
    with _own(worker) as worker, _failure() as answer:
        answer["environment"] = worker.environment(**settings)
    return answer


def measure_point(description: Mapping[str, Any], settings: Mapping[str, Any], worker: Worker | None = None) -> Answer:
    """Measure one network: {"measurement": ...}, or as `_failure`.

    Beside it "worker", who measured; "device", the one asked for; and "batch_limit", the limit at which the search for
    the largest batch ended, or None.
    """
    network, limit = network_of(description), None
    with _own(worker) as worker, _failure() as answer:
        largest = settings["batch"] == LARGEST
        asked = Settings(**{**settings, "batch": 1} if largest else settings)
        if largest:
            tried = replace(asked, compile=False, tf32=False, threads=None)  # as `largest_batch` tries
            asked = replace(asked, batch=search(network, tried, worker=worker))
            limit = LIMIT if asked.batch == LIMIT else None
        answer["measurement"] = worker.time(network, asked).to_dict()
    return {**answer, "worker": _address(), "device": settings["device"], "batch_limit": limit}


def _own(worker: Worker | None) -> contextlib.AbstractContextManager[Worker]:
    return kept_worker() if worker is None else contextlib.nullcontext(worker)


@contextlib.contextmanager
def _failure() -> Iterator[Answer]:
    """Yield an answer to fill in; if measuring fails, it has "reason" and "message"."""
    answer: Answer = {}
    try:
        yield answer
    except MeasureError as error:
        answer.update(reason=error.reason, message=str(error))


def _address() -> str:
    """Return the address of this Dask worker, else host:process."""
    if dask := sys.modules.get("distributed"):
        with contextlib.suppress(ValueError):  # this process has it loaded, but is no worker
            return dask.get_worker().address
    return f"{socket.gethostname()}:{os.getpid()}"
