"""Several processes that train one network together, by torch.distributed."""

from __future__ import annotations

import atexit
import contextlib
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from ..measuring.device_finder import find_device, kind_for
from .processes import Processes, Result

_REST_S = 0.25


class Group(Processes):
    """This process and the others of its group."""

    def __init__(self) -> None:
        self.rank, self.world_size = dist.get_rank(), dist.get_world_size()

    def wrap(self, module: torch.nn.Module) -> torch.nn.Module:
        return DistributedDataParallel(module, broadcast_buffers=False)

    def local_gradients(self, module: torch.nn.Module) -> contextlib.AbstractContextManager:
        assert isinstance(module, DistributedDataParallel)  # as `wrap` made it
        return module.no_sync()

    def add(self, tensor: torch.Tensor) -> torch.Tensor:
        dist.all_reduce(tensor)
        return tensor

    def average(self, tensors: Iterable[torch.Tensor]) -> None:
        for tensor in tensors:
            self.add(tensor).div_(self.world_size)

    def from_rank_0(self, find: Callable[[], Result]) -> Result:
        found: list[Any] = [find() if self.rank == 0 else None]
        dist.broadcast_object_list(found)
        return found[0]


def join_group(device: str | None) -> tuple[Group, str | None]:
    """Join the processes that torchrun started; see `torchrun.join`."""
    kind = kind_for(device)
    if kind.numbered:
        own = find_device(f"{kind.name}:{os.environ['LOCAL_RANK']}")  # refused if GPUs are too few
        own.make_current()
        device = str(own)
    if not dist.is_initialized():
        dist.init_process_group(kind.backend)
        atexit.register(_leave)
    return Group(), device


def _leave() -> None:
    """Destroy the group, and let gloo's threads come to rest.

    They outlive it, as DistributedDataParallel does not give it back, and one that frees a tensor while the interpreter
    ends aborts the process: a thread still holds what it worked on for some microseconds after a wait that returned.
    """
    dist.destroy_process_group()
    time.sleep(_REST_S)
