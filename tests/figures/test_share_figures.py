"""Shares: of flops by kind of layer, and of the roofline."""

import numpy as np
import pandas as pd
import pytest
from helpers.figures import annotations, traces

import fastscale_lib as fs
from fastscale_lib.figures.roofline import roofline_shares
from fastscale_lib.figures.shares import flop_shares


def test_the_bars_are_shares_of_each_network():
    names = ["EfficientNet-B0", "RegNetY-4.0GF", "ResNet-50"]
    frame = pd.DataFrame.from_dict({name: fs.architectures.flops_by_kind(name) for name in names}, orient="index")
    figure = flop_shares(frame)
    shares = pd.DataFrame({bar.name: bar.x for bar in traces(figure)}, index=names)
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1)
    assert shares.loc["ResNet-50", "conv in groups"] == 0
    depthwise = fs.layers("EfficientNet-B0").query("groups > 1")["flops"].sum()
    assert shares.loc["EfficientNet-B0", "conv depthwise"] == pytest.approx(
        depthwise / fs.complexity("EfficientNet-B0").flops
    )
    assert len({bar.marker.pattern.shape for bar in traces(figure)}) == len(traces(figure))  # told apart without colour


def test_each_row_with_ceilings_has_a_marker():
    common = {"source": "mine", "device_name": "Some CPU", "precision": "fp32", "family": "ResNet", "network": "R"}
    rows = [
        {"mode": mode, "strategy": way, "roofline_share": share}
        for mode, way, share in (
            *[("inference", "w", 0.5), ("inference", None, 0.4), ("training", "w", 0.3), ("training", "w", np.nan)],
        )
    ]
    figure = roofline_shares(pd.DataFrame([common | row for row in rows]))
    assert [(trace.name, list(trace.x)) for trace in traces(figure)] == [
        ("w", [0.5]),
        ("not scaled", [0.4]),
        ("w", [0.3]),
    ]
    assert annotations(figure) == [f"Some CPU · {mode} · fp32" for mode in ("inference", "training")]
    assert traces(roofline_shares(pd.DataFrame([common | rows[3]]))) == []


def test_a_place_without_a_group_has_no_panel():
    row = {
        "device_name": "Made-up",
        "mode": "inference",
        "precision": "fp32",
        "family": "ResNet",
        "network": "ResNet-50",
    }
    rows = [{**row, "source": f"{n}.jsonl", "roofline_share": 0.5, "strategy": None} for n in range(5)]
    figure = roofline_shares(pd.DataFrame(rows))
    axes = [axis for name, axis in figure.to_dict()["layout"].items() if name.startswith("xaxis")]
    assert [axis.get("visible", True) for axis in axes] == [True] * 5 + [False] * 3  # four in a row
