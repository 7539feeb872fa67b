"""ConvNeXt and vision transformers: their block types and stems.

Liu et al., A ConvNet for the 2020s, 2022; Woo et al., ConvNeXt V2, 2023; Dosovitskiy et al., An Image is Worth 16×16
Words, 2021; Touvron et al., DeiT III, 2022.
"""

from __future__ import annotations

from typing import Any

from .._common.checks import shown
from .._common.integers import at_least, lcm, nearest_multiple, nearest_quotient
from .block_form import BlockSizes, BlockType
from .layer_types import Activation, Conv, Resample, Residual
from .parts import NetworkError, Patches, Stage
from .token_layers import Attention, Embedding, LayerNorm, LayerScale, ResponseNorm, TokenLinear

HEAD_WIDTH = 64  # channels of a head of attention, where none are given


class ConvNeXt(BlockType):
    """Depthwise k×k, layer norm, 1×1, activation, 1×1 and layer scale within a residual.

    Where the shape changes, a layer norm and a convolution of kernel and stride s come before it.
    """

    name = "convnext"
    convolutions = "depthwise"
    ends_grow = True
    cuts_off = True
    has_gate = False
    linear_if_wide = True
    response_norm = False  # after the activation, instead of the layer scale

    def parts(self, b):
        inner = nearest_multiple(b.width, b.bottleneck)
        branch = (
            Conv("conv", b.width, b.width, b.kernel, group_width=1, bias=True),
            LayerNorm("norm", b.width),
            Conv("fc1", b.width, inner, bias=True),
            Activation("act", inner),
            *((ResponseNorm("grn", inner),) if self.response_norm else ()),
            Conv("fc2", inner, b.width, bias=True),
            *(() if self.response_norm else (LayerScale("scale", b.width),)),
        )
        changes = True if b.stride > 1 else b.width_in != b.width
        smaller = (
            LayerNorm("norm", b.width_in),
            Conv("conv", b.width_in, b.width, b.stride, b.stride, bias=True, padded=False),
        )
        return (Resample("downsample", smaller, changes), Residual(b.width, branch, name="branch"))

    def check(self, number, stage):
        super().check(number, stage)
        _check_inner(number, stage)


class Transformer(BlockType):
    """Attention and an MLP, each after a layer norm and within a residual.

    `group_width` is the width of a head.
    """

    name = "transformer"
    ends_grow = True
    keeps_group_width = True
    takes_tokens = True
    has_gate = False
    layer_scale = False

    def parts(self, b):
        inner, extra = nearest_multiple(b.width, b.bottleneck), b.extra_tokens or 0
        attention = (
            LayerNorm("norm", b.width, extra),
            TokenLinear("qkv", b.width, 3 * b.width, extra),
            Attention("product", b.width, b.group_width, extra),
            TokenLinear("proj", b.width, b.width, extra),
            *self._scale(b),
        )
        mlp = (
            LayerNorm("norm", b.width, extra),
            TokenLinear("fc1", b.width, inner, extra),
            Activation("act", inner, extra=extra),
            TokenLinear("fc2", inner, b.width, extra),
            *self._scale(b),
        )
        return (
            Residual(b.width, attention, name="attention", extra=extra),
            Residual(b.width, mlp, name="mlp", extra=extra),
        )

    def _scale(self, b: BlockSizes) -> tuple:
        return (LayerScale("scale", b.width, b.extra_tokens or 0),) if self.layer_scale else ()

    def check(self, number, stage):
        if stage.width % stage.group_width:
            fitting, _ = self.fit(stage.width, 1, stage.group_width)
            raise NetworkError(
                f"stage {number}: width {shown(stage.width)} is not a multiple of the width of a head, group width "
                f"{shown(stage.group_width)}; width {shown(fitting)} would fit"
            )
        if (stage.kernel, stage.stride) != (1, 1):
            raise NetworkError(
                f"stage {number}: kernel {shown(stage.kernel)} and stride {shown(stage.stride)}, but a transformer "
                "has no convolution: give kernels=1 and strides=1"
            )
        _check_inner(number, stage)

    def fit(self, width, bottleneck, group_width):
        return group_width * at_least(1, nearest_quotient(width, group_width)), group_width

    def grain(self, bottleneck, group_width, step):
        return lcm(step, group_width)

    def undivided(self, width, bottleneck):
        return HEAD_WIDTH


def patch_stem(patches: Patches, width_in: int, width: Any, resolution: Any) -> tuple:
    """List a stem of patches: a convolution with bias, then a layer norm or the tokens."""
    conv = Conv("conv", width_in, width, patches.side, patches.side, bias=True, padded=False)
    if patches.extra is None:
        return conv, LayerNorm("norm", width)
    side = conv.side_after(resolution)
    return conv, Embedding("tokens", width, side, patches.extra, patches.class_position)


def _check_inner(number: int, stage: Stage) -> None:
    if nearest_multiple(stage.width, stage.bottleneck) < 1:
        raise NetworkError(
            f"stage {number}: bottleneck {stage.bottleneck:g} of width {shown(stage.width)} leaves no inner width; "
            "these blocks widen inside, mostly by 4"
        )
