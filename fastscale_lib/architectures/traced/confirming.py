"""What keywords and factors of a family really do, seen in modules in which each is doubled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._common.checks import shown
from ..parts import NetworkError
from .keywords import RULES, changed, is_heads, numbers
from .sources import FunctionOfFactors, Keywords, width_rule

if TYPE_CHECKING:
    from .maker import Maker
    from .proposals import Signature


def confirm_keywords(made: Maker, source: Keywords) -> None:
    """Refuse keywords without the promised effect, shown by a module in which they are doubled."""
    from .proposals import signature

    base = signature(lambda: source.call(source.keywords, made.size))
    if base is None:
        made.module(made.keywords(), made.size)  # says why
        return

    def doubled(*paths: str) -> Any:
        values = dict(source.keywords)
        for path in paths:
            values = changed(values, path, lambda value: value * 2)
        return signature(lambda: source.call(values, made.size))

    for path in source.depth:
        found = doubled(path)
        if found is not None and len(found) <= len(base):
            does = "changes nothing" if found == base else "adds no layers"
            raise NetworkError(f"family: {path} is given as depth, but doubled it {does} in {made.name}")
    if not source.width:
        return
    together = doubled(*source.width)
    if together is not None and sum(together.values()) <= sum(base.values()):
        raise NetworkError(f"family: {', '.join(source.width)} doubled widen nothing in {made.name}")
    for path in source.width:
        found = base if is_heads(path) else doubled(path)
        if found == base and not is_heads(path) and len(source.width) > 1:
            raise NetworkError(f"family: {path} is given as width, but doubled it changes nothing in {made.name}")
        if found is not None and base and (only := _only_layer(base, found)):
            raise NetworkError(
                f"family: {path} is given as width, but doubled it widens one layer alone ({only}) in {made.name}, as "
                "a number of classes does; give the widths of its layers"
            )
    _refuse_heads_left_out(made, source)


def confirm_factors(made: Maker, source: FunctionOfFactors) -> str:
    """Say what each factor of a function does, as "d adds layers"; refuse one without effect.

    `r` may do nothing: the images grow without it.
    """
    from .proposals import signature

    height, width = made.size
    base = signature(lambda: source.call(source.grown(1, 1, RULES[0]), made.size))
    doubled = {"d": (2, 1, made.size), "w": (1, 2, made.size), "r": (1, 1, (2 * height, 2 * width))}
    did = {}
    for name in source.names:
        d, w, size = doubled[name]
        keywords = source.grown(d, w, RULES[0])
        found = signature(lambda keywords=keywords, size=size: source.call(keywords, size))
        if base is None or found is None:  # such a size cannot be made, and whoever scales to it is told
            continue
        did[name] = _done(base, found)
        if name == "w" and (only := _only_layer(base, found)):
            raise NetworkError(
                f"family: {made.name} takes w for width, but doubled it widens one layer alone ({only}), as a number "
                "of classes does; give the base values of its widths to it, as w(64)"
            )
        if name == "d" and did[name] == "changes nothing" and _flops(made, keywords) > _flops(made, made.keywords()):
            did[name] = "calls layers more often"
        wanted = {"d": ("adds layers", "calls layers"), "w": ("widens layers",), "r": ("",)}[name]
        if not any(each in did[name] for each in wanted):
            must = "depth, which must add layers" if name == "d" else "width, which must widen them"
            swapped = "" if "changes" in did[name] or "narrows" in did[name] else " (are d and w swapped?)"
            base_value = "d(4)" if name == "d" else "w(64)"
            raise NetworkError(
                f"family: {made.name} takes {name} for {must}, but doubled it {did[name]}{swapped}; give its base "
                f"value to it, as {base_value}, or leave it out"
            )
    return ", ".join(f"{name} {does}" for name, does in did.items())


def _flops(made: Maker, keywords: dict[str, Any]) -> int:
    return made.counts(keywords, made.size).flops


def _only_layer(base: Signature, found: Signature) -> str:
    """Return the one layer of several that changed; a width changes the next one, too."""
    layers = {name.rpartition(".")[0] for name in base}
    changed = {name.rpartition(".")[0] for name, size in found.items() if base.get(name) != size}
    return changed.pop() if len(changed) == 1 and len(layers) > 1 and len(found) == len(base) else ""


def _done(base: Signature, found: Signature) -> str:
    """Say what was done to a module."""
    if len(found) == len(base):
        sizes = [(before, found[name]) for name, before in base.items() if name in found]
    else:  # layers that were added take names from others: the largest and smallest tell more
        sizes = [(most(base.values()), most(found.values())) for most in (max, min)] if base and found else []
    done = ["adds layers"] * (len(found) > len(base))
    done += ["removes layers"] * (len(found) < len(base))
    done += ["widens layers"] * any(after > before for before, after in sizes)
    done += ["narrows layers"] * any(after < before for before, after in sizes)
    return " and ".join(done) or "changes nothing"


def _refuse_heads_left_out(made: Maker, source: Keywords) -> None:
    """Refuse widths that can grow by no step, since a number of heads must grow with them."""
    from .proposals import constructor_arguments, signature

    if any(map(is_heads, source.width)):
        return
    tries = []

    def works(keywords: dict[str, Any]) -> bool:
        tries.append(signature(lambda: source.call(keywords, made.size)) is not None)
        return tries[-1]

    width_rule(source, works)
    if any(tries):
        return
    kind = type(made.module(made.keywords(), made.size))
    taken = constructor_arguments(lambda: source.call(source.keywords, made.size), kind) or {}
    for name, value in taken.items():
        if is_heads(name) and numbers({name: value}, name):
            raise NetworkError(
                f"family: {', '.join(source.width)} of {made.name} can grow by none of the steps that were "
                f"tried, while {name} stays {shown(value)}; give {name!r}: {shown(value)} as width, too"
            )
