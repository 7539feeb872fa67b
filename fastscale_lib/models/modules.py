"""Torch modules for the layers and blocks of a described network."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..architectures.definition import Network
from ..architectures.layer_types import (
    Activation,
    AvgPool,
    Conv,
    Gate,
    GlobalPool,
    Linear,
    MaxPool,
    Norm,
    Resample,
    Residual,
)
from ..architectures.traversal import describe
from .token_modules import token_module

ACTIVATIONS = {
    "relu": lambda: nn.ReLU(inplace=True),
    "silu": lambda: nn.SiLU(inplace=True),
    "gelu": nn.GELU,
    "sigmoid": nn.Sigmoid,
    "relu6": lambda: nn.ReLU6(inplace=True),
    "hard_swish": lambda: nn.Hardswish(inplace=True),
    "hard_sigmoid": nn.Hardsigmoid,
}


class ConvNet(nn.Sequential):
    """A network's modules in order: `stem`, `stage1.block1`, …, `head`.

    Attributes:
        network: the Network that it was built from.
    """

    if TYPE_CHECKING:  # modules have the names of the network's layers

        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, network: Network, device: Any = None, drop_path: float = 0.0, zero_gamma: bool = False) -> None:
        blocks = sum(network.depths)
        drop_rates = iter(drop_path * block / blocks for block in range(1, blocks + 1))
        children: OrderedDict[str, nn.Module] = OrderedDict()
        with torch.device(device) if device is not None else nullcontext():
            for run in describe(network):
                if not run.first:
                    children[run.name] = _sequential(run.parts, run.activation)
                    continue
                stage = children.setdefault(run.name, nn.Sequential())
                for number in range(run.first, run.first + run.times):
                    stage.add_module(f"block{number}", _block(run.parts, run.activation, next(drop_rates)))
            super().__init__(children)
            self.network = network
            _initialise(self, zero_gamma)


class ResidualBlock(nn.Module):
    """A branch, added to its (projected) input if the shapes allow it."""

    def __init__(self, part: Residual, activation: str, drop_rate: float) -> None:
        super().__init__()
        self.branch = [layer.name for layer in part.branch]
        for layer in part.branch:
            self.add_module(layer.name, _module(layer, activation))
        self.last_norm = next((layer.name for layer in part.branch if isinstance(layer, Norm) and layer.last), None)
        self.shortcut = _sequential(part.shortcut, activation) if part.projected else None
        self.added = bool(part.added)
        self.drop_path = DropPath(drop_rate) if drop_rate and self.added else None
        self.after = [layer.name for layer in part.after]
        for layer in part.after:
            self.add_module(layer.name, _module(layer, activation))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for name in self.branch:
            y = getattr(self, name)(y)
        if self.drop_path is not None:
            y = self.drop_path(y)
        if self.added:
            y = y + (x if self.shortcut is None else self.shortcut(x))
        for name in self.after:
            y = getattr(self, name)(y)
        return y


class SqueezeExcite(nn.Sequential):
    """The input, multiplied by the output of the layers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * super().forward(x)


class DropPath(nn.Module):
    """Stochastic depth: in training, drops samples with probability `rate`, and scales others."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        shape = (x.shape[0],) + (1,) * (x.ndim - 1)  # images have four dimensions, tokens three
        kept = torch.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(1 - self.rate)
        return x * kept / (1 - self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate:g}"


def _block(parts: tuple, activation: str, drop_rate: float) -> nn.Module:
    if len(parts) == 1 and not parts[0].name:  # the layers of a single residual keep their names, without one for it
        return _module(parts[0], activation, drop_rate)
    return _sequential(parts, activation, drop_rate)


def _sequential(parts: Iterable, activation: str, drop_rate: float = 0.0) -> nn.Sequential:
    there = [part for part in parts if not (isinstance(part, Resample) and not part.present)]
    made: OrderedDict[str, nn.Module] = OrderedDict()
    for part in there:
        if type(part) is Linear and "flatten" not in made and any(type(each) is GlobalPool for each in there):
            made["flatten"] = nn.Flatten()  # a layer of its own, so that any other linear layer may follow
        made[part.name] = _module(part, activation, drop_rate)
    return nn.Sequential(made)


def _module(part: Any, activation: str, drop_rate: float = 0.0) -> nn.Module:
    if (made := token_module(part)) is not None:
        return made
    match part:
        case Residual():
            return ResidualBlock(part, activation, drop_rate)
        case Conv():
            groups = 1 if part.group_width is None else part.width_in // part.group_width
            padding = (part.kernel - 1) // 2 if part.padded else 0
            return nn.Conv2d(
                part.width_in, part.width_out, part.kernel, part.stride, padding, groups=groups, bias=part.bias
            )
        case Norm():
            return nn.BatchNorm2d(part.width)
        case Activation():
            return ACTIVATIONS[part.kind or activation]()
        case AvgPool():
            return nn.AvgPool2d(part.kernel, part.stride, ceil_mode=True, count_include_pad=False)
        case MaxPool():
            return nn.MaxPool2d(part.kernel, part.stride, padding=(part.kernel - 1) // 2)
        case GlobalPool():
            return nn.AdaptiveAvgPool2d(1)
        case Linear():
            return nn.Linear(part.width_in, part.width_out)
        case Resample():
            return _sequential(part.parts, activation)
        case Gate():
            return SqueezeExcite(OrderedDict((inner.name, _module(inner, activation)) for inner in part.parts))
    raise TypeError(f"no module for {part!r}")


def _initialise(model: nn.Module, zero_gamma: bool) -> None:
    """Initialise convolutions as He et al. (Delving Deep into Rectifiers, 2015)."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)
        elif isinstance(module, ResidualBlock) and zero_gamma and module.added and module.last_norm:
            nn.init.zeros_(getattr(module, module.last_norm).weight)


def subsample(model: nn.Module, widest: int | None = None) -> None:
    """Replace the stride of 1×1 convolutions by taking every stride-th pixel of their input.

    The result is the same. On CPUs torch (2.13) writes out of bounds in the backward pass of such a convolution to 8 or
    16 channels in the layout channels_last.

    Arguments:
        model: a module, which is changed in place.
        widest: most output channels of the convolutions that are changed; default: all are changed.
    """
    for module in model.modules():
        if not isinstance(module, nn.Conv2d) or module.kernel_size != (1, 1) or module.stride == (1, 1):
            continue
        if widest is None or module.out_channels <= widest:
            module.register_forward_pre_hook(_Every(*module.stride))
            module.stride = (1, 1)


class _Every:
    """A hook that can be copied with its module."""

    def __init__(self, rows: int, columns: int) -> None:
        self._rows, self._columns = rows, columns

    def __call__(self, module: nn.Module, given: tuple[torch.Tensor]) -> torch.Tensor:
        return given[0][:, :, :: self._rows, :: self._columns].contiguous(memory_format=torch.channels_last)
