"""Many networks trained in one way, with several seeds each: here or by an executor, resumed where they stopped.

As in `sweeping`, one process writes the store; an executor, anything of the shape of `concurrent.futures.Executor`,
carries the trainings. Its workers keep their checkpoints in a folder that they and this process share.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, as_completed
from functools import cache
from inspect import signature
from os import PathLike
from typing import Any

import pandas as pd

from .._common.checks import several, shown
from .._common.device_kinds import kind_name
from .._common.errors import first_line
from .._common.progress import Line, Step, Tally
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..measuring.executors import ask_environment, check_executor
from ..measuring.settings import check_device
from ..records.measurement import SettingError, now
from ..records.store import Store
from .checkpoints import TrainingError, remove
from .datasets import ImageData, dataset
from .distributed import Processes, together
from .image_files import DataError
from .job import Row, check_arguments, checkpoint_path, identity, keeper, origin, train, train_rows
from .recipe import Recipe

_ANSWERS = ("diverged", "out of memory")  # of a training, by which it would end again
_SHARED = ("diverged",)  # what all processes that train together meet at once


def train_all(
    networks: Iterable[Network | str],
    data: ImageData | str | Mapping[str, Any],
    recipe: Recipe | None = None,
    seeds: Iterable[int] = (0,),
    *,
    store: Store | str | PathLike,
    executor: Executor | None = None,
    device: str | None = None,
    progress: Callable[[Step], None] | None = None,
    retry: bool = False,
) -> pd.DataFrame:
    """Train each network with each seed, all by the same recipe; what the store holds is not trained again.

    Stopped at any moment and called again, it goes on: each training after its last whole epoch.

    Arguments:
        networks: Networks, or names of base networks.
        data: as `train` takes it; or the arguments of `dataset`, as {"name": "fashion-mnist", "holdout": 5000}: an
            executor's worker then finds the data where it is, and is sent none.
        recipe, device: as `train` takes them. With an executor, one of its workers tells what is left to the device.
        store: where the rows go: one for each epoch, and one for each training.
        executor: carries a training as one task; its workers take one a device at a time, and reach the folder of the
            store, in which the checkpoints are. Left out: one after another in this process.
        progress: called with a `Step`: of the training that runs, or with an executor after each; left out: a line on
            stderr.
        retry: whether to try again what the store holds as failed (diverged, out of memory).

    Returns:
        The rows as `train` gives them: of all networks with the first seed, which are trained first, then with the
        next. reason and message say why there is none of the errors, where a training diverged or memory ran out.

    Raises:
        SettingError, RecipeError, DataError, NetworkError: (ValueErrors) as `train`.
        TrainingError: a row or a checkpoint cannot be written, or the executor has lost a task.
    """
    check_executor(executor)
    store = store if isinstance(store, Store) else Store(store)
    store.check()
    device = None if device is None else check_device(device)
    data = _named(data)
    check_arguments(data if isinstance(data, ImageData) else data["name"], recipe, progress)
    processes = together(device)[0]
    recipe = recipe or Recipe()
    networks, seeds = several(networks, Network), several(seeds)
    recipe = recipe if recipe.precision else recipe.on(_kind(device, executor))
    points = [(network, seed) for seed, network in itertools.product(seeds, [named_network(each) for each in networks])]
    ids = [identity(network, _found(data), recipe, seed) for network, seed in points]
    held = processes.from_first(lambda: [_row(store, each) for each in ids])  # all are to train the same
    todo = [(point, each) for point, each, row in zip(points, ids, held, strict=True) if _lacks(row, retry)]
    for each, row in zip(ids, held, strict=True):
        if row is not None and row["reason"] is None and processes.first:  # killed between its row and its end
            remove(checkpoint_path(store, each))
    if executor is None:
        _here(todo, data, recipe, store, device, progress or Line(), processes)
    else:
        tally = Tally(progress or Line(), len(ids) - len(todo), len(ids), 0)
        _carried(executor, todo, data, recipe, store, device, tally)
    return pd.DataFrame([row for each in ids if (row := _row(store, each))])


Todo = list[tuple[tuple[Network, int], dict[str, Any]]]


def _here(
    todo: Todo,
    data: Any,
    recipe: Recipe,
    store: Store,
    device: str | None,
    tell: Callable[[Step], None],
    processes: Processes,
) -> None:
    for number, ((network, seed), ids) in enumerate(todo, 1):

        def told(step: Step, number: int = number) -> None:
            tell(step._replace(name=step.name and f"training {number} of {len(todo)}: {step.name}"))

        try:
            train(network, _found(data), recipe, store=store, seed=seed, device=device, progress=told)
        except TrainingError as error:
            row = _failed(network, ids, error.reason, str(error))
            if processes.first:
                store.add(row)
            if processes.size > 1 and error.reason not in _SHARED:  # the others wait for this one, in the same training
                raise


def _carried(
    executor: Executor, todo: Todo, data: Any, recipe: Recipe, store: Store, device: str | None, tally: Tally
) -> None:
    futures = {}
    for (network, seed), ids in todo:
        path = checkpoint_path(store, ids)
        task = (network.to_dict(), data, recipe.to_dict(), seed, device, str(path.resolve()))
        futures[executor.submit(_task, *task)] = (network, ids, path)
    try:
        for future in as_completed(futures):
            network, ids, path = futures.pop(future)
            answer = _answer(future)
            del future  # while anybody holds it, Dask does the task again where the worker that did it has died
            for row in answer.get("rows", ()):
                keeper(store, ids)(row)
            if "rows" in answer:
                remove(path)
            else:
                store.add(_failed(network, ids, answer["reason"], answer["message"]))
            tally.count(network.name, "rows" in answer)
    finally:
        for future in futures:
            future.cancel()


def _task(network: dict, data: Any, recipe: dict, seed: int, device: str | None, path: str) -> dict[str, Any]:
    """One training, where it runs: plain data in, plain data out."""
    try:
        settings = {"seed": seed, "device": device, "checkpoint": path, "progress": lambda step: None}
        return {"rows": train_rows(Network.from_dict(network), _found(data), Recipe.from_dict(recipe), **settings)}
    except TrainingError as error:
        return {"reason": error.reason, "message": str(error)}


def _answer(future: Any) -> dict[str, Any]:
    try:
        answer = future.result()
    except (SettingError, ValueError):
        raise
    except Exception as error:  # each kind of executor has its own
        said = f"training: the executor has lost a training ({first_line(error)}); run the same again to go on"
        raise TrainingError(said, "cancelled") from error
    if answer.get("reason", _ANSWERS[0]) not in _ANSWERS:
        raise TrainingError(answer["message"], answer["reason"])
    return answer


def _failed(network: Network, ids: Mapping[str, Any], reason: str, message: str) -> Row:
    """The row of a training without an end; what would not end it again is raised."""
    if reason not in _ANSWERS:
        raise TrainingError(message, reason)
    what = {"kind": "trained", **ids, "epoch": None, **origin(network), "reason": reason, "message": message}
    return {**what, "date": now(), "description": network.to_dict()}


def _row(store: Store, ids: Mapping[str, Any]) -> Row | None:
    """The last one with errors, else the last."""
    rows = store.find(kind="trained", **ids)
    return next((row for row in reversed(rows) if row["reason"] is None), rows[-1] if rows else None)


def _lacks(row: Row | None, retry: bool) -> bool:
    return row is None or (retry and row["reason"] is not None)


def _kind(device: str | None, executor: Executor | None) -> str:
    """Return "cuda" or "cpu", of the device that is named or of the one that a training finds where it runs."""
    if device or executor is not None:
        return kind_name(device or ask_environment(executor, None)["device"])
    from ..measuring.devices import find_device

    return find_device().kind.name


def _named(data: Any) -> ImageData | Mapping[str, Any]:
    """Return images as they are, and a name as the arguments of `dataset`; refuse what is neither."""
    if isinstance(data, ImageData):
        return data
    arguments = {"name": data} if isinstance(data, str) else data
    known = list(signature(dataset).parameters)
    if not isinstance(arguments, Mapping) or "name" not in arguments or not set(arguments) <= set(known):
        raise DataError(
            f"data is {shown(data)}, but must be ImageData, the name of a data set, or a dict of {', '.join(known)}"
        )
    return arguments


def _found(data: ImageData | Mapping[str, Any]) -> ImageData:
    return data if isinstance(data, ImageData) else _dataset(tuple(sorted(data.items())))


@cache
def _dataset(arguments: tuple) -> ImageData:
    return dataset(**dict(arguments))
