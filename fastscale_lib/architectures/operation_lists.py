"""What a network asks of a device: the operations that run, with their arithmetic and the data they move.

Read from the same description as the counts; here the operations that count no flops (BN, activation functions, sums,
products, pools) matter too, since they move data. Sizes may be arrays, one entry a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .blocks import describe
from .counting import count_layer, side_after
from .definition import Network
from .layer_types import Activation, Conv, Gate, GlobalPool, Linear, MaxPool, Norm, Residual
from .parts import Dimensions
from .zoo import network as named_network

KINDS = ("conv 1×1", "conv k×k", "conv in groups", "conv depthwise", "linear", "norm", "pointwise", "smooth", "pool")
_KIND = {name: index for index, name in enumerate(KINDS)}


class Operation(NamedTuple):
    """One operation on one image, `times` over (an int, a bool, or an array of them).

    `kind` indexes `KINDS`; `flops` are multiply-adds; `moved` are the elements read and written, `weights` those of
    its parameters, `width` its input channels a group and `outputs` its output channels a group. "pointwise" are ReLU,
    sums and products; "smooth" are the activation functions that take an exponential.
    """

    kind: Any
    flops: Any
    moved: Any
    weights: Any
    width: Any
    outputs: Any
    times: Any = 1


class Operations(NamedTuple):
    """The operations of several networks, as arrays of shape (operations, networks)."""

    kind: np.ndarray
    flops: np.ndarray
    moved: np.ndarray
    weights: np.ndarray
    width: np.ndarray
    outputs: np.ndarray
    times: np.ndarray


def operations(network: Network, dims: Dimensions | None = None, size: int = 1) -> Operations:
    """Every operation of the network, in order.

    Arguments:
        dims: other sizes, each a number or an array of shape (size,): then of `size` networks at once.
    """
    dims = dims or network.dimensions
    found: list[Operation] = []
    side = dims.resolution
    for run in describe(network, dims):
        here, side = _walk(run.parts, side, network.activation)
        found += [operation._replace(times=operation.times * run.times) for operation in here]
    columns = zip(*found, strict=True)
    return Operations(*(_stack(column, size, int if name == "kind" else float) for name, column in _named(columns)))


def flops_by_kind(network: Network | str) -> dict[str, int]:
    """The network's flops (multiply-adds) by kind of operation, for those of `KINDS` that have any.

    They sum to the network's flops, exactly up to 2**53.
    """
    ops = operations(named_network(network))
    totals = {kind: int((ops.flops * ops.times)[ops.kind == number].sum()) for number, kind in enumerate(KINDS)}
    return {kind: flops for kind, flops in totals.items() if flops}


def _named(columns: Iterable) -> Iterator[tuple[str, Sequence]]:
    return zip(Operations._fields, columns, strict=True)


def _stack(column: Sequence, size: int, kind: type) -> np.ndarray:
    """One row an operation, a number or an array of `size`."""
    made = np.empty((len(column), size), dtype=kind)
    for row, value in zip(made, column, strict=True):
        row[:] = value
    return made


def _walk(parts: Iterable, side: Any, act: str, width: Any = None) -> tuple[list[Operation], Any]:
    """The operations of these parts for an input of this side and width, and the side of their output.

    `act` is the network's activation function.
    """
    found: list[Operation] = []
    for part in parts:
        match part:
            case Residual():
                branch, after = _walk(part.branch, side, act)
                last = next(layer.width for layer in reversed(part.branch) if isinstance(layer, Norm))
                found += branch
                if part.projected is not False:
                    shortcut, _ = _walk(part.shortcut, side, act)
                    found += [each._replace(times=each.times * part.projected) for each in shortcut]
                if part.added is not False:
                    found.append(_pointwise(last * after * after, 3, part.added))
                side, width = after, last
                found += _walk(part.after, side, act, width)[0]
            case Gate():
                inner = part.parts[0].width
                found += _walk(part.parts, side, act)[0]
                found.append(_pointwise(inner * side * side, 2))
            case Activation():
                found.append(_pointwise(width * side * side, 2, smooth=(part.kind or act) != "relu"))
            case _:
                after = side_after(part, side)
                found.append(_layer(part, side, after))
                side = after
                width = part.width_out if isinstance(part, (Conv, Linear)) else part.width
    return found, side


def _layer(layer: Any, side: Any, after: Any) -> Operation:
    flops, weights, _ = count_layer(layer, after)
    match layer:
        case Conv():
            moved = layer.width_in * side * side + layer.width_out * after * after
            width = layer.width_in if layer.group_width is None else layer.group_width
            outputs = layer.width_out if layer.group_width is None else layer.group_width
            return Operation(_conv_kind(layer), flops, moved, weights, width, outputs)
        case Linear():
            moved = layer.width_in + layer.width_out
            return Operation(_KIND["linear"], flops, moved, weights, layer.width_in, layer.width_out)
        case Norm():
            return Operation(_KIND["norm"], 0, 2 * layer.width * side * side, weights, layer.width, layer.width)
        case MaxPool() | GlobalPool():
            moved = layer.width * (side * side + after * after)
            return Operation(_KIND["pool"], 0, moved, 0, layer.width, layer.width)
    raise TypeError(f"no operation for {layer!r}")


def _conv_kind(layer: Conv) -> Any:
    """Of arrays of group widths, an array of kinds: where one group is as wide as the input, there are no groups."""
    whole = _KIND["conv 1×1" if layer.kernel == 1 else "conv k×k"]
    if layer.group_width is None:
        return whole
    width = np.asarray(layer.group_width)
    grouped = np.where(width == 1, _KIND["conv depthwise"], _KIND["conv in groups"])
    return np.where(width == layer.width_in, whole, grouped)


def _pointwise(elements: Any, passes: int, times: Any = 1, smooth: bool = False) -> Operation:
    return Operation(_KIND["smooth" if smooth else "pointwise"], 0, passes * elements, 0, 1, 1, times)


def element_bytes(precision: str) -> int:
    """Bytes of an element of an image's tensors in this precision; weights stay in fp32 under autocast."""
    return 4 if precision == "fp32" else 2
