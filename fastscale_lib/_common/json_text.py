"""JSON as text of a page."""

from __future__ import annotations

import json
from typing import Any


def embedded(value: Any) -> str:
    """Write JSON that can stand in a script element without ending it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
