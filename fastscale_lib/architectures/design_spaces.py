"""Networks of the design spaces AnyNet and RegNet (Radosavovic et al., CVPR 2020)."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

from .._common.checks import check_real, check_whole
from .blocks import block_type
from .definition import Network
from .parts import BOTTLENECKS, MOST_BLOCKS, OF_STAGE, PER_STAGE, Head, NetworkError, Stem, make_stage, one_per_stage


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
    resolution: int = 224,
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
            MobileNetV3), "fused_mbconv", "convnext", "convnext_v2", "transformer" or "transformer_layer_scale" (of
            DeiT III: `group_widths` are those of a head, `kernels` and `strides` 1). Bottleneck and basic block with
            "_d" before "_block" have an average pool in the shortcut (ResNet-D), with "_se" their
            squeeze-and-excitation at the end.
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
        resolution: side of the images in pixels; default: 224.
        channels: channels of the images; default: 3.
        name: the network's name, a line of text.
        note: a caveat about its figures, a line of text that is shown beside them.

    Raises:
        NetworkError: a value is wrong, or a stage cannot be built; the message names stage, value and rule.
    """
    given = locals()
    depths = given["depths"] = one_per_stage("depths", depths)
    named = {name: one for name, one in PER_STAGE.items() if given[name] is not None or name == "widths"}
    columns = {one: _per_stage(name, given[name], len(depths)) for name, one in named.items()}
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    described = [make_stage(number, row) for number, row in enumerate(rows, 1)]
    if group_widths is None:
        for index, stage in enumerate(described):
            kind = block_type(block) if stage.block is None else block_type(stage.block, f"stage {index + 1}: block")
            described[index] = replace(stage, group_width=kind.undivided(stage.width, stage.bottleneck))
    return Network(
        name=name,
        resolution=resolution,
        stem=Stem(stem, stem_width),
        block=block,
        stages=tuple(described),
        head=Head(head_width, head_hidden, head),
        se_ratio=se_ratio,
        activation=activation,
        classes=classes,
        channels=channels,
        note=note,
    )


def _per_stage(name: str, values: Any, stages: int) -> list:
    """One value a stage; a single number serves all."""
    text = isinstance(values, str) and PER_STAGE[name] in OF_STAGE
    if (
        text or getattr(values, "ndim", 1) == 0 or not isinstance(values, Iterable)
    ):  # an array without dimensions is one value
        return [values] * stages
    values = one_per_stage(name, values)
    if len(values) != stages:
        raise NetworkError(f"network: {name} has {len(values)} entries, but there are {stages} stages (as in depths)")
    return values


_MOST_WIDTH = 1e9  # of a RegNet


def regnet(
    *,
    depth: int,
    w0: int,
    wa: float,
    wm: float,
    group_width: int,
    bottleneck: float = 1.0,
    stride: int = 2,
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
        settings: further arguments of `anynet`, as block, se_ratio, resolution and name.

    Raises:
        NetworkError: a value is wrong; the message names it and the rule.
    """
    check = partial(check_whole, error=NetworkError)
    depth = check("regnet: depth", depth, most=MOST_BLOCKS)
    group_width = check("regnet: group_width", group_width)
    initial = check_real("regnet: w0", w0, NetworkError, 1, _MOST_WIDTH)
    wa = check_real("regnet: wa", wa, NetworkError, 0, _MOST_WIDTH)
    wm = check_real("regnet: wm", wm, NetworkError, 1, _MOST_WIDTH, above=True)
    bottleneck = check_real("regnet: bottleneck", bottleneck, NetworkError, *BOTTLENECKS)
    steps = (round(math.log((initial + wa * block) / initial) / math.log(wm)) for block in range(depth))
    runs = [(8 * round(initial * wm**step / 8), len(list(run))) for step, run in groupby(steps)]
    # Neighbouring steps may round to one width; blocks of one width are one stage.
    stages = [(width, sum(n for _, n in run)) for width, run in groupby(runs, key=operator.itemgetter(0))]
    block = block_type(settings.get("block", "res_bottleneck_block"))
    fitted = [block.fit(width, bottleneck, group_width) for width, _ in stages]
    return anynet(
        depths=[n for _, n in stages],
        widths=[width for width, _ in fitted],
        group_widths=[group_width for _, group_width in fitted],
        strides=stride,
        bottlenecks=bottleneck,
        **settings,
    )
