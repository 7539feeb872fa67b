"""The blocks of MobileNet and EfficientNet: they expand, and end without an activation."""

from __future__ import annotations

from typing import Any

from .._common.integers import divisible, whole_multiple
from .block_form import BlockSizes, BlockType, conv_norm, squeeze_excite, where_unchanged
from .layer_types import Activation
from .parts import NetworkError


class MBConv(BlockType):
    """1×1 expansion, depthwise k×k, SE, linear 1×1 (Tan and Le, EfficientNet, 2019).

    Stem and head grow with the widths.
    """

    name = "mbconv"
    convolutions = "depthwise"
    ends_grow = True

    def parts(self, b):
        inner = self.inner(b)
        # Where there is nothing to expand, the first convolution is left out.
        expansion = (*conv_norm("1", b.width_in, inner), Activation("act1", inner)) if b.bottleneck != 1 else ()
        branch = (
            *expansion,
            *conv_norm("2", inner, inner, b.kernel, b.stride, group_width=1),
            Activation("act2", inner),
            *self._squeeze_excite(b, inner),
            *conv_norm("3", inner, b.width, last=True),
        )
        return (where_unchanged(b, branch),)

    def form(self, bottleneck):
        return "unexpanded" if bottleneck == 1 else ""

    def inner(self, b: BlockSizes) -> Any:
        """Return the width of the k×k convolution."""
        return whole_multiple(b.width_in, b.bottleneck)

    def _squeeze_excite(self, b: BlockSizes, inner: Any) -> tuple:
        return squeeze_excite(b, inner, whole_multiple(b.width_in, b.se_ratio))

    def check(self, number, stage):
        super().check(number, stage)
        if stage.bottleneck < 1:
            raise NetworkError(
                f"stage {number}: bottleneck {stage.bottleneck:g}, but {self.name} expands: its ratio is at least 1"
            )


class MBConvDivisible(MBConv):
    """MBConv of MobileNetV3 (Howard et al., 2019), with inner widths in multiples of 8.

    The widths of SE are multiples of 8, too. SE has a ReLU and a hard sigmoid, whatever the activation function of the
    block.
    """

    name = "mbconv_v3"

    def inner(self, b):
        return b.width_in if b.bottleneck == 1 else divisible(b.width_in, b.bottleneck, 8, limit=0.9)

    def _squeeze_excite(self, b, inner):
        hidden = divisible(inner, b.se_ratio, 8, limit=0.9)
        return squeeze_excite(b, inner, hidden, activation="relu", gate="hard_sigmoid")


class FusedMBConv(MBConv):
    """k×k expansion, SE, linear 1×1 (Tan and Le, EfficientNetV2, 2021).

    Without expansion it is a single k×k.
    """

    name = "fused_mbconv"
    convolutions = "dense"
    merges = True  # whether the two convolutions are one where the first does not expand

    def form(self, bottleneck):
        return "single" if bottleneck == 1 and self.merges else "fused"

    def parts(self, b):
        if self.form(b.bottleneck) == "single":
            conv = (*conv_norm("1", b.width_in, b.width, b.kernel, b.stride, last=True), Activation("act1", b.width))
            return (where_unchanged(b, (*self._squeeze_excite(b, b.width_in), *conv)),)
        inner = self.inner(b)
        branch = (
            *conv_norm("1", b.width_in, inner, b.kernel, b.stride),
            Activation("act1", inner),
            *self._squeeze_excite(b, inner),
            *conv_norm("2", inner, b.width, last=True),
        )
        return (where_unchanged(b, branch),)
