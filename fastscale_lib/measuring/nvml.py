"""The state of a GPU by NVIDIA's management library (NVML): clock, power, other processes.

It is called through ctypes: the library comes with the driver, so it is wherever a GPU is. Whatever this machine or
kind of GPU does not report is None. Loads no torch.

Source of names and numbers: NVIDIA, NVML API Reference Guide, and the header nvml.h.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

_SUCCESS, _TOO_SMALL = 0, 7  # nvmlReturn_t
_SM_CLOCK, _GPU_SENSOR = 1, 0  # nvmlClockType_t, nvmlTemperatureSensors_t
_NAME_BYTES = 96  # NVML_DEVICE_NAME_V2_BUFFER_SIZE
_VERSION_BYTES = 80  # NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE

# nvmlClocksEventReason..., bit by bit, without 0x1 (an idle GPU) and the reserved ones.
REASONS = {
    0x2: "application clocks",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
    0x100: "display clocks",
}


class _Process(ctypes.Structure):
    """nvmlProcessInfo_t, of nvmlDeviceGetComputeRunningProcesses_v3."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used_gpu_memory", ctypes.c_ulonglong),
        ("gpu_instance_id", ctypes.c_uint),
        ("compute_instance_id", ctypes.c_uint),
    )


class State(NamedTuple):
    """One GPU at one moment; None for what NVML does not report."""

    clock_mhz: int | None = None  # of its streaming multiprocessors
    power_w: float | None = None
    temperature_c: int | None = None
    throttle: tuple[str, ...] | None = None  # why the clock is held down; () if it is not
    other_processes: int | None = None  # that compute on it, beside this one


def load() -> Any:
    """Load the library; None if there is none."""
    try:
        return ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None


class Nvml:
    """The opened library: `with Nvml(load()) as nvml`; without one every answer is None.

    A GPU is named by its UUID or PCI bus id: NVML numbers all GPUs of the machine in the order of the bus, CUDA those
    that CUDA_VISIBLE_DEVICES leaves, in an order of its own.
    """

    def __init__(self, library: Any):
        self._library = library

    def __enter__(self) -> Nvml:
        self._open = self._call("nvmlInit_v2")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._open:
            self._call("nvmlShutdown")

    def find(self, *names: str) -> ctypes.c_void_p | None:
        """Return the handle of the GPU with one of these UUIDs or PCI bus ids, while this is open."""
        handle = ctypes.c_void_p()
        for name in names:
            function = "nvmlDeviceGetHandleByPciBusId_v2" if name.endswith(".0") else "nvmlDeviceGetHandleByUUID"
            if self._call(function, name.encode(), ctypes.byref(handle)):
                return handle
        return None

    def state(self, handle: ctypes.c_void_p | None) -> State:
        """Read the present state of this GPU; without a handle all of it is None."""
        if handle is None:
            return State()
        milliwatts = self._number(ctypes.c_uint, "nvmlDeviceGetPowerUsage", handle)
        return State(
            clock_mhz=self._number(ctypes.c_uint, "nvmlDeviceGetClockInfo", handle, _SM_CLOCK),
            power_w=None if milliwatts is None else milliwatts / 1000,
            temperature_c=self._number(ctypes.c_uint, "nvmlDeviceGetTemperature", handle, _GPU_SENSOR),
            throttle=self._throttle(handle),
            other_processes=self._other_processes(handle),
        )

    def driver(self) -> str | None:
        """Read the version of NVIDIA's driver, as 570.124.06."""
        text = ctypes.create_string_buffer(_VERSION_BYTES)
        return text.value.decode() if self._call("nvmlSystemGetDriverVersion", text, _VERSION_BYTES) else None

    def alike(self, handle: ctypes.c_void_p | None) -> int | None:
        """Count the GPUs in the machine that have this one's name; None for a slice of one (MIG)."""
        name, count = self._name(handle), self._number(ctypes.c_uint, "nvmlDeviceGetCount_v2")
        if name is None or count is None:
            return None
        return sum(self._name(self._at(index)) == name for index in range(count)) or None

    def _at(self, index: int) -> ctypes.c_void_p | None:
        handle = ctypes.c_void_p()
        return handle if self._call("nvmlDeviceGetHandleByIndex_v2", index, ctypes.byref(handle)) else None

    def _name(self, handle: ctypes.c_void_p | None) -> bytes | None:
        text = ctypes.create_string_buffer(_NAME_BYTES)
        known = handle is not None and self._call("nvmlDeviceGetName", handle, text, _NAME_BYTES)
        return text.value if known else None

    def _throttle(self, handle: ctypes.c_void_p) -> tuple[str, ...] | None:
        # The newer name first: drivers before 535 have only the older.
        for function in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
            bits = self._number(ctypes.c_ulonglong, function, handle)
            if bits is not None:
                return tuple(word for bit, word in REASONS.items() if bits & bit)
        return None

    def _other_processes(self, handle: ctypes.c_void_p) -> int | None:
        """Count the processes on the GPU but this one, whose id may differ there (containers)."""
        room = 64
        while True:
            count, processes = ctypes.c_uint(room), (_Process * room)()
            code = self._code("nvmlDeviceGetComputeRunningProcesses_v3", handle, ctypes.byref(count), processes)
            if code != _TOO_SMALL:
                # An empty list lacks even this process: then the driver does not report them.
                return count.value - 1 if code == _SUCCESS and count.value else None
            room = max(2 * room, count.value)

    def _number(self, kind: type[ctypes.c_uint | ctypes.c_ulonglong], function: str, *arguments: Any) -> int | None:
        value = kind()
        return value.value if self._call(function, *arguments, ctypes.byref(value)) else None

    def _call(self, function: str, *arguments: Any) -> bool:
        return self._code(function, *arguments) == _SUCCESS

    def _code(self, function: str, *arguments: Any) -> int | None:
        """Call a function, and return its nvmlReturn_t; None if this library has no such function."""
        found = getattr(self._library, function, None)
        return None if found is None else found(*arguments)
