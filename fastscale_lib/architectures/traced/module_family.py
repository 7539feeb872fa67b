"""A callable that returns modules, scaled by its keywords in depth, width and resolution."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..._common.checks import shown
from ..parts import METRICS, NetworkError
from ..provenance import Scaling
from ..resolutions import Resolution, one_or_pair, side_text, size_text
from .identities import kind_of, named
from .maker import Maker
from .modules import image_size
from .records import Trace, TracedComplexity
from .sources import Size, refusal

if TYPE_CHECKING:
    import torch

_LARGEST_SIDE = 2**20


class Family:
    """A module at one size, and all others that its keywords can give it; made by `family`.

    Attributes:
        name: of the callable, or of what it made; a scaled family has the strategy in it.
        size: height and width of its images in pixels.
        scaling: where its size comes from; None for the base.
    """

    def __init__(
        self,
        maker: Maker,
        *,
        name: str | None = None,
        size: Size | None = None,
        factors: tuple[float, float] = (1.0, 1.0),
        scaling: Scaling | None = None,
    ) -> None:
        self.name, self.size, self.scaling = maker.name if name is None else name, size or maker.size, scaling
        self._maker, self._source, self._factors = maker, maker.source, factors

    @property
    def side_step(self) -> int:
        """The step, in pixels, to which resolutions are rounded."""
        return self._maker.side_step

    @property
    def kwargs(self) -> dict[str, Any]:
        """The keywords that scaling changes, with their values at this size."""
        return self._source.said(self._keywords(), self.size)

    @property
    def resolution(self) -> Resolution:
        """The side of its images in pixels; (height, width) where they are not square."""
        return one_or_pair(*self.size)

    @property
    def missing(self) -> tuple[str, ...]:
        """Which of depth and width cannot be scaled, for want of a keyword or factor."""
        return self._source.missing

    @property
    def confirmed(self) -> str:
        """The effect of doubling each factor of a function, as "d adds layers, w widens layers"."""
        return self._maker.confirmed

    @property
    def depths(self) -> tuple[Any, ...]:
        """The numbers that are its depths."""
        return tuple(self._source.sizes(self._keywords(), "depth"))

    @property
    def widths(self) -> tuple[Any, ...]:
        """The numbers that are its widths."""
        return tuple(self._source.sizes(self._keywords(), "width"))

    @property
    def rounding(self) -> str:
        """How widths and resolution are rounded; found by making modules that are one step larger."""
        return f"widths {self._maker.rule}, resolution in multiples of {self.side_step}"

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits that depend on all that `made_by` tells."""
        return hashlib.sha256(repr(sorted(self.made_by.items())).encode()).hexdigest()[:12]

    @property
    def made_by(self) -> dict[str, Any]:
        """What makes this size: the callable's name, the version of its code, its arguments."""
        if self._maker.made_by is not None:
            return self._maker.made_by
        make, arguments = self._source.memo
        exact = self._source.exact(self._keywords())
        return named(self.name, make, [*arguments, exact, self.size, self._source.image])

    @property
    def call(self) -> Callable[[], Any]:
        """What makes the module at this size, without arguments."""
        return partial(self._source.call, self._keywords(), self.size)

    @property
    def complexity(self) -> TracedComplexity:
        """The counts at this size, which are kept in memory, and for installed code on disk."""
        return self._maker.counts(self._keywords(), self.size)

    @property
    def makes(self) -> str:
        """The name of the callable that takes `kwargs`, or of the class of module that it makes."""
        return kind_of(self._source.make)

    def trace(self) -> Trace:
        """Trace the module at this size."""
        return self._maker.trace(self._keywords(), self.size)

    def at(self, resolution: Resolution | None) -> Family:
        """Return the same family with images of another size.

        Arguments:
            resolution: side of the images in pixels, or (height, width); None leaves them as they are.

        Raises:
            NetworkError: the resolution is not in whole numbers above 0.
        """
        size = self.size if resolution is None else image_size("family", resolution)
        return self if size == self.size else self._other(self._factors, size, self.name, None)

    def scaled(
        self, depth: float, width: float, resolution: float | Size, name: str, scaling: Scaling | None = None
    ) -> Family:
        """Return the family grown by factors, rounded.

        Arguments:
            depth: factor of the depths.
            width: factor of the widths.
            resolution: a factor; or (height, width) in pixels, taken as it is.
            name: of the grown family.
            scaling: how it was scaled; default: None.
        """
        size = resolution if isinstance(resolution, tuple) else self._sides(resolution)
        return self._other((self._factors[0] * depth, self._factors[1] * width), size, name, scaling)

    def module(self, device: Any = None) -> torch.nn.Module:
        """Make the module at this size.

        Arguments:
            device: a device of torch; default: torch's own. On "meta" no time goes into weights.

        Raises:
            NetworkError: the callable fails with these keywords.
        """
        import torch  # here: what tells a Family from a Network must not load it

        keywords = self._keywords()
        try:
            target = torch.device(device) if device is not None else torch.get_default_device()
            if target.type == "meta":
                return self._maker.module(keywords, self.size)
            with target:
                return self._source.call(keywords, self.size)
        except NetworkError:
            raise
        except Exception as error:  # of the callable's own code
            raise refusal(self.name, self.kwargs, error) from None

    def laws(self) -> MeasuredLaws:
        """Measure the exponents by which counts grow when depth, width or resolution is doubled."""
        base = self.complexity
        doubled = [self.scaled(*factors, "") for factors in ((2, 1, 1.0), (1, 2, 1.0), (1, 1, 2.0))]
        counts = [each.complexity for each in doubled]
        exponents = {
            metric: tuple(doubling_exponent(getattr(each, metric), getattr(base, metric)) for each in counts)
            for metric in METRICS
        }
        growth = doubling_exponent(counts[2].attention_flops, base.attention_flops)
        return MeasuredLaws(**exponents, attention=base.attention_flops / base.flops, attention_growth=growth, at=self)

    def __eq__(self, other: object) -> bool:
        """Tell whether both are the same size of the same family, whatever their names."""
        return isinstance(other, Family) and self._compared == other._compared

    def __hash__(self) -> int:
        return hash(self._compared)

    @property
    def _compared(self) -> tuple[Any, ...]:
        return self._maker.compared, self.size, self._factors

    def __str__(self) -> str:
        told = f" by {self._maker.size_told}" if self._maker.size_told and self.size == self._maker.size else ""
        return f"{self.name} ({size_text(self.size)} px{told}, {self._source.text(self._keywords(), self.size)})"

    def __repr__(self) -> str:
        return f"<family {self}>"

    def _keywords(self) -> dict[str, Any]:
        return self._maker.keywords(*self._factors)

    def _other(self, factors: tuple[float, float], size: Size, name: str, scaling: Scaling | None) -> Family:
        made = Family(self._maker, name=name, size=size, factors=factors, scaling=scaling)
        made.complexity  # noqa: B018 - refuses what cannot be made; whoever scales looks at the counts next
        return made

    def _sides(self, factor: float) -> Size:
        if factor == 1:
            return self.size
        if not math.isfinite(factor) or max(self.size) * factor > _LARGEST_SIDE:
            raise NetworkError(f"family: a resolution grown by {shown(factor)} is too large to be counted")
        height, width = (self.side_step * max(1, round(side * factor / self.side_step)) for side in self.size)
        return height, width


class MeasuredLaws(NamedTuple):
    """Exponents by which counts grow with depth, width and resolution, from one doubling each.

    `attention` is the share of flops in products of two tensors that both depend on the input, `attention_growth`
    their exponent of resolution; `at` is the family at the size that was doubled.
    """

    flops: tuple[float, ...]
    params: tuple[float, ...]
    activations: tuple[float, ...]
    attention: float
    attention_growth: float
    at: Family

    def __str__(self) -> str:
        scaled = [each for each in law_text(self.flops).split() if each[0] not in {name[0] for name in self.at.missing}]
        text = ", ".join([f"flops ∝ {' '.join(scaled)}", *(f"{name}: not scaled" for name in self.at.missing)])
        if self.attention:
            growth, side = f"r^{self.attention_growth:.2f}", side_text(self.at.resolution)
            text += f"; attention grows as {growth} and is {self.attention:.1%} of the flops at {side} px"
        return text


def doubling_exponent(after: float, before: float) -> float:
    """Compute the exponent of a count's growth when a size was doubled; 0 for no count."""
    return math.log2(after / before) if before and after else 0.0


def law_text(exponents: Iterable[float]) -> str:
    """Write a law as "d^1.00 w^2.00 r^2.00"."""
    return " ".join(f"{name}^{float(value):.2f}" for name, value in zip("dwr", exponents, strict=True))
