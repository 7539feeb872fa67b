"""Parameters of a notebook: types, defaults and rules are read, and values checked.

They are read from the source of the cell tagged `parameters`, whose lines are

    alpha: Share = 0.8  # the share of the scaling that width gets

Types are those of `parameter_types`, for each item of a list. The comment is the help. Nothing is executed, and a value
is data: no string becomes code. Networks and strategies get the library's own names, as "RegNetY-4.0GF" for
"regnety-4gf". In a list of known names each is kept once.
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
from typing import Annotated, Any, Literal, get_args, get_origin

from .._common.checks import shown
from .._common.yaml_text import YamlError, read_texts
from ..architectures.parts import NetworkError
from ..architectures.zoo import network as named_network
from ..measuring.settings import Settings
from ..records.measurement import SettingError
from ..scaling.strategies import StrategyError, scale_factor
from ..scaling.strategies import strategy as named_strategy
from .parameter_types import NAMES, Choices, ParameterError, Range, Rule

_SHORT_ENOUGH = f"a number of at most {sys.float_info.max_10_exp} digits"
ITEMS = {"str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false"}
KINDS = (*ITEMS, *(f"list[{kind}]" for kind in ITEMS))


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell: name, type (one of `KINDS`), default, help and rule.

    The default is None if it is not known; the rule is what each item must follow, beside its type.
    """

    name: str
    kind: str
    default: Any = None
    help: str = ""
    rule: Rule | None = None

    @property
    def item(self) -> str:
        """The kind of the items of a list, else the kind itself."""
        return self.kind[5:-1] if self.is_list else self.kind

    @property
    def is_list(self) -> bool:
        return self.kind.startswith("list[")

    def __str__(self) -> str:
        note = "; ".join(filter(None, (self.rule and self.rule.text, self.help)))
        return f"{self.name}: {self.kind} = {self.default!r}" + (f"  # {note}" if note else "")

    def settle(self, value: Any) -> Any:
        """Convert a value to the type; give a network or strategy its own name.

        A string may stand for the value, as on a command line: `0.7`, `[1, 2, 8]`, `true`, or a single item of a list.
        Of a parameter that is a string, it is the value.
        """
        if not self.is_list:
            return self._settle_item(value)
        values = self._listed(value)
        if not values and self.default:
            raise ParameterError(f"{self.name} is empty; give at least one item, as in {self.name}={self._example()}")
        settled = [self._settle_item(each) for each in values]
        return list(dict.fromkeys(settled)) if self._known or isinstance(self.rule, Choices) else settled

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
        if not (self.rule.allows(settled) if self.rule else finite):
            allowed = self.rule.said if self.rule else "a finite number"
            raise ParameterError(f"{self._said(value)} {allowed}; try {self.name}={self._example()}")
        return self._held_to_the_library(settled)

    @property
    def _known(self) -> Callable[[Any], Any] | None:
        return _RULES.get(self.name.removesuffix("s")) or _RULES.get(self.name)

    def _held_to_the_library(self, value: Any) -> Any:
        """Return the value; a network or strategy by the library's own name."""
        try:
            known = self._known(value) if self._known else None
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
        """Return a valid value, as a command line writes it."""
        default = self.default
        if default in (None, [], ""):
            default = {"str": "text", "int": 1, "float": 0.5, "bool": True}[self.item]
            default = [default] if self.is_list else default
        return as_text(default)


def as_text(value: Any) -> str:
    """Write a value as a command line does: a list in brackets, a text as it is."""
    if isinstance(value, list):
        return f"[{','.join(map(as_text, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_yaml(text: str) -> Any:
    """Read texts and lists: YAML in which only brackets and quotes have a meaning; else None."""
    try:
        return read_texts(text)
    except YamlError:
        return None


def read_parameters(source: str) -> dict[str, Parameter]:
    """Read the parameters that a cell's source names; its imports are ignored."""
    comments = _comments(source)
    lines = [line for line in ast.parse(source).body if not isinstance(line, ast.Import | ast.ImportFrom)]
    found = (_parameter(line, comments.get(line.end_lineno or 0, "")) for line in lines)
    return {parameter.name: parameter for parameter in found}


def _parameter(line: ast.stmt, comment: str) -> Parameter:
    match line:
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value, annotation=annotation):
            pass
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            annotation = None
        case _:
            raise _unreadable(line)
    try:
        default = ast.literal_eval(value)
    except (ValueError, TypeError):
        raise _unreadable(line) from None
    kind, rule = _kind_and_rule(_type(annotation)) if annotation else (_kind(default), None)
    if kind not in KINDS:
        known = f"{', '.join(KINDS)}, or a type of fastscale_lib.reports"
        raise ParameterError(f"parameters: {name} is of type {shown(kind)}, but must be one of {known}")
    return Parameter(name, kind, default, comment, rule)


def _unreadable(line: ast.stmt) -> ParameterError:
    return ParameterError(f"parameters: {shown(ast.unparse(line))} is not of the form `name: type = value`")


def _type(annotation: ast.expr) -> Any:
    """Return the type that an annotation names; its text if it is not made of `NAMES`."""
    try:
        return _evaluated(annotation)
    except ParameterError:  # of a Range
        raise
    except (ValueError, TypeError):
        return ast.unparse(annotation)


def _evaluated(part: ast.expr) -> Any:
    """Evaluate an annotation, in which only names of `NAMES` and plain values mean anything."""
    match part:
        case ast.Name(id=name) if name in NAMES:
            return NAMES[name]
        case ast.Tuple(elts=items):
            return tuple(map(_evaluated, items))
        case ast.Subscript(value=generic, slice=inside):
            return _evaluated(generic)[_evaluated(inside)]
        case ast.Call(func=ast.Name(id="Range"), args=bounds, keywords=named):
            return Range(*map(_evaluated, bounds), **{str(each.arg): _evaluated(each.value) for each in named})
    return ast.literal_eval(part)


def _kind_and_rule(declared: Any) -> tuple[str, Rule | None]:
    """Split a type into one of `KINDS`, and the rule that it brings."""
    origin, inside = get_origin(declared), get_args(declared)
    if origin is Annotated:
        kind, rule = _kind_and_rule(inside[0])
        return kind, next((each for each in inside[1:] if isinstance(each, Rule)), rule)
    if origin is Literal and inside:
        return _kind(inside[0]), Choices(inside)
    if origin is list and len(inside) == 1:
        item, rule = _kind_and_rule(inside[0])
        return f"list[{item}]", rule
    return declared.__name__ if type(declared) is type else str(declared), None


def _kind(value: Any) -> str:
    """Return the type of a value whose line names none."""
    if not isinstance(value, list):
        return type(value).__name__
    kinds = {type(each).__name__ for each in value}
    return f"list[{kinds.pop()}]" if len(kinds) == 1 else "list"


def _comments(source: str) -> dict[int, str]:
    """Read the comment at each line's end, by line number."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {each.start[0]: each.string.lstrip("# ").strip() for each in tokens if each.type == tokenize.COMMENT}


def nearest(name: str, known: Iterable[str]) -> str:
    """Suggest a known name for one that is not known."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def settle(namespace: MutableMapping[str, Any]) -> None:
    """Check a notebook's parameters, and convert them to the types that its cell names.

    `start` calls it. Plain papermill passes a list as a string (`papermill -p scales '[1, 2, 8]'`), and checks nothing.
    """
    for name, parameter in _declared(namespace).items():
        if name in namespace:
            namespace[name] = parameter.settle(namespace[name])


def _declared(namespace: Mapping[str, Any]) -> dict[str, Parameter]:
    """Return the parameters as declared; outside IPython, as far as Python keeps the types."""
    for source in reversed(namespace.get("In", ())):
        try:
            lines = ast.parse(source).body
        except SyntaxError:  # a cell with a magic
            continue
        lines = [line for line in lines if not isinstance(line, ast.Import | ast.ImportFrom)]
        if lines and all(isinstance(line, ast.AnnAssign) for line in lines):
            return read_parameters(source)
    declared = namespace.get("__annotations__", {})
    types = {name: _kind_and_rule(each) for name, each in declared.items()}
    return {name: Parameter(name, kind, rule=rule) for name, (kind, rule) in types.items() if kind in KINDS}


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
    float(value)  # an OverflowError if it is too large
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
