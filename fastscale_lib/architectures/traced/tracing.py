"""One forward pass on tensors without data, operation by operation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from . import operators
from .failures import FailedInside
from .kept_state import state_kept
from .known_shapes import known_result
from .origins import Origin, joined, mark, origin_of
from .records import Trace, TracedOperation
from .rules import RULES, pool_details

META = torch.device("meta")
_PRODUCTS = (2, 3)  # exponents of powers that torch multiplies out


def trace_module(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> Trace:
    """Trace one forward pass in evaluation mode; nothing of the module changes (`state_kept`).

    Arguments:
        args, kwargs: of the forward pass, on whichever device.

    Raises:
        FailedInside: the pass raises, whatever it is.
    """
    state: list[tuple[str, torch.Tensor]] = [*module.named_parameters(), *module.named_buffers()]
    replaced = {name: _without_data(each) for name, each in state if each.device != META}
    names = {name: replaced.get(name, each) for name, each in module.named_parameters()}
    recorder = _Recorder(names)
    try:
        args, kwargs = recorder.inputs(args), recorder.inputs(kwargs)
    except Exception as error:  # of a class that holds tensors, and wants their values
        raise FailedInside("") from error
    with torch.inference_mode(), state_kept(module), recorder.naming(module), recorder:
        for each in module.modules():
            each.training = False
        try:
            if replaced:
                torch.func.functional_call(module, replaced, args, kwargs)
            else:
                module(*args, **kwargs)
        except Exception as error:  # whatever the module's own code raises
            raise FailedInside(recorder.place_of(error)) from error
    sizes = {name: each.numel() for name, each in names.items()}
    return Trace(tuple(recorder.operations), sizes)


class _Recorder(TorchDispatchMode):
    """Records every operator before torch decomposes it, in inference mode.

    A linear layer is one operator, with its bias.
    """

    def __init__(self, params: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self.operations: list[TracedOperation] = []
        self._modules = [""]
        self._failed: tuple[BaseException | None, str] = None, ""
        self._claimed: set[str] = set()
        self._rules: dict[Any, tuple[str, Callable | None]] = {}
        self._sizes = {name: each.numel() for name, each in params.items()}
        for name, each in params.items():
            mark(each, Origin(False, frozenset((name,)), each.requires_grad))

    def inputs(self, values: Any) -> Any:
        """Make the inputs without data, marked as the pass's own."""

        def marked(tensor: torch.Tensor) -> torch.Tensor:
            return mark(torch.empty_like(tensor, device=META), Origin(data=True))

        return _pytree.tree_map_only(torch.Tensor, marked, values)

    @contextmanager
    def naming(self, module: nn.Module) -> Iterator[None]:
        """Know the name of the module that runs, by hooks that are taken away again."""
        names = {id(each): name for name, each in module.named_modules() if name}
        thread = get_ident()

        def enter(each: nn.Module, _: Any) -> None:
            if id(each) in names and get_ident() == thread:
                self._modules.append(names[id(each)])

        def leave(each: nn.Module, _: Any, out: Any) -> None:
            if id(each) in names and get_ident() == thread:
                error = sys.exc_info()[1]
                if out is None and error is not None and error is not self._failed[0]:
                    self._failed = error, self._modules[-1]
                self._modules.pop()

        # Two hooks of all modules cost less than two of each. A module that raises is left, too.
        handles = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave, always_call=True)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def place_of(self, error: BaseException) -> str:
        """Return the name of the innermost module that ran when this was raised; "" for the whole."""
        return self._failed[1] if self._failed[0] is error else ""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        kind, rule = self._rules.get(func) or self._rule(func)
        tensors = list(_tensors(args)) + (list(_tensors(kwargs.values())) if kwargs else [])
        if any(each.device == META for each in tensors) and any(each.device != META for each in tensors):
            args, kwargs = _all_on_meta(args), _all_on_meta(kwargs)
            tensors = [*_tensors(args), *_tensors(kwargs.values())]
        if kind == "composite":
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
            kind = "unknown"
            self._rules[func] = (kind, None)
        result = known_result(func, args, kwargs)
        if result is None:
            result = func(*args, **kwargs)
        origin = joined(tensors)
        if rule is not None:
            origin = rule(self, func, args, kwargs, result, origin)
        elif kind not in ("view", "free") and origin.data:
            origin = self._other(kind, func, args, tensors, result, origin)
        elif kind not in ("view", "free", "unknown") and origin.params:
            self.add_of_weights(func, tensors, result)
        for each in _tensors((result,)):
            mark(each, origin)
        return result

    def _rule(self, func: Any) -> tuple[str, Callable | None]:
        name = operators.plain_name(func.overloadpacket.__name__)
        rule = RULES.get(name)
        kind = "counted" if rule else operators.KINDS.get(name)
        if kind is None:
            kind = "composite" if func.namespace == "aten" or func._can_decompose() else "unknown"
        self._rules[func] = kind, rule
        return kind, rule

    def add(self, kind: str, func: Any, data: tuple, result: torch.Tensor, weights: tuple = (), **counts: Any) -> None:
        """Record an operation on inputs `data`; parameters in `weights` are its own."""
        names = {name for each in weights if each is not None for name in origin_of(each).params} - self._claimed
        self._claimed |= names
        first = data[0]
        record = TracedOperation(
            name=self._modules[-1],
            operator=f"{func.namespace}.{func.overloadpacket.__name__}",
            kind=kind,
            flops=counts.pop("flops", 0),
            bias=counts.pop("bias", 0),
            backward=counts.pop("backward", 0),
            hidden=counts.pop("hidden", False),
            moved=sum(each.numel() for each in data) + result.numel(),
            outputs=result.numel(),
            scores=counts.pop("scores", 0),
            parameters=tuple(sorted(names)),
            params=sum(self._sizes[name] for name in names),
            shape_in=tuple(first.shape),
            shape_out=tuple(result.shape),
            **counts,
        )
        self.operations.append(record)

    def add_of_weights(self, func: Any, tensors: list, result: Any) -> None:
        """Record an operation on parameters alone.

        In `layers` they remain those of the operation that uses the result.
        """
        outputs = tuple(_tensors((result,)))
        if outputs:
            self.add("weights", func, tuple(tensors), outputs[0])

    def _other(self, kind: str, func: Any, args: Any, tensors: list, result: Any, origin: Origin) -> Origin:
        """Record an operator without multiply-adds; return the result's origin."""
        outputs = list(_tensors((result,)))
        if not outputs:
            return origin
        data = tuple(each for each in tensors if origin_of(each).data)
        details: dict[str, Any] = {}
        weights: tuple = ()
        name = operators.plain_name(func.overloadpacket.__name__)
        if name == "pow" and isinstance(args[1], int | float) and args[1] in _PRODUCTS:
            kind = "pointwise"
        elif kind == "norm":
            weights = tuple(each for each in tensors if not origin_of(each).data)
            details["axis"] = -1 if name in ("layer_norm", "native_layer_norm", "rms_norm", "_fused_rms_norm") else 1
        elif kind in ("maxpool", "avgpool", "pool"):
            details = pool_details(name, kind, args, data[0], outputs[0])
            kind = details.pop("kind")
        elif "softmax" in name and origin.scores:
            details["scores"] = outputs[0].numel()
        self.add(kind, func, data, outputs[0], weights, **details)
        return origin if kind in ("pointwise", "copy") else origin._replace(scores=False)


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    for each in values:
        if isinstance(each, torch.Tensor):
            yield each
        elif isinstance(each, list | tuple):
            yield from _tensors(each)


def _all_on_meta(values: Any) -> Any:
    return _pytree.tree_map_only(torch.Tensor, lambda each: each.to(META), values)


def _without_data(tensor: torch.Tensor) -> torch.Tensor:
    made = torch.empty_like(tensor, device=META)
    return nn.Parameter(made, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made
