"""Flops, params and activations, counted from the description of a network."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from .definition import Network, check_blocks
from .layer_types import Activation, Gate, Residual
from .parts import METRICS, Complexity, Dimensions, NetworkError
from .resolutions import Resolution, both_sides, one_or_pair
from .traced.module_family import Family
from .traced.modules import is_module, trace
from .traced.records import Trace
from .traversal import Placed, describe, place
from .zoo import network as named_network

if TYPE_CHECKING:
    import torch

_COLUMNS = ["name", "kind", "kernel", "stride", "groups", "width_in", "width_out", "resolution_in", "resolution_out"]
_COLUMNS += [*METRICS, "attention_matrices"]
_NOT_COUNTED = (Activation, Gate, Residual)


def complexity(
    network: Network | str | torch.nn.Module | Family, *, resolution: Resolution | None = None, example: Any = None
) -> Complexity:
    """Count flops (multiply-adds), params and activations of a network or torch module.

    The counts are those of one image; of an example, those of all that is in it. A convolution has
    k²·w_in·w_out·r²/groups multiply-adds, and its outputs, w_out·r², are its activations (Dollár, Singh, Girshick, Fast
    and Accurate Model Scaling, 2021, section 3), where r² is height × width of its output; pools and linear layers have
    outputs, too. Matrix products of attention have multiply-adds. A torch module is traced without data; one that
    `build` made is its network.

    Arguments:
        network: a Network, the name of a base network, a torch module, or a Family.
        resolution: side of the image in pixels, or (height, width); default: the network's own.
        example: what a module is called with, instead of images: a tensor, a tuple of arguments, a dict of keywords.

    Returns:
        Exact integers of any size. Those of a module say besides what is `uncounted`, and what torch's
        FlopCounterMode counts (`torch_flops`, and `torch_flops_backward` with the backward pass).

    Raises:
        NetworkError: the name is not that of a base network, resolution is not in whole numbers above 0, or the module
            cannot be traced.
    """
    if isinstance(network, Family) and example is None:
        return network.at(resolution).complexity
    found = _described(network, resolution, example)
    if isinstance(found, Trace):
        return found.complexity
    return _complexity(found)


def _described(network: Any, resolution: Resolution | None, example: Any) -> Network | Trace:
    """Return the network that this is or names, or the trace of any other module."""
    if example is not None and not is_module(network):
        raise NetworkError("example is for torch modules alone; a network tells what it takes")
    if isinstance(network, Family):
        return network.at(resolution).trace()
    if not is_module(network):
        return named_network(network, resolution=resolution)
    built = network_of_built(network, resolution) if example is None else None
    if built is not None:
        return built
    return trace(network, resolution=resolution, example=example)


def network_of_built(module: Any, resolution: Resolution | None = None) -> Network | None:
    """Return the network of a module from `build` that was not changed since; else None."""
    built = getattr(module, "network", None)
    if not isinstance(built, Network):
        return None
    own, built = built, named_network(built, resolution=resolution)
    names = {"stem", "head", *(f"stage{number}" for number in range(1, len(built.stages) + 1))}
    params = sum(each.numel() for each in module.parameters())
    takes = built.resolution == own.resolution or not own.has_tokens  # whose positions are those of its patches
    changed = names != {name for name, _ in module.named_children()} or params != _complexity(built).params
    return built if takes and not changed else None


@lru_cache(maxsize=4096)
def _complexity(network: Network) -> Complexity:
    return count(network, network.dimensions)


def count(network: Network, dims: Dimensions) -> Complexity:
    """Count the network with other sizes, each of which may be an array."""
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
    """Leave out layers with neither params nor outputs of their own."""
    return [each for each in placed if not isinstance(each.layer, _NOT_COUNTED)]


def _sum(total: Any, value: Any, times: Any) -> Any:
    """Compute total + value × times.

    Arithmetic that would change nothing is skipped: with arrays it would take most of the time.
    """
    if isinstance(value, int) and value == 0:
        return total
    if not (isinstance(times, int) and times == 1):
        value = value * times
    return value if isinstance(total, int) and total == 0 else total + value


def layers(
    network: Network | str | torch.nn.Module | Family, *, resolution: Resolution | None = None, example: Any = None
) -> pd.DataFrame:
    """List the layers of a network or torch module, with sizes and counts, in order.

    Arguments:
        network: a Network, the name of a base network, a torch module, or a Family.
        resolution: side of the image in pixels, or (height, width); default: the network's own.
        example: what a module is called with, instead of images: a tensor, a tuple of arguments, a dict of keywords.

    Returns:
        One row per layer. Columns: name (as in the torch module that `build` makes), kind, kernel, stride, groups,
        width_in, width_out, resolution_in, resolution_out (side in pixels, or in patches; (height, width) where these
        differ), flops (multiply-adds), params, activations, attention_matrices (their elements, which fused attention
        never writes: no activations). The columns' sums are the network's complexity, and all its attention matrices.
        Of a traced module, a side is a length where there is no image; operators that are not known have the kind
        "unknown (…)", and parameters that are no layer's weights a row each, of the kind "parameter".

    Raises:
        NetworkError: the name is not that of a base network, resolution is not in whole numbers above 0, the network
            has over 10,000 blocks, or the module cannot be traced.
    """
    found = _described(network, resolution, example)
    if isinstance(found, Trace):
        return pd.DataFrame(found.rows(), columns=_COLUMNS)
    network = found
    check_blocks("layers", network)
    rows, side = [], network.resolution
    for run in describe(network):
        placed = place(run.parts, side)
        for number in range(run.first, run.first + run.times):
            prefix = f"{run.name}.block{number}." if run.first else f"{run.name}."
            rows += [(prefix + each.name, *_row(each)) for each in _counted(placed)]
        side = placed[-1].side_out if run.times else side
    return pd.DataFrame(rows, columns=_COLUMNS)


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
        one_or_pair(*both_sides(placed.side_in)),
        one_or_pair(*both_sides(placed.side_out)),
        *layer.counts(placed.side_out),
        layer.matrices(placed.side_out),
    )
