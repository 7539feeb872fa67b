"""What a measurement says, and how two of them compare. Loads no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from .._common.checks import check_whole, shown
from .._common.device_kinds import CPU, kind_of
from .._common.digits import decimals
from .._common.errors import FastscaleError

if TYPE_CHECKING:
    from ..architectures.definition import Network


IMAGENET_IMAGES = 1_281_167  # the training set of ILSVRC 2012
LEAST_BLOCKS = 6  # of fewer, no two order statistics hold the median in 95 of 100 cases
_LONGEST, _MOST_NAMED = 40, 20  # characters of a key, and keys, that a message has room for
_LAUNCH_BOUND = 0.9  # of the median; what is left is the error of the two times
BUSY = 0.1  # of all cores; below, a desktop's own work


class MeasureError(FastscaleError, RuntimeError):
    """A measurement that could not be made; `reason` says why in a word or two, the message in a sentence.

    Reasons: "setting", "out of memory", "failed", and, from a worker, "busy", "cancelled", "time limit", "died".
    `spoilt`: the process that tried can measure no more.
    """

    def __init__(self, message: str, reason: str = "failed", spoilt: bool = False):
        super().__init__(message)
        self.reason = reason
        self.spoilt = spoilt


class SettingError(MeasureError, ValueError):
    """A setting that cannot be measured; the message names the value, the rule and the remedy."""

    def __init__(self, message: str, reason: str = "setting"):
        super().__init__(message, reason)


@dataclass(frozen=True)
class Measurement:
    """One network timed on one device, with all that is needed to say so honestly.

    The time of a run (one forward pass, or one training step, on `batch` images) is `median_ms`; `low_ms` to
    `high_ms` is the distribution-free 95 % interval of that median. Fewer than 6 `blocks` of runs have none: then
    both are NaN, whatever was given. `half_width` is the larger side of the interval, or below 6 blocks of their range,
    as a fraction of the median (None for a single block). `converged`: the interval came down to the one asked for.
    `peak_memory_bytes` is what torch's allocator held at most during the timed part on a GPU, weights included; None on
    a CPU, where the process's peak says more of the process than of the network.
    `tf32` and `cudnn_benchmark` concern GPUs and are False on a CPU. `date` is UTC.

    The fields after `date` are None where the machine does not tell them, and in rows made before they were kept:

    - `device_count`: GPUs of the same name in the machine; 1 on a CPU. `cpu_name`: the host's CPU, beside a GPU too.
    - `launch_ms`: on a GPU, what the host needs to start one run's kernels, whatever they compute; a run cannot
      take less (see `launch_bound`).
    - `clock_mhz`, `power_w`, `temperature_c` and `throttle` (why the clock was held down, in words; () for no
      reason): of the GPU at work, before the first timed block and after the last.
    - `other_processes`: how many others held the GPU, at the worse of those two moments.
    - `load`: the share of all the machine's cores that other processes used during the timed part, 0 to 1.
    - `interval`: the half-width that was asked for, as a fraction of the median; `converged` is judged by it.
    """

    network: str
    resolution: int
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

    def __post_init__(self) -> None:
        if not has_interval(self.blocks) or self.low_ms is None or self.high_ms is None:
            for name in ("low_ms", "high_ms"):
                object.__setattr__(self, name, math.nan)

    @property
    def where(self) -> str:
        """The device by its human name, which says so where it is a CPU."""
        return f"CPU: {self.device_name}" if kind_of(self.device) is CPU else self.device_name

    @property
    def launch_bound(self) -> bool | None:
        """Whether the GPU waited for the host: starting the kernels takes 90 % of the run's time, or more.

        Such a time tells of the host and of the number of layers, not of the network's arithmetic. None where
        `launch_ms` is.
        """
        return waits_for_host(self.launch_ms, self.median_ms)

    @property
    def doubt(self) -> str | None:
        """Why this time decides nothing, in a few words; None where it can (see `time_doubt`)."""
        return time_doubt(asdict(self))

    @property
    def warning(self) -> str | None:
        """What disturbed the measurement, in a sentence; None where nothing is known to have."""
        said = []
        if self.other_processes:
            said.append(
                f"the GPU was shared with {self.other_processes} other process{'es' * (self.other_processes > 1)}"
            )
        if self.load is not None and self.load > BUSY:
            said.append(f"other processes used {self.load:.0%} of the machine's cores")
        if held := sorted({*(self.throttle_before or ()), *(self.throttle_after or ())}):
            said.append(f"the GPU's clock was held down ({', '.join(held)})")
        return "; ".join(said) or None

    def epoch_minutes(self, devices: int = 1) -> float:
        """Minutes for one pass over ImageNet's 1,281,167 images at this speed.

        An extrapolation: data loading and communication cost nothing, and `devices` devices, each with its own
        batch, share the images perfectly.

        Arguments:
            devices: how many devices share the images.

        Raises:
            SettingError: `devices` is not a whole number of at least 1.
        """
        return IMAGENET_IMAGES / self.images_per_s / 60 / whole("devices", devices)

    def to_dict(self) -> dict[str, Any]:
        """Plain strings, numbers and None (for an interval that there is not); `from_dict` reads it back."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return plain | {name: None for name in ("low_ms", "high_ms") if math.isnan(plain[name])}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Measurement:
        """The measurement that `to_dict` described; those listed after `date` may be missing.

        Raises:
            SettingError: (a ValueError) a key is missing or unknown.
        """
        if not (isinstance(plain, Mapping) and all(isinstance(key, str) for key in plain)):
            raise SettingError(f"measurement: expected the names of its values, got {shown(plain)}")
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        known = {field.name for field in fields(cls)}
        if wrong := sorted((needed - set(plain)) | (set(plain) - known)):
            names = ", ".join(shown(each) if len(each) > _LONGEST else each for each in wrong[:_MOST_NAMED])
            raise SettingError(f"measurement: missing or unknown: {names}")
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()})

    def __str__(self) -> str:
        median, low, high = _same_digits(self.median_ms, self.low_ms, self.high_ms)
        known = has_interval(self.blocks)
        spread = f"{low} to {high}, 95 % interval" if known else f"{_few_blocks(self.blocks)}: no interval"
        precision = self.precision + (" (TF32)" if self.tf32 else "")
        return (
            f"{median} ms ({spread}) · {self.images_per_s:,.0f} images/s · {self.where} · "
            f"batch {self.batch} · {precision} · {self.mode}"
            + (" · launch-bound" if self.launch_bound else "")
            + (f" · {self.warning}" if self.warning else "")
        )


def measured_row(network: Network, measurement: Measurement) -> dict[str, Any]:
    """The row of a measurement, as a store keeps it: its columns, and those that it shares with `failed_row`.

    These are `description`, from which `Network.from_dict` makes the network that was measured, and `reason` and
    `message`, which are None here.
    """
    described = {**network.to_dict(), "resolution": measurement.resolution}
    return {**measurement.to_dict(), "description": described, "reason": None, "message": None}


def failed_row(
    network: Network, settings: Mapping[str, Any], error: MeasureError, environment: Mapping[str, Any]
) -> dict[str, Any]:
    """The row of a measurement that could not be made: the columns of `measured_row`, with times None.

    Arguments:
        settings: what `measure` was given; of it the row takes what a measurement records (batch, mode, precision,
            channels_last, compile, threads, tf32, interval), and `resolution` before the network's own. What is left
            out is None.
        error: why there is no measurement.
        environment: of the machine, as `measuring.environment.read_environment` returns it.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    resolution = given.get("resolution", network.resolution)
    told = {"network": network.name, "resolution": resolution, "device": environment["device"], "date": now()}
    known = {**environment, **given, **told}
    described = {**network.to_dict(), "resolution": resolution}
    row = {field.name: known.get(field.name) for field in fields(Measurement)}
    return {**row, "description": described, "reason": error.reason, "message": str(error)}


def now() -> str:
    """The date and time in UTC, to the second, as records keep it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def has_interval(blocks: float | None) -> bool:
    """Whether so many blocks of runs give their median a 95 % interval; where the number is not known, they may."""
    return blocks is None or math.isnan(blocks) or blocks >= LEAST_BLOCKS


def without_range(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with `low_ms` and `high_ms` None where its `blocks` are too few for an interval.

    Rows made before this rule hold the range of their blocks there, and of a single block the median twice.
    """
    if has_interval(row.get("blocks")) or "low_ms" not in row:
        return dict(row)
    return {**row, "low_ms": None, "high_ms": None}


def waits_for_host(launch_ms: float | None, median_ms: float | None) -> bool | None:
    """Whether a run of this time waits for its launches (`Measurement.launch_bound`); None where one is not known."""
    if launch_ms is None or median_ms is None or math.isnan(launch_ms) or math.isnan(median_ms):
        return None
    return launch_ms >= _LAUNCH_BOUND * median_ms


def time_doubt(row: Mapping[str, Any]) -> str | None:
    """Say why the time of a measured row decides no claim about time; None where it can.

    So it is where the median has no 95 % interval, and where the GPU waited for its host, whose time it then is.

    Arguments:
        row: of a store; `blocks`, `launch_ms` and `median_ms` are read, and may be missing.
    """
    said = []
    if not has_interval(blocks := row.get("blocks")):
        said.append(f"{_few_blocks(blocks)} give{'s' * (blocks == 1)} no interval")
    if waits_for_host(row.get("launch_ms"), row.get("median_ms")):
        said.append("launch-bound, as the GPU waited for its host")
    return "; ".join(said) or None


def _few_blocks(blocks: float) -> str:
    return "a single block of runs" if blocks == 1 else f"{blocks:g} blocks of runs"


def ratio_ends(one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    """The lowest and highest ratio of two times that each lie within low and high; numbers or columns of them."""
    return one[0] / other[1], one[1] / other[0]


def joined_doubts(doubts: Mapping[str, str | None]) -> str | None:
    """Join what makes several times decide nothing, each after whose it is; None where all can."""
    return "; ".join(f"{name}: {doubt}" for name, doubt in doubts.items() if isinstance(doubt, str)) or None


def whole(name: str, value: Any) -> int:
    """The value as an int of at least 1, or a SettingError that says so."""
    remedy = f"; try {name}={_TRY[name]}"
    number = check_whole(name, value, SettingError, remedy=remedy)
    return check_whole(name, number, SettingError, most=_MOST.get(name, _MOST_IMAGES), remedy=remedy)


_MOST_IMAGES = 2**31 - 1  # whose sizes torch can still multiply
_MOST = {"resolution": 100_000, "memory_bytes": 2**62}
_TRY = {"batch": 64, "resolution": 224, "devices": 8, "threads": 1, "limit": 4096, "memory_bytes": 2**30}


def _same_digits(*values: float) -> list[str]:
    """The numbers with as many decimals as give the first of them three digits."""
    return [f"{value:,.{decimals(values[0])}f}" for value in values]
