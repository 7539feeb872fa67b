"""The operations of a network, with their arithmetic and the data that they move.

Read from the same description as the counts; here the operations that count no flops (BN, activation functions, sums,
products, pools) matter too, since they move data. Sizes may be arrays, one entry per network.
"""

from __future__ import annotations

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


class Operations(NamedTuple):
    """The operations of networks on one image, as arrays of shape (operations, networks).

    `kind` indexes `KINDS`; `flops` are multiply-adds; `moved` are the elements read and written, `weights` those of
    its parameters, `width` its input channels a group and `outputs` its output channels a group; each runs `times`
    over. "pointwise" are ReLU, sums and products; "smooth" are the activation functions that take an exponential.
    `kernel` and `stride` are those of a convolution or pool, else 1.
    """

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
        return _stack([_traced(each) for each in network.trace().operations], size)
    dims = dims or network.dimensions
    found: list[tuple] = []
    side = dims.resolution
    for run in describe(network, dims):
        placed = place(run.parts, side)
        side = placed[-1].side_out
        found += [_described(each, run.activation, run.times) for each in placed]
    ops = _stack(found, size)
    if not network.block_types[0].linear_if_wide:
        return ops
    linear = (ops.kind == KIND_INDEX["conv 1×1"]) & (np.asarray(dims.stem_width) >= _LINEAR_FROM)
    return ops._replace(kind=np.where(linear, KIND_INDEX["token linear"], ops.kind))


def _stack(rows: list[tuple], size: int) -> Operations:
    """Stack operations, whose values are numbers or arrays of shape (size,)."""
    columns = []
    for name, values in zip(Operations._fields, zip(*rows, strict=True), strict=True):
        columns.append(np.empty((len(values), size), dtype=int if name == "kind" else float))
        for row, value in zip(columns[-1], values, strict=True):
            row[:] = value
    return Operations(*columns)


def _described(placed: Placed, activation: str, times: Any) -> tuple:
    layer = placed.layer
    flops, weights, _ = layer.counts(placed.side_out)
    kind, moved, width, outputs = layer.work(placed.side_in, placed.side_out, activation)
    window = getattr(layer, "kernel", 1), getattr(layer, "stride", 1)
    return kind, flops, moved, weights, width, outputs, placed.present * times, *window


_TRACED_KINDS = {
    **{"matmul": "attention", "attention": "attention", "norm": "layer norm", "smooth": "smooth"},
    **dict.fromkeys(("maxpool", "avgpool", "globalpool", "pool"), "pool"),
}


def _traced(each: TracedOperation) -> tuple:
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
    flops = each.flops + each.bias
    return KIND_INDEX[kind], flops, each.moved, each.params, width, outputs, 1, each.kernel, each.stride


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


def element_bytes(precision: str) -> int:
    """Return the bytes of an activation's element in this precision.

    Weights stay in fp32 under autocast.
    """
    return 4 if precision == "fp32" else 2
