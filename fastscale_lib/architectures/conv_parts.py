"""The layers that blocks of convolutions have in common."""

from __future__ import annotations

from .._common.integers import at_least
from .block_form import BlockSizes
from .layer_types import Activation, Conv, Gate, GlobalPool, Norm, Residual


def conv_norm(
    suffix: str, width_in, width_out, kernel: int = 1, stride: int = 1, group_width=None, last: bool = False
) -> tuple:
    """Make a convolution without bias, and its batch norm."""
    return (
        Conv(f"conv{suffix}", width_in, width_out, kernel, stride, group_width),
        Norm(f"norm{suffix}", width_out, last),
    )


def squeeze_excite(b: BlockSizes, width, hidden, activation: str | None = None, gate: str = "sigmoid") -> tuple:
    """List squeeze-and-excitation; nothing if its ratio is 0.

    Global pool, 1×1 with bias, activation, 1×1 with bias, gate, product. Hu et al., Squeeze-and-Excitation Networks,
    2018, section 3.
    """
    if not b.se_ratio:
        return ()
    hidden = at_least(1, hidden)
    parts = (
        GlobalPool("pool", width),
        Conv("reduce", width, hidden, bias=True),
        Activation("act", hidden, activation),
        Conv("expand", hidden, width, bias=True),
        Activation(gate, width, gate),
    )
    return (Gate("se", width, parts),)


def where_unchanged(b: BlockSizes, branch: tuple) -> Residual:
    """Add the input to the branch where their shapes agree."""
    return Residual(b.width, branch, added=False if b.stride > 1 else b.width_in == b.width)
