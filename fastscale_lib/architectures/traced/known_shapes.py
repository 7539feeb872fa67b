"""Shapes of results that torch would compute slowly, in Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from . import operators

_SHAPES_KEPT = {
    *("relu", "relu6", "gelu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "leaky_relu", "batch_norm"),
}
_BROADCAST = {"add", "sub", "mul", "div"}


def known_result(func: Any, args: Any, kwargs: Any) -> torch.Tensor | None:
    """Make an empty result if its shape follows from the arguments; None if torch must say."""
    name = func.overloadpacket.__name__
    x = args[0] if args else None
    if not isinstance(x, torch.Tensor) or x.device.type != "meta" or not x.is_floating_point() or "out" in kwargs:
        return None
    if name in _SHAPES:
        shape = _SHAPES[name](*args, **kwargs)
        return None if shape is None else torch.empty(shape, dtype=x.dtype, device=x.device)
    plain = operators.plain_name(name)
    if plain in _BROADCAST:
        other = args[1] if len(args) > 1 else None
        if not isinstance(other, int | float) and not (
            isinstance(other, torch.Tensor)
            and other.dtype == x.dtype
            and len(other.shape) <= len(x.shape)
            and all(b in (1, a) for a, b in zip(reversed(x.shape), reversed(other.shape), strict=False))
        ):
            return None
    elif plain not in _SHAPES_KEPT:
        return None
    if plain != name:
        return x
    return torch.empty(x.shape, dtype=x.dtype, device=x.device) if x.is_contiguous() else torch.empty_like(x)


def _kept(x: torch.Tensor, *args: Any, **kwargs: Any) -> Sequence[int]:
    return x.shape


def _linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Sequence[int] | None:
    fits = weight.dim() == 2 and weight.dtype == x.dtype and x.shape[-1:] == weight.shape[1:]
    return (*x.shape[:-1], weight.shape[0]) if fits and _is_bias(bias, weight) else None


def _convolution(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
    groups: int = 1,
) -> Sequence[int] | None:
    """Return the shape of a contiguous `conv2d` whose stride, padding and dilation are pairs."""
    pairs = stride, padding, dilation
    if not all(isinstance(each, list | tuple) and len(each) == 2 for each in pairs) or x.dim() != 4:
        return None
    fits = weight.dtype == x.dtype and x.shape[1] == weight.shape[1] * groups and weight.shape[0] % groups == 0
    if not (fits and _is_bias(bias, weight) and x.is_contiguous() and weight.is_contiguous()):
        return None
    sides = [
        (side + 2 * p - d * (kernel - 1) - 1) // s + 1
        for side, kernel, s, p, d in zip(x.shape[2:], weight.shape[2:], *pairs, strict=True)
    ]
    return (x.shape[0], weight.shape[0], *sides) if min(sides) > 0 else None


def _attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *mask: Any, **more: Any) -> Any:
    alike = query.dtype == key.dtype == value.dtype and query.shape[:-2] == key.shape[:-2] == value.shape[:-2]
    fits = query.shape[-1] == key.shape[-1] and key.shape[-2] == value.shape[-2]
    plain = not mask and not more.keys() & {"attn_mask", "enable_gqa"}
    return (*query.shape[:-1], value.shape[-1]) if alike and fits and plain else None


def _is_bias(bias: torch.Tensor | None, weight: torch.Tensor) -> bool:
    return bias is None or (bias.shape == weight.shape[:1] and bias.dtype == weight.dtype)


_SHAPES = {
    **{"linear": _linear, "conv2d": _convolution, "scaled_dot_product_attention": _attention},
    **dict.fromkeys(("layer_norm", "group_norm"), _kept),
}
