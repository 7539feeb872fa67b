"""Figures of costs: what is drawn is what the frames say."""

import numpy as np
import pandas as pd
import pytest
from helpers.fake_device import made_up_device
from helpers.figures import layout_of, traces

import fastscale_lib as fs
from fastscale_lib.analysis.claims import EVIDENCE, ClaimError
from fastscale_lib.figures.cost import bought, ratios


def test_ratios_stand_in_their_order_each_in_the_style_of_its_evidence():
    costs = ["flops", "time", "time", "memory"]
    evidence = ["counted", "published", "measured", "counted"]
    figure = ratios(pd.DataFrame({"cost": costs, "evidence": evidence, "ratio": [3.6, 0.9, 1.1, 0.4]}))
    drawn = {trace.name: dict(zip(trace.y, trace.x, strict=True)) for trace in traces(figure)}
    assert drawn == {"counted": {"flops": 3.6, "memory": 0.4}, "measured": {"time": 1.1}, "published": {"time": 0.9}}
    assert layout_of(figure).yaxis.categoryarray == ("memory", "time", "flops")  # from the bottom up
    assert len({trace.marker.symbol for trace in traces(figure)}) == 3


def test_a_ratio_of_each_kind_of_evidence_has_a_marker_of_its_own():
    """A predicted one had none, and was left out without a word."""
    kinds = list(EVIDENCE)
    figure = ratios(pd.DataFrame({"cost": kinds, "evidence": kinds, "ratio": 1.5, "details": "of a table"}))
    assert {trace.name: list(trace.y) for trace in traces(figure)} == {kind: [kind] for kind in kinds}
    assert len({(trace.marker.symbol[0], trace.marker.color) for trace in traces(figure)}) == len(kinds)
    assert [trace.customdata[0][0] for trace in traces(figure)] == ["of a table"] * len(kinds)


def test_a_ratio_of_an_unknown_kind_of_evidence_is_refused():
    frame = pd.DataFrame({"cost": ["time"], "evidence": ["guessed"], "ratio": [1.1]})
    with pytest.raises(ClaimError, match="evidence 'guessed' of a ratio: give one of counted, measured, predicted"):
        ratios(frame)


def test_a_measured_ratio_has_whiskers_and_a_counted_one_has_none():
    frame = {"cost": ["flops", "time"], "evidence": ["counted", "measured"], "ratio": [3.6, 1.1]}
    frame |= {"low": [np.nan, 0.8], "high": [np.nan, 1.9]}
    counted, timed = traces(ratios(pd.DataFrame(frame)))
    assert np.isnan(counted.error_x.array).all()
    assert [*timed.error_x.array, *timed.error_x.arrayminus] == pytest.approx([0.8, 0.3])


def test_flops_are_drawn_over_each_cost_that_is_known():
    model = made_up_device()
    frame = fs.prediction.costs("ResNet-50", ["w", "dWr"], [1, 2, 4], batch=4, model=model, memory=False)
    chosen = fs.within("ResNet-50", ["w", "dWr"], params=60e6, batch=4, model=model, memory=False)
    figure = bought(frame, chosen=chosen)
    curves = [trace for trace in traces(figure) if trace.mode == "lines+markers"]
    assert len(curves) == 2 * 3  # no panel for memory, which was not counted
    titles = [layout_of(figure)[axis].title.text for axis in ("xaxis", "xaxis2", "xaxis3")]
    assert [title.split(" (")[0] for title in titles] == ["predicted time", "params", "activations"]
    rows = frame[frame["strategy"] == "dWr"]
    assert np.allclose(curves[3].x, rows["params"])
    assert np.allclose(curves[3].y, rows["flops"])
    marks = [trace for trace in traces(figure) if trace.mode == "markers"]
    assert {float(mark.y[0]) for mark in marks} == set(chosen["flops"].astype(float))


def test_flops_beside_another_strategy_s_are_at_the_same_cost():
    """Activations of w double with four times the flops, those of d with twice."""
    frame = pd.DataFrame({"strategy": ["w"] * 3 + ["d"] * 3, "scale": [1, 4, 16, 1, 2, 8]})
    frame = frame.assign(flops=[1e9, 4e9, 16e9, 1e9, 2e9, 8e9], activations=[1e6, 2e6, 4e6, 1e6, 2e6, 8e6])
    figure = bought(frame, ["activations"], chosen=frame.assign(bound="activations")[4:5], beside="w")
    wide, deep, mark = traces(figure)
    assert list(wide.y) == pytest.approx([1, 1, 1])
    assert list(deep.x) == [1e6, 2e6, 4e6]  # w has no network of more activations
    assert list(deep.y) == pytest.approx([1, 0.5, 0.25])
    assert list(deep.marker.size) == [7, 7, 0]
    assert (mark.x[0], mark.y[0], mark.customdata[0]) == (2e6, pytest.approx(0.5), 2e9)
    assert layout_of(figure).yaxis.title.text == "flops relative to w"


def test_the_curves_of_costs_are_those_of_a_sweep_in_any_order():
    backwards = fs.prediction.costs("ResNet-50", "w", [4, 1, 2], memory=False)
    assert list(traces(bought(backwards, ["params"]))[0].x) == sorted(backwards["params"])
