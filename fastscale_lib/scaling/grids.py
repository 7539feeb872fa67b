"""Counts of many networks, strategies and scale factors at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .._common.checks import AnalysisError, check_flag
from ..architectures.counting import METRICS, complexity, count
from ..architectures.definition import Network
from ..architectures.parts import Dimensions
from ..architectures.provenance import GROUP_WIDTHS, GroupWidths
from ..architectures.resolutions import Resolution, both_sides, one_or_pair
from ..architectures.traced.module_family import Family
from .module_scaling import family_columns, network_or_family
from .rounding import check_group_widths, scale, scaled_dimensions, unrounded_dimensions
from .strategies import (
    NetworksLike,
    ScalesLike,
    StrategiesLike,
    Strategy,
    as_list,
    factors,
    grid_columns,
    grid_factors,
    named_strategy,
    scale_factors,
)

# Counts are computed in arrays of int64. A grid whose largest count comes near its limit is counted one by one.
_ARRAY_LIMIT = 2**60
_CHUNK = 8192  # combinations counted at once, so that their arrays stay in the processor's cache


def sweep(
    networks: NetworksLike,
    strategies: StrategiesLike,
    scales: ScalesLike,
    stages: bool = True,
    *,
    resolution: Resolution | None = None,
    group_widths: GroupWidths = GROUP_WIDTHS[0],
) -> pd.DataFrame:
    """Count every network scaled by every strategy and scale factor.

    Arguments:
        networks: one or several, as Networks, names of base networks, or Families.
        strategies: one or several; a strategy may be a number, which is an α.
        scales: one or several scale factors of flops, above 0.
        stages: whether to add depths, widths and group_widths, as strings like "2-6-12-2"; default: True.
        resolution: side of the images in pixels, or (height, width), before scaling; default: each network's own.
        group_widths: what they are rounded to, as for `scale`.

    Returns:
        One row per combination, networks first, then strategies, then scales. Columns network, strategy, alpha (NaN
        outside the α family), scale, flops (multiply-adds), params, activations, resolution (side in pixels, or
        (height, width)), depths (blocks), widths and group_widths (channels). Each row equals `complexity(scale(...))`.

    Raises:
        AnalysisError: (a ValueError) there is no network, strategy or scale, or stages is not True or False.
        StrategyError: there is no such strategy, a scale is not above 0, or group_widths is wrong as for `scale`.
        NetworkError: there is no such network, or resolution is not in whole numbers above 0.
    """
    stages = check_flag("sweep: stages", stages, AnalysisError)
    networks = [network_or_family(each, resolution) for each in as_list(networks)]
    rule = check_group_widths("sweep", group_widths, *networks)
    strategies = [named_strategy(each) for each in as_list(strategies)]
    scales = scale_factors(scales)
    if not (networks and strategies and len(scales)):
        raise AnalysisError("sweep: there is nothing to count; give at least one network, one strategy and one scale")
    frames = [
        pd.DataFrame(
            family_columns(each, strategies, scales, stages)
            if isinstance(each, Family)
            else sweep_columns(each, strategies, scales, stages, rule)
        )
        for each in networks
    ]
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


def sweep_columns(
    network: Network,
    strategies: Sequence[Strategy],
    scales: Sequence[float] | np.ndarray,
    stages: bool = True,
    rule: GroupWidths = GROUP_WIDTHS[0],
) -> dict[str, Any]:
    """Compute the columns of `sweep` for one network: a frame takes longer than a small sweep."""
    scales = np.asarray(scales, dtype=float)
    fits = _fits_arrays(network, strategies, float(scales.max()), rule)
    counted = (_count_arrays if fits else _count_one_by_one)(network, strategies, scales, stages, rule)
    return grid_columns(network, strategies, scales) | counted


def _count_arrays(
    network: Network, strategies: Sequence[Strategy], scales: np.ndarray, stages: bool, rule: GroupWidths
) -> dict:
    powers = grid_factors(strategies, scales)
    size = len(strategies) * len(scales)
    columns: dict[str, Any] = {name: np.empty(size, dtype=np.int64) for name in METRICS}
    lengths = np.empty((2 if isinstance(network.resolution, tuple) else 1, size), dtype=np.int64)  # of images' sides
    sizes = {name: [] for name in ("depths", "widths", "group_widths")}
    for start in range(0, size, _CHUNK):
        part = slice(start, min(start + _CHUNK, size))
        dims = scaled_dimensions(
            network, *(f[part] if isinstance(f, np.ndarray) else f for f in powers), group_widths=rule
        )
        distinct, which = _distinct(dims, part.stop - part.start)
        for metric, values in zip(METRICS, count(network, distinct), strict=True):
            columns[metric][part] = values[which] if isinstance(values, np.ndarray) else values
        for row, length in zip(lengths, both_sides(dims.resolution), strict=False):
            row[part] = length
        for name in sizes if stages else ():
            sizes[name] += _dashed(getattr(dims, name), part.stop - part.start)
    columns["resolution"] = lengths[0] if len(lengths) == 1 else list(map(one_or_pair, *lengths.tolist()))
    return columns | sizes if stages else columns


def _distinct(dims: Dimensions, size: int) -> tuple[Dimensions, np.ndarray]:
    """Return each run of equal networks, of neighbouring scales, and its index per network."""
    arrays = [each for each in dims.flat() if isinstance(each, np.ndarray)]
    starts = np.zeros(size, dtype=bool)
    starts[0] = True
    for array in arrays:
        starts[1:] |= array[1:] != array[:-1]
    if starts.all():
        return dims, np.arange(size)
    kept = dims.mapped(lambda size: size[starts] if isinstance(size, np.ndarray) else size)
    return kept, np.cumsum(starts) - 1


def _count_one_by_one(
    network: Network, strategies: Sequence[Strategy], scales: np.ndarray, stages: bool, rule: GroupWidths
) -> dict:
    """Count each network by itself, in Python's integers, where 64 bits are not enough."""
    scaled = [scale(network, strategy, s, group_widths=rule) for strategy in strategies for s in scales.tolist()]
    counts = [complexity(each) for each in scaled]
    columns = {metric: [getattr(each, metric) for each in counts] for metric in METRICS}
    columns["resolution"] = [each.resolution for each in scaled]
    for name in ("depths", "widths", "group_widths") if stages else ():
        columns[name] = ["-".join(map(str, getattr(each, name))) for each in scaled]
    return columns


def _fits_arrays(network: Network, strategies: Sequence[Strategy], s: float, rule: GroupWidths) -> bool:
    """Return whether all counts up to this scale factor fit int64 with room to spare."""
    # First a quick bound, with room for rounding up; then one for all strategies together; then one for each.
    try:
        growth = max(math.prod(max(f, 1.0) ** 2 for f in factors(each, max(s, 1.0))) for each in strategies)
        if growth * max(complexity(network)) < _ARRAY_LIMIT / 2**12:
            return True
        largest = [max(values) for values in zip(*(factors(each, max(s, 1.0)) for each in strategies), strict=True)]
        sizes = unrounded_dimensions(network, *largest)
        if (
            max(sizes.flat()) < 2**50
            and max(count(network, scaled_dimensions(network, *largest, group_widths=rule))) < _ARRAY_LIMIT
        ):
            return True
    except OverflowError:
        return False
    return len(strategies) > 1 and all(_fits_arrays(network, [each], s, rule) for each in strategies)


def _dashed(per_stage: tuple, size: int) -> list[str]:
    """Join the stages of each network of the grid, as in "2-6-12-2"."""
    lists = [each.tolist() if isinstance(each, np.ndarray) else [each] * size for each in per_stage]
    return ["-".join(map(str, row)) for row in zip(*lists, strict=True)]
