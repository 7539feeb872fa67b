"""The machine of a measurement, and its load by other processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from .._common.version import __version__
from .device_classes import cpu_name
from .device_finder import find_device

_FEWEST_S = 0.2  # of processor time, which the system counts in hundredths of a second


def read_environment(device: str | torch.device | None = None) -> dict[str, Any]:
    """Read what a measurement made here and now would record of the machine."""
    found = find_device(device)
    facts = found.facts()
    return {
        "device": str(found),
        "device_name": found.name,
        "device_count": facts["device_count"],
        "cpu_name": cpu_name(),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),  # a plain str, as checkpoints need it
        "cuda": torch.version.cuda,
        "cudnn": facts["cudnn"],
        "driver": facts["driver"],
        "library": __version__,
    }


class Load:
    """The load by other processes from now on, by /proc/stat; unknown but on Linux."""

    def __init__(self):
        self._begin = _processor_seconds()

    def share(self) -> float | None:
        """Return the share of processor time that other processes took, 0 to 1; None if too short."""
        end = _processor_seconds()
        if self._begin is None or end is None or end[0] - self._begin[0] < _FEWEST_S:
            return None
        total, busy, own = (after - before for before, after in zip(self._begin, end, strict=True))
        return round(min(1.0, max(0.0, (busy - own) / total)), 3)


def _processor_seconds() -> tuple[float, float, float] | None:
    """Read the seconds of all cores since the start: all, busy, busy with this process."""
    try:
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    except OSError:
        return None
    ticks = [int(word) for word in words[1:9]]  # user nice system idle iowait irq softirq steal
    second = os.sysconf("SC_CLK_TCK")
    own = os.times()
    return sum(ticks) / second, (sum(ticks) - ticks[3] - ticks[4]) / second, own.user + own.system
