"""Many networks trained by one recipe, with several seeds each, here or by an executor.

One process writes the store; an executor, anything of the shape of `concurrent.futures.Executor`, carries the
trainings. Its workers keep their checkpoints in a folder that they share with this process.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, as_completed
from functools import cache
from inspect import signature
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from .._common.checks import several, shown
from .._common.device_kinds import kind_name
from .._common.errors import first_line
from .._common.progress import Line, Step, Tally
from ..architectures.definition import Network
from ..architectures.traced.module_family import Family
from ..architectures.traced.sending import network_of, plain_network
from ..measuring.executors import TaskExecutor, ask_environment, check_executor
from ..measuring.settings import check_device
from ..records.measurement import SettingError, described, now
from ..records.store import Store
from ..scaling.module_scaling import network_or_family
from .datasets import ImageData, dataset
from .image_files import DataError
from .job import check_arguments, train, train_rows
from .processes import Processes
from .recipe import Recipe
from .task import Row, TrainingError, checkpoint_path, identity, keep_row, origin, remove_checkpoint
from .torchrun import join

_RESULTS = ("diverged", "out of memory")  # reasons for which a training would fail again: they are stored
_COMMON = ("diverged",)  # those that all processes of a training meet at once


def train_all(
    networks: Iterable[Network | Family | str],
    data: ImageData | str | Mapping[str, Any],
    recipe: Recipe | None = None,
    seeds: Iterable[int] = (0,),
    *,
    store: Store | str | PathLike,
    executor: TaskExecutor | None = None,
    device: str | None = None,
    progress: Callable[[Step], None] | None = None,
    retry: bool = False,
) -> pd.DataFrame:
    """Train each network with each seed by one recipe, unless the store holds it.

    Stopped at any moment and called again, it continues each training after its last whole epoch.

    Arguments:
        networks: Networks, names of base networks, or Families, as for `train`.
        data: as for `train`; or the arguments of `dataset`, as {"name": "fashion-mnist", "holdout": 5000}: an
            executor's workers then load the data where they are, and are sent none.
        recipe: as for `train`; default: `Recipe()`. With an executor, one of its workers says which precision it means.
        seeds: of weights, order and augmentation; default: 0 alone.
        store: takes a row for each epoch, and one for each training.
        executor: carries a training as one task; its workers take one per device at a time, and reach the folder of
            the store, in which the checkpoints are; default: one after another in this process.
        device: as for `train`; default: torch's current GPU, else the CPU.
        progress: called with a `Step`: of the training that runs, or with an executor after each; default: a line on
            stderr.
        retry: train again what the store holds as failed (diverged, out of memory); default: False.

    Returns:
        The rows as `train` returns them: of all networks with the first seed, which are trained first, then with the
        next. If a training diverged or memory ran out, reason and message say so, and there are no errors.

    Raises:
        SettingError, RecipeError, DataError, NetworkError: (ValueErrors) as for `train`.
        TrainingError: a row or a checkpoint cannot be written, or the executor has lost a task.
    """
    check_executor(executor)
    store = store if isinstance(store, Store) else Store(store)
    store.check()
    device = None if device is None else check_device(device)
    data = _loadable(data)
    check_arguments(data if isinstance(data, ImageData) else data["name"], recipe, progress)
    processes, _ = join(device)
    recipe = recipe or Recipe()
    networks, seeds = several(networks, Network), several(seeds)
    recipe = recipe if recipe.precision else recipe.on(_device_kind(device, executor))
    points = [(network, seed) for seed, network in itertools.product(seeds, map(network_or_family, networks))]
    ids = [identity(network, _loaded(data), recipe, seed) for network, seed in points]
    held = processes.from_rank_0(lambda: [_row(store, each) for each in ids])  # all are to train the same
    todo = [
        (point, each)
        for point, each, row in zip(points, ids, held, strict=True)
        if row is None or (retry and row["reason"])
    ]
    for each, row in zip(ids, held, strict=True):
        if row is not None and row["reason"] is None and processes.rank == 0:  # killed after its row
            remove_checkpoint(checkpoint_path(store, each))
    if executor is None:
        _train_here(todo, data, recipe, store, device, progress or Line(), processes)
    else:
        tally = Tally(progress or Line(), len(ids) - len(todo), len(ids), 0)
        _train_by(executor, todo, data, recipe, store, device, tally)
    return pd.DataFrame([row for each in ids if (row := _row(store, each))])


Todo = list[tuple[tuple[Network | Family, int], dict[str, Any]]]


def _train_here(
    todo: Todo,
    data: Any,
    recipe: Recipe,
    store: Store,
    device: str | None,
    report: Callable[[Step], None],
    processes: Processes,
) -> None:
    for number, ((network, seed), ids) in enumerate(todo, 1):

        def progress(step: Step, number: int = number) -> None:
            report(step._replace(name=step.name and f"training {number} of {len(todo)}: {step.name}"))

        try:
            train(network, _loaded(data), recipe, store=store, seed=seed, device=device, progress=progress)
        except TrainingError as error:
            row = _failed(network, ids, error.reason, str(error))
            if processes.rank == 0:
                store.add(row)
            if processes.world_size > 1 and error.reason not in _COMMON:  # the others wait in the same training
                raise


def _train_by(
    executor: TaskExecutor, todo: Todo, data: Any, recipe: Recipe, store: Store, device: str | None, tally: Tally
) -> None:
    futures: dict[Future, tuple[Network | Family, dict[str, Any], Path]] = {}
    for (network, seed), ids in todo:
        path = checkpoint_path(store, ids)
        task = (plain_network(network), data, recipe.to_dict(), seed, device, str(path.resolve()))
        futures[executor.submit(_train_task, *task)] = (network, ids, path)
    try:
        for future in as_completed(futures):
            network, ids, path = futures.pop(future)
            answer = _answer(future)
            del future  # while anybody holds it, Dask does the task again if its worker dies
            for row in answer.get("rows", ()):
                keep_row(store, ids, row)
            if "rows" in answer:
                remove_checkpoint(path)
            else:
                store.add(_failed(network, ids, answer["reason"], answer["message"]))
            tally.count(network.name, "rows" in answer)
    finally:
        for future in futures:
            future.cancel()


def _train_task(network: dict, data: Any, recipe: dict, seed: int, device: str | None, path: str) -> dict[str, Any]:
    """Train in a worker of the executor: plain data in, plain data out."""
    settings: dict[str, Any] = {"seed": seed, "device": device, "checkpoint": path, "progress": lambda step: None}
    try:
        return {"rows": train_rows(network_of(network), _loaded(data), Recipe.from_dict(recipe), **settings)}
    except TrainingError as error:
        return {"reason": error.reason, "message": str(error)}


def _answer(future: Future) -> dict[str, Any]:
    try:
        answer = future.result()
    except (SettingError, ValueError):
        raise
    except Exception as error:  # each kind of executor has its own
        said = f"training: the executor has lost a training ({first_line(error)}); run the same again to go on"
        raise TrainingError(said, "cancelled") from error
    if answer.get("reason", _RESULTS[0]) not in _RESULTS:
        raise TrainingError(answer["message"], answer["reason"])
    return answer


def _failed(network: Network | Family, ids: Mapping[str, Any], reason: str, message: str) -> Row:
    """Make the row of a training that failed, or raise what need not fail again."""
    if reason not in _RESULTS:
        raise TrainingError(message, reason)
    what = {"kind": "trained", **ids, "epoch": None, **origin(network), "reason": reason, "message": message}
    return {**what, "date": now(), **described(network, network.resolution)}


def _row(store: Store, ids: Mapping[str, Any]) -> Row | None:
    """Find the last row with errors, else the last."""
    rows = store.find(kind="trained", **ids)
    return next((row for row in reversed(rows) if row["reason"] is None), rows[-1] if rows else None)


def _device_kind(device: str | None, executor: TaskExecutor | None) -> str:
    """Return "cuda" or "cpu", of the device named or of the one where trainings run."""
    if device:
        return kind_name(device)
    if executor is not None:
        return kind_name(ask_environment(executor, None)["device"])
    from ..measuring.device_finder import find_device

    return find_device().kind.name


def _loadable(data: Any) -> ImageData | Mapping[str, Any]:
    """Return images as they are, and a name as arguments of `dataset`; refuse all else."""
    if isinstance(data, ImageData):
        return data
    arguments = {"name": data} if isinstance(data, str) else data
    known = list(signature(dataset).parameters)
    if not isinstance(arguments, Mapping) or "name" not in arguments or not set(arguments) <= set(known):
        raise DataError(
            f"data is {shown(data)}, but must be ImageData, the name of a data set, or a dict of {', '.join(known)}"
        )
    return arguments


def _loaded(data: ImageData | Mapping[str, Any]) -> ImageData:
    return data if isinstance(data, ImageData) else _dataset(tuple(sorted(data.items())))


@cache
def _dataset(arguments: tuple) -> ImageData:
    return dataset(**dict(arguments))
