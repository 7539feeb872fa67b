"""Networks scaled to equal flops, and to the flops of larger networks of their family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.parts import NetworkError
from ..architectures.provenance import GROUP_WIDTHS, GroupWidths
from ..architectures.zoo import family_of
from ..architectures.zoo import network as named_network
from .module_scaling import network_or_family
from .strategies import (
    NetworksLike,
    ScalesLike,
    StrategiesLike,
    Strategy,
    alpha_of,
    as_list,
    named_strategy,
    scale_factor,
)
from .targets import scale_to


def equal_flops(
    networks: NetworksLike,
    strategies: StrategiesLike,
    scales: ScalesLike,
    *,
    group_widths: GroupWidths = GROUP_WIDTHS[0],
) -> pd.DataFrame:
    """Scale each network by each strategy to the same flops, within 1 %, by `scale_to`.

    Arguments:
        networks: one or several base networks, as Networks, names or Families.
        strategies: one or several; a number is an α.
        scales: one or several target flops, relative to the base network's.
        group_widths: what they are rounded to, as for `scale`.

    Returns:
        One row per network, scale and strategy, in that order. Columns network, strategy, alpha (NaN outside the α
        family), scale, scaled (the Network), flops, params, activations.

    Raises:
        NetworkError: there is no such network.
        StrategyError: there is no such strategy, a scale is not above 0, or group_widths is wrong as for `scale`.

    Warns:
        TargetWarning: the nearest network is more than 1 % off.
    """
    bases = [network_or_family(each) for each in as_list(networks)]
    ways = [named_strategy(each) for each in as_list(strategies)]
    rows = []
    for base in bases:
        for s in map(scale_factor, as_list(scales)):
            for way in ways:
                scaled = scale_to(base, way, flops=s * complexity(base).flops, group_widths=group_widths)
                rows.append((base.name, way.name, alpha_of(way), s, scaled, *complexity(scaled)))
    names = ["network", "strategy", "alpha", "scale", "scaled", "flops", "params", "activations"]
    return pd.DataFrame(rows, columns=names)


DESIGNED = "designed"  # in place of a strategy, for networks that are not scaled
_LARGER = 1.2  # times the flops of the base: nearer networks of its family make no regime of their own


def larger(network: Network | str) -> list[str]:
    """List the base networks of a network's family that have more than 1.2 times its flops.

    These are the targets of `regimes`.

    Arguments:
        network: a Network, or the name of a base network.

    Raises:
        NetworkError: there is no such network.
    """
    base = named_network(network)
    smallest = _LARGER * complexity(base).flops
    return [name for name in family_of(base) if complexity(name).flops > smallest]


def regimes(networks: NetworksLike, strategies: StrategiesLike) -> pd.DataFrame:
    """Scale base networks to the flops of the larger networks of their families, and list both.

    Arguments:
        networks: one or several base networks, as Networks or names.
        strategies: one or several.

    Returns:
        One row per base network, strategy and larger network. Columns regime (the larger network's name), network (the
        base's), strategy ("designed" for the larger network itself), alpha, scale (flops relative to the base's),
        scaled (the Network), flops (multiply-adds), params, activations, resolution, depths, widths, group_widths.

    Raises:
        NetworkError: there is no such network, or it is the largest of its family.
        StrategyError: there is no such strategy.
    """
    bases = [named_network(each) for each in as_list(networks)]
    ways = [named_strategy(each) for each in as_list(strategies)]
    if not (bases and ways):
        raise NetworkError("regimes: there is nothing to scale; give at least one network and one strategy")
    frame = pd.concat([_scaled_and_designed(each, ways) for each in bases], ignore_index=True)
    for name in ("resolution", "depths", "widths", "group_widths"):
        frame[name] = [getattr(each, name) for each in frame["scaled"]]
    return frame


def _scaled_and_designed(base: Network, strategies: Sequence[Strategy]) -> pd.DataFrame:
    designed = [named_network(name) for name in larger(base)]
    if not designed:
        raise NetworkError(f"regimes: {base.name} has no larger network of its family in the zoo; give a smaller base")
    scales = [complexity(each).flops / complexity(base).flops for each in designed]
    ways = {"network": base.name, "strategy": DESIGNED, "alpha": np.nan, "scale": scales, "scaled": designed}
    counted = pd.DataFrame([complexity(each) for each in designed]).assign(**ways)
    names = dict(zip(scales, (each.name for each in designed), strict=True))
    both = pd.concat([equal_flops(base, strategies, scales), counted], ignore_index=True)
    return both.assign(regime=both["scale"].astype(float).map(names))
