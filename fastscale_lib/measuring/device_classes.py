"""Each kind of device by a class: how it is timed, synchronised, limited and named.

For another kind, as Apple's MPS, add its usual numbers to `_common.device_kinds` and a class here.
"""

from __future__ import annotations

import contextlib
import math
import platform
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch

from .._common.device_kinds import CPU, CUDA, DeviceKind, short_name
from .._common.memory import available_bytes, held_bytes
from ..records.measurement import SettingError
from . import nvml
from .settings import Precision

_DRIVER = "/proc/driver/nvidia/version"
_SHARE = 0.9  # of the machine's available memory; the rest is for other processes
_RUNS_BEFORE_CAPTURE = 3  # as many as torch's documentation has
_AT_WORK_S = 0.2  # of work, during which the state of a GPU is read


class Device:
    """A device that is there. `str(device)` is its torch name, as a row has it."""

    kind: ClassVar[DeviceKind]
    queues: ClassVar[bool] = False  # whether the host only queues work, and goes on
    repeatable: ClassVar[bool] = False  # whether the same training gives the same bits

    def __init__(self, at: torch.device):
        self.at = at

    def __str__(self) -> str:
        return str(self.at)

    @staticmethod
    def count() -> int:
        """Count the devices of this kind that torch finds here."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The device's name for people."""
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """Return device_count (of its name in the machine), cudnn and driver, as in a `Measurement`."""
        return {"device_count": 1, "cudnn": None, "driver": None}

    def check_precision(self, precision: Precision) -> None:
        """Raise a SettingError for a precision that it is not measured in."""

    def current(self) -> contextlib.AbstractContextManager:
        """Make it torch's current device within the context."""
        return contextlib.nullcontext()

    def make_current(self) -> None:
        """Make it torch's current device from here on."""

    def synchronize(self) -> None:
        """Wait until all queued work is done."""

    def seconds(self, run: Callable[[], None], n: int) -> float:
        """Time n runs together, and return seconds per run."""
        raise NotImplementedError

    def captured(self, run: Callable[[], None]) -> Callable[[], None]:
        """Capture a run, and return what replays it without the host, if the device can."""
        raise SettingError(
            f"cuda_graph is True, but the device is {self}, and only a GPU of NVIDIA replays CUDA graphs; leave it out"
        )

    def launch_seconds(self, run: Callable[[], None]) -> float:
        """Time how long the host takes to start a run on the idle device, if that `queues`."""
        raise NotImplementedError

    def state_at_work(self, run: Callable[[], None], run_s: float) -> nvml.State:
        """Read its state while it works, `run_s` seconds per run; what it does not report is None."""
        return nvml.State()

    def forget_peak_memory(self) -> None:
        """Reset `peak_memory`."""

    def peak_memory(self) -> int | None:
        """Return the most bytes that torch held there at a time; None if torch does not know."""
        return None

    def has_room(self, n_bytes: int) -> bool:
        """Tell whether so many bytes may be kept there: on a GPU, half of what is free."""
        return True

    def limited(self, memory_bytes: int | None = None) -> contextlib.AbstractContextManager[None]:
        """Limit memory within the context: what allocates more fails as if memory ran out."""
        raise NotImplementedError

    def free_cache(self) -> None:
        """Release the memory that torch keeps for later."""

    def own_generators(self) -> contextlib.AbstractContextManager:
        """Restore torch's default generators, its own among them, after the context."""
        return torch.random.fork_rng(devices=[])


class Cpu(Device):
    """The host: a run has ended when its call returns."""

    kind = CPU
    repeatable = True

    @staticmethod
    def count() -> int:
        return 1

    @property
    def name(self) -> str:
        return cpu_name()

    def check_precision(self, precision: Precision) -> None:
        # torch accepts fp16 autocast on a CPU, but without fp16 units converts back and forth: on an AMD EPYC two
        # convolutions took 4 (inference) and 20 (training) times fp32's time. That number would mislead.
        if precision not in CPU.precisions:
            raise SettingError(f"precision is {precision!r}, but a CPU is measured in fp32 or bf16; try bf16")

    def seconds(self, run: Callable[[], None], n: int) -> float:
        began = time.perf_counter_ns()
        for _ in range(n):
            run()
        return (time.perf_counter_ns() - began) / 1e9 / n

    @contextlib.contextmanager
    def limited(self, memory_bytes: int | None = None) -> Iterator[None]:
        """Limit the memory of this process to `memory_bytes`, or to 90 % of what is available.

        What it holds already does not count. Without a limit Linux would promise more than there is, then swap, or
        kill. The limit is one of writable address space (RLIMIT_DATA), which is a little more than what is in use.
        """
        available = available_bytes()
        if available is None:
            raise SettingError("device is 'cpu', but only Linux tells how much memory a CPU has left; try a GPU")
        import resource  # not on Windows

        before = resource.getrlimit(resource.RLIMIT_DATA)
        most = min(int(_SHARE * available), memory_bytes or available)
        limits = [held_bytes() + most, *(each for each in before if each != resource.RLIM_INFINITY)]
        resource.setrlimit(resource.RLIMIT_DATA, (min(limits), before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, before)


class Cuda(Device):
    """An NVIDIA GPU: the host queues kernels and goes on, so events in the queue take the time."""

    kind = CUDA
    queues = True
    _FREE_SHARE = 0.5  # of its free memory, which data may take

    @staticmethod
    def count() -> int:
        return torch.cuda.device_count()

    @property
    def name(self) -> str:
        return torch.cuda.get_device_name(self.at)

    def facts(self) -> dict[str, Any]:
        cudnn = torch.backends.cudnn.version()
        return {"device_count": self._alike(), "cudnn": None if cudnn is None else str(cudnn), "driver": _driver()}

    def current(self) -> contextlib.AbstractContextManager:
        return torch.cuda.device(self.at)  # events are recorded on the current device's stream

    def make_current(self) -> None:
        torch.cuda.set_device(self.at)

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.at)

    def seconds(self, run: Callable[[], None], n: int) -> float:
        """Time n runs together by the GPU's clock, and return seconds per run.

        They follow a run that does not count. With an empty queue the GPU would pass `begin` at once, and its wait for
        the host to launch the first kernel would be timed, once a block. So it passes `begin` at the end of a run: if
        it is slower than the host, with the next kernels queued; if the host is slower, as between any two runs.
        """
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        self.synchronize()
        run()
        begin.record()
        for _ in range(n):
            run()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3 / n

    def captured(self, run: Callable[[], None]) -> Callable[[], None]:
        """Capture a run as a CUDA graph, as torch's documentation says.

        It first runs on another stream than the usual one, where cuDNN tunes and libraries allocate, which a capture
        must not. What the captured run allocates, gradients among it, stays where it is for all replays; images and
        labels are always the same tensors. `peak_memory` is then that of the captured run, since replays allocate
        nothing.
        """
        side, usual = torch.cuda.Stream(self.at), torch.cuda.current_stream(self.at)
        side.wait_stream(usual)
        with torch.cuda.stream(side):
            for _ in range(_RUNS_BEFORE_CAPTURE):
                run()
        usual.wait_stream(side)
        self.synchronize()
        self.forget_peak_memory()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            run()
        return graph.replay

    def launch_seconds(self, run: Callable[[], None]) -> float:
        self.synchronize()
        began = time.perf_counter()
        run()
        seconds = time.perf_counter() - began
        self.synchronize()
        return seconds

    def state_at_work(self, run: Callable[[], None], run_s: float) -> nvml.State:
        """Read its state before the queued runs are done: an idle GPU lowers its clock."""
        with self.watched() as read_state:
            for _ in range(math.ceil(_AT_WORK_S / run_s)):
                run()
            state = read_state()
            self.synchronize()
        return state

    @contextlib.contextmanager
    def watched(self) -> Iterator[Callable[[], nvml.State]]:
        """Yield a function that reads its present state by NVML, whose library is open."""
        with nvml.Nvml(nvml.load()) as library:
            yield partial(library.state, library.find(*self._nvml_names()))

    def forget_peak_memory(self) -> None:
        torch.cuda.reset_peak_memory_stats(self.at)

    def peak_memory(self) -> int:
        return torch.cuda.max_memory_allocated(self.at)

    def has_room(self, n_bytes: int) -> bool:
        return n_bytes < self._FREE_SHARE * torch.cuda.mem_get_info(self.at)[0]

    @contextlib.contextmanager
    def limited(self, memory_bytes: int | None = None) -> Iterator[None]:
        """Limit the memory that torch holds there, its cache included."""
        total = torch.cuda.get_device_properties(self.at).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, (memory_bytes or total) / total), self.at)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, self.at)

    def free_cache(self) -> None:
        torch.cuda.empty_cache()

    def own_generators(self) -> contextlib.AbstractContextManager:
        return torch.random.fork_rng(devices=[self.at])

    def _alike(self) -> int:
        """Count the GPUs of its name in the machine, or without NVML, those that torch sees."""
        with nvml.Nvml(nvml.load()) as library:
            alike = library.alike(library.find(*self._nvml_names()))
        if alike is not None:
            return alike
        return [torch.cuda.get_device_name(index) for index in range(self.count())].count(self.name)

    def _nvml_names(self) -> list[str]:
        """Return the names by which NVML may find it, as far as this version of torch knows them."""
        known, names = torch.cuda.get_device_properties(self.at), []
        if hasattr(known, "uuid"):
            names += [f"GPU-{known.uuid}", f"MIG-{known.uuid}"]
        if hasattr(known, "pci_bus_id"):
            names.append(f"{known.pci_domain_id:08x}:{known.pci_bus_id:02x}:{known.pci_device_id:02x}.0")
        return names


def cpu_name() -> str:
    """Return the model of the host's CPU, in short."""
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if found:
            return short_name(found[1].strip())
    return platform.processor() or platform.machine() or "CPU"


def _driver() -> str | None:
    """Read the version of NVIDIA's driver from Linux, or else, as in some containers, from NVML."""
    with contextlib.suppress(OSError):
        if found := re.search(r"\s(\d{3,}\.\d+(?:\.\d+)?)\s", Path(_DRIVER).read_text()):
            return found[1]
    with nvml.Nvml(nvml.load()) as library:
        return library.driver()
