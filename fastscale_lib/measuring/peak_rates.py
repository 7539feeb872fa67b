"""The peak rates of a device, of arithmetic and of memory. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .._common.errors import first_line
from ..architectures.operation_lists import element_bytes
from ..records.measurement import MeasureError, Measurement
from .in_subprocess import measure
from .settings import PRECISIONS, Precision, known

# A training step computes and moves three times as much as a forward pass: the backward pass has two products for
# each of the forward pass.
TRAINING_RUNS = 3


@dataclass(frozen=True)
class Ceilings:
    """The two peak rates of a device in one precision, and the measurements that they come from.

    `multiply_adds_per_s` is that of a product of two square matrices in this precision (fp32 rounded to TF32, if
    `tf32`), `bytes_per_s` that of a copy on the device, read and written. `product` and `copy` are the measurements.
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
        """Return plain values; `Ceilings(**plain)` is the same again."""
        return asdict(self)


def ceilings(
    device: str | None = None,
    precision: Precision = "fp32",
    tf32: bool = False,
    threads: int | None = None,
    seconds: float = 3.0,
) -> Ceilings:
    """Measure the peak rates of a device.

    Arguments:
        device: "cpu", "cuda" or "cuda:N"; default: torch's current GPU, else the CPU.
        precision: of the matrix product; default: "fp32".
        tf32: let a GPU round fp32 products to TF32; default: False.
        threads: of torch on the CPU; default: as many as it has now.
        seconds: for each of the two; default: 3.

    Raises:
        SettingError: (a ValueError) a setting is wrong or the device is not there.
        MeasureError: memory ran out, or one of the two failed otherwise.
    """
    from .device_finder import find_device
    from .peak_workloads import Copy, Product

    known("precision", precision, PRECISIONS)
    kind = find_device(device, precision).kind
    how = {"batch": 1, "resolution": 1, "device": device, "seconds": seconds, "tf32": tf32, "threads": threads}
    matrices = 3 * kind.matrix_side**2 * element_bytes(precision)
    product = _timed(
        "product of two matrices", matrices, Product(kind.matrix_side, precision), precision=precision, **how
    )
    copy = _timed("copy", 2 * kind.copied_bytes, Copy(kind.copied_bytes), **how)
    return Ceilings(
        product.device_name,
        product.threads,
        product.precision,
        product.tf32,
        multiply_adds_per_s=kind.matrix_side**3 / product.median_ms * 1e3,
        bytes_per_s=2 * kind.copied_bytes / copy.median_ms * 1e3,
        product=product.to_dict(),
        copy=copy.to_dict(),
    )


def _timed(what: str, needs: int, module: Any, **how: Any) -> Measurement:
    """Measure a module, and name it in an error; `needs` are the bytes that it takes."""
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
