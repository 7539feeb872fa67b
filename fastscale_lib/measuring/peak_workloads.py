"""The workloads of peak rates: a matrix product and a copy, as modules."""

from __future__ import annotations

import torch
from torch import nn

from .settings import Precision

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Product(nn.Module):
    """Multiply two square matrices of random numbers, without autocast."""

    a: torch.Tensor
    b: torch.Tensor

    def __init__(self, side: int, precision: Precision) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        for name in "ab":
            self.register_buffer(name, torch.randn(side, side, generator=generator).to(_TYPES[precision]))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(images.device.type, enabled=False):
            return self.a @ self.b


class Copy(nn.Module):
    """Copy fp32 numbers on the device."""

    source: torch.Tensor
    target: torch.Tensor

    def __init__(self, n_bytes: int) -> None:
        super().__init__()
        self.register_buffer("source", torch.randn(n_bytes // 4, generator=torch.Generator().manual_seed(0)))
        self.register_buffer("target", torch.empty(n_bytes // 4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.target.copy_(self.source)
