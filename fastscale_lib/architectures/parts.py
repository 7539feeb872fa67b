"""The parts of a network: stem, stages, head, and the checks of their values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import islice
from typing import Any, Literal, NamedTuple, get_args

from .._common.checks import check_real, check_whole, shown
from .._common.errors import FastscaleError

ACTIVATIONS = ("relu", "silu", "gelu", "relu6", "hard_swish")
HEADS = ("conv_pool", "act_pool", "pool_norm", "norm_pool")
MOST_STAGES = 1_000
MOST_BLOCKS = 10_000  # that are listed or built one by one; counts have no bound
BOTTLENECKS = (1e-6, 1e6)


class StemConv(NamedTuple):
    """A convolution of a stem; `share` is its width over that of the stem."""

    kernel: int
    stride: int
    share: float = 1.0


class StemShape(NamedTuple):
    """The convolutions of a stem, and whether a 3×3 stride-2 max-pool follows them."""

    convs: tuple[StemConv, ...]
    pool: bool = False

    @property
    def total_stride(self) -> int:
        return math.prod(conv.stride for conv in self.convs) * (2 if self.pool else 1)

    def __str__(self) -> str:
        kernels = ", ".join(f"{conv.kernel}×{conv.kernel}" for conv in self.convs)
        return f"{kernels} + pool" if self.pool else kernels


class Patches(NamedTuple):
    """A convolution of patches of `side` pixels, into pixels or a transformer's tokens.

    `extra` is None where there are no tokens, 1 for those with a class token and 0 for those without;
    `class_position` tells whether the class token has a position, as the patches have.
    """

    side: int
    extra: int | None = None
    class_position: bool = False

    @property
    def total_stride(self) -> int:
        return self.side

    def __str__(self) -> str:
        return f"{self.side}×{self.side}"


_DEEP = (StemConv(3, 2, 0.5), StemConv(3, 1, 0.5), StemConv(3, 1))
STEMS: dict[str, StemShape | Patches] = {  # names as in pycls, where it has them
    "simple_stem_in": StemShape((StemConv(3, 2),)),
    "res_stem_in": StemShape((StemConv(7, 2),), pool=True),
    "res_stem_cifar": StemShape((StemConv(3, 1),)),  # for small images
    "deep_stem_in": StemShape(_DEEP, pool=True),  # of ResNet-C and -D: He et al., Bag of Tricks, 2019
    "tiered_stem_in": StemShape((StemConv(3, 2, 0.375), *_DEEP[1:]), pool=True),  # of timm's resnet26t
    "deep_stem_strided": StemShape((*_DEEP, StemConv(3, 2))),  # of ResNet-RS: Bello et al., 2021
    "patchify_4": Patches(4),  # of ConvNeXt
    # Tokens of a vision transformer: with a class token, with one that has no position (DeiT III), without one.
    **{f"tokens_{side}_class": Patches(side, extra=1, class_position=True) for side in (8, 14, 16, 32)},
    **{f"tokens_{side}_class_apart": Patches(side, extra=1) for side in (14, 16)},
    **{f"tokens_{side}_mean": Patches(side, extra=0) for side in (8, 14, 16, 32)},
}


def makes_tokens(shape: StemShape | Patches) -> bool:
    """Tell whether a stem makes tokens."""
    return isinstance(shape, Patches) and shape.extra is not None


def later(default: Any) -> Any:
    """Make a field that `plain_part` omits at its default.

    So files and ids stay as they were before the field.
    """
    return field(default=default, metadata={"later": True})


def plain_part(part: Any) -> dict[str, Any]:
    """Return the fields of stem, stage or head, with their values."""
    left_out = {each.name for each in fields(part) if each.metadata and getattr(part, each.name) == each.default}
    return {name: value for name, value in asdict(part).items() if name not in left_out}


class NetworkError(FastscaleError, ValueError):
    """A network that cannot be built or is unknown; the message names part, value and rule."""


@dataclass(frozen=True)
class Stem:
    """The first convolutions, with BN and activation.

    `kind` is a key of `STEMS`, `width` the width of the last convolution.
    """

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
# The fields of stages, by the names of lists with one entry per stage.
PER_STAGE = {f"{name}s": name for name in (each.name for each in fields(Stage))}


@dataclass(frozen=True)
class Head:
    """A 1×1 convolution of `width` (0: none), global pool, linear layer.

    `hidden` is the width of one more linear layer, with an activation, before the last one (0: none); scaling leaves it
    as it is. `kind` is "conv_pool", or "act_pool" for an activation in place of the convolution, "pool_norm" for a
    layer norm after the pool (ConvNeXt), "norm_pool" for one before it (vision transformers).
    """

    width: int = 0
    hidden: int = later(0)
    kind: str = later("conv_pool")

    def __post_init__(self):
        set_whole(self, "head", "width", least=0)
        set_whole(self, "head", "hidden", least=0)
        check_known("head: kind", self.kind, HEADS)
        if self.kind != "conv_pool" and self.width:
            raise NetworkError(f"head: width is {self.width}, but {self.kind} has no convolution: its width is 0")


class Dimensions(NamedTuple):
    """The sizes that scaling changes; each is an int, or an array with one entry per network.

    The resolution is a pair of these, (height, width), where images are not square.
    """

    resolution: Any
    stem_width: Any
    depths: tuple
    widths: tuple
    group_widths: tuple
    head_width: Any

    def mapped(self, change: Callable[[Any], Any]) -> Dimensions:
        """Apply a function to each size."""
        return Dimensions(*(tuple(map(change, each)) if isinstance(each, tuple) else change(each) for each in self))

    def flat(self) -> list[Any]:
        """List all sizes, one after another."""
        return [size for entry in self for size in (entry if isinstance(entry, tuple) else (entry,))]


Metric = Literal["flops", "params", "activations"]  # what is counted of a network
METRICS: tuple[Metric, ...] = get_args(Metric)


class Complexity(NamedTuple):
    """Exact counts for one image: `flops` are multiply-adds; `activations` are output elements."""

    flops: Any
    params: Any
    activations: Any

    def __str__(self) -> str:
        return f"{self.flops:,} flops (multiply-adds), {self.params:,} params, {self.activations:,} activations"


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
    """Return an iterable's values as a list, of no more stages than a network may have."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise NetworkError(f"network: {name} is {shown(values)}, but must have one entry per stage, as in [1, 2, 6, 2]")
    values = list(islice(values, MOST_STAGES + 1))
    if len(values) > MOST_STAGES:
        raise NetworkError(f"network: {name} has over {MOST_STAGES:,} entries, and no network so many stages")
    return values
