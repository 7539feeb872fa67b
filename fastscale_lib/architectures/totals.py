"""The three counts of a network."""

from __future__ import annotations

from typing import Any, NamedTuple


class Complexity(NamedTuple):
    """Exact counts for one image: `flops` are multiply-adds; `activations` are output elements."""

    flops: Any
    params: Any
    activations: Any

    def __str__(self) -> str:
        return f"{self.flops:,} flops (multiply-adds), {self.params:,} params, {self.activations:,} activations"
