"""Figures of measured laws and of attention's share: every row is drawn, at its own value."""

import numpy as np
import pytest
from helpers.figures import traces

import fastscale_lib as fs


def test_every_exponent_is_drawn_less_its_law():
    laws = fs.analysis.measured_laws(["ConvNeXt-T", "ViT-S/16"])
    drawn = traces(fs.figures.measured_laws(laws, title="laws"))
    assert [trace.name for trace in drawn] == ["ConvNeXt-T", "ViT-S/16"] * 3
    assert [trace.showlegend for trace in drawn] == [True, True, *[False] * 4]
    heights = np.concatenate([np.sort(trace.y) for trace in drawn])
    by = laws.assign(off=laws["measured"] - laws["law"]).groupby(["metric", "network"], sort=False)["off"]
    assert sorted(heights) == pytest.approx(sorted(np.concatenate([part for _, part in by])))
    first, second = drawn[:2]
    assert (np.array(first.x) < np.array(second.x)).all()  # side by side
    assert first.marker.symbol != second.marker.symbol


def test_one_network_stands_at_the_middle():
    [flops, *_] = traces(fs.figures.measured_laws(fs.analysis.measured_laws(["ResNet-50"])))
    assert list(flops.x) == [0, 1, 2]


def test_a_line_for_each_transformer_over_resolution():
    rows = fs.analysis.attention_by_resolution(["ViT-S/16", "ViT-L/16"], [224, 384])
    small, large = traces(fs.figures.attention_shares(rows))
    assert (small.name, large.name) == ("ViT-S/16", "ViT-L/16")
    assert list(small.x) == [224, 384]
    assert list(small.y) == rows["share"][:2].tolist()
    assert fs.figures.attention_shares(rows[:0]).data == ()
