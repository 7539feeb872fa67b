"""Running a plan: what the store does not hold is measured, here or on a cluster, and stored as it comes.

`measure_plan` hands tasks to an executor, anything of the shape of `concurrent.futures.Executor`, and writes each row
itself as soon as its task is done. So there is one writer, whoever measures; and stopping, at any moment, loses no
more than what was in hand. On several machines Dask carries the tasks; see `cluster`.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from os import PathLike
from queue import SimpleQueue
from typing import Any

import pandas as pd

from .._common.checks import check_flag, check_progress, check_whole, shown
from .._common.device_kinds import kind_of, parse_device, preferred
from .._common.errors import first_line
from .._common.progress import Line, Step, Tally
from ..architectures.counting import complexity
from ..records.conditions import LARGEST, Conditions
from ..records.measurement import MeasureError, Measurement, SettingError, failed_row, measured_row
from ..records.store import Store, StoreError
from .batch_search import LIMIT
from .plans import Plan, PlanError, Point
from .tasks import Answer, measured, surroundings
from .worker import Worker

_GIVEN_UP = "given up"  # the reason of an answer that is none: an executor's failure is no measurement


class SweepWarning(UserWarning):
    """Rows that were made on another device than the plan was meant for."""


def measure_plan(
    plan: Plan | str | PathLike,
    store: Store | str | PathLike,
    executor: Executor | None = None,
    progress: Callable[[Step], None] | None = None,
    retry: bool = False,
    ahead: int = 64,
) -> pd.DataFrame:
    """Measure the points of a plan that the store does not hold yet, and store each as it comes.

    A point is held if the store has a row of the same network (by `Network.id`), batch, mode, precision, compile,
    channels_last, tf32 and threads, made on the same device (by its name) with the same torch, CUDA, cuDNN, driver
    and fastscale; for how long, and to which interval, does not count: rows say it. Stopped, by Ctrl-C or by a kill,
    and called again, it goes on where it was.

    Arguments:
        plan: a `Plan`, or the path of one (`Plan.read`).
        store: a `Store`, or the path of one.
        executor: what carries the tasks: anything of the shape of `concurrent.futures.Executor`. Its workers take one
            task a device at a time, and measure in a process apart; where a sweep is stopped, a task that they have
            begun may end, unrecorded. A task that it gives up, because its workers have died, is given to it again.
            Left out: this machine, one process for each GPU, or one on a CPU.
        progress: called with a `Step` at the start and after each row; left out: a line on stderr.
        retry: whether to try again what the store holds as failed (out of memory, time limit, died, failed).
        ahead: how many tasks the executor is given at a time: at least twice as many as it has workers.

    Returns:
        The rows of the plan's points, in their order, with the columns of `Measurement`; base, strategy, scale;
        flops (multiply-adds), params, activations; network_id; description, from which `Network.from_dict` makes the
        network again; fills_device (the batch was asked for as "largest", and a larger one was tried and did not
        fit); batch_limit, where the search for that batch ended before, at the limit that this is, else None; worker,
        who measured it; and reason and message, which are None where there is a time.

    Raises:
        SettingError: (a ValueError) a setting is wrong or the device is not there.
        PlanError: (a ValueError) this is no plan.
        MeasureError: the executor has broken or dropped its tasks; what was measured is in the store.
        StoreError: the file is no store, or cannot be written; its `row` is the one that was measured and not kept.

    Warns:
        SweepWarning: a row was made on another kind of device than the one that was asked first.
    """
    ahead = check_whole("ahead", ahead, SettingError, remedy="; try ahead=64")
    check_executor(executor)
    check_progress(progress, SettingError)
    retry = check_flag("retry", retry, SettingError, "; try retry=True")
    plan, store = _plan(plan), store if isinstance(store, Store) else Store(store)
    store.check()  # before anything is started
    with _here(plan) if executor is None else contextlib.nullcontext(executor) as executor:
        sweep = _Sweep(store, asked_first(executor, plan.device), retry)
        rows = {point: sweep.held(point) for point in plan.points()}
        todo = [point for point, row in rows.items() if sweep.lacks(row)]
        failed = 0 if retry else sum(row is not None and not _timed(row) for row in rows.values())
        tally = Tally(progress or Line(), len(plan) - len(todo), len(plan), failed)
        with contextlib.closing(_answers(executor, todo, ahead, plan.device)) as answers:
            for point, answer in answers:
                tally.count(str(point), sweep.take(point, answer))
    return sweep.frame(plan)


def check_executor(executor: Any) -> None:
    """Refuses what cannot carry tasks; None is this machine."""
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise SettingError(
            f"executor is {shown(executor)}, but must have submit, as a concurrent.futures.Executor; leave it out for "
            "this machine, or give client.get_executor(...) of a Dask client"
        )


def _plan(given: Any) -> Plan:
    if isinstance(given, Plan):
        return given
    if isinstance(given, str | PathLike):
        return Plan.read(given)
    raise PlanError(
        f"plan: expected a Plan or the path of one, got {shown(given)}; make one by Plan(...) or from_dict(...)"
    )


@dataclass
class _Sweep:
    """What the store holds of a plan on this machine, and what comes into it."""

    store: Store
    machine: Mapping[str, Any]
    retry: bool

    def frame(self, plan: Plan) -> pd.DataFrame:
        """The rows of the plan's points, in their order."""
        return pd.DataFrame([row for point in plan.points() if (row := self.held(point))])

    def held(self, point: Point, machine: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """The point's row, made on this machine or on the one given: the last with a time, else the last."""
        key = self._key(point, machine or self.machine)
        rows = self.store.find(**key)
        if point.batch == LARGEST:
            rows += self.store.find(**{**key, "fills_device": False, "batch_limit": LIMIT})
        return next((row for row in reversed(rows) if _timed(row)), rows[-1] if rows else None)

    def lacks(self, row: Mapping[str, Any] | None) -> bool:
        """Whether a point with this row is still to be measured."""
        return row is None or (self.retry and not _timed(row))

    def take(self, point: Point, answer: Answer) -> bool:
        """Store the answer as the point's row, unless another sweep has; whether there is a time."""
        row = self._row(point, answer)
        try:
            self.store.add(row, unless=lambda: not self.lacks(self.held(point, row)))
        except StoreError as error:
            if error.row is None:
                raise
            raise StoreError(f"{error}; run the same again to go on", error.row, error.said) from None
        if others := [name for name in Conditions.MACHINE if row[name] != self.machine[name]]:
            warnings.warn(
                f"sweep: {row['worker']} has another {others[0]} ({row[others[0]]}) than the plan was begun for "
                f"({self.machine[others[0]]}): its rows do not count for this plan; run one plan a kind of device",
                SweepWarning,
                stacklevel=3,
            )
        return _timed(row)

    def _key(self, point: Point, machine: Mapping[str, Any]) -> dict[str, Any]:
        """What a row of this point, made on this machine (or beside this row), has in its columns."""
        asked, kind = _settings(point), kind_of(machine["device"])
        known = {**asked, **{name: machine[name] for name in Conditions.MACHINE}}
        known["tf32"] = asked["tf32"] and kind is not None and kind.tf32  # a CPU has none to let or forbid
        known["threads"] = asked["threads"] or machine["threads"]
        batch = {"fills_device": True} if point.batch == LARGEST else {"batch": point.batch}
        return {"network_id": point.network_id, **batch, **{name: known[name] for name in Conditions.HELD}}

    def _row(self, point: Point, answer: Answer) -> dict[str, Any]:
        counts = complexity(point.network)._asdict()
        where = {"base": point.base, "strategy": point.strategy, "scale": point.scale}
        limit = answer.get("batch_limit")
        filled = point.batch == LARGEST and limit is None
        what = {"network_id": point.network_id, "fills_device": filled, "batch_limit": limit}
        what["worker"] = answer["worker"]
        if measurement := answer.get("measurement"):
            return {**where, **measured_row(point.network, Measurement.from_dict(measurement)), **counts, **what}
        error = MeasureError(answer["message"], answer["reason"])
        settings = {**_settings(point), "batch": None if point.batch == LARGEST else point.batch}
        machine = {**self.machine, "device": answer["device"] or self.machine["device"]}
        row = failed_row(point.network, settings, error, machine)
        return {
            **where,
            **row,
            **counts,
            **what,
            **self._key(point, self.machine),
        }  # so that it is found as a measurement is


def _timed(row: Mapping[str, Any]) -> bool:
    return row.get("reason") is None


def _settings(point: Point) -> dict[str, Any]:
    return {**point.settings, "batch": point.batch, "mode": point.mode, "precision": point.precision}


def _answers(
    executor: Executor, points: Iterable[Point], ahead: int, device: str | None
) -> Iterator[tuple[Point, Answer]]:
    """Each point with its answer.

    Dask gives a task up once four workers have died that it was assigned to, whether it ran there or waited behind
    another. So a point that is given up is tried again at the end, with nothing else in hand: where it is given up
    there, too, and yet another task comes through, the workers died of it.
    """
    given_up = []
    with contextlib.closing(_carried(executor, points, ahead)) as carried:
        for point, answer in carried:
            if answer.get("reason") == _GIVEN_UP:
                given_up.append(point)
            else:
                yield point, answer
    for point in given_up:
        with contextlib.closing(_carried(executor, [point], 1)) as carried:
            [(_, answer)] = carried
        if answer.get("reason") == _GIVEN_UP:
            asked_first(executor, device)
            message = f"the workers that ran it, and nothing else, died ({answer['message']})"
            answer = {**answer, "reason": "died", "message": message}
        yield point, answer


def _carried(executor: Executor, points: Iterable[Point], ahead: int) -> Iterator[tuple[Point, Answer]]:
    """Each point with its answer, or with `_GIVEN_UP`; no more than `ahead` are in hand, and none when this ends."""
    points, finished, in_hand = iter(points), SimpleQueue(), set()
    try:
        while True:
            for point in islice(points, ahead - len(in_hand)):
                future = _submit(executor, measured, point.network.to_dict(), _settings(point))
                in_hand.add(future)
                future.add_done_callback(partial(_put, finished, point))
                del future
            if not in_hand:
                return
            point, future = finished.get()
            in_hand.remove(future)
            answer = _answer(future)
            del future  # while anybody holds it, Dask does the task again where the worker that did it has died
            yield point, answer
    finally:
        for future in in_hand:
            future.cancel()


def _submit(executor: Executor, task: Callable[..., Answer], *data: Any) -> Future:
    try:
        return executor.submit(task, *data)
    except Exception as error:  # each kind of executor has its own
        raise _broken(error) from error


def _broken(error: BaseException) -> MeasureError:
    said = f"sweep: the executor has broken or dropped its tasks ({first_line(error)}); run the same again to go on"
    return MeasureError(said, "cancelled")


def _put(finished: SimpleQueue, point: Point, future: Future) -> None:
    finished.put((point, future))


def _answer(future: Future) -> Answer:
    """What a task answered, or `_GIVEN_UP`, where the executor lost its workers; an error where it is every task's."""
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


def asked_first(executor: Executor, device: str | None) -> dict[str, Any]:
    """What a row that this executor makes will say of its machine; also that the device is there.

    Raises:
        SettingError: (a ValueError) the device is not there.
        MeasureError: the executor has broken, or cannot carry a task.
    """
    answer = _answer(_submit(executor, surroundings, {"device": device}))
    if answer.get("reason") == _GIVEN_UP:
        raise MeasureError(
            f"sweep: the executor's workers die whatever they are given ({answer['message']}); look into their logs, "
            "and run the same again to go on",
            "cancelled",
        )
    if "surroundings" not in answer:
        raise MeasureError(answer["message"], answer["reason"])
    return answer["surroundings"]


class _Here:
    """This machine as an executor: for each device a thread, and a worker that it waits for."""

    def __init__(self, workers: Mapping[str | None, Worker]):
        self._workers = workers
        self._free: SimpleQueue[tuple[str | None, Worker]] = SimpleQueue()
        for each in workers.items():
            self._free.put(each)
        self._threads = ThreadPoolExecutor(len(workers), thread_name_prefix="fastscale sweep")

    def submit(self, task: Callable[..., Answer], *data: Any) -> Future:
        return self._threads.submit(self._with_device, task, *data)

    def _with_device(self, task: Callable[..., Answer], *data: Any) -> Answer:
        device, worker = self._free.get()
        try:
            *rest, settings = data
            return task(*rest, {**settings, "device": device}, worker)
        finally:
            self._free.put((device, worker))

    def close(self) -> None:
        """End what is in hand, and the workers."""
        for worker in self._workers.values():
            worker.close()
        self._threads.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _here(plan: Plan) -> Iterator[_Here]:
    first = Worker()
    with contextlib.closing(first):
        devices = _devices(plan.device, first.devices)
        here = _Here({device: Worker() if number else first for number, device in enumerate(devices)})
        with contextlib.closing(here):
            yield here


def _devices(asked: str | None, here: Callable[[], Mapping[str, str]]) -> list[str]:
    """What to measure on: the one device asked for by its number, else every GPU here, else the CPU.

    "cuda" where there is none stays, to be refused.

    Raises:
        SettingError: the GPUs are of several kinds.
    """
    kind, number = parse_device(asked) or (None, None) if asked else (None, None)
    if asked and not (kind and kind.numbered and number is None):
        return [asked]
    there = here()
    kind = kind or kind_of(preferred(there))
    alike = {device: name for device, name in there.items() if kind_of(device) is kind}
    if len(set(alike.values())) > 1:
        said, each = shown(asked) if asked else "left out", ", ".join(map(": ".join, alike.items()))
        raise SettingError(
            f"device is {said}, but the GPUs here are of several kinds ({each}); "
            f"run one plan for each, with device set to one of them, as {next(iter(alike))}"
        )
    return list(alike) or [asked or preferred(there)]
