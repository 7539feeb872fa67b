"""Torch modules of the layers of ConvNeXt and of vision transformers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..architectures.resolutions import both_sides, pixels, size_text
from ..architectures.token_layers import (
    Attention,
    Embedding,
    LayerNorm,
    LayerScale,
    ResponseNorm,
    TokenLinear,
    TokenPool,
)

NORM_EPS = 1e-6  # of layer norms in ConvNeXt and in ViT
_SCALE_AT_START = 1e-6  # of a branch, in ConvNeXt and in DeiT III


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of images (N, width, h, w)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class GlobalResponseNorm(nn.Module):
    """x + γ · x · n + β, with n the norm of each channel over the image, relative to their mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        norm = x.norm(p=2, dim=(2, 3), keepdim=True)
        relative = norm / (norm.mean(dim=1, keepdim=True) + NORM_EPS)
        return x + self.weight[:, None, None] * x * relative + self.bias[:, None, None]


class Scale(nn.Module):
    """A learned factor per channel of images (N, width, h, w) or tokens (N, tokens, width)."""

    def __init__(self, width: int, images: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((width,), _SCALE_AT_START))
        self.images = images

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * (self.weight[:, None, None] if self.images else self.weight)


class Tokens(nn.Module):
    """Turn patches (N, width, h, w) into tokens (N, tokens, width): class token, then positions."""

    def __init__(self, width: int, grid: tuple[int, int], extra: int, class_position: bool) -> None:
        super().__init__()
        self.grid, self.class_position = grid, class_position
        self.class_token = nn.Parameter(torch.zeros(1, extra, width)) if extra else None
        positions = pixels(grid) + (extra if class_position else 0)
        self.positions = nn.Parameter(torch.empty(1, positions, width))
        nn.init.trunc_normal_(self.positions, std=0.02)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-2:] != self.grid:
            raise ValueError(
                f"the image has {x.shape[-2]}×{x.shape[-1]} patches, but positions are learned for "
                f"{size_text(self.grid)}: give images of the network's own resolution, or build it with another"
            )
        x = x.flatten(2).transpose(1, 2)
        if self.class_token is None:
            return x + self.positions
        token = self.class_token.expand(x.shape[0], -1, -1)
        if self.class_position:
            return torch.cat([token, x], 1) + self.positions
        return torch.cat([token, x + self.positions], 1)


class SelfAttention(nn.Module):
    """Attention of queries, keys and values, concatenated in tokens (N, tokens, 3 · width)."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.num_heads = heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = x.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)

    def extra_repr(self) -> str:
        return f"heads={self.num_heads}"


class Pool(nn.Module):
    """Tokens (N, tokens, width) to features (N, width): the class token, or the mean of all."""

    def __init__(self, class_token: bool) -> None:
        super().__init__()
        self.class_token = class_token

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0] if self.class_token else x.mean(1)


def token_module(part: Any) -> nn.Module | None:
    """Make the module of one of these layers; None for any other part."""
    match part:
        case LayerNorm():
            return (ChannelNorm if part.extra is None else nn.LayerNorm)(part.width, eps=NORM_EPS)
        case ResponseNorm():
            return GlobalResponseNorm(part.width)
        case LayerScale():
            return Scale(part.width, images=part.extra is None)
        case Embedding():
            return Tokens(part.width, both_sides(part.side), part.extra, part.class_position)
        case TokenLinear():
            return nn.Linear(part.width_in, part.width_out)
        case Attention():
            return SelfAttention(part.width // part.head_width)
        case TokenPool():
            return Pool(class_token=part.extra > 0)
    return None
