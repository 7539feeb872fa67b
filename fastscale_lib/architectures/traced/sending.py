"""Families as data: made again in another process, and told apart in a store."""

from __future__ import annotations

import base64
import hashlib
import io
import pickle
import sys
from collections.abc import Mapping
from functools import partial
from types import FunctionType
from typing import Any

from ..._common.checks import shown
from ..._common.errors import first_line
from ..parts import NetworkError
from . import memo
from .module_family import Family, Shared
from .sources import FunctionOfFactors, Size

_FIELD = "pickled"  # of what is sent


def sent(family: Family) -> dict[str, Any]:
    """Return plain data from which `received` makes a family of this one size in another process.

    Weights are not sent: a callable makes its own, those of a module are zeros.

    Raises:
        NetworkError: the callable, or what it is given, cannot be imported elsewhere or cannot be pickled.
    """
    written = io.BytesIO()
    try:
        _Pickler(written).dump(family.call)
    except _NotElsewhere as error:
        raise NetworkError(f"{family.name} cannot be made in another process: {error}") from None
    except Exception as error:  # of foreign objects
        raise NetworkError(
            f"{family.name} cannot be made in another process, as it cannot be pickled ({first_line(error)[:200]})"
        ) from None
    encoded = base64.b64encode(written.getvalue()).decode()
    return {"name": family.name, "size": list(family.size), _FIELD: encoded, "path": sys.path}


def is_sent(plain: Mapping[str, Any]) -> bool:
    """Tell whether these data are what `sent` returns, and no description of a Network."""
    return _FIELD in plain


def received(plain: Mapping[str, Any]) -> Family:
    """Make the family that was sent; only data from a process of one's own, since it runs what they say."""
    size: Size = tuple(plain["size"])
    made = FunctionOfFactors(partial(_call, plain[_FIELD], plain["path"]), (), size[0])
    return Family(plain["name"], made, size, shared=Shared(size, keep=False))


def made_by(family: Family) -> dict[str, Any]:
    """Tell in plain data what makes this size: the callable, its code's version, its arguments, and the images.

    Raises:
        NetworkError: the callable, or an argument, has no name by which it is found again.
    """
    make, arguments = family.arguments
    name = memo.name_of(make)
    if name is None:
        raise NetworkError(
            f"{family.name} has no name by which its rows are found again: {_said(make)}; write it into a module that "
            "can be imported"
        )
    return {"make": name, "code": memo.code_of(make), "arguments": _plain(family.name, arguments)}


def id_of(family: Family) -> str:
    """Return twelve hexadecimal digits that depend on what makes this size; see `made_by`."""
    return hashlib.sha256(repr(sorted(made_by(family).items())).encode()).hexdigest()[:12]


def _call(pickled: str, path: list[str]) -> Any:
    sys.path += [each for each in path if each not in sys.path]
    try:
        make = pickle.loads(base64.b64decode(pickled))
    except Exception as error:  # of foreign code
        raise NetworkError(f"what makes it cannot be imported in another process ({first_line(error)[:200]})") from None
    return make()


class _NotElsewhere(Exception):
    """Something is defined where no other process finds it."""


class _Pickler(pickle.Pickler):
    """Pickles without weights, and refuses what no other process can import."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type | FunctionType) and memo.name_of(obj) is None:
            raise _NotElsewhere(f"{_said(obj)}; write it into a module that can be imported")
        if "torch" in sys.modules and isinstance(obj, sys.modules["torch"].nn.Parameter):
            return _zeros, (tuple(obj.shape), obj.dtype, obj.requires_grad)
        return NotImplemented


def _zeros(shape: tuple[int, ...], dtype: Any, requires_grad: bool) -> Any:
    import torch

    return torch.nn.Parameter(torch.zeros(shape, dtype=dtype), requires_grad)


def _said(make: Any) -> str:
    if getattr(make, "__name__", "") == "<lambda>":
        return "it is a lambda"
    if getattr(make, "__module__", "") == "__main__":
        return f"{make.__qualname__} is defined in a notebook or script"
    return f"{getattr(make, '__qualname__', shown(make))} is found in no module by its name"


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(name, each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(name, each) for key, each in value.items()}
    if memo.is_plain(value):
        return value
    found = memo.name_of(value)
    if found is None:
        raise NetworkError(
            f"{name} has no name by which its rows are found again: {shown(value)} among its arguments has none"
        )
    return found
