"""Scaling laws beside counted networks: tables, and claims that the counts follow the laws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from .._common.frames import rows as rows_of
from ..architectures.counting import METRICS, complexity
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..scaling.grids import sweep
from ..scaling.matched import equal_flops
from ..scaling.strategies import StrategyLike
from ..scaling.strategies import strategy as named_strategy
from .claims import BEYOND, Claim

_SIZES = ["depth", "width", "group width", "resolution"]


def base_counts(networks: Iterable[Network | str]) -> pd.DataFrame:
    """Count base networks.

    Arguments:
        networks: as Networks or names.

    Returns:
        Index: network. Columns: flops (multiply-adds), params, activations.

    Raises:
        NetworkError: there is no such network.
    """
    bases = [named_network(each) for each in networks]
    index = pd.Index([each.name for each in bases], name="network")
    return pd.DataFrame([complexity(each) for each in bases], index=index)


def law_table(strategies: Iterable[str] | Mapping[str, StrategyLike]) -> pd.DataFrame:
    """List the exponents of s by which sizes and counts grow (section 3 of the paper).

    Arguments:
        strategies: names of strategies, or strategies by the name of their row.

    Returns:
        One row per strategy, by name. Columns, as Fractions: depth, width, group width, resolution, flops, params,
        activations.

    Raises:
        StrategyError: there is no such strategy.
    """
    ways = strategies if isinstance(strategies, Mapping) else {name: name for name in strategies}
    found = {name: named_strategy(way) for name, way in ways.items()}
    table = {name: (*way.exponents, *way.laws) for name, way in found.items()}
    return pd.DataFrame.from_dict(table, orient="index", columns=[*_SIZES, *METRICS])


def relative_to_base(rows: pd.DataFrame, networks: Iterable[Network | str]) -> pd.DataFrame:
    """Divide the counts of scaled networks by those of their base networks.

    Arguments:
        rows: of `sweep` or `equal_flops`, at one scale factor.
        networks: the base networks, as Networks or names.

    Returns:
        Index: network, strategy. Columns: flops, params, activations.

    Raises:
        NetworkError: there is no such network.
    """
    counts = rows.set_index(["network", "strategy"])[list(METRICS)]
    return counts.div(base_counts(networks), level="network")


def relative_to_width(networks: Sequence[Network | str], strategies: Iterable[str], scale: float) -> pd.DataFrame:
    """Divide the counts of scaled networks by those of the same network scaled by w.

    Arguments:
        networks: base networks, as Networks or names.
        strategies: names of strategies.
        scale: scale factor of flops, before rounding.

    Returns:
        Index: network. Columns: metric (activations, flops), strategy.

    Raises:
        NetworkError: there is no such network.
        StrategyError: there is no such strategy, or the scale factor is not above 0.
    """
    ways = [named_strategy(name).name for name in dict.fromkeys([*strategies, "w"])]
    relative = relative_to_base(sweep(networks, ways, scale, stages=False), networks)[["activations", "flops"]]
    return (relative / relative.xs("w", level="strategy")).unstack("strategy")


def growth_at_equal_flops(networks: Iterable[Network | str], strategies: Iterable[str], scale: float) -> pd.DataFrame:
    """Scale networks to the same flops, and compute the exponents of their activations.

    Arguments:
        networks: base networks, as Networks or names.
        strategies: names of strategies.
        scale: target flops relative to the base network.

    Returns:
        Index: network, strategy. Columns: flops, params, activations (relative to the base network); law (exponent of
        activations by the law, a Fraction); exponent (as counted).

    Raises:
        NetworkError: there is no such network.
        StrategyError: there is no such strategy, or the scale factor is not above 0.
    """
    bases, ways = [named_network(each) for each in networks], list(strategies)
    equal = relative_to_base(equal_flops(bases, ways, scale), bases)
    names = equal.index.get_level_values("strategy")
    laws = pd.Series([named_strategy(name).laws.activations for name in names], equal.index, dtype=object)
    return equal.assign(law=laws, exponent=np.log(equal["activations"]) / np.log(equal["flops"]))


def distance_from_laws(fits: pd.DataFrame) -> pd.DataFrame:
    """Find the largest distance of fitted exponents from their laws, over all networks.

    Arguments:
        fits: rows of `fit_exponents`, of one or several ranges of scale factors.

    Returns:
        Index: scale_from, scale_to, metric. One column per strategy.
    """
    off = (fits["fitted"] - fits["law"].astype(float)).abs()
    by = [fits["scale_from"], fits["scale_to"], fits["metric"], fits["strategy"]]
    return off.groupby(by, sort=False).max().unstack()


def exponent_claims(fits: pd.DataFrame, tolerance: float) -> list[Claim]:
    """Claim that counts follow the laws for large s, even of the farthest network.

    Arguments:
        fits: rows of `fit_exponents`, of one range of large scale factors.
        tolerance: on the exponents.
    """
    off = (fits["fitted"] - fits["law"].astype(float)).abs()
    farthest = fits.loc[off.groupby([fits["metric"], fits["strategy"]], sort=False).idxmax()]
    return [
        Claim(f"{row.metric} under {row.strategy}, for large s", row.law, row.fitted, tolerance, details=row.network)
        for row in rows_of(farthest)
    ]


def equal_flops_claims(equal: pd.DataFrame, scale: float, tolerance: float) -> list[Claim]:
    """Claim that activations follow the laws at equal flops, even of the farthest network.

    The laws are those of large s. How near they come at one scale goes beyond the paper, as the tolerance is ours.

    Arguments:
        equal: of `growth_at_equal_flops`.
        scale: target flops relative to the base network, as there.
        tolerance: on the exponents.
    """
    equal = equal.reset_index()
    off = (equal["exponent"] - equal["law"].astype(float)).abs().fillna(np.inf)
    farthest = equal.loc[off.groupby(equal["strategy"], sort=False).idxmax()]
    text = "activations under {}, at {:g}× flops"
    return [
        Claim(text.format(row.strategy, scale), row.law, row.exponent, tolerance, scope=BEYOND, details=row.network)
        for row in rows_of(farthest)
    ]


def exponent_order_claim(equal: pd.DataFrame, scale: float) -> Claim:
    """Claim that at equal flops strategies are in the order of the laws of activations.

    At one scale rounding may swap two, of which the paper says nothing.

    Arguments:
        equal: of `growth_at_equal_flops`.
        scale: target flops relative to the base network, as there.
    """
    networks = [rows for _, rows in equal.dropna().groupby(level="network")]
    pairs = [pair for rows in networks for pair in combinations(rows_of(rows), 2)]
    swapped = [(one.law - two.law) * (one.exponent - two.exponent) < 0 for one, two in pairs]
    text = f"pairs of strategies in another order than the laws', at {scale:g}× flops"
    return Claim(text, 0, sum(swapped) if swapped else None, scope=BEYOND, details=f"{len(swapped)} pairs")
