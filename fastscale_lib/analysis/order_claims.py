"""Claims on growth and order: scaled and designed networks beside the laws of activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from .._common.device_kinds import CUDA
from ..scaling.strategies import strategy as named_strategy
from .accuracy import growth
from .claims import BEYOND, PAPER, Claim

_DESIGNED = 0.5  # exponent of activations of designed RegNets (Radosavovic et al., 2020)


def growth_claims(frame: pd.DataFrame, strategies: Sequence[str], tolerance: float) -> list[Claim]:
    """Claim the exponents by which activations grow with flops, of designed families and of each strategy.

    Of a strategy the network counts whose exponent is farthest from the law. Designed families are beyond the paper.

    Arguments:
        frame: of `regimes`.
        tolerance: on the exponents.
    """
    claims = []
    designed = frame[frame["strategy"] == "designed"].drop_duplicates("regime")
    for family, rows in designed.groupby(designed["regime"].str.split("-").str[0], sort=False):
        text = f"exponent of activations, designed {family} (Radosavovic et al.)"
        more: dict[str, Any] = {"scope": BEYOND, "details": f"{len(rows)} networks"}
        claims.append(Claim(text, _DESIGNED, growth(rows), tolerance, **more))
    laws = _laws(strategies)
    for name, rows in frame[frame["strategy"].isin(strategies)].groupby("strategy", sort=False):
        grown = {base: growth(each) for base, each in rows.groupby("network", sort=False)}
        base = (pd.Series(grown) - laws[name]).abs().fillna(-1).idxmax()
        details = f"{base} and its regimes" if grown[base] > 0 else "a growth takes two regimes"
        text = f"exponent of activations of networks scaled by {name}"
        claims.append(Claim(text, laws[name], grown[base], tolerance, details=details))
    return claims


def order_claim(activations: pd.DataFrame, strategies: Sequence[str]) -> Claim:
    """Claim that activations at equal flops come in the order of the strategies' laws, in every pair of strategies.

    Arguments:
        activations: a row for each network and regime, a column for each strategy.
    """
    text = "number of pairs with activations in another order than the laws'"
    pairs = len(_pairs(strategies)) * len(activations)
    if len(strategies) < 2:
        return Claim(text, 0, None, details="an order takes two strategies")
    return Claim(text, 0, _swapped(activations, strategies), details=f"{pairs} pairs")


def time_order_claims(times: pd.DataFrame, cases: pd.DataFrame, strategies: Sequence[str], mode: str) -> list[Claim]:
    """Claim that predicted times at equal flops come in the order of the laws of activations, on each device.

    The paper says so of GPUs; other devices are beyond it.

    Arguments:
        times: index case, network and regime; a column for each strategy.
        cases: by case: device ("cuda" or "cpu"), named (in words), source, error (the model's median error) and widest
            (that of the networks least like the fitted ones), as fractions.
        mode: of the times.
    """
    text = "number of pairs with times in another order than the laws of activations"
    claims = []
    for case, each in times.groupby("case", sort=False):
        told, each = cases.loc[case], each.dropna(subset=list(strategies))
        pairs = len(_pairs(strategies)) * len(each)
        off = f"median error {told['error']:.0%}, {told['widest']:.0%} of networks beyond the fitted"
        place, scope = ("a GPU", PAPER) if told["device"] == CUDA.name else ("a CPU", BEYOND)
        claims.append(
            Claim(
                f"{text}, on {place} ({told['named']})",
                0,
                _swapped(each, strategies) if pairs else None,
                scope=scope,
                evidence="predicted",
                details=f"rows of {case}, of {told['source']}, {off}; {pairs} pairs",
            )
        )
    if not cases["device"].eq(CUDA.name).any():
        missing = f"no times predicted from rows of a GPU, of {mode}"
        claims.append(Claim(f"{text}, on a GPU", 0, None, evidence="predicted", details=missing))
    return claims


def scaled_and_designed_claim(gaps: pd.Series, scaled: pd.Series, tolerance: float) -> Claim:
    """Claim that networks scaled by dWr have no higher error than designed ones of the same flops.

    Two tables are compared that train differently. Networks that are the same in both say by how much; where those
    that were scaled in one and designed in the other lie within that, nothing can be told.

    Arguments:
        gaps: error in the table with the scaled networks less that in the other, in percentage points.
        scaled: whether each network was scaled there, with the index of `gaps`.
        tolerance: percentage points.
    """
    same, other = gaps[~scaled], gaps[scaled]
    told = not other.between(same.min(), same.max()).any()
    gained = f"{-same.max():.1f} to {-same.min():.1f} points"
    details = f"pycls_zoo_v100 and early_convolutions_table2, which train differently, by {gained}"
    why = f"training differs: of the same networks, errors differ by {gained}"
    return Claim(
        "error of RegNetY at equal flops, in points: scaled by dWr less designed",
        0,
        (other - same.mean()).max() if told else None,
        tolerance,
        scope=BEYOND,
        evidence="published",
        details=details if told else f"{why}, and of scaled and designed ones by no more",
        relation="<",
    )


def _laws(strategies: Sequence[str]) -> Mapping[str, float]:
    return {name: float(named_strategy(name).laws.activations) for name in strategies}


def _pairs(strategies: Sequence[str]) -> list[tuple[str, str]]:
    return list(combinations(strategies, 2))


def _swapped(values: pd.DataFrame, strategies: Sequence[str]) -> int:
    """In how many rows and pairs of columns the values come in another order than the laws of activations."""
    law = _laws(strategies)
    return sum(((values[a] - values[b]) * (law[a] - law[b]) < 0).sum() for a, b in _pairs(strategies))
