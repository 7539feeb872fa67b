"""Names of callables and their arguments, by which what they make is found again."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..._common.checks import shown
from ..parts import NetworkError
from .keywords import fields_of
from .memo import installed_version, is_plain


def named(title: str, make: Callable[..., Any], arguments: list[Any]) -> dict[str, Any]:
    """Tell in plain data what is called: its name, the version of its code, and its arguments.

    Raises:
        NetworkError: the callable, or an argument, has no name by which it is found again.
    """
    name = name_of(make)
    if name is None:
        raise NetworkError(
            f"{title} has no name by which its rows are found again: {said_of(make)}; write it into a module that "
            "can be imported"
        )
    return {"make": name, "code": code_of(make), "arguments": _plain(title, arguments)}


def name_of(make: Any) -> str | None:
    """Return the name under which a function or class is imported; None without one."""
    module, name = getattr(make, "__module__", None), getattr(make, "__qualname__", None)
    if not (isinstance(module, str) and isinstance(name, str)) or module == "__main__":
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}.{name}" if found is make else None


def code_of(make: Any) -> str:
    """Return the version of an installed package; of other code a digest of its file."""
    package = make.__module__.split(".")[0]
    installed = installed_version(package)
    if installed is not None:
        return f"{package} {installed}"
    file = inspect.getsourcefile(make)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12] if file else ""


def comparable(value: Any) -> Any:
    """Return a hashable value that is equal for equal callables and arguments.

    Tensors and arrays are compared by their elements; what has no equality of its own is equal to itself alone.
    """
    if isinstance(value, partial):
        return partial, comparable(value.func), comparable(value.args), comparable(value.keywords)
    if isinstance(value, list | tuple):
        return (type(value), *map(comparable, value))
    if (fields := fields_of(value)) is not None:
        return type(value), frozenset((name, comparable(each)) for name, each in fields.items())
    if hasattr(value, "tolist"):
        try:
            return type(value), str(value.dtype), comparable(value.tolist())
        except Exception:  # of a tensor without data
            return _Itself(value)
    try:
        hash(value)
    except TypeError:
        return _Itself(value)
    return type(value), value


class _Itself:
    """Holds a value that is equal to no other."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self._value is other._value

    def __hash__(self) -> int:
        return id(self._value)


def said_of(make: Any) -> str:
    """Say why a callable has no name."""
    if getattr(make, "__name__", "") == "<lambda>":
        return "it is a lambda"
    if getattr(make, "__module__", "") == "__main__":
        return f"{kind_of(make)} is defined in a notebook or script"
    return f"{getattr(make, '__qualname__', shown(make))} is found in no module by its name"


def kind_of(make: Any) -> str:
    """Return the name of a function, of what a partial calls, or of an object's class."""
    if isinstance(make, partial):
        return kind_of(make.func)
    return getattr(make, "__qualname__", type(make).__qualname__)


def _plain(title: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(title, each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(title, each) for key, each in value.items()}
    if is_plain(value):
        return value
    found = name_of(value)
    if found is None:
        raise NetworkError(
            f"{title} has no name by which its rows are found again: {shown(value)} among its arguments has none"
        )
    return found
