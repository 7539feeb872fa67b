"""The explorer's page, which notebooks, files and reports run alike: its code and looks."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

MIME = "application/vnd.fastscale.explorer+json"  # of what `mount` draws, among a notebook's outputs
FOLDER = Path(__file__).parent / "app"
SCRIPTS = (
    "text.js",
    "elements.js",
    "counts.js",
    "state.js",
    "chart.js",
    "exports.js",
    "panels.js",
    "picture.js",
    "controls.js",
    "pointer.js",
    "takeaway.js",
    "app.js",
)  # each imports those before it alone


@cache
def script() -> str:
    """Return the page's code as one module: its files without their imports and exports."""
    code = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return re.sub(r"^(import .*? from .*;\n|export )", "", code, flags=re.MULTILINE)


@cache
def style() -> str:
    """Return the page's CSS: of the class alone that its code gives its element."""
    return (FOLDER / "app.css").read_text(encoding="utf-8")
