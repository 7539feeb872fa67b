"""Public names of a package, loaded on first use (PEP 562)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make the `__getattr__`, `__dir__` and `__all__` of a package from its stub.

    The stub, `__init__.pyi` beside the package's file, lists each public name once, as `from .module import name as
    name` or `from . import module as module`. Type checkers and editors read it, too.
    """
    homes = _homes(Path(file).with_suffix(".pyi"))

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}{_elsewhere(package, file, name)}")
        dots, module, attribute = homes[name]
        home = import_module(f"{dots}{module or attribute}", package)
        value = getattr(home, attribute) if module else home
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        # What Tab shows: the public names, without what loading them has put beside them.
        return sorted({name for name in vars(sys.modules[package]) if name.startswith("__")} | homes.keys())

    return get, names, sorted(homes)


def _homes(stub: Path) -> dict[str, tuple[str, str | None, str]]:
    """Read where a stub's public names come from: dots, module and the name in it."""
    tree = ast.parse(stub.read_text("utf-8"))
    return {
        alias.asname or alias.name: ("." * node.level, node.module, alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _elsewhere(package: str, file: str, name: str) -> str:
    """Say which packages within this one have the name.

    Nothing is said of a private name, for which others probe.
    """
    stubs = [] if name.startswith("_") else sorted(Path(file).parent.glob("*/__init__.pyi"))
    found = [f"{package}.{stub.parent.name}.{name}" for stub in stubs if name in _homes(stub)]
    return f"; there is {' and '.join(found)}" if found else ""
