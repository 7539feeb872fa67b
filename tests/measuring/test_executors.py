"""Executors: the devices that this machine measures a plan on."""

from __future__ import annotations

import pytest

from fastscale_lib.measuring.executors import _devices
from fastscale_lib.records.measurement import SettingError

ONE_KIND = {"cpu": "A CPU", "cuda:0": "A GPU", "cuda:1": "A GPU"}


@pytest.mark.parametrize(
    ("asked", "here", "used"),
    [
        (None, ONE_KIND, ["cuda:0", "cuda:1"]),
        ("cuda", ONE_KIND, ["cuda:0", "cuda:1"]),
        ("cuda:1", ONE_KIND, ["cuda:1"]),
        ("cpu", ONE_KIND, ["cpu"]),
        (None, {"cpu": "A CPU"}, ["cpu"]),
        ("cuda", {"cpu": "A CPU"}, ["cuda"]),  # which is refused, as no other stands in for it
    ],
)
def test_a_sweep_here_uses_every_gpu_but_where_one_is_named(asked, here, used):
    assert _devices(asked, lambda: here) == used


@pytest.mark.parametrize(("asked", "said"), [(None, "device is None"), ("cuda", "device is 'cuda'")])
def test_gpus_of_several_kinds_take_a_plan_each(asked, said):
    here = {**ONE_KIND, "cuda:2": "Another"}
    with pytest.raises(SettingError, match=f"^{said}, but the GPUs here are of several kinds .*; run one plan for"):
        _devices(asked, lambda: here)
    assert _devices("cuda:2", lambda: here) == ["cuda:2"]
