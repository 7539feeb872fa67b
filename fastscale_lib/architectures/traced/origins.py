"""Where a tensor of a trace comes from: from the input, from parameters, or from neither."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch

_ATTRIBUTE = "_fastscale_origin"


class Origin(NamedTuple):
    """Whether a tensor depends on the input, on which parameters, and whether it has a gradient."""

    data: bool = False
    params: frozenset[str] = frozenset()
    grad: bool = False
    scores: bool = False  # a product of two tensors that both depend on the input


_CONSTANT = Origin()


def origin_of(tensor: torch.Tensor) -> Origin:
    """Return what the tensor was marked with; a tensor without a mark is a constant."""
    return getattr(tensor, _ATTRIBUTE, _CONSTANT)


def mark(tensor: torch.Tensor, origin: Origin) -> torch.Tensor:
    """Mark the tensor, and return it."""
    setattr(tensor, _ATTRIBUTE, origin)
    return tensor


def joined(tensors: Iterable[torch.Tensor]) -> Origin:
    """Return the origin of what is made of these tensors."""
    origins = [origin_of(each) for each in tensors]
    if len(origins) == 1:
        return origins[0]
    data = grad = scores = False
    params: frozenset[str] = frozenset()
    for each in origins:
        data, grad, scores = data or each.data, grad or each.grad, scores or each.scores
        if each.params:
            params = params | each.params if params else each.params
    # What depends on the input is nobody's weight.
    return Origin(data, frozenset() if data else params, grad, scores)
