"""Checks of arguments, and how messages quote them.

A whole number is an int, or what can index a list; a real number is that, a float, a Fraction or a Decimal, of Python
or numpy. An array or tensor without dimensions counts as the number that it holds. True, False and strings are neither.
"""

from __future__ import annotations

import contextlib
import math
import operator
import os
import reprlib
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex, TypeAlias, TypeVar

from .errors import FastscaleError

if TYPE_CHECKING:
    import pandas as pd


LARGEST = sys.float_info.max  # the largest number that floats compute with; it has 309 digits
_QUOTED = 60  # characters of a value that a message shows
_Choice = TypeVar("_Choice", bound=str)
RealLike: TypeAlias = SupportsFloat | SupportsIndex  # what `real_number` takes: a Fraction or numpy's numbers, too


class _Short(reprlib.Repr):
    """Python's repr, cut short early: a nested list or a long string is not processed whole."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, _QUOTED, 2 * _QUOTED

    def repr_int(self, value: int, level: int) -> str:
        if value.bit_length() < 3 * _QUOTED:
            return repr(value)
        return f"a number of about {int(value.bit_length() * math.log10(2)) + 1:,} digits"


_short = _Short()


def shown(value: Any) -> str:
    """Quote a value for a message: its repr on one line, cut to some 60 characters; never raise."""
    try:
        text = " ".join(_short.repr(value).splitlines())
    except Exception:  # a repr may do anything, and an error message is being written
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _QUOTED + 4 else f"{text[:_QUOTED]}…"


def whole_number(value: Any, least: float = 1, most: float = LARGEST) -> int | None:
    """Return the value as an int; None if it is not a whole number from `least` to `most`."""
    try:
        value = _scalar(value)
        number = None if isinstance(value, bool) else operator.index(value)
    except Exception:  # __index__ may do anything
        return None
    return number if number is not None and least <= number <= most else None


def real_number(value: Any, least: float = -LARGEST, most: float = LARGEST, above: bool = False) -> float | None:
    """Return the value as a float; None if it is not a number from (or above) least to most."""
    try:
        value = _scalar(value)
        if isinstance(value, bool):
            return None
        number = float(value if isinstance(value, Real | Decimal) else operator.index(value))
    except Exception:  # too large for a float; and __index__ and __float__ may do anything
        return None
    inside = math.isfinite(number) and (least < number if above else least <= number) and number <= most
    return number if inside else None


def check_whole(
    name: str, value: Any, error: type[Exception], least: int = 1, most: float = LARGEST, remedy: str = ""
) -> int:
    """Return the value as an int, or raise `error`: `name` begins it, `remedy` ends it."""
    number = whole_number(value, least, most)
    if number is None:
        bound = f"of at least {least}" if most == LARGEST else f"from {least} to {most:,}"
        bound = "of at most 308 digits" if _too_large(value, most) and most == LARGEST else bound
        raise error(f"{name} is {shown(value)}, but must be a whole number {bound}{remedy}")
    return number


def check_real(
    name: str,
    value: Any,
    error: type[Exception],
    least: float = -LARGEST,
    most: float = LARGEST,
    above: bool = False,
    remedy: str = "",
) -> float:
    """Return the value as a float, or raise `error`: `name` begins it, `remedy` ends it."""
    number = real_number(value, least, most, above)
    if number is None:
        raise error(f"{name} is {shown(value)}, but must be {_rule(least, most, above)}{remedy}")
    return number


def _scalar(value: Any) -> Any:
    """Return the number in an array or tensor without dimensions; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _too_large(value: Any, most: float) -> bool:
    number = whole_number(value, -math.inf, math.inf)
    return number is not None and number > most


def _rule(least: float, most: float, above: bool) -> str:
    if most < LARGEST:
        return f"a number above {least:g} and at most {most:g}" if above else f"a number from {least:g} to {most:g}"
    if least > -LARGEST:
        return f"a number {'above' if above else 'of at least'} {least:g}"
    return "a finite number"


class AnalysisError(FastscaleError, ValueError):
    """A value that cannot be counted, compared or analysed; the message names it and the rule."""


def check_choice(
    name: str, value: Any, choices: Iterable[_Choice], error: type[Exception], remedy: str = ""
) -> _Choice:
    """Return the choice that equals the value, or raise `error` if none does."""
    choices = list(choices)
    for choice in choices:
        if isinstance(value, str) and value == choice:
            return choice
    raise error(f"{name} is {shown(value)}, but must be one of {', '.join(choices)}{remedy}")


def check_text(name: str, value: Any, error: type[Exception], remedy: str = "") -> str:
    """Return the string, or raise `error` if the value is something else."""
    if not isinstance(value, str):
        raise error(f"{name} is {shown(value)}, but must be a string{remedy}")
    return value


def check_flag(name: str, value: Any, error: type[Exception], remedy: str = "") -> bool:
    """Return the value, True or False of Python or numpy, as a bool, or raise `error`."""
    if not (isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")):
        raise error(f"{name} is {shown(value)}, but must be True or False{remedy}")
    return bool(value)


def check_type(name: str, value: Any, types: type | tuple[type, ...], error: type[Exception], wanted: str) -> Any:
    """Return the value, or raise `error` if it has none of the types; `wanted` names them."""
    if not isinstance(value, types):
        raise error(f"{name} is {shown(value)}, but must be {wanted}")
    return value


def check_progress(value: Any, error: type[Exception]) -> None:
    """Raise `error` if the value is neither a function nor None."""
    if not (value is None or callable(value)):
        raise error(f"progress is {shown(value)}, but must be a function, or None for the usual line")


def check_path(name: str, value: Any, error: type[Exception]) -> Path:
    """Return the value as a Path, or raise `error` if no file can have that name."""
    try:
        path = Path(value)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            os.lstat(path)  # ValueError: it has a null character, or one that the file system cannot encode
    except (TypeError, ValueError, OSError):
        raise error(f"{name} is {shown(value)}, but must be the path of a file or folder") from None
    return path


def several(values: Any, *single: type) -> list[Any]:
    """Return the items of an iterable; of a string, number or one of these types, a list of it."""
    if isinstance(values, (str, bytes, Real, *single)) or not isinstance(values, Iterable):
        return [values]
    try:
        return list(values)
    except Exception:  # __iter__ may do anything: that of a tensor without dimensions raises
        return [values]


def check_columns(name: str, values: Any, error: type[Exception]) -> list[str]:
    """Return the names of columns, each once, or raise `error` if there are none."""
    items = check_items(name, values, error, "columns")
    return list(dict.fromkeys(check_column(f"{name}: a column", each, error) for each in items))


def check_items(name: str, values: Any, error: type[Exception], of: str) -> list[Any]:
    """Return the items of an iterable, or raise `error` if there are none."""
    try:
        items = [] if isinstance(values, str | bytes | Mapping) else list(values)
    except Exception:  # it is not iterable, or its __iter__ raises
        items = []
    if not items:
        raise error(f"{name} is {shown(values)}, but must be a list of {of}, with one at least")
    return items


def check_frame(
    name: str, frame: Any, error: type[Exception], columns: Iterable[Any] = (), numbers: Iterable[Any] = ()
) -> pd.DataFrame:
    """Return the frame, or raise `error` if it is no DataFrame or lacks a column.

    It must have each of `columns` and `numbers` once; those of `numbers` hold numbers or missing values.
    """
    import pandas as pd

    numbers = list(numbers)
    needed = list(dict.fromkeys([*columns, *numbers]))
    listed = ", ".join(str(column)[:_QUOTED] for column in needed)
    if not isinstance(frame, pd.DataFrame):
        wanted = f" with the columns {listed}" if needed else ""
        raise error(f"{name} is {shown(frame)}, but must be a pandas DataFrame{wanted}")
    names = list(frame.columns)
    for column in needed:
        if names.count(column) != 1:
            has = "no column" if column not in names else "several columns"
            raise error(f"{name} has {has} {shown(column)}; it must have {listed}, each once")
    for column in numbers:
        try:
            frame[column].astype("Float64")
        except (TypeError, ValueError):
            raise error(f"{name} has a column {shown(column)} that holds something else than numbers") from None
    return frame


def check_column(name: str, value: Any, error: type[Exception]) -> str:
    """Return the name of a column, or raise `error` if it is no string."""
    return check_text(name, value, error, "; name a column of the frame")
