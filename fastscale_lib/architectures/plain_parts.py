"""Dataclasses made from mappings, and mappings written on one line of YAML."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from .._common.checks import shown
from .._common.yaml_text import write_yaml
from .parts import NetworkError


def mapping(part: str, plain: Any) -> Mapping:
    """Refuse what is no mapping."""
    if not isinstance(plain, Mapping):
        raise NetworkError(f"{part}: expected names with values, got {shown(plain)}")
    return plain


def make_part(cls: type, part: str, plain: Any):
    """Make a dataclass from a mapping that has all required fields, and no unknown ones."""
    plain = mapping(part, plain)
    check_keys(cls, part, plain)
    try:
        return cls(**plain)
    except NetworkError as error:
        raise NetworkError(re.sub(r"^stage:", f"{part}:", str(error))) from None


def check_keys(cls: type, part: str, plain: Mapping) -> None:
    """Refuse keys that are no fields of the dataclass, and that one lacks which it needs."""
    names = {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(cls)}
    if unknown := [
        key if isinstance(key, str) and key.isidentifier() else shown(key) for key in plain if key not in names
    ]:
        more = "" if len(unknown) <= 5 else f" and {len(unknown) - 5:,} more"
        said = ", ".join(name[:60] for name in unknown[:5]) + more
        raise NetworkError(f"{part}: {said} is not known here; known are {', '.join(names)}")
    if missing := [name for name, needed in names.items() if needed and name not in plain]:
        raise NetworkError(f"{part}: {', '.join(missing)} is missing")


def on_one_line(value: Any) -> str:
    """Write plain data as one line of YAML."""
    text = write_yaml(value, default_flow_style=True, width=math.inf)
    return text.removesuffix("\n").removesuffix("\n...")
