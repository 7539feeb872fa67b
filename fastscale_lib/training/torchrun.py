"""The processes that torchrun has started, found by its environment variables."""

from __future__ import annotations

import os

from .._common.checks import shown
from ..records.measurement import SettingError
from .processes import Processes

_TORCHRUN = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # set by torchrun, beside WORLD_SIZE


def join(device: str | None) -> tuple[Processes, str | None]:
    """Join the processes that torchrun started; return them, and the device of this one.

    On GPUs each process takes its own, and NCCL carries the gradients; on CPUs gloo does. They stay joined until they
    end: torchrun's processes cannot leave and join a second time.
    """
    if _world_size() == 1:
        return Processes(), device
    from .distributed import join_group

    return join_group(device)


def reported_elsewhere() -> bool:
    """Tell whether another of torchrun's processes writes and reports the rows."""
    return _world_size() > 1 and int(os.environ["RANK"]) > 0


def _world_size() -> int:
    """Return how many processes torchrun has started; 1 without it."""
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
