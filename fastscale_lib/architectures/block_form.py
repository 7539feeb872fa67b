"""What a block type answers, the numbers of one block, and layers that blocks share."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from .._common.checks import shown
from .._common.integers import at_least
from .layer_types import Activation, Conv, Gate, GlobalPool, Norm, Residual
from .parts import NetworkError, Stage


class BlockSizes(NamedTuple):
    """The numbers that one block is made of.

    `extra_tokens` are the tokens beside those of patches; None where there are no tokens.
    """

    width_in: Any
    width: Any
    stride: int
    bottleneck: float
    group_width: Any
    kernel: int
    se_ratio: float
    extra_tokens: int | None = None


class BlockType:
    """Describe a block type; instances stand in `BLOCKS`, variants with fields of their own.

    Fields:
        convolutions: "depthwise" if the group width is 1, "dense" if it is the stage's width; None if it may vary, and
            `check`, `fit` and `undivided` are the block's own.
        ends_grow: whether width scaling widens stem and head too; False leaves them as they are.
        keeps_group_width: whether the group width stays as it is when the width grows.
        has_gate: whether there may be squeeze-and-excitation.
        cuts_off: whether a stride cuts off the pixels that are left over, so that an image may end up with none.
        takes_tokens: whether the block works on tokens, which a stem must make.
        linear_if_wide: whether timm runs the 1×1 convolutions of wide networks as linear layers.
    """

    name: str
    convolutions: Literal["depthwise", "dense"] | None = None
    ends_grow = False
    keeps_group_width = False
    has_gate = True
    cuts_off = False
    takes_tokens = False
    linear_if_wide = False

    def __init__(self, **variant: Any) -> None:
        vars(self).update(variant)

    def parts(self, b: BlockSizes) -> tuple:
        """List the layers of one block, in order.

        A block of several residuals gives each a `name`; a block whose only part is a residual leaves it out.
        """
        raise NotImplementedError

    def form(self, bottleneck: float) -> str:
        """Name the form of its layers, where they depend on the bottleneck; "" if they do not."""
        return ""

    def check(self, number: int, stage: Stage) -> None:
        """Refuse a stage that cannot be built; `number` counts from 1.

        Raises:
            NetworkError: naming the stage, the values and the rule.
        """
        fixed = self.undivided(stage.width, stage.bottleneck)
        if stage.group_width != fixed:
            rule = "1" if self.convolutions == "depthwise" else f"its width, {shown(fixed)}"
            raise NetworkError(
                f"stage {number}: group width {shown(stage.group_width)}, but {self.name} has {self.convolutions} "
                f"convolutions: its group width is {rule}"
            )

    def fit(self, width: Any, bottleneck: float, group_width: Any) -> tuple[Any, Any]:
        """Return the nearest width and group width that a stage can be built with.

        Both may be numbers or arrays.
        """
        return width, self.undivided(width, bottleneck)

    def grain(self, bottleneck: float, group_width: Any, step: int) -> Any:
        """Return the step, a multiple of `step`, by which widths keep fitting this group width."""
        return step

    def undivided(self, width: Any, bottleneck: float) -> Any:
        """Return the group width that a stage has where none is given."""
        if self.convolutions is None:
            raise NotImplementedError
        return 1 if self.convolutions == "depthwise" else width


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
