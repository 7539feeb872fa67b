"""Running a plan: what the store does not hold is measured, and stored as it comes.

`measure_plan` submits tasks to an executor, and writes each row as soon as its task is done. So there is one writer,
wherever tasks run; stopped at any moment, it loses only the tasks that were running. On several machines Dask carries
the tasks; see `cluster`.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import pandas as pd

from .._common.checks import check_flag, check_progress, check_whole, shown
from .._common.device_kinds import kind_of
from .._common.progress import Line, Step, Tally
from ..architectures.counting import complexity
from ..records.conditions import LARGEST, Conditions
from ..records.measurement import MeasureError, Measurement, SettingError, failed_row, measured_row
from ..records.store import Store, StoreError
from .batch_search import LIMIT
from .executors import TaskExecutor, ask_environment, check_executor, local_executor, measure_points
from .plans import Plan, PlanError, Point
from .tasks import Answer


class SweepWarning(UserWarning):
    """Rows were measured on another device than the plan is for."""


def measure_plan(
    plan: Plan | str | PathLike,
    store: Store | str | PathLike,
    executor: TaskExecutor | None = None,
    progress: Callable[[Step], None] | None = None,
    retry: bool = False,
    ahead: int = 64,
    again: bool = False,
) -> pd.DataFrame:
    """Measure the points of a plan that the store does not hold yet, and store each as it comes.

    The store holds a point if it has a row of the same network (by `Network.id`), batch, mode, precision, compile,
    channels_last, tf32, cuda_graph and threads, made on the same device (by its name) with the same torch, CUDA,
    cuDNN, driver and fastscale; `seconds`, `interval` and `cudnn_benchmark_limit` may differ: rows have them. Stopped,
    by Ctrl-C or by a kill, and called again, it continues where it stopped.

    Arguments:
        plan: a `Plan`, or the path of one (`Plan.read`).
        store: a `Store`, or the path of one.
        executor: carries the tasks: anything of the shape of `concurrent.futures.Executor`. Its workers take one task
            per device at a time, and measure in a subprocess; if a sweep is stopped, a task that runs may end
            unrecorded. A task given up because its workers died is submitted again; default: this machine, with one
            subprocess for each GPU, or one on a CPU.
        progress: called with a `Step` at the start and after each row; default: a line on stderr.
        retry: measure again what the store holds as failed (out of memory, time limit, died, failed); default: False.
        ahead: how many tasks the executor has at a time, at least twice as many as it has workers; default: 64.
        again: measure all points, also those that the store holds; the rows returned are the newer ones, also of a
            point that has failed this time; stopped and called again, it begins anew; default: False.

    Returns:
        The rows of the plan's points, in their order, with the columns of `Measurement`; base, strategy, scale;
        flops (multiply-adds), params, activations; network_id; description, from which `Network.from_dict` makes the
        network again; fills_device (the batch was asked for as "largest", and a larger one did not fit); batch_limit,
        the limit at which the search for that batch ended, or None; worker, who measured it; and reason and message,
        which are None if there is a time.

    Raises:
        SettingError: (a ValueError) a setting is wrong or the device is not there.
        PlanError: (a ValueError) the plan is wrong.
        MeasureError: the executor has broken or dropped its tasks; what was measured is in the store.
        StoreError: the file is not a store, or cannot be written; its `row` is the one that was measured and not kept.

    Warns:
        SweepWarning: a row was made on another kind of device than that of the worker asked first.
    """
    ahead = check_whole("ahead", ahead, SettingError, remedy="; try ahead=64")
    check_executor(executor)
    check_progress(progress, SettingError)
    retry = check_flag("retry", retry, SettingError, "; try retry=True")
    again = check_flag("again", again, SettingError, "; try again=True")
    plan, store = _plan(plan), store if isinstance(store, Store) else Store(store)
    store.check()  # before anything is started
    with local_executor(plan.device) if executor is None else contextlib.nullcontext(executor) as executor:
        sweep = _Sweep(store, ask_environment(executor, plan.device), retry, again)
        rows = {point: sweep.held(point) for point in plan.points()}
        todo = [point for point, row in rows.items() if sweep.lacks(row)]
        failed = 0 if retry or again else sum(row is not None and not _timed(row) for row in rows.values())
        tally = Tally(progress or Line(), len(plan) - len(todo), len(plan), failed)
        with contextlib.closing(measure_points(executor, todo, ahead, plan.device)) as answers:
            for point, answer in answers:
                tally.count(str(point), sweep.take(point, answer))
    return sweep.frame(plan)


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
    """What the store holds of a plan on one machine, and what is added to it."""

    store: Store
    machine: Mapping[str, Any]
    retry: bool
    again: bool = False
    answered: dict[Point, dict[str, Any]] = field(default_factory=dict)  # by this sweep, on this machine

    def frame(self, plan: Plan) -> pd.DataFrame:
        """Return the rows of the plan's points, in their order; of those measured again the newest."""
        newest = self.answered if self.again else {}
        return pd.DataFrame([row for point in plan.points() if (row := newest.get(point) or self.held(point))])

    def held(self, point: Point, machine: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Find the point's row on this machine, or on another: the last with a time, else the last."""
        key = self._key(point, machine or self.machine)
        rows = self.store.find(**key)
        if point.batch == LARGEST:
            rows += self.store.find(**{**key, "fills_device": False, "batch_limit": LIMIT})
        return next((row for row in reversed(rows) if _timed(row)), rows[-1] if rows else None)

    def lacks(self, row: Mapping[str, Any] | None) -> bool:
        """Tell whether a point with this row is still to be measured."""
        return row is None or self.again or (self.retry and not _timed(row))

    def take(self, point: Point, answer: Answer) -> bool:
        """Store the answer as the point's row, unless another sweep has; True if it has a time."""
        row = self._row(point, answer)
        try:
            self.store.add(row, unless=lambda: not self.lacks(self.held(point, row)))
        except StoreError as error:
            if error.row is None:
                raise
            raise StoreError(f"{error}; run the same again to go on", error.row, error.cause) from None
        if others := [name for name in Conditions.MACHINE if row[name] != self.machine[name]]:
            warnings.warn(
                f"sweep: {row['worker']} has another {others[0]} ({row[others[0]]}) than the plan was begun for "
                f"({self.machine[others[0]]}): its rows do not count for this plan; run one plan a kind of device",
                SweepWarning,
                stacklevel=3,
            )
        else:
            self.answered[point] = row
        return _timed(row)

    def _key(self, point: Point, machine: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns and values by which a row of this point on a machine is found."""
        asked, kind = point.run_settings, kind_of(machine["device"])
        known = {**asked, **{name: machine[name] for name in Conditions.MACHINE}}
        known["tf32"] = asked["tf32"] and kind is not None and kind.tf32  # a CPU has no TF32
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
        settings = {**point.run_settings, "batch": None if point.batch == LARGEST else point.batch}
        machine = {**self.machine, "device": answer["device"] or self.machine["device"]}
        failed = failed_row(point.network, settings, error, machine)
        # The key last, so that this row is found as a measurement is.
        return {**where, **failed, **counts, **what, **self._key(point, self.machine)}


def _timed(row: Mapping[str, Any]) -> bool:
    return row.get("reason") is None
