"""What each operator counts: multiply-adds, biases, multiply-adds of its backward pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from . import operators
from .origins import origin_of


def _convolution(recorder, func, args, kwargs, out, origin, transposed=False):
    x, weight = args[0], args[1]
    bias = args[2] if len(args) > 2 else kwargs.get("bias")
    name = func.overloadpacket.__name__
    stride = args[3] if len(args) > 3 else kwargs.get("stride", 1)
    if name in ("convolution", "_convolution"):
        transposed, groups = args[6], args[8]
    else:
        groups = _argument(func, args, kwargs, "groups", 1)
    taken = weight.shape[0] if transposed else weight.shape[1] * groups
    if x.dim() == weight.dim() and x.shape[1] != taken:  # without data, torch does not look
        raise ValueError(f"a convolution of {taken} channels was given {x.shape[1]}")
    flops = (x if transposed else out).numel() * math.prod(weight.shape[1:])
    # FlopCounterMode counts the gradient of the weights as if there were no groups.
    backward = flops * origin_of(x).grad + flops * groups * origin_of(weight).grad
    recorder.add(
        "conv",
        func,
        (x,),
        out,
        (weight, bias),
        flops=flops,
        bias=out.numel() if bias is not None else 0,
        backward=backward,
        kernel=int(weight.shape[-1]),
        stride=_last(stride),
        groups=int(groups),
    )
    return origin._replace(scores=False)


def _linear(recorder, func, args, kwargs, out, origin):
    x, weight = args[0], args[1]
    bias = args[2] if len(args) > 2 else kwargs.get("bias")
    flops = out.numel() * x.shape[-1]
    added = out.numel() if bias is not None else 0
    backward = flops * (origin_of(x).grad + origin_of(weight).grad)
    recorder.add("linear", func, (x,), out, (weight, bias), flops=flops, bias=added, backward=backward, axis=-1)
    return origin._replace(scores=False)


def _product(recorder, func, args, kwargs, out, origin, bias=None, biases=0):
    a, b = args[0], args[1]
    origins = origin_of(a), origin_of(b)
    flops = out.numel() * a.shape[-1]
    hidden = (a.dim() == 1 and b.dim() == 1) or func.overloadpacket.__name__ in ("mv", "dot")
    counts = {
        "flops": flops,
        "hidden": hidden,
        "backward": 0 if hidden else flops * sum(each.grad for each in origins),
        "axis": -1,
    }
    of_weights = [not each.data and bool(each.params) for each in origins]
    if sum(of_weights) == 1 or not origin.data:
        weight, x = (a, b) if of_weights[0] else (b, a)
        recorder.add("linear", func, (x,), out, (weight, bias), bias=biases, **counts)
        return origin._replace(scores=False)
    both = all(each.data for each in origins)
    recorder.add("matmul", func, (a, b), out, bias=biases, **counts)
    return origin._replace(scores=both)


def _bilinear(recorder, func, args, kwargs, out, origin):
    left, right, weight = args[:3]
    bias = args[3] if len(args) > 3 else kwargs.get("bias")
    flops = out.numel() * left.shape[-1] * right.shape[-1]
    added = out.numel() if bias is not None else 0
    recorder.add("linear", func, (left, right), out, (weight, bias), flops=flops, bias=added, hidden=True, axis=-1)
    return origin._replace(scores=False)


def _added_product(recorder, func, args, kwargs, out, origin):
    adds = kwargs.get("beta", 1) != 0 and func.overloadpacket.__name__.startswith("addmm")
    return _product(recorder, func, args[1:], kwargs, out, origin, args[0] if adds else None, out.numel() * adds)


def _attention(recorder, func, args, kwargs, out, origin):
    query, key, value = args[:3]
    scores = math.prod(query.shape[:-1]) * key.shape[-2]
    first, second = scores * query.shape[-1], scores * value.shape[-1]
    grads = [origin_of(each).grad for each in (query, key, value)]
    weights_grad = grads[0] or grads[1]
    backward = first * (grads[0] + grads[1]) + second * (weights_grad + grads[2])
    recorder.add(
        "attention", func, (query, key, value), out, flops=first + second, backward=backward, scores=scores, axis=-1
    )
    return origin._replace(scores=False)


RULES: dict[str, Callable] = {
    **dict.fromkeys(operators.CONVOLUTIONS, _convolution),
    **dict.fromkeys(operators.TRANSPOSED, partial(_convolution, transposed=True)),
    **dict.fromkeys(operators.MATRIX_PRODUCTS, _product),
    **dict.fromkeys(operators.ADDED_PRODUCTS, _added_product),
    "linear": _linear,
    "bilinear": _bilinear,
    "scaled_dot_product_attention": _attention,
}


def _argument(func: Any, args: Any, kwargs: Any, name: str, default: Any) -> Any:
    if name in kwargs:
        return kwargs[name]
    names = [each.name for each in func._schema.arguments]
    place = names.index(name)
    return args[place] if len(args) > place else default


def pool_details(name: str, kind: str, args: Any, x: torch.Tensor, out: torch.Tensor) -> dict[str, Any]:
    """Return a pool's kind, kernel and stride, and the channels' axis if it is not the first.

    A pool to a single position is global, whichever operator makes it.
    """
    if kind in ("maxpool", "avgpool"):
        sides = int(name.removesuffix("_with_indices")[-2])
        if all(side == 1 for side in out.shape[-sides:]):
            return {"kind": "globalpool"}
        if name.startswith(("max_", "avg_")):
            kernel = args[1]
            stride = args[2] if len(args) > 2 and args[2] else kernel
        else:  # its windows follow from both sides, and may differ by one
            kernel, stride = math.ceil(x.shape[-1] / out.shape[-1]), max(1, x.shape[-1] // out.shape[-1])
        return {"kind": kind, "kernel": _last(kernel), "stride": _last(stride)}
    if name == "mean" and len(args) > 1 and x.dim() == 4 and args[1] is not None:
        dims = {dim % 4 for dim in (args[1] if isinstance(args[1], list | tuple) else [args[1]])}
        if dims in ({2, 3}, {1, 2}):
            return {"kind": "globalpool", "axis": 1 if dims == {2, 3} else -1}
    return {"kind": kind}


def _last(value: Any) -> int:
    return int(value[-1]) if isinstance(value, list | tuple) else int(value)
