"""What a measurement's machine is, and what else goes on in it: the part of the record that no network changes.

Importing this loads no torch; asking does.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import nvml
from .settings import find_device

if TYPE_CHECKING:
    import torch


_DRIVER = "/proc/driver/nvidia/version"
_FEWEST_S = 0.2  # summed over the cores, of which the system counts hundredths


def surroundings(device: str | torch.device | None = None) -> dict[str, Any]:
    """What a measurement made here and now would record of the machine, without measuring.

    Arguments:
        device: "cpu", "cuda" or "cuda:N"; left out: the GPU where there is one.

    Returns:
        device, device_name, device_count, cpu_name, threads, torch, cuda, cudnn, driver, library, as in a
        `Measurement`.

    Raises:
        SettingError: the device is not there.
    """
    import torch

    from .._common.version import __version__

    found = find_device(device)
    gpu = found.type == "cuda"
    cudnn = torch.backends.cudnn.version() if gpu else None
    return {
        "device": str(found),
        "device_name": torch.cuda.get_device_name(found) if gpu else cpu_name(),
        "device_count": _gpus_alike(found) if gpu else 1,
        "cpu_name": cpu_name(),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),  # plain, as checkpoints need it
        "cuda": torch.version.cuda,
        "cudnn": None if cudnn is None else str(cudnn),
        "driver": _driver() if gpu else None,
        "library": __version__,
    }


def devices() -> dict[str, str]:
    """The devices here that `measure` accepts, by their torch name, with the names people know them by."""
    import torch

    found = {"cpu": with_threads(cpu_name(), torch.get_num_threads())}
    for index in range(torch.cuda.device_count()):
        found[f"cuda:{index}"] = torch.cuda.get_device_name(index)
    return found


def with_threads(name: str, threads: int) -> str:
    """A CPU as `devices` names it: times depend on the number of threads."""
    return f"{name} ({threads} thread{'s' if threads > 1 else ''})"


@contextlib.contextmanager
def watched(device: torch.device) -> Iterator[Callable[[], nvml.State]]:
    """Gives what tells how a GPU is now, by NVML; of a CPU nothing is known.

    The library is open and the GPU found before: the answer comes while what was queued is still at work.
    """
    if device.type != "cuda":
        yield nvml.State
        return
    with nvml.Nvml(nvml.load()) as library:
        yield partial(library.state, library.find(*_names(device)))


def cpu_name() -> str:
    """The model of the host's CPU."""
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine() or "CPU"


class Load:
    """How much of the machine other processes use, from here on: `share` tells.

    On Linux, from the processor times in /proc/stat, less those of this process; unknown elsewhere.
    """

    def __init__(self):
        self._begin = _processor_seconds()

    def share(self) -> float | None:
        """The share of all cores' time that went to other processes since the beginning, 0 to 1; None if too short."""
        end = _processor_seconds()
        if self._begin is None or end is None or end[0] - self._begin[0] < _FEWEST_S:
            return None
        total, busy, own = (after - before for before, after in zip(self._begin, end, strict=True))
        return round(min(1.0, max(0.0, (busy - own) / total)), 3)


def _processor_seconds() -> tuple[float, float, float] | None:
    """Seconds since the start, summed over all cores: in all, of those busy, and of those busy with this process."""
    try:
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    except OSError:
        return None
    ticks = [int(word) for word in words[1:9]]  # user nice system idle iowait irq softirq steal
    second = os.sysconf("SC_CLK_TCK")
    own = os.times()
    return sum(ticks) / second, (sum(ticks) - ticks[3] - ticks[4]) / second, own.user + own.system


def _gpus_alike(device: torch.device) -> int:
    """GPUs of this one's name in the machine, or, where NVML does not tell, among those that torch sees."""
    import torch

    with nvml.Nvml(nvml.load()) as library:
        alike = library.alike(library.find(*_names(device)))
    if alike is not None:
        return alike
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return names.count(torch.cuda.get_device_name(device))


def _names(device: torch.device) -> list[str]:
    """The names by which NVML may find a GPU, as far as this version of torch knows them."""
    import torch

    known, names = torch.cuda.get_device_properties(device), []
    if hasattr(known, "uuid"):
        names += [f"GPU-{known.uuid}", f"MIG-{known.uuid}"]
    if hasattr(known, "pci_bus_id"):
        names.append(f"{known.pci_domain_id:08x}:{known.pci_bus_id:02x}:{known.pci_device_id:02x}.0")
    return names


def _driver() -> str | None:
    """NVIDIA's driver version, as Linux tells it, or where it does not, as in some containers, NVML."""
    with contextlib.suppress(OSError):
        if found := re.search(r"\s(\d{3,}\.\d+(?:\.\d+)?)\s", Path(_DRIVER).read_text()):
            return found[1]
    with nvml.Nvml(nvml.load()) as library:
        return library.driver()
