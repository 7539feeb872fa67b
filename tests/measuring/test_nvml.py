"""What NVML tells of a GPU: asked of a library that answers as NVIDIA's does, of older ones, and of none."""

import pytest

from fastscale_lib.measuring.nvml import Nvml, State, load

SUCCESS, NOT_SUPPORTED, NOT_FOUND, TOO_SMALL = 0, 3, 6, 7
UNKNOWN = State(None, None, None, None, None)


class Library:
    """Stands in for libnvidia-ml: two GPUs of one name and one of another, found by UUID, bus id or number."""

    def __init__(self, reasons=0, pids=(101,)):
        self.reasons, self.pids, self.opened = reasons, pids, 0

    def nvmlInit_v2(self):
        self.opened += 1
        return SUCCESS

    def nvmlShutdown(self):
        self.opened -= 1
        return SUCCESS

    def nvmlDeviceGetCount_v2(self, count):
        return told(count, 3)

    def nvmlDeviceGetHandleByIndex_v2(self, index, handle):
        return told(handle, 1 + index)

    def nvmlSystemGetDriverVersion(self, text, length):
        text.value = b"570.124.06"
        return SUCCESS

    def nvmlDeviceGetHandleByUUID(self, uuid, handle):
        known = {b"GPU-2222": 2, b"MIG-4444": 4}
        return told(handle, known[uuid]) if uuid in known else NOT_FOUND

    def nvmlDeviceGetHandleByPciBusId_v2(self, bus, handle):
        return told(handle, 3) if bus == b"00000000:03:00.0" else NOT_FOUND

    def nvmlDeviceGetName(self, handle, text, length):
        text.value = {1: b"Big GPU", 2: b"Big GPU", 3: b"Small GPU", 4: b"Big GPU MIG 1g.10gb"}[handle.value]
        return SUCCESS

    def nvmlDeviceGetClockInfo(self, handle, kind, clock):
        return told(clock, 1980) if kind == 1 else NOT_SUPPORTED

    def nvmlDeviceGetPowerUsage(self, handle, milliwatts):
        return told(milliwatts, 312_500)

    def nvmlDeviceGetTemperature(self, handle, sensor, degrees):
        return told(degrees, 61) if sensor == 0 else NOT_SUPPORTED

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle, reasons):
        return told(reasons, self.reasons)

    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle, count, processes):
        room, count._obj.value = count._obj.value, len(self.pids)
        if len(self.pids) > room:
            return TOO_SMALL
        for entry, pid in zip(processes, self.pids, strict=False):
            entry.pid = pid
        return SUCCESS


def told(pointer, value):
    pointer._obj.value = value
    return SUCCESS


class Refusing:
    """A library that has every function and answers none, as where the driver is not loaded."""

    def __getattr__(self, name):
        return lambda *arguments: NOT_SUPPORTED


def state(library, *names) -> State:
    with Nvml(library) as nvml:
        return nvml.state(nvml.find(*names))


def test_the_state_of_a_gpu():
    library = Library(reasons=0x1 | 0x4 | 0x20, pids=(101, 102, 103))
    assert state(library, "GPU-2222") == State(1980, 312.5, 61, ("power cap", "thermal slowdown"), 2)
    assert library.opened == 0  # closed as often as opened


def test_a_gpu_is_found_by_the_first_name_that_is_known():
    with Nvml(Library()) as nvml:
        last, first = nvml.find("GPU-9999", "MIG-9999", "00000000:03:00.0"), nvml.find("GPU-2222", "00000000:03:00.0")
        assert last is not None
        assert first is not None
        assert (last.value, first.value) == (3, 2)
        assert nvml.find("GPU-9999") is None
        assert nvml.find() is None


def test_gpus_alike_are_counted_in_the_whole_machine():
    with Nvml(Library()) as nvml:
        assert nvml.alike(nvml.find("GPU-2222")) == 2
        assert nvml.alike(nvml.find("00000000:03:00.0")) == 1
        assert nvml.alike(None) is None


def test_of_a_slice_of_a_gpu_it_is_not_known_how_many_there_are():
    with Nvml(Library()) as nvml:
        assert nvml.alike(nvml.find("MIG-4444")) is None


def test_the_driver_is_told():
    with Nvml(Library()) as nvml:
        assert nvml.driver() == "570.124.06"


@pytest.mark.parametrize("reasons", [0, 0x1])
def test_an_idle_gpu_is_not_held_down(reasons):
    assert state(Library(reasons), "GPU-2222").throttle == ()


@pytest.mark.parametrize(("pids", "others"), [((), None), ((101,), 0), (range(300), 299)])
def test_other_processes_are_all_listed_but_the_one_that_asks(pids, others):
    assert state(Library(pids=tuple(pids)), "GPU-2222").other_processes == others


def test_an_older_driver_has_the_reasons_under_their_older_name():
    class Older(Library):
        def __getattribute__(self, name):
            if name == "nvmlDeviceGetCurrentClocksEventReasons":
                raise AttributeError
            return super().__getattribute__(name)

        def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle, reasons):
            return told(reasons, 0x40)

    assert state(Older(), "GPU-2222").throttle == ("hardware thermal slowdown",)


def test_what_one_gpu_does_not_tell_is_unknown_and_the_rest_is_told():
    class Partial(Library):
        def nvmlDeviceGetPowerUsage(self, handle, milliwatts):
            return NOT_SUPPORTED

    told = state(Partial(), "GPU-2222")
    assert (told.power_w, told.clock_mhz) == (None, 1980)


@pytest.mark.parametrize("library", [None, Refusing(), object()], ids=["none", "refusing", "without functions"])
def test_without_a_library_that_answers_nothing_is_known(library):
    assert state(library, "GPU-2222", "00000000:03:00.0") == UNKNOWN
    with Nvml(library) as nvml:
        assert nvml.alike(nvml.find("GPU-2222")) is None
        assert nvml.driver() is None


def test_the_library_of_this_machine_answers_or_is_not_there():
    assert state(load(), "GPU-of-nobody") == UNKNOWN
