"""Training a network, unless the store holds its row. Importing this loads no torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from .._common.checks import check_path, check_progress, check_type
from .._common.progress import Step
from ..architectures.definition import Network
from ..architectures.traced.module_family import Family
from ..records.measurement import SettingError
from ..records.store import Store
from .datasets import ImageData
from .image_files import DataError
from .recipe import Recipe, RecipeError
from .task import Row, check_checkpoint, checkpoint_path, keep_row, make_task, remove_checkpoint
from .torchrun import join


def train(
    network: Network | Family | str,
    data: ImageData | str,
    recipe: Recipe | None = None,
    *,
    store: Store | str | os.PathLike | None = None,
    seed: int = 0,
    device: str | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: Callable[[Step], None] | None = None,
) -> Row:
    """Train a network, and return the row with its error.

    What the store already holds is not trained again: a row of the same network (by `Network.id`), data, recipe and
    seed. A training that was stopped, by Ctrl-C or by a kill, continues after its last whole epoch. On one CPU it then
    ends in the same weights, bit by bit, as if it had not been stopped. If it continues with another CPU, number of
    threads or processes, or version of torch, it may not, and `repeatable` is False; on GPUs torch does not promise it,
    either.

    If `data.part` is "holdout" or "training", the error is computed after each epoch. If it is "test", it is computed
    once, at the end, so that nothing can be chosen by it; the rows of the epochs then have the loss and the error on
    the training images alone.

    Under torchrun the processes share each batch: `torchrun --nproc-per-node 4 -m fastscale_lib train …` trains on 4
    GPUs. `recipe.parts` must then be a multiple of 4.

    Arguments:
        network: a Network, the name of a base network, or a Family whose callable can be imported. It must have the
            data's channels and classes; the images are resized to its resolution.
        data: as `dataset` returns it, or its name.
        recipe: how to train; default: `Recipe()`.
        store: takes a row after each epoch (kind "epoch") and at the end (kind "trained"); default: None.
        seed: of weights, order and augmentation; default: 0.
        device: "cpu", "cuda" or "cuda:N"; default: torch's current GPU, else the CPU.
        checkpoint: a file that has, after each epoch, all that is needed to go on, and at the end the trained
            weights: `torch.load(file)["model"]`, and "ema", fit the module that `build` makes. If it is not there, the
            network is trained even if the store has its row. Default: a file beside the store, which is removed once
            the last row is stored; without a store none.
        progress: called with a `Step` at the start and after each step of the optimizer; default: a line on stderr.

    Returns:
        The row: network, base, strategy, scale; data, part, recipe, seed; top1_error and top5_error in %, loss
        (cross-entropy); weights, which these are of: "ema" or "raw"; raw_top1_error, raw_top5_error, raw_loss;
        train_loss, train_top1_error in % (of augmented images); seconds (of all epochs), epoch_s (of the last),
        images_per_s, peak_memory_bytes (None on a CPU); repeatable; flops (multiply-adds), params, activations;
        processes; the device and the versions, as in a `Measurement`; date.

    Raises:
        SettingError, RecipeError, DataError, NetworkError: (ValueErrors) what is asked for does not fit together or is
            not there.
        TrainingError: it did not end: the loss diverged, memory ran out, the disk is full, or the checkpoint is that of
            another training. The last good checkpoint is kept.
        StoreError: the file is not a store, or cannot be written; this is checked before any work.
    """
    store = store if store is None or isinstance(store, Store) else Store(store)
    check_arguments(data, recipe, progress)
    if checkpoint is not None:
        checkpoint = check_path("checkpoint", checkpoint, SettingError)
    settings: dict[str, Any] = {"seed": seed, "device": device, "checkpoint": checkpoint, "progress": progress}
    return train_rows(network, data, recipe or Recipe(), store=store, **settings)[-1]


def check_arguments(data: Any, recipe: Any, progress: Any) -> None:
    """Refuse arguments that are not a data set, a recipe and a function."""
    check_type("data", data, (ImageData, str), DataError, "ImageData, or the name of a data set")
    if recipe is not None:
        check_type("recipe", recipe, Recipe, RecipeError, "a Recipe, or None for the usual one")
    check_progress(progress, SettingError)


def train_rows(
    network: Network | Family | str,
    data: ImageData | str,
    recipe: Recipe,
    *,
    store: Store | None = None,
    seed: int,
    device: str | None,
    checkpoint: str | os.PathLike | None,
    progress: Callable[[Step], None] | None,
) -> list[Row]:
    """Train as `train` does; return the rows of the epochs, and last that of the training."""
    processes, device = join(device)
    if processes.rank == 0:
        check_places(store, checkpoint)
    task = make_task(network, data, recipe, seed, device)
    path = _checkpoint(store, checkpoint, task.ids)
    wanted = checkpoint is not None and not Path(checkpoint).exists()  # a row does not have the weights
    held = processes.from_rank_0(
        lambda: [] if store is None or wanted else store.find(kind="trained", reason=None, **task.ids)
    )
    if held:
        return held[-1:]
    from .epochs import run_epochs

    keep = (lambda row: None) if store is None else partial(keep_row, store, task.ids)
    rows = run_epochs(task, path, processes, keep, progress)
    if checkpoint is None and path is not None and processes.rank == 0:
        remove_checkpoint(path)
    return rows


def check_places(store: Store | None, checkpoint: str | os.PathLike | None) -> None:
    """Raise an error before any work if the rows or the checkpoint cannot be written."""
    if store is not None:
        store.check()
    if (path := _checkpoint(store, checkpoint, {"any": "checkpoint"})) is not None:
        check_checkpoint(path)


def _checkpoint(store: Store | None, checkpoint: str | os.PathLike | None, ids: Mapping[str, Any]) -> Path | None:
    if checkpoint is not None:
        return Path(checkpoint)
    return None if store is None else checkpoint_path(store, ids)
