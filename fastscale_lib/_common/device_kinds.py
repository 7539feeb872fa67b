"""Kinds of devices by the names that torch gives them ("cpu", "cuda:1"), and what is usual on each. Loads no torch.

Here alone these names are told apart. What a device does (`measuring.devices`) has a class for each kind beside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DeviceKind:
    """What is so on all devices of a kind.

    Attributes:
        name: as torch has it.
        numbered: there may be several, told apart by a number: cuda:1.
        by_threads: its times depend on the number of torch's threads.
        tf32: it can round fp32 products to TF32.
        training_precision: in which it trains unless another is asked for.
        probe_batch: images in a run of a probe network, unless another number is asked for.
        block_s: least seconds of a timed block. Long for the clock (0.02 s are some 40,000 steps of CUDA's, 0.5 µs; a
            CPU's is finer), and on a CPU no longer: a short block is mostly free of other processes' turns, so that
            the median leaves them out.
        matrix_side: of two square matrices whose product shows how fast it computes: their arithmetic outweighs all
            else.
        copied_bytes: of a copy that shows how fast its memory is: beyond every cache.
        backend: of torch.distributed, by which such devices train together.
    """

    name: str
    numbered: bool
    by_threads: bool
    tf32: bool
    training_precision: str
    probe_batch: int
    block_s: float
    matrix_side: int
    copied_bytes: int
    backend: str


CUDA = DeviceKind(
    name="cuda",
    numbered=True,
    by_threads=False,
    tf32=True,
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
    training_precision="fp32",
    probe_batch=4,
    block_s=0.002,
    matrix_side=2048,
    copied_bytes=2**28,
    backend="gloo",
)
KINDS = (CUDA, CPU)  # the first that is there is taken where none is asked for
_BY_NAME = {kind.name: kind for kind in KINDS}
HOW = "'cpu', 'cuda' or 'cuda:N'"  # a device is asked for
_NAME = re.compile(r"(cuda)(?::(0|[1-9][0-9]{0,8}))?|(cpu)(?::0)?")


def parse_device(text: str) -> tuple[DeviceKind, int | None] | None:
    """The kind and the number of a device that is asked for; None where this is the name of none."""
    found = _NAME.fullmatch(text)
    if not found:
        return None
    return _BY_NAME[found[1] or found[3]], None if found[2] is None else int(found[2])


def kind_name(device: Any) -> str:
    """A device's name without its number: "cuda" for "cuda:1"; "" of what is no text, as None and NaN."""
    return device.partition(":")[0] if isinstance(device, str) else ""


def kind_of(device: Any) -> DeviceKind | None:
    """The kind of a device by its name, with or without a number; None of a name that is not known here."""
    return _BY_NAME.get(kind_name(device))


def preferred(devices: Iterable[str]) -> str:
    """Of these devices the one that is taken where none is asked for: the first GPU, else the CPU."""
    known = [device for device in devices if kind_of(device)]
    return min(known, key=lambda device: KINDS.index(_BY_NAME[kind_name(device)]), default=CPU.name)


def named_with_threads(name: str, threads: int) -> str:
    """A CPU as people know it: times depend on the number of threads."""
    return f"{name} ({threads} thread{'s' if threads > 1 else ''})"
