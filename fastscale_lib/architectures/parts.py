"""The parts of a network: stem, stages, head, and the checks of their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import islice
from typing import Any, Literal, NamedTuple, get_args

from .._common.checks import check_real, check_whole, shown
from .._common.errors import FastscaleError

ACTIVATIONS = ("relu", "silu", "gelu")
MOST_STAGES = 1_000
MOST_BLOCKS = 10_000  # that are listed or built one by one; counts have no bound
BOTTLENECKS = (1e-6, 1e6)


class StemShape(NamedTuple):
    """The convolution of a stem, and whether a 3×3 stride-2 max-pool follows it."""

    kernel: int
    stride: int
    pool: bool

    @property
    def total_stride(self) -> int:
        return self.stride * (2 if self.pool else 1)


# Names as in pycls.
STEMS = {
    "simple_stem_in": StemShape(3, 2, pool=False),
    "res_stem_in": StemShape(7, 2, pool=True),
    "res_stem_cifar": StemShape(3, 1, pool=False),  # for small images
}


def later(default: Any) -> Any:
    """A field that `plain_part` leaves out at its default: files and ids are as they were before it."""
    return field(default=default, metadata={"later": True})


def plain_part(part: Any) -> dict[str, Any]:
    """The fields of stem, stage or head, with their values."""
    left_out = {each.name for each in fields(part) if each.metadata and getattr(part, each.name) == each.default}
    return {name: value for name, value in asdict(part).items() if name not in left_out}


class NetworkError(FastscaleError, ValueError):
    """A network that cannot be built, or is not known; the message names the part, the value and the rule."""


@dataclass(frozen=True)
class Stem:
    """The first convolution, with BN and activation: `kind` is a key of `STEMS`."""

    kind: str
    width: int

    def __post_init__(self):
        check_known("stem", self.kind, STEMS)
        set_whole(self, "stem", "width")


@dataclass(frozen=True)
class Stage:
    """A run of `depth` blocks of one width; the first of them carries the stride.

    `bottleneck` multiplies the width to the block's inner width (for MBConv it is the expansion ratio, and
    multiplies the block's input width); `group_width` is the channels in each group of the k×k convolution. `block`,
    `se_ratio` and `activation` are None where they are the network's.
    """

    depth: int
    width: int
    stride: int = 2
    bottleneck: float = 1.0
    group_width: int = 1
    kernel: int = 3
    block: str | None = later(None)
    se_ratio: float | None = later(None)
    activation: str | None = later(None)

    def __post_init__(self):
        for name in ("depth", "width", "stride", "group_width", "kernel"):
            set_whole(self, "stage", name)
        set_real(self, "stage", "bottleneck", *BOTTLENECKS)
        if self.kernel % 2 == 0:
            raise NetworkError(f"stage: kernel {shown(self.kernel)} is even, but padding (k−1)/2 needs an odd kernel")
        if self.se_ratio is not None:
            set_real(self, "stage", "se_ratio", 0, 1)
        if self.activation is not None:
            check_known("stage: activation", self.activation, ACTIVATIONS)


OF_STAGE = ("block", "se_ratio", "activation")  # that a network has too, for the stages that have none
# The fields of stages, by the names of lists with an entry a stage.
PER_STAGE = {f"{name}s": name for name in (each.name for each in fields(Stage))}


@dataclass(frozen=True)
class Head:
    """What follows the last stage: a 1×1 convolution of this width (0: none), global pool, linear layer."""

    width: int = 0

    def __post_init__(self):
        set_whole(self, "head", "width", least=0)


class Dimensions(NamedTuple):
    """The sizes that scaling changes; each is an int, or an array with one entry a network."""

    resolution: Any
    stem_width: Any
    depths: tuple
    widths: tuple
    group_widths: tuple
    head_width: Any


Metric = Literal["flops", "params", "activations"]  # what is counted of a network
METRICS: tuple[Metric, ...] = get_args(Metric)


def make_stage(number: int, sizes: Mapping[str, Any]) -> Stage:
    try:
        return Stage(**sizes)
    except NetworkError as error:
        raise NetworkError(str(error).replace("stage:", f"stage {number}:", 1)) from None


def check_known(part: str, value: Any, known: Iterable[str]) -> None:
    if not isinstance(value, str) or value not in known:
        raise NetworkError(f"{part}: {shown(value)} is not one of {', '.join(known)}")


def is_line(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def set_whole(owner: Any, part: str, name: str, least: int = 1) -> None:
    """Make the field a Python int, or refuse it."""
    number = check_whole(f"{part}: {name}", getattr(owner, name), NetworkError, least)
    object.__setattr__(owner, name, number)


def set_real(owner: Any, part: str, name: str, *bounds: float, above: bool = False) -> None:
    """Make the field a float, or refuse it."""
    number = check_real(f"{part}: {name}", getattr(owner, name), NetworkError, *bounds, above=above)
    object.__setattr__(owner, name, number)


def one_per_stage(name: str, values: Any) -> list:
    """The values as a list, however they come; no more than a network may have stages."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise NetworkError(f"network: {name} is {shown(values)}, but must have one entry a stage, as in [1, 2, 6, 2]")
    values = list(islice(values, MOST_STAGES + 1))
    if len(values) > MOST_STAGES:
        raise NetworkError(f"network: {name} has over {MOST_STAGES:,} entries, and no network so many stages")
    return values
