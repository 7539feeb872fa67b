"""Counts of a module of timm or torchvision, by hooks on its layers and by torch's own counter of flops.

Run as a program beside timm (`python tests/helpers/hooked_counts.py`), it writes `tests/architectures/golden` anew: all
families, or those that are named (`python tests/helpers/hooked_counts.py ViT DeiT`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

GOLDEN = Path(__file__).parents[1] / "architectures" / "golden"
_OUTPUTS = (nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d)


def counted_by_hooks(module: nn.Module, resolution: int | tuple[int, int], channels: int = 3) -> tuple[int, int, int]:
    """Count flops (multiply-adds, one for each bias), params, and outputs of convolutions, linear layers and pools.

    Arguments:
        resolution: side of the image in pixels, or (height, width).
        channels: of the image.
    """
    height, width = resolution if isinstance(resolution, tuple) else (resolution, resolution)
    biases = outputs = 0

    def look(layer: nn.Module, given: tuple, made: torch.Tensor) -> None:
        nonlocal biases, outputs
        count = made[0].numel()
        outputs += count
        if isinstance(layer, nn.Conv2d | nn.Linear):
            biases += count * (layer.bias is not None)

    hooks = [layer.register_forward_hook(look) for layer in module.modules() if isinstance(layer, _OUTPUTS)]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:  # which counts two for a multiply-add
        module.eval().requires_grad_(False)(
            torch.zeros(1, channels, height, width, device=next(module.parameters()).device)
        )
    for hook in hooks:
        hook.remove()
    return counter.get_total_flops() // 2 + biases, sum(each.numel() for each in module.parameters()), outputs


def timm_module(timm: ModuleType, name: str, device: str = "meta", **settings: Any) -> nn.Module:
    """A module of timm without weights."""
    with torch.device(device):
        return timm.create_model(name, **settings)


def _write_golden(asked: list[str]) -> None:
    import fastscale_lib as fs
    from fastscale_lib.architectures.zoo import aliases
    from helpers.other_libraries import import_library

    timm = import_library("timm")
    for family in asked or fs.architectures.families():
        names = fs.networks(family)
        theirs = {name: aliases("timm")[name] for name in names if name in aliases("timm")}
        lines = []
        for name, alias in theirs.items():
            resolution = fs.network(name).resolution
            counts = counted_by_hooks(timm_module(timm, alias, num_classes=1000), resolution)
            lines.append(f"  {json.dumps(name)}: {json.dumps([alias, resolution, *counts])}")
        text = ",\n".join(lines)
        GOLDEN.joinpath(f"{family}.json").write_text(
            f'{{\n"source": "hooks on timm {timm.__version__}",\n"counts": {{\n{text}\n}}\n}}\n'
        )


if __name__ == "__main__":
    _write_golden(sys.argv[1:])
