"""The pair of notebook 06, and rows of a made-up GPU that has timed them."""

from __future__ import annotations

import fastscale_lib as fs

BIG = fs.scale_to("RegNetY-4.0GF", "dWr", flops=16e9)
RIVAL = fs.network("EfficientNet-B4")


def measured(network: fs.Network, ms: float, **more) -> dict:
    """A row of a store: this network, timed on a GPU that is made up."""
    made = network.scaling
    row = {"base": made.base if made else network.name, "strategy": made.strategy if made else None}
    row |= {"network": network.name, "network_id": network.id, "flops": fs.complexity(network).flops}
    row |= {"device": "cuda:1", "device_name": "Some GPU", "mode": "training", "precision": "bf16", "batch": 64}
    row |= {"threads": 8, "channels_last": True, "compile": False, "tf32": False, "peak_memory_bytes": int(1e9 * ms)}
    return row | {"median_ms": ms, "low_ms": 0.9 * ms, "high_ms": 1.1 * ms} | more
