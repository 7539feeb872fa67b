"""Measurements, their rows in a store, and when a time cannot decide. Loads no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from .._common.checks import check_whole, shown
from .._common.device_kinds import CPU, kind_of
from .._common.digits import decimals
from .._common.errors import FastscaleError
from ..architectures.resolutions import Resolution, check_resolution

if TYPE_CHECKING:
    from ..architectures.definition import Network
    from ..architectures.traced.module_family import Family

LEAST_BLOCKS = 6  # with fewer, no two order statistics enclose the median with 95 % probability
_LONGEST, _MOST_NAMED = 40, 20  # characters of a key, and keys, in a message
_LAUNCHES = "launch-bound, as the GPU waited for its host"
_LAUNCH_BOUND = 0.9  # of the median; the rest allows for the error of both times
BUSY = 0.05  # of all cores, used by others; rows above it judge nothing


class MeasureError(FastscaleError, RuntimeError):
    """A measurement that failed.

    `reason` is "setting", "out of memory" or "failed"; from a worker also "busy", "cancelled", "time limit" or "died".
    `spoilt`: the process that tried cannot measure anything after it.
    """

    def __init__(self, message: str, reason: str = "failed", spoilt: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.spoilt = spoilt


class SettingError(MeasureError, ValueError):
    """A setting that cannot be measured; the message names the value, the rule and the remedy."""

    def __init__(self, message: str, reason: str = "setting") -> None:
        super().__init__(message, reason)


@dataclass(frozen=True)
class Measurement:
    """One network timed on one device, with the settings and the state of the machine.

    `resolution` is the side of the images in pixels, or (height, width). `median_ms` is the median time of a run: one
    forward pass, or one training step, on `batch` images. `low_ms` to `high_ms` is the distribution-free 95 % interval
    of the median; with fewer than 6 `blocks` of runs there is none, and both are NaN, even if given. `half_width` is
    the larger side of the interval (below 6 blocks, of the range), as a fraction of the median; None for a single
    block. `converged`: the interval became as narrow as requested.
    `peak_memory_bytes` is the most that torch's allocator held during the timed part on a GPU, weights included; None
    on a CPU, where the process's peak says little about the network. `tf32` and `cudnn_benchmark` concern GPUs and are
    False on a CPU. `date` is in UTC.

    The fields after `date` are None if the machine does not report them, and in rows older than the field:

    - `device_count`: GPUs of the same name in the machine; 1 on a CPU.
    - `cpu_name`: the host's CPU, also beside a GPU.
    - `launch_ms`: on a GPU, the time in which the host launches the kernels of one run; a run cannot take less (see
      `launch_bound`).
    - `clock_mhz`, `power_w`, `temperature_c` and `throttle` (why the clock was lowered, in words; () if it was not):
      of the busy GPU, before the first timed block and after the last.
    - `other_processes`: other processes on the GPU, the larger number of those two moments.
    - `load`: share of the machine's cores that other processes used during the timed part, 0 to 1; above 0.05 the time
      judges nothing.
    - `interval`: the requested half-width, as a fraction of the median, by which `converged` is judged.
    - `cuda_graph`: whether runs replayed a CUDA graph; False, not None, in older rows.
    - `cudnn_benchmark_limit`: how many algorithms cuDNN's autotuner was let try for a convolution; None for torch's own
      number.
    - `first_run_s`: seconds of the first run, in which all is compiled, tuned, allocated and captured.
    """

    network: str
    resolution: Resolution
    batch: int
    mode: str
    precision: str
    channels_last: bool
    compile: bool
    device: str
    device_name: str
    median_ms: float
    low_ms: float
    high_ms: float
    q1_ms: float
    q3_ms: float
    half_width: float | None
    converged: bool
    runs: int
    blocks: int
    images_per_s: float
    peak_memory_bytes: int | None
    threads: int
    tf32: bool
    cudnn_benchmark: bool
    torch: str
    cuda: str | None
    cudnn: str | None
    driver: str | None
    library: str
    date: str
    device_count: int | None = None
    cpu_name: str | None = None
    launch_ms: float | None = None
    clock_mhz_before: int | None = None
    clock_mhz_after: int | None = None
    power_w_before: float | None = None
    power_w_after: float | None = None
    temperature_c_before: int | None = None
    temperature_c_after: int | None = None
    throttle_before: tuple[str, ...] | None = None
    throttle_after: tuple[str, ...] | None = None
    other_processes: int | None = None
    load: float | None = None
    interval: float | None = None
    cuda_graph: bool = False
    cudnn_benchmark_limit: int | None = None
    first_run_s: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "cuda_graph", bool(self.cuda_graph))  # a frame has None for older rows
        if not has_interval(self.blocks) or self.low_ms is None or self.high_ms is None:
            for name in ("low_ms", "high_ms"):
                object.__setattr__(self, name, math.nan)

    @property
    def where(self) -> str:
        """The device's name, marked if it is a CPU."""
        return f"CPU: {self.device_name}" if kind_of(self.device) is CPU else self.device_name

    @property
    def launch_bound(self) -> bool | None:
        """Whether launching the kernels takes at least 90 % of the run; None if `launch_ms` is None.

        Such a time depends on the host and the number of layers, not on the network's arithmetic.
        """
        return waits_for_host(self.launch_ms, self.median_ms)

    @property
    def doubt(self) -> str | None:
        """Why this time cannot decide a claim, in a few words; None if it can (see `time_doubt`)."""
        return time_doubt(asdict(self))

    @property
    def warning(self) -> str | None:
        """What disturbed the measurement, in a sentence; None if nothing did, as far as known."""
        return disturbance(asdict(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, which `from_dict` reads; None for the ends of no interval."""
        plain: dict[str, Any] = {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }
        return plain | {name: None for name in ("low_ms", "high_ms") if math.isnan(plain[name])}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Measurement:
        """Make the measurement that `to_dict` described.

        Arguments:
            plain: values by field; the fields after `date` may be missing.

        Raises:
            SettingError: a field is missing, unknown or wrong.
        """
        if not (isinstance(plain, Mapping) and all(isinstance(key, str) for key in plain)):
            raise SettingError(f"measurement: expected the names of its values, got {shown(plain)}")
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        known = {field.name for field in fields(cls)}
        if wrong := sorted((needed - set(plain)) | (set(plain) - known)):
            names = ", ".join(shown(each) if len(each) > _LONGEST else each for each in wrong[:_MOST_NAMED])
            raise SettingError(f"measurement: missing or unknown: {names}")
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()
        }
        return cls(**values)

    def __str__(self) -> str:
        digits = decimals(self.median_ms)
        median, low, high = (f"{value:,.{digits}f}" for value in (self.median_ms, self.low_ms, self.high_ms))
        known = has_interval(self.blocks)
        few = f"{_few_blocks(self.blocks)}{_range_text(self.blocks, self.half_width)}: no interval"
        spread = f"{low} to {high}, 95 % interval" if known else few
        precision = self.precision + (" (TF32)" if self.tf32 else "")
        return (
            f"{median} ms ({spread}) · {self.images_per_s:,.0f} images/s · {self.where} · "
            f"batch {self.batch} · {precision} · {self.mode}"
            + (" · CUDA graph" if self.cuda_graph else "")
            + (" · launch-bound" if self.launch_bound else "")
            + (f" · {self.warning}" if self.warning else "")
        )


def measured_row(network: Network | Family, measurement: Measurement) -> dict[str, Any]:
    """Return the row that a store keeps of a measurement.

    Beside its fields the row has `description`, which `Network.from_dict` reads, and `reason` and `message`, here None.
    Of a family the description is None, and `made_by` says what made it: no row runs code.
    """
    what = described(network, measurement.resolution)
    return {**measurement.to_dict(), **what, "reason": None, "message": None}


def failed_row(
    network: Network | Family, settings: Mapping[str, Any], error: MeasureError, environment: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the row of a measurement that could not be made: times are None.

    It has the settings of `measure` that a measurement has, too, `resolution` instead of the network's own, and the
    `environment` of `measuring.environment.read_environment`.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    resolution = given.get("resolution", network.resolution)
    own = {"network": network.name, "resolution": resolution, "device": environment["device"], "date": now()}
    known = {**environment, **given, **own}
    row = {field.name: known.get(field.name) for field in fields(Measurement)}
    return {**row, **described(network, resolution), "reason": error.reason, "message": str(error)}


def described(network: Network | Family, resolution: Resolution) -> dict[str, Any]:
    """Return the columns of a row that describe a network, or what made a family.

    What made a family is plain data: reading a row runs no code.
    """
    from ..architectures.traced.module_family import Family

    if isinstance(network, Family):
        return {"description": None, "made_by": network.at(resolution).made_by}
    description = {**network.to_dict(), "resolution": list(resolution) if isinstance(resolution, tuple) else resolution}
    return {"description": description}


def now() -> str:
    """Return the date and time in UTC, to the second, in ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def has_interval(blocks: float | None) -> bool:
    """Return whether this many blocks of runs have a 95 % interval; True if unknown."""
    return blocks is None or math.isnan(blocks) or blocks >= LEAST_BLOCKS


def without_range(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with `low_ms` and `high_ms` None if it has too few `blocks` for an interval.

    Older rows have the range of their blocks there, or the median twice if there is only one.
    """
    if has_interval(row.get("blocks")) or "low_ms" not in row:
        return dict(row)
    return {**row, "low_ms": None, "high_ms": None}


def waits_for_host(launch_ms: float | None, median_ms: float | None) -> bool | None:
    """Return whether a run waits for its launches (`launch_bound`); None if a time is unknown."""
    if launch_ms is None or median_ms is None or math.isnan(launch_ms) or math.isnan(median_ms):
        return None
    return launch_ms >= _LAUNCH_BOUND * median_ms


def time_doubt(row: Mapping[str, Any]) -> str | None:
    """Say why the time of a measured row cannot decide a claim; None if it can.

    Of fewer than 6 blocks the spread is known as their range, which is no 95 % interval.
    """
    doubts = []
    blocks = row.get("blocks")
    if blocks is not None and not has_interval(blocks):
        known = _range_text(blocks, row.get("half_width"))
        doubts.append(f"{_few_blocks(blocks)}{known} give{'s' * (blocks == 1)} no interval")
    if waits_for_host(row.get("launch_ms"), row.get("median_ms")):
        doubts.append(_LAUNCHES)
    return "; ".join(doubts) or None


def disturbance(row: Mapping[str, Any]) -> str | None:
    """Say what disturbed the measurement of a row, in a sentence; None if nothing is known."""
    states = (row.get(name) for name in ("throttle_before", "throttle_after"))
    held = sorted({reason for state in states if isinstance(state, list | tuple) for reason in state})
    clock = f"the GPU's clock was held down ({', '.join(held)})" if held else None
    return "; ".join(filter(None, [shared_use(row), clock])) or None


def shared_use(row: Mapping[str, Any]) -> str | None:
    """Say who else used the machine while a row was measured; None for nobody, if known."""
    causes, others, load = [], row.get("other_processes"), row.get("load")
    if others is not None and others > 0:
        causes.append(f"the GPU was shared with {others:g} other process{'es' * (others > 1)}")
    if load is not None and load > BUSY:
        causes.append(f"other processes used {_percent(load)} of the machine's cores")
    return "; ".join(causes) or None


def judges_nothing(row: Mapping[str, Any]) -> str | None:
    """Say why the time of a measured row judges nothing at all; None if it may judge.

    It was measured while others used the machine, or is launch-bound. Such a row is left out; one of few blocks
    (`time_doubt`) stays, and leaves a claim undecided.
    """
    bound = waits_for_host(row.get("launch_ms"), row.get("median_ms"))
    return "; ".join(filter(None, [shared_use(row), _LAUNCHES if bound else None])) or None


def _few_blocks(blocks: float) -> str:
    return "a single block of runs" if blocks == 1 else f"{blocks:g} blocks of runs"


def _range_text(blocks: float, half_width: float | None) -> str:
    """Write the range of few blocks, from `half_width`; "" where there is none."""
    if blocks < 2 or half_width is None or math.isnan(half_width):
        return ""
    return f" (range ±{_percent(half_width)})"


def _percent(share: float) -> str:
    """Write a share with two digits: "6 %", "1,100 %"."""
    return f"{float(f'{100 * share:.2g}'):,g} %"


def ratio_ends(one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return the lowest and highest ratio of two times, or columns, each given by its ends."""
    return one[0] / other[1], one[1] / other[0]


def joined_doubts(doubts: Mapping[str, str | None]) -> str | None:
    """Join the doubts about several times, each after its name; None if there are none."""
    return "; ".join(f"{name}: {doubt}" for name, doubt in doubts.items() if isinstance(doubt, str)) or None


def whole(name: str, value: Any) -> int:
    """Return the value as an int of at least 1, or raise a SettingError."""
    remedy = f"; try {name}={_TRY[name]}"
    number = check_whole(name, value, SettingError, remedy=remedy)
    return check_whole(name, number, SettingError, most=_MOST.get(name, _MOST_IMAGES), remedy=remedy)


def image_resolution(value: Any) -> Resolution:
    """Return the value as a side in pixels, or as (height, width), or raise a SettingError."""
    check = partial(check_resolution, "resolution", error=SettingError, remedy="; try resolution=224")
    return check(check(value), most=_LARGEST_SIDE)


_MOST_IMAGES = 2**31 - 1  # torch cannot multiply larger sizes
_LARGEST_SIDE = 100_000
_MOST = {"memory_bytes": 2**62}
_TRY = {"cudnn_benchmark_limit": 4, "batch": 64, "threads": 1, "limit": 4096, "memory_bytes": 2**30}
