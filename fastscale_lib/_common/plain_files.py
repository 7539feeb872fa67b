"""Plans and recipes as plain data: the files that hold them, and the keys that they take."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from .checks import check_path, shown
from .yaml_text import JsonError, YamlError, read_json, read_yaml


def read_plain(what: str, path: Any, error: type[Exception]) -> Any:
    """Read a file as JSON if its name ends in .json, else as YAML; `what` begins the `error`."""
    path = check_path(f"{what}: path", path, error)
    try:
        text = path.read_text("utf-8")
        return read_json(text) if path.suffix.lower() == ".json" else read_yaml(text)
    except (YamlError, JsonError) as reason:
        raise error(f"{what}: {path} is {reason}") from None
    except (OSError, UnicodeDecodeError) as reason:
        cause = getattr(reason, "strerror", None) or "it is not UTF-8 text"
        raise error(f"{what}: {path} cannot be read: {cause}") from None
    except ModuleNotFoundError:
        raise error(
            f"{what}: {path} is read as YAML, which takes the package pyyaml; install it, or write JSON in a .json file"
        ) from None


def check_keys(what: str, plain: Any, known: Iterable[str], error: type[Exception], example: str) -> Mapping[str, Any]:
    """Return a mapping all of whose keys are known, or raise `error` with an example."""
    if not isinstance(plain, Mapping):
        raise error(f"{what}: expected names with values, as in {example}, got {shown(plain)}")
    known = list(known)
    for key in plain:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise error(f"{what}: {shown(key)} is not known here; {hint}")
    return plain
