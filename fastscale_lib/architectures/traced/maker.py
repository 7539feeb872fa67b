"""The modules of a family: made without data, traced, and counted, each size once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..._common.checks import shown
from ..._common.errors import first_line
from ..parts import NetworkError
from . import memo
from .identities import comparable
from .keywords import RULES, WidthRule
from .modules import trace
from .records import Trace, TracedComplexity
from .repeats import Traces
from .sources import FunctionOfFactors, Size, Source, refusal, width_rule

if TYPE_CHECKING:
    import torch


class Maker:
    """Makes the modules of all sizes of a family, and keeps their counts.

    Attributes:
        source: the callable, with its keywords or factors.
        size: height and width of the base's images.
        size_told: what told the size; "" where it was given.
        confirmed: what the factors of a function do.
        made_by: what made a family that another process has sent; None for one that was made here.
        traces: modules that were traced.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        size: Size,
        keep: bool = True,
        example: Callable[[Size], Any] | None = None,
        size_told: str = "",
        made_by: dict[str, Any] | None = None,
    ) -> None:
        self.name, self.source, self.size = name, source, size
        self.size_told, self.confirmed, self.made_by = size_told, "", made_by
        self._keep, self._example = keep, example
        self._counts: dict[str, TracedComplexity] = {}
        self.traces = Traces()

    def keywords(self, d: float = 1.0, w: float = 1.0) -> dict[str, Any]:
        """Return the keywords at these factors of depth and width; default: those of the base."""
        return self.source.grown(d, w, RULES[0] if w == 1 else self.rule)

    @cached_property
    def compared(self) -> Any:
        """What makers of the same modules have alike: callable, arguments, sizes, example."""
        source = self.source
        if isinstance(source, FunctionOfFactors):
            return comparable([source.make, source.names, source.side, self._example])
        scaled = source.depth, source.width, source.image
        return comparable([source.make, source.args, source.keywords, scaled, self._example])

    def __getstate__(self) -> dict[str, Any]:
        """Leave out of copies what is compared, which they find from their own values."""
        return {name: value for name, value in vars(self).items() if name != "compared"}

    @cached_property
    def rule(self) -> WidthRule:
        """How widths are rounded; found by making modules that are one step wider."""
        return width_rule(self.source, lambda keywords: self._works(keywords, self.size))

    @cached_property
    def side_step(self) -> int:
        """The smallest step, of 4 pixels at least, by which the side of an image can grow."""
        base, (height, width) = self.keywords(), self.size
        before = self.counts(base, self.size).flops

        def grows(step: int) -> bool:  # else the pixels that are no whole patch would be cut off
            size = height + step, width + step
            return self._works(base, size) and self.counts(base, size).flops > before

        steps = (4, *(step for step in range(5, height) if height % step == 0))
        return next(filter(grows, steps), height)

    def counts(self, keywords: dict[str, Any], size: Size) -> TracedComplexity:
        """Count a module; the counts are kept in memory, and for installed code on disk."""
        make, arguments = self.source.memo
        exact = [self.source.exact(keywords), size]
        key = repr(exact)
        if key in self._counts:
            return self._counts[key]
        place = memo.place_of(make, [*arguments, exact, self.source.image]) if self._keep else None
        counts = memo.read(place) if place else None
        if counts is None:
            counts = self.traces.counted(
                repr([self.source.besides_depths(keywords), size]),
                tuple(self.source.sizes(keywords, "depth")),
                lambda: self.trace(keywords, size),
            )
            if place:
                memo.write(place, counts)
        self._counts[key] = counts
        return counts

    def trace(self, keywords: dict[str, Any], size: Size) -> Trace:
        """Make a module, and trace it."""
        module = self.module(keywords, size)
        if self._example is None:
            return trace(module, resolution=size)
        try:
            example = self._example(size)
        except Exception as error:  # of the user's own function
            line = first_line(error)[:200]
            raise NetworkError(f"family: example cannot be called with (height, width) = {size} ({line})") from None
        return trace(module, example=example)

    def module(self, keywords: dict[str, Any], size: Size) -> torch.nn.Module:
        """Make a module without data; raise a NetworkError if the callable fails or makes none."""
        from .without_data import make_without_data

        try:
            module = make_without_data(lambda: self.source.call(keywords, size))
        except NetworkError:
            raise
        except Exception as error:  # of the callable's own code
            raise refusal(self.name, self.source.said(keywords, size), error) from None
        if not hasattr(module, "named_modules"):
            raise NetworkError(f"family: {self.name} made {shown(module)}, but must return a torch module")
        return module

    def _works(self, keywords: dict[str, Any], size: Size) -> bool:
        try:
            self.counts(keywords, size)
        except NetworkError:
            return False
        return True
