"""What a measurement may be asked for: how a network is run, for how long, and where; checked before anything runs.

Importing this loads no torch; looking for a device does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from .._common.checks import check_choice, check_flag, check_real, shown
from ..records.measurement import SettingError, whole

if TYPE_CHECKING:
    import torch


Mode = Literal["inference", "training"]
MODES: tuple[Mode, ...] = get_args(Mode)
Precision = Literal["fp32", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True)
class Settings:
    """The settings of a measurement, checked as far as that goes without torch; None leaves a choice open.

    What each means is said of `apart.measure`.

    Raises:
        SettingError: a setting is wrong.
    """

    batch: int = 64
    mode: Mode = "inference"
    precision: Precision = "fp32"
    device: str | torch.device | None = None
    channels_last: bool = True
    compile: bool = False
    resolution: int | None = None
    interval: float = 0.01
    seconds: float = 10.0
    tf32: bool = False
    threads: int | None = None

    def __post_init__(self):
        object.__setattr__(self, "batch", whole("batch", self.batch))
        for name in ("resolution", "threads"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, whole(name, getattr(self, name)))
        known("mode", self.mode, MODES)
        known("precision", self.precision, PRECISIONS)
        for name in ("interval", "seconds"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        for name in ("channels_last", "compile", "tf32"):
            object.__setattr__(self, name, check_flag(name, getattr(self, name), SettingError, f"; try {name}=True"))


def known(name: str, value: Any, choices: Sequence[str]) -> None:
    """Refuses what is not among the choices."""
    check_choice(name, value, choices, SettingError, f"; try {choices[0]}")


def positive(name: str, value: Any) -> float:
    """Return the value as a float; refuse what is not a finite number above 0."""
    return check_real(name, value, SettingError, 0, above=True, remedy="; leave it out for the usual one")


def find_device(asked: str | torch.device | None, precision: Precision = "fp32") -> torch.device:
    """The device asked for, or a refusal: no other device stands in for it.

    Arguments:
        asked: "cpu", "cuda" or "cuda:N"; None: the GPU where there is one.
        precision: in which it is to compute.

    Raises:
        SettingError: the device is not there, or is not measured in this precision.
    """
    import torch

    count = torch.cuda.device_count()
    here = ", ".join(["cpu", *(f"cuda:{index}" for index in range(count))])
    if not (asked is None or isinstance(asked, str | torch.device)):
        raise SettingError(f"device is {shown(asked)}, but must be 'cpu', 'cuda' or 'cuda:N'; here there are: {here}")
    asked = str(asked or ("cuda" if count else "cpu"))
    try:
        device = torch.device(asked)
    except (RuntimeError, ValueError):  # the latter of texts that are no UTF-8
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise SettingError(f"device is {shown(asked)}, but must be 'cpu', 'cuda' or 'cuda:N'; here there are: {here}")
    if device.type == "cpu":
        _check_cpu_precision(precision)
        return torch.device("cpu")
    index = device.index if device.index is not None else torch.cuda.current_device() if count else 0
    if index >= count:
        raise SettingError(
            f"device is {shown(asked)}, but must be a device that torch finds here; try one of: {here} "
            f"(torch {torch.__version__} finds {count} CUDA devices)"
        )
    return torch.device("cuda", index)


def _check_cpu_precision(precision: Precision) -> None:
    # torch accepts fp16 autocast on a CPU, but without fp16 units converts back and forth: on an AMD EPYC two
    # convolutions took 4 (inference) and 20 (training) times fp32's time. That number would be of no use.
    if precision == "fp16":
        raise SettingError("precision is 'fp16', but a CPU is measured in fp32 or bf16; try bf16")
