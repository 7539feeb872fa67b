"""The laws by which counts grow with the scale factor, and the exponents that they really follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .._common.checks import AnalysisError
from ..architectures.counting import METRICS, complexity
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from .grids import sweep
from .strategies import Strategy, StrategyLike, alpha_of, as_list, scale_factors
from .strategies import strategy as named_strategy


def laws(
    networks: Sequence[Network | str], strategies: Sequence[StrategyLike], scales: Sequence[float]
) -> pd.DataFrame:
    """Compute counts by the asymptotic laws: the base network's, times s to the law's exponent.

    Flops of a stage go as d·w²·r², params as d·w², activations as d·w·r² (Dollár, Singh, Girshick, 2021, section 3).
    What grows slower than the law (stem, classifier, rounding) is in the counts of `sweep` and not in these.

    Arguments:
        networks: one or several, as Networks or names of base networks.
        strategies: one or several.
        scales: one or several scale factors of flops, above 0.

    Returns:
        One row per combination. Columns network, strategy, alpha (NaN outside the α family), scale, flops
        (multiply-adds), params, activations, as real numbers.

    Raises:
        StrategyError: there is no such strategy, or a scale is no number above 0.
        NetworkError: there is no such network.
        AnalysisError: (a ValueError) there is nothing to count.
    """
    networks = [named_network(each) for each in as_list(networks)]
    strategies = [named_strategy(each) for each in as_list(strategies)]
    if not (networks and strategies):
        raise AnalysisError("laws: there is nothing to count; give at least one network and one strategy")
    frames = [pd.DataFrame(law_columns(network, strategies, scale_factors(scales))) for network in networks]
    return pd.concat(frames, ignore_index=True)


def law_columns(network: Network, strategies: Sequence[Strategy], scales: np.ndarray) -> dict[str, Any]:
    """The columns of `laws` for one network."""
    base = complexity(network)
    columns = {
        "network": [network.name] * (len(strategies) * len(scales)),
        "strategy": np.repeat(np.array([each.name for each in strategies], dtype=object), len(scales)),
        "alpha": np.repeat([alpha_of(each) for each in strategies], len(scales)),
        "scale": np.tile(scales, len(strategies)),
    }
    for metric in METRICS:
        exponents = np.array([float(getattr(each.laws, metric)) for each in strategies])
        columns[metric] = (getattr(base, metric) * scales ** exponents[:, None]).ravel()
    return columns


def fit_exponents(
    network: Network | str, strategies: Sequence[StrategyLike], scales: Sequence[float] | None = None
) -> pd.DataFrame:
    """Fit the exponents of s that the counts of scaled networks follow.

    Each is the slope of log(count) over log(s) by least squares.

    Arguments:
        network: a Network, or the name of a base network.
        strategies: one or several.
        scales: where to count; default: 200 scale factors, evenly spaced in log s from 1 to 64.

    Returns:
        Columns network, strategy, metric, law (the exact exponent, a Fraction), fitted, residual (the largest
        deviation of a count from the fitted power law, as a fraction), scale_from, scale_to.

    Raises:
        NetworkError, StrategyError: naming the value and the rule.
        AnalysisError: (a ValueError) fewer than two different scales.
    """
    network = named_network(network)
    scales = scale_factors(np.geomspace(1, 64, 200) if scales is None else scales)
    if len(np.unique(scales)) < 2:
        raise AnalysisError(
            f"fit_exponents: {len(scales)} scale(s) given; an exponent takes two different ones at least"
        )
    rows = []
    for each in [named_strategy(each) for each in as_list(strategies)]:
        frame = sweep(network, each, scales, stages=False)
        for metric in METRICS:
            x, y = np.log(scales), np.log(frame[metric].to_numpy(dtype=float))
            slope, offset = np.polyfit(x, y, 1)
            residual = np.expm1(np.abs(y - (slope * x + offset)).max())
            law = getattr(each.laws, metric)
            rows.append((network.name, each.name, metric, law, slope, residual, scales.min(), scales.max()))
    names = ["network", "strategy", "metric", "law", "fitted", "residual", "scale_from", "scale_to"]
    return pd.DataFrame(rows, columns=names)
