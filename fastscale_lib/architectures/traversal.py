"""The layers of a whole network in place, for counting, operations and the torch builder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from .block_form import BlockSizes
from .blocks import head, stem
from .layer_types import Activation, Gate, Resample, Residual
from .parts import Dimensions

if TYPE_CHECKING:
    from .definition import Network


class Run(NamedTuple):
    """Blocks of the same layers, one after another.

    `parts` are the layers of one, `times` their number; names count from `first`. `activation` is the function of those
    activation layers that do not say their own.
    """

    name: str
    first: int
    times: Any
    parts: tuple
    activation: str


class Placed(NamedTuple):
    """A layer with its full name, input and output sides, and whether it is present.

    `present` is a bool, or an array with one entry per network. A residual and a gate stand after the layers inside
    them, for the sum and the product that they are themselves.
    """

    name: str
    layer: Any
    side_in: Any
    side_out: Any
    present: Any


def describe(network: Network, dims: Dimensions | None = None) -> Iterator[Run]:
    """List the whole network as runs of equal blocks, in order.

    `dims` gives it other sizes, each of which may be an array. A stage is one run of its first block, which
    changes the shape, and one of the rest, which may be empty.
    """
    dims = dims or network.dimensions
    yield Run(
        "stem", 0, 1, stem(network.stem.kind, network.channels, dims.stem_width, dims.resolution), network.activation
    )
    width_in, extra = dims.stem_width, network.extra_tokens
    choices = zip(network.stages, network.block_types, network.se_ratios, network.activations, strict=True)
    sizes = zip(choices, dims.depths, dims.widths, dims.group_widths, strict=True)
    for number, ((stage, block, se_ratio, activation), depth, width, group_width) in enumerate(sizes, 1):
        first = BlockSizes(width_in, width, stage.stride, stage.bottleneck, group_width, stage.kernel, se_ratio, extra)
        yield Run(f"stage{number}", 1, 1, block.parts(first), activation)
        rest = block.parts(first._replace(width_in=width, stride=1))
        yield Run(f"stage{number}", 2, depth - 1, rest, activation)
        width_in = width
    parts = head(network.head, width_in, dims.head_width, network.classes, extra)
    yield Run("head", 0, 1, parts, network.activation)


def place(parts: Iterable, side: Any, prefix: str = "", present: Any = True) -> list[Placed]:
    """Place the layers in order for an input of this side; the last one's output is the last.

    A side is a number or an array, or a pair of these, (height, width), where images are not square.
    """
    placed: list[Placed] = []
    for part in parts:
        if isinstance(part, Residual):
            inside = f"{prefix}{part.name}." if part.name else prefix
            placed += place(part.branch, side, inside, present)
            after = placed[-1].side_out
            if part.projected is not False:
                placed += place(part.shortcut, side, f"{inside}shortcut.", part.projected)
            if part.added is not False:
                placed.append(Placed(f"{inside}sum", part, after, after, part.added))
            placed += place(part.after, after, inside, present)
        elif isinstance(part, Resample):
            if part.present is False:
                continue
            placed += place(part.parts, side, f"{prefix}{part.name}.", present & part.present)
        elif isinstance(part, Gate):
            placed += place(part.parts, side, f"{prefix}{part.name}.", present)
            placed.append(Placed(prefix + part.name, part, side, side, present))
        else:
            placed.append(Placed(prefix + part.name, part, side, part.side_after(side), present))
        side = placed[-1].side_out
    return placed


def ends_in_activation(network: Network) -> bool:
    """Tell whether an activation function is the last that the last block does."""
    *_, last, _ = describe(network)
    return isinstance(place(last.parts, 1)[-1].layer, Activation)
