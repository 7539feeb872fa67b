"""Counts cached in memory and, for installed packages, on disk by version."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

from ..._common.files import write_whole
from .records import TracedComplexity

CACHE_VARIABLE = "FASTSCALE_CACHE"  # "0": nothing is read from or written to the disk
_FIELDS = ("torch_flops", "torch_flops_backward", "attention_flops", "attention_matrices", "uncounted")
_PLAIN = (int, float, str, bool, type(None))


def place_of(make: Any, arguments: Any) -> Path | None:
    """Return the file in which a count is kept; None where it is not to be kept.

    Kept is what functions of an installed package make of plain values. What stands elsewhere (in a notebook, a script,
    a checkout) may change without its version.
    """
    if os.environ.get(CACHE_VARIABLE) == "0" or not is_plain(arguments):
        return None
    package = str(getattr(make, "__module__", "")).split(".")[0]
    name = getattr(make, "__qualname__", "")
    installed = installed_version(package)
    if installed is None or "<" in name or not (inspect.isroutine(make) or inspect.isclass(make)):
        return None
    key = [package, make.__module__, name, installed, version("torch"), _own_code(), arguments]
    digest = hashlib.sha256(repr(key).encode()).hexdigest()
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "fastscale" / "counts" / digest[:2] / f"{digest}.json"


def read(place: Path) -> TracedComplexity | None:
    """Read the counts; None where there are none, or they cannot be read."""
    try:
        plain = json.loads(place.read_text("utf-8"))
        counts = TracedComplexity(*(int(each) for each in plain["counts"]))
        for name in _FIELDS:
            setattr(counts, name, plain[name])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return counts


def write(place: Path, counts: TracedComplexity) -> None:
    """Write the counts; where the disk takes none, they are counted again another time."""
    plain = {"counts": list(counts), **{name: getattr(counts, name) for name in _FIELDS}}
    try:
        write_whole(place, json.dumps(plain))
    except OSError:
        return


def is_plain(value: Any) -> bool:
    """Tell whether the value is made of numbers, texts, lists, tuples and dicts alone."""
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    return type(value) in _PLAIN


@cache
def installed_version(package: str) -> str | None:
    """Return the version of an installed package; None for a checkout."""
    try:
        found = distribution(package)
    except (PackageNotFoundError, ValueError):
        return None
    direct = found.read_text("direct_url.json")
    editable = bool(direct) and json.loads(direct).get("dir_info", {}).get("editable", False)
    return None if editable else found.version


@cache
def _own_code() -> str:
    """Hash the code that counts."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
