"""The epochs of a training: resumed from a checkpoint, or begun; a row for each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .._common.progress import Line, Step, Tally
from ..architectures.counting import complexity
from ..measuring.environment import read_environment
from ..measuring.running import flags, is_out_of_memory
from ..records.measurement import SettingError, described, now
from . import checkpoints
from .processes import Processes
from .task import Row, Task, TrainingError, origin
from .trainer import Trainer


def run_epochs(
    task: Task,
    path: Path | None,
    processes: Processes,
    keep: Callable[[Row], None],
    progress: Callable[[Step], None] | None,
) -> list[Row]:
    """Go on from the checkpoint, or begin, and train to the end; see `train`.

    Rows are given to `keep` and returned: one for each epoch, and last that of the training.
    """
    if task.recipe.parts % processes.world_size:
        raise SettingError(
            f"parts is {task.recipe.parts}, which {processes.world_size} processes cannot share; try another"
        )
    state = processes.from_rank_0(lambda: None if path is None else checkpoints.read(path, task.ids)) or {}
    rows = list(state.get("rows", ()))
    try:
        with flags(tf32=False):
            return _epochs(task, state, rows, path, processes, keep, progress)
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, TrainingError) or not is_out_of_memory(error):
            raise
    # Outside the handler, so that no traceback keeps the tensors alive.
    task.device.free_cache()
    raise TrainingError(
        f"{task.network.name}: memory ran out on {task.device} with batch {task.recipe.batch} in {task.recipe.parts} "
        f"parts; try parts={2 * task.recipe.parts}",
        "out of memory",
    )


def _epochs(
    task: Task,
    state: dict[str, Any],
    rows: list[Row],
    path: Path | None,
    processes: Processes,
    keep: Callable[[Row], None],
    progress: Callable[[Step], None] | None,
) -> list[Row]:
    trainer = Trainer(task.network, task.data, task.recipe, task.seed, task.device.at, processes)
    where = _conditions(task.device.at, processes)
    repeatable = task.device.repeatable and state.get("repeatable", True) and state.get("where", where) == where
    if state:
        trainer.load(state)
    report = (progress or Line()) if processes.rank == 0 else lambda step: None
    epochs = task.recipe.epochs
    tally = Tally(report, trainer.epochs_done * trainer.steps, epochs * trainer.steps, 0)
    keep = keep if processes.rank == 0 else lambda row: None
    for row in rows:
        keep(row)
    while not rows or rows[-1]["kind"] != "trained":
        if trainer.epochs_done < epochs:
            errors = [row["top1_error"] for row in rows if row.get("top1_error") is not None]
            error = f", error {errors[-1]:.2f} %" if errors else ""
            name = f"{task}, epoch {trainer.epochs_done + 1} of {epochs}{error}"
            rows.append(_train_epoch(task, trainer, tally, name))
        else:
            rows.append({**_final_row(task, trainer, rows, processes), "repeatable": repeatable})
        if path is not None and processes.rank == 0:
            made = {"of": task.ids, "rows": rows, "where": where, "repeatable": repeatable}
            checkpoints.write(path, {**trainer.state(), **made})
        keep(rows[-1])
    return rows


def _conditions(device: torch.device, processes: Processes) -> dict[str, Any]:
    """Return what decides the last bits of a training, beside what is trained."""
    found = read_environment(device)
    return {**{name: found[name] for name in ("device_name", "threads", "torch")}, "processes": processes.world_size}


def _train_epoch(task: Task, trainer: Trainer, tally: Tally, name: str) -> Row:
    task.device.forget_peak_memory()
    began = time.perf_counter()
    found = trainer.epoch(lambda: tally.count(name, True))  # it waits for the device at its end
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


def _final_row(task: Task, trainer: Trainer, rows: list[Row], processes: Processes) -> Row:
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
        "processes": processes.world_size,
        **read_environment(task.device.at),
        "date": now(),
        **described(network, network.resolution),
    }
    return json.loads(json.dumps(row))  # as it will be read from store and checkpoint
