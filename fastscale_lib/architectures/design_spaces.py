"""Networks of the design spaces AnyNet and RegNet (Radosavovic et al., CVPR 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature

from .._common.checks import shown
from .definition import Network
from .parts import PER_STAGE, Head, Stem
from .resolutions import Resolution
from .stage_lists import regnet_lists, stages_of


def anynet(
    *,
    depths: Sequence[int],
    widths: Sequence[int],
    strides: int | Sequence[int] = 2,
    bottlenecks: float | Sequence[float] = 1.0,
    group_widths: int | Sequence[int] | None = None,
    kernels: int | Sequence[int] = 3,
    blocks: str | Sequence[str | None] | None = None,
    se_ratios: float | Sequence[float | None] | None = None,
    activations: str | Sequence[str | None] | None = None,
    block: str = "res_bottleneck_block",
    stem: str = "simple_stem_in",
    stem_width: int = 32,
    se_ratio: float = 0.0,
    head_width: int = 0,
    head_hidden: int = 0,
    head: str = "conv_pool",
    activation: str = "relu",
    classes: int = 1000,
    resolution: Resolution = 224,
    channels: int = 3,
    name: str = "AnyNet",
    note: str = "",
) -> Network:
    """Describe a network by the sizes of its stages (design space AnyNet of pycls).

    Depths to activations have one entry per stage; a single value, of all but depths, serves all stages.

    Arguments:
        depths: blocks of each stage.
        widths: output channels of each stage.
        strides: stride of each stage's first block; default: 2.
        bottlenecks: inner width over width (for "mbconv": expansion ratio, inner width over input width);
            default: 1.
        group_widths: channels per group of the k×k convolution; default: no groups (for "mbconv" and "convnext":
            depthwise; for "transformer": heads of 64).
        kernels: side of the k×k convolution, odd; default: 3.
        blocks: block type where it is not `block`, None where it is; default: `block` everywhere.
        se_ratios: as blocks, where it is not `se_ratio`.
        activations: as blocks, where it is not `activation`.
        block: "res_bottleneck_block", "res_bottleneck_stride_1x1_block" (the stride on its first 1×1),
            "res_bottleneck_linear_block", "res_basic_block", "vanilla_block" (no residual), "mbconv", "mbconv_v3" (of
            MobileNetV3), "fused_mbconv", "edge_residual" ("fused_mbconv" with a 1×1 where it does not expand, too,
            as in EfficientNetV2-RW), "convnext", "convnext_v2", "transformer" or "transformer_layer_scale" (of DeiT
            III: `group_widths` are those of a head, `kernels` and `strides` 1). Bottleneck and basic block with "_d"
            before "_block" have an average pool in the shortcut (ResNet-D), with "_se" their squeeze-and-excitation at
            the end.
        stem: "simple_stem_in" (3×3, stride 2), "res_stem_in" (7×7, stride 2, max-pool), "res_stem_cifar" (3×3, stride
            1, for small images), "deep_stem_in" (three 3×3, max-pool), "tiered_stem_in" (the same, the first one
            narrower), "deep_stem_strided" (four 3×3, the first and last with stride 2), "patchify_4" (patches of 4×4
            pixels, for "convnext"), or for transformers "tokens_16_class" (tokens of 16×16 pixels and a class token),
            "tokens_16_class_apart" (the class token has no position) and "tokens_16_mean" (no class token), with 8, 14
            or 32 in the place of 16 (class_apart: 14 alone).
        stem_width: output channels of the stem; default: 32.
        se_ratio: hidden over input channels of squeeze-and-excitation; default: 0, for none.
        head_width: width of a 1×1 convolution before the global pool; default: 0, for none.
        head_hidden: width of a linear layer with an activation before the classifier; default: 0, for none.
        head: "conv_pool" (global pool, after the convolution where there is one), "act_pool" (activation, global
            pool), "pool_norm" (global pool, layer norm: ConvNeXt) or "norm_pool" (layer norm, then the class token or
            the mean: transformers); default: "conv_pool".
        activation: "relu", "silu", "gelu", "relu6" or "hard_swish"; default: "relu".
        classes: outputs of the classifier; default: 1000.
        resolution: side of the images in pixels, or (height, width); default: 224.
        channels: channels of the images; default: 3.
        name: the network's name, a line of text.
        note: a caveat about its figures, a line of text that is shown beside them.

    Raises:
        NetworkError: a value is wrong, or a stage cannot be built; the message names stage, value and rule.
    """
    stages = stages_of(block, {name: value for name, value in locals().items() if name in PER_STAGE})
    return Network(
        name=name,
        resolution=resolution,
        stem=Stem(stem, stem_width),
        block=block,
        stages=stages,
        head=Head(head_width, head_hidden, head),
        se_ratio=se_ratio,
        activation=activation,
        classes=classes,
        channels=channels,
        note=note,
    )


def regnet(
    *,
    depth: int,
    w0: int,
    wa: float,
    wm: float,
    group_width: int,
    bottleneck: float = 1.0,
    stride: int = 2,
    name: str = "RegNet",
    **settings,
) -> Network:
    """Describe a RegNet by its quantised linear widths.

    Block j has the width w0 · wm^k_j, rounded to a multiple of 8, with k_j = round(log((w0 + wa·j) / w0) / log(wm));
    blocks of one width are a stage (Radosavovic et al., Designing Network Design Spaces, 2020, section 3.3).

    Arguments:
        depth: blocks in all.
        w0: initial width, in channels.
        wa: slope of the width, in channels per block.
        wm: width multiplier of the quantisation, above 1.
        group_width: channels per group, of every stage.
        bottleneck: inner width over width, of every stage; default: 1.
        stride: of every stage; default: 2.
        name: the network's name, a line of text.
        settings: further arguments of `anynet`, as block, se_ratio and resolution.

    Raises:
        TypeError: `anynet` has no such setting, or the numbers above tell it.
        NetworkError: a value is wrong; the message names it and the rule.
    """
    block = settings.get("block", "res_bottleneck_block")
    lists = regnet_lists(
        depth=depth, w0=w0, wa=wa, wm=wm, group_width=group_width, bottleneck=bottleneck, stride=stride, block=block
    )
    if unknown := [each for each in settings if each in lists or each not in signature(anynet).parameters]:
        raise TypeError(f"regnet() got an unexpected keyword argument {shown(unknown[0])}")
    return anynet(**lists, name=name, **settings)
