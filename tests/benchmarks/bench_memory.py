"""What a training step holds, of a network of each family and block, for `fs.which` with a budget of memory.

`python tests/benchmarks/bench_memory.py steps [--only FAMILY] [--write]` counts the peak (`fs.peak_memory`), and
divides the activations by the elements that all operations move, and the rest by the parameters: these quotients are
nearly the same in all networks of a family. Autocast's copies of the weights, 2 bytes each, belong to the rest. --write
keeps them in data/devices/memory.csv, in whose other rows, of inference, activations are a multiple of the largest
operation's.

`... bench_memory.py held [--write]` counts the measured runs of the H200, and divides what it held by the count;
--write keeps how much more it was in data/devices/held_beyond.csv, which pages quote, and by whose most
`fs.largest_batch` and `fs.which` leave room.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

import fastscale_lib as fs
from fastscale_lib._common.frames import dicts
from fastscale_lib.architectures.operation_lists import operations
from fastscale_lib.architectures.zoo import families

DATA = Path(__file__).parents[2] / "data"
KEPT, HELD = DATA / "devices" / "memory.csv", DATA / "devices" / "held_beyond.csv"
STORES = [DATA / "measured" / each for each in ("nvidia-h200.jsonl", "16gf/nvidia-h200.jsonl")]
BATCH = 64
BYTES, COPIES = {"bf16": 2, "fp32": 4}, {"bf16": 2, "fp32": 0}


def counted(name: str, family: str, precision: Any) -> dict[str, Any]:
    """Count one network in training."""
    network = fs.network(name)
    peak, ops, params = (
        fs.peak_memory(network, BATCH, "training", precision),
        operations(network),
        fs.complexity(network).params,
    )
    copies = COPIES[precision] * params
    alive = (peak.activations_bytes - copies) / BATCH / BYTES[precision] / float((ops.moved * ops.times).sum())
    fixed = (peak.peak_bytes - peak.activations_bytes + copies) / params
    what = {"network": name, "family": family, "precision": precision, "mode": "training"}
    return {**what, "alive": round(alive, 4), "fixed": round(fixed, 3)}


def held_beyond() -> pd.DataFrame:
    """Compare what the H200 held at the peak with the count, row by row."""
    found = []
    for row in dicts(fs.records.read_rows(STORES).dropna(subset=["peak_memory_bytes"])):
        network, batch = fs.Network.from_dict(row["description"]), int(row["batch"])
        peak = fs.peak_memory(network, batch, row["mode"], row["precision"]).peak_bytes
        what = {name: row[name] for name in ("network", "mode", "precision", "batch")}
        found.append({**what, "beyond": round(row["peak_memory_bytes"] / peak - 1, 4)})
    return pd.DataFrame(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("steps", "held"))
    parser.add_argument("--only", default="", help="a part of the name of the families")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    if asked.what == "held":
        table = held_beyond()
        print(table.to_string())
        if asked.write:
            table.to_csv(HELD, index=False)
        return
    found = []
    for family, names in families().items():
        smallest = {fs.network(name).block: name for name in reversed(names)}
        for name in smallest.values() if asked.only in family else ():
            for precision in BYTES:
                found.append(counted(name, family, precision))
                print(found[-1], flush=True)
    if asked.write:
        kept = pd.read_csv(KEPT)
        columns = ["network", "family", "precision", "mode", "alive", "fixed"]
        rows = pd.concat([kept[kept["mode"] == "inference"], pd.DataFrame(found)], ignore_index=True)
        rows[columns].to_csv(KEPT, index=False)


if __name__ == "__main__":
    main()
