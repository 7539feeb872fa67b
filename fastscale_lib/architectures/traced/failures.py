"""Why a module cannot be traced, in a sentence: what fails, where, and the remedy."""

from __future__ import annotations

import inspect
import re
import traceback
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from ..._common.errors import first_line
from ..parts import NetworkError

_MOST_SAID = 120  # characters of what another library says


class FailedInside(Exception):
    """A forward pass that raised.

    Its cause is the exception, `name` the innermost module that ran.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


# What torch says, by words of its message; what the module does; what to do instead.
_KNOWN = (
    (
        ("Cannot copy out of meta tensor",),
        "moves a tensor to a device, as .cpu(), .to('cpu') and .tolist() do, and a trace runs on none",
        "leave it on the device of its input (x.device); where its values are looked at, trace the modules around it",
    ),
    (
        ("item()", "_local_scalar_dense", "numpy", "no data", "data-dependent", "meta tensor"),
        "looks at values, and a trace has shapes alone",
        "trace the modules before and after it instead, or replace it by one that looks at shapes alone",
    ),
    (
        ("register_meta function", "fake impl", "no Meta kernel"),
        "calls {operator}, whose result has a shape that follows from values, or is not known to torch without data",
        "trace the modules before and after it, or give it a shape by torch.library.register_fake",
    ),
    (
        ("on meta device", "HigherOrderOperator", "storage_device"),
        "uses a part of torch that does not run without data",
        "use its plain form, as scaled_dot_product_attention for flex_attention, or trace the modules around it",
    ),
    (
        ("should be the same", "same dtype", "to have the same type", "have different dtype", "expected scalar type"),
        "is given elements of another type than its parameters have",
        "give both one type, as by module.float() and example.float()",
    ),
    (
        ("cuda", "CUDA", "same device", "mps"),
        "asks for a device of its own, and a trace runs on none",
        "take the device from its input instead, as by torch.zeros(3, device=x.device)",
    ),
    (
        ("require grad", "grad_fn", "Inference tensors"),
        "takes gradients, and a trace has none",
        "trace the module whose gradients it takes",
    ),
)


def refuse_what_hides_operators(module: torch.nn.Module) -> None:
    """Refuse TorchScript, quantised layers, and lazy modules without shapes."""
    kind = type(module).__name__
    for name, each in module.named_modules():
        if isinstance(each, torch.jit.ScriptModule):
            raise NetworkError(
                f"trace: {kind} {_has(name, 'is a TorchScript module', each)}, whose operators a trace does not see; "
                "give the module from which it was made, before torch.jit.script or torch.jit.trace"
            )
        if ".quantized" in type(each).__module__:
            raise NetworkError(
                f"trace: {kind} {_has(name, 'is a quantised layer', each)}, whose operators do not run without data; "
                "give the module as it was before quantisation, which has the same counts"
            )
        own = (*each.parameters(recurse=False), *each.buffers(recurse=False))
        if any(is_lazy(tensor) for tensor in own):
            raise NetworkError(
                f"trace: {kind} {_has(name, 'has lazy parameters without a shape yet', each)}; call {kind} once on an "
                "input first"
            )


def refusal_of(module: torch.nn.Module, failed: FailedInside, said: str, example: str = "") -> NetworkError:
    """Return the error that says why the module has no trace.

    Arguments:
        said: names the input.
        example: another input to try.
    """
    kind = type(module).__name__
    error = failed.__cause__ or failed
    line = _short_line(error)
    inner = dict(module.named_modules()).get(failed.name, module)
    place = f" {_named(failed.name, inner)}" if failed.name else ""
    if hook := _hook_that_failed(module, error):
        at, hooked, hook_name = hook
        where = f" at {_named(at, hooked)}" if at else ""
        return NetworkError(
            f"trace: {kind} has a hook that fails{where}: {hook_name} ({line}); take the hook away, by remove() of "
            "what registered it"
        )
    if isinstance(error, NotImplementedError) and 'missing the required "forward"' in str(error):
        return NetworkError(
            f"trace: {kind} has no forward pass{place and f' at{place}'}; give the module that calls what it holds"
        )
    if not failed.name and isinstance(error, TypeError) and "forward()" in str(error):
        return NetworkError(f"trace: {kind} does not take {said} ({line}); {_asked(inner)}")
    words = str(error)
    for signs, does, remedy in _KNOWN:
        if any(each in words for each in signs):
            operator = re.search(r"\w+::\w+|torch\.\w+(?=\(\))", words)
            does = does.format(operator=operator[0] if operator else "an operator")
            return NetworkError(
                f"trace: {kind} cannot be traced, since {place.strip() or 'its forward pass'} {does} ({line}); {remedy}"
            )
    inside = f"{place.strip()} fails with " if place else ""
    return NetworkError(
        f"trace: {kind} does not take {said} ({inside}{line}); another input is given as example={example}"
    )


def _short_line(error: BaseException) -> str:
    line = first_line(error)
    return line if len(line) <= _MOST_SAID else f"{line[:_MOST_SAID]}…"


def _named(name: str, module: Any) -> str:
    return f"{name!r} ({type(module).__name__})"


def _has(name: str, what: str, module: Any) -> str:
    """Say what the module is, or that one inside is."""
    return f"{what}" if not name else f"cannot be traced, since {_named(name, module)} {what}"


def _asked(module: Any) -> str:
    """Say with what the forward pass is called."""
    try:
        taken = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return "what it takes is given as example=, a tuple or a dict"
    needed = [each for each in taken if each.default is each.empty]
    needed = [each for each in needed if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    names = [each.name for each in needed]
    if any(each.kind is each.KEYWORD_ONLY for each in needed):
        asked = ", ".join(f"{name!r}: {name}" for name in names[:8])
        return f"give what its forward pass takes by keyword, as example={{{asked}}}"
    if not names:
        return "its forward pass needs no input: give example={} of what it takes"
    asked = ", ".join(names[:8])
    return f"give what its forward pass takes, as example=({asked}{',' if len(names) == 1 else ''})"


def _hook_that_failed(module: Any, error: BaseException) -> tuple[str, Any, str] | None:
    """Find the hook that raised: its module's name, the module, the hook's name; else None."""
    hooks: dict[Any, tuple[str, Any, str]] = {}
    for name, inner in module.named_modules():
        for each in (*inner._forward_hooks.values(), *inner._forward_pre_hooks.values()):
            code = getattr(each, "__code__", None) or getattr(type(each).__call__, "__code__", None)
            hooks.setdefault(code, (name, inner, getattr(each, "__name__", type(each).__name__)))
    codes = (frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__))
    return next((hooks[code] for code in codes if code in hooks), None)
