"""What the record says of the machine, and of what else goes on in it."""

from types import SimpleNamespace

import pytest
import torch

from fastscale_lib.measuring import device_classes, device_finder, environment, nvml
from fastscale_lib.measuring.nvml import State
from fastscale_lib.records.measurement import SettingError


def test_the_machine_is_told_without_measuring():
    told = environment.read_environment("cpu")
    assert (told["device"], told["device_count"], told["driver"]) == ("cpu", 1, None)
    assert told["device_name"] == told["cpu_name"] == device_classes.cpu_name()
    assert (told["threads"], told["torch"]) == (torch.get_num_threads(), torch.__version__)
    with pytest.raises(SettingError, match="device is 'cuda:99', but must be a device that torch finds here"):
        environment.read_environment("cuda:99")


def test_devices_have_names():
    assert "threads)" in device_finder.devices()["cpu"] or "1 thread)" in device_finder.devices()["cpu"]


def test_of_a_cpu_nvml_is_not_asked(monkeypatch):
    monkeypatch.setattr(nvml, "Nvml", None)
    assert device_finder.find_device("cpu").state_at_work(lambda: None, 1.0) == State()


@pytest.mark.parametrize(
    ("said", "driver"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12\n", "535.183.01"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build\n", "570.124.06"),
        ("NVRM version: as never before\n", "999.1"),
        (None, "999.1"),
    ],
)
def test_the_driver_is_told_by_linux_or_else_by_nvml(tmp_path, monkeypatch, said, driver):
    class Library:
        def nvmlInit_v2(self):
            return 0

        def nvmlSystemGetDriverVersion(self, text, length):
            text.value = b"999.1"
            return 0

    file = tmp_path / "version"
    if said:
        file.write_text(said)
    monkeypatch.setattr(device_classes, "_DRIVER", str(file))
    monkeypatch.setattr(nvml, "load", Library)
    assert device_classes._driver() == driver


@pytest.mark.parametrize(
    ("known", "names"),
    [
        (
            {"uuid": "1234-abcd", "pci_domain_id": 0, "pci_bus_id": 26, "pci_device_id": 0},
            ["GPU-1234-abcd", "MIG-1234-abcd", "00000000:1a:00.0"],
        ),
        ({"uuid": "1234-abcd"}, ["GPU-1234-abcd", "MIG-1234-abcd"]),
        ({}, []),
    ],
    ids=["new torch", "torch without bus ids", "old torch"],
)
def test_nvml_is_asked_for_the_very_gpu_that_torch_uses(monkeypatch, known, names):
    class Asked(nvml.Nvml):
        def find(self, *given):
            asked.extend(given)

    asked = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(**known))
    monkeypatch.setattr(nvml, "Nvml", Asked)
    with device_classes.Cuda(torch.device("cuda", 1)).watched() as state:
        assert state() == State()
    assert asked == names


@pytest.mark.parametrize(
    ("end", "share"),
    [
        ((140.0, 30.0, 20.0), 0.0),  # all that was busy were we
        ((140.0, 40.0, 20.0), 0.25),
        ((140.0, 20.0, 20.0), 0.0),  # the two clocks tick apart
        ((100.1, 10.1, 0.0), None),  # too short
        (None, None),
    ],
)
def test_the_load_is_what_others_used(monkeypatch, end, share):
    monkeypatch.setattr(environment, "_processor_seconds", lambda: (100.0, 10.0, 0.0))
    load = environment.Load()
    monkeypatch.setattr(environment, "_processor_seconds", lambda: end)
    assert load.share() == share
