"""How much memory a run may take, and whether it ran out.

Importing this loads no torch; limiting does.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .._common.memory import _number, available_bytes
from ..records.measurement import SettingError

if TYPE_CHECKING:
    import torch


# oneDNN names no cause: it could have made the algorithm (the "primitive descriptor"), but not its tables.
_ONEDNN = r"could not (create|execute) a primitive(?! descriptor)"
# As cuDNN and cuBLAS say it: the handle, or the workspace, that they need has no room. cuDNN 9 says where.
_LIBRARIES = r"ALLOC_FAILED|ALLOCATION_FAILED|CUBLAS_STATUS_NOT_INITIALIZED|unable to find an engine to execute"
# As torch says it, and the C++ library.
_RAN_OUT = rf"out of memory|can't allocate memory|Storage size calculation overflowed|bad_alloc|{_LIBRARIES}|{_ONEDNN}"
_SHARE = 0.9  # of the machine's available memory; the rest is for what others allocate meanwhile


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out: torch has an own error for it on GPUs, and none on CPUs or inside its libraries."""
    return isinstance(error, MemoryError) or re.search(_RAN_OUT, str(error)) is not None


def is_spoilt(error: Exception) -> bool:
    """Whether the process can measure no more: oneDNN (as of torch 2.13), once refused memory, keeps refusing.

    And cuBLAS says the same where an error before has made the GPU unusable for this process.
    """
    return re.search(rf"{_LIBRARIES}|{_ONEDNN}", str(error)) is not None


@contextlib.contextmanager
def limited(device: torch.device, memory_bytes: int | None = None) -> Iterator[None]:
    """What allocates more memory, inside, fails as it does where memory ran out.

    On a GPU the limit is `memory_bytes` for all that torch holds there, or the device itself. On a CPU this process
    may take 90 % of what the machine has available, beside what it holds already, or `memory_bytes` if that is
    less: without a limit Linux would promise more than there is, then swap, or kill. The limit is one on address space
    that can be written to (RLIMIT_DATA), which is a little more than what is in use.

    Raises:
        SettingError: this is a CPU on a system that does not tell how much memory there is (Linux does).
    """
    import torch

    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, (memory_bytes or total) / total), device)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, device)
        return
    available = available_bytes()
    if available is None:
        raise SettingError("device is 'cpu', but only Linux tells how much memory a CPU has left; try a GPU")
    import resource  # not on Windows

    before = resource.getrlimit(resource.RLIMIT_DATA)
    most = min(int(_SHARE * available), memory_bytes or available)
    limits = [_held_bytes() + most, *(each for each in before if each != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def give_back(device: torch.device) -> None:
    """Give the memory that torch keeps for later back to the GPU."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()


def _held_bytes() -> int:
    """What this process can write to, as RLIMIT_DATA counts it."""
    return 1024 * (_number("/proc/self/status", r"VmData:\s+(\d+) kB") or 0)
