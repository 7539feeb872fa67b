"""Families that are published as one network and multipliers of its widths and depths."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .._common.integers import divisible

_STEP = 8


def multiplied(
    *,
    width_factor: float = 1,
    depth_factor: float = 1,
    width_limit: float = 0.9,
    depth_rounding: str = "up",
    fixed: tuple[str, ...] = (),
    least_head: int = 0,
    **settings: Any,
) -> Mapping[str, Any]:
    """Multiply widths and depths as MobileNet and EfficientNet do; return `anynet` settings.

    Widths become multiples of 8, the nearest ones, and depths whole numbers (Sandler et al., MobileNetV2, 2018; Tan and
    Le, EfficientNet, 2019, section 3). A strategy of `fs.scale` rounds otherwise.

    Arguments:
        width_factor: of all stages, the stem and the head.
        depth_factor: of all stages.
        width_limit: no width is rounded to less than this share of what is asked.
        depth_rounding: "up" or "nearest".
        fixed: what keeps its size: "stem", "head" or "first and last depth".
        least_head: the head is not narrower.
        settings: of the network that is multiplied, as `anynet` takes them.
    """

    def wide(width: int) -> int:
        return width if width_factor == 1 else int(divisible(width, width_factor, _STEP, width_limit))

    def deep(depth: int) -> int:
        return max(1, math.ceil(depth * depth_factor) if depth_rounding == "up" else round(depth * depth_factor))

    depths = settings["depths"]
    multiplied_depths = [deep(depth) for depth in depths]
    if "first and last depth" in fixed:
        multiplied_depths = [depths[0], *multiplied_depths[1:-1], depths[-1]]
    stem_width, head_width = settings["stem_width"], settings["head_width"]
    return settings | {
        "depths": multiplied_depths,
        "widths": [wide(width) for width in settings["widths"]],
        "stem_width": stem_width if "stem" in fixed else wide(stem_width),
        "head_width": head_width if "head" in fixed else max(least_head, wide(head_width)),
    }
