"""The tasks of a plan through an executor, and this machine as one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Future, ThreadPoolExecutor
from itertools import islice
from queue import SimpleQueue
from typing import Any, Protocol

from .._common.checks import shown
from .._common.device_kinds import kind_of, parse_device, preferred
from .._common.errors import first_line
from ..architectures.traced.sending import plain_network
from ..records.measurement import MeasureError, SettingError
from .plans import Point
from .tasks import Answer, measure_point, read_environment
from .worker import Worker

_GIVEN_UP = "given up"  # the reason of an answer for a task that the executor lost: nothing was measured


class TaskExecutor(Protocol):
    """What carries tasks: anything of the shape of `concurrent.futures.Executor`."""

    def submit(self, task: Callable[..., Any], /, *data: Any) -> Future: ...


def check_executor(executor: Any) -> None:
    """Refuse what cannot carry tasks; None is this machine."""
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise SettingError(
            f"executor is {shown(executor)}, but must have submit, as a concurrent.futures.Executor; leave it out for "
            "this machine, or give client.get_executor(...) of a Dask client"
        )


def ask_environment(executor: TaskExecutor, device: str | None) -> dict[str, Any]:
    """Ask a worker of the executor for the columns that describe its machine."""
    answer = _answer(_submit(executor, read_environment, {"device": device}))
    if answer.get("reason") == _GIVEN_UP:
        raise MeasureError(
            f"sweep: the executor's workers die whatever they are given ({answer['message']}); look into their logs, "
            "and run the same again to go on",
            "cancelled",
        )
    if "environment" not in answer:
        raise MeasureError(answer["message"], answer["reason"])
    return answer["environment"]


def measure_points(
    executor: TaskExecutor, points: Iterable[Point], ahead: int, device: str | None
) -> Generator[tuple[Point, Answer], None, None]:
    """Yield each point with its answer, as they come; the executor has `ahead` tasks at a time.

    Dask gives a task up once four workers have died that it was assigned to, whether it ran there or waited behind
    another. So a point that was given up is tried again at the end, alone. If it is given up again, and another task
    comes through, the workers died of it.
    """
    given_up = []
    with contextlib.closing(_carry(executor, points, ahead)) as answers:
        for point, answer in answers:
            if answer.get("reason") == _GIVEN_UP:
                given_up.append(point)
            else:
                yield point, answer
    for point in given_up:
        with contextlib.closing(_carry(executor, [point], 1)) as answers:
            [(_, answer)] = answers
        if answer.get("reason") == _GIVEN_UP:
            ask_environment(executor, device)
            message = f"the workers that ran it, and nothing else, died ({answer['message']})"
            answer = {**answer, "reason": "died", "message": message}
        yield point, answer


def _carry(executor: TaskExecutor, points: Iterable[Point], ahead: int) -> Generator[tuple[Point, Answer], None, None]:
    """Yield each point with its answer, or with `_GIVEN_UP`; cancel at the end what is left."""
    points, finished = iter(points), SimpleQueue()
    running: set[Future] = set()
    try:
        while True:
            for point in islice(points, ahead - len(running)):
                future = _submit(executor, measure_point, plain_network(point.network), point.run_settings)
                running.add(future)
                future.add_done_callback(lambda done, point=point: finished.put((point, done)))
                del future
            if not running:
                return
            point, future = finished.get()
            running.remove(future)
            answer = _answer(future)
            del future  # while anybody holds it, Dask does the task again if its worker dies
            yield point, answer
    finally:
        for future in running:
            future.cancel()


def _submit(executor: TaskExecutor, task: Callable[..., Answer], *data: Any) -> Future:
    try:
        return executor.submit(task, *data)
    except Exception as error:  # each kind of executor has its own
        raise _broken(error) from error


def _broken(error: BaseException) -> MeasureError:
    said = f"sweep: the executor has broken or dropped its tasks ({first_line(error)}); run the same again to go on"
    return MeasureError(said, "cancelled")


def _answer(future: Future) -> Answer:
    """Return the answer of a task, or `_GIVEN_UP`; raise what would fail every task alike."""
    try:
        answer = future.result()
    except (CancelledError, BrokenExecutor) as error:
        raise _broken(error) from error
    except Exception as error:
        if type(error).__name__ != "KilledWorker":  # Dask's, which is not imported for its name
            raise MeasureError(
                f"sweep: a worker could not take its task ({first_line(error)}); is the same fastscale installed there?"
            ) from error
        return {"reason": _GIVEN_UP, "message": first_line(error), "worker": None, "device": None}
    reason = answer.get("reason")
    if reason in ("setting", "cancelled", "busy"):
        raise (SettingError if reason == "setting" else MeasureError)(answer["message"], reason)
    return answer


class _Local:
    """This machine as an executor: a thread and a worker for each device."""

    def __init__(self, workers: Mapping[str, Worker]):
        self._workers = workers
        self._free: SimpleQueue[tuple[str, Worker]] = SimpleQueue()
        for each in workers.items():
            self._free.put(each)
        self._threads = ThreadPoolExecutor(len(workers), thread_name_prefix="fastscale sweep")

    def submit(self, task: Callable[..., Answer], /, *data: Any) -> Future:
        return self._threads.submit(self._with_device, task, *data)

    def _with_device(self, task: Callable[..., Answer], *data: Any) -> Answer:
        device, worker = self._free.get()
        try:
            *rest, settings = data
            return task(*rest, {**settings, "device": device}, worker)
        finally:
            self._free.put((device, worker))

    def close(self) -> None:
        for worker in self._workers.values():
            worker.close()
        self._threads.shutdown(cancel_futures=True)


@contextlib.contextmanager
def local_executor(device: str | None) -> Iterator[TaskExecutor]:
    """Make this machine an executor, with a worker for each device; the end cancels all tasks."""
    first = Worker()
    with contextlib.closing(first):
        devices = _devices(device, first.devices)
        with contextlib.closing(_Local({name: Worker() if at else first for at, name in enumerate(devices)})) as local:
            yield local


def _devices(asked: str | None, here: Callable[[], Mapping[str, str]]) -> list[str]:
    """List what to measure on: the numbered device asked for, else all GPUs, else the CPU.

    "cuda" stays where there is no GPU, to be refused; so are GPUs of several kinds.
    """
    kind, number = parse_device(asked) or (None, None) if asked else (None, None)
    if asked and not (kind and kind.numbered and number is None):
        return [asked]
    there = here()
    kind = kind or kind_of(preferred(there))
    alike = {device: name for device, name in there.items() if kind_of(device) is kind}
    if len(set(alike.values())) > 1:
        each = ", ".join(map(": ".join, alike.items()))
        raise SettingError(
            f"device is {shown(asked)}, but the GPUs here are of several kinds ({each}); "
            f"run one plan for each, with device set to one of them, as {next(iter(alike))}"
        )
    return list(alike) or [asked or preferred(there)]
