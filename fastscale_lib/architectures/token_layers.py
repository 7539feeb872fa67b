"""Layers of ConvNeXt and vision transformers: norms, scales, patches, tokens, attention.

A side is that of the grid of patches, or the pair of its height and width. Layers of tokens work on its patches and
`extra` tokens more, such as a class token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .layer_types import KIND_INDEX, GlobalPool, Layer, Linear, Work, pointwise
from .resolutions import pixels


@dataclass(slots=True)
class LayerNorm(Layer):
    """Layer norm over the channels of a pixel, or of a token if `extra` is a number."""

    name: str
    width: Any
    extra: int | None = None

    def counts(self, side):
        return 0, 2 * self.width, 0

    def work(self, side_in, side_out, activation):
        moved = 2 * self.width * tokens(side_in, self.extra or 0)
        return Work(KIND_INDEX["layer norm"], moved, self.width, self.width)


@dataclass(slots=True)
class ResponseNorm(Layer):
    """Global response normalisation (Woo et al., ConvNeXt V2, 2023, section 3)."""

    name: str
    width: Any

    def counts(self, side):
        return 0, 2 * self.width, 0

    def work(self, side_in, side_out, activation):
        # The norm over the image reads all that the product reads once more.
        return Work(KIND_INDEX["layer norm"], 3 * self.width * pixels(side_in), self.width, self.width)


@dataclass(slots=True)
class LayerScale(Layer):
    """A learned factor per channel (Touvron et al., Going Deeper with Image Transformers, 2021)."""

    name: str
    width: Any
    extra: int | None = None

    def counts(self, side):
        return 0, self.width, 0

    def work(self, side_in, side_out, activation):
        return pointwise(self.width * tokens(side_in, self.extra or 0), 2)


@dataclass(slots=True)
class Embedding(Layer):
    """Tokens from patches: learned positions, and first a class token if `extra` is 1.

    There is one for each patch of the grid of this `side`, and for the class token where `class_position` holds: in
    DeiT III (Touvron et al., 2022) it has none.
    """

    name: str
    width: Any
    side: Any
    extra: int = 0
    class_position: bool = True

    def counts(self, side):
        positions = tokens(side, self.extra if self.class_position else 0)
        return 0, (positions + self.extra) * self.width, 0

    def work(self, side_in, side_out, activation):
        return pointwise(self.width * tokens(side_in, self.extra), 2)


@dataclass(slots=True)
class TokenLinear(Linear):
    """A linear layer with bias on every token."""

    extra: int = 0

    listed_as = "linear"

    def counts(self, side):
        weights, number = self.width_in * self.width_out, tokens(side, self.extra)
        outputs = number * self.width_out
        return number * weights + outputs, weights + self.width_out, outputs

    def work(self, side_in, side_out, activation):
        moved = (self.width_in + self.width_out) * tokens(side_in, self.extra)
        return Work(KIND_INDEX["token linear"], moved, self.width_in, self.width_out)


@dataclass(slots=True)
class Attention(Layer):
    """Multi-head attention of queries, keys and values, which the layer before it computed.

    Its two matrix products have 2·N²·width multiply-adds for N tokens, and its matrices heads·N² elements (Vaswani et
    al., 2017, section 3.2); the softmax counts none.
    """

    name: str
    width: Any
    head_width: Any
    extra: int = 0

    @property
    def width_in(self) -> Any:
        return 3 * self.width

    def counts(self, side):
        number = tokens(side, self.extra)
        return 2 * number * number * self.width, 0, 0

    def matrices(self, side: Any) -> Any:
        number = tokens(side, self.extra)
        return self.width // self.head_width * number * number

    def work(self, side_in, side_out, activation):
        moved = 4 * self.width * tokens(side_in, self.extra)
        return Work(KIND_INDEX["attention"], moved, self.head_width, self.head_width)


@dataclass(slots=True)
class TokenPool(GlobalPool):
    """The class token, where `extra` is 1, or the mean over all tokens."""

    extra: int = 0

    def work(self, side_in, side_out, activation):
        read = 1 if self.extra else tokens(side_in, 0)
        return Work(KIND_INDEX["pool"], self.width * (read + 1), self.width, self.width)


def tokens(side: Any, extra: int) -> Any:
    """Count the tokens: one a patch, and the extra ones."""
    return pixels(side) + extra if extra else pixels(side)
