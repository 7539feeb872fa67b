"""One measurement: a network in a subprocess, a module in this process."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from helpers.posix import posix
from helpers.quick_runs import LONG, SHORT, TINY, Witness

import fastscale_lib as fs
from fastscale_lib.measuring import device_finder, timing
from fastscale_lib.records.measurement import MeasureError, SettingError


def not_here(*arguments, **settings):
    raise AssertionError("this is for the subprocess")


def test_a_network_is_measured_in_a_subprocess(monkeypatch):
    monkeypatch.setattr(timing, "time_here", not_here)
    monkeypatch.setattr(device_finder, "find_device", not_here)
    told = []
    first = fs.measure(TINY, **SHORT, progress=lambda phase, fraction: told.append(phase))
    assert (first.network, first.batch, first.mode) == ("Tiny", 4, "inference")
    assert set(told) == {"building", "warm-up", "timing"}
    how = {"batch": np.int64(4), "seconds": np.float32(0.3), "interval": np.float64(0.2)}
    assert fs.measure(TINY, **how, device=torch.device("cpu"), mode="training").mode == "training"
    with pytest.raises(SettingError, match="batch is 0, but must be a whole number"):
        fs.measure(TINY, batch=0)
    with pytest.raises(fs.architectures.NetworkError, match="ResNet-50"):
        fs.measure("ResNet-5")


@posix
def test_a_network_that_takes_too_long_is_stopped():
    with pytest.raises(MeasureError, match=r"stopped at the time limit of 0\.5 s") as stopped:
        fs.measure(TINY, **LONG, limit=0.5)
    assert stopped.value.reason == "time limit"
    with pytest.raises(SettingError, match="limit is 0, but must be a number above 0"):
        fs.measure(TINY, **SHORT, limit=0)


def test_a_module_is_measured_in_this_process():
    witness = Witness()
    assert fs.measure(witness, **SHORT, resolution=32).network == "Witness"
    assert witness.images.shape == (4, 3, 32, 32)
    with pytest.raises(SettingError, match="limit is 9, but a module is measured in this process"):
        fs.measure(witness, **SHORT, resolution=32, limit=9)
    with pytest.raises(SettingError, match="cannot measure a list"):
        fs.measure(cast(Any, [TINY]), **SHORT)
