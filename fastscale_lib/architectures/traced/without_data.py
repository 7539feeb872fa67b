"""Modules made without data: shapes without values, and no time for random numbers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeVar

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..._common.device_kinds import CPU as CPU_KIND
from ..._common.device_kinds import kind_of

Made = TypeVar("Made")
CPU = torch.device("cpu")
META = torch.device("meta")
_RANDOM = {"uniform_", "normal_", "erfinv_"}
_FILLED = {*_RANDOM, "fill_", "zero_", "mul_", "add_", "sub_", "div_", "clamp_", "copy_"}


class _NothingFilled(TorchDispatchMode):
    """Passes over what would fill tensors without data; on a CPU, over random numbers alone."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in _FILLED and (name in _RANDOM or args[0].device.type == "meta"):
            return args[0]
        return func(*args, **(kwargs or {}))


def make_without_data(make: Callable[[], Any]) -> nn.Module:
    """Make a module on the meta device; else on the CPU, with weights left unset.

    The CPU serves makers that look at values.

    Raises:
        Exception: whatever the maker raises on the CPU, too.
    """
    try:
        return made_on(META, make)
    except Exception:  # it asked a tensor for its values, or really cannot be made
        return made_on(CPU, make)


def made_on(device: torch.device, make: Callable[[], Made]) -> Made:
    """Make a module on this device, with weights left unset."""
    with (
        torch.random.fork_rng(devices=[]) if kind_of(device.type) is CPU_KIND else nullcontext(),
        device,
        _NothingFilled(),
    ):
        return make()
