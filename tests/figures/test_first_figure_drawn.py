"""Figure 1: four panels, a strategy looks the same in all of them, and each is named once."""

import numpy as np
import pandas as pd
from helpers.figures import traces

import fastscale_lib as fs


def test_each_panel_shows_its_frame_and_a_strategy_is_named_once():
    accuracy = pd.DataFrame({"case": ["a", "a"], "strategy": ["w", "dwr"], "top1_accuracy_pct": [70.0, 71.0]})
    activations = pd.DataFrame({"strategy": ["w", "dwr"] * 2, "times": [1, 1, 4, 4], "relative": [1, 1, 1, 1.5]})
    times = pd.DataFrame(
        {
            "device": ["a GPU", "a GPU", "a card", "a card"],
            "evidence": ["measured", "measured", "predicted", "predicted"],
            "strategy": ["w", "dwr"] * 2,
            "doubt": [None, "a single block of runs", None, None],
            **{"ratio": [1, 1.5, 1, 1.4], "low": [np.nan, 1.4, 0.9, 1.3], "high": [np.nan, 1.6, 1.1, 1.5]},
        }
    )
    figure = fs.figures.figure_one(accuracy, activations, times, "of one network")
    shown = traces(figure)
    assert [each.name for each in shown if each.showlegend] == ["w", "dwr"]
    assert {(each.xaxis, each.legendgroup) for each in shown} == {
        (axis, way) for axis in ("x", "x2", "x3", "x4") for way in ("w", "dwr")
    }
    measured = {each.legendgroup: list(each.marker.symbol) for each in shown if each.xaxis == "x3"}
    assert measured == {"w": ["circle"], "dwr": [f"{fs.figures.style('dwr').symbol}-open"]}
    for way in ("w", "dwr"):
        colours = {(each.line.color or each.marker.color) for each in shown if each.legendgroup == way}
        assert colours == {fs.figures.style(way).colour}
    assert fs.figures.to_svg(figure).startswith("<svg")
