"""The blocks of ResNet, ResNeXt and RegNet, and their variants."""

from __future__ import annotations

from .._common.checks import shown
from .._common.integers import at_least, divisible, nearest_multiple
from . import group_fit
from .block_form import BlockSizes, BlockType, conv_norm, squeeze_excite, where_unchanged
from .layer_types import Activation, AvgPool, Residual
from .parts import NetworkError


class _WithShortcut(BlockType):
    """A branch and a shortcut, projected where shapes change; their sum, then an activation."""

    pooled = False  # whether the shortcut has its stride in an average pool before its 1×1, instead of in it
    squeezed_last = False  # whether SE follows the last norm, on the output's width, instead of a k×k

    def parts(self, b):
        if self.pooled and b.stride > 1:
            shortcut = (AvgPool("pool", b.width_in, 2, b.stride), *conv_norm("", b.width_in, b.width))
        else:
            shortcut = conv_norm("", b.width_in, b.width, stride=b.stride)
        projected = True if b.stride > 1 else b.width_in != b.width
        return (Residual(b.width, self._branch(b), shortcut, projected, after=(Activation("act", b.width),)),)

    def _branch(self, b: BlockSizes) -> tuple:
        raise NotImplementedError

    def _squeeze_inside(self, b: BlockSizes, inner) -> tuple:
        return () if self.squeezed_last else squeeze_excite(b, inner, nearest_multiple(b.width_in, b.se_ratio))

    def _squeeze_output(self, b: BlockSizes) -> tuple:
        return squeeze_excite(b, b.width, divisible(b.width, b.se_ratio, 8)) if self.squeezed_last else ()


class Bottleneck(_WithShortcut):
    """1×1, k×k in groups, SE, 1×1, sum, activation (He et al., 2016; Xie et al., 2017)."""

    name = "res_bottleneck_block"
    stride_1x1 = False  # whether the first 1×1 has the stride, instead of the k×k

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
            *conv_norm("1", b.width_in, inner, stride=first),
            Activation("act1", inner),
            *conv_norm("2", inner, inner, b.kernel, second, b.group_width),
            Activation("act2", inner),
            *self._squeeze_inside(b, inner),
            *conv_norm("3", inner, b.width, last=True),
            *self._squeeze_output(b),
        )

    def _what_fits(self, width: int, bottleneck: float, group_width: int) -> str:
        try:
            fitting = self.fit(width, bottleneck, group_width)
        except (ValueError, OverflowError):  # no width nearby; or too large for the floats of rounding
            return "give another width or group width"
        return f"width {shown(fitting[0])} with group width {shown(fitting[1])} would fit"


class BottleneckLinear(Bottleneck):
    """The bottleneck of RegNetZ: no projection, and no activation after the sum."""

    name = "res_bottleneck_linear_block"

    def parts(self, b):
        return (where_unchanged(b, self._branch(b)),)


class Basic(_WithShortcut):
    """Two dense k×k (ResNet-18, -34); the sum is followed by an activation."""

    name = "res_basic_block"
    convolutions = "dense"

    def check(self, number, stage):
        super().check(number, stage)
        if stage.bottleneck != 1:
            raise NetworkError(
                f"stage {number}: bottleneck {stage.bottleneck:g}, but {self.name} has dense convolutions of one "
                "width: its bottleneck is 1"
            )

    def _branch(self, b: BlockSizes) -> tuple:
        return (
            *conv_norm("1", b.width_in, b.width, b.kernel, b.stride),
            Activation("act1", b.width),
            *self._squeeze_inside(b, b.width),
            *conv_norm("2", b.width, b.width, b.kernel, last=True),
            *self._squeeze_output(b),
        )


class Vanilla(Basic):
    """The layers of the basic block without a residual (pycls: vanilla_block, there without SE)."""

    name = "vanilla_block"

    def parts(self, b):
        return (*self._branch(b), Activation("act2", b.width))
