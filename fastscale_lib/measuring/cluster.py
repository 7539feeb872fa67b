"""A Dask cluster as an executor, by the address of its scheduler.

docs/how-to/cluster.md tells how to start one, also on Slurm and Kubernetes, and to keep it from strangers.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

from .._common.child_process import one_line
from .._common.shell import say
from ..records.measurement import SettingError

CONNECT_S = 10
_ADDRESS = re.compile(r"(\w+://)?(\[[^\]]+\]|[^\[\]:/]+):(\d{1,5})/?")  # a host and its port
_LAST_PORT = 65535
_KINDS = ("tcp", "tls")  # of addresses; others need packages that Dask does not bring along


@contextlib.contextmanager
def on_cluster(scheduler: str) -> Iterator[tuple[Executor, int]]:
    """Connect to a Dask scheduler; yield an executor and the tasks that keep it busy.

    Each task takes one of the resource GPU. An address is "tcp://host:8786" or, with the certificates of Dask's
    configuration, "tls://host:8786". If no scheduler answers there within 10 seconds, a SettingError is raised.
    """
    with _client(scheduler) as client:
        _say_if_tasks_wait(client, scheduler)
        yield client.get_executor(resources={"GPU": 1}, pure=False), 2 * len(client.nthreads())


def _client(scheduler: str) -> Any:
    address = _ADDRESS.fullmatch(scheduler)
    if not address or int(address[3]) > _LAST_PORT:
        raise SettingError(f"--scheduler {scheduler}: a scheduler has a host and a port; try tcp://host:8786")
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise SettingError(
            "--scheduler takes the package dask[distributed]; pip install 'fastscale[cluster]'"
        ) from None
    _check_answer(scheduler, (address[1] or "tcp://").removesuffix("://"))
    try:
        return Client(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise _unanswered(scheduler, error) from None


def _check_answer(scheduler: str, kind: str) -> None:
    """Refuse what does not answer as a scheduler: a `Client` would wait for it for ever."""
    try:
        found = asyncio.run(asyncio.wait_for(_ask_kind(scheduler), CONNECT_S))
    except Exception as error:  # whatever else listens there, and each kind of address, fails in its own way
        if kind not in _KINDS:
            raise SettingError(
                f"--scheduler {scheduler}: Dask cannot connect to an address of the kind {kind} here "
                f"({one_line(str(error))}); try tcp://host:8786, or tls://host:8786"
            ) from None
        if kind == "tls" and isinstance(error, TypeError):
            raise SettingError(
                f"--scheduler {scheduler}: TLS takes certificates; name them in Dask's configuration, under "
                "distributed.comm.tls, or give the tcp:// address of a scheduler without"
            ) from None
        raise _unanswered(scheduler, error) from None
    if found != "Scheduler":
        raise SettingError(
            f"--scheduler {scheduler}: a Dask {found.lower()} answers there, no scheduler; give the address that "
            "dask scheduler tells when it starts"
        )


async def _ask_kind(scheduler: str) -> str:
    """Ask which of Dask's servers answers: "Scheduler", "Worker" or "Nanny"."""
    from distributed import Security, rpc

    certificates = Security().get_connection_args("client")
    async with rpc(scheduler, timeout=CONNECT_S, connection_args=certificates) as there:
        return (await there.identity())["type"]  # pyright: ignore[reportOptionalSubscript] - rpc makes methods up


def _unanswered(scheduler: str, error: Exception) -> SettingError:
    said = one_line(str(error)) or f"nothing within {CONNECT_S:g} s"
    return SettingError(f"--scheduler {scheduler}: no Dask scheduler answers there ({said})")


def _say_if_tasks_wait(client: Any, scheduler: str) -> None:
    """Say so if no worker can take a task yet: Dask would wait for one without a word."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if any(worker["resources"].get("GPU") for worker in workers):
        return
    there = f"none of the {len(workers)} workers there has the resource GPU=1" if workers else "no worker is there"
    say(
        f"fastscale: --scheduler {scheduler}: {there}: the tasks wait for one; start, for each device, dask worker "
        f"{scheduler} --nworkers 1 --nthreads 1 --resources GPU=1"
    )
