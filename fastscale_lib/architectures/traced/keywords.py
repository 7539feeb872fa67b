"""The keywords that a module is made with: numbers found in them, and grown by a factor.

A path names numbers: "depths", or "cfg.blocks.d" for the field `d` of every element of `cfg.blocks`; lists and tuples
are passed through, down to their numbers. "len(block_args)" names the lengths of lists. "1/cfg.wa" among depths names
what shrinks as depths grow: the slope of a RegNet's widths over its blocks.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from math import gcd
from typing import Any, NamedTuple

INVERSE = "1/"
_DEEPEST = 6
_MOST_FIELDS = 200


class WidthRule(NamedTuple):
    """The rounding of widths to a step: of each, or of the first, with the others in proportion."""

    together: bool
    step: int

    def __str__(self) -> str:
        return f"{'in proportion, the first' if self.together else 'each'} in multiples of {self.step}"


RULES = (*(WidthRule(False, step) for step in (8, 16, 32, 64)), *(WidthRule(True, step) for step in (8, 16, 32, 64)))


def numbers(keywords: Mapping[str, Any], path: str) -> list[Any]:
    """List the numbers that a path names, in order."""
    found: list[Any] = []
    changed(keywords, path, lambda value: found.append(value) or value)
    return found


def changed(keywords: Mapping[str, Any], path: str, change: Callable[[Any], Any]) -> dict[str, Any]:
    """Apply a function to each number that the path names; return the new keywords."""
    path = path.removeprefix(INVERSE)
    lengths = path.startswith("len(")
    name, *fields = path.removeprefix("len(").removesuffix(")").split(".")
    function = _resized if lengths else _mapped
    return {**keywords, name: function(keywords[name], fields, change)}


def keyword_of(path: str) -> str:
    """Return the keyword in which the numbers of a path stand."""
    return path.removeprefix(INVERSE).removeprefix("len(").removesuffix(")").split(".")[0]


def fields_of(value: Any) -> Mapping[str, Any] | None:
    """Return the fields of a dict, dataclass or partial function by name; else None."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, functools.partial):
        return value.keywords
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    return None


def paths(keywords: Mapping[str, Any]) -> list[str]:
    """List the paths to numbers, and to lists of lists whose lengths may change."""
    found = dict.fromkeys(path for name, value in keywords.items() for path in _paths(name, value, 0))
    return list(found)[:_MOST_FIELDS]


def grow_depths(keywords: dict[str, Any], names: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """Multiply depths by a factor, rounded to at least one block; return the new keywords."""

    def grow(depth: Any) -> Any:
        if isinstance(depth, float):
            return depth * factor
        return max(1, round(depth * factor)) if depth > 0 else depth

    if factor != 1:
        for path in names:
            if path.startswith(INVERSE):
                keywords = changed(keywords, path, lambda slope: slope / factor)
            else:
                keywords = changed(keywords, path, grow)
    return keywords


def grow_widths(keywords: dict[str, Any], names: Mapping[str, Any], factor: float, rule: WidthRule) -> dict[str, Any]:
    """Return the keywords with widths times a factor.

    Where heads are among them, by whole heads: the width of a head stays. Multipliers (floats) are not rounded.
    """
    if factor == 1:
        return keywords
    heads = [path for path in names if is_heads(path)]
    if heads:
        return _grow_by_heads(keywords, names, heads[0], factor)
    if rule.together:
        first = next((each for path in names for each in numbers(keywords, path) if isinstance(each, int)), 1)
        lead = _stepped(first, factor, rule.step) / first
        return _times(keywords, names, lambda width: round(width * lead), factor)
    return _times(keywords, names, lambda width: _stepped(width, factor, gcd(width, rule.step)), factor)


def is_heads(path: str) -> bool:
    """Tell whether a keyword is the number of attention heads, by its name."""
    return "heads" in path.rsplit(".", maxsplit=1)[-1]


def _grow_by_heads(keywords: dict, names: Mapping, path: str, factor: float) -> dict[str, Any]:
    before = numbers(keywords, path)
    base = min(before)
    if all(each % base == 0 for each in before):  # as 3-6-12-24: they stay in proportion
        ratio = max(1, round(base * factor)) / base
        ratios = [ratio] * len(before)
    else:
        ratios = [max(1, round(each * factor)) / each for each in before]
    for each in names:
        widths = numbers(keywords, each)
        own = iter(ratios if len(widths) == len(ratios) else [ratios[0]] * len(widths))

        def grown(width: Any, own: Iterator[float] = own) -> Any:
            ratio = next(own)
            return width * factor if isinstance(width, float) else max(1, round(width * ratio))

        keywords = changed(keywords, each, grown)
    return keywords


def _times(keywords: dict, names: Mapping, grow: Callable[[int], int], factor: float) -> dict[str, Any]:
    def grown(width: Any) -> Any:
        if isinstance(width, float):
            return width * factor
        return grow(width) if width > 0 else width

    for path in names:
        keywords = changed(keywords, path, grown)
    return keywords


def _stepped(width: int, factor: float, step: int) -> int:
    return step * max(1, round(width * factor / step))


def _mapped(value: Any, fields: list[str], change: Callable[[Any], Any]) -> Any:
    if isinstance(value, list | tuple):
        made = [_mapped(each, fields, change) for each in value]
        return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
    if not fields:
        return change(value) if is_number(value) else value
    return _with_field(value, fields, lambda inner: _mapped(inner, fields[1:], change))


def _with_field(value: Any, fields: list[str], change: Callable[[Any], Any]) -> Any:
    held = fields_of(value)
    if held is None or fields[0] not in held:
        return value
    made = change(held[fields[0]])
    if isinstance(value, functools.partial):
        return functools.partial(value.func, *value.args, **{**value.keywords, fields[0]: made})
    if isinstance(value, Mapping):
        return {**value, fields[0]: made}
    return dataclasses.replace(value, **{fields[0]: made})


def _resized(value: Any, fields: list[str], change: Callable[[Any], Any]) -> Any:
    if fields:
        return _with_field(value, fields, lambda inner: _resized(inner, fields[1:], change))
    if not value or (isinstance(value[0], list | tuple) and not _is_row(value[0])):
        return type(value)(_resized(each, fields, change) for each in value)
    length = change(len(value))
    more = [copy.deepcopy(value[-1]) for _ in range(length - len(value))]
    return type(value)([*value[:length], *more])


def _paths(prefix: str, value: Any, depth: int) -> Iterator[str]:
    if is_number(value):
        yield prefix
    elif depth > _DEEPEST:
        return
    elif isinstance(value, list | tuple):
        if value and all(isinstance(each, list | tuple) and each and _is_block(each[-1]) for each in value):
            yield f"len({prefix})"
        for each in value:
            yield from _paths(prefix, each, depth + 1)
    elif (held := fields_of(value)) is not None:
        for name, each in held.items():
            if isinstance(name, str) and name.isidentifier():
                yield from _paths(f"{prefix}.{name}", each, depth + 1)


def _is_block(value: Any) -> bool:
    """Tell whether the value may describe one block: a dict, a dataclass or a row."""
    return fields_of(value) is not None or _is_row(value)


def _is_row(value: Any) -> bool:
    """Tell whether the value is a list of numbers, strings and Nones, as in a table of blocks."""
    plain = (int, float, str, type(None))
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(each, plain) for each in value)


def is_number(value: Any) -> bool:
    """Tell whether the value is an int or a float of Python, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)
