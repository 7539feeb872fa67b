"""The processes that train one network together, as torchrun starts them; usually it is this one alone.

Importing this loads no torch; joining others does.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .._common.checks import shown
from ..records.measurement import SettingError

if TYPE_CHECKING:
    import torch


Result = TypeVar("Result")
_REST_S = 0.25
_TORCHRUN = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # which it sets beside WORLD_SIZE


@dataclass(frozen=True)
class Processes:
    """Which of `size` processes this is: `rank`, from 0; rank 0 alone writes and tells."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def wrap(self, module: torch.nn.Module) -> torch.nn.Module:
        """The module, whose gradients are averaged over all processes; BN keeps to its own process."""
        if self.size == 1:
            return module
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(module, broadcast_buffers=False)

    def alone(self, module: torch.nn.Module, now: bool) -> contextlib.AbstractContextManager:
        """Where `now`, gradients are added up here, and averaged with the next backward pass."""
        return module.no_sync() if now and self.size > 1 else contextlib.nullcontext()

    def add(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, in each of them."""
        if self.size > 1:
            import torch.distributed

            torch.distributed.all_reduce(tensor)
        return tensor

    def average(self, tensors: Iterable[torch.Tensor]) -> None:
        """Give each process the mean over all of them."""
        for tensor in tensors if self.size > 1 else ():
            self.add(tensor).div_(self.size)

    def from_first(self, find: Callable[[], Result]) -> Result:
        """What the first process finds, in each of them; the others do not look."""
        if self.size == 1:
            return find()
        import torch.distributed

        found = [find() if self.first else None]
        torch.distributed.broadcast_object_list(found)
        return found[0]


def together(device: str | None) -> tuple[Processes, str | None]:
    """The processes that torchrun started, joined, and this one's device; without torchrun this one, and `device`.

    On GPUs each process takes its own, and NCCL carries the gradients; on CPUs gloo does. They stay joined until they
    end: torchrun's processes cannot leave and meet a second time.

    Raises:
        SettingError: (a ValueError) the environment has WORLD_SIZE, but not what torchrun sets beside it; or the GPU is
            not there.
    """
    size = _size()
    if size == 1:
        return Processes(), device
    import torch.distributed

    from ..measuring.devices import find_device, kind_for

    kind = kind_for(device)
    if kind.numbered:
        own = find_device(f"{kind.name}:{os.environ['LOCAL_RANK']}")  # or a sentence, where GPUs are too few
        own.make_current()
        device = str(own)
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group(kind.backend)
        atexit.register(_leave)
    return Processes(torch.distributed.get_rank(), size), device


def told_elsewhere() -> bool:
    """Whether another of torchrun's processes than this one writes the rows, and tells of them."""
    return _size() > 1 and int(os.environ["RANK"]) > 0


def _size() -> int:
    """How many processes torchrun has started; 1 without it."""
    size, rank = os.environ.get("WORLD_SIZE") or "1", os.environ.get("RANK", "")
    if size == "1":
        return 1
    if lacks := [name for name in _TORCHRUN if not os.environ.get(name)]:
        why = f"WORLD_SIZE is {shown(size)}, but {', '.join(lacks)} {'is' if len(lacks) == 1 else 'are'} not set"
    elif not all(each.isdecimal() and len(each) <= 6 for each in (size, rank)) or int(rank) >= int(size):
        why = f"WORLD_SIZE is {shown(size)} and RANK {shown(rank)}, but both must be whole numbers, RANK the smaller"
    else:
        return int(size)
    raise SettingError(
        f"{why}; torchrun sets them, for processes that train together: start this by torchrun, or unset WORLD_SIZE"
    )


def _leave() -> None:
    """Destroy the group, and let gloo's threads come to rest.

    They outlive it, as DistributedDataParallel does not give it back, and one that lets go of a tensor while the
    interpreter ends aborts the process: after a wait that returned, a thread still holds what it worked on for some
    microseconds, or on a busy machine until it is its turn again.
    """
    import torch.distributed

    torch.distributed.destroy_process_group()
    time.sleep(_REST_S)
