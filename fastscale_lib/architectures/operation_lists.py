"""The operations of a network, with their arithmetic and the data that they move.

Read from the same description as the counts; here the operations that count no flops (BN, activation functions, sums,
products, pools) matter too, since they move data. Sizes may be arrays, one entry per network.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isqrt, prod
from typing import Any, NamedTuple

import numpy as np

from .definition import Network
from .layer_types import KIND_INDEX, KINDS
from .parts import Dimensions, NetworkError
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
    `kernel` is the side of a convolution's kernel (of one that is not square, the side of a square as large, rounded
    up) or of a pool's, and `stride` theirs; else 1.
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


def operations(
    network: Network | Family,
    dims: Dimensions | None = None,
    size: int = 1,
    *,
    compiled: bool = False,
    autocast: bool = False,
    biases: bool = False,
) -> Operations:
    """List every operation of the network, in order; of a family, those that its trace has.

    Arguments:
        network: a Network, or a Family.
        dims: other sizes, each a number or an array of shape (size,): then of `size` networks at once.
        compiled: whether a family's elementwise operations run as torch.compile fuses them; default: False. The layers
            of a Network are listed alike however they run.
        autocast: whether a family's data is of 2 bytes but for what torch.autocast keeps in 4; default: False.
        biases: whether a family's convolutions add their biases by operations of their own; default: False. Those of a
            family with layer norms never do: their time is in the rate of layer norms, which is fitted to ConvNeXts.
    """
    if isinstance(network, Family):
        traced = network.trace().operations
        if not any(each.flops for each in traced):
            raise NetworkError(
                f"{network.name} has no convolution, linear layer or matrix product, so its time is not known; give a "
                "network that has"
            )
        own = [each for each in traced if each.kind == "weights"]
        traced = _with_response_norms(each for each in traced if each.kind != "weights")
        if compiled:
            traced = _fused(traced)
        elif autocast:
            traced = _in_single_precision(traced)
        layer_norms = any("layer_norm" in each.operator for each in traced)
        added = [_bias(each) for each in traced if biases and not layer_norms and _adds_bias(each)]
        return _stack([*(_traced(each) for each in (*traced, *own)), *added], size)
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


def _adds_bias(each: TracedOperation) -> bool:
    """Tell whether a convolution has a bias that its kernel does not add.

    The kernel of a depthwise one does.
    """
    depthwise = each.groups > 1 and each.shape_in[each.axis] == each.groups
    return each.kind == "conv" and each.bias > 0 and not depthwise


def _bias(each: TracedOperation) -> tuple:
    """List the operation that adds the bias to a convolution's outputs."""
    return KIND_INDEX["pointwise"], 0, 2 * each.outputs, 0, 1, 1, 1, 1, 1


def _traced(each: TracedOperation) -> tuple:
    """Convert a traced operation to the kinds and sizes of described layers."""
    if each.kind == "weights":
        return KIND_INDEX["pointwise"], 0, 0, each.moved, 1, 1, 1, 1, 1
    width = (each.shape_in[each.axis] if len(each.shape_in) > 1 else 1) // each.groups
    outputs = each.shape_out[each.axis] if len(each.shape_out) > 1 and each.groups == 1 else width
    kind, kernel = _TRACED_KINDS.get(each.kind, "pointwise"), each.kernel
    if each.kind == "conv":
        if "transpose" not in each.operator:
            kernel = isqrt(each.flops // (each.outputs * width) - 1) + 1
        dense = "conv 1×1" if kernel == 1 else "conv k×k"
        kind = dense if each.groups == 1 else "conv depthwise" if width == 1 else "conv in groups"
    elif each.kind == "linear":
        kind = "linear" if each.outputs == outputs else "token linear"
    elif "batch_norm" in each.operator:
        kind = "norm"
    if kind in ("pointwise", "smooth"):
        width = outputs = 1
    flops = each.flops + each.bias
    return KIND_INDEX[kind], flops, each.moved, each.params, width, outputs, 1, kernel, each.stride


_ELEMENTWISE = ("pointwise", "smooth")
# Elementwise functions that torch.autocast computes in fp32.
_SINGLE = {"pow", "exp", "expm1", "log", "log10", "log1p", "log2", "reciprocal", "rsqrt", "softplus"}


def _with_response_norms(traced: Iterable[TracedOperation]) -> list[TracedOperation]:
    """Join the operations of each global response norm, as `ResponseNorm` describes it.

    It begins with a norm over the sides of an image, and has the pools and elementwise operations of the same module
    that follow.
    """
    found: list[TracedOperation] = []
    joining = ""
    for each in traced:
        if joining and each.name == joining and each.kind in ("pool", *_ELEMENTWISE):
            continue
        joining = ""
        if each.operator == "aten.linalg_vector_norm" and each.name and len(each.shape_in) == 4:
            joining = each.name
            axis = 1 if each.shape_out[2:] == (1, 1) else -1
            whole = {"moved": 3 * prod(each.shape_in), "params": 2 * each.shape_in[axis], "axis": axis}
            each = each._replace(kind="norm", shape_out=each.shape_in, outputs=prod(each.shape_in), **whole)
        found.append(each)
    return found


def _fused(traced: Iterable[TracedOperation]) -> list[TracedOperation]:
    """Join elementwise operations of one module that follow one another, as torch.compile does.

    Those of different modules stay apart, as those of described layers do, from whose times the rates are.
    """
    found: list[TracedOperation] = []
    for each in traced:
        last = found[-1] if found else each
        if (
            found
            and last.name == each.name
            and {last.kind, each.kind} <= set(_ELEMENTWISE)
            and last.shape_out == each.shape_in == each.shape_out
        ):
            found[-1] = last._replace(moved=last.moved + max(each.moved - 2 * each.outputs, 0))
        else:
            found.append(each)
    return [_of_whole_groups(each) if each.operator == "aten.group_norm" else each for each in found]


def _of_whole_groups(each: TracedOperation) -> TracedOperation:
    """Count the input of a compiled group norm twice.

    Its statistics are those of whole groups, which no block of threads holds.
    """
    return each._replace(kind="pointwise", moved=each.moved + prod(each.shape_in))


def _in_single_precision(traced: Iterable[TracedOperation]) -> list[TracedOperation]:
    """Count elements of 4 bytes as two: the outputs of what torch.autocast computes in fp32.

    Inputs are cast first. What follows elementwise stays in fp32, until a convolution or linear layer casts it back.
    """
    found: list[TracedOperation] = []
    single: tuple[int, ...] | None = None  # shape of data in fp32
    for each in traced:
        if each.operator.removeprefix("aten.").rstrip("_") in _SINGLE:
            each = each._replace(moved=2 * each.moved + (0 if each.shape_in == single else 3 * each.outputs))
            single = each.shape_out
        elif single is not None and each.shape_in == single and each.kind in (*_ELEMENTWISE, "copy"):
            each = each._replace(moved=2 * each.moved)
            single = each.shape_out
        else:
            if single is not None and each.shape_in == single and each.kind in ("conv", "linear"):
                each = each._replace(moved=each.moved + 3 * prod(each.shape_in))
            single = None
        found.append(each)
    return found


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
