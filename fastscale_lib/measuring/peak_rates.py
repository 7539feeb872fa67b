"""How fast a device can be at all: a large matrix product and a large copy; and how near to that a measurement came.

Both are timed by `measure`, as modules that pay no attention to their images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .._common.errors import first_line
from ..architectures.operation_lists import element_bytes
from ..records.measurement import MeasureError, Measurement
from .in_subprocess import measure
from .settings import PRECISIONS, Precision, known

_TYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}  # torch's
# The backward pass makes two products for each one of the forward pass, and moves as much again for both.
TRAINING_RUNS = 3


@dataclass(frozen=True)
class Ceilings:
    """A device's two ceilings under one precision, with the measurements that they come from.

    `multiply_adds_per_s` is of a product of two square matrices; `bytes_per_s`, read and written, of a copy on the
    device. `device_name`, `threads`, `precision` and `tf32` are those of rows that may be held against them.
    """

    device_name: str
    threads: int
    precision: str
    tf32: bool
    multiply_adds_per_s: float
    bytes_per_s: float
    product: Mapping[str, Any]
    copy: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `Ceilings(**plain)` gives them back."""
        return asdict(self)


def ceilings(
    device: str | None = None,
    precision: Precision = "fp32",
    tf32: bool = False,
    threads: int | None = None,
    seconds: float = 3.0,
) -> Ceilings:
    """Measure a device's ceilings; arguments as for `measure`, `seconds` for each of the two.

    Raises:
        SettingError: (a ValueError) a setting is wrong or the device is not there.
        MeasureError: memory ran out, or one of the two failed otherwise.
    """
    from .devices import find_device

    known("precision", precision, PRECISIONS)
    kind = find_device(device, precision).kind
    how = {"batch": 1, "resolution": 1, "device": device, "seconds": seconds, "tf32": tf32, "threads": threads}
    product, copy = _modules(kind.matrix_side, kind.copied_bytes, precision)
    matrices = 3 * kind.matrix_side**2 * element_bytes(precision)
    timed = (
        _timed("product of two matrices", matrices, product, precision=precision, **how),
        _timed("copy", 2 * kind.copied_bytes, copy, **how),
    )
    rates = kind.matrix_side**3 / timed[0].median_ms * 1e3, 2 * kind.copied_bytes / timed[1].median_ms * 1e3
    return _ceilings(timed[0], *rates, *(each.to_dict() for each in timed))


def _timed(what: str, needs: int, module: Any, **how: Any) -> Measurement:
    """`measure`, whose failure is said of what is measured; `needs`: bytes."""
    try:
        return measure(module, **how)
    except RuntimeError as error:
        reason = getattr(error, "reason", "failed")
        if reason == "setting":
            raise
        said = f"failed: {first_line(error)}; try another device or precision"
        if reason == "out of memory":
            said = f"ran out of memory: it takes {needs / 1e9:.1f} GB; end what else holds the device's memory"
        raise MeasureError(f"ceilings: the {what} {said}", reason) from error


def _ceilings(at: Measurement, *rest: Any) -> Ceilings:
    return Ceilings(at.device_name, at.threads, at.precision, at.tf32, *rest)


def _modules(side: int, size: int, precision: Precision) -> tuple[Any, Any]:
    """A product of matrices of this side and in this precision, and a copy of so many bytes, as modules."""
    import torch

    kind = getattr(torch, _TYPES[precision])

    class Product(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            generator = torch.Generator().manual_seed(0)
            for name in "ab":
                self.register_buffer(name, torch.randn(side, side, generator=generator).to(kind))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            with torch.autocast(images.device.type, enabled=False):
                return self.a @ self.b

    class Copy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            generator = torch.Generator().manual_seed(0)
            self.register_buffer("source", torch.randn(size // 4, generator=generator))
            self.register_buffer("target", torch.empty(size // 4))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.target.copy_(self.source)

    return Product(), Copy()
