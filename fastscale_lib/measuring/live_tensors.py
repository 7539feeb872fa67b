"""The tensors alive while torch runs, and the bytes of their storages."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveTensors(TorchDispatchMode):
    """Count the storages that torch makes within this context, until they are freed.

    Views share a storage, and in-place operations make none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[int, int] = {}  # bytes of each storage alive, by its number
        self._known: dict[int, tuple[weakref.ref, int]] = {}  # by id(storage), which is used again once it is freed
        self._made = 0
        self._total = 0
        self.restart()

    def restart(self) -> None:
        """Forget the peak, the largest sum of sizes, and look for it again from what is alive now."""
        self.peak, self.at_peak = self._total, dict(self.sizes)

    def numbers(self, tensors: Iterable[torch.Tensor | None]) -> set[int]:
        """Return the numbers of the tensors' storages; those not yet known count from now on."""
        return {self._number(each) for each in tensors if each is not None}

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self._number(result)
        elif isinstance(result, tuple | list):  # many calls return neither, as those that ask for a device
            self.numbers(each for each in tree_leaves(result) if isinstance(each, torch.Tensor))
        return result

    def _number(self, tensor: torch.Tensor) -> int:
        storage = tensor.untyped_storage()
        key = id(storage)
        if key in self._known:
            return self._known[key][1]
        self._made += 1
        number, size = self._made, storage.nbytes()

        def freed(_: weakref.ref) -> None:
            del self._known[key], self.sizes[number]
            self._total -= size

        self._known[key] = weakref.ref(storage, freed), number
        self.sizes[number] = size
        self._total += size
        if self._total > self.peak:
            self.peak, self.at_peak = self._total, dict(self.sizes)
        return number
