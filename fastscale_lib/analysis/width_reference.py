"""Networks scaled to the flops that width scaling gives, and what they cost beside it."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import combinations

import numpy as np
import pandas as pd

from .._common.frames import rows as rows_of
from .._common.wording import counted
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..scaling.rounding import scale as scaled_network
from ..scaling.strategies import strategy as named_strategy
from ..scaling.targets import scale_to
from .claims import BEYOND, Claim
from .laws_measured import attention_matrices

_WIDTH = "w"
_COUNTS = ["flops", "params", "activations", "attention_matrices"]


def beside_width(networks: Iterable[Network | str], strategies: Iterable[str], scale: float) -> pd.DataFrame:
    """Scale networks by strategies to the flops that each has when it is scaled by w.

    A vision transformer grows by whole heads: a target that its width reaches exactly is the fairer one.

    Arguments:
        networks: base networks, as Networks or names.
        strategies: names of strategies.
        scale: scale factor s of the network that is scaled by w.

    Returns:
        One row per network and strategy. Columns network, strategy, flops, params, activations, attention_matrices
        (elements; all counted), each of these with the ending _to_w (relative to the network scaled by w; NaN where
        there is none), times (flops relative to the base network's), exponent (of the growth of activations, over
        that of flops), law (of activations by the strategy, a Fraction), matrices_exponent and matrices_law (the same
        of attention matrices; NaN where there are none), depths, widths, resolution.

    Raises:
        NetworkError: there is no such network.
        StrategyError: there is no such strategy, or scale is not above 0.

    Warns:
        TargetWarning: the nearest network is more than 1 % off the flops.
    """
    ways, rows = [named_strategy(each) for each in strategies], []
    for base in map(named_network, networks):
        wide = scaled_network(base, _WIDTH, scale)
        before, target = _counts(base), _counts(wide)
        for way in ways:
            made = wide if way.name == _WIDTH else scale_to(base, way, flops=int(target["flops"]))
            counts = _counts(made)
            grown = np.log((counts / before).where(before > 0))
            rows.append(
                {
                    "network": base.name,
                    "strategy": way.name,
                    **counts.astype(int),
                    **(counts / target.where(target > 0)).add_suffix("_to_w"),
                    "exponent": grown["activations"] / grown["flops"],
                    "times": counts["flops"] / before["flops"],
                    "law": way.laws.activations,
                    "matrices_exponent": grown["attention_matrices"] / grown["flops"],
                    "matrices_law": _matrices_law(way.exponents) if before["attention_matrices"] else np.nan,
                    "depths": made.depths,
                    "widths": made.widths,
                    "resolution": made.resolution,
                }
            )
    return pd.DataFrame(rows)


def relative_table(equal: pd.DataFrame) -> pd.DataFrame:
    """Tabulate what strategies cost relative to w, with the sizes of the networks.

    Arguments:
        equal: of `beside_width`.

    Returns:
        Index: network, strategy. Columns flops, activations, attention matrices, params (relative to w; two digits, a
        dash where there are none), depths and widths (as text: 3-3-9-3), resolution.
    """
    shown = {name: name.replace("_", " ") for name in ("flops", "activations", "attention_matrices", "params")}
    table = equal.set_index(["network", "strategy"])
    counts = table[[f"{name}_to_w" for name in shown]].set_axis(list(shown.values()), axis="columns")
    texts = counts.map(lambda value: "–" if pd.isna(value) else f"{value:.2f}")
    stages = table[["depths", "widths"]].map(lambda sizes: "-".join(map(str, sizes)))
    return texts.join(stages).join(table["resolution"])


def exponents_table(equal: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the exponents of activations and attention matrices, beside their laws.

    Arguments:
        equal: of `beside_width`.

    Returns:
        Index: strategy. Columns: law, each network, law of matrices, "matrices of" each network that has any.
    """
    numbers = equal.astype({"law": float, "matrices_law": float})
    by = numbers.groupby("strategy", sort=False)
    parts = {"law": by["law"].first()}
    parts |= {
        str(name): part.set_index("strategy")["exponent"] for name, part in numbers.groupby("network", sort=False)
    }
    with_matrices = numbers.dropna(subset="matrices_exponent")
    if len(with_matrices):
        parts["law of matrices"] = with_matrices.groupby("strategy", sort=False)["matrices_law"].first()
    for name, part in with_matrices.groupby("network", sort=False):
        parts[f"matrices of {name}"] = part.set_index("strategy")["matrices_exponent"]
    return pd.DataFrame(parts)


def beside_width_claims(equal: pd.DataFrame, tolerance: float) -> list[Claim]:
    """Claim that activations grow by the paper's laws, and attention matrices as they do.

    Of the exponents of a network's activations the one that is farthest off is judged; how many pairs of strategies
    are in another order than the laws', and each exponent of attention matrices, are judged by themselves.

    Arguments:
        equal: of `beside_width`.
        tolerance: on the exponents.
    """
    return [*_exponent_claims(equal, tolerance), *_order_claims(equal), *_matrices_claims(equal, tolerance)]


def _exponent_claims(equal: pd.DataFrame, tolerance: float) -> list[Claim]:
    claims = []
    for network, part in equal.groupby("network", sort=False):
        worst = max(rows_of(part), key=lambda row: abs(row.exponent - float(row.law)))
        text = f"activations of {network} at equal flops: exponent under {worst.strategy}, the farthest from its law"
        details = f"counted at {_times(part)} flops"
        claims.append(Claim(text, worst.law, worst.exponent, tolerance, scope=BEYOND, details=details))
    return claims


def _order_claims(equal: pd.DataFrame) -> list[Claim]:
    claims = []
    for network, part in equal.groupby("network", sort=False):
        pairs = list(combinations(rows_of(part), 2))
        swapped = [(one.law - two.law) * (one.activations - two.activations) < 0 for one, two in pairs]
        text = f"pairs of strategies with activations of {network} in another order than the laws'"
        found = sum(swapped) if pairs else None
        claims.append(
            Claim(text, 0, found, scope=BEYOND, details=f"{counted(len(pairs), 'pair')} at {_times(part)} flops")
        )
    return claims


def _matrices_claims(equal: pd.DataFrame, tolerance: float) -> list[Claim]:
    return [
        Claim(
            f"attention matrices of {row.network} under {row.strategy}: exponent, as of activations",
            row.law,
            row.matrices_exponent,
            tolerance,
            scope=BEYOND,
            details=f"their own law is {row.matrices_law}",
        )
        for row in rows_of(equal.dropna(subset="matrices_exponent"))
    ]


def _counts(network: Network) -> pd.Series:
    counts = [*complexity(network), attention_matrices(network)]
    return pd.Series([float(each) for each in counts], _COUNTS)


def _matrices_law(exponents: tuple[Fraction, ...]) -> Fraction:
    """Return the exponent of s of attention matrices: of r⁴ elements each, w / 64 a block."""
    d, w, _, r = exponents
    return d + w + 4 * r


def _times(part: pd.DataFrame) -> str:
    return f"{part['times'].mean():.3g}×"
