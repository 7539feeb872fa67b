"""Laws of counts, measured on networks of any kind, beside those of the paper."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from .._common.frames import rows as rows_of
from .._common.wording import counted
from ..architectures.counting import METRICS, complexity, layers
from ..architectures.definition import Network
from ..architectures.resolutions import each_side
from ..architectures.traced.module_family import doubling_exponent, law_text
from ..architectures.zoo import families
from ..architectures.zoo import network as named_network
from ..scaling.rounding import scale
from .claims import BEYOND, Claim

# Exponents of depth, width and resolution (Dollár, Singh, Girshick, 2021, section 3).
PAPER_LAWS = {"flops": (1, 2, 2), "params": (1, 2, 0), "activations": (1, 1, 2)}
PAPER_ROW = "the paper's law"
ATTENTION_GROWTH = 4  # a matrix of attention has an element for each pair of tokens, and there are r² of these


def measured_laws(networks: Iterable[Network | str]) -> pd.DataFrame:
    """Measure the exponents by which counts grow with depth, width and resolution, each doubled.

    Arguments:
        networks: as Networks or names.

    Returns:
        One row per network, metric and size. Columns network, metric, size ("d", "w" or "r"), law (the paper's
        exponent), measured.

    Raises:
        NetworkError: there is no such network.
    """
    rows, bases = [], {each.name: each for each in map(named_network, networks)}
    for base in bases.values():
        doubled = {
            "d": scale(base, depth=2),
            "w": scale(base, width=2),
            "r": scale(base, resolution=each_side(lambda side: 2 * side, base.resolution)),
        }
        before, after = complexity(base), {size: complexity(each) for size, each in doubled.items()}
        for metric in METRICS:
            for (size, counts), law in zip(after.items(), PAPER_LAWS[metric], strict=True):
                grown = doubling_exponent(getattr(counts, metric), getattr(before, metric))
                rows.append((base.name, metric, size, law, grown))
    return pd.DataFrame(rows, columns=["network", "metric", "size", "law", "measured"])


def laws_table(laws: pd.DataFrame) -> pd.DataFrame:
    """Write measured laws as powers of d, w and r, with the paper's in the first row.

    Arguments:
        laws: of `measured_laws`.

    Returns:
        Index: network. Columns flops, params, activations: texts such as "d^0.97 w^1.98 r^2.00".
    """
    rows = {PAPER_ROW: {metric: law_text(law) for metric, law in PAPER_LAWS.items()}}
    for network, part in laws.groupby("network", sort=False):
        rows[str(network)] = {str(metric): law_text(each["measured"]) for metric, each in part.groupby("metric")}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(PAPER_LAWS))
    return table.rename_axis(index="network")


def laws_by_family(metric: str) -> pd.DataFrame:
    """Measure the laws of all networks of the zoo, and tell the range of each family.

    Arguments:
        metric: flops, params or activations.

    Returns:
        Index: family. Columns networks (how many), and d, w, r: the lowest and the highest exponent, as text.
    """
    rows = {PAPER_ROW: {"networks": "", **dict(zip("dwr", map(str, PAPER_LAWS[metric]), strict=True))}}
    for family, names in families().items():
        laws = measured_laws(names)
        by = laws[laws["metric"] == metric].groupby("size")["measured"]
        ranges = {size: _range(part) for size, part in by}
        rows[family] = {"networks": str(len(names)), **ranges}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["networks", *"dwr"]).rename_axis(index="family")


def attention_by_resolution(networks: Iterable[Network | str], resolutions: Iterable[int]) -> pd.DataFrame:
    """Count the multiply-adds of attention at several resolutions.

    Networks without attention have no rows.

    Arguments:
        networks: as Networks or names.
        resolutions: sides of the image in pixels.

    Returns:
        One row per network and resolution. Columns network, resolution, flops (multiply-adds), attention_flops (of
        the products of queries and keys, and of these with values), share (of the flops), growth (exponent of
        resolution by which attention_flops grow when it is doubled), activations, attention_matrices (elements).

    Raises:
        NetworkError: there is no such network, or a resolution is no whole number above 0.
    """
    rows, bases = [], {each.name: each for each in map(named_network, networks)}
    for base in [each for each in bases.values() if each.has_tokens]:
        for side in dict.fromkeys(resolutions):
            at, counts = named_network(base, resolution=side), complexity(base, resolution=side)
            flops, matrices = _attention(at)
            growth = doubling_exponent(_attention(named_network(base, resolution=2 * side))[0], flops)
            share = flops / counts.flops
            rows.append((base.name, side, counts.flops, flops, share, growth, counts.activations, matrices))
    columns = ["network", "resolution", "flops", "attention_flops", "share", "growth", "activations"]
    return pd.DataFrame(rows, columns=[*columns, "attention_matrices"])


def attention_table(attention: pd.DataFrame) -> pd.DataFrame:
    """Tabulate attention's share of the flops by resolution.

    Arguments:
        attention: of `attention_by_resolution`.

    Returns:
        Index: network. One column per resolution ("224 px"), with the share in percent, as text.
    """
    rows = {}
    for network, part in attention.groupby("network", sort=False):
        rows[str(network)] = {f"{row.resolution} px": f"{row.share:.1%}" for row in rows_of(part)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(index="network")


def measured_law_claims(laws: pd.DataFrame, networks: Iterable[Network | str], tolerance: float) -> list[Claim]:
    """Claim that measured laws are the paper's.

    Of each network and metric the exponent that is farthest off is judged.

    Arguments:
        laws: of `measured_laws`.
        networks: that are judged, as Networks or names; the rows of others are ignored.
        tolerance: on the exponents.
    """
    claims, names = [], [named_network(each).name for each in networks]
    for (network, metric), part in laws[laws["network"].isin(names)].groupby(["network", "metric"], sort=False):
        worst = max(rows_of(part), key=lambda row: abs(row.measured - row.law))
        text = f"{metric} of {network}: exponent of {worst.size}, the farthest from the law"
        details = f"one doubling each: {law_text(part['measured'])}"
        claims.append(Claim(text, worst.law, worst.measured, tolerance, scope=BEYOND, details=details))
    return claims


def attention_claims(attention: pd.DataFrame, tolerance: float) -> list[Claim]:
    """Claim that attention grows as r⁴, even where its exponent is farthest from that.

    Arguments:
        attention: of `attention_by_resolution`; without rows there is nothing to claim.
        tolerance: on the exponent.
    """
    if not len(attention):
        return []
    worst = max(rows_of(attention), key=lambda row: abs(row.growth - ATTENTION_GROWTH))
    doublings = counted(len(attention), "doubling")
    details = f"{worst.network}, from {worst.resolution} to {2 * worst.resolution} px, of {doublings}"
    text = "multiply-adds of attention: exponent of r, the farthest from 4"
    return [Claim(text, ATTENTION_GROWTH, worst.growth, tolerance, scope=BEYOND, details=details)]


def attention_matrices(network: Network) -> int:
    """Count the elements of a network's attention matrices, which are no activations."""
    return _attention(network)[1]


def _attention(network: Network) -> tuple[int, int]:
    """Count the multiply-adds and the matrices' elements of attention."""
    if not network.has_tokens:
        return 0, 0
    table = layers(network)
    return int(table.loc[table["kind"] == "attention", "flops"].sum()), int(table["attention_matrices"].sum())


def _range(values: pd.Series) -> str:
    low, high = (f"{each:.2f}" for each in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"
