"""Modules of each size, from a callable's keywords or a function of factors."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import gcd
from typing import Any

from ..._common.checks import real_number, shown
from ..._common.errors import first_line
from ..parts import NetworkError
from .keywords import INVERSE, RULES, WidthRule, grow_depths, grow_widths, is_number, keyword_of, numbers

Size = tuple[int, int]  # height and width of an image


@dataclass(frozen=True, eq=False)
class Keywords:
    """A callable and the keywords of its base module; some of them grow.

    Fields:
        depth, width: paths of the numbers that grow (see `keywords`).
        image: keywords that hold the resolution.
        memo: callable and arguments that stand for this one where counts are kept.
    """

    make: Callable[..., Any]
    args: tuple
    keywords: Mapping[str, Any]
    depth: tuple[str, ...]
    width: tuple[str, ...]
    image: tuple[str, ...]
    memo: tuple

    @property
    def missing(self) -> tuple[str, ...]:
        """Which of depth and width have no keyword."""
        return tuple(name for name in ("depth", "width") if not getattr(self, name))

    def grown(self, d: float, w: float, rule: WidthRule) -> dict[str, Any]:
        """Return all keywords, grown by these factors."""
        try:
            grown = grow_depths(dict(self.keywords), dict.fromkeys(self.depth), d)
            return grow_widths(grown, dict.fromkeys(self.width), w, rule)
        except (OverflowError, ValueError):
            raise NetworkError(f"a family grown by d = {d:g}, w = {w:g} is too large to be made") from None

    def sized(self, keywords: Mapping[str, Any], size: Size) -> dict[str, Any]:
        """Return the keywords with the resolution in those that hold it."""
        height, width = size
        pair = {
            name: size if height != width or isinstance(self.keywords[name], tuple | list) else height
            for name in self.image
        }
        return {**keywords, **pair}

    def said(self, keywords: Mapping[str, Any], size: Size) -> dict[str, Any]:
        """Return the keywords that scaling changes, with their values."""
        sized = self.sized(keywords, size)
        names = [keyword_of(path) for path in (*self.depth, *self.width)]
        return {name: sized[name] for name in dict.fromkeys((*names, *self.image))}

    def text(self, keywords: Mapping[str, Any], size: Size) -> str:
        """Return the paths with their numbers, as "depths=3-3-9-3, dims=96-192-384-768"."""
        found = {path: numbers(keywords, path) for path in (*self.depth, *self.width) if path[:2] != INVERSE}
        said = (f"{path}={'-'.join(f'{each:.6g}' for each in values[:20])}" for path, values in found.items())
        return ", ".join(said) or "no keyword scales"

    def exact(self, keywords: Mapping[str, Any]) -> list[Any]:
        """List the paths that grow with their numbers: with the base, they tell all keywords."""
        return [[path, numbers(keywords, path)] for path in (*self.depth, *self.width)]

    def besides_depths(self, keywords: Mapping[str, Any]) -> list[Any]:
        """List the paths that grow, but numbers of blocks, with their numbers."""
        paths = (*(path for path in self.depth if path.startswith(INVERSE)), *self.width)
        return [[path, numbers(keywords, path)] for path in paths]

    def sizes(self, keywords: Mapping[str, Any], which: str) -> list[Any]:
        """List the numbers that are the depths, or the widths."""
        return [each for path in getattr(self, which) if path[:2] != INVERSE for each in numbers(keywords, path)]

    def call(self, keywords: Mapping[str, Any], size: Size) -> Any:
        """Call the maker; its module is returned."""
        return self.make(*self.args, **copy.deepcopy(self.sized(keywords, size)))


@dataclass(frozen=True, eq=False)
class FunctionOfFactors:
    """A function of d, w, r: `lambda d, w: Net(blocks=d(4), channels=w(64))`.

    It calls each on base values.
    """

    make: Callable[..., Any]
    names: tuple[str, ...]
    side: int
    memo: tuple = (None, ())
    image: tuple = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Which of depth and width the function takes no factor of."""
        return tuple(name for name in ("depth", "width") if name[0] not in self.names)

    def grown(self, d: float, w: float, rule: WidthRule) -> dict[str, Any]:
        """Return the factors, by the names that the function has for them."""
        return {"d": d, "w": w, "rule": rule}

    def said(self, keywords: Mapping[str, Any], size: Size) -> dict[str, Any]:
        """Return the factors of depth, width and resolution, which the function is called with."""
        factors = {"d": keywords["d"], "w": keywords["w"], "r": size[0] / self.side}
        return {name: factors[name] for name in self.names}

    def text(self, keywords: Mapping[str, Any], size: Size) -> str:
        """Return the factors, as "d=1.2, w=1.5"."""
        return ", ".join(f"{name}={value:.6g}" for name, value in self.said(keywords, size).items())

    def exact(self, keywords: Mapping[str, Any]) -> list[Any]:
        """List the factors, and how widths are rounded."""
        return [keywords["d"], keywords["w"], keywords["rule"].step]

    def besides_depths(self, keywords: Mapping[str, Any]) -> list[Any]:
        """List what tells the size: which depths the function makes of its factor is its own affair."""
        return self.exact(keywords)

    def sizes(self, keywords: Mapping[str, Any], which: str) -> list[Any]:
        """List nothing: which sizes the function asks for is its own affair."""
        return []

    def call(self, keywords: Mapping[str, Any], size: Size) -> Any:
        """Call the function; its module is returned."""
        factors = {
            "d": Grower(keywords["d"], 1),
            "w": Grower(keywords["w"], keywords["rule"].step),
            "r": Grower(size[0] / self.side, 1),
        }
        return self.make(**{name: factors[name] for name in self.names})


class Grower:
    """Multiplies a base value by a factor, in whole steps, at least one; floats unrounded.

    A width is rounded to multiples of 8 where the base value is one. `d(4)`, `w(64)`, `w(60, step=12)`, `w(1.0)`.
    """

    def __init__(self, factor: float, step: int) -> None:
        self.factor, self.step = factor, step

    def __call__(self, value: Any, step: int | None = None) -> Any:
        """Return the value times the factor; of a list, each of its values."""
        if isinstance(value, list | tuple):
            return type(value)(self(each, step) for each in value)
        if not is_number(value) or real_number(value, 0) is None:
            raise NetworkError(f"family: {shown(value)} cannot grow; give a number of at least 0, or a list of them")
        if self.factor == 1 or value == 0:
            return value
        if isinstance(value, float):
            return value * self.factor
        grain = step or gcd(value, self.step)
        return grain * max(1, round(value * self.factor / grain))


Source = Keywords | FunctionOfFactors


def width_rule(source: Source, works: Callable[[dict[str, Any]], bool]) -> WidthRule:
    """Find the finest rule of rounding by which the smallest width can grow by one step."""
    widths = [each for each in source.sizes(source.grown(1, 1, RULES[0]), "width") if isinstance(each, int) and each]
    for rule in RULES:
        smallest = min((each for each in widths if each >= rule.step), default=rule.step)
        if works(source.grown(1, 1 + rule.step / smallest, rule)):
            return rule
    return RULES[0]


def refusal(name: str, said: Mapping[str, Any], error: BaseException) -> NetworkError:
    """Say in a sentence that there is no such module."""
    given = ", ".join(f"{key}={shown(value)}" for key, value in said.items())
    return NetworkError(f"family: {name} cannot be made with {given or 'its own keywords'} ({first_line(error)[:200]})")
