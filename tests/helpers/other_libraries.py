"""timm and torchvision, imported beside any torch, to compare our modules with theirs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch


def import_library(name: str) -> ModuleType:
    """Import timm or torchvision, whose compiled operators may not load beside this torch."""
    with _missing_operators_passed_over():
        return importlib.import_module(name)


@contextmanager
def _missing_operators_passed_over() -> Iterator[None]:
    """Let `torch.library.register_fake` pass over operators that are not there: none of them is needed here."""
    register_fake = torch.library.register_fake

    def lenient(*args: Any, **options: Any) -> Any:
        register = register_fake(*args, **options)
        return _unless_missing(register) if callable(register) else register

    torch.library.register_fake = lenient
    try:
        yield
    finally:
        torch.library.register_fake = register_fake


def _unless_missing(register: Callable) -> Callable:
    def decorate(function: Callable) -> Callable:
        try:
            return register(function)
        except RuntimeError as error:
            if "does not exist" not in str(error):
                raise
            return function

    return decorate
