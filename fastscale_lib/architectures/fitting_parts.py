"""Which stem, blocks, head and resolution go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._common.checks import shown
from .parts import STEMS, NetworkError, makes_tokens
from .resolutions import both_sides, each_side

if TYPE_CHECKING:
    from .definition import Network


def check_stages(network: Network) -> None:
    """Refuse stages, a stem and a head that do not go together, naming the value and the rule."""
    kind, tokens = network.stem.kind, network.has_tokens
    for number, (block, se_ratio) in enumerate(zip(network.block_types, network.se_ratios, strict=True), 1):
        if block.takes_tokens != tokens:
            others = ", ".join(name for name, shape in STEMS.items() if makes_tokens(shape) == block.takes_tokens)
            takes, makes = ("tokens", "images") if block.takes_tokens else ("images", "tokens")
            raise NetworkError(
                f"stage {number}: {block.name} works on {takes}, but stem {kind} makes {makes}; stems for it are "
                f"{others}"
            )
        if se_ratio and not block.has_gate:
            raise NetworkError(
                f"stage {number}: se_ratio {se_ratio:g}, but {block.name} has no squeeze-and-excitation; give 0"
            )
    if tokens and network.widths != (network.stem.width,):
        raise NetworkError(
            f"network: stem width {shown(network.stem.width)} and stage widths {shown(network.widths)}, but tokens "
            "keep their width: a transformer has one stage, as wide as its stem"
        )
    if tokens and network.head.kind != "norm_pool":
        raise NetworkError(
            f"head: kind is {network.head.kind}, but that of a transformer is norm_pool, a layer norm and then the pool"
        )


def check_sides(network: Network) -> None:
    """Check that patches are whole, and that a pixel is left after all strides that cut off."""
    resolution, least, unit = network.resolution, network.least_resolution, network.resolution_unit
    both = both_sides(resolution)
    if min(both) < least:
        a_side = "" if isinstance(resolution, int) else " a side"
        raise NetworkError(
            f"network: resolution is {resolution}, but must be of at least {least} pixels{a_side}, for something to be "
            "left after all strides"
        )
    if any(side % unit for side in both):
        below, above = (each_side(lambda side, up=up: (side + up) // unit * unit, resolution) for up in (0, unit - 1))
        sides = "sides must be multiples" if isinstance(resolution, tuple) else "must be a multiple"
        raise NetworkError(
            f"network: resolution is {shown(resolution)}, but {sides} of the {unit} pixels of a patch; the nearest are "
            f"{shown(below)} and {shown(above)}"
        )
