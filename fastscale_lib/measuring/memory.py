"""Errors that say that memory ran out. Loads no torch."""

from __future__ import annotations

import re

# oneDNN names no cause: it made the algorithm (the "primitive descriptor"), but not its tables.
_ONEDNN = r"could not (create|execute) a primitive(?! descriptor)"
# Of cuDNN and cuBLAS: no memory for their handle or workspace.
_LIBRARIES = r"ALLOC_FAILED|ALLOCATION_FAILED|CUBLAS_STATUS_NOT_INITIALIZED|unable to find an engine to execute"
# Of torch, and of the C++ library.
_RAN_OUT = rf"out of memory|can't allocate memory|Storage size calculation overflowed|bad_alloc|{_LIBRARIES}|{_ONEDNN}"


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether memory ran out; on CPUs and inside libraries only the message shows it."""
    return isinstance(error, MemoryError) or re.search(_RAN_OUT, str(error)) is not None


def is_spoilt(error: Exception) -> bool:
    """Tell whether the process cannot measure anything after this error.

    Once refused memory, oneDNN (torch 2.13) keeps refusing; so does cuBLAS once the GPU has failed for this process.
    """
    return re.search(rf"{_LIBRARIES}|{_ONEDNN}", str(error)) is not None
