"""Find the keywords that make a module deeper, wider and of a higher resolution.

They are proposed by name, and each is confirmed by one changed module.
"""

from __future__ import annotations

import copy
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias
from unittest import mock

import torch
from torch import nn

from .keywords import INVERSE, changed, is_heads, paths
from .modules import trace
from .sources import Keywords
from .without_data import CPU, META, made_on, make_without_data

# Names that library authors give to such keywords; what a keyword really does is then seen in the module.
_NEVER = re.compile(
    r".*(class|img|image|in_chan|in_chs|patch|window|kernel|stride|dilation|ratio|drop|head_dim|dim_head|pool|pretrained"
    r"|num_stages|seed|eps|init|scale|se_|reduction).*|groups?"
)
_DEPTHS = re.compile(
    r"(?!.*(stem|head|attn_|multi))"
    r"(.*depth.*|.*layers?|.*blocks?(_list)?|block_config|num_repeat|repeats?|n?_?d|.*len.*|l|levels|stages)"
)
_WIDTHS = re.compile(
    r"(.*dims?|.*chs|.*width.*|.*channels?.*|.*planes|.*embed.*|.*filters?|.*num_features|.*hidden.*|c|w0|wa|.*growth.*"
    r"|.*cardinality|multiplier|.*stem_size|.*group_size|.*chan.*|.*heads)"
)
_MULTIPLIERS = re.compile(r"(.*mult.*|w0|wa|.*width.*)")
_RARELY = re.compile(r"(?!se_).*(base_(dim|width|channels?|chs|planes))|scale")  # widths, where no usual name is one
_IMAGES = ("img_size", "image_size", "input_size")
_MOST_TENSOR = 5.5  # a tensor of doubled widths has four times the elements, or a little more where these are rounded


# The elements of each parameter by name: more names are depth, more elements are width.
Signature: TypeAlias = dict[str, int]


def signature(make: Callable[[], Any], device: torch.device | None = None) -> Signature | None:
    """Make the module without data, on any device or on this one; None where it cannot be made."""
    try:
        module = made_on(device, make) if device else make_without_data(make)
        return {name: each.numel() for name, each in module.named_parameters()}
    except Exception:  # of foreign code: then this is no way to make it
        return None


def constructor_arguments(make: Callable[[], Any], kind: type) -> dict[str, Any] | None:
    """Return the arguments of a module's class while it is made; None if they are not seen."""
    original: Any = kind.__init__
    found: dict[str, Any] = {}
    try:
        taken = inspect.signature(original)
    except (TypeError, ValueError):
        return None
    names = {each.kind: name for name, each in taken.parameters.items()}

    @functools.wraps(original)
    def seeing(self: Any, *args: Any, **keywords: Any) -> None:
        if not found:
            bound = taken.bind(self, *args, **keywords)
            bound.apply_defaults()
            values = dict(list(bound.arguments.items())[1:])
            values.update(values.pop(names.get(inspect.Parameter.VAR_KEYWORD, ""), {}))
            if values.pop(names.get(inspect.Parameter.VAR_POSITIONAL, ""), ()):  # such as nn.Sequential: no keywords
                values.clear()
            found.update({name: _copied(value) for name, value in values.items()})
        original(self, *args, **keywords)

    try:
        with mock.patch.object(kind, "__init__", seeing):
            make_without_data(make)
    except Exception:
        return None
    return found or None


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:  # foreign objects need not be copied: their class made the base of them as they are
        return value


def propose(make: Callable[..., Any], args: tuple, keywords: dict[str, Any], base: nn.Module) -> Keywords:
    """Find the keywords that scale, of the callable or of the class of module it makes."""
    kind = type(base)
    seen = constructor_arguments(lambda: make(*args, **keywords), kind) or {}
    memo = make, [*args, keywords, "class", kind.__qualname__]
    of_class = Keywords(kind, (), seen, (), (), _image_names(seen), memo)
    wanted = {name: each.numel() for name, each in base.named_parameters()}
    if not seen or signature(lambda: of_class.call(seen, _any_size(seen))) != wanted:
        own = {name: each.default for name, each in inspect.signature(make).parameters.items()}
        given = {name: value for name, value in own.items() if value is not inspect.Parameter.empty} | keywords
        of_class = Keywords(make, args, given, (), (), _image_names(given), (make, [*args, keywords]))
    search = _Search(of_class, wanted)
    found = replace(of_class, depth=search.depths(), width=search.widths())
    return _by_callable(make, args, keywords, found)


def _by_callable(make: Callable, args: tuple, keywords: dict, found: Keywords) -> Keywords:
    """Convert a family to keywords of the callable itself, where it takes them."""
    names = (*found.depth, *found.width)
    if found.make is make or not names or any("." in each or "(" in each for each in names):
        return found
    own = {**keywords, **{name: found.keywords[name] for name in (*names, *found.image)}}
    source = Keywords(make, args, own, found.depth, found.width, found.image, (make, [*args, keywords]))
    size = _any_size(own)
    for path in names:
        twice = changed(own, path, _doubled)
        mine = signature(lambda twice=twice: source.call(twice, size))
        theirs = signature(lambda path=path: found.call(changed(found.keywords, path, _doubled), size))
        if mine is None or mine != theirs:
            return found
    return source


def _image_names(keywords: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in _IMAGES if isinstance(keywords.get(name), int | tuple | list))


def _any_size(keywords: Mapping[str, Any]) -> tuple[int, int]:
    sides = [keywords[name] for name in _image_names(keywords)]
    side = sides[0] if sides else 224
    return (side, side) if isinstance(side, int) else (int(side[-2]), int(side[-1]))


def _doubled(value: Any) -> Any:
    return value * 2


class _Search:
    """The search for keywords, by making modules in which one or several are doubled."""

    def __init__(self, source: Keywords, base: Signature) -> None:
        self.source, self.base = source, base
        self._size = _any_size(source.keywords)
        self._paths = [path for path in paths(source.keywords) if not _NEVER.fullmatch(_last(path))]
        # Where the base needs no CPU, a module that cannot be made on the meta device cannot be made at all.
        on_meta = signature(lambda: source.call(source.keywords, self._size), META)
        self._device = CPU if on_meta is None else META
        self._seen: dict[frozenset[str], Signature | None] = {}

    def _made(self, names: tuple[str, ...]) -> Signature | None:
        key = frozenset(names)
        if key not in self._seen:
            keywords = self._keywords(names)
            self._seen[key] = signature(lambda: self.source.call(keywords, self._size), self._device)
        return self._seen[key]

    def depths(self) -> tuple[str, ...]:
        """List the keywords that add layers, the strongest first; by name, else any that do."""
        # The slope of a RegNet's widths over its blocks must fall as these become more.
        slopes = [f"{INVERSE}{path}" for path in self._paths if _last(path) == "wa"]
        for path in self._paths if slopes else ():
            if _last(path) == "depth" and self._added((path, slopes[0])):
                return path, slopes[0]
        named = [path for path in self._paths if path.startswith("len(") or _DEPTHS.fullmatch(_last(path))]
        others = [path for path in self._paths if path not in named and not _WIDTHS.fullmatch(_last(path))]
        for candidates in (named, others[:_MOST_OTHERS]):
            found = sorted(((self._added((path,)), path) for path in candidates), reverse=True)
            least = max(1, found[0][0] / 20) if found else 1
            chosen = self._together([path for added, path in found if added >= least], self._deeper)
            if chosen and self._adds_flops(chosen):
                return chosen
        return ()

    def _added(self, names: tuple[str, ...]) -> int:
        made = self._made(names)
        return 0 if made is None else len(made) - len(self.base)

    def _adds_flops(self, names: tuple[str, ...]) -> bool:
        """Tell whether the module has more flops: the repeated layers may have a stride."""

        def flops(keywords: dict[str, Any]) -> int:
            module = make_without_data(lambda: self.source.call(keywords, self._size))
            return trace(module, resolution=self._size).complexity.flops

        try:
            return flops(self._keywords(names)) > flops(dict(self.source.keywords))
        except Exception:  # of foreign code: then these are none to scale by
            return False

    def _keywords(self, names: tuple[str, ...]) -> dict[str, Any]:
        keywords = dict(self.source.keywords)
        for path in names:
            keywords = changed(keywords, path, (lambda value: value / 2) if path.startswith(INVERSE) else _doubled)
        return keywords

    def widths(self) -> tuple[str, ...]:
        """List the keywords that widen layers, the strongest first.

        Rarer names count only if there is no usual one.
        """
        floats = [path for path in self._paths if _MULTIPLIERS.fullmatch(_last(path))]
        named = [path for path in self._paths if _WIDTHS.fullmatch(_last(path))]
        rare = [path for path in paths(self.source.keywords) if _RARELY.fullmatch(_last(path))]
        usual = list(dict.fromkeys([*named, *floats])) or self._paths[:_MOST_OTHERS]
        return self._widest(usual) or (self._widest([*usual, *rare]) if rare else ())

    def _widest(self, named: list[str]) -> tuple[str, ...]:
        found, refused = [], []
        for path in named:
            made = self._made((path,))
            if made is None or self._wider(made) is None:
                refused.append(path)
            elif (growth := self._wider(made)) and growth > 1:
                found.append((growth, path))
        found.sort(reverse=True)
        chosen = self._together([path for _, path in found], self._wider)
        heads = [path for path in refused if is_heads(path)] + [path for _, path in found if is_heads(path)]
        heads = heads or [path for path in named if is_heads(path)]
        if not chosen or self._growth(chosen) < _LEAST_GROWTH:
            chosen = self._coupled(chosen, refused) or chosen
        with_heads = tuple(dict.fromkeys((*chosen, *heads[:1])))
        if chosen and with_heads != chosen and self._growth(with_heads) >= self._growth(chosen):
            chosen = with_heads
        return chosen if self._growth(chosen) >= _LEAST_GROWTH else ()

    def _coupled(self, chosen: tuple[str, ...], refused: list[str]) -> tuple[str, ...]:
        """Those that can only change together: all, or two of them."""
        tries = [(*chosen, *refused), *((*chosen, each) for each in refused)]
        tries += [(one, two) for at, one in enumerate(refused) for two in refused[at + 1 :]][:10]
        best = max(tries, key=self._growth, default=())
        return best if self._growth(best) >= _LEAST_GROWTH else ()

    def _growth(self, names: tuple[str, ...]) -> float:
        made = self._made(names) if names else None
        return (self._wider(made) or 0.0) if made is not None else 0.0

    def _together(self, names: list[str], grown: Callable[[Signature], float | None]) -> tuple[str, ...]:
        """Keep the first keyword, and each further one that strengthens it."""
        chosen: tuple[str, ...] = ()
        best = 0.0
        for path in names:
            made = self._made((*chosen, path))
            growth = grown(made) if made is not None else None
            if growth is not None and growth > best:
                chosen, best = (*chosen, path), growth
        return chosen

    def _deeper(self, made: Signature) -> float | None:
        """Return the ratio of numbers of tensors; None if a depth was doubled twice."""
        ratio = len(made) / len(self.base)
        return ratio if ratio <= 2.1 else None

    def _wider(self, made: Signature) -> float | None:
        """Return the ratio of params; None if layers differ or a width was doubled twice."""
        common = self.base.keys() & made.keys()
        # A shortcut may become a projection, where its two ends are no longer of one width.
        if max(len(self.base), len(made)) - len(common) > _OTHERS:
            return None
        largest = max((made[name] / max(self.base[name], 1) for name in common), default=1)
        return sum(made.values()) / max(sum(self.base.values()), 1) if largest <= _MOST_TENSOR else None


_MOST_OTHERS = 30  # keywords that are tried where none has a usual name
_OTHERS = 3  # parameters that may come or go when widths change
_LEAST_GROWTH = 1.3  # of the parameters, when all widths are doubled


def _last(path: str) -> str:
    return path.removeprefix("len(").removesuffix(")").split(".")[-1]
