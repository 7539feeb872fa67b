"""The one description of every block: its layers, in order.

`complexity` counts these layers and `modules` builds torch modules from them, so what is counted is what runs.
Widths may be arrays (one entry a network): the same description then counts a whole grid of networks at once.
A layer's name is also the name of its torch module, so rows of `layers` and keys of a `state_dict` agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .._common.integers import at_least, nearest_multiple, whole_multiple
from .definition import Network
from .layer_types import Activation, Block, Conv, Gate, GlobalPool, Linear, MaxPool, Norm, Residual
from .parts import BASIC, MBCONV, STEMS, Dimensions


def stem(kind: str, width_in: int, width: Any) -> tuple:
    """Convolution, BN, activation, and the max-pool where the kind has one."""
    shape = STEMS[kind]
    parts = (*_conv_norm("", width_in, width, shape.kernel, shape.stride), Activation("act"))
    return (*parts, MaxPool("pool", width)) if shape.pool else parts


def bottleneck_block(b: Block) -> tuple:
    """`res_bottleneck_block`: 1×1, k×k in groups, SE, 1×1; the sum is followed by an activation."""
    return (_projected(b, _bottleneck(b)),)


def bottleneck_linear_block(b: Block) -> tuple:
    """`res_bottleneck_linear_block` (RegNetZ): no projection, and no activation after the sum."""
    return (_where_unchanged(b, _bottleneck(b)),)


def basic_block(b: Block) -> tuple:
    """`res_basic_block` (ResNet-18, -34): two k×k; the sum is followed by an activation."""
    branch = (
        *_conv_norm("1", b.width_in, b.width, b.kernel, b.stride),
        Activation("act1"),
        *_squeeze_excite(b, b.width, nearest_multiple(b.width_in, b.se_ratio)),
        *_conv_norm("2", b.width, b.width, b.kernel, last=True),
    )
    return (_projected(b, branch),)


def mbconv(b: Block) -> tuple:
    """MBConv: 1×1 expansion, depthwise k×k, SE, linear 1×1 (Tan and Le, EfficientNet, 2019)."""
    inner = whole_multiple(b.width_in, b.bottleneck)
    parts = (
        *_expansion(b, inner),
        *_conv_norm("2", inner, inner, b.kernel, b.stride, group_width=1),
        Activation("act2"),
        *_squeeze_excite(b, inner, whole_multiple(b.width_in, b.se_ratio)),
        *_conv_norm("3", inner, b.width, last=True),
    )
    return (_where_unchanged(b, parts),)


BLOCKS = {
    "res_bottleneck_block": bottleneck_block,
    "res_bottleneck_linear_block": bottleneck_linear_block,
    BASIC: basic_block,
    MBCONV: mbconv,
}


def head(width_in: Any, width: Any, classes: int, has_conv: bool) -> tuple:
    """An optional 1×1 convolution with BN and activation; global pool; the classifier."""
    conv = (*_conv_norm("", width_in, width), Activation("act")) if has_conv else ()
    features = width if has_conv else width_in
    return (*conv, GlobalPool("pool", features), Linear("linear", features, classes))


class Run(NamedTuple):
    """Blocks of the same layers, one after another: `parts`, `times` over; blocks are named from `first` on."""

    name: str
    first: int
    times: Any
    parts: tuple


def describe(network: Network, dims: Dimensions | None = None) -> Iterator[Run]:
    """The whole network as runs of equal blocks, in order.

    `dims` gives it other sizes, each of which may be an array. A stage is one run of its first block, which
    changes the shape, and one of the rest, which may be empty.
    """
    dims = dims or network.dimensions
    make = BLOCKS[network.block]
    yield Run("stem", 0, 1, stem(network.stem.kind, network.channels, dims.stem_width))
    width_in = dims.stem_width
    sizes = zip(network.stages, dims.depths, dims.widths, dims.group_widths, strict=True)
    for number, (stage, depth, width, group_width) in enumerate(sizes, 1):
        first = Block(width_in, width, stage.stride, stage.bottleneck, group_width, stage.kernel, network.se_ratio)
        yield Run(f"stage{number}", 1, 1, make(first))
        yield Run(f"stage{number}", 2, depth - 1, make(first._replace(width_in=width, stride=1)))
        width_in = width
    yield Run("head", 0, 1, head(width_in, dims.head_width, network.classes, network.head.width > 0))


def _conv_norm(
    suffix: str, width_in, width_out, kernel: int = 1, stride: int = 1, group_width=None, last: bool = False
) -> tuple:
    return (
        Conv(f"conv{suffix}", width_in, width_out, kernel, stride, group_width),
        Norm(f"norm{suffix}", width_out, last),
    )


def _bottleneck(b: Block) -> tuple:
    inner = nearest_multiple(b.width, b.bottleneck)
    return (
        *_conv_norm("1", b.width_in, inner),
        Activation("act1"),
        *_conv_norm("2", inner, inner, b.kernel, b.stride, b.group_width),
        Activation("act2"),
        *_squeeze_excite(b, inner, nearest_multiple(b.width_in, b.se_ratio)),
        *_conv_norm("3", inner, b.width, last=True),
    )


def _expansion(b: Block, inner) -> tuple:
    """MBConv's first convolution, left out where there is nothing to expand."""
    return (*_conv_norm("1", b.width_in, inner), Activation("act1")) if b.bottleneck != 1 else ()


def _squeeze_excite(b: Block, width, hidden) -> tuple:
    """Global pool, 1×1 with bias, activation, 1×1 with bias, sigmoid, product; nothing where the ratio is 0.

    Hu et al., Squeeze-and-Excitation Networks, 2018, section 3.
    """
    if not b.se_ratio:
        return ()
    hidden = at_least(1, hidden)
    parts = (
        GlobalPool("pool", width),
        Conv("reduce", width, hidden, bias=True),
        Activation("act"),
        Conv("expand", hidden, width, bias=True),
        Activation("sigmoid", "sigmoid"),
    )
    return (Gate("se", parts),)


def _projected(b: Block, branch: tuple) -> Residual:
    """The sum of branch and input, which is projected where its shape changes; then the activation."""
    shortcut = _conv_norm("", b.width_in, b.width, stride=b.stride)
    projected = True if b.stride > 1 else b.width_in != b.width
    return Residual(branch, shortcut, projected, after=(Activation("act"),))


def _where_unchanged(b: Block, branch: tuple) -> Residual:
    """The sum of branch and input where their shapes agree, else the branch alone."""
    return Residual(branch, added=False if b.stride > 1 else b.width_in == b.width)
