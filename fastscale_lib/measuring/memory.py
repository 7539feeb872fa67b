"""Whether an error says that memory ran out. Loads no torch."""

from __future__ import annotations

import re

# oneDNN names no cause: it could have made the algorithm (the "primitive descriptor"), but not its tables.
_ONEDNN = r"could not (create|execute) a primitive(?! descriptor)"
# As cuDNN and cuBLAS say it: the handle, or the workspace, that they need has no room. cuDNN 9 says where.
_LIBRARIES = r"ALLOC_FAILED|ALLOCATION_FAILED|CUBLAS_STATUS_NOT_INITIALIZED|unable to find an engine to execute"
# As torch says it, and the C++ library.
_RAN_OUT = rf"out of memory|can't allocate memory|Storage size calculation overflowed|bad_alloc|{_LIBRARIES}|{_ONEDNN}"


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out: torch has an own error for it on GPUs, and none on CPUs or inside its libraries."""
    return isinstance(error, MemoryError) or re.search(_RAN_OUT, str(error)) is not None


def is_spoilt(error: Exception) -> bool:
    """Whether the process can measure no more: oneDNN (as of torch 2.13), once refused memory, keeps refusing.

    And cuBLAS says the same where an error before has made the GPU unusable for this process.
    """
    return re.search(rf"{_LIBRARIES}|{_ONEDNN}", str(error)) is not None
