"""The trace of a forward pass: operations in order, parameters, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from ..parts import Complexity

# Those that have rows in `layers`; the others only move elements.
LISTED = ("conv", "linear", "matmul", "attention", "norm", "maxpool", "avgpool", "globalpool", "pool", "unknown")
_WITH_OUTPUTS = ("conv", "linear", "maxpool", "avgpool")  # whose outputs are activations, as pycls counts them


class TracedOperation(NamedTuple):
    """One operation of a forward pass.

    Fields:
        name: of the module that called it, as in `named_modules`.
        operator: torch's name, as "aten.conv2d".
        kind: one of `LISTED`, or "copy", "pointwise", "smooth", "weights". "matmul" and "attention" are products of two
            tensors that both depend on the input; "weights" are operations on parameters alone, as those that
            standardise the weights of a convolution in every pass; "unknown" is what no list has.
        flops: multiply-adds, without those of biases.
        bias: multiply-adds of biases: one per output.
        backward: multiply-adds of the backward pass, as torch's FlopCounterMode has them.
        hidden: whether FlopCounterMode does not know it.
        moved: elements read and written, without parameters; of "weights", elements of parameters.
        outputs: elements of the output.
        scores: elements of attention matrices, which a fused attention never writes.
        parameters: names of the parameters that it is the first to use as weights or biases.
        params: their elements.
        shape_in, shape_out: of the (first) input and the output, the batch included.
        kernel, stride: of a convolution or pool, along the last side; else 1.
        groups: of a convolution; else 1.
        axis: where the channels stand in both shapes.
    """

    name: str
    operator: str
    kind: str
    flops: int
    bias: int
    backward: int
    hidden: bool
    moved: int
    outputs: int
    scores: int
    parameters: tuple[str, ...]
    params: int
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    axis: int = 1

    @property
    def activations(self) -> int:
        """Outputs of convolutions, linear layers, and pools that are not global."""
        return self.outputs if self.kind in _WITH_OUTPUTS else 0


class TracedComplexity(Complexity):
    """Counts of a traced module, beside those of torch's own counter, and what is not counted.

    Attributes:
        torch_flops: flops of the forward pass by torch's FlopCounterMode: two per multiply-add, without biases.
        torch_flops_backward: what it says of a forward with a backward pass.
        attention_flops: multiply-adds of products of two tensors that both depend on the input, as in attention.
        attention_matrices: their elements, which are no activations: a fused attention never writes them.
        uncounted: torch's name of each operator that is not known, counted as 0, and how often it was called.
    """

    torch_flops: int
    torch_flops_backward: int
    attention_flops: int
    attention_matrices: int
    uncounted: dict[str, int]

    def __str__(self) -> str:
        text = super().__str__()
        if self.uncounted:
            calls = ", ".join(f"{name} (called {times}×)" for name, times in self.uncounted.items())
            text += f"; not known, and counted as 0: {calls}"
        return text


@dataclass(frozen=True)
class Trace:
    """The operations of one forward pass in order, and the elements of each parameter by name."""

    operations: tuple[TracedOperation, ...]
    parameters: Mapping[str, int]

    @cached_property
    def complexity(self) -> TracedComplexity:
        """The counts: flops are multiply-adds of convolutions, linear layers and attention.

        Those of biases are included.
        """
        flops = sum(each.flops + each.bias for each in self.operations)
        counts = TracedComplexity(
            flops, sum(self.parameters.values()), sum(each.activations for each in self.operations)
        )
        known = [each for each in self.operations if not each.hidden]
        counts.torch_flops = 2 * sum(each.flops for each in known)
        counts.torch_flops_backward = counts.torch_flops + 2 * sum(each.backward for each in known)
        of_attention = [each.flops for each in self.operations if each.kind in ("matmul", "attention")]
        counts.attention_flops = sum(of_attention)
        counts.attention_matrices = sum(each.scores for each in self.operations)
        counts.uncounted = dict(Counter(each.operator for each in self.operations if each.kind == "unknown"))
        return counts

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of `layers`: listed operations, then parameters that are not their weights."""
        for each in self.operations:
            if each.kind in LISTED:
                yield _row(each)
        used = {name for each in self.operations for name in each.parameters}
        for name, size in self.parameters.items():
            if name not in used:
                yield name, "parameter", 1, 1, 1, 0, 0, 0, 0, 0, size, 0, 0


def _row(each: TracedOperation) -> tuple[Any, ...]:
    kind = f"unknown ({each.operator})" if each.kind == "unknown" else each.kind
    widths = [shape[each.axis] if len(shape) > 1 else 1 for shape in (each.shape_in, each.shape_out)]
    sides = [_side(shape, each.axis) for shape in (each.shape_in, each.shape_out)]
    counts = each.flops + each.bias, each.params, each.activations, each.scores
    return each.name, kind, each.kernel, each.stride, each.groups, *widths, *sides, *counts


def _side(shape: tuple[int, ...], axis: int) -> Any:
    """Return an image's side or (height, width), the length of a sequence, 1 for features."""
    sides = list(shape[1:])
    if sides:
        del sides[axis - 1 if axis > 0 else axis]
    if not sides:
        return 1
    return sides[0] if len(set(sides)) == 1 and len(sides) < 3 else tuple(sides)
