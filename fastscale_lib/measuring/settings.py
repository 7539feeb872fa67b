"""The settings of a measurement, checked before anything runs. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from .._common.checks import check_choice, check_flag, check_real, shown
from .._common.device_kinds import HOW, parse_device
from ..architectures.resolutions import Resolution
from ..records.measurement import SettingError, image_resolution, whole

if TYPE_CHECKING:
    import torch


Progress = Callable[[str, float], None]  # called with a phase and the fraction of the time spent
Mode = Literal["inference", "training"]
MODES: tuple[Mode, ...] = get_args(Mode)
Precision = Literal["fp32", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True)
class Settings:
    """The settings of a measurement, as `measure` explains them; None leaves a choice open."""

    batch: int = 64
    mode: Mode = "inference"
    precision: Precision = "fp32"
    device: str | torch.device | None = None
    channels_last: bool = True
    compile: bool = False
    resolution: Resolution | None = None
    interval: float = 0.01
    seconds: float = 10.0
    tf32: bool = False
    threads: int | None = None
    cuda_graph: bool = False
    cudnn_benchmark_limit: int | None = None

    def __post_init__(self):
        object.__setattr__(self, "batch", whole("batch", self.batch))
        if self.resolution is not None:
            object.__setattr__(self, "resolution", image_resolution(self.resolution))
        for name in ("threads", "cudnn_benchmark_limit"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, whole(name, value))
        if not (self.device is None or isinstance(self.device, str) or type(self.device).__name__ == "device"):
            raise SettingError(f"device is {shown(self.device)}, but must be 'cpu', 'cuda' or 'cuda:N'")
        known("mode", self.mode, MODES)
        known("precision", self.precision, PRECISIONS)
        for name in ("interval", "seconds"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        for name in ("channels_last", "compile", "tf32", "cuda_graph"):
            object.__setattr__(self, name, check_flag(name, getattr(self, name), SettingError, f"; try {name}=True"))

        if self.cuda_graph and self.compile:
            raise SettingError(
                "cuda_graph is True, but compile, too, and a compiled module is not captured here; leave one out"
            )
        if self.cuda_graph and self.mode == "training" and self.precision == "fp16":
            raise SettingError(
                "cuda_graph is True, but a training step in fp16 scales its loss, for which the host looks at the "
                "gradients between kernels, and no graph has that; try precision='bf16'"
            )

    def plain(self) -> dict[str, Any]:
        """Return plain values, as for a subprocess; `Settings(**plain)` is the same again."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "device": None if self.device is None else str(self.device)}


def check_device(value: Any) -> str:
    """Return a device's name as a string, or refuse it; the device need not be here."""
    # torch.device is recognised by its name: torch is not loaded here
    text = str(value) if isinstance(value, str) or type(value).__name__ == "device" else ""
    if not parse_device(text):
        raise SettingError(f"device is {shown(value)}, but must be {HOW}; leave it out for the GPU")
    return text


def known(name: str, value: Any, choices: Sequence[str]) -> None:
    """Refuse what is not among the choices."""
    check_choice(name, value, choices, SettingError, f"; try {choices[0]}")


def positive(name: str, value: Any) -> float:
    """Return the value as a float; refuse what is not a finite number above 0."""
    return check_real(name, value, SettingError, 0, above=True, remedy="; leave it out for the usual one")
