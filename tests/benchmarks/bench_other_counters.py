"""Our counts beside those of fvcore, ptflops, torchinfo and torch's FlopCounterMode, on twelve of timm's networks.

`pip install -e '.[test,compare]'`, then `python tests/benchmarks/bench_other_counters.py table.csv` writes one row a
network, and goes on where it was stopped. The table that is shown in the documentation is docs/other-counters.csv.

Each library's figure is taken apart: `_other` is what it counts and we do not (norms, activation functions, pools),
`_missing` what we count and it does not; `_left` is what remains unexplained. All are multiply-adds for one image:

    library = flops − (biases, where it leaves them out) − missing + other + left
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib
import importlib.metadata
import io
import logging
import sys
import warnings
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.other_libraries import import_library

from fastscale_lib.architectures import Trace, TracedOperation, trace
from fastscale_lib.architectures.traced.without_data import make_without_data

NETWORKS = (
    *("resnet50", "regnety_040", "densenet121", "vgg16", "mobilenetv3_large_100", "efficientnet_b0"),
    *("efficientnetv2_rw_t", "convnext_tiny", "vit_small_patch16_224", "swin_tiny_patch4_window7_224"),
    *("mixer_s16_224", "pvt_v2_b0"),
)
LIBRARIES = ("torch", "fvcore", "ptflops", "torchinfo")
WITHOUT_BIASES = ("torch", "fvcore")
PARTS = ("", "_other", "_missing", "_left")
COLUMNS = ["network", "resolution", "flops", "biases", "attention"]
COLUMNS += [library + part for library in LIBRARIES for part in PARTS]
COLUMNS += ["date", *(f"{name}_version" for name in (*LIBRARIES, "timm"))]
_MATRIX_OPERATORS = ("conv", "linear", "addmm", "matmul", "bmm", "mm", "einsum")  # fvcore's names
_MATRIX_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def counted(operations: Iterable[TracedOperation]) -> int:
    """Sum multiply-adds with biases."""
    return sum(each.flops + each.bias for each in operations)


def of_torch(make: Any, name: str, size: tuple[int, ...]) -> int:
    """Count with torch's FlopCounterMode, which has two for each multiply-add.

    Without data: on a CPU it does not know the operator of fused attention, and counts nothing for it.
    """
    module: nn.Module = make_without_data(lambda: make(name)).eval().requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(1, *size, device="meta"))
    return counter.get_total_flops() // 2


def of_fvcore(module: nn.Module, image: torch.Tensor) -> tuple[int, int]:
    """Count with fvcore: all, and what is neither convolution nor a product of matrices."""
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    analysis = importlib.import_module("fvcore.nn").FlopCountAnalysis(module, image)
    found = analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).by_operator()
    other = sum(value for name, value in found.items() if name not in _MATRIX_OPERATORS)
    return int(sum(found.values())), int(other)


def of_ptflops(module: nn.Module, size: tuple[int, ...]) -> tuple[int, int]:
    """Count with ptflops: all, and what its convolutions and linear layers leave of it."""
    library = importlib.import_module("ptflops")
    plain = {"as_strings": False, "print_per_layer_stat": False}
    total, _ = library.get_model_complexity_info(module, size, **plain)
    ignored = sorted({type(each) for each in module.modules()} - {*_MATRIX_LAYERS}, key=str)
    config = {"count_functional": False}
    layers, _ = library.get_model_complexity_info(
        module, size, **plain, ignore_modules=ignored, backend_specific_config=config
    )
    return int(total), int(total - layers)


def without_ptflops(module: nn.Module, found: Trace) -> int:
    """Say what ptflops leaves out, by its rules.

    It looks at layers that are of a class which it knows, and no subclass of one. Where such a layer holds others, as
    timm's Attention does, it counts the outer one alone.
    """
    known = {*importlib.import_module("ptflops.pytorch_ops").MODULES_MAPPING}
    inside = {
        f"{name}.{part}"
        for name, each in module.named_modules()
        if type(each) in known
        for part, _ in each.named_modules()
        if part
    }
    seen = {name for name, each in module.named_modules() if type(each) in _MATRIX_LAYERS and name not in inside}
    return counted(each for each in found.operations if each.kind not in ("conv", "linear") or each.name not in seen)


def of_torchinfo(module: nn.Module, size: tuple[int, ...]) -> int:
    """Count with torchinfo."""
    return int(importlib.import_module("torchinfo").summary(module, (1, *size), verbose=0).total_mult_adds)


def without_torchinfo(module: nn.Module, found: Trace) -> tuple[int, int]:
    """Say of torchinfo what it counts besides, and what it leaves out, by the rule that it states.

    A convolution has its parameters for each position, any other layer has them once for each entry of its output's
    first axis: a linear layer, too, whatever number of tokens it works on.
    """
    linear = {name: each for name, each in module.named_modules() if isinstance(each, nn.Linear)}
    other = sum(
        parameter.numel()
        for name, each in module.named_modules()
        if not list(each.children()) and "Conv" not in type(each).__name__ and name not in linear
        for parameter_name, parameter in each.named_parameters()
        if parameter_name in ("weight", "bias")
    )
    once = sum(
        each.shape_out[0] * sum(parameter.numel() for parameter in linear[each.name].parameters())
        for each in found.operations
        if each.kind == "linear"
    )
    left_out = [each for each in found.operations if "Conv" not in _class_of(module, each)]
    return other, counted(left_out) - once


def _class_of(module: nn.Module, operation: TracedOperation) -> str:
    """Name the class of the layer that called it; nothing, where it is no convolution or linear layer."""
    return type(module.get_submodule(operation.name)).__name__ if operation.kind in ("conv", "linear") else ""


def row_of(make: Any, name: str) -> dict[str, Any]:
    """Make the row of one network."""
    module: nn.Module = make(name).eval().requires_grad_(False)
    config: Any = module.pretrained_cfg
    size = tuple(config["input_size"])
    image, found = torch.zeros(1, *size), trace(module, resolution=(size[1], size[2]))
    flops, biases = found.complexity.flops, sum(each.bias for each in found.operations)
    fused = counted(each for each in found.operations if each.kind == "attention")
    fvcore, ptflops = of_fvcore(module, image), of_ptflops(module, size)
    parts = {
        "torch": (of_torch(make, name, size), 0, 0),
        "fvcore": (*fvcore, fused),
        "ptflops": (*ptflops, without_ptflops(module, found)),
        "torchinfo": (of_torchinfo(module, size), *without_torchinfo(module, found)),
    }
    row: dict[str, Any] = {"network": name, "resolution": size[1], "flops": flops, "biases": biases}
    row["attention"] = found.complexity.attention_flops
    for library, (total, other, missing) in parts.items():
        expected = flops - (biases if library in WITHOUT_BIASES else 0) - missing + other
        row |= dict(zip((library + part for part in PARTS), (total, other, missing, total - expected), strict=True))
    versions = {f"{each}_version": importlib.metadata.version(each) for each in (*LIBRARIES, "timm")}
    return {**row, "date": datetime.now(timezone.utc).date().isoformat(), **versions}


def page_table(rows: Iterable[Mapping[str, str]]) -> str:
    """Write the table of docs/other-counters.md, in millions of multiply-adds.

    Arguments:
        rows: of the CSV file.
    """
    lines = ["| network | fastscale | biases | FlopCounterMode | fvcore | ptflops | torchinfo |", "|---|" + "--:|" * 6]
    for row in rows:
        figures = [_millions(row["flops"]), _millions(row["biases"])]
        for library in LIBRARIES:
            besides, missing = (int(row[f"{library}_{part}"]) for part in ("other", "missing"))
            signed = [f"+{_millions(besides)}"] * bool(besides) + [f"−{_millions(missing)}"] * bool(missing)
            figures.append(_millions(row[library]) + (f" ({' '.join(signed)})" if signed else ""))
        lines.append(f"| `{row['network']}` | {' | '.join(figures)} |")
    return "\n".join(lines)


def _millions(count: Any) -> str:
    return f"{int(count) / 1e6:,.2f}"


def main() -> None:
    """Read where to write from the command line, and write what is missing there."""
    parser = argparse.ArgumentParser(description="Compare counts with those of other libraries.")
    parser.add_argument("out", type=Path, help="CSV file")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    timm, done = import_library("timm"), set()
    if out.exists():
        with out.open(encoding="utf-8", newline="") as file:
            done = {row["network"] for row in csv.DictReader(file)}
    with out.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not done:
            writer.writeheader()
        for name in NETWORKS:
            if name not in done:
                with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                    warnings.simplefilter("ignore")
                    writer.writerow(row_of(timm.create_model, name))
                file.flush()


if __name__ == "__main__":
    main()
