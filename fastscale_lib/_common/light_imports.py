"""Plotly and nbformat, imported without what nobody here asks for.

They bring along jsonschema, which imports rfc3987_syntax where that is installed (jupyter-events asks for it): a check
of international addresses (IRIs) that builds 39 grammars when it is imported, one to five seconds of processor time.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

_CHECKER = "rfc3987_syntax"


@contextmanager
def light_imports() -> Iterator[None]:
    """Import jsonschema, within this context, without its grammars: they are built when an IRI is first checked.

    Nothing is lost: jsonschema checks what it checked before. Where it is imported already, or the grammars' package
    is not installed, this does nothing.
    """
    if "jsonschema" in sys.modules or _CHECKER in sys.modules or find_spec(_CHECKER) is None:
        yield
        return
    stand_in = ModuleType(_CHECKER)
    stand_in.is_valid_syntax = _is_valid_syntax
    sys.modules[_CHECKER] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(_CHECKER) is stand_in:
            del sys.modules[_CHECKER]  # who imports it later gets the package itself


def _is_valid_syntax(term: str, value: str) -> bool:
    return importlib.import_module(_CHECKER).is_valid_syntax(term, value)
