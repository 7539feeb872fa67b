"""The operations of a network, with their arithmetic and the data that they move.

Read from the same description as the counts; here the operations that count no flops (BN, activation functions, sums,
products, pools) matter too, since they move data. Sizes may be arrays, one entry per network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .definition import Network
from .layer_types import KIND_INDEX, KINDS
from .parts import Dimensions
from .traced.module_family import Family
from .traced.records import TracedOperation
from .traversal import Placed, describe, place
from .zoo import network as named_network

# Channels of the stem from which timm runs the 1×1 convolutions of ConvNeXt as linear layers on channels-last pixels
# (its argument conv_mlp: True for Atto to Nano, False from T on).
_LINEAR_FROM = 96


class Operation(NamedTuple):
    """One operation on one image, `times` over (an int, a bool, or an array of them).

    `kind` indexes `KINDS`; `flops` are multiply-adds; `moved` are the elements read and written, `weights` those of
    its parameters, `width` its input channels a group and `outputs` its output channels a group. "pointwise" are ReLU,
    sums and products; "smooth" are the activation functions that take an exponential. `kernel` and `stride` are those
    of a convolution or pool, else 1.
    """

    kind: Any
    flops: Any
    moved: Any
    weights: Any
    width: Any
    outputs: Any
    times: Any = 1
    kernel: Any = 1
    stride: Any = 1


class Operations(NamedTuple):
    """The operations of several networks, as arrays of shape (operations, networks)."""

    kind: np.ndarray
    flops: np.ndarray
    moved: np.ndarray
    weights: np.ndarray
    width: np.ndarray
    outputs: np.ndarray
    times: np.ndarray
    kernel: np.ndarray
    stride: np.ndarray


def operations(network: Network | Family, dims: Dimensions | None = None, size: int = 1) -> Operations:
    """List every operation of the network, in order; of a family, those that its trace has.

    Arguments:
        network: a Network, or a Family.
        dims: other sizes, each a number or an array of shape (size,): then of `size` networks at once.
    """
    if isinstance(network, Family):
        traced = [_traced(each) for each in network.trace().operations]
        return Operations(*(_stack(column, size, _type(name)) for name, column in _named(zip(*traced, strict=True))))
    dims = dims or network.dimensions
    found: list[Operation] = []
    side = dims.resolution
    for run in describe(network, dims):
        placed = place(run.parts, side)
        side = placed[-1].side_out
        found += [_operation(each, run.activation, run.times) for each in placed]
    columns = zip(*found, strict=True)
    listed = Operations(*(_stack(column, size, _type(name)) for name, column in _named(columns)))
    return _with_linear_layers(listed, dims) if network.block_types[0].linear_if_wide else listed


def _with_linear_layers(ops: Operations, dims: Dimensions) -> Operations:
    """Count 1×1 convolutions of wide networks as the linear layers that timm runs instead."""
    linear = (ops.kind == KIND_INDEX["conv 1×1"]) & (np.asarray(dims.stem_width) >= _LINEAR_FROM)
    return ops._replace(kind=np.where(linear, KIND_INDEX["token linear"], ops.kind))


def _operation(placed: Placed, activation: str, times: Any) -> Operation:
    layer = placed.layer
    flops, weights, _ = layer.counts(placed.side_out)
    kind, moved, width, outputs = layer.work(placed.side_in, placed.side_out, activation)
    window = getattr(layer, "kernel", 1), getattr(layer, "stride", 1)
    return Operation(kind, flops, moved, weights, width, outputs, placed.present * times, *window)


def _type(name: str) -> type:
    return int if name == "kind" else float


_TRACED_KINDS = {
    **{"matmul": "attention", "attention": "attention", "norm": "layer norm", "smooth": "smooth"},
    **dict.fromkeys(("maxpool", "avgpool", "globalpool", "pool"), "pool"),
}


def _traced(each: TracedOperation) -> Operation:
    """Convert a traced operation to the kinds and sizes of described layers."""
    width = (each.shape_in[each.axis] if len(each.shape_in) > 1 else 1) // each.groups
    outputs = each.shape_out[each.axis] if len(each.shape_out) > 1 and each.groups == 1 else width
    kind = _TRACED_KINDS.get(each.kind, "pointwise")
    if each.kind == "conv":
        dense = "conv 1×1" if each.kernel == 1 else "conv k×k"
        kind = dense if each.groups == 1 else "conv depthwise" if width == 1 else "conv in groups"
    elif each.kind == "linear":
        kind = "linear" if each.outputs == outputs else "token linear"
    elif "batch_norm" in each.operator:
        kind = "norm"
    if kind in ("pointwise", "smooth"):
        width = outputs = 1
    return Operation(
        KIND_INDEX[kind], each.flops + each.bias, each.moved, each.params, width, outputs, 1, each.kernel, each.stride
    )


def flops_by_kind(network: Network | str) -> dict[str, int]:
    """Count a network's flops (multiply-adds) by kind of operation.

    Arguments:
        network: a Network, or the name of a base network.

    Returns:
        Kind and flops, for each kind that has any. They sum to the network's flops, exactly up to 2**53.

    Raises:
        NetworkError: the name is not that of a base network.
    """
    ops = operations(named_network(network))
    totals = {kind: int((ops.flops * ops.times)[ops.kind == number].sum()) for number, kind in enumerate(KINDS)}
    return {kind: flops for kind, flops in totals.items() if flops}


def _named(columns: Iterable) -> Iterator[tuple[str, Sequence]]:
    return zip(Operations._fields, columns, strict=True)


def _stack(column: Sequence, size: int, kind: type) -> np.ndarray:
    """Stack numbers, or arrays of `size`, one row per operation."""
    made = np.empty((len(column), size), dtype=kind)
    for row, value in zip(made, column, strict=True):
        row[:] = value
    return made


def element_bytes(precision: str) -> int:
    """Return the bytes of an activation's element in this precision.

    Weights stay in fp32 under autocast.
    """
    return 4 if precision == "fp32" else 2
