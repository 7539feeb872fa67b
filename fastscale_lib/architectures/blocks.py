"""Every block type: its layers in order, the stages it accepts, the widths that fit it, what grows with them.

Counter, torch builder, scaling and runtime model all read these layers, so what is counted is what runs. Widths may be
arrays (one entry a network): the same description then counts a whole grid of networks at once. A layer's name is also
the name of its torch module, so rows of `layers` and keys of a `state_dict` agree.
"""

from __future__ import annotations

from typing import Any

from .._common.checks import shown
from .._common.integers import at_least, nearest_multiple, whole_multiple
from . import group_fit
from .block_form import BlockSizes, BlockType
from .layer_types import Activation, Conv, Gate, GlobalPool, Linear, MaxPool, Norm, Residual
from .parts import STEMS, NetworkError, check_known


class Bottleneck(BlockType):
    """1×1, k×k in groups, SE, 1×1; the sum is followed by an activation (He et al., 2016; Xie et al., 2017)."""

    name = "res_bottleneck_block"
    stride_1x1 = False  # whether the first 1×1 has the stride, instead of the k×k

    def parts(self, b):
        return (_projected(b, self._branch(b)),)

    def check(self, number, stage):
        width, b, g = stage.width, stage.bottleneck, stage.group_width
        if not group_fit.fits(width, b, g):
            inner = nearest_multiple(width, b)
            raise NetworkError(
                f"stage {number}: inner width {shown(inner)} (width {shown(width)} × bottleneck {b:g}) is not a "
                f"multiple of group width {shown(g)}; {self._what_fits(width, b, g)}"
            )

    def fit(self, width, bottleneck, group_width):
        return group_fit.fit(width, bottleneck, group_width)

    def grain(self, bottleneck, group_width, step):
        return group_fit.grain(bottleneck, group_width, step)

    def undivided(self, width, bottleneck):
        return at_least(1, nearest_multiple(width, bottleneck))

    def _branch(self, b: BlockSizes) -> tuple:
        inner = nearest_multiple(b.width, b.bottleneck)
        first, second = (b.stride, 1) if self.stride_1x1 else (1, b.stride)
        return (
            *_conv_norm("1", b.width_in, inner, stride=first),
            Activation("act1", inner),
            *_conv_norm("2", inner, inner, b.kernel, second, b.group_width),
            Activation("act2", inner),
            *_squeeze_excite(b, inner, nearest_multiple(b.width_in, b.se_ratio)),
            *_conv_norm("3", inner, b.width, last=True),
        )

    def _what_fits(self, width: int, bottleneck: float, group_width: int) -> str:
        try:
            fitting = self.fit(width, bottleneck, group_width)
        except (ValueError, OverflowError):  # no width nearby; or too large for the floats of rounding
            return "give another width or group width"
        return f"width {shown(fitting[0])} with group width {shown(fitting[1])} would fit"


class BottleneckStride1x1(Bottleneck):
    """The bottleneck with the stride on its first 1×1, as He et al. published it (pycls: STRIDE_1X1)."""

    name = "res_bottleneck_stride_1x1_block"
    stride_1x1 = True


class BottleneckLinear(Bottleneck):
    """The bottleneck of RegNetZ: no projection, and no activation after the sum."""

    name = "res_bottleneck_linear_block"

    def parts(self, b):
        return (_where_unchanged(b, self._branch(b)),)


class Basic(BlockType):
    """Two dense k×k (ResNet-18, -34); the sum is followed by an activation."""

    name = "res_basic_block"

    def parts(self, b):
        return (_projected(b, self._branch(b)),)

    def check(self, number, stage):
        width, b, g = stage.width, stage.bottleneck, stage.group_width
        if (b, g) != (1, width):
            raise NetworkError(
                f"stage {number}: bottleneck {b:g} and group width {shown(g)}, but {self.name} has dense convolutions: "
                f"its bottleneck is 1 and its group width is its width, {shown(width)}"
            )

    def fit(self, width, bottleneck, group_width):
        return width, width

    def undivided(self, width, bottleneck):
        return width

    def _branch(self, b: BlockSizes) -> tuple:
        return (
            *_conv_norm("1", b.width_in, b.width, b.kernel, b.stride),
            Activation("act1", b.width),
            *_squeeze_excite(b, b.width, nearest_multiple(b.width_in, b.se_ratio)),
            *_conv_norm("2", b.width, b.width, b.kernel, last=True),
        )


class Vanilla(Basic):
    """The layers of the basic block without a residual (pycls: vanilla_block, there without SE)."""

    name = "vanilla_block"

    def parts(self, b):
        return (*self._branch(b), Activation("act2", b.width))


class MBConv(BlockType):
    """1×1 expansion, depthwise k×k, SE, linear 1×1 (Tan and Le, EfficientNet, 2019); stem and head grow too."""

    name = "mbconv"
    ends_grow = True

    def parts(self, b):
        inner = whole_multiple(b.width_in, b.bottleneck)
        # Where there is nothing to expand, the first convolution is left out.
        expansion = (*_conv_norm("1", b.width_in, inner), Activation("act1", inner)) if b.bottleneck != 1 else ()
        branch = (
            *expansion,
            *_conv_norm("2", inner, inner, b.kernel, b.stride, group_width=1),
            Activation("act2", inner),
            *_squeeze_excite(b, inner, whole_multiple(b.width_in, b.se_ratio)),
            *_conv_norm("3", inner, b.width, last=True),
        )
        return (_where_unchanged(b, branch),)

    def check(self, number, stage):
        b, g = stage.bottleneck, stage.group_width
        if g != 1:
            raise NetworkError(f"stage {number}: group width {shown(g)}, but MBConv is depthwise: its group width is 1")
        if b < 1:
            raise NetworkError(f"stage {number}: bottleneck {b:g}, but MBConv expands: its ratio is at least 1")

    def fit(self, width, bottleneck, group_width):
        return width, 1

    def undivided(self, width, bottleneck):
        return 1  # depthwise by definition


BLOCKS: dict[str, BlockType] = {
    block.name: block
    for block in (Bottleneck(), BottleneckLinear(), Basic(), MBConv(), Vanilla(), BottleneckStride1x1())
}


def block_type(name: str, part: str = "block") -> BlockType:
    """Return the block type of this name.

    Raises:
        NetworkError: there is none; the message begins with `part`, and lists those there are.
    """
    check_known(part, name, BLOCKS)
    return BLOCKS[name]


def stem(kind: str, width_in: int, width: Any) -> tuple:
    """List the stem: convolution, BN, activation, and the max-pool where the kind has one."""
    shape = STEMS[kind]
    parts = (*_conv_norm("", width_in, width, shape.kernel, shape.stride), Activation("act", width))
    return (*parts, MaxPool("pool", width)) if shape.pool else parts


def head(width_in: Any, width: Any, classes: int, has_conv: bool) -> tuple:
    """List the head: an optional 1×1 convolution with BN and activation; global pool; the classifier."""
    conv = (*_conv_norm("", width_in, width), Activation("act", width)) if has_conv else ()
    features = width if has_conv else width_in
    return (*conv, GlobalPool("pool", features), Linear("linear", features, classes))


def _conv_norm(
    suffix: str, width_in, width_out, kernel: int = 1, stride: int = 1, group_width=None, last: bool = False
) -> tuple:
    return (
        Conv(f"conv{suffix}", width_in, width_out, kernel, stride, group_width),
        Norm(f"norm{suffix}", width_out, last),
    )


def _squeeze_excite(b: BlockSizes, width, hidden) -> tuple:
    """Global pool, 1×1 with bias, activation, 1×1 with bias, sigmoid, product; nothing where the ratio is 0.

    Hu et al., Squeeze-and-Excitation Networks, 2018, section 3.
    """
    if not b.se_ratio:
        return ()
    hidden = at_least(1, hidden)
    parts = (
        GlobalPool("pool", width),
        Conv("reduce", width, hidden, bias=True),
        Activation("act", hidden),
        Conv("expand", hidden, width, bias=True),
        Activation("sigmoid", width, "sigmoid"),
    )
    return (Gate("se", width, parts),)


def _projected(b: BlockSizes, branch: tuple) -> Residual:
    """The sum of branch and input, which is projected where its shape changes; then the activation."""
    shortcut = _conv_norm("", b.width_in, b.width, stride=b.stride)
    projected = True if b.stride > 1 else b.width_in != b.width
    return Residual(b.width, branch, shortcut, projected, after=(Activation("act", b.width),))


def _where_unchanged(b: BlockSizes, branch: tuple) -> Residual:
    """The sum of branch and input where their shapes agree, else the branch alone."""
    return Residual(b.width, branch, added=False if b.stride > 1 else b.width_in == b.width)
