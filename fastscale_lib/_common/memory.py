"""Memory that this process may still allocate."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

# A container's limit and how much of it is used, in cgroups version 2 and version 1.
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available_bytes() -> int | None:
    """Return the bytes that the machine, or its container, has left; None if it is not Linux."""
    left = _number("/proc/meminfo", r"MemAvailable:\s+(\d+) kB")
    if left is None:
        return None
    amounts = [left * 1024]
    for limit, used in _CGROUPS:
        most, taken = _number(limit, r"^(\d+)$"), _number(used, r"^(\d+)$")
        if most is not None and taken is not None:
            amounts.append(most - taken)
    return max(0, min(amounts))


def held_bytes() -> int:
    """Return the bytes of this process that count against RLIMIT_DATA."""
    return 1024 * (_number("/proc/self/status", r"VmData:\s+(\d+) kB") or 0)


def _number(file: str, pattern: str) -> int | None:
    with contextlib.suppress(OSError):
        found = re.search(pattern, Path(file).read_text(), re.MULTILINE)
        return int(found[1]) if found else None
    return None
