"""Scaled sizes, rounded to a network that can be built."""

from __future__ import annotations

from .._common.integers import at_least, choose, nearest
from ..architectures.definition import Network, Scaling
from ..architectures.parts import MBCONV, Dimensions
from ..architectures.zoo import network as named_network
from .strategies import Strategy, StrategyError, factors, fit_grown, named_strategy, scale_factor

WIDTH_STEP = 8
RESOLUTION_STEP = 4


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
        fit_grown(network.block, stage, width, group_width, (w == 1) & (g == 1))
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
