"""Scaling strategies: from a base network and a scale factor to a scaled network that can be built.

Dollár, Singh, Girshick: Fast and Accurate Model Scaling, CVPR 2021 (below: "the paper").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from ._common.checks import real_number, shown
from ._common.integers import at_least, choose, nearest
from .architectures.block_rules import fit
from .architectures.definition import Network, Scaling
from .architectures.parts import MBCONV, Dimensions, Stage
from .architectures.zoo import network as named_network

# The paper's names, in the explicit grammar; in these the group width follows the width (section 3).
STRATEGIES = {
    "d": "d1",
    "w": "w1_g1",
    "r": "r1",
    "dw": "d1_w1_g1",
    "dr": "d1_r1",
    "wr": "w1_g1_r1",
    "dwr": "d1_w1_g1_r1",
    "dWr": "d1_w8_g8_r1",
}
WIDTH_STEP = 8
RESOLUTION_STEP = 4
_DECIMALS = 400  # of an α; the smallest float has some 340


class StrategyError(ValueError):
    """A strategy or scale factor that is not one; the message says what is."""


class Exponents(NamedTuple):
    """The powers of s with which depth, width, group width and resolution grow."""

    d: Fraction
    w: Fraction
    g: Fraction
    r: Fraction


class Laws(NamedTuple):
    """The powers of s with which flops (multiply-adds), params and activations grow, for large s."""

    flops: Fraction
    params: Fraction
    activations: Fraction


@dataclass(frozen=True)
class Strategy:
    """How a network grows: `exponents` of s for depth, width, group width and resolution."""

    name: str
    exponents: Exponents

    @cached_property
    def laws(self) -> Laws:
        """Flops of a stage go as d·w²·r², params as d·w², activations as d·w·r² (the paper, section 3)."""
        d, w, _, r = self.exponents
        return Laws(d + 2 * w + 2 * r, d + 2 * w, d + w + 2 * r)

    @cached_property
    def alpha(self) -> Fraction | None:
        """The α of the family dWr (the paper, section 5) that this strategy is, or None if it is of no such α."""
        alpha = 2 * self.exponents.w
        return alpha if self.exponents == _alpha_exponents(alpha) else None

    def __str__(self) -> str:
        return self.name


def strategy(name: str | float | Strategy | None = None, *, alpha: float | Fraction | None = None) -> Strategy:
    """A scaling strategy.

    Arguments:
        name: one of the paper's names `d w r dw dr wr dwr dWr`; or the explicit grammar, as in `d1_w8_g8_r1`:
            weights of depth, width, group width, resolution, where a dimension that is not named stays as it
            is; or `alpha=0.8`; or a number, which is an α.
        alpha: in [0, 1], the share of the scaling given to width: e_d = (1−α)/2, e_w = e_g = α/2,
            e_r = (1−α)/4 (the paper, section 5). 1 is width scaling, 1/3 uniform compound scaling (dwr),
            0.8 fast compound scaling (dWr).

    Raises:
        StrategyError: saying what a strategy may be.
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


def scale(network: Network | str, strategy: Strategy | str | float, s: float) -> Network:
    """The network scaled to about s times its flops (multiply-adds), rounded to one that can be built.

    Rounding follows pycls: depths to whole blocks, widths to eights, resolution to fours, group widths to 1, 2,
    4 or eights; then width and group width are made to fit. A dimension whose factor is 1 stays as it is. Stem and
    head keep their widths, but for MBConv's, which grow as a stage's does.

    Arguments:
        s: above 0; below 1 the network shrinks. Nothing goes below one block, one step of width, and one step
            of resolution.

    Raises:
        StrategyError, NetworkError: naming the value and the rule.
    """
    network, strategy = named_network(network), named_strategy(strategy)
    s = scale_factor(s)
    try:
        dims = scaled_dimensions(network, *factors(strategy, s))
    except OverflowError:
        raise StrategyError(f"scale: by {strategy} with s = {s:g} a dimension is too large to count") from None
    name = f"{network.name} {strategy} ×{s:.6g}"
    return network.with_dimensions(dims, name=name, scaling=Scaling(network.name, strategy.name, s))


def scale_factor(s: Any) -> float:
    """s as a float, or a StrategyError."""
    number = real_number(s, 0, above=True)
    if number is None:
        raise StrategyError(f"scale: the scale factor is {shown(s)}, but must be a finite number above 0")
    return number


def factors(strategy: Strategy, s: float) -> tuple[float, ...]:
    """What depth, width, group width and resolution are multiplied by, before rounding."""
    return tuple(s ** float(exponent) for exponent in strategy.exponents)


def unrounded_dimensions(network: Network, d, w, g, r) -> Dimensions:
    """The sizes that a strategy asks for, as real numbers, given its factors (numbers or arrays)."""
    ends = w if network.block == MBCONV else 1.0
    return Dimensions(
        network.resolution * r,
        network.stem.width * ends,
        tuple(depth * d for depth in network.depths),
        tuple(width * w for width in network.widths),
        tuple(group_width * g for group_width in network.group_widths),
        network.head.width * ends,
    )


def scaled_dimensions(network: Network, d, w, g, r) -> Dimensions:
    """The sizes of the scaled network, given the strategy's factors (numbers or arrays)."""
    ends = w if network.block == MBCONV else 1.0
    widths = [_grow(width, w, _round_width) for width in network.widths]
    group_widths = [_grow(group_width, g, _round_group_width) for group_width in network.group_widths]
    fitted = [
        _fit_grown(network.block, stage, width, group_width, (w == 1) & (g == 1))
        for stage, width, group_width in zip(network.stages, widths, group_widths, strict=True)
    ]
    return Dimensions(
        _grow(network.resolution, r, _round_resolution),
        _grow(network.stem.width, ends, _round_width),
        tuple(_grow(depth, d, _round_depth) for depth in network.depths),
        tuple(width for width, _ in fitted),
        tuple(group_width for _, group_width in fitted),
        _grow(network.head.width, ends, _round_width) if network.head.width else 0,
    )


def _fit_grown(block: str, stage: Stage, width, group_width, stays) -> tuple:
    """Width and group width made to fit; those of the stage itself where neither is to change, for they are built."""
    if stays is True:
        return stage.width, stage.group_width
    fitted = fit(block, width, stage.bottleneck, group_width)
    own = (stage.width, stage.group_width)
    return tuple(choose(stays, size, other) for size, other in zip(own, fitted, strict=True))


def _grow(size: int, factor, rounded):
    """The size times the factor, rounded; where the factor is 1 the size stays as it is, whatever the rounding."""
    if isinstance(factor, float) and factor == 1:
        return size
    grown = rounded(size * factor)
    return grown if rounded(size) == size else choose(factor == 1, size, grown)


def _round_depth(depth):
    return at_least(1, nearest(depth))


def _round_width(width):
    return WIDTH_STEP * at_least(1, nearest(width / WIDTH_STEP))


def _round_resolution(resolution):
    # pycls has no floor; without one, a small enough s leaves no image.
    return RESOLUTION_STEP * at_least(1, nearest(resolution / RESOLUTION_STEP))


def _round_group_width(group_width):
    g = at_least(1, nearest(group_width))
    return choose(g <= 2, g, choose(g <= 5, 4, 8 * nearest(g / 8)))


@lru_cache(maxsize=4096)
def _weighted_strategy(name: str) -> Strategy:
    return Strategy(name, _weights_exponents(STRATEGIES.get(name, name)))


def _weights_exponents(text: str) -> Exponents:
    weights = dict.fromkeys("dwgr", Fraction(0))
    parts = [re.fullmatch(r"([dwgr])([0-9]{1,9}(?:\.[0-9]{1,9})?)", part) for part in text.split("_")[:5]]
    names = [part[1] for part in parts if part]
    if not all(parts) or len(set(names)) < len(names):
        raise StrategyError(
            f"strategy: {shown(text)} is not one; use one of {' '.join(STRATEGIES)}, weights such as d1_w8_g8_r1 "
            "(each of d, w, g, r at most once, with up to 9 digits), or alpha=0.8"
        )
    weights.update({part[1]: Fraction(part[2]) for part in parts})
    d, w, g, r = weights.values()
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
    if value is None or not 0 <= value <= 1 or value.denominator > 10**_DECIMALS:
        rule = f"a number from 0 to 1 with {_DECIMALS} decimals at most"
        raise StrategyError(f"strategy: alpha is {shown(alpha)}, but must be {rule}")
    return _family_strategy(value)


@lru_cache(maxsize=4096)
def _family_strategy(alpha: Fraction) -> Strategy:
    decimal = repr(float(alpha)).removesuffix(".0")
    text = decimal if Fraction(decimal) == alpha else str(alpha)  # a name means just the strategy it names
    return Strategy(f"alpha={text}", _alpha_exponents(alpha))


def _fraction(alpha: Any) -> Fraction:
    """The fraction that was meant: 4/5 for the float 0.8, 1/3 for 0.3333333333333333; else the decimal as written."""
    if isinstance(alpha, str):
        # A Fraction writes its numbers out: that of 1e-100000000 has a hundred million digits.
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


named_strategy = strategy  # under a name that a parameter called `strategy` does not hide
