"""A network trained: found in the store, resumed from a checkpoint, or begun; a row for each epoch.

Importing this loads no torch; training does.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._common.checks import check_path, check_progress, check_type, check_whole
from .._common.progress import Line, Step, Tally
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..measuring.memory import is_out_of_memory
from ..records.measurement import SettingError, now
from ..records.store import Store, StoreError
from . import checkpoints
from .checkpoints import TrainingError
from .datasets import ImageData, dataset
from .distributed import Processes, together
from .image_files import DataError
from .recipe import Recipe, RecipeError

if TYPE_CHECKING:
    from ..measuring.device_classes import Device


Row = dict[str, Any]


def train(
    network: Network | str,
    data: ImageData | str,
    recipe: Recipe | None = None,
    *,
    store: Store | str | os.PathLike | None = None,
    seed: int = 0,
    device: str | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: Callable[[Step], None] | None = None,
) -> Row:
    """Train a network, and give the row that says how well it then does.

    What the store already holds is not trained again: a row of the same network (by `Network.id`), data, recipe and
    seed. What was stopped, by Ctrl-C or by a kill, goes on after its last whole epoch. On one CPU it then ends in the
    same weights, bit by bit, as if it had not been stopped. Where it went on with another CPU, number of threads or
    processes, or version of torch, it does not, and `repeatable` is False; on GPUs torch does not promise it, either.

    Where `data.part` is "holdout" or "training", the error is taken after each epoch. Where it is "test" it is taken
    once, at the end, so that nothing can be chosen by it; the rows of the epochs then have the loss and the error on
    the training images alone.

    Under torchrun the processes share each batch: `torchrun --nproc-per-node 4 -m fastscale_lib train …` trains on 4
    GPUs. `recipe.parts` must be a multiple of 4 then.

    Arguments:
        network: a Network, or the name of a base network. It must have the data's channels and classes; the images
            are resized to its resolution.
        data: as `dataset` gives it, or its name.
        recipe: left out: `Recipe()`.
        store: where a row goes after each epoch (kind "epoch") and at the end (kind "trained"); None: nowhere.
        seed: of weights, order and augmentation.
        device: "cpu", "cuda" or "cuda:N"; left out: the GPU where there is one.
        checkpoint: a file that has, after each epoch, all that is needed to go on, and at the end the trained
            weights: `torch.load(file)["model"]`, and "ema", fit the module that `build` makes. Where it is not there,
            the network is trained, whether the store has its row or not. Left out, a file beside the store, which is
            removed when the last row is there; without a store none.
        progress: called with a `Step` at the start and after each step; left out: a line on stderr.

    Returns:
        The row: network, base, strategy, scale; data, part, recipe, seed; top1_error and top5_error in %, loss
        (cross-entropy); weights, whose these are: "ema" or "raw"; raw_top1_error, raw_top5_error, raw_loss;
        train_loss, train_top1_error in % (of augmented images); seconds (of all epochs), epoch_s (the last),
        images_per_s, peak_memory_bytes (None on a CPU); repeatable; flops (multiply-adds), params, activations;
        processes; the device and the versions, as in a `Measurement`; date.

    Raises:
        SettingError, RecipeError, DataError, NetworkError: (ValueErrors) what is asked for does not fit together or is
            not there.
        TrainingError: it did not end: the loss diverged, memory ran out, the disk is full, or the checkpoint is
            another's. The last good checkpoint is kept.
        StoreError: the file is no store, or cannot be written; this is seen, as for the checkpoint, before any work.
    """
    store = store if store is None or isinstance(store, Store) else Store(store)
    check_arguments(data, recipe, progress)
    if checkpoint is not None:
        checkpoint = check_path("checkpoint", checkpoint, SettingError)
    settings = {"seed": seed, "device": device, "checkpoint": checkpoint, "progress": progress}
    return train_rows(network, data, recipe or Recipe(), store=store, **settings)[-1]


def check_arguments(data: Any, recipe: Any, progress: Any) -> None:
    """Refuse what is no data set, recipe or function.

    Raises:
        DataError, RecipeError, SettingError: naming the value.
    """
    check_type("data", data, (ImageData, str), DataError, "ImageData, or the name of a data set")
    if recipe is not None:
        check_type("recipe", recipe, Recipe, RecipeError, "a Recipe, or None for the usual one")
    check_progress(progress, SettingError)


def train_rows(
    network: Network | str,
    data: ImageData | str,
    recipe: Recipe,
    *,
    store: Store | None = None,
    seed: int,
    device: str | None,
    checkpoint: str | os.PathLike | None,
    progress: Callable[[Step], None] | None,
) -> list[Row]:
    """As `train`, but all rows: of the epochs, and last that of the training; where it is in the store, this alone."""
    processes, device = together(device)
    if processes.first:
        check_places(store, checkpoint)
    task = _task(network, data, recipe, seed, device)
    path = Path(checkpoint) if checkpoint is not None else checkpoint_path(store, task.ids)
    asked_for = checkpoint is not None and not path.exists()  # the weights are wanted, and a row does not have them
    if store is not None and (held := processes.from_first(lambda: None if asked_for else _held(store, task.ids))):
        return [held]
    rows = _trained(task, path, processes, keeper(store, task.ids), progress)
    if checkpoint is None and path is not None and processes.first:
        checkpoints.remove(path)
    return rows


def check_places(store: Store | None, checkpoint: str | os.PathLike | None) -> None:
    """See before any work whether the rows and the checkpoint can be kept.

    Raises:
        StoreError, TrainingError: they cannot.
    """
    if store is not None:
        store.check()
    if (path := checkpoint_path(store, {"any": "checkpoint"}) if checkpoint is None else Path(checkpoint)) is not None:
        checkpoints.check(path)


def identity(network: Network, data: ImageData, recipe: Recipe, seed: int) -> dict[str, Any]:
    """By what a training is found again; the recipe is one with nothing left to the device (`Recipe.on`)."""
    return {"network_id": network.id, "data_id": data.id, "recipe_id": recipe.id, "seed": seed}


@dataclass(frozen=True)
class _Task:
    """What is to be trained, and where; `ids` tell it from others."""

    network: Network
    data: ImageData
    recipe: Recipe
    seed: int
    device: Device

    @property
    def ids(self) -> dict[str, Any]:
        return identity(self.network, self.data, self.recipe, self.seed)

    def __str__(self) -> str:
        return f"{self.network.name}, {self.data.name}, seed {self.seed}"


def _task(network: Network | str, data: ImageData | str, recipe: Recipe, seed: int, device: str | None) -> _Task:
    network = named_network(network)
    data = dataset(data) if isinstance(data, str) else data
    seed = check_whole("seed", seed, SettingError, 0, 2**63 - 1, remedy="; try 0")
    from ..measuring.devices import find_device

    found = find_device(device, recipe.precision or "fp32")
    _check(network, data, recipe)
    return _Task(network, data, recipe.on(found.kind.name), seed, found)


def _check(network: Network, data: ImageData, recipe: Recipe) -> None:
    """Refuses what does not fit together."""
    has, needs = (network.channels, network.classes), (data.channels, data.classes)
    if has != needs:
        raise SettingError(
            f"{network.name} is for {has[0]} channels and {has[1]} classes, but {data.name} has {needs[0]} and "
            f"{needs[1]}; give these in its .yaml file, or by dataclasses.replace(network, channels={needs[0]}, "
            f"classes={needs[1]})"
        )
    if network.total_stride > network.resolution:
        raise SettingError(
            f"{network.name} is too deep for its resolution: its strides make {network.resolution} px "
            f"{network.total_stride} times smaller, less than one pixel; give it fewer strides, as with the stem "
            "res_stem_cifar, or a higher resolution"
        )
    if recipe.batch > len(data.images):
        raise SettingError(
            f"batch is {recipe.batch}, but {data.name} has {len(data.images)} images to train on; try a smaller batch"
        )
    if recipe.batch == recipe.parts:
        raise SettingError(f"parts is {recipe.parts}, one for each image, but BN needs two or more; try fewer")


def _held(store: Store, ids: Mapping[str, Any]) -> Row | None:
    rows = store.find(kind="trained", reason=None, **ids)
    return rows[-1] if rows else None


def checkpoint_path(store: Store | None, ids: Mapping[str, Any]) -> Path | None:
    """Beside the store, for as long as the training lasts."""
    if store is None:
        return None
    return store.path.with_name(f"{store.path.name}.checkpoints") / f"{'-'.join(map(str, ids.values()))}.pt"


def keeper(store: Store | None, ids: Mapping[str, Any]) -> Callable[[Row], None]:
    """Adds a row to the store, unless it has it: a training that was stopped between checkpoint and store."""

    def keep(row: Row) -> None:
        if store is None:
            return
        what = {"kind": row["kind"], "epoch": row["epoch"], "reason": row.get("reason"), **ids}
        try:
            store.add(row, unless=lambda: bool(store.find(**what)))
        except StoreError as error:
            if error.row is None:
                raise
            raise TrainingError(
                f"training: {store.path} cannot take a row ({error.cause}); the checkpoint is kept; make room, and run "
                "the same again",
                "disk",
            ) from None

    return keep


def _trained(
    task: _Task,
    path: Path | None,
    processes: Processes,
    keep: Callable[[Row], None],
    progress: Callable[[Step], None] | None,
) -> list[Row]:
    """Go on from the checkpoint, or begin; all rows."""
    if task.recipe.parts % processes.size:
        raise SettingError(f"parts is {task.recipe.parts}, which {processes.size} processes cannot share; try another")
    state = processes.from_first(lambda: None if path is None else checkpoints.read(path, task.ids)) or {}
    rows = list(state.get("rows", ()))
    from ..measuring.running import flags

    try:
        with flags(tf32=False):
            return _epochs(task, state, rows, path, processes, keep, progress)
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, TrainingError) or not is_out_of_memory(error):
            raise
    # Out of the handler, so that no traceback keeps the tensors alive.
    task.device.free_cache()
    raise TrainingError(
        f"{task.network.name}: memory ran out on {task.device} with batch {task.recipe.batch} in {task.recipe.parts} "
        f"parts; try parts={2 * task.recipe.parts}",
        "out of memory",
    )


def _epochs(
    task: _Task,
    state: dict[str, Any],
    rows: list[Row],
    path: Path | None,
    processes: Processes,
    keep: Callable[[Row], None],
    progress: Callable[[Step], None] | None,
) -> list[Row]:
    from .trainer import Trainer

    trainer = Trainer(task.network, task.data, task.recipe, task.seed, task.device.at, processes)
    where = _where(task.device, processes)
    repeatable = task.device.repeatable and state.get("repeatable", True) and state.get("where", where) == where
    if state:
        trainer.load(state)
    quiet = (lambda step: None) if not processes.first else progress or Line()
    epochs = task.recipe.epochs
    tally = Tally(quiet, trainer.epochs_done * trainer.steps, epochs * trainer.steps, 0)
    keep = keep if processes.first else lambda row: None
    for row in rows:
        keep(row)
    while not rows or rows[-1]["kind"] != "trained":
        if trainer.epochs_done < epochs:
            said = f"{task}, epoch {trainer.epochs_done + 1} of {epochs}" + _so_far(rows)
            rows.append(_epoch(task, trainer, tally, said))
        else:
            rows.append({**_last(task, trainer, rows, processes), "repeatable": repeatable})
        if path is not None and processes.first:
            made = {"of": task.ids, "rows": rows, "where": where, "repeatable": repeatable}
            checkpoints.write(path, {**trainer.state(), **made})
        keep(rows[-1])
    return rows


def _where(device: Device, processes: Processes) -> dict[str, Any]:
    """What decides the last bits of a training, beside what is trained."""
    from ..measuring.environment import read_environment

    found = read_environment(str(device))
    return {**{name: found[name] for name in ("device_name", "threads", "torch")}, "processes": processes.size}


def _so_far(rows: list[Row]) -> str:
    errors = [row["top1_error"] for row in rows if row.get("top1_error") is not None]
    return f", error {errors[-1]:.2f} %" if errors else ""


def _epoch(task: _Task, trainer: Any, tally: Tally, said: str) -> Row:
    task.device.forget_peak_memory()
    began = time.perf_counter()
    found = trainer.epoch(lambda: tally.count(said, True))  # which waits for the device at its end
    seconds = time.perf_counter() - began
    return {
        "kind": "epoch",
        **task.ids,
        "epoch": trainer.epochs_done,
        "reason": None,
        "message": None,
        **found,
        **({} if task.data.part == "test" else trainer.errors()),
        "part": task.data.part,
        "epoch_s": seconds,
        "images_per_s": trainer.steps * task.recipe.batch / seconds,
        "peak_memory_bytes": task.device.peak_memory(),
    }


def _last(task: _Task, trainer: Any, rows: list[Row], processes: Processes) -> Row:
    from ..measuring.environment import read_environment

    network = task.network
    row = {
        **rows[-1],
        "kind": "trained",
        **trainer.errors(),
        "seconds": sum(row["epoch_s"] for row in rows),
        **origin(network),
        "data": task.data.name,
        "recipe": task.recipe.to_dict(),
        "resolution": network.resolution,
        **complexity(network)._asdict(),
        "processes": processes.size,
        **read_environment(str(task.device)),
        "date": now(),
        "description": network.to_dict(),
    }
    return json.loads(json.dumps(row))  # as the store and the checkpoint will give it back


def origin(network: Network) -> Row:
    """What a network is called, and what it is scaled from."""
    scaling = network.scaling
    return {
        "network": network.name,
        "base": scaling.base if scaling else network.name,
        "strategy": scaling.strategy if scaling else None,
        "scale": scaling.s if scaling else 1.0,
    }
