"""All block types: layers, accepted stages, fitting widths, and what grows with them.

Counter, torch builder, scaling and runtime model all read these layers, so what is counted is what runs. Widths may be
arrays (one entry per network): the same description then counts a whole grid of networks at once. A layer's name is
also the name of its torch module, so rows of `layers` and keys of a `state_dict` agree.
"""

from __future__ import annotations

from typing import Any

from .._common.integers import at_least, nearest_multiple
from .block_form import BlockType, conv_norm
from .layer_types import Activation, GlobalPool, Linear, MaxPool
from .mobile_blocks import FusedMBConv, MBConv, MBConvDivisible
from .modern_blocks import ConvNeXt, Transformer, patch_stem
from .parts import STEMS, Head, Patches, check_known
from .residual_blocks import Basic, Bottleneck, BottleneckLinear, Vanilla
from .token_layers import LayerNorm, TokenPool

BLOCKS: dict[str, BlockType] = {
    block.name: block
    for block in (
        *(Bottleneck(), BottleneckLinear(), Basic(), MBConv(), Vanilla()),
        # The stride on the first 1×1, as first published (pycls: STRIDE_1X1).
        Bottleneck(name="res_bottleneck_stride_1x1_block", stride_1x1=True),
        # Of ResNet-D (He et al., Bag of Tricks, 2019); with SE at the end, of a hidden width in multiples of 8 (Hu et
        # al., Squeeze-and-Excitation Networks, 2018, section 4); with both (Bello et al., Revisiting ResNets, 2021).
        Bottleneck(name="res_bottleneck_d_block", pooled=True),
        Bottleneck(name="res_bottleneck_se_block", squeezed_last=True),
        Bottleneck(name="res_bottleneck_d_se_block", pooled=True, squeezed_last=True),
        Basic(name="res_basic_d_block", pooled=True),
        Basic(name="res_basic_se_block", squeezed_last=True),
        *(MBConvDivisible(), FusedMBConv()),
        # With its linear 1×1 also without expansion; the name is timm's, as in EfficientNetV2-RW.
        FusedMBConv(name="edge_residual", merges=False),
        *(ConvNeXt(), ConvNeXt(name="convnext_v2", response_norm=True)),
        # With a layer scale at the end of each branch: DeiT III.
        *(Transformer(), Transformer(name="transformer_layer_scale", layer_scale=True)),
    )
}


def block_type(name: str, part: str = "block") -> BlockType:
    """Return the block type of this name.

    Raises:
        NetworkError: there is none; the message begins with `part`, and lists those there are.
    """
    check_known(part, name, BLOCKS)
    return BLOCKS[name]


def stem(kind: str, width_in: int, width: Any, resolution: Any) -> tuple:
    """List the stem: convolutions with BN and activation, perhaps a max-pool; or patches."""
    shape = STEMS[kind]
    if isinstance(shape, Patches):
        return patch_stem(shape, width_in, width, resolution)
    parts: list = []
    for number, conv in enumerate(shape.convs, 1):
        suffix = str(number) if len(shape.convs) > 1 else ""
        own: Any = width if conv.share == 1 else at_least(1, nearest_multiple(width, conv.share))
        parts += [*conv_norm(suffix, width_in, own, conv.kernel, conv.stride), Activation(f"act{suffix}", own)]
        width_in = own
    return (*parts, MaxPool("pool", width)) if shape.pool else tuple(parts)


def head(described: Head, width_in: Any, width: Any, classes: int, extra: int | None) -> tuple:
    """List the head, `width` wide: the layers before the global pool, and the linear layers.

    `extra` are the tokens beside those of patches, or None if the last stage's output is an image.
    """
    features, parts = width_in, ()
    if described.width:
        features, parts = width, (*conv_norm("", width_in, width), Activation("act", width))
    elif described.kind == "act_pool":
        parts = (Activation("act", width_in),)
    elif described.kind == "norm_pool":
        parts = (LayerNorm("norm", width_in, extra),)
    parts = (*parts, GlobalPool("pool", features) if extra is None else TokenPool("pool", features, extra))
    if described.kind == "pool_norm":
        parts = (*parts, LayerNorm("norm", features))
    if described.hidden:
        hidden = described.hidden
        features, parts = hidden, (*parts, Linear("hidden", features, hidden), Activation("act_hidden", hidden))
    return (*parts, Linear("linear", features, classes))
