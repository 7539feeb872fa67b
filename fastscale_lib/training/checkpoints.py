"""Checkpoints: the state of a training in a file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .._common.files import write_whole
from .task import TrainingError


def write(path: Path, state: Mapping[str, Any]) -> None:
    """Replace a checkpoint in one step: a reader or a kill finds the old file or the new.

    If it cannot be written, a TrainingError is raised, and the old file is still there.
    """
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


def read(path: Path, of: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read a state from a file to the CPU; None if there is no file.

    A TrainingError is raised if its ids of network, data and recipe, and its seed, are not those of `of`.
    """
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
