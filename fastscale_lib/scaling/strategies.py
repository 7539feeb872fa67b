"""Scaling strategies: how depth, width, group width and resolution grow with s.

Dollár, Singh, Girshick: Fast and Accurate Model Scaling, CVPR 2021 (below: "the paper").
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property, lru_cache
from itertools import repeat
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from .._common.checks import RealLike, real_number, several, shown
from .._common.errors import FastscaleError
from ..architectures.definition import Network
from ..architectures.traced.module_family import Family

StrategyName = Literal["d", "w", "r", "dw", "dr", "wr", "dwr", "dWr"]  # the paper's names
# The names as weights; the group width grows as the width does (section 3).
_WEIGHTS = {"d": "d1", "w": "w1_g1", "W": "w8_g8", "r": "r1"}
STRATEGIES: dict[str, str] = {name: "_".join(_WEIGHTS[letter] for letter in name) for name in get_args(StrategyName)}
_DECIMALS = 400  # of an α; the smallest float has about 340


class StrategyError(FastscaleError, ValueError):
    """A wrong strategy or scale factor; the message says what is allowed."""


class Exponents(NamedTuple):
    """Exponents of s for depth, width, group width and resolution."""

    d: Fraction
    w: Fraction
    g: Fraction
    r: Fraction


class Laws(NamedTuple):
    """Exponents of s for flops (multiply-adds), params and activations, for large s."""

    flops: Fraction
    params: Fraction
    activations: Fraction


@dataclass(frozen=True)
class Strategy:
    """A scaling strategy: the exponents of s for depth, width, group width and resolution."""

    name: str
    exponents: Exponents

    @cached_property
    def laws(self) -> Laws:
        """Exponents of s for the counts of a stage, for large s (the paper, section 3)."""
        d, w, _, r = self.exponents
        return Laws(d + 2 * w + 2 * r, d + 2 * w, d + w + 2 * r)

    @cached_property
    def alpha(self) -> Fraction | None:
        """α in [0, 1] in the family dWr (the paper, section 5); None outside the family."""
        alpha = 2 * self.exponents.w
        return alpha if self.exponents == _alpha_exponents(alpha) else None

    def __str__(self) -> str:
        return self.name


StrategyLike: TypeAlias = Strategy | StrategyName | str | RealLike  # a number is an α
# What functions of many networks take: one or several.
NetworksLike: TypeAlias = Iterable[Network | str | Family] | Network | str | Family
StrategiesLike: TypeAlias = Iterable[StrategyLike] | StrategyLike
ScalesLike: TypeAlias = Iterable[RealLike] | RealLike


def strategy(name: StrategyLike | None = None, *, alpha: RealLike | str | None = None) -> Strategy:
    """Return a scaling strategy by its name, its weights or its α.

    For a scale factor s, depth grows by s^e_d, width by s^e_w, group width by s^e_g, resolution by s^e_r, where
    e_d + 2·e_w + 2·e_r = 1, so that flops grow by about s (Dollár, Singh, Girshick, 2021, section 3). For weights d,
    w, g, r with W = d + w + r, e_d = d/W, e_w = w/2W, e_g = g/2W, e_r = r/2W.

    Arguments:
        name: one of the paper's names `d w r dw dr wr dwr dWr`; or weights of depth, width, group width and
            resolution, as in `d1_w8_g8_r1`, where a dimension without a weight keeps its size; or `alpha=0.8`; or a
            number, which is an α.
        alpha: the share of the scaling that width gets, in [0, 1]: e_d = (1−α)/2, e_w = e_g = α/2,
            e_r = (1−α)/4 (section 5). 1 is width scaling (w), 1/3 uniform compound scaling (dwr), 0.8 fast
            compound scaling (dWr).

    Raises:
        StrategyError: there is no such strategy, or not exactly one of name and alpha is given.
    """
    if (name is None) == (alpha is None):
        raise StrategyError("strategy: give either a name or alpha=, as in strategy('dWr') or strategy(alpha=0.8)")
    if isinstance(name, Strategy):
        return name
    if alpha is not None:
        return _alpha_strategy(alpha)
    if not isinstance(name, str):
        return _alpha_strategy(name)
    if match := re.fullmatch(r"(?:alpha|α)\s*=\s*(\S+)", name.strip()):
        return _alpha_strategy(match[1])
    return _weighted_strategy(name)


def scale_factor(s: Any) -> float:
    """Return s as a float, or raise a StrategyError if it is not above 0."""
    number = real_number(s, 0, above=True)
    if number is None:
        raise StrategyError(f"scale: the scale factor is {shown(s)}, but must be a finite number above 0")
    return number


def factors(strategy: Strategy, s: float) -> tuple[float, ...]:
    """Return the factors of depth, width, group width and resolution, before rounding."""
    return tuple(s ** float(exponent) for exponent in strategy.exponents)


@lru_cache(maxsize=4096)
def _weighted_strategy(name: str) -> Strategy:
    return Strategy(name, _weights_exponents(STRATEGIES.get(name, name)))


def _weights_exponents(text: str) -> Exponents:
    weights = dict.fromkeys("dwgr", Fraction(0))
    matches = [re.fullmatch(r"([dwgr])([0-9]{1,9}(?:\.[0-9]{1,9})?)", part) for part in text.split("_")[:5]]
    given = {match[1]: Fraction(match[2]) for match in matches if match}
    if len(given) < len(matches):
        raise StrategyError(
            f"strategy: {shown(text)} is not one; use one of {' '.join(STRATEGIES)}, weights such as d1_w8_g8_r1 "
            "(each of d, w, g, r at most once, with up to 9 digits), or alpha=0.8"
        )
    d, w, g, r = (weights | given).values()
    total = d + w + r or g / 2
    if not total:
        raise StrategyError(f"strategy: the weights of {shown(text)} are all 0; give at least one dimension a weight")
    return Exponents(d / total, w / (2 * total), g / (2 * total), r / (2 * total))


def _alpha_exponents(alpha: Fraction) -> Exponents:
    return Exponents((1 - alpha) / 2, alpha / 2, alpha / 2, (1 - alpha) / 4)


def _alpha_strategy(alpha: Any) -> Strategy:
    try:
        value = None if isinstance(alpha, bool) else _fraction(alpha)
    except (TypeError, ValueError, ArithmeticError):
        value = None
    too_long = value is not None and 0 <= value <= 1 and value.denominator > 10**_DECIMALS
    if value is None or not 0 <= value <= 1 or too_long:
        rule = "a number from 0 to 1" + too_long * f" with {_DECIMALS} decimals at most"
        raise StrategyError(f"strategy: alpha is {shown(alpha)}, but must be {rule}")
    return _family_strategy(value)


@lru_cache(maxsize=4096)
def _family_strategy(alpha: Fraction) -> Strategy:
    decimal = repr(float(alpha)).removesuffix(".0")
    text = decimal if Fraction(decimal) == alpha else str(alpha)  # a name means just the strategy it names
    return Strategy(f"alpha={text}", _alpha_exponents(alpha))


def _fraction(alpha: Any) -> Fraction:
    """Return the fraction that a float stands for, as 4/5 for 0.8, else the decimal as written."""
    if isinstance(alpha, str):
        # A Fraction holds all digits: 1e-100000000 would have a hundred million.
        exponent = re.search(r"[eE][-+]?([0-9_]+)\s*$", alpha[: 2 * _DECIMALS])
        if not alpha.isascii() or len(alpha) > 2 * _DECIMALS or (exponent and int(exponent[1]) > _DECIMALS):
            raise ValueError
        return Fraction(alpha)
    if isinstance(alpha, Fraction | int):
        return Fraction(alpha)
    number = real_number(alpha, 0, 1)
    if number is None:
        raise ValueError
    if not isinstance(alpha, float):
        number = float(str(alpha))  # a float32 means the decimal that it shows
    simple = Fraction(number).limit_denominator(1000)
    return simple if float(simple) == number else Fraction(repr(number))


named_strategy = strategy  # another name, as many functions have a parameter `strategy`


def grid_columns(network: Network | Family, strategies: Sequence[Strategy], scales: np.ndarray) -> dict[str, Any]:
    """Return the columns network, strategy, alpha and scale of every combination."""
    return {
        "network": [network.name] * (len(strategies) * len(scales)),
        "strategy": np.repeat(np.array([each.name for each in strategies], dtype=object), len(scales)),
        "alpha": np.repeat([alpha_of(each) for each in strategies], len(scales)),
        "scale": np.tile(scales, len(strategies)),
    }


def grid_factors(strategies: Sequence[Strategy], scales: np.ndarray) -> tuple:
    """Return the factors of depth, width, group width and resolution in every combination.

    Each is an array over the combinations, strategy by strategy; or 1.0, if no strategy changes the dimension.
    """
    values = scales.tolist()

    @cache
    def powers(exponent: float) -> np.ndarray:
        # `scale` uses math.pow; numpy's power may differ in the last bit, and so in a rounding.
        return np.fromiter(map(math.pow, values, repeat(exponent)), float, len(values))

    per_dimension = zip(*(map(float, each.exponents) for each in strategies), strict=True)
    return tuple(np.concatenate([powers(e) for e in es]) if any(es) else 1.0 for es in per_dimension)


def alpha_of(strategy: Strategy) -> float:
    return np.nan if strategy.alpha is None else float(strategy.alpha)


def scale_factors(scales: Any) -> np.ndarray:
    try:
        values = np.asarray(scales if isinstance(scales, np.ndarray) else several(scales)).ravel()
    except ValueError:  # rows of different lengths
        raise StrategyError(f"sweep: the scale factors are {shown(scales)}, but must be numbers above 0") from None
    if values.dtype.kind not in "iuf":
        return np.array([scale_factor(s) for s in values.tolist()], dtype=float)
    values = values.astype(float)
    for s in values[~(np.isfinite(values) & (values > 0))][:1].tolist():
        scale_factor(s)
    return values


def as_list(values: Any) -> list[Any]:
    return several(values, Network, Strategy)
