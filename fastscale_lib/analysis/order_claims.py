"""Claims on the growth of activations, and on the order of activations and times."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

import pandas as pd

from .._common.device_kinds import CUDA
from .._common.wording import counted
from ..scaling.strategies import strategy as named_strategy
from .accuracy import growth
from .claims import BEYOND, Claim, place
from .regime_tables import predicted_cases

_DESIGNED_EXPONENT = 0.5  # of activations of designed RegNets (Radosavovic et al., 2020)


def growth_claims(frame: pd.DataFrame, strategies: Sequence[str], tolerance: float) -> list[Claim]:
    """Claim the exponents by which activations grow with flops.

    Arguments:
        frame: of `regimes`.
        strategies: names of those to judge.
        tolerance: on the exponents.

    Returns:
        One claim per designed family; and one per strategy, on the base network whose exponent is farthest from the
        law. All are beyond the paper, whose laws are those of large s.
    """
    claims = []
    designed = frame[frame["strategy"] == "designed"].drop_duplicates("regime")
    for family, rows in designed.groupby(designed["regime"].str.split("-").str[0], sort=False):
        text = f"exponent of activations, designed {family} (Radosavovic et al.)"
        details = counted(len(rows), "network")
        claims.append(Claim(text, _DESIGNED_EXPONENT, growth(rows), tolerance, scope=BEYOND, details=details))
    laws = _exponents(strategies)
    for name, rows in frame[frame["strategy"].isin(strategies)].groupby("strategy", sort=False):
        grown = {base: growth(each) for base, each in rows.groupby("network", sort=False)}
        base = (pd.Series(grown) - laws[name]).abs().fillna(-1).idxmax()
        details = f"{base} and its regimes" if grown[base] > 0 else "a growth takes two regimes"
        text = f"exponent of activations of networks scaled by {name}"
        claims.append(Claim(text, laws[name], grown[base], tolerance, scope=BEYOND, details=details))
    return claims


def order_claim(activations: pd.DataFrame, strategies: Sequence[str]) -> Claim:
    """Claim that activations at equal flops are in the order of the strategies' laws.

    Near the base rounding may swap two, of which the paper says nothing: the claim is beyond it.

    Arguments:
        activations: one row per network and regime, one column per strategy.
        strategies: names of the columns to compare, pair by pair.
    """
    text = "number of pairs with activations in another order than the laws'"
    pairs = math.comb(len(strategies), 2) * len(activations)
    if len(strategies) < 2:
        return Claim(text, 0, None, scope=BEYOND, details="an order takes two strategies")
    return Claim(text, 0, _count_swapped(activations, strategies), scope=BEYOND, details=counted(pairs, "pair"))


def time_order_claims(every: pd.DataFrame, strategies: Sequence[str], mode: str) -> list[Claim]:
    """Claim that predicted times at equal flops are in the order of the laws of activations.

    The number found is how many pairs are in another order. A pair is surely in an order where the ratio of its times
    stays on its side of 1 when it is divided or multiplied by the wider 90 % band of the two. The lower end of the
    interval counts those surely in the other order, the upper end all that are not surely in the laws'. That no pair is
    swapped is more than the paper says: the claims are beyond it.

    Arguments:
        every: of `times_by_regime`.
        strategies: names of those to compare, pair by pair.
        mode: of the times, "inference" or "training".

    Returns:
        One claim per case; and one on a GPU that is not tested, where none is of a GPU.
    """
    text = "number of pairs with times in another order than the laws of activations"
    claims, cases = [], predicted_cases(every)
    for case, rows in every.dropna(subset="ms_per_image").groupby("case", sort=False):
        info = cases.loc[case]
        orders = [order for _, own in rows.groupby(["network", "regime"]) for order in _orders(own, strategies)]
        off = f"median error {info['error']:.0%}, nine in ten within {info['widest_90']:.0%}"
        where = f"{text}, on {place(info['device'])} ({info['named']})"
        if not orders:
            none = "the laws order no two of these strategies"
            claims.append(Claim(where, 0, None, scope=BEYOND, evidence="predicted", details=none))
            continue
        claims.append(
            Claim(
                where,
                0,
                sum(found < 0 for found, _ in orders),
                scope=BEYOND,
                evidence="predicted",
                details=f"rows of {case}, of {info['source']}, {off}; {counted(len(orders), 'pair')}",
                low=sum(sure < 0 for _, sure in orders),
                high=sum(sure <= 0 for _, sure in orders),
            )
        )
    if not cases["device"].eq(CUDA.name).any():
        missing = f"no times predicted from rows of a GPU, of {mode}"
        claims.append(Claim(f"{text}, on a GPU", 0, None, scope=BEYOND, evidence="predicted", details=missing))
    return claims


def _orders(own: pd.DataFrame, strategies: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield each pair's order: 1 as the laws say, -1 the other way, 0 for unsure.

    First by the predicted times themselves, then by their bands.
    """
    law, times = _exponents(strategies), own.set_index("strategy")
    for few, many in combinations(sorted(law, key=law.__getitem__), 2):
        if law[few] < law[many] and {few, many} <= set(times.index):
            pair = times.loc[[few, many]]
            ratio = times.loc[many, "ms_per_image"] / times.loc[few, "ms_per_image"]
            off = (pair["high_90_ms"] / pair["ms_per_image"]).max()
            yield int(ratio > 1) - int(ratio < 1), int(ratio > off) - int(ratio < 1 / off)


def count_within(changed: pd.Series, same: pd.Series) -> int:
    """Count the numbers that lie within the range of others.

    Arguments:
        changed: as the gaps between two tables of networks that were scaled in one and designed in the other.
        same: as the gaps of networks that are the same in both, which show what the tables' training does.
    """
    return int(changed.between(same.min(), same.max()).sum())


def scaled_and_designed_claim(gaps: pd.Series, scaled: pd.Series, tolerance: float) -> Claim:
    """Claim that scaled networks have no higher error than designed ones of the same flops.

    The errors are from two tables with different training. Networks that are the same in both tables show how large
    that difference is. If any of the scaled networks differs by no more, the claim is not tested.

    Arguments:
        gaps: for each network, error in the table with the scaled ones less error in the other, in percentage points.
        scaled: for each network, whether it was scaled in the first table; index as of `gaps`.
        tolerance: in percentage points.
    """
    same, other = gaps[~scaled], gaps[scaled]
    alike = count_within(other, same)
    gained = f"{-same.max():.1f} to {-same.min():.1f} points"
    details = f"pycls and Early Convolutions, which train differently, by {gained}"
    why = f"training differs: of the same networks, errors differ by {gained}"
    return Claim(
        "error of RegNetY at equal flops, in points: scaled by dWr less designed",
        0,
        None if alike else (other - same.mean()).max(),
        tolerance,
        scope=BEYOND,
        evidence="published",
        details=f"{why}, as for {alike} of {counted(len(other), 'scaled network')}" if alike else details,
        relation="<",
    )


def _exponents(strategies: Sequence[str]) -> dict[str, float]:
    return {name: float(named_strategy(name).laws.activations) for name in strategies}


def _count_swapped(values: pd.DataFrame, strategies: Sequence[str]) -> int:
    """Count rows and pairs of columns with values in another order than the laws of activations."""
    law = _exponents(strategies)
    pairs = combinations(strategies, 2)
    return sum(int(((values[a] - values[b]) * (law[a] - law[b]) < 0).sum()) for a, b in pairs)
