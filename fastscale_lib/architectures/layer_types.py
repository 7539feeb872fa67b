"""The layers that blocks are made of: what each counts, and what it asks of a device.

Sizes are numbers or arrays, one entry per network; a side is that of a square image, in pixels, or the pair (height,
width) of another. Layers are made anew for each count, and are not frozen, since that would take longer than counting
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .resolutions import each_side, pixels

KINDS = (
    *("conv 1×1", "conv k×k", "conv in groups", "conv depthwise", "linear", "norm", "pointwise", "smooth", "pool"),
    *("layer norm", "token linear", "attention"),  # new ones come last: models fitted before know the others by number
)
_SMOOTH = ("silu", "gelu", "sigmoid")
KIND_INDEX = {name: index for index, name in enumerate(KINDS)}


class Work(NamedTuple):
    """What a layer asks of a device for one image, beside its counts.

    Fields:
        kind: an index of `KINDS`. "pointwise" are ReLU, sums and products; "smooth" are the activation functions
            that take an exponential; "layer norm" are all norms of one image, "token linear" linear layers on tokens.
        moved: elements read and written.
        width, outputs: input and output channels a group; 1 where the layer has no weights between channels.
    """

    kind: Any
    moved: Any
    width: Any
    outputs: Any


class Layer:
    """The methods of all layers; one without counts that keeps its side needs only `work`."""

    __slots__ = ()

    listed_as = ""  # its kind in `layers`, where that is not the name of the class

    def side_after(self, side: Any) -> Any:
        """Return the side of the output for an input of this side."""
        return side

    def counts(self, side: Any) -> tuple[Any, Any, Any]:
        """Count flops (multiply-adds), params and activations for an output of this side."""
        return 0, 0, 0

    def matrices(self, side: Any) -> Any:
        """Count the elements of the attention matrices.

        They are no activations, as fused attention never writes them.
        """
        return 0

    def work(self, side_in: Any, side_out: Any, activation: str) -> Work:
        """Tell what the layer asks of a device; `activation` is the network's activation function."""
        raise NotImplementedError


@dataclass(slots=True)
class Conv(Layer):
    """A k×k convolution; `group_width` is its input channels a group (None: all of them).

    Its padding is (k−1)/2; where `padded` is false it has none, its stride is k, and what is left over is cut off.
    """

    name: str
    width_in: Any
    width_out: Any
    kernel: int = 1
    stride: int = 1
    group_width: Any = None
    bias: bool = False
    padded: bool = True

    def side_after(self, side):
        return _strided(side, self.stride) if self.padded else each_side(lambda size: size // self.stride, side)

    def counts(self, side):
        group_width = self.width_in if self.group_width is None else self.group_width
        weights = self.kernel**2 * group_width * self.width_out
        area = pixels(side)
        outputs = self.width_out * area
        if self.bias:
            return weights * area + outputs, weights + self.width_out, outputs
        return weights * area, weights, outputs

    def work(self, side_in, side_out, activation):
        moved = self.width_in * pixels(side_in) + self.width_out * pixels(side_out)
        width = self.width_in if self.group_width is None else self.group_width
        return Work(self._kind(), moved, width, self.width_out if self.group_width is None else width)

    def _kind(self) -> Any:
        """Return the kind by group widths, as an array.

        Where a group is as wide as the input, there are no groups.
        """
        whole = KIND_INDEX["conv 1×1" if self.kernel == 1 else "conv k×k"]
        if self.group_width is None:
            return whole
        width = np.asarray(self.group_width)
        grouped = np.where(width == 1, KIND_INDEX["conv depthwise"], KIND_INDEX["conv in groups"])
        return np.where(width == self.width_in, whole, grouped)


@dataclass(slots=True)
class Norm(Layer):
    """Batch normalisation; `last` marks the one that ends a residual branch."""

    name: str
    width: Any
    last: bool = False

    def counts(self, side):
        return 0, 2 * self.width, 0

    def work(self, side_in, side_out, activation):
        return Work(KIND_INDEX["norm"], 2 * self.width * pixels(side_in), self.width, self.width)


@dataclass(slots=True)
class Activation(Layer):
    """An activation function; kind None is the network's own.

    `extra` is the number of tokens beside the image's patches.
    """

    name: str
    width: Any
    kind: str | None = None
    extra: int = 0

    def work(self, side_in, side_out, activation):
        return pointwise(self.width * (pixels(side_in) + self.extra), 2, smooth=(self.kind or activation) in _SMOOTH)


@dataclass(slots=True)
class MaxPool(Layer):
    """A max-pool with padding (k−1)/2."""

    name: str
    width: Any
    kernel: int = 3
    stride: int = 2

    def side_after(self, side):
        return _strided(side, self.stride)

    def counts(self, side):
        return 0, 0, self.width * pixels(side)

    def work(self, side_in, side_out, activation):
        return _pooled(self.width, side_in, side_out)


@dataclass(slots=True)
class AvgPool(MaxPool):
    """A mean of k×k pixels without padding, which takes what there is at the image's edge."""


@dataclass(slots=True)
class GlobalPool(Layer):
    """The mean over the image, which keeps a side of one pixel."""

    name: str
    width: Any

    def side_after(self, side):
        return 1

    def work(self, side_in, side_out, activation):
        return _pooled(self.width, side_in, side_out)


@dataclass(slots=True)
class Linear(Layer):
    """A linear layer with bias on globally pooled features."""

    name: str
    width_in: Any
    width_out: Any

    def counts(self, side):
        weights = self.width_in * self.width_out + self.width_out
        return weights, weights, self.width_out

    def work(self, side_in, side_out, activation):
        return Work(KIND_INDEX["linear"], self.width_in + self.width_out, self.width_in, self.width_out)


@dataclass(slots=True)
class Gate(Layer):
    """Squeeze-and-excitation: its layers make the gate; its own work is the product."""

    name: str
    width: Any
    parts: tuple

    def work(self, side_in, side_out, activation):
        return pointwise(self.width * pixels(side_in), 2)


@dataclass(slots=True)
class Residual(Layer):
    """A branch; the block's input is added where `added` holds, and `after` follows the sum.

    Where `projected` holds, the input first passes through the `shortcut`, which is made of plain layers. Both
    conditions are bools, or arrays of bools with one entry per network. `width` is that of the sum, which is the
    residual's own work, on `extra` tokens beside the image's patches. A `name` is needed only in a block that has more
    parts than this one; the names of its layers then begin with it.
    """

    width: Any
    branch: tuple
    shortcut: tuple = ()
    projected: Any = False
    added: Any = True
    after: tuple = ()
    name: str = ""
    extra: int = 0

    def work(self, side_in, side_out, activation):
        return pointwise(self.width * (pixels(side_in) + self.extra), 3)


@dataclass(slots=True)
class Resample(Layer):
    """Layers before a residual, where `present` holds: a bool, or an array, one per network."""

    name: str
    parts: tuple
    present: Any = True


def _strided(side: Any, stride: int) -> Any:
    return side if stride == 1 else each_side(lambda size: (size - 1) // stride + 1, side)


def _pooled(width: Any, side_in: Any, side_out: Any) -> Work:
    return Work(KIND_INDEX["pool"], width * (pixels(side_in) + pixels(side_out)), width, width)


def pointwise(elements: Any, passes: int, smooth: bool = False) -> Work:
    return Work(KIND_INDEX["smooth" if smooth else "pointwise"], passes * elements, 1, 1)
