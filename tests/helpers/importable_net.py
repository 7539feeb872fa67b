"""A network and its makers, in a module that other processes can import."""

from __future__ import annotations

from typing import Any

from torch import nn


class ImportableNet(nn.Sequential):
    """Convolutions of one width, and logits of 10 classes."""

    def __init__(self, blocks: int = 2, channels: int = 16, images: int = 3) -> None:
        middle = [nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(blocks)]
        pool = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        super().__init__(nn.Conv2d(images, channels, 3, 2, 1), *middle, *pool, nn.Linear(channels, 10))


def by_factors(d: Any, w: Any) -> nn.Module:
    """Make it of factors of depth and width."""
    return ImportableNet(blocks=d(2), channels=w(16))
