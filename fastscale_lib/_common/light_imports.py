"""Faster imports of plotly and nbformat, without a slow check that this library never uses.

Both import jsonschema, which imports rfc3987_syntax if it is installed (jupyter-events requires it). That package
checks international addresses (IRIs) and builds 39 grammars on import, which takes one to five seconds.
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
    """Defer the grammars of a jsonschema imported in this context until an IRI is first checked."""
    if "jsonschema" in sys.modules or _CHECKER in sys.modules or find_spec(_CHECKER) is None:
        yield
        return
    stand_in = ModuleType(_CHECKER)
    vars(stand_in)["is_valid_syntax"] = _is_valid_syntax
    sys.modules[_CHECKER] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(_CHECKER) is stand_in:
            del sys.modules[_CHECKER]  # later imports get the package itself


def _is_valid_syntax(term: str, value: str) -> bool:
    return importlib.import_module(_CHECKER).is_valid_syntax(term, value)
