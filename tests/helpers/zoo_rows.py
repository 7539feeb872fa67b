"""Measured rows of forty base networks, on a device on which time is one of the counts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import fastscale_lib as fs

_IDS = Path(__file__).parents[1] / "architectures" / "network_ids.json"
FORTY: list[str] = list(json.loads(_IDS.read_text("utf-8")))  # of six families of convolutional networks


def zoo_rows(device: str, name: str, metric: str, rate: float) -> list[dict[str, Any]]:
    """Give the rows of a store as a plan makes them: `rate` of the metric take a millisecond."""
    rows = []
    for network in FORTY:
        counts = fs.complexity(network)
        row = {"network": network, "batch": 2, "mode": "inference", "device": device, "device_name": name}
        row |= {"median_ms": getattr(counts, metric) / rate, "precision": "fp32", "reason": None, **counts._asdict()}
        row |= {"channels_last": True, "compile": False, "tf32": False, "threads": 1, "half_width": 0.01}
        rows.append(row | {"description": fs.network(network).to_dict()})
    return rows


def write_store(path: Path, rows: Iterable[dict[str, Any]]) -> str:
    """Write the rows as a store; returns its path as a notebook takes it."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)
