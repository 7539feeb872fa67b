"""YAML and JSON texts, as plans, networks and recipes are written: plain data, each key once, in bounded time.

YAML is read as its version 1.2 says (https://yaml.org/spec/1.2.2, section 10.3, the core schema): 1e-2 is a number,
0224 is 224, and yes, 3:44 and 2026-01-01 are texts. PyYAML alone reads version 1.1, where 0224 is 148. What a text
can do beyond saying plain data is refused: tags of objects, anchors and aliases, merge keys, several documents.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from .checks import shown
from .errors import FastscaleError

LONGEST = 500_000  # characters: some hundred networks, described stage by stage
MOST = 20_000  # keys and values: they take some seconds to read
DEEPEST = 20  # lists and dicts within each other
_DIGITS = 400  # of a number: more than any float has


class YamlError(FastscaleError, ValueError):
    """A text that is no plain YAML; the message ends the sentence "this is ..."."""


class JsonError(FastscaleError, ValueError):
    """A text that is no plain JSON; the message ends the sentence "this is ..."."""


def read_yaml(text: str) -> Any:
    """Read the dicts, lists, texts and numbers that a text describes; the text can run nothing.

    Raises:
        YamlError: the text is not YAML, is too long or nested too deeply, asks for other objects, or gives a key
            twice.
        ModuleNotFoundError: pyyaml is not installed.
    """
    return _read(text, _scalar)


def read_texts(text: str) -> Any:
    """Read texts, and lists and dicts of them: as `read_yaml`, but 1, true and null are texts too."""
    return _read(text, lambda node: node.value)


def _read(text: str, scalar: Callable[[Any], Any]) -> Any:
    import yaml

    if not isinstance(text, str):
        raise YamlError(f"{type(text).__name__}, which is no YAML; give the text, as of Path(...).read_text()")
    if len(text) > LONGEST:
        raise YamlError(f"too long for YAML: {len(text):,} characters, where {LONGEST:,} are read at most; write JSON")
    try:
        node = yaml.compose(text, _loader())
        return None if node is None else _plain(node, scalar)
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise YamlError(f"not plain YAML: {said if len(said) <= 300 else said[:300] + '…'}") from None


def read_json(text: str) -> Any:
    """Read the dicts, lists, texts and numbers that a text describes.

    Raises:
        JsonError: the text is not JSON, is nested too deeply, or gives a key twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_int=_json_int)
    except RecursionError:
        raise JsonError(f"not plain JSON: it is nested too deeply; {DEEPEST} levels are enough") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON: {error}") from None
    except ValueError as error:
        raise JsonError(f"not plain JSON: {error}") from None


def write_yaml(value: Any, **layout: Any) -> str:
    """Write plain data as YAML that versions 1.1 and 1.2 read alike: a text that either takes for more is quoted.

    Arguments:
        layout: as `yaml.dump` takes it.
    """
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


# The core schema of YAML 1.2: what a text without quotes is, by its tag, its form and its first characters. The
# table holds for reading; writing quotes by it.
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
    """PyYAML's reader up to its tree of nodes, with the core schema, no aliases, and a bound to size and nesting."""
    import yaml

    class Core(yaml.resolver.BaseResolver):
        pass

    _add_core(Core)

    class Loader(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer, Core):
        def __init__(self, stream: str) -> None:
            yaml.reader.Reader.__init__(self, stream)
            for each in (yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer, Core):
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
    """PyYAML's safe one, which also quotes the texts that YAML 1.2 takes for more, and writes no aliases."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    _add_core(Dumper)
    return Dumper


def _add_core(resolver: Any) -> None:
    for kind, (form, first) in _CORE.items():
        resolver.add_implicit_resolver(_TAG + kind, re.compile(rf"{form}\Z"), first)


def _at(where: Any, said: str) -> Exception:
    """The error that a text is refused by, with its line."""
    import yaml

    return yaml.YAMLError(f"line {where.start_mark.line + 1}: {said}")


def _plain(node: Any, scalar: Callable[[Any], Any]) -> Any:
    """What a node of PyYAML's tree says; `scalar` reads those that hold no others."""
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
            raise _at(key_node, "a key is a list or a dict, but must be a text or a number")
        key, line = scalar(key_node), key_node.start_mark.line + 1
        if key == "<<" and key_node.style is None:
            raise _at(key_node, "merge keys (<<) are not read; write the values out")
        if key in lines:
            said = f"{_name(key)} is given in line {lines[key]} and again in line {line}; keep one"
            raise yaml.YAMLError(said)
        found[key], lines[key] = _plain(value, scalar), line
    return found


def _scalar(node: Any) -> Any:
    kind, text = node.tag.removeprefix(_TAG), node.value
    if kind == "str" or node.tag == "!":
        return text
    if kind not in _CORE:
        raise _no_object(node)
    if not re.fullmatch(_CORE[kind][0], text):  # one that is tagged, as !!int x
        raise _at(node, f"{shown(text)} is no {kind}")
    return _READERS[kind](node, text)


def _int(node: Any, text: str) -> int:
    if len(text) > _DIGITS:
        raise _at(node, f"a number of {len(text):,} digits; {_DIGITS} are read at most")
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _float(node: Any, text: str) -> float:
    bare = text.lstrip("+-").lower()
    if bare not in (".inf", ".nan"):
        return float(text)
    return math.nan if bare == ".nan" else -math.inf if text[0] == "-" else math.inf


_READERS = {
    "null": lambda node, text: None,
    "bool": lambda node, text: text.lower() == "true",
    "int": _int,
    "float": _float,
}


def _name(key: Any) -> str:
    """A key as a message names it: bare where it is a short word."""
    return key if isinstance(key, str) and re.fullmatch(r"\w{1,60}", key) else shown(key)


def _no_object(node: Any) -> Exception:
    return _at(node, f"the tag {shown(node.tag)} asks for an object; give lists, dicts, texts and numbers alone")
