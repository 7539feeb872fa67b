"""Types of a notebook's parameters, some with a rule that every value must follow.

A notebook imports them from `fastscale_lib.reports` into its parameters cell. papermill reads that cell, too, and
understands only annotations of names, integers and brackets, as `Share`, `list[Metric]` or `Literal[100, 200]`: hence a
name for each rule. `Annotated[float, Range(0, 5)]` works as well, but `papermill --help-notebook` omits such a line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_origin

from .._common.checks import shown
from .._common.errors import FastscaleError
from ..architectures.parts import Metric as Metric
from ..measuring.settings import Mode as Mode
from ..measuring.settings import Precision as Precision


class ParameterError(FastscaleError, ValueError):
    """A parameter that a notebook does not take, or not with this value."""


@dataclass(frozen=True)
class Range:
    """The finite numbers between two bounds: `Annotated[float, Range(0, 1)]`.

    Arguments:
        low: the lower bound; default: none.
        high: the upper bound; default: none.
        open: whether the bounds themselves are excluded; default: False.

    Raises:
        ParameterError: (a ValueError) a bound is no number, or low is above high.
    """

    low: float = -math.inf
    high: float = math.inf
    open: bool = False

    def __post_init__(self) -> None:
        numbers = all(isinstance(each, int | float) for each in (self.low, self.high))
        if not (numbers and self.low <= self.high):
            raise ParameterError(
                f"Range: the bounds are {shown(self.low)} and {shown(self.high)}, but must be two numbers, "
                "the lower one first; try Range(0, 1)"
            )

    @property
    def text(self) -> str:
        """The range in words: "0 to 1", "above 0"."""
        low, high = (f"{each:.12g}" for each in (self.low, self.high))
        if self.low > -math.inf and self.high < math.inf:
            return f"above {low} and below {high}" if self.open else f"{low} to {high}"
        below, above = ("below", "above") if self.open else ("up to", "from")
        return f"{above} {low}" if self.low > -math.inf else f"{below} {high}"

    @property
    def said(self) -> str:
        """What a value must be: the end of a sentence."""
        return f"a number {self.text}"

    def allows(self, value: Any) -> bool:
        """Tell whether a number lies in the range.

        Arguments:
            value: a number.
        """
        inside = self.low < value < self.high if self.open else self.low <= value <= self.high
        return inside and abs(value) < math.inf


@dataclass(frozen=True)
class Choices:
    """The values of a `Literal` type."""

    values: tuple[Any, ...]

    @property
    def text(self) -> str:
        return f"one of {', '.join(map(str, self.values))}"

    said = text

    def allows(self, value: Any) -> bool:
        return value in self.values


@dataclass(frozen=True)
class Holding:
    """The folders that a folder of data must hold; an empty string: fastscale's own data."""

    folders: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"a folder that holds {' and '.join(f'{each}/' for each in self.folders)}"

    @property
    def said(self) -> str:
        return f"{self.text}; empty: fastscale's own"

    def allows(self, value: Any) -> bool:
        return isinstance(value, str)  # `report` looks whether the folders are there, before anything runs


Rule = Range | Choices | Holding

Share = Annotated[float, Range(0, 1)]
PositiveFloat = Annotated[float, Range(0, open=True)]
NonNegativeFloat = Annotated[float, Range(0)]
FloatAboveOne = Annotated[float, Range(1, open=True)]
PositiveInt = Annotated[int, Range(1)]
NonNegativeInt = Annotated[int, Range(0)]

SliderScale = Annotated[float, Range(0.25, 64)]  # scale factors of the explorer's slider
CurvePoints = Annotated[int, Range(2, 128)]  # points of a curve: with more of them a page is too large to mail
LargeFrom = Annotated[float, Range(1, 10_000)]  # the ends of a range of scale factors, which are apart
LargeTo = Annotated[float, Range(100_000)]
FastScaledFamily = Literal["RegNetY", "RegNetZ"]  # of Early Convolutions, Table 2

DataFolder = Annotated[str, Holding(("published", "measured"))]
MeasuredFolder = Annotated[str, Holding(("measured",))]

# What an annotation of a parameters cell may name.
NAMES: dict[str, Any] = {name: each for name, each in globals().items() if get_origin(each) in (Annotated, Literal)}
NAMES |= {"Annotated": Annotated, "Literal": Literal, "Range": Range}
NAMES |= {each.__name__: each for each in (str, int, float, bool, list)}
