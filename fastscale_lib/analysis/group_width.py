"""What becomes of grouped convolutions when a network grows: tables, and claims with the group width kept or scaled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations

import numpy as np
import pandas as pd

from ..architectures.counting import layers
from ..architectures.definition import Network
from ..architectures.operation_lists import flops_by_kind
from ..architectures.zoo import network as named_network
from ..scaling.rounding import scale as scaled
from ..scaling.strategies import Strategy
from ..scaling.strategies import strategy as named_strategy
from .claims import Claim
from .laws_counted import law_table

_GROUPED = "conv in groups"


def grouped_laws(strategies: Iterable[str]) -> pd.DataFrame:
    """List the exponents of s by which sizes grow, and flops of dense and of grouped convolutions.

    A grouped convolution has k²·g·w·r² multiply-adds where a dense one has k²·w·w·r² (section 3 of the paper).

    Returns:
        Index the strategies' names; columns depth, width, group width, resolution, "flops, dense and 1×1" and
        "flops, in groups", as Fractions.
    """
    table = law_table(strategies)
    laws = table[["depth", "width", "group width", "resolution"]].assign(**{"flops, dense and 1×1": table["flops"]})
    laws["flops, in groups"] = table["flops"] - table["width"] + table["group width"]
    return laws


def only_width(strategies: Iterable[str]) -> list[Strategy]:
    """Select the strategies that scale nothing but width and group width, each once."""
    ways = {way.name: way for way in map(named_strategy, strategies)}
    return [way for way in ways.values() if not (way.exponents.d or way.exponents.r)]


def last_block(network: Network | str, strategies: Iterable[str], scale: float) -> pd.DataFrame:
    """List the layers of a network's last block, before scaling and under each strategy.

    Arguments:
        scale: the scale factor of flops.

    Returns:
        Index strategy ("base" for none) and name (of the layer); columns kernel, groups, read (input channels that an
        output channel reads), width_out, flops, activations, and both as multiples of the base network's.
    """
    networks = {"base": named_network(network)}
    networks |= {way.name: scaled(network, way, scale) for way in map(named_strategy, strategies)}
    blocks = {}
    for name, each in networks.items():
        convolutions = layers(each).query("kind == 'conv' and resolution_out > 1")
        block = convolutions["name"].iloc[-1].rsplit(".", 1)[0]
        last = convolutions[convolutions["name"].str.startswith(f"{block}.")]
        blocks[name] = last.assign(read=last["width_in"] // last["groups"]).set_index("name")
    table = pd.concat(blocks, names=["strategy"])[["kernel", "groups", "read", "width_out", "flops", "activations"]]
    for count in ("flops", "activations"):
        table[f"{count}, × base"] = table[count] / blocks["base"][count].reindex(table.index, level="name")
    return table


def sizes(rows: pd.DataFrame) -> pd.DataFrame:
    """List how large scaled networks are.

    Arguments:
        rows: of `equal_flops`.

    Returns:
        Index network and strategy; columns resolution (pixels), blocks, and last width (channels of the last stage).
    """
    last = [(each.resolution, sum(each.depths), each.widths[-1]) for each in rows["scaled"]]
    index = pd.MultiIndex.from_frame(rows[["network", "strategy"]])
    return pd.DataFrame(last, columns=["resolution", "blocks", "last width"], index=index)


def flops_by_kind_scaled(networks: Iterable[str], strategies: Iterable[str], scale: float) -> pd.DataFrame:
    """Count flops by kind of layer, of base networks and of their scaled networks.

    Arguments:
        scale: the scale factor of flops.

    Returns:
        Index the network's name, followed by ", " and the strategy's where it is scaled; a column for each kind.
    """
    ways, found = [named_strategy(each) for each in strategies], {}
    for name in networks:
        found[name] = flops_by_kind(name)
        found |= {f"{name}, {way}": flops_by_kind(scaled(name, way, scale)) for way in ways}
    return pd.DataFrame.from_dict(found, orient="index").fillna(0)


def grouped_exponents(
    networks: Sequence[str], strategies: Iterable[str], scale_from: float, scale_to: float
) -> pd.DataFrame:
    """Measure by which exponent of s the flops of grouped convolutions grow between two scale factors.

    Returns:
        Index the strategies, a column for each network; NaN for a network without grouped convolutions.
    """
    found = {}
    for way in map(named_strategy, strategies):
        ends = [
            [flops_by_kind(scaled(name, way, s)).get(_GROUPED, np.nan) for name in networks]
            for s in (scale_from, scale_to)
        ]
        found[way.name] = np.log(np.divide(ends[1], ends[0])) / np.log(scale_to / scale_from)
    return pd.DataFrame.from_dict(found, orient="index", columns=list(networks))


def grouped_exponent_claims(exponents: pd.DataFrame, tolerance: float) -> list[Claim]:
    """Claim that flops of grouped convolutions follow their law; the network farthest off is judged.

    Arguments:
        exponents: of `grouped_exponents`, for large scale factors.
        tolerance: on the exponents.
    """
    claims, laws = [], grouped_laws(exponents.index)["flops, in groups"]
    for name, found in exponents.T.items():
        law, known = laws[name], found.dropna()
        details, exponent = "no network with grouped convolutions", None
        if len(known):
            details = (known - float(law)).abs().idxmax()
            exponent = known[details]
        text = f"flops of grouped convolutions under {name}, large s"
        claims.append(Claim(text, law, exponent, tolerance, details=details))
    return claims


def group_width_claims(
    grown: pd.DataFrame, at_equal: pd.DataFrame, strategies: Iterable[str], scale: float, tolerance: float
) -> list[Claim]:
    """Claim what a network loses whose group width stays, beside the one whose group width follows its width.

    Fewer flops and params at the same scale factor, as many activations; and more activations at the same flops. Of
    several networks the one that is worst for the claim is judged.

    Arguments:
        grown: of `relative_to_base`, at the same scale factor.
        at_equal: the same at equal flops.
        strategies: pairs are taken that differ in the group width alone.
        scale: the scale factor.
        tolerance: on ratios of counts that are to be the same.
    """
    claims, at_scale = [], f"at s = {scale:g}"
    for follows, stays in _differing_in_group_width(strategies):
        counts, equal = (
            each.xs(stays, level="strategy") / each.xs(follows, level="strategy") for each in (grown, at_equal)
        )
        judged = [("flops", counts, at_scale, "<", 0.0), ("params", counts, at_scale, "<", 0.0)]
        judged += [("activations", counts, at_scale, "=", tolerance)]
        judged += [("activations", equal, f"at {scale:g} times the flops", ">", 0.0)]
        for metric, ratios, where, relation, allowed in judged:
            ratio = ratios[metric]
            worst = {"<": ratio, ">": -ratio, "=": (ratio - 1).abs()}[relation].idxmax()
            text = f"{metric} under {stays} over those under {follows}, {where}"
            claims.append(Claim(text, 1, ratio[worst], allowed, relation=relation, details=worst))
    return claims


def _differing_in_group_width(strategies: Iterable[str]) -> list[tuple[str, str]]:
    """Names of strategies that differ in group width alone: first the one with it as wide as the width, then fixed."""
    ways = [named_strategy(each) for each in strategies]
    alike = [(a, b) for a, b in permutations(ways, 2) if a.exponents._replace(g=0) == b.exponents._replace(g=0)]
    return [(a.name, b.name) for a, b in alike if a.exponents.g == a.exponents.w and b.exponents.g == 0]
