"""Where the flops go: bars whose parts are shares."""

import pandas as pd
import pytest

import fastscale_lib as fs
from fastscale_lib.figures.shares import flop_shares


def test_the_bars_are_shares_of_each_network():
    names = ["EfficientNet-B0", "RegNetY-4.0GF", "ResNet-50"]
    frame = pd.DataFrame.from_dict({name: fs.architectures.flops_by_kind(name) for name in names}, orient="index")
    figure = flop_shares(frame)
    shares = pd.DataFrame({bar.name: bar.x for bar in figure.data}, index=names)
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1)
    assert shares.loc["ResNet-50", "conv in groups"] == 0
    depthwise = fs.layers("EfficientNet-B0").query("groups > 1")["flops"].sum()
    assert shares.loc["EfficientNet-B0", "conv depthwise"] == pytest.approx(
        depthwise / fs.complexity("EfficientNet-B0").flops
    )
    assert len({bar.marker.pattern.shape for bar in figure.data}) == len(figure.data)  # told apart without colour
