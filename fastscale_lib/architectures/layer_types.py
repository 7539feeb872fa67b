"""The layers that blocks are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Conv:
    """A k×k convolution with padding (k−1)/2; `group_width` is its input channels a group (None: all of them)."""

    name: str
    width_in: Any
    width_out: Any
    kernel: int = 1
    stride: int = 1
    group_width: Any = None
    bias: bool = False


@dataclass(frozen=True, slots=True)
class Norm:
    """Batch normalisation; `last` marks the one that ends a residual branch."""

    name: str
    width: Any
    last: bool = False


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation function; kind None is the network's own."""

    name: str
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class MaxPool:
    name: str
    width: Any
    kernel: int = 3
    stride: int = 2


@dataclass(frozen=True, slots=True)
class GlobalPool:
    """The mean over the image, which keeps a side of one pixel."""

    name: str
    width: Any


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear layer with bias on globally pooled features."""

    name: str
    width_in: Any
    width_out: Any


@dataclass(frozen=True, slots=True)
class Gate:
    """Squeeze-and-excitation: the input times what its layers make of it."""

    name: str
    parts: tuple


@dataclass(frozen=True, slots=True)
class Residual:
    """A branch, to which the block's input is added where `added` holds; then what comes `after` the sum.

    Where `projected` holds, the input first passes through the `shortcut`. Both conditions are bools, or arrays
    of bools with one entry a network.
    """

    branch: tuple
    shortcut: tuple = ()
    projected: Any = False
    added: Any = True
    after: tuple = ()


class Block(NamedTuple):
    """The numbers that one block is made of."""

    width_in: Any
    width: Any
    stride: int
    bottleneck: float
    group_width: Any
    kernel: int
    se_ratio: float
