"""Restore a module's state after a forward pass."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from operator import is_
from typing import Any

from torch import nn

_CONTAINERS = (dict, list, set, deque)
_NOTHING = (), ()


@contextmanager
def state_kept(module: nn.Module) -> Iterator[None]:
    """Restore attributes, parameters, buffers and hooks of all submodules after the context.

    So are the lists, dicts, sets and deques among them, and modules that stand in these. Objects of other classes, and
    the elements of tensors, are left as the pass leaves them.
    """
    found = _containers(module)
    try:
        yield
    finally:
        for container, names, values in found:
            _restore(container, names, values)


def _containers(module: nn.Module) -> list[tuple[Any, Any, Any]]:
    """List what can be written into, with what it holds: the keys of a dict, and the values."""
    found: dict[int, tuple[Any, Any, Any]] = {}
    left: list[Any] = [module]
    while left:
        each = left.pop()
        if isinstance(each, nn.Module):
            each = vars(each)
        elif isinstance(each, tuple):
            left += each
            continue
        elif not isinstance(each, _CONTAINERS):
            continue
        if id(each) not in found:
            names, values = _held(each)
            found[id(each)] = each, names, values
            left += values
    return list(found.values())


def _held(container: Any) -> tuple[Any, Any]:
    if not container:  # as most dicts of hooks are
        return _NOTHING
    return (list(container), list(container.values())) if isinstance(container, dict) else ((), list(container))


def _restore(container: Any, names: Any, values: Any) -> None:
    now_names, now = _held(container)
    if len(now) == len(values) and all(map(is_, now_names, names)) and all(map(is_, now, values)):
        return
    container.clear()
    if isinstance(container, list | deque):
        container.extend(values)
    else:
        container.update(zip(names, values, strict=True) if isinstance(container, dict) else values)
