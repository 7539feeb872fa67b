"""Counts of a module of timm or torchvision, by hooks on its convolutions, linear layers and pools.

Run as a program beside timm (`python tests/helpers/hooked_counts.py`), it writes `tests/architectures/golden` anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

GOLDEN = Path(__file__).parents[1] / "architectures" / "golden"
_OUTPUTS = (nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d)


def counted_by_hooks(module: nn.Module, resolution: int) -> tuple[int, int, int]:
    """Flops (multiply-adds, one for each bias), params, and the outputs of convolutions, linear layers and pools."""
    flops = outputs = 0

    def look(layer: nn.Module, given: tuple, made: torch.Tensor) -> None:
        nonlocal flops, outputs
        count = made[0].numel()
        outputs += count
        if isinstance(layer, nn.Conv2d | nn.Linear):
            flops += count * (layer.weight[0].numel() + (layer.bias is not None))

    hooks = [layer.register_forward_hook(look) for layer in module.modules() if isinstance(layer, _OUTPUTS)]
    with torch.no_grad():
        module.eval()(torch.zeros(1, 3, resolution, resolution, device=next(module.parameters()).device))
    for hook in hooks:
        hook.remove()
    return flops, sum(each.numel() for each in module.parameters()), outputs


def timm_module(timm: ModuleType, name: str, device: str = "meta", **settings: Any) -> nn.Module:
    """A module of timm without weights."""
    with torch.device(device):
        return timm.create_model(name, **settings)


def _write_golden() -> None:
    import fastscale_lib as fs
    from fastscale_lib.architectures.zoo import aliases
    from helpers.other_libraries import import_library

    timm = import_library("timm")
    for family, names in fs.architectures.families().items():
        theirs = {name: aliases("timm")[name] for name in names if name in aliases("timm")}
        lines = []
        for name, alias in theirs.items():
            resolution = fs.network(name).resolution
            counts = counted_by_hooks(timm_module(timm, alias), resolution)
            lines.append(f"  {json.dumps(name)}: {json.dumps([alias, resolution, *counts])}")
        text = ",\n".join(lines)
        GOLDEN.joinpath(f"{family}.json").write_text(
            f'{{\n"source": "hooks on timm {timm.__version__}",\n"counts": {{\n{text}\n}}\n}}\n'
        )


if __name__ == "__main__":
    _write_golden()
