"""Scaling laws beside counted networks: tables, and claims that the counts follow the laws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from .._common.frames import dicts
from .._common.frames import rows as rows_of
from .._common.wording import counted, listed
from ..architectures.counting import METRICS, complexity
from ..architectures.definition import Network
from ..architectures.parts import Metric
from ..architectures.zoo import network as named_network
from ..scaling.matched import equal_flops
from ..scaling.strategies import StrategyLike
from ..scaling.strategies import strategy as named_strategy
from .claims import BEYOND, PAPER, Claim, kind_of_network, scope_of

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


def exponents_beside_laws(equal: pd.DataFrame) -> pd.DataFrame:
    """Arrange exponents of activations by strategy, beside their laws.

    Arguments:
        equal: of `growth_at_equal_flops`.

    Returns:
        Index: strategy. Columns: law (a Fraction), and one per network.
    """
    exponents = equal["exponent"].unstack("network", sort=False)
    exponents.columns.name = None
    exponents.insert(0, "law", equal["law"].groupby("strategy").first())
    return exponents


def distance_from_laws(fits: pd.DataFrame) -> pd.DataFrame:
    """Find the largest distance of fitted exponents from their laws, over all networks.

    Arguments:
        fits: rows of `fit_exponents`, of one or several ranges of scale factors.

    Returns:
        Index: strategy. Columns: range of scale factors ("s from 1 to 64"), metric.
    """
    off = (fits["fitted"] - fits["law"].astype(float)).abs()
    by = [_ranges(fits), fits["metric"], fits["strategy"]]
    table = off.groupby(by, sort=False).max().unstack([0, 1])
    table.columns.names = [None, None]
    return table


def _ranges(fits: pd.DataFrame) -> pd.Series:
    ends = zip(fits["scale_from"], fits["scale_to"], strict=True)
    return pd.Series([f"s from {low:,.7g} to {high:,.7g}" for low, high in ends], fits.index, dtype=object)


def growth_text(counts: pd.DataFrame, metrics: Iterable[Metric] = ("activations", "params")) -> str:
    """Say how counts have grown at the largest scale factor, beside the laws.

    Arguments:
        counts: rows of `sweep`, of one or several base networks.
        metrics: that are told; default: activations and params.
    """
    largest = counts[counts["scale"] == counts["scale"].max()]
    scale, said = float(largest["scale"].iloc[0]), []
    for network, rows in largest.groupby("network", sort=False):
        base = complexity(str(network))
        told = [_growth(dicts(rows), metric, getattr(base, metric), scale) for metric in metrics]
        said.append(f"{network} has {', and '.join(told)}")
    return f"At s = {scale:g}, with the laws' values in parentheses, {'; '.join(said)}."


def _growth(rows: list[dict[str, Any]], metric: Metric, base: float, scale: float) -> str:
    laws = [scale ** float(getattr(named_strategy(row["strategy"]).laws, metric)) for row in rows]
    times = [f"{row[metric] / base:.3g} ({law:.3g})" for row, law in zip(rows, laws, strict=True)]
    first, *rest = [f"under {row['strategy']}" for row in rows]
    told = [f"{times[0]} times its {metric} {first}", *(f"{x} {way}" for x, way in zip(times[1:], rest, strict=True))]
    return listed(told)


def equal_flops_text(equal: pd.DataFrame, scale: float) -> str:
    """Say whether activations at equal flops follow the laws, and which is farthest off.

    Arguments:
        equal: of `growth_at_equal_flops`.
        scale: target flops relative to the base network, as there.
    """
    swapped = _swapped(equal)
    known = equal.dropna().reset_index()
    if not len(known):
        return "At the flops of the base network nothing grows, so there are no exponents."
    row = known.loc[(known["exponent"] - known["law"].astype(float)).abs().idxmax()]
    order = "all have" if not sum(swapped) else f"all but {sum(swapped)} have"
    pairs = f"of {counted(len(swapped), 'pair')} of strategies whose laws differ, {order} activations in their order"
    said = f"**What came out.** At {scale:g} times the flops, " + f"{pairs}; " * bool(swapped)
    return (
        f"{said}the exponent farthest from its law is that of {row['strategy']} for {row['network']}, "
        f"{row['exponent']:.3f} where the law is {float(row['law']):.3f}."
    )


def fits_text(fits: pd.DataFrame) -> str:
    """Say how far fitted exponents lie from their laws, in each range of scale factors.

    Arguments:
        fits: rows of `fit_exponents`, of one or several ranges.
    """
    off = fits["fitted"] - fits["law"].astype(float)
    said = []
    for span, rows in fits.assign(off=off).groupby(_ranges(fits), sort=False):
        row = rows.loc[rows["off"].abs().idxmax()]
        said.append(
            f"Fitted for {span}, exponents differ from the laws by at most {abs(row['off']):.3f} ({row['metric']} of "
            f"{row['network']} under {row['strategy']}); {int((rows['off'] < 0).sum())} of {len(rows)} are too low."
        )
    return " ".join(said)


def exponent_claims(fits: pd.DataFrame, tolerance: float) -> list[Claim]:
    """Claim that counts follow the laws for large s, even of the farthest network.

    Kinds of networks that the paper does not speak of are judged apart, beyond it.

    Arguments:
        fits: rows of `fit_exponents`, of one range of large scale factors.
        tolerance: on the exponents.
    """
    off = (fits["fitted"] - fits["law"].astype(float)).abs()
    kinds = fits["network"].map(kind_of_network)
    farthest = fits.loc[off.groupby([fits["metric"], fits["strategy"], kinds], sort=False).idxmax()]
    claims = []
    for row in rows_of(farthest):
        text, scope = f"{row.metric} under {row.strategy}, for large s", scope_of(row.network)
        text += f", {kind_of_network(row.network)}" * (scope == BEYOND)
        central = row.metric == "activations" and scope == PAPER
        shared: dict[str, Any] = {"details": row.network, "scope": scope}
        shared["headline"] = {"dWr": "fast", "dwr": "compound"}.get(row.strategy, "") if central else ""
        shared["words"] = f"as s to the power {{}} (the law says {float(row.law):.2f})"
        claims.append(Claim(text, row.law, row.fitted, tolerance, **shared))
    return claims


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
    swapped = _swapped(equal)
    text = f"pairs of strategies in another order than the laws', at {scale:g}× flops"
    return Claim(text, 0, sum(swapped) if swapped else None, scope=BEYOND, details=counted(len(swapped), "pair"))


def _swapped(equal: pd.DataFrame) -> list[bool]:
    """Compare the order of each pair of strategies with that of their laws, network by network.

    Pairs of one law have no order.
    """
    networks = [rows for _, rows in equal.dropna().groupby(level="network")]
    pairs = [pair for rows in networks for pair in combinations(rows_of(rows), 2)]
    return [(one.law - two.law) * (one.exponent - two.exponent) < 0 for one, two in pairs if one.law != two.law]
