"""Scaled sizes, rounded so that the network can be built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, SupportsIndex, overload

from .._common.checks import RealLike, check_choice, check_real
from .._common.integers import at_least, choose, nearest, nearest_power_of_two
from ..architectures.block_form import BlockType
from ..architectures.definition import Network
from ..architectures.parts import Dimensions, Stage
from ..architectures.provenance import GROUP_WIDTHS, GroupWidths, Scaling
from ..architectures.resolutions import both_sides, check_resolution, each_side, side_text
from ..architectures.traced.module_family import Family
from .module_scaling import check_dimensions, network_or_family, scale_family
from .strategies import StrategyError, StrategyLike, factors, named_strategy, scale_factor

WIDTH_STEP = 8
_PIXEL_STEP = 4  # of a resolution, where it need not be of whole patches


@overload
def scale(
    network: Family,
    strategy: StrategyLike | None = None,
    s: RealLike | None = None,
    *,
    depth: RealLike | None = None,
    width: RealLike | None = None,
    resolution: SupportsIndex | tuple[int, int] | None = None,
    group_widths: GroupWidths = ...,
) -> Family: ...


@overload
def scale(
    network: Network | str,
    strategy: StrategyLike | None = None,
    s: RealLike | None = None,
    *,
    depth: RealLike | None = None,
    width: RealLike | None = None,
    resolution: SupportsIndex | tuple[int, int] | None = None,
    group_widths: GroupWidths = ...,
) -> Network: ...


def scale(
    network: Network | Family | str,
    strategy: StrategyLike | None = None,
    s: RealLike | None = None,
    *,
    depth: RealLike | None = None,
    width: RealLike | None = None,
    resolution: SupportsIndex | tuple[int, int] | None = None,
    group_widths: GroupWidths = GROUP_WIDTHS[0],
) -> Network | Family:
    """Scale a network by a strategy to about s times its flops, or by factors.

    `scale("RegNetY-4GF", "dWr", 4)` scales by a strategy, `scale("EfficientNet-B0", depth=1.4, width=1.2,
    resolution=300)` by factors. Flops (multiply-adds) grow by about depth · width² · resolution² (Dollár, Singh,
    Girshick, Fast and Accurate Model Scaling, 2021, section 3).

    Rounding is that of pycls: depths to whole numbers of blocks, widths to multiples of 8, a strategy's resolution to
    multiples of 4, group widths to 1, 2, 4 or multiples of 8. Then width and group width are made to fit. A dimension
    with the factor 1 keeps its size. Stem and head keep their widths, except those of "mbconv", which grow with the
    stages. A stem of patches is as wide as the first stage. Where images are not square, height and width grow by one
    factor, and each is rounded.

    A vision transformer grows by whole heads, whose width (the group width) stays as it is, and by whole patches.
    ConvNeXt keeps a pixel after all its strides: its resolution does not go below 32.

    EfficientNet-B1 to B7 are published with factors, but applying these to B0 gives other networks: there depths are
    rounded up, and no width is rounded down by more than 10 %. With B3's factors all widths are B3's except that of
    the first stage (16; 24 in B3), and depths are 1-3-3-4-4-6-1 (2-3-3-5-5-6-2 in B3).

    Group widths grow as widths do, as in the paper. In pycls `w`, `dw` and `dwr` keep them: here `w1`, `d1_w1` and
    `d1_w1_r1` do, and the `dwg` of pycls is `dw`.

    GPUs have fast kernels for groups of 2, 4, 8, ... channels. `group_widths="powers of two"` rounds a group width that
    grows to the power of two nearest in ratio (halfway up), and then fits the width to it, up to a whole group away:
    so flops come out farther from s, which `scale_to` makes good. One group stays one group, of any width.

    Arguments:
        network: a Network, the name of a base network, or a Family, whose rounding is its own (see `family`).
        strategy: a Strategy, its name, or a number, which is an α.
        s: scale factor of flops, above 0; below 1 the network shrinks. No stage gets fewer than one block or 8
            channels, no image fewer than 4×4 pixels.
        depth: factor of each stage's number of blocks; default: 1.
        width: factor of each stage's width and group width; default: 1.
        resolution: side of the images in pixels, or (height, width), which is not rounded; default: the network's own.
        group_widths: what they are rounded to, "multiples of 8" (and 1, 2, 4; default) or "powers of two".

    Returns:
        The scaled Network. Its `scaling` has the base network, the strategy and s; when scaled by factors, s is
        depth · width² · the pixels of an image relative to the network's.

    Raises:
        StrategyError: there is no such strategy, a factor is not above 0, resolution is not in pixels, strategy and s
            are given together with factors, or there is no such rule of group widths, or one is given for a Family.
        NetworkError: there is no such network, or the scaled one cannot be built.
    """
    base = network_or_family(network)
    group_widths = check_group_widths("scale", group_widths, base)
    by_factors = any(value is not None for value in (depth, width, resolution))
    by_strategy = strategy is not None or s is not None
    if by_factors and by_strategy:
        raise StrategyError(
            "scale: give either a strategy and s, or depth, width and resolution; "
            "another resolution before scaling is fs.network(name, resolution=...)"
        )
    if not (by_factors or by_strategy):
        raise StrategyError(
            "scale: give a strategy and s, as in scale(network, 'dWr', 4), or factors, as in "
            "scale(network, depth=1.4, width=1.2, resolution=300)"
        )
    if by_factors:
        return _scale_by_factors(base, depth, width, resolution, group_widths)
    strategy, s = named_strategy(strategy), scale_factor(s)
    if isinstance(base, Family):
        return scale_family(base, strategy, s)
    try:
        dims = scaled_dimensions(base, *factors(strategy, s), group_widths=group_widths)
    except OverflowError:
        raise StrategyError(f"scale: by {strategy} with s = {s:g} a dimension is too large to count") from None
    name = f"{base.name} {strategy} ×{s:.6g}{MARKS[group_widths]}"
    scaling = Scaling(base.name, strategy.name, s, group_widths=group_widths)
    return base.with_dimensions(dims, name=name, scaling=scaling)


_FACTORS = 1e-9, 1e9
_PIXELS = 8, 10**9  # a smaller resolution is probably meant as a factor


MARKS: dict[GroupWidths, str] = dict(zip(GROUP_WIDTHS, ("", ", g = 2^k"), strict=True))  # of a scaled network's name


def check_group_widths(caller: str, rule: Any, *bases: Network | Family) -> GroupWidths:
    """Return the rule of rounding group widths, or raise a StrategyError if there is none such."""
    rule = check_choice(f"{caller}: group_widths", rule, GROUP_WIDTHS, StrategyError)
    family = next((each.name for each in bases if isinstance(each, Family)), None)
    if family and rule != GROUP_WIDTHS[0]:
        raise StrategyError(
            f"{caller}: {family} is a family of modules, which rounds its own widths; leave out group_widths, or "
            "describe the network by fs.network or fs.anynet"
        )
    return rule


def _scale_by_factors(
    network: Network | Family, depth: Any, width: Any, resolution: Any, group_widths: GroupWidths
) -> Network | Family:
    d, w = (
        1.0 if factor is None else check_real(f"scale: the factor of {name}", factor, StrategyError, *_FACTORS)
        for name, factor in (("depth", depth), ("width", width))
    )
    asked = network.resolution
    if resolution is not None:
        remedy = "; it is in pixels, not a factor"
        asked = check_resolution("scale: resolution", resolution, StrategyError, *_PIXELS, remedy)
    words = [f"{name} ×{factor:.12g}" for name, factor in (("depth", d), ("width", w)) if factor != 1]
    size, before = both_sides(asked), both_sides(network.resolution)
    way = " ".join([*words, f"{side_text(asked)}px"] if size != before or not words else words)
    pixels_grow = (size[0] / before[0]) * (size[1] / before[1])
    scaling = Scaling(network.name, way, d * w**2 * pixels_grow, group_widths=group_widths)
    if isinstance(network, Family):
        check_dimensions(network, way, depth=d != 1, width=w != 1)
        return network.scaled(d, w, size, f"{network.name} {way}", scaling)
    dims = scaled_dimensions(network, d, w, w, 1.0, group_widths=group_widths)._replace(resolution=asked)
    return network.with_dimensions(dims, name=f"{network.name} {way}{MARKS[group_widths]}", scaling=scaling)


def unrounded_dimensions(network: Network, d, w, g, r) -> Dimensions:
    """Compute the unrounded sizes, given a strategy's factors (numbers or arrays)."""
    ends = w if network.ends_grow else 1.0
    return Dimensions(
        each_side(lambda side: side * r, network.resolution),
        network.stem.width * ends,
        tuple(depth * d for depth in network.depths),
        tuple(width * w for width in network.widths),
        tuple(
            group_width * factor
            for group_width, factor in zip(network.group_widths, _of_groups(network, g), strict=True)
        ),
        network.head.width * ends,
    )


def scaled_dimensions(network: Network, d, w, g, r, *, group_widths: GroupWidths = GROUP_WIDTHS[0]) -> Dimensions:
    """Compute the sizes of the scaled network, given a strategy's factors (numbers or arrays)."""
    ends = w if network.ends_grow else 1.0
    widths = [_scale_size(width, w, _round_width) for width in network.widths]
    grown = [
        _scale_size(stage.group_width, factor, _rounding_of_groups(block, stage, group_widths))
        for block, stage, factor in zip(network.block_types, network.stages, _of_groups(network, g), strict=True)
    ]
    fitted = [
        _fit_grown(block, stage, width, group_width, (w == 1) & (g == 1))
        for block, stage, width, group_width in zip(network.block_types, network.stages, widths, grown, strict=True)
    ]
    step, least = resolution_step(network), network.least_resolution
    return Dimensions(
        each_side(
            lambda side: _scale_size(side, r, lambda grown: _round_resolution(grown, step, least)), network.resolution
        ),
        fitted[0][0] if network.stem_follows else _scale_size(network.stem.width, ends, _round_width),
        tuple(_scale_size(depth, d, _round_depth) for depth in network.depths),
        tuple(width for width, _ in fitted),
        tuple(group_width for _, group_width in fitted),
        _scale_size(network.head.width, ends, _round_width) if network.head.width else 0,
    )


def _fit_grown(block: BlockType, stage: Stage, width, group_width, stays) -> tuple:
    """Make width and group width fit; where `stays` holds, keep those of the stage."""
    if stays is True:
        return stage.width, stage.group_width
    fitted = block.fit(width, stage.bottleneck, group_width)
    own = (stage.width, stage.group_width)
    return tuple(choose(stays, size, other) for size, other in zip(own, fitted, strict=True))


def _scale_size(size: int, factor, round_size):
    # With the factor 1 a size stays as it is, even if rounding would change it.
    if isinstance(factor, float) and factor == 1:
        return size
    scaled = round_size(size * factor)
    return scaled if round_size(size) == size else choose(factor == 1, size, scaled)


def _round_depth(depth):
    return at_least(1, nearest(depth))


def _round_width(width):
    return WIDTH_STEP * at_least(1, nearest(width / WIDTH_STEP))


def resolution_step(network: Network) -> int:
    """Return the step of an image's sides in pixels: the side of whole patches, or 4."""
    return network.resolution_unit if network.has_tokens else _PIXEL_STEP


def _round_resolution(resolution, step: int, least: int):
    # pycls has no floor; without one, a small enough s leaves no image.
    return step * at_least(-(-least // step), nearest(resolution / step))


def _of_groups(network: Network, g) -> list:
    """Return the factor of each stage's group width: 1 if its block keeps it."""
    return [1.0 if block.keeps_group_width else g for block in network.block_types]


def _rounding_of_groups(block: BlockType, stage: Stage, rule: GroupWidths) -> Callable[[Any], Any]:
    """Return the rounding of a stage's group width; one group stays as wide as its stage."""
    one_group = stage.group_width == block.undivided(stage.width, stage.bottleneck)
    return _round_group_width if rule == GROUP_WIDTHS[0] or one_group else nearest_power_of_two


def _round_group_width(group_width):
    g = at_least(1, nearest(group_width))
    return choose(g <= 2, g, choose(g <= 5, 4, 8 * nearest(g / 8)))
