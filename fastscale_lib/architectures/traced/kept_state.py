"""Restore a module's state after a forward pass."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


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
        for container, before in found:
            _restore(container, before)


def _containers(module: nn.Module) -> list[tuple[Any, list[Any]]]:
    """List what can be written into, with a list of what it holds."""
    found: dict[int, tuple[Any, list[Any]]] = {}
    left: list[Any] = [vars(module)]
    while left:
        each = left.pop()
        if isinstance(each, nn.Module):
            each = vars(each)
        if isinstance(each, tuple):
            left += each
        elif isinstance(each, dict | list | set | deque) and id(each) not in found:
            found[id(each)] = each, list(each.items() if isinstance(each, dict) else each)
            left += each.values() if isinstance(each, dict) else each
    return list(found.values())


def _restore(container: Any, before: list[Any]) -> None:
    now = list(container.items() if isinstance(container, dict) else container)
    if len(now) == len(before) and all(map(_same, now, before)):
        return
    container.clear()
    if isinstance(container, list | deque):
        container.extend(before)
    else:
        container.update(before)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):  # the items of a dict are new tuples each time
        return len(one) == len(other) and all(map(_same, one, other))
    return one is other
