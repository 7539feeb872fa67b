"""Checks of what a caller gave, and how a message quotes it: one rule everywhere.

A whole number is an int of Python or numpy, or whatever else can index a list; a real number is any of these, a
float of Python or numpy, a Fraction or a Decimal. An array or tensor without dimensions is the number that it holds.
True and False are neither, and nor is a text.
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
from typing import TYPE_CHECKING, Any

from .errors import FastscaleError

if TYPE_CHECKING:
    import pandas as pd


LARGEST = sys.float_info.max  # of what is computed with floats; it has 309 digits
_QUOTED = 60  # characters of a value that a message shows


class _Short(reprlib.Repr):
    """Python's repr, which stops early: a nested list is not walked, and a long text is not escaped, as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, _QUOTED, 2 * _QUOTED

    def repr_int(self, value: int, level: int) -> str:
        if value.bit_length() < 3 * _QUOTED:
            return repr(value)
        return f"a number of about {int(value.bit_length() * math.log10(2)) + 1:,} digits"


_short = _Short()


def shown(value: Any) -> str:
    """Quote a value for a message, on one line, in some 60 characters: its repr, with what is too long left out.

    It never raises: a value that cannot be shown is named by its type.
    """
    try:
        text = " ".join(_short.repr(value).splitlines())
    except Exception:  # a repr is foreign code, and this is on the way to an error message
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _QUOTED + 4 else f"{text[:_QUOTED]}…"


def whole_number(value: Any, least: float = 1, most: float = LARGEST) -> int | None:
    """Return the value as an int, or None where it is no whole number from `least` to `most`."""
    try:
        value = _held(value)
        number = None if isinstance(value, bool) else operator.index(value)
    except Exception:  # __index__ is foreign code
        return None
    return number if number is not None and least <= number <= most else None


def real_number(value: Any, least: float = -LARGEST, most: float = LARGEST, above: bool = False) -> float | None:
    """Return the value as a finite float, or None where it is no real number from `least` to `most`.

    Arguments:
        above: the number must be larger than `least`, instead of at least that.
    """
    try:
        value = _held(value)
        if isinstance(value, bool):
            return None
        number = float(value if isinstance(value, Real | Decimal) else operator.index(value))
    except Exception:  # too large for a float; or foreign code
        return None
    inside = math.isfinite(number) and (least < number if above else least <= number) and number <= most
    return number if inside else None


def check_whole(
    name: str, value: Any, error: type[Exception], least: int = 1, most: float = LARGEST, remedy: str = ""
) -> int:
    """Return the value as an int, or raise `error` with one sentence that names value and rule.

    Arguments:
        name: what the value is of, as the sentence begins: "stage 2: depth".
        remedy: what the sentence ends with, as "; try batch=64".
    """
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
    """Return the value as a finite float, or raise `error` with one sentence that names value and rule.

    Arguments:
        name: what the value is of, as the sentence begins: "stage 2: bottleneck".
        above: the number must be larger than `least`, instead of at least that.
        remedy: what the sentence ends with, as "; try same=0.02".
    """
    number = real_number(value, least, most, above)
    if number is None:
        raise error(f"{name} is {shown(value)}, but must be {_said(least, most, above)}{remedy}")
    return number


def _held(value: Any) -> Any:
    """What an array or tensor without dimensions holds; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _too_large(value: Any, most: float) -> bool:
    number = whole_number(value, -math.inf, math.inf)
    return number is not None and number > most


def _said(least: float, most: float, above: bool) -> str:
    """The rule for a real number, in words."""
    if most < LARGEST:
        return f"a number above {least:g} and at most {most:g}" if above else f"a number from {least:g} to {most:g}"
    if least > -LARGEST:
        return f"a number {'above' if above else 'of at least'} {least:g}"
    return "a finite number"


class AnalysisError(FastscaleError, ValueError):
    """What is to be counted, compared or analysed, or how, cannot be; the message names the value and the rule."""


def check_choice(name: str, value: Any, choices: Iterable[str], error: type[Exception], remedy: str = "") -> str:
    """Return the text, or raise `error` where it is none of the choices."""
    choices = list(choices)
    if not (isinstance(value, str) and value in choices):
        raise error(f"{name} is {shown(value)}, but must be one of {', '.join(choices)}{remedy}")
    return value


def check_text(name: str, value: Any, error: type[Exception], remedy: str = "") -> str:
    """Return the text, or raise `error` where it is something else."""
    if not isinstance(value, str):
        raise error(f"{name} is {shown(value)}, but must be a text{remedy}")
    return value


def check_flag(name: str, value: Any, error: type[Exception], remedy: str = "") -> bool:
    """Return True or False, also of numpy's, or raise `error`."""
    if not (isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")):
        raise error(f"{name} is {shown(value)}, but must be True or False{remedy}")
    return bool(value)


def check_type(name: str, value: Any, types: type | tuple[type, ...], error: type[Exception], wanted: str) -> Any:
    """Return the value, or raise `error` where it is of none of the types; `wanted` says in words what is."""
    if not isinstance(value, types):
        raise error(f"{name} is {shown(value)}, but must be {wanted}")
    return value


def check_progress(value: Any, error: type[Exception]) -> None:
    """Raise `error` where the value is neither a function nor None."""
    if not (value is None or callable(value)):
        raise error(f"progress is {shown(value)}, but must be a function, or None for the usual line")


def check_path(name: str, value: Any, error: type[Exception]) -> Path:
    """Return the path, or raise `error` where no file can be called so; whether there is one is not asked."""
    try:
        path = Path(os.fspath(value) if not isinstance(value, bytes) else None)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            os.lstat(path)  # ValueError: of a null character, or one that no file system encodes
    except (TypeError, ValueError, OSError):
        raise error(f"{name} is {shown(value)}, but must be the path of a file or folder") from None
    return path


def several(values: Any, *single: type) -> list[Any]:
    """Return the items of a list, or of a single value that alone: a text, a number, or one of these types."""
    if isinstance(values, (str, bytes, Real, *single)) or not isinstance(values, Iterable):
        return [values]
    try:
        return list(values)
    except Exception:  # foreign code, as of a tensor without dimensions
        return [values]


def check_columns(name: str, values: Any, error: type[Exception]) -> list[str]:
    """Return the names of columns, each once, or raise `error` where these are no list of texts, or none at all."""
    items = check_items(name, values, error, "columns")
    return list(dict.fromkeys(check_column(f"{name}: a column", each, error) for each in items))


def check_items(name: str, values: Any, error: type[Exception], of: str) -> list[Any]:
    """Return the items of a list, tuple, array, Series or other iterable; raise `error` where it is none, or empty.

    Arguments:
        of: what the items are, in the plural: "columns".
    """
    try:
        items = [] if isinstance(values, str | bytes | Mapping) else list(values)
    except Exception:  # not iterable; or foreign code
        items = []
    if not items:
        raise error(f"{name} is {shown(values)}, but must be a list of {of}, with one at least")
    return items


def check_frame(
    name: str, frame: Any, error: type[Exception], columns: Iterable[Any] = (), numbers: Iterable[Any] = ()
) -> pd.DataFrame:
    """Return the frame, or raise `error` where it is none, lacks a column, or holds something else than numbers.

    Arguments:
        name: what the frame is of, as the sentence begins: "growth: frame".
        columns: that it must have, each once.
        numbers: likewise; their values are numbers or missing.
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
    """Return the name of a column, or raise `error` where it is no text."""
    return check_text(name, value, error, "; name a column of the frame")
