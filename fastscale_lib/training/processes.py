"""The processes of one training, of which this is one. Importing this loads no torch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

Result = TypeVar("Result")


class Processes:
    """One process alone; `distributed.Group` is several. Rank 0 writes and reports."""

    rank: int = 0
    world_size: int = 1

    def wrap(self, module: torch.nn.Module) -> torch.nn.Module:
        """Return a module whose gradients are averaged over all processes; BN's statistics are not."""
        return module

    def local_gradients(self, module: torch.nn.Module) -> contextlib.AbstractContextManager:
        """Add up gradients in this process within the context; the next backward pass averages them."""
        return contextlib.nullcontext()

    def add(self, tensor: torch.Tensor) -> torch.Tensor:
        """Sum a tensor over all processes, in place, and return it."""
        return tensor

    def average(self, tensors: Iterable[torch.Tensor]) -> None:
        """Average tensors over all processes, in place."""

    def from_rank_0(self, find: Callable[[], Result]) -> Result:
        """Call a function in rank 0 alone, and return its result in every process."""
        return find()
