"""What a notebook takes: the types, defaults and ranges of its parameters, and values checked against them.

All of it is read from the source of the cell tagged `parameters`, whose lines are

    alpha: float = 0.8  # 0 to 1; the share of the scaling that width gets

The comment is the help. What stands before its first semicolon binds, where it is a range: `0 to 1`, `from 1`,
`above 0`, `up to 8`, `below 8`, `one of inference, training`; of a list, each item is held to it. Nothing is executed
to learn this, and a value is data: no text becomes code.

Networks and strategies come out under the library's own names, as "RegNetY-4.0GF" for "regnety-4gf". In a list of
values that the library or a comment knows by name, each stands once.
"""

from __future__ import annotations

import ast
import difflib
import io
import math
import numbers
import re
import sys
import tokenize
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from .._common.checks import shown
from .._common.errors import FastscaleError
from .._common.yaml_text import YamlError, read_texts
from ..architectures.parts import NetworkError
from ..architectures.zoo import network as named_network
from ..measuring.settings import Settings
from ..records.measurement import SettingError
from ..scaling.strategies import StrategyError, scale_factor
from ..scaling.strategies import strategy as named_strategy

_SHORT_ENOUGH = f"a number of at most {sys.float_info.max_10_exp} digits"
ITEMS = {"str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false"}
KINDS = (*ITEMS, *(f"list[{kind}]" for kind in ITEMS))


class ParameterError(FastscaleError, ValueError):
    """A parameter that a notebook does not take, or not with this value; the message names the rule and the remedy."""


@dataclass(frozen=True)
class Range:
    """The values that a comment allows: between two bounds, which belong to it or not, or one of a few texts."""

    text: str
    low: float = -math.inf
    high: float = math.inf
    open: bool = False
    choices: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        return f"a number {self.text}" if not self.choices else self.text

    def allows(self, value: Any) -> bool:
        if self.choices:
            return str(value) in self.choices
        inside = self.low < value < self.high if self.open else self.low <= value <= self.high
        return inside and (abs(value) < math.inf or "inf" in self.text)

    @classmethod
    def read(cls, comment: str, kind: str) -> Range | None:
        """The range that a comment begins with; None where that is no range for this kind of item."""
        text = comment.split(";")[0].strip()
        if match := re.fullmatch(r"one of (.+)", text):
            return cls(text, choices=tuple(each.strip() for each in match[1].split(",")))
        if kind not in ("int", "float"):
            return None
        if match := re.fullmatch(rf"{_NUMBER} to {_NUMBER}", text):
            return cls(text, float(match[1]), float(match[2]))
        if match := re.fullmatch(rf"(from|above|up to|below) {_NUMBER}", text):
            side = "low" if match[1] in ("from", "above") else "high"
            return cls(text, open=match[1] in ("above", "below"), **{side: float(match[2])})
        return None


_NUMBER = r"([+-]?(?:[0-9.]+(?:e[+-]?[0-9]+)?|inf))"


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell.

    Attributes:
        kind: the type, one of `KINDS`.
        default: the notebook's own value; None where it is not known.
        help: the comment, without the range.
        range: what each item is held to.
    """

    name: str
    kind: str
    default: Any = None
    help: str = ""
    range: Range | None = None

    @property
    def item(self) -> str:
        """The kind of the items of a list, else the kind itself."""
        return self.kind[5:-1] if self.is_list else self.kind

    @property
    def is_list(self) -> bool:
        return self.kind.startswith("list[")

    def __str__(self) -> str:
        note = "; ".join(filter(None, (self.range and self.range.text, self.help)))
        return f"{self.name}: {self.kind} = {self.default!r}" + (f"  # {note}" if note else "")

    def settle(self, value: Any) -> Any:
        """The value in the type that the notebook names, and a network or strategy under the name the library gives it.

        Arguments:
            value: of that type; or a text that says it, as a command line does: `0.7`, `[1, 2, 8]`, `true`, or of a
                list a single item. Of a parameter that is a text, the text is the value.

        Raises:
            ParameterError: it is of another type, or is not allowed.
        """
        if not self.is_list:
            return self._settle_item(value)
        values = self._listed(value)
        if not values and self.default:
            raise ParameterError(f"{self.name} is empty; give at least one item, as in {self.name}={self._example()}")
        settled = [self._settle_item(each) for each in values]
        return list(dict.fromkeys(settled)) if self._rule or (self.range and self.range.choices) else settled

    def _listed(self, value: Any) -> list[Any]:
        if isinstance(value, str) and value.strip().startswith("["):
            return self._read_list(value)
        if isinstance(value, str):
            return [value] if value.strip() else []
        return list(value) if isinstance(value, list | tuple) else [value]

    def _read_list(self, text: str) -> list[Any]:
        values = read_yaml(text)
        if not (isinstance(values, list) and all(isinstance(each, str) for each in values)):
            raise ParameterError(
                f"{self.name} is {shown(text)}, but must be a list of plain items, as in {self.name}={self._example()}"
            )
        return values

    def _settle_item(self, value: Any) -> Any:
        try:
            settled = _READERS[self.item](value)
        except OverflowError:
            raise ParameterError(f"{self._said(value)} {_SHORT_ENOUGH}; {self._remedy(value)}") from None
        except (ValueError, TypeError):
            raise ParameterError(f"{self._said(value)} {ITEMS[self.item]}; {self._remedy(value)}") from None
        finite = not isinstance(settled, float) or math.isfinite(settled)
        if not (self.range.allows(settled) if self.range else finite):
            allowed = self.range.said if self.range else "a finite number"
            raise ParameterError(f"{self._said(value)} {allowed}; try {self.name}={self._example()}")
        return self._held_to_the_library(settled)

    @property
    def _rule(self) -> Callable[[Any], Any] | None:
        return _RULES.get(self.name.removesuffix("s")) or _RULES.get(self.name)

    def _held_to_the_library(self, value: Any) -> Any:
        """The value; a text that names a network or strategy, as the library names it."""
        try:
            known = self._rule(value) if self._rule else None
            return getattr(known, "name", value) if isinstance(value, str) else value
        except (NetworkError, StrategyError, SettingError) as error:
            said = re.sub(r"^\w+: ", "", str(error))  # whose sentence it is
            raise ParameterError(said if said.startswith(f"{self.name} is ") else f"{self.name}: {said}") from None

    def _said(self, value: Any) -> str:
        holds, hold = ("holds", "hold") if self.is_list else ("is", "be")
        return f"{self.name} {holds} {shown(value)}, but must {hold}"

    def _remedy(self, value: Any) -> str:
        if isinstance(value, str) and "," in value:
            several = "a list stands in brackets, as in [1, 2]" if self.is_list else "several at once are a grid"
            return f"{several}; or try {self.name}={self._example()}"
        return f"try {self.name}={self._example()}"

    def _example(self) -> str:
        """A value that is right, as a command line writes it."""
        default = self.default
        if default in (None, [], ""):
            default = {"str": "text", "int": 1, "float": 0.5, "bool": True}[self.item]
            default = [default] if self.is_list else default
        return as_text(default)


def as_text(value: Any) -> str:
    """A value as a command line writes it: a list in brackets, a text as it is."""
    if isinstance(value, list):
        return f"[{','.join(map(as_text, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_yaml(text: str) -> Any:
    """Texts, and lists of them: YAML in which nothing but brackets, braces and quotes means anything.

    Returns:
        None where the text is no YAML.
    """
    try:
        return read_texts(text)
    except YamlError:
        return None


def read_parameters(source: str) -> dict[str, Parameter]:
    """The parameters that a cell's source names, by name, in order.

    Raises:
        ParameterError: a line is something else than `name: type = value`, or its type is none of `KINDS`.
    """
    comments = _comments(source)
    found = {}
    for line in ast.parse(source).body:
        parameter = _parameter(line, comments.get(line.end_lineno, ""))
        found[parameter.name] = parameter
    return found


def _parameter(line: ast.stmt, comment: str) -> Parameter:
    try:
        [target] = line.targets if isinstance(line, ast.Assign) else [line.target]
        name, default = target.id, ast.literal_eval(line.value)
    except (AttributeError, ValueError, TypeError):
        raise ParameterError(f"parameters: {ast.unparse(line)!r} is not of the form `name: type = value`") from None
    kind = ast.unparse(line.annotation) if isinstance(line, ast.AnnAssign) else _kind(default)
    if kind not in KINDS:
        raise ParameterError(f"parameters: {name} is of type {kind}, but must be one of {', '.join(KINDS)}")
    item = kind.removeprefix("list[").removesuffix("]")
    limits = Range.read(comment, item)
    text = comment.partition(";")[2].strip() if limits else comment
    return Parameter(name, kind, default, text, limits)


def _kind(value: Any) -> str:
    """The type of a default whose line names none."""
    if not isinstance(value, list):
        return type(value).__name__
    kinds = {type(each).__name__ for each in value}
    return f"list[{kinds.pop()}]" if len(kinds) == 1 else "list"


def _comments(source: str) -> dict[int, str]:
    """The comment at each line's end, by line number."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {each.start[0]: each.string.lstrip("# ").strip() for each in tokens if each.type == tokenize.COMMENT}


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say of a name that is not known."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def settle(namespace: MutableMapping[str, Any]) -> None:
    """Bring a notebook's parameters into the types that its parameters cell names, and check them.

    `start` calls it for a notebook. Plain papermill hands a list on as a text, as in
    `papermill -p scales '[1, 2, 8]'`, and checks nothing.

    Raises:
        ParameterError: a value is of another type, or is not allowed.
    """
    for name, parameter in _declared(namespace).items():
        if name in namespace:
            namespace[name] = parameter.settle(namespace[name])


def _declared(namespace: Mapping[str, Any]) -> dict[str, Parameter]:
    """The parameters as the cell declared them; outside IPython, without its ranges, as far as Python keeps them."""
    for source in reversed(namespace.get("In", ())):
        try:
            lines = ast.parse(source).body
        except SyntaxError:  # a cell with a magic
            continue
        if lines and all(isinstance(line, ast.AnnAssign) for line in lines):
            return read_parameters(source)
    kinds = {name: _kind_of(kind) for name, kind in namespace.get("__annotations__", {}).items()}
    return {name: Parameter(name, kind) for name, kind in kinds.items() if kind in KINDS}


def _kind_of(annotation: Any) -> str:
    return annotation.__name__ if type(annotation) is type else str(annotation)


# From a value as given, which may be a text, to the type; a ValueError where it is no such thing.


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    value.encode()  # bytes of a command line that are no UTF-8 are none here
    return value


def _whole(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]+\s*", value):
        if math.isinf(float(value)):
            raise OverflowError
        return int(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ValueError
    float(value)  # an OverflowError where it is too large to reckon with
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | numbers.Real):
        raise ValueError
    return float(value)


def _truth(value: Any) -> bool:
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower())
    if not isinstance(value, bool):
        raise ValueError
    return value


_READERS: dict[str, Callable[[Any], Any]] = {"str": _text, "int": _whole, "float": _number, "bool": _truth}

# What the library itself holds values of these names to; a name in the plural is a list of them.
_RULES: dict[str, Callable[[Any], Any]] = {
    "network": named_network,
    "rival": named_network,
    "depthwise": named_network,
    "strategy": named_strategy,
    "strategies": named_strategy,
    "alpha": lambda value: named_strategy(alpha=value),
    "scale": scale_factor,
    "batch": lambda value: Settings(batch=value),
    "mode": lambda value: Settings(mode=value),
    "precision": lambda value: Settings(precision=value),
}
