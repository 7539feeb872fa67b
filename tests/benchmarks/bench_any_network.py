"""All networks of timm, counted and scaled without a line of the user's.

`python tests/benchmarks/bench_any_network.py table.csv` writes one row a network, and goes on where it was stopped;
`--counted` and `--scaled` do one half alone, and `--part 1/2` every second network, for as many processes.
Counted: params and what torch's FlopCounterMode counts are equal, and outputs of convolutions and linear layers are
those that hooks see. Scaled: doubled, the keywords that were found make the network deeper, wider and finer.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.other_libraries import import_library

import fastscale_lib as fs
from fastscale_lib.architectures import trace
from fastscale_lib.architectures.traced.without_data import make_without_data

COLUMNS = ["network", "class", "counted", "scaled", "depth", "width", "resolution", "keywords", "reason", "seconds"]
HOOKED = nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d


def hooked_outputs(module: nn.Module) -> dict[str, int]:
    """Count the outputs of each convolution and linear layer, by name, as they are called from now on."""
    outputs: dict[str, int] = {}

    def adder(name: str) -> Callable[[nn.Module, Any, torch.Tensor], None]:
        def add(_: nn.Module, __: Any, out: torch.Tensor) -> None:
            outputs[name] = outputs.get(name, 0) + out.numel()

        return add

    for name, each in module.named_modules():
        if isinstance(each, HOOKED):
            each.register_forward_hook(adder(name))
    return outputs


def counted(make: Any, name: str) -> str:
    """Say why the counts are not those of torch and hooks; nothing, if they are."""
    module: Any = make_without_data(lambda: make(name)).eval().requires_grad_(False)
    size = tuple(module.pretrained_cfg.get("input_size", (3, 224, 224)))
    outputs = hooked_outputs(module)
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(1, *size, device="meta"))
    by_hooks = dict(outputs)
    found = trace(module, resolution=(size[1], size[2]))
    if found.complexity.params != sum(each.numel() for each in module.parameters()):
        return "params differ"
    if found.complexity.torch_flops != counter.get_total_flops():
        return f"flops {found.complexity.torch_flops} instead of {counter.get_total_flops()}"
    traced: dict[str, int] = {}
    for each in found.operations:
        if each.kind in ("conv", "linear"):
            traced[each.name] = traced.get(each.name, 0) + each.outputs
    if {part: traced.get(part) for part in by_hooks} != by_hooks:
        return "outputs differ from hooks"
    return ", ".join(f"{each} is not known" for each in found.complexity.uncounted)


def scaled(make: Any, name: str) -> dict[str, Any]:
    """Scale by keywords that are found, doubling one dimension after the other."""
    family = fs.family(make, name, cache=False)
    grown = {"depth": (2, 1, 1.0), "width": (1, 2, 1.0), "resolution": (1, 1, 2.0)}
    row: dict[str, Any] = {"keywords": str(family)}
    missing = []
    for dimension, factors in grown.items():
        try:
            more = family.scaled(*factors, name).complexity.flops / family.complexity.flops
        except fs.FastscaleError as error:
            missing.append(f"{dimension}: {error}")
            continue
        row[dimension] = round(more, 3)
        if more < (1.2 if dimension == "depth" else 1.5):
            missing.append(f"{dimension}: no keyword is found" if more == 1 else f"{dimension}: flops grow {more:.2f}×")
    return {**row, "scaled": not missing, "reason": "; ".join(missing)[:300]}


def row_of(make: Any, name: str, halves: tuple[str, ...]) -> dict[str, Any]:
    """Make the row of one network."""
    start = time.process_time()
    row: dict[str, Any] = {"network": name}
    try:
        row["class"] = type(make_without_data(lambda: make(name))).__name__
        if "counted" in halves:
            why = counted(make, name)
            row |= {"counted": not why, "reason": why}
        if "scaled" in halves:
            why = row.get("reason")
            row |= scaled(make, name) | ({"reason": why} if why else {})
    except Exception as error:
        failed = "counted" if "counted" in halves and "counted" not in row else "scaled"
        row |= {failed: False, "reason": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
    return {**row, "seconds": round(time.process_time() - start, 2)}


def main() -> None:
    """Read what to do from the command line, and do it."""
    parser = argparse.ArgumentParser(description="Count and scale all networks of timm.")
    parser.add_argument("out", type=Path, help="CSV file")
    parser.add_argument("--minutes", type=float, default=60, help="stop after so many; default: 60")
    parser.add_argument("--counted", action="store_true", help="count alone, and scale nothing")
    parser.add_argument("--scaled", action="store_true", help="scale alone, and compare no counts")
    parser.add_argument("--part", default="1/1", help="1/2: the first of two parts; default: 1/1")
    options = parser.parse_args()
    torch.set_num_threads(1)
    timm = import_library("timm")
    names = timm.list_models()
    random.Random(14).shuffle(names)  # what is done when it is stopped is a sample
    part, parts = map(int, options.part.split("/"))
    names = names[part - 1 :: parts]
    halves = tuple(half for half in ("counted", "scaled") if getattr(options, half)) or ("counted", "scaled")
    done: set[str] = set()
    if options.out.exists():
        with options.out.open(encoding="utf-8", newline="") as file:
            done = {row["network"] for row in csv.DictReader(file)}
    end = time.monotonic() + 60 * options.minutes
    with options.out.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if not done:
            writer.writeheader()
        for name in names:
            if name not in done and time.monotonic() < end:
                writer.writerow(row_of(timm.create_model, name, halves))
                file.flush()


if __name__ == "__main__":
    main()
