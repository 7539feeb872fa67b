"""Asymptotic laws of counts over s, and the exponents that counts really follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from .._common.checks import AnalysisError
from ..architectures.counting import METRICS, complexity
from ..architectures.definition import Network
from ..architectures.parts import Metric
from ..architectures.token_layers import Attention, Embedding
from ..architectures.traced.module_family import Family
from ..architectures.traversal import describe, place
from .grids import sweep
from .module_scaling import network_or_family
from .strategies import (
    Exponents,
    NetworksLike,
    ScalesLike,
    StrategiesLike,
    Strategy,
    as_list,
    grid_columns,
    named_strategy,
    scale_factors,
)


def laws(networks: NetworksLike, strategies: StrategiesLike, scales: ScalesLike) -> pd.DataFrame:
    """Compute counts by the asymptotic laws: the base network's, times s to the law's exponent.

    Flops of a stage go as d·w²·r², params as d·w², activations as d·w·r² (Dollár, Singh, Girshick, 2021, section 3).
    Rounding and what grows more slowly (stem, classifier) show in the counts of `sweep`, not in these. Of a vision
    transformer, the products of attention go as d·w·r⁴ and learned positions as w·r²: they are added by these laws.
    Those of a Family are measured: see `Family.laws`.

    Arguments:
        networks: one or several, as Networks, names of base networks, or Families.
        strategies: one or several.
        scales: one or several scale factors of flops, above 0.

    Returns:
        One row per combination. Columns network, strategy, alpha (NaN outside the α family), scale, flops
        (multiply-adds), params, activations, as real numbers.

    Raises:
        StrategyError: there is no such strategy, or a scale is not above 0.
        NetworkError: there is no such network.
        AnalysisError: (a ValueError) there is nothing to count.
    """
    networks = [network_or_family(each) for each in as_list(networks)]
    strategies = [named_strategy(each) for each in as_list(strategies)]
    if not (networks and strategies):
        raise AnalysisError("laws: there is nothing to count; give at least one network and one strategy")
    frames = [pd.DataFrame(law_columns(network, strategies, scale_factors(scales))) for network in networks]
    return pd.concat(frames, ignore_index=True)


def law_columns(network: Network | Family, strategies: Sequence[Strategy], scales: np.ndarray) -> dict[str, Any]:
    """Compute the columns of `laws` for one network."""
    columns = grid_columns(network, strategies, scales)
    for metric in METRICS:
        columns[metric] = np.concatenate(
            [
                sum(part * scales ** float(exponent) for part, exponent in law_parts(network, each, metric))
                for each in strategies
            ]
        )
    return columns


def law_parts(network: Network | Family, strategy: Strategy, metric: Metric) -> list[tuple[int, Fraction | float]]:
    """List the parts of a count, and for each the exponent of s by which it grows.

    Of a Family it is one part, whose exponent (a float) is measured; the exponents of a Network are exact.
    """
    base = getattr(complexity(network), metric)
    if isinstance(network, Family):
        d, w, _, r = map(float, strategy.exponents)
        by_depth, by_width, by_side = getattr(network.laws(), metric)
        return [(base, d * by_depth + w * by_width + r * by_side)]
    other = _growing_otherwise(network)[metric]
    parts = [(base - other, getattr(strategy.laws, metric))]
    return [*parts, (other, _OTHER_LAWS[metric](strategy.exponents))] if other else parts


# For N tokens, of which there are r², the products of attention go as d·N²·w, and learned positions as N·w.
_OTHER_LAWS: dict[Metric, Callable[[Exponents], Fraction]] = {
    "flops": lambda e: e.d + e.w + 4 * e.r,
    "params": lambda e: e.w + 2 * e.r,
}


@lru_cache(maxsize=256)
def _growing_otherwise(network: Network) -> dict[Metric, int]:
    """Count multiply-adds of attention and params of positions, which have laws of their own."""
    found: dict[Metric, int] = dict.fromkeys(METRICS, 0)
    if not network.has_tokens:
        return found
    side = network.resolution
    for run in describe(network):
        for each in place(run.parts, side):
            if isinstance(each.layer, Attention):
                found["flops"] += each.layer.counts(each.side_out)[0] * run.times
            if isinstance(each.layer, Embedding):
                found["params"] += each.layer.counts(each.side_out)[1]
            side = each.side_out
    return found


def fit_exponents(networks: NetworksLike, strategies: StrategiesLike, scales: ScalesLike | None = None) -> pd.DataFrame:
    """Fit the exponents of s that the counts of scaled networks follow.

    Each is the slope of log(count) over log(s) by least squares.

    Arguments:
        networks: one or several, as Networks, names of base networks, or Families.
        strategies: one or several.
        scales: scale factors to count at; default: 200, evenly spaced in log s from 1 to 64; of a Family, each size of
            which is traced, 16.

    Returns:
        One row per network, strategy and metric. Columns network, strategy, metric, law (the exact exponent, a
        Fraction; of a vision transformer, that of the part which grows fastest; of a Family a float, measured), fitted,
        residual (the largest deviation of a count from the fitted power law, as a fraction), scale_from, scale_to.

    Raises:
        NetworkError: there is no such network.
        StrategyError: there is no such strategy, or a scale is not above 0.
        AnalysisError: (a ValueError) there are fewer than two different scales.
    """
    given = None if scales is None else scale_factors(scales)
    if given is not None and len(np.unique(given)) < 2:
        raise AnalysisError(
            f"fit_exponents: {len(given)} scale(s) given; an exponent takes at least two different ones"
        )
    rows = []
    for network, each in product(map(network_or_family, as_list(networks)), map(named_strategy, as_list(strategies))):
        points = 16 if isinstance(network, Family) else 200
        scales = np.geomspace(1, 64, points) if given is None else given
        frame = sweep(network, each, scales, stages=False)
        for metric in METRICS:
            x, y = np.log(scales), np.log(frame[metric].to_numpy(dtype=float))
            slope, offset = np.polyfit(x, y - y[0], 1)  # exactly 0 where the count stays the same
            residual = np.expm1(np.abs(y - y[0] - (slope * x + offset)).max())
            law = max(exponent for _, exponent in law_parts(network, each, metric))
            rows.append((network.name, each.name, metric, law, slope, residual, scales.min(), scales.max()))
    names = ["network", "strategy", "metric", "law", "fitted", "residual", "scale_from", "scale_to"]
    return pd.DataFrame(rows, columns=names)
