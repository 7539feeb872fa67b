"""Flops, params and activations, counted from the description of a network."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import pandas as pd

from .blocks import describe
from .definition import Network, check_blocks
from .layer_types import Activation, Conv, Gate, GlobalPool, Linear, MaxPool, Norm, Residual
from .parts import METRICS, Dimensions
from .zoo import network as named_network


class Complexity(NamedTuple):
    """Exact counts for one image: `flops` are multiply-adds; `activations` are output elements."""

    flops: Any
    params: Any
    activations: Any

    def __str__(self) -> str:
        return f"{self.flops:,} flops (multiply-adds), {self.params:,} params, {self.activations:,} activations"


class Placed(NamedTuple):
    """A layer at its place: full name, sides of its input and output, and where it is there (a bool or array)."""

    name: str
    layer: Any
    side_in: Any
    side_out: Any
    present: Any


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
        placed, side = place(run.parts, side)
        of_run: list[Any] = [0, 0, 0]
        for each in placed:
            for metric, value in enumerate(count_layer(each.layer, each.side_out)):
                of_run[metric] = _sum(of_run[metric], value, each.present)
        for metric, value in enumerate(of_run):
            totals[metric] = _sum(totals[metric], value, run.times)
    return Complexity(*totals)


def _sum(total: Any, value: Any, times: Any) -> Any:
    """total + value × times, without the arithmetic that would change nothing: with arrays, that is most of it."""
    if isinstance(value, int) and value == 0:
        return total
    if not (isinstance(times, int) and times == 1):
        value = value * times
    return value if isinstance(total, int) and total == 0 else total + value


def count_layer(layer: Any, side: Any) -> tuple[Any, Any, Any]:
    """Flops, params and activations of one layer whose output has this side."""
    match layer:
        case Conv():
            group_width = layer.width_in if layer.group_width is None else layer.group_width
            weights = layer.kernel**2 * group_width * layer.width_out
            area = side * side
            outputs = layer.width_out * area
            if layer.bias:
                return weights * area + outputs, weights + layer.width_out, outputs
            return weights * area, weights, outputs
        case Norm():
            return 0, 2 * layer.width, 0
        case MaxPool():
            return 0, 0, layer.width * side * side
        case Linear():
            weights = layer.width_in * layer.width_out + layer.width_out
            return weights, weights, layer.width_out
    return 0, 0, 0


def place(parts: Iterable, side: Any, prefix: str = "", present: Any = True) -> tuple[list[Placed], Any]:
    """The layers among the parts, in order, for an input of this side; and the side of the parts' output.

    Activation functions, which count nothing, are passed over.
    """
    placed: list[Placed] = []
    for part in parts:
        if isinstance(part, Residual):
            branch, after = place(part.branch, side, prefix, present)
            placed += branch
            if part.projected is not False:
                placed += place(part.shortcut, side, f"{prefix}shortcut.", part.projected)[0]
            side = after
        elif isinstance(part, Gate):
            placed += place(part.parts, side, f"{prefix}{part.name}.", present)[0]
        elif not isinstance(part, Activation):
            after = side_after(part, side)
            placed.append(Placed(prefix + part.name, part, side, after, present))
            side = after
    return placed, side


def side_after(layer: Any, side: Any) -> Any:
    """The side of a layer's output for an input of this side; numbers, or arrays of them."""
    if isinstance(layer, GlobalPool):
        return 1
    stride = getattr(layer, "stride", 1)
    return side if stride == 1 else (side - 1) // stride + 1


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
        placed, after = place(run.parts, side)
        for number in range(run.first, run.first + run.times):
            prefix = f"{run.name}.block{number}." if run.first else f"{run.name}."
            rows += [(prefix + each.name, *_row(each)) for each in placed]
        side = after if run.times else side
    names = ["name", "kind", "kernel", "stride", "groups", "width_in", "width_out", "resolution_in", "resolution_out"]
    return pd.DataFrame(rows, columns=[*names, *METRICS])


def _row(placed: Placed) -> tuple:
    layer = placed.layer
    width_in = getattr(layer, "width_in", None) or layer.width
    width_out = getattr(layer, "width_out", None) or layer.width
    group_width = getattr(layer, "group_width", None) or width_in
    return (
        type(layer).__name__.lower(),
        getattr(layer, "kernel", 1),
        getattr(layer, "stride", 1),
        width_in // group_width,
        width_in,
        width_out,
        placed.side_in,
        placed.side_out,
        *count_layer(layer, placed.side_out),
    )
