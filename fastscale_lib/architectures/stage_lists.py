"""Stages from lists with one entry per stage, and such lists from the numbers of a RegNet."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

from .._common.checks import check_real, check_whole
from .blocks import block_type
from .parts import BOTTLENECKS, MOST_BLOCKS, OF_STAGE, PER_STAGE, NetworkError, Stage, one_per_stage
from .plain_networks import make_part


def stages_of(block: str, given: Mapping[str, Any]) -> tuple[Stage, ...]:
    """Make stages of this block from lists, as `anynet` takes them; None means the default."""
    depths = one_per_stage("depths", given["depths"])
    named = {name: one for name, one in PER_STAGE.items() if given.get(name) is not None or name == "widths"}
    columns = {one: _per_stage(name, given.get(name), len(depths)) for name, one in named.items()}
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    described = [make_part(Stage, f"stage {number}", row) for number, row in enumerate(rows, 1)]
    if given.get("group_widths") is None:
        for index, stage in enumerate(described):
            kind = block_type(block) if stage.block is None else block_type(stage.block, f"stage {index + 1}: block")
            described[index] = replace(stage, group_width=kind.undivided(stage.width, stage.bottleneck))
    return tuple(described)


def _per_stage(name: str, values: Any, stages: int) -> list:
    """Return one value per stage; a single value applies to all."""
    text = isinstance(values, str) and PER_STAGE[name] in OF_STAGE
    scalar = getattr(values, "ndim", 1) == 0 or not isinstance(values, Iterable)  # or an array without dimensions
    if text or scalar:
        return [values] * stages
    values = one_per_stage(name, values)
    if len(values) != stages:
        has = f"{len(values):,} {'entry' if len(values) == 1 else 'entries'}"
        there = "1 stage" if stages == 1 else f"{stages:,} stages"
        raise NetworkError(f"network: {name} has {has}, but depths has {there}")
    return values


_MOST_WIDTH = 1e9  # of a RegNet
_BLOCK = "res_bottleneck_block"  # of a RegNet, by default


def regnet_lists(
    *, depth: Any, w0: Any, wa: Any, wm: Any, group_width: Any, bottleneck: Any = 1, stride: Any = 2, block=_BLOCK
) -> dict[str, Any]:
    """Expand the numbers of a RegNet, as `regnet` takes them, into lists for `anynet`."""
    check = partial(check_whole, error=NetworkError)
    depth = check("regnet: depth", depth, most=MOST_BLOCKS)
    group_width = check("regnet: group_width", group_width)
    initial = check_real("regnet: w0", w0, NetworkError, 1, _MOST_WIDTH)
    wa = check_real("regnet: wa", wa, NetworkError, 0, _MOST_WIDTH)
    wm = check_real("regnet: wm", wm, NetworkError, 1, _MOST_WIDTH, above=True)
    bottleneck = check_real("regnet: bottleneck", bottleneck, NetworkError, *BOTTLENECKS)
    steps = (round(math.log((initial + wa * number) / initial) / math.log(wm)) for number in range(depth))
    runs = [(8 * round(initial * wm**step / 8), len(list(run))) for step, run in groupby(steps)]
    # Neighbouring steps may round to one width; blocks of one width are one stage.
    stages = [(width, sum(n for _, n in run)) for width, run in groupby(runs, key=operator.itemgetter(0))]
    kind = block_type(block)
    fitted = [kind.fit(width, bottleneck, group_width) for width, _ in stages]
    return {
        "depths": [n for _, n in stages],
        "widths": [width for width, _ in fitted],
        "group_widths": [group_width for _, group_width in fitted],
        "strides": stride,
        "bottlenecks": bottleneck,
    }
