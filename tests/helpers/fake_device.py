"""A device that is made up, so that the truth about its times is known; and probes that take no time."""

import numpy as np
import pandas as pd

import fastscale_lib as fs
from fastscale_lib.prediction.fitted import Fitted
from fastscale_lib.records.conditions import Conditions

TINY = tuple(
    fs.anynet(
        name=f"probe-{number + 1}",
        depths=[1, depth],
        widths=[width, 2 * width],
        strides=[1, 2],
        group_widths=8,
        stem="res_stem_cifar",
        stem_width=8,
        resolution=32,
        classes=10,
    )
    for number, (width, depth) in enumerate((w, d) for w in (8, 16, 24, 32, 48, 64) for d in (1, 2))
)

HERE = {"device_name": "Made-up", "threads": 2, "mode": "inference", "precision": "fp32"}
HERE |= {"channels_last": True, "compile": False, "tf32": False, "cuda_graph": False}
BASES = ("EfficientNet-B0", "RegNetX-400MF", "RegNetY-400MF", "RegNetZ-500MF", "ResNet-50", "ResNeXt-50")
RATES = {"conv 1×1": 4e10, "conv k×k": 5e10, "conv in groups": 2e10, "conv depthwise": 4e9, "linear": 5e9}
RATES |= {"half width": 8, "memory": 1e10, "cache": 3e10, "cache size": 2e6, "data of conv": 1, "data of norm": 0.8}
RATES |= {"data of smooth": 1.5, "data of pool": 1.2, "weights": 2, "launch": 2e-5}


def rows(seconds, bases=BASES, batch=4, **setting) -> pd.DataFrame:
    """What a store of measurements holds, with the times that `seconds` gives."""
    made = []
    for base in bases:
        for strategy, s in (("w", 1), ("w", 2), ("dwr", 2), ("r", 2), ("d", 2), ("dWr", 4), ("w", 0.5)):
            network = fs.scale(base, strategy, s)
            row = {"network": network.name, "base": base, "description": network.to_dict(), "batch": batch}
            made.append({**row, **HERE, **setting, "half_width": 0.01, "median_ms": 1e3 * seconds(network, batch)})
    return pd.DataFrame(made)


def made_up_device() -> fs.RuntimeModel:
    """A model whose rates are known, to make times with."""
    parameters = np.log(list(RATES.values()))
    return fs.RuntimeModel("layers", {Conditions(**HERE): Fitted(parameters, 0, (), 0.0, 0.0)})


def by_layers(network: fs.Network, batch: int) -> float:
    return made_up_device().predict(network, batch)["predicted_ms"][0] / 1e3
