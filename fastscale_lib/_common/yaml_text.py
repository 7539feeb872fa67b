"""YAML and JSON of plans, networks and recipes: plain data, each key once, in bounded time.

YAML is read by version 1.2 (https://yaml.org/spec/1.2.2, section 10.3, the core schema): 1e-2 is a number, 0224 is
224, and yes, 3:44 and 2026-01-01 are strings. PyYAML by itself reads version 1.1, where 0224 is 148. Everything beyond
plain data is refused: tags of objects, anchors and aliases, merge keys, several documents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from .checks import shown
from .errors import FastscaleError

LONGEST = 500_000  # characters: some hundred networks, described stage by stage
MOST = 20_000  # keys and values, which take some seconds to read
DEEPEST = 20  # levels of nested lists and dicts
_DIGITS = 400  # of a number: more than any float has


class YamlError(FastscaleError, ValueError):
    """A string that is not plain YAML; the message completes the sentence "this is ..."."""


class JsonError(FastscaleError, ValueError):
    """A string that is not plain JSON; the message completes the sentence "this is ..."."""


def read_yaml(text: str) -> Any:
    """Read dicts, lists, strings and numbers from YAML, or raise YamlError; no code is executed."""
    return _read(text, _scalar)


def read_texts(text: str) -> Any:
    """Read YAML as `read_yaml` does, but keep scalars as strings, even 1, true and null."""
    return _read(text, lambda node: node.value)


def _read(text: str, scalar: Callable[[Any], Any]) -> Any:
    import yaml

    if not isinstance(text, str):
        raise YamlError(f"{type(text).__name__}, which is no YAML; give a string, such as Path(...).read_text()")
    if len(text) > LONGEST:
        raise YamlError(f"too long for YAML: {len(text):,} characters, where {LONGEST:,} are read at most; write JSON")
    try:
        node = yaml.compose(text, _loader())
        return None if node is None else _plain(node, scalar)
    except yaml.YAMLError as error:
        message = " ".join(str(error).split())
        raise YamlError(f"not plain YAML: {message if len(message) <= 300 else message[:300] + '…'}") from None


def read_json(text: str) -> Any:
    """Read dicts, lists, strings and numbers from JSON, or raise JsonError."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_int=_json_int)
    except RecursionError:
        raise JsonError(f"not plain JSON: it is nested too deeply; {DEEPEST} levels are enough") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON: {error}") from None
    except ValueError as error:
        raise JsonError(f"not plain JSON: {error}") from None


def write_yaml(value: Any, **layout: Any) -> str:
    """Write plain data as YAML that versions 1.1 and 1.2 read alike; layout is for `yaml.dump`."""
    import yaml

    return yaml.dump(value, Dumper=_dumper(), sort_keys=False, allow_unicode=True, **layout)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{_name(twice)} is given twice; keep one")
    return found


def _json_int(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"a number of {len(text):,} digits; {_DIGITS} are read at most")
    return int(text)


# The core schema of YAML 1.2: the tag of a scalar without quotes, by its form and its first characters. Reading
# resolves by it, and writing quotes by it.
_CORE = {
    "null": (r"(?:~|null|Null|NULL|)", ["~", "n", "N", ""]),
    "bool": (r"(?:true|True|TRUE|false|False|FALSE)", list("tTfF")),
    "int": (r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)", list("-+0123456789")),
    "float": (
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))",
        list("-+.0123456789"),
    ),
}
_TAG = "tag:yaml.org,2002:"


@cache
def _loader() -> Any:
    """Make PyYAML's loader of nodes: core schema, no aliases, bounded size and nesting."""
    from yaml.composer import Composer
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.resolver import BaseResolver
    from yaml.scanner import Scanner

    class Core(BaseResolver):
        pass

    _add_core(Core)

    class Loader(Reader, Scanner, Parser, Composer, Core):
        def __init__(self, stream: str) -> None:
            Reader.__init__(self, stream)
            for each in (Scanner, Parser, Composer, Core):
                each.__init__(self)
            self.nodes = self.depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            event = self.peek_event()
            self.nodes += 1
            self.depth += 1
            if getattr(event, "anchor", None):
                raise _at(event, "anchors (&) and aliases (*) are not read; write the values out")
            if self.depth > DEEPEST:
                raise _at(event, f"lists and dicts are nested more than {DEEPEST} deep")
            if self.nodes > MOST:
                raise _at(
                    event, f"it has more than {MOST:,} keys and values; write JSON, which is read without a bound"
                )
            try:
                return super().compose_node(parent, index)
            finally:
                self.depth -= 1

    return Loader


@cache
def _dumper() -> Any:
    """Make PyYAML's safe dumper, which also quotes for YAML 1.2 and writes no aliases."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    _add_core(Dumper)
    return Dumper


def _add_core(resolver: Any) -> None:
    for kind, (form, first) in _CORE.items():
        resolver.add_implicit_resolver(_TAG + kind, re.compile(rf"{form}\Z"), first)


def _at(where: Any, message: str) -> Exception:
    import yaml

    return yaml.YAMLError(f"line {where.start_mark.line + 1}: {message}")


def _plain(node: Any, scalar: Callable[[Any], Any]) -> Any:
    """Convert a node of PyYAML's tree to plain data; `scalar` reads scalar nodes."""
    import yaml

    if isinstance(node, yaml.ScalarNode):
        return scalar(node)
    kind = "seq" if isinstance(node, yaml.SequenceNode) else "map"
    if node.tag != _TAG + kind:
        raise _no_object(node)
    return [_plain(each, scalar) for each in node.value] if kind == "seq" else _mapping(node, scalar)


def _mapping(node: Any, scalar: Callable[[Any], Any]) -> dict[Any, Any]:
    import yaml

    found: dict[Any, Any] = {}
    lines: dict[Any, int] = {}
    for key_node, value in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise _at(key_node, "a key is a list or a dict, but must be a string or a number")
        key, line = scalar(key_node), key_node.start_mark.line + 1
        if key == "<<" and key_node.style is None:
            raise _at(key_node, "merge keys (<<) are not read; write the values out")
        if key in lines:
            raise yaml.YAMLError(f"{_name(key)} is given in line {lines[key]} and again in line {line}; keep one")
        found[key], lines[key] = _plain(value, scalar), line
    return found


def _scalar(node: Any) -> Any:
    kind, text = node.tag.removeprefix(_TAG), node.value
    if kind == "str" or node.tag == "!":
        return text
    if kind not in _CORE:
        raise _no_object(node)
    if not re.fullmatch(_CORE[kind][0], text):  # a tagged one, such as !!int x
        raise _at(node, f"{shown(text)} is no {kind}")
    if kind == "int":
        if len(text) > _DIGITS:
            raise _at(node, f"a number of {len(text):,} digits; {_DIGITS} are read at most")
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if kind == "float":
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return None if kind == "null" else text.lower() == "true"


def _name(key: Any) -> str:
    return key if isinstance(key, str) and re.fullmatch(r"\w{1,60}", key) else shown(key)


def _no_object(node: Any) -> Exception:
    return _at(node, f"the tag {shown(node.tag)} asks for an object; give only lists, dicts, strings and numbers")
