"""Keywords of timm's functions with formulas of sizes: RegNets, EfficientNet's multipliers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any

import numpy as np

from .._common.integers import divisible
from .block_form import BlockType
from .definition import Network
from .parts import Stage
from .stage_lists import regnet_lists

_STEP = 8  # of widths, before groups are made to fit
_TRIED = 41  # values of wm
# Functions that leave both multipliers free, with the share below which no width is rounded; then the depth's alone
# (of mobilenetv3_small_050, two stages have one width, so which of timm's stages is which cannot be told by widths).
_BOTH = {"tf_efficientnetv2_b0": 0.0} | {f"efficientnetv2_{size}": 0.9 for size in ("s", "m", "l", "xl", "rw_s")}
_DEPTH_ALONE = {f"mobilenetv2_{width}" for width in ("035", "050", "075", "100", "140")}
_DEPTH_ALONE |= {f"mobilenetv3_{size}" for size in ("large_075", "large_100", "small_075", "small_100")}


class NotInTimm(Exception):
    """What in a network timm cannot make."""


def regnet_keywords(network: Network) -> dict[str, Any]:
    """Return the keywords of timm's RegNet (depth, w0, wa, wm, …) that give these stages.

    `regnet` has the formula. timm takes no list of widths, so numbers are looked for that give them: w0 a multiple of
    8, at most two steps of wm left out between stages, and wm on a grid over what the widths leave.

    Raises:
        NotInTimm: there are none.
    """
    groups, ratios = ({getattr(stage, each) for stage in network.stages} for each in ("group_width", "bottleneck"))
    if len(groups) > 1 or len(ratios) > 1:
        raise NotInTimm("its stages differ in group width or bottleneck, of which timm's RegNet has one for all")
    (group_width,), (bottleneck,) = groups, ratios
    if list(network.widths) != sorted(set(network.widths)):
        raise NotInTimm("its widths do not grow from stage to stage, as those of timm's RegNet do")
    fixed = {"depth": sum(network.depths), "group_width": group_width, "bottleneck": bottleneck, "block": network.block}
    wanted = {"depths": list(network.depths), "widths": list(network.widths)}
    for line in _lines(network):
        found = regnet_lists(**fixed, **line)
        if {key: found[key] for key in wanted} == wanted and set(found["group_widths"]) == groups:
            sizes = {"depth": fixed["depth"], **line, "group_size": group_width, "bottle_ratio": bottleneck}
            return sizes | {"stem_width": network.stem.width}
    raise NotInTimm("no w0, wa and wm give its widths and depths, and timm's RegNet takes no lists of them")


def _lines(network: Network) -> Iterator[dict[str, Any]]:
    """Yield numbers w0, wa and wm that may give the stages, up to float rounding."""
    first, *later = [_fitted_to(kind, stage) for kind, stage in zip(network.block_types, network.stages, strict=True)]
    if not first or not all(later):
        return
    low, high = ([each(widths) for widths in later] for each in (min, max))
    low, high = np.array(low) - _STEP / 2, np.array(high) + _STEP / 2
    ends = np.cumsum(network.depths)
    for w0, gaps in product(first, product((1, 2, 3), repeat=len(later))):
        steps = np.cumsum((0, *gaps))
        least, most = ((low / w0) ** (1 / steps[1:])).max(), ((high / w0) ** (1 / steps[1:])).min()
        wm = np.linspace(least, most, _TRIED)[1:-1, None] if 1 < least < most else np.empty((0, 1))
        # Block j has the step round(log(1 + j·wa/w0) / log(wm)): first and last block of a stage bound wa/w0.
        least = ((wm ** (steps[1:] - 0.5) - 1) / ends[:-1]).max(axis=1)
        most = ((wm ** (steps + 0.5) - 1) / np.maximum(ends - 1, 1e-9)).min(axis=1)
        for index in np.flatnonzero(least < most):
            yield {"w0": w0, "wa": w0 * float(least[index] + most[index]) / 2, "wm": float(wm[index, 0])}


def _fitted_to(kind: BlockType, stage: Stage) -> list[int]:
    """List widths, multiples of 8, that fit to the stage's, the nearest first."""
    around = max(_STEP, math.ceil(stage.group_width / stage.bottleneck))
    steps = range(max(1, (stage.width - around) // _STEP), (stage.width + around) // _STEP + 1)
    fitted = [_STEP * n for n in steps if kind.fit(_STEP * n, stage.bottleneck, stage.group_width)[0] == stage.width]
    return sorted(fitted, key=lambda width: abs(width - stage.width))


def multiplier_keywords(base: Network, name: str, network: Network) -> dict[str, Any]:
    """Return channel_multiplier and depth_multiplier with which timm's function makes a network.

    There is one depth multiplier per stage.

    Raises:
        NotInTimm: timm's function of the base sets them itself, or none gives the widths or depths.
    """
    if [stage.bottleneck for stage in base.stages] != [stage.bottleneck for stage in network.stages]:
        raise NotInTimm(f"its expansion ratios differ from those of {name}")
    stages = zip(network.block_types, network.stages, strict=True)
    if any(stage.group_width != kind.undivided(stage.width, stage.bottleneck) for kind, stage in stages):
        raise NotInTimm("it has group widths, which timm's function gives depthwise blocks alone")
    ends = [(each.stem.width, *each.widths, each.head.width) for each in (base, network)]
    kwargs: dict[str, Any] = {}
    if ends[0] != ends[1]:
        if name not in _BOTH:
            raise NotInTimm(f"its widths are not those of {name}, and timm's function takes no others")
        kwargs["channel_multiplier"] = _one_multiplier(ends[0], ends[1], _BOTH[name])
    if base.depths != network.depths:
        if name not in _BOTH and name not in _DEPTH_ALONE:
            raise NotInTimm(f"its depths are not those of {name}, and timm's function takes no others")
        kwargs["depth_multiplier"] = tuple(_depth_multipliers(base, network))
    return kwargs


def _one_multiplier(before: tuple[int, ...], after: tuple[int, ...], limit: float) -> float:
    borders = {
        (width + around) / (own * share)
        for own, width in zip(before, after, strict=True)
        for around, share in ((-4, 1), (4, 1), *(((-_STEP, limit), (0, limit)) if limit else ()))
    }
    pairs = list(zip(before, after, strict=True))
    for low, high in pairwise(sorted(borders)):
        factor = (low + high) / 2
        if factor > 0 and all(divisible(own, factor, _STEP, limit) == width for own, width in pairs):
            return _shortest_between(low, high)
    raise NotInTimm("no one channel_multiplier gives the widths of its stem, stages and head")


def _shortest_between(low: float, high: float) -> float:
    middle, half = (low + high) / 2, (high - low) / 2
    return next(short for digits in range(1, 18) if abs((short := round(middle, digits)) - middle) < 0.9 * half)


def _depth_multipliers(base: Network, network: Network) -> Iterator[float]:
    """Yield one multiplier per stage of timm.

    A stage there holds ours of one width after another, and shares its blocks out itself.
    """
    stacks: list[list[int]] = []
    for index, stage in enumerate(base.stages):
        if index and stage.stride == 1 and stage.width == base.stages[index - 1].width:
            stacks[-1].append(index)
        else:
            stacks.append([index])
    for stack in stacks:
        own, wanted = ([each.depths[index] for index in stack] for each in (base, network))
        total, left, grown, shared = sum(wanted), sum(own), sum(wanted), []
        for depth in reversed(own):  # the last stage takes its share first
            shared.insert(0, max(1, round(depth / left * grown)))
            left, grown = left - depth, grown - shared[0]
        if shared != wanted:
            raise NotInTimm(
                f"its depths {tuple(wanted)} of one width are {tuple(shared)} in timm, which shares them out"
            )
        factor = total / sum(own)
        yield factor if math.ceil(sum(own) * factor) == total else (total - 0.5) / sum(own)
    if base.head.hidden:  # of MobileNetV3 the convolution before the pool is a stage of its own
        yield 1.0
