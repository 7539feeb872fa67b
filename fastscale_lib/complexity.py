"""Counting: flops (multiply-adds), params and activations, of one network or of a whole grid at once.

Counted as in pycls: a convolution's and a linear layer's multiply-adds, with one for each output of a bias; every
weight, bias and the two parameters of a BN channel; as activations, the outputs of convolutions, max-pools and
linear layers. BN, activation functions, means, sums and products count no flops.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import repeat
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from ._common.checks import shown
from .architectures.counting import METRICS, complexity, count
from .architectures.definition import Network
from .architectures.parts import Dimensions
from .architectures.zoo import network as named_network
from .scaling import Strategy, StrategyError, factors, scale, scale_factor, scaled_dimensions, unrounded_dimensions
from .scaling import strategy as named_strategy

# Counts go through arrays of int64; a grid whose largest network comes near that is counted one by one, exactly.
_ARRAY_LIMIT = 2**60
_CHUNK = 8192  # combinations counted at once: their arrays stay in the processor's cache


def sweep(
    networks: Sequence[Network | str] | Network | str,
    strategies: Sequence[Strategy | str | float] | Strategy | str | float,
    scales: Sequence[float] | float,
    stages: bool = True,
) -> pd.DataFrame:
    """Every network scaled by every strategy and scale factor: one row per combination, in that order.

    Arguments:
        networks, strategies: one or several; a strategy may be a number, which is an α.
        scales: one or several scale factors above 0.
        stages: False leaves out the columns of text (depths, widths, group_widths, as "2-6-12-2").

    Returns:
        Columns network, strategy, alpha (NaN outside the α family), scale, flops (multiply-adds), params,
        activations, resolution, depths, widths, group_widths. Each row equals `complexity(scale(...))`.
    """
    networks = [named_network(each) for each in _several(networks)]
    strategies = [named_strategy(each) for each in _several(strategies)]
    scales = _scales(scales)
    if not (networks and strategies and len(scales)):
        raise ValueError("sweep: there is nothing to count; give at least one network, one strategy and one scale")
    frames = [pd.DataFrame(sweep_columns(network, strategies, scales, stages)) for network in networks]
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


def sweep_columns(
    network: Network, strategies: Sequence[Strategy], scales: Sequence[float] | np.ndarray, stages: bool = True
) -> dict[str, Any]:
    """The columns of `sweep` for one network, as arrays and lists: a frame takes longer to make than a small sweep."""
    scales = np.asarray(scales, dtype=float)
    columns = {
        "network": [network.name] * (len(strategies) * len(scales)),
        "strategy": np.repeat(np.array([each.name for each in strategies], dtype=object), len(scales)),
        "alpha": np.repeat([_alpha(each) for each in strategies], len(scales)),
        "scale": np.tile(scales, len(strategies)),
    }
    fits = _fits_arrays(network, strategies, float(scales.max()))
    return columns | (_count_arrays if fits else _count_one_by_one)(network, strategies, scales, stages)


def _count_arrays(network: Network, strategies: Sequence[Strategy], scales: np.ndarray, stages: bool) -> dict:
    """The columns of counts, computed for many combinations at once."""
    powers = grid_factors(strategies, scales)
    size = len(strategies) * len(scales)
    columns = {name: np.empty(size, dtype=np.int64) for name in (*METRICS, "resolution")}
    texts = {name: [] for name in ("depths", "widths", "group_widths")}
    for start in range(0, size, _CHUNK):
        part = slice(start, min(start + _CHUNK, size))
        dims = scaled_dimensions(network, *(f[part] if isinstance(f, np.ndarray) else f for f in powers))
        distinct, which = _distinct(dims, part.stop - part.start)
        for metric, values in zip(METRICS, count(network, distinct), strict=True):
            columns[metric][part] = values[which] if isinstance(values, np.ndarray) else values
        columns["resolution"][part] = dims.resolution
        for name in texts if stages else ():
            texts[name] += _dashed(getattr(dims, name), part.stop - part.start)
    return columns | texts if stages else columns


def _distinct(dims: Dimensions, size: int) -> tuple[Dimensions, np.ndarray]:
    """Each run of equal networks once, and for every network the index of its run.

    Rounding makes neighbouring scales one network more often than not; each needs to be counted once.
    """
    arrays = [a for a in (dims[0], dims[1], *dims[2], *dims[3], *dims[4], dims[5]) if isinstance(a, np.ndarray)]
    starts = np.zeros(size, dtype=bool)
    starts[0] = True
    for array in arrays:
        starts[1:] |= array[1:] != array[:-1]
    if starts.all():
        return dims, np.arange(size)

    def kept(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(kept, value))
        return value[starts] if isinstance(value, np.ndarray) else value

    return Dimensions(*map(kept, dims)), np.cumsum(starts) - 1


def _count_one_by_one(network: Network, strategies: Sequence[Strategy], scales: np.ndarray, stages: bool) -> dict:
    """The same columns, from one exact count after the other, for numbers beyond 64 bits."""
    scaled = [scale(network, strategy, s) for strategy in strategies for s in scales.tolist()]
    counts = [complexity(each) for each in scaled]
    columns = {metric: [getattr(each, metric) for each in counts] for metric in METRICS}
    columns["resolution"] = [each.resolution for each in scaled]
    for name in ("depths", "widths", "group_widths") if stages else ():
        columns[name] = ["-".join(map(str, getattr(each, name))) for each in scaled]
    return columns


def grid_factors(strategies: Sequence[Strategy], scales: np.ndarray) -> tuple:
    """What depth, width, group width and resolution are multiplied by in every combination.

    An array over the combinations, strategy by strategy; or the number 1, for what no strategy changes.
    """
    values = scales.tolist()

    @cache
    def powers(exponent: float) -> np.ndarray:
        # math.pow is what `scale` uses; numpy's power may differ from it in the last bit, and so in a rounding.
        return np.fromiter(map(math.pow, values, repeat(exponent)), float, len(values))

    per_dimension = zip(*(map(float, each.exponents) for each in strategies), strict=True)
    return tuple(np.concatenate([powers(e) for e in es]) if any(es) else 1.0 for es in per_dimension)


def _fits_arrays(network: Network, strategies: Sequence[Strategy], s: float) -> bool:
    """Whether all counts up to this scale factor are far from the end of int64."""
    # First a quick bound, with room for what is rounded up; then one for all strategies together; then each.
    try:
        growth = max(math.prod(max(f, 1.0) ** 2 for f in factors(each, max(s, 1.0))) for each in strategies)
        if growth * max(complexity(network)) < _ARRAY_LIMIT / 2**12:
            return True
        largest = [max(values) for values in zip(*(factors(each, max(s, 1.0)) for each in strategies), strict=True)]
        sizes = unrounded_dimensions(network, *largest)
        sizes = [sizes.resolution, sizes.stem_width, *sizes.depths, *sizes.widths, *sizes.group_widths]
        if max(sizes) < 2**50 and max(count(network, scaled_dimensions(network, *largest))) < _ARRAY_LIMIT:
            return True
    except OverflowError:
        return False
    return len(strategies) > 1 and all(_fits_arrays(network, [each], s) for each in strategies)


def _alpha(strategy: Strategy) -> float:
    return np.nan if strategy.alpha is None else float(strategy.alpha)


def _scales(scales: Any) -> np.ndarray:
    try:
        values = np.atleast_1d(np.asarray(scales)).ravel()
    except ValueError:  # rows of different lengths
        raise StrategyError(f"sweep: the scale factors are {shown(scales)}, but must be numbers above 0") from None
    if values.dtype.kind not in "iuf":
        return np.array([scale_factor(s) for s in values.tolist()], dtype=float)
    values = values.astype(float)
    for s in values[~(np.isfinite(values) & (values > 0))][:1].tolist():
        scale_factor(s)
    return values


def _several(values: Any) -> list:
    one = isinstance(values, Network | Strategy | str | Real) or not isinstance(values, Iterable)
    return [values] if one else list(values)


def _dashed(per_stage: tuple, size: int) -> list[str]:
    """ "2-6-12-2" for each network of the grid."""
    lists = [each.tolist() if isinstance(each, np.ndarray) else [each] * size for each in per_stage]
    return ["-".join(map(str, row)) for row in zip(*lists, strict=True)]


def laws(
    networks: Sequence[Network | str], strategies: Sequence[Strategy | str], scales: Sequence[float]
) -> pd.DataFrame:
    """The asymptotic laws in the form of `sweep`: the base network's counts, times s to the law's exponent.

    What grows slower than the law (stem, classifier, rounding) is in the counts of `sweep` and not in these.

    Returns:
        Columns network, strategy, alpha, scale, flops (multiply-adds), params, activations, as real numbers.
    """
    networks = [named_network(each) for each in _several(networks)]
    strategies = [named_strategy(each) for each in _several(strategies)]
    frames = [pd.DataFrame(law_columns(network, strategies, _scales(scales))) for network in networks]
    return pd.concat(frames, ignore_index=True)


def law_columns(network: Network, strategies: Sequence[Strategy], scales: np.ndarray) -> dict[str, Any]:
    """The columns of `laws` for one network."""
    base = complexity(network)
    columns = {
        "network": [network.name] * (len(strategies) * len(scales)),
        "strategy": np.repeat(np.array([each.name for each in strategies], dtype=object), len(scales)),
        "alpha": np.repeat([_alpha(each) for each in strategies], len(scales)),
        "scale": np.tile(scales, len(strategies)),
    }
    for metric in METRICS:
        exponents = np.array([float(getattr(each.laws, metric)) for each in strategies])
        columns[metric] = (getattr(base, metric) * scales ** exponents[:, None]).ravel()
    return columns


def fit_exponents(
    network: Network | str, strategies: Sequence[Strategy | str], scales: Sequence[float] | None = None
) -> pd.DataFrame:
    """The exponents of s that the counts really follow: least squares of log count over log s.

    Arguments:
        scales: where to count; left out: 200 of them, evenly spaced in log s from 1 to 64.

    Returns:
        Columns network, strategy, metric, law (the exact exponent, a Fraction), fitted, residual (the largest
        deviation of a count from the fitted power law, as a fraction), scale_from, scale_to.

    Raises:
        ValueError: fewer than two different scales.
    """
    scales = _scales(np.geomspace(1, 64, 200) if scales is None else scales)
    if len(np.unique(scales)) < 2:
        raise ValueError(f"fit_exponents: {len(scales)} scale(s) given; an exponent takes two different ones at least")
    rows = []
    for each in [named_strategy(each) for each in _several(strategies)]:
        frame = sweep(network, each, scales, stages=False)
        for metric in METRICS:
            x, y = np.log(scales), np.log(frame[metric].to_numpy(dtype=float))
            slope, offset = np.polyfit(x, y, 1)
            residual = np.expm1(np.abs(y - (slope * x + offset)).max())
            law = getattr(each.laws, metric)
            name = named_network(network).name
            rows.append((name, each.name, metric, law, slope, residual, scales.min(), scales.max()))
    names = ["network", "strategy", "metric", "law", "fitted", "residual", "scale_from", "scale_to"]
    return pd.DataFrame(rows, columns=names)
