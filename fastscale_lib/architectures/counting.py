"""Flops, params and activations, counted from the description of a network."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import pandas as pd

from .definition import Network, check_blocks
from .layer_types import Activation, Gate, Residual
from .parts import METRICS, Dimensions
from .traversal import Placed, describe, place
from .zoo import network as named_network

_NOT_COUNTED = (Activation, Gate, Residual)


class Complexity(NamedTuple):
    """Exact counts for one image: `flops` are multiply-adds; `activations` are output elements."""

    flops: Any
    params: Any
    activations: Any

    def __str__(self) -> str:
        return f"{self.flops:,} flops (multiply-adds), {self.params:,} params, {self.activations:,} activations"


def complexity(network: Network | str, *, resolution: int | None = None) -> Complexity:
    """Count flops (multiply-adds), params and activations of a network for one image.

    A convolution has k²·w_in·w_out·r²/groups multiply-adds, and its outputs, w_out·r², are its activations (Dollár,
    Singh, Girshick, Fast and Accurate Model Scaling, 2021, section 3); max-pools and linear layers have outputs, too.

    Arguments:
        network: a Network, or the name of a base network.
        resolution: side of the image in pixels; default: the network's own.

    Returns:
        Exact integers of any size.

    Raises:
        NetworkError: the name is not that of a base network, or resolution is no whole number above 0.
    """
    return _complexity(named_network(network, resolution=resolution))


@lru_cache(maxsize=4096)
def _complexity(network: Network) -> Complexity:
    return count(network, network.dimensions)


def count(network: Network, dims: Dimensions) -> Complexity:
    """The complexity of the network with other sizes, each of which may be an array."""
    totals: list[Any] = [0, 0, 0]
    side = dims.resolution
    for run in describe(network, dims):
        placed = place(run.parts, side)
        side = placed[-1].side_out
        of_run: list[Any] = [0, 0, 0]
        for each in _counted(placed):
            for metric, value in enumerate(each.layer.counts(each.side_out)):
                of_run[metric] = _sum(of_run[metric], value, each.present)
        for metric, value in enumerate(of_run):
            totals[metric] = _sum(totals[metric], value, run.times)
    return Complexity(*totals)


def _counted(placed: Iterable[Placed]) -> list[Placed]:
    """Without what has neither params nor outputs of its own, in counts and in `layers`."""
    return [each for each in placed if not isinstance(each.layer, _NOT_COUNTED)]


def _sum(total: Any, value: Any, times: Any) -> Any:
    """total + value × times, without the arithmetic that would change nothing: with arrays, that is most of it."""
    if isinstance(value, int) and value == 0:
        return total
    if not (isinstance(times, int) and times == 1):
        value = value * times
    return value if isinstance(total, int) and total == 0 else total + value


def layers(network: Network | str, *, resolution: int | None = None) -> pd.DataFrame:
    """List the layers of a network with their sizes and counts, in order.

    Arguments:
        network: a Network, or the name of a base network.
        resolution: side of the image in pixels; default: the network's own.

    Returns:
        One row per layer. Columns: name (as in the torch module that `build` makes), kind, kernel, stride, groups,
        width_in, width_out, resolution_in, resolution_out (side in pixels), flops (multiply-adds), params,
        activations. The columns' sums are the network's complexity.

    Raises:
        NetworkError: the name is not that of a base network, resolution is no whole number above 0, or the network
            has over 10,000 blocks.
    """
    network = named_network(network, resolution=resolution)
    check_blocks("layers", network)
    rows, side = [], network.resolution
    for run in describe(network):
        placed = place(run.parts, side)
        for number in range(run.first, run.first + run.times):
            prefix = f"{run.name}.block{number}." if run.first else f"{run.name}."
            rows += [(prefix + each.name, *_row(each)) for each in _counted(placed)]
        side = placed[-1].side_out if run.times else side
    names = ["name", "kind", "kernel", "stride", "groups", "width_in", "width_out", "resolution_in", "resolution_out"]
    return pd.DataFrame(rows, columns=[*names, *METRICS])


def _row(placed: Placed) -> tuple:
    layer = placed.layer
    width_in = getattr(layer, "width_in", None) or layer.width
    width_out = getattr(layer, "width_out", None) or layer.width
    group_width = getattr(layer, "group_width", None) or width_in
    return (
        layer.listed_as or type(layer).__name__.lower(),
        getattr(layer, "kernel", 1),
        getattr(layer, "stride", 1),
        width_in // group_width,
        width_in,
        width_out,
        placed.side_in,
        placed.side_out,
        *layer.counts(placed.side_out),
    )
