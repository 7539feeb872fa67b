"""Kinds of devices, by torch's names ("cpu", "cuda:1"), and their defaults. Loads no torch.

No other module tells these names apart. `measuring.device_finder` has a class for each kind, with what the device does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DeviceKind:
    """The properties that all devices of a kind share."""

    name: str  # torch's name of the device type
    numbered: bool  # whether there may be several, as cuda:1
    by_threads: bool  # whether times depend on the number of torch's threads
    tf32: bool  # whether fp32 products can be rounded to TF32
    precisions: tuple[str, ...]  # that it is measured in
    training_precision: str  # the default
    probe_batch: int  # the default number of images in a run of a probe network
    # The least seconds of a timed block: long relative to the clock (CUDA's has steps of 0.5 µs), but short on a CPU:
    # most short blocks are free of other processes' turns, so that the median is, too.
    block_s: float
    matrix_side: int  # of two square matrices, so large that arithmetic takes nearly all the time of their product
    copied_bytes: int  # more than any cache holds, so that copying them shows the memory's speed
    backend: str  # of torch.distributed


CUDA = DeviceKind(
    name="cuda",
    numbered=True,
    by_threads=False,
    tf32=True,
    precisions=("fp32", "bf16", "fp16"),
    training_precision="bf16",
    probe_batch=64,
    block_s=0.02,
    matrix_side=8192,
    copied_bytes=2**30,
    backend="nccl",
)
CPU = DeviceKind(
    name="cpu",
    numbered=False,
    by_threads=True,
    tf32=False,
    precisions=("fp32", "bf16"),
    training_precision="fp32",
    probe_batch=4,
    block_s=0.002,
    matrix_side=2048,
    copied_bytes=2**28,
    backend="gloo",
)
KINDS = (CUDA, CPU)  # the default device is of the first kind that the machine has
# What names of CPUs have beside the maker, the series and the model.
_BESIDE = re.compile(r"\((?:r|tm)\)|\bCPU\b(?=.* @)|\b(?:Processor|\d+-Core)\b|@ .*", re.IGNORECASE)
_BY_NAME = {kind.name: kind for kind in KINDS}
HOW = "'cpu', 'cuda' or 'cuda:N'"  # how a caller names a device
_NAME = re.compile(r"(cuda)(?::(0|[1-9][0-9]{0,8}))?|(cpu)(?::0)?")


def parse_device(text: str) -> tuple[DeviceKind, int | None] | None:
    """Return the kind and the number that a device's name gives; None if it names no device."""
    found = _NAME.fullmatch(text)
    if not found:
        return None
    return _BY_NAME[found[1] or found[3]], None if found[2] is None else int(found[2])


def kind_name(device: Any) -> str:
    """Return a device's name without its number: "cuda" for "cuda:1"; "" for None or NaN."""
    return device.partition(":")[0] if isinstance(device, str) else ""


def kind_of(device: Any) -> DeviceKind | None:
    """Return the kind of a device by its name, with or without a number; None if unknown."""
    return _BY_NAME.get(kind_name(device))


def preferred(devices: Iterable[str]) -> str:
    """Return the default one of these devices: the first GPU, else the CPU."""
    known = [device for device in devices if kind_of(device)]
    return min(known, key=lambda device: KINDS.index(_BY_NAME[kind_name(device)]), default=CPU.name)


def named_with_threads(name: str, threads: int) -> str:
    """Name a CPU with its number of threads, on which its times depend."""
    return f"{name} ({threads} thread{'s' if threads > 1 else ''})"


def short_name(device_name: str) -> str:
    """Shorten a maker's name of a device: "Intel(R) Xeon(R) Processor" to "Intel Xeon"."""
    return " ".join(_BESIDE.sub(" ", device_name).split()) or device_name
