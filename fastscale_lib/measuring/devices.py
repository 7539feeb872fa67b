"""The devices that torch finds here: each is timed, told of and limited in its own way, by a class for its kind.

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

from .._common.checks import shown
from .._common.device_kinds import CPU, CUDA, HOW, KINDS, DeviceKind, kind_of, named_with_threads, parse_device
from .._common.memory import available_bytes, held_bytes
from ..records.measurement import SettingError
from . import nvml
from .settings import Precision

_DRIVER = "/proc/driver/nvidia/version"
_SHARE = 0.9  # of the machine's available memory; the rest is for what others allocate meanwhile
_AT_WORK_S = 0.2  # of work, while which a GPU is asked how it is


class Device:
    """A device that is there. `str(device)` is its torch name, as a row has it.

    Attributes:
        kind: what is usual on devices of its kind.
        queues: whether the host only queues what is to run, and goes on.
        repeatable: whether the same training ends in the same bits there.
        at: as torch takes it.
    """

    kind: ClassVar[DeviceKind]
    queues: ClassVar[bool] = False
    repeatable: ClassVar[bool] = False

    def __init__(self, at: torch.device):
        self.at = at

    def __str__(self) -> str:
        return str(self.at)

    @staticmethod
    def count() -> int:
        """How many of its kind torch finds here."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The name by which people know it."""
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """Return device_count (of its name in the machine), cudnn and driver, as in a `Measurement`."""
        return {"device_count": 1, "cudnn": None, "driver": None}

    def check_precision(self, precision: Precision) -> None:
        """Refuse a precision that it is not measured in.

        Raises:
            SettingError: it is such a one.
        """

    def current(self) -> contextlib.AbstractContextManager:
        """Make it torch's current device, inside."""
        return contextlib.nullcontext()

    def make_current(self) -> None:
        """Make it torch's current device from here on."""

    def synchronize(self) -> None:
        """Wait until all that it was given is done."""

    def seconds(self, run: Callable[[], None], n: int) -> float:
        """Seconds a run, of n runs timed together."""
        raise NotImplementedError

    def launch_seconds(self, run: Callable[[], None]) -> float:
        """Seconds that the host takes to start a run on the idle device, if that `queues`."""
        raise NotImplementedError

    def state_at_work(self, run: Callable[[], None], run_s: float) -> nvml.State:
        """How it is while it works; what it does not tell is None."""
        return nvml.State()

    def forget_peak_memory(self) -> None:
        """Look for `peak_memory` from here on."""

    def peak_memory(self) -> int | None:
        """The most bytes that torch held there at a time; None where torch does not tell."""
        return None

    def has_room(self, n_bytes: int) -> bool:
        """Whether so many bytes may be kept there: on a GPU half of what is free."""
        return True

    def limited(self, memory_bytes: int | None = None) -> contextlib.AbstractContextManager[None]:
        """What allocates more memory than this, inside, fails as it does where memory ran out; None: what is there."""
        raise NotImplementedError

    def give_back(self) -> None:
        """Give the memory that torch keeps for later back."""

    def own_generators(self) -> contextlib.AbstractContextManager:
        """Afterwards torch's default generators, its own among them, are as they were."""
        return torch.random.fork_rng(devices=[])


class Cpu(Device):
    """The host itself: a run is over when its call is."""

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
        # convolutions took 4 (inference) and 20 (training) times fp32's time. That number would be of no use.
        if precision == "fp16":
            raise SettingError("precision is 'fp16', but a CPU is measured in fp32 or bf16; try bf16")

    def seconds(self, run: Callable[[], None], n: int) -> float:
        began = time.perf_counter_ns()
        for _ in range(n):
            run()
        return (time.perf_counter_ns() - began) / 1e9 / n

    @contextlib.contextmanager
    def limited(self, memory_bytes: int | None = None) -> Iterator[None]:
        """Beside what it holds already, this process may take 90 % of what is available, or `memory_bytes` if less.

        Without a limit Linux would promise more than there is, then swap, or kill. The limit is one on address space
        that can be written to (RLIMIT_DATA), which is a little more than what is in use.

        Raises:
            SettingError: the system does not tell how much memory there is (Linux does).
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
    """An NVIDIA GPU: the host queues kernels and goes on, so that time is taken by events in the queue."""

    kind = CUDA
    queues = True
    _FREE_SHARE = 0.5  # of its free memory that data may take

    @staticmethod
    def count() -> int:
        return torch.cuda.device_count()

    @property
    def name(self) -> str:
        return torch.cuda.get_device_name(self.at)

    def facts(self) -> dict[str, Any]:
        cudnn = torch.backends.cudnn.version()
        return {
            "device_count": self._alike(),
            "cudnn": None if cudnn is None else str(cudnn),
            "driver": _driver(),
        }

    def current(self) -> contextlib.AbstractContextManager:
        return torch.cuda.device(self.at)  # events are recorded on the current device's stream

    def make_current(self) -> None:
        torch.cuda.set_device(self.at)

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.at)

    def seconds(self, run: Callable[[], None], n: int) -> float:
        """Seconds a run, of n runs timed together by the GPU's own clock.

        They follow a run that does not count. With nothing in its queue the GPU would pass `begin` at once, and be
        timed waiting for the host to come to the first kernel, once a block. So it passes `begin` at the end of a run:
        where it is slower than the host, with the next kernels queued; where the host is slower, as between any two
        runs.
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

    def launch_seconds(self, run: Callable[[], None]) -> float:
        self.synchronize()
        began = time.perf_counter()
        run()
        seconds = time.perf_counter() - began
        self.synchronize()
        return seconds

    def state_at_work(self, run: Callable[[], None], run_s: float) -> nvml.State:
        """How it is while it works: an idle one lowers its clock. The answer comes before what is queued is done."""
        with self.watched() as state:
            for _ in range(math.ceil(_AT_WORK_S / run_s)):
                run()
            told = state()
            self.synchronize()
        return told

    @contextlib.contextmanager
    def watched(self) -> Iterator[Callable[[], nvml.State]]:
        """Gives what tells how it is now, by NVML; the library is open and the GPU found before."""
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
        """`memory_bytes` are for all that torch holds there; left out, the device itself is the limit."""
        total = torch.cuda.get_device_properties(self.at).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, (memory_bytes or total) / total), self.at)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, self.at)

    def give_back(self) -> None:
        torch.cuda.empty_cache()

    def own_generators(self) -> contextlib.AbstractContextManager:
        return torch.random.fork_rng(devices=[self.at])

    def _alike(self) -> int:
        """GPUs of this one's name in the machine, or, where NVML does not tell, among those that torch sees."""
        with nvml.Nvml(nvml.load()) as library:
            alike = library.alike(library.find(*self._nvml_names()))
        if alike is not None:
            return alike
        return [torch.cuda.get_device_name(index) for index in range(self.count())].count(self.name)

    def _nvml_names(self) -> list[str]:
        """The names by which NVML may find it, as far as this version of torch knows them."""
        known, names = torch.cuda.get_device_properties(self.at), []
        if hasattr(known, "uuid"):
            names += [f"GPU-{known.uuid}", f"MIG-{known.uuid}"]
        if hasattr(known, "pci_bus_id"):
            names.append(f"{known.pci_domain_id:08x}:{known.pci_bus_id:02x}:{known.pci_device_id:02x}.0")
        return names


_CLASSES: dict[DeviceKind, type[Device]] = {each.kind: each for each in (Cuda, Cpu)}


def find_device(asked: str | torch.device | None = None, precision: Precision = "fp32") -> Device:
    """The device asked for, or a refusal: no other device stands in for it.

    Arguments:
        asked: "cpu", "cuda" or "cuda:N"; None: the GPU where there is one.
        precision: in which it is to compute.

    Raises:
        SettingError: the device is not there, or is not measured in this precision.
    """
    asked = str(asked) if isinstance(asked, torch.device) else asked
    if asked is None or (isinstance(asked, str) and not asked):
        asked = preferred_kind().name
    if not isinstance(asked, str) or not (named := parse_device(asked)):
        raise SettingError(f"device is {shown(asked)}, but must be {HOW}; here there are: {', '.join(_here())}")
    kind, number = named
    count = _CLASSES[kind].count()
    if kind.numbered:
        number = number if number is not None else torch.cuda.current_device() if count else 0
        if number >= count:
            raise SettingError(
                f"device is {shown(asked)}, but must be a device that torch finds here; try one of: "
                f"{', '.join(_here())} (torch {torch.__version__} finds {count} {kind.name.upper()} devices)"
            )
    device = _CLASSES[kind](torch.device(kind.name, number) if kind.numbered else torch.device(kind.name))
    device.check_precision(precision)
    return device


def preferred_kind() -> DeviceKind:
    """The kind of device that is taken where none is asked for."""
    return next(kind for kind in KINDS if _CLASSES[kind].count())


def kind_for(asked: str | None) -> DeviceKind:
    """The kind of the device asked for, whether there is one or not.

    Raises:
        SettingError: this is the name of none.
    """
    return kind_of(str(asked)) or find_device(asked).kind if asked else preferred_kind()


def devices() -> dict[str, str]:
    """The devices here that `measure` accepts, by their torch name, with the names people know them by."""
    found = {each: find_device(each) for each in _here()}
    threads = torch.get_num_threads()
    return {
        each: named_with_threads(device.name, threads) if device.kind.by_threads else device.name
        for each, device in found.items()
    }


def _here() -> list[str]:
    names = []
    for kind in reversed(KINDS):
        count = _CLASSES[kind].count()
        names += [f"{kind.name}:{number}" for number in range(count)] if kind.numbered else [kind.name]
    return names


def cpu_name() -> str:
    """The model of the host's CPU."""
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine() or "CPU"


def _driver() -> str | None:
    """NVIDIA's driver version, as Linux tells it, or where it does not, as in some containers, NVML."""
    with contextlib.suppress(OSError):
        if found := re.search(r"\s(\d{3,}\.\d+(?:\.\d+)?)\s", Path(_DRIVER).read_text()):
            return found[1]
    with nvml.Nvml(nvml.load()) as library:
        return library.driver()
