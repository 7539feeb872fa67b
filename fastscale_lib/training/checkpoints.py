"""Checkpoints: the state of a training in a file. Importing this loads no torch."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._common.files import remove_parts, trial, write_whole
from ..records.measurement import MeasureError


class TrainingError(MeasureError):
    """A training did not end; the message says why, and what is kept.

    `reason` is "diverged" (the loss is no number), "out of memory", "disk" (a row or a checkpoint cannot be written)
    or "checkpoint" (a file is none, or that of another training).
    """


def write(path: Path, state: Mapping[str, Any]) -> None:
    """Replace a checkpoint in one step: a reader or a kill finds the old file or the new.

    Arguments:
        path: of the file.
        state: dicts, lists, numbers, texts and tensors.

    Raises:
        TrainingError: it cannot be written, as if the disk is full; the old file is still there.
    """
    import torch

    data = io.BytesIO()  # torch.save to a file hides the system's error
    torch.save(dict(state), data)
    try:
        write_whole(path, data.getbuffer())
    except OSError as error:
        kept = "the one before is kept" if path.exists() else "there was none before"
        raise TrainingError(
            f"training: the checkpoint {path} cannot be written ({error.strerror}); {kept}; make room, and run the "
            "same again",
            "disk",
        ) from None


def check(path: Path) -> None:
    """Check before the work whether a checkpoint can be written here; this leaves no file.

    Raises:
        TrainingError: it is a folder, or its folder takes no new files.
    """
    try:
        with trial(path):
            pass
    except OSError as error:
        raise TrainingError(
            f"training: the checkpoint {path} cannot be written ({error.strerror}); give another path", "disk"
        ) from None


def read(path: Path, of: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read a state from a file to the CPU; None if there is no file.

    Arguments:
        path: of the file.
        of: what its `of` must be: the ids of the network, data and recipe, and the seed.

    Raises:
        TrainingError: the file is no checkpoint, or that of another training.
    """
    import torch

    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = dict(state["of"])
    except Exception as error:  # of many kinds: pickle's, zip's, torch's
        said = type(error).__name__
        raise TrainingError(
            f"training: {path} is no checkpoint ({said}); give another path, or delete it to begin anew", "checkpoint"
        ) from None
    if differs := [name for name in of if found.get(name) != of[name]]:
        name = differs[0]
        raise TrainingError(
            f"training: {path} is the checkpoint of another training: its {name} is {found.get(name)}, not {of[name]}; "
            "give another path, or delete it to begin anew",
            "checkpoint",
        )
    return state


def remove(path: Path) -> None:
    """Remove a checkpoint, and its folder once that is empty."""
    path.unlink(missing_ok=True)
    remove_parts(path)
    with contextlib.suppress(OSError):  # other trainings are still there
        path.parent.rmdir()
