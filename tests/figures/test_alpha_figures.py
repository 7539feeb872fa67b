"""Figures over α: what the slider shows, where the knee stands, and what was measured."""

import numpy as np
import pandas as pd
import pytest
from helpers.figures import annotations, layout_of, traces

import fastscale_lib as fs
from fastscale_lib.analysis.times import knee
from fastscale_lib.figures.alpha import counts_over_alpha, relative_times, times_over_alpha

ALPHAS = [0.0, 0.5, 0.8, 1.0]
SCALES = [2.0, 16.0]
NETWORKS = ["EfficientNet-B0", "RegNetX-400MF"]


@pytest.fixture(scope="module")
def counted():
    return fs.equal_flops(NETWORKS, ALPHAS, SCALES)


def test_a_step_of_the_slider_shows_its_scale_in_both_panels(counted):
    figure = counts_over_alpha(counted, fs.scaling.laws(NETWORKS[0], ALPHAS, SCALES))
    [slider] = layout_of(figure).sliders
    for s, step in zip(SCALES, slider.steps, strict=True):
        [visible] = [each["visible"] for each in step.args]
        shown = [trace for trace, seen in zip(traces(figure), visible, strict=True) if seen]
        for axis, metric in (("y", "activations"), ("y2", "params")):
            for name in NETWORKS:
                [curve] = [each for each in shown if (each.name, each.yaxis) == (name, axis)]
                rows = counted[(counted["network"] == name) & (counted["scale"] == s)].set_index("alpha")[metric]
                assert curve.y == pytest.approx((rows / rows[1.0])[ALPHAS])
        laws = [each for each in shown if each.name == "law"]
        assert laws[0].y == pytest.approx([s ** (0.5 - alpha / 2) for alpha in ALPHAS])
    drawn = [trace.visible for trace in traces(figure)]
    assert drawn == slider.steps[slider.active].args[0]["visible"]  # the figure begins as its slider says


def test_a_ring_marks_each_knee(counted):
    figure = counts_over_alpha(counted, y=["activations"], nearly=0.25)
    for name in NETWORKS:
        rows = counted[(counted["network"] == name) & (counted["scale"] == 16)]
        [ring] = [each for each in traces(figure) if each.name == f"{name}: knee" and each.visible]
        assert ring.x == (knee(rows["alpha"], rows["activations"], 0.25),)
    everywhere = counts_over_alpha(counted, y=["activations"], nearly=100)
    assert all(len(each.x) == 0 for each in traces(everywhere) if each.name.endswith(": knee"))


CASE = {"source": "own.jsonl", "device": "cpu", "device_name": "A chip", "threads": 2, "mode": "inference"}
CASE |= {
    "precision": "fp32",
    "channels_last": True,
    "compile": False,
    "tf32": False,
    "batch": 4,
    "case": "A chip, fp32",
}


def test_predicted_and_measured_times_stand_in_the_panel_of_their_scale(counted):
    rows = counted[counted["network"] == NETWORKS[0]]
    time = rows["activations"] / 1e5
    predicted = rows.assign(ms_per_image=time, low_ms=time / 1.1, high_ms=time * 1.1, error=0.1, **CASE)
    measured = predicted[(predicted["scale"] == 16) & (predicted["alpha"] == 0.8)]
    figure = times_over_alpha(predicted, measured, nearly=0.25)
    for axis, s in (("y", 2.0), ("y2", 16.0)):
        [line] = [each for each in traces(figure) if (each.name, each.yaxis) == ("predicted", axis)]
        assert line.y == pytest.approx(time[rows["scale"] == s])
        [points] = [each for each in traces(figure) if each.name.startswith("measured") and each.yaxis == axis]
        assert list(points.x) == ([0.8] if s == 16 else [])
    band = traces(figure)[0]
    assert band.name == "its median error"
    assert traces(figure)[-1].name == "1.25 × the value at α = 1"
    beyond = times_over_alpha(predicted.assign(note="it has 2 times the weights of the largest"), nearly=0.25)
    assert traces(beyond)[0].name == "its median error, wider beyond the fitted networks"
    assert np.max(band.y) == pytest.approx(1.1 * time[rows["scale"] == 2].max())


def test_each_device_has_a_row_of_panels(counted):
    rows = counted[counted["network"] == NETWORKS[0]].assign(ms_per_image=1.0, low_ms=0.9, high_ms=1.1, error=0.1)
    both = [rows.assign(**CASE), rows.assign(**CASE | {"device_name": "Another", "case": "Another, fp32"})]
    titles = annotations(times_over_alpha(pd.concat(both)))
    assert [title for title in titles if "×" in title] == [
        *("A chip<br>2 × the flops", "16 × the flops", "Another<br>2 × the flops", "16 × the flops"),
    ]


def test_measured_ratios_stand_at_their_alpha_with_their_names():
    """dw at the α whose law of activations it has: s to the power 3/4 = 1 − α/2."""
    frame = pd.DataFrame({"strategy": ["w", "dw", "dwr"], "ratio": [1.0, 1.2, 1.3], "low": 1.0, "high": 1.4})
    frame = frame.assign(case="A chip, fp32", doubt=pd.Series([None, "5 blocks", None]), predicted=np.nan)
    [measured] = [each for each in traces(relative_times(frame)) if each.name.startswith("measured")]
    assert list(measured.x) == pytest.approx([1, 1 / 2, 1 / 3])
    assert list(measured.text) == ["w 1.00", "dw 1.20", "dwr 1.30"]
    assert list(measured.marker.symbol) == ["diamond", "diamond-open", "diamond"]
    assert len(traces(relative_times(frame.iloc[:0]))) == 1  # the dotted line's key
