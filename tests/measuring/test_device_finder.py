"""The devices that torch finds here, and GPUs that only act."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from fastscale_lib._common.device_kinds import CPU, CUDA, KINDS
from fastscale_lib.measuring import device_finder
from fastscale_lib.measuring.device_classes import Cpu, Cuda
from fastscale_lib.measuring.device_finder import find_device, kind_for
from fastscale_lib.measuring.nvml import State
from fastscale_lib.records.measurement import SettingError

GPU = Cuda(torch.device("cuda", 0))  # nothing is asked of it that needs one


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A GPU")


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


def test_each_kind_has_its_class():
    assert {each.kind: each for each in (Cpu, Cuda)} == device_finder._CLASSES
    assert set(device_finder._CLASSES) == set(KINDS)


@pytest.mark.parametrize(
    ("asked", "found"),
    [(None, "cuda:1"), ("cuda", "cuda:1"), ("cuda:0", "cuda:0"), ("cpu", "cpu"), (torch.device("cuda", 0), "cuda:0")],
)
def test_a_gpu_is_found_by_number_or_is_torch_s_current_one(two_gpus, asked, found):
    device = find_device(asked)
    assert str(device) == str(device.at) == found
    assert isinstance(device, Cpu if found == "cpu" else Cuda)


def test_without_a_gpu_the_cpu_is_found_but_none_stands_in_for_a_gpu(no_gpu):
    assert str(find_device()) == str(find_device("cpu")) == "cpu"
    said = r"device is 'cuda', but must be a device that torch finds here; try one of: cpu \(torch .* finds 0 CUDA dev"
    with pytest.raises(SettingError, match=said):
        find_device("cuda")


@pytest.mark.parametrize("asked", ["gpu", "cuda:x", "\udcff", 0, ["cpu"], torch.device("meta")])
def test_what_names_no_device_is_refused_in_a_sentence(two_gpus, asked):
    said = "but must be 'cpu', 'cuda' or 'cuda:N'; here there are: cpu, cuda:0, cuda:1"
    with pytest.raises(SettingError, match=said):
        find_device(asked)


def test_a_number_beyond_the_last_gpu_is_refused(two_gpus):
    with pytest.raises(SettingError, match=r"device is 'cuda:300', but must be a device .* finds 2 CUDA devices"):
        find_device("cuda:300")


def test_the_kind_of_what_is_asked_for_is_known_whether_it_is_there_or_not(no_gpu):
    assert [kind_for(asked) for asked in (None, "cpu", "cuda:7")] == [CPU, CPU, CUDA]
    with pytest.raises(SettingError, match="device is 'gpu'"):
        kind_for("gpu")


def test_all_devices_are_listed_by_name(two_gpus):
    listed = device_finder.devices()
    assert list(listed) == ["cpu", "cuda:0", "cuda:1"]
    assert listed["cuda:1"] == "A GPU"


def test_a_gpu_is_limited_to_a_share_of_its_memory_inside(monkeypatch):
    shares = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=80))
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda share, device: shares.append(share))
    for most in (20, 1000, None):
        with GPU.limited(most):
            pass
    assert shares == [0.25, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_data_may_take_half_of_what_is_free_on_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100, 1000))
    assert (GPU.has_room(49), GPU.has_room(50)) == (True, False)


def test_a_cpu_has_no_queue_no_peak_memory_and_no_fp16():
    cpu = find_device("cpu")
    assert (cpu.queues, cpu.peak_memory()) == (False, None)
    assert cpu.facts() == {"device_count": 1, "cudnn": None, "driver": None}
    with pytest.raises(SettingError, match="precision is 'fp16', but a CPU is measured in fp32 or bf16; try bf16"):
        cpu.check_precision("fp16")


def test_random_numbers_drawn_inside_leave_torch_s_generator_as_it_was():
    torch.manual_seed(1)
    with find_device("cpu").own_generators():
        torch.rand(3)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(1))


class Gpu:
    """Stands in for torch.cuda: a host that queues kernels, and a GPU that works through them, each with its time.

    Arguments:
        lead: seconds of the host's own work before a run's only kernel.
        kernel: seconds that the GPU takes for it.
    """

    def __init__(self, monkeypatch, lead: float, kernel: float):
        self.lead, self.kernel, self.host, self.free, self.done = lead, kernel, 0.0, 0.0, []
        monkeypatch.setattr(torch.cuda, "synchronize", self.synchronize)
        monkeypatch.setattr(torch.cuda, "Event", lambda enable_timing: Event(self))

    def run(self):
        self.done.append("run")
        self.host += self.lead
        self.free = max(self.free, self.host) + self.kernel

    def synchronize(self, device=None):
        self.done.append("wait")
        self.host = max(self.host, self.free)


class Event:
    def __init__(self, gpu: Gpu):
        self.gpu = gpu

    def record(self):
        self.at = max(self.gpu.host, self.gpu.free)

    def synchronize(self):
        self.gpu.synchronize()

    def elapsed_time(self, end: Event) -> float:
        return 1000 * (end.at - self.at)


@pytest.mark.parametrize(
    ("lead", "kernel", "seconds"),
    [(0.001, 0.010, 0.010), (0.001, 0.0001, 0.001)],
    ids=["the GPU is slower than the host", "the host is slower than the GPU"],
)
@pytest.mark.parametrize("n", [1, 5])
def test_a_block_is_not_charged_for_the_host_at_its_beginning(monkeypatch, lead, kernel, seconds, n):
    gpu = Gpu(monkeypatch, lead, kernel)
    assert GPU.seconds(gpu.run, n) == pytest.approx(seconds)


def test_a_gpu_is_asked_how_it_is_while_it_works(monkeypatch):
    gpu = Gpu(monkeypatch, lead=0.0001, kernel=0.05)

    @contextmanager
    def watched(self):
        gpu.done.append("open")

        def state():
            gpu.done.append("ask")
            assert gpu.free - gpu.host > 0.1  # there is work for as long
            return State(clock_mhz=1980)

        yield state

    monkeypatch.setattr(Cuda, "watched", watched)
    assert GPU.state_at_work(gpu.run, 0.05).clock_mhz == 1980
    assert gpu.done == ["open", "run", "run", "run", "run", "ask", "wait"]
    assert Cpu(torch.device("cpu")).state_at_work(gpu.run, 0.05) == State()
