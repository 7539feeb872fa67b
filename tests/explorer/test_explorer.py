"""The explorer without a browser: driven by traits as a cell does, and by the page's messages as a hand does."""

import contextlib
import gc
import io
import json
import math
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from helpers.explorer_view import hand, measuring, picture, plain, press, said, shown, trace
from helpers.fake_device import TINY
from helpers.waiting import HANGS_S, until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances
from traitlets import TraitError

import fastscale_lib as fs
from fastscale_lib.architectures.counting import METRICS
from fastscale_lib.explorer import app_data, app_page, notebook_page, page, panels, timings, views
from fastscale_lib.explorer.app_measured import doubt_of
from fastscale_lib.explorer.state import short
from fastscale_lib.figures.svg.plot import to_svg

BASE, ALPHA = "RegNetY-400MF", "α"
SMALL = replace(TINY[2], name="Small")
NASTY = "<!--<script></script><img src=x onerror=alert(1)>&\"' {{x}} $\\frac"


@pytest.fixture
def x():
    made = fs.explore(BASE)
    yield made
    made.close()


# What is seen


PANELS = {"activations": "", "params": "2"}


def settings_of(x) -> dict:
    names = ("network", "strategies", "alpha", "scale", "flops", "resolution", "batch", "precision", "mode", "device")
    return {name: getattr(x, name) for name in (*names, "seconds", "live", "shown")}


# The picture is that of the state, by whichever way it was reached

NETWORKS = st.sampled_from([BASE, "EfficientNet-B0", "ResNet-50", SMALL])
SCALES = st.floats(-2, 6).map(lambda power: 2**power) | st.sampled_from([0.25, 1.0, 4.0, 64.0])
ALPHAS = st.floats(0, 1) | st.sampled_from([0.0, 1 / 3, 0.8, 1.0])
STATES = st.fixed_dictionaries(
    {
        "network": NETWORKS,
        "strategies": st.lists(st.sampled_from([*fs.scaling.STRATEGIES, "d1_w2_g2_r1"]), unique=True).map(tuple),
        "alpha": ALPHAS,
        "scale": SCALES,
        "resolution": st.sampled_from([None, 64, 160, 321]),
    }
)
few = settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])


def fresh(state: dict) -> dict:
    made = fs.explorer.Explorer(**state)
    seen = picture(made)
    made.close()
    return seen


@few
@given(STATES, st.randoms(use_true_random=False))
def test_set_by_code_in_any_order_it_is_the_picture_of_a_fresh_explorer(x, state, random):
    x.network = state["network"]
    rest = ["strategies", "alpha", "scale", "resolution"]
    random.shuffle(rest)
    for name in rest:
        if state[name] is not None:
            setattr(x, name, state[name])
    assert picture(x) == fresh({**state, "resolution": x.resolution})


@few
@given(STATES)
def test_set_by_hand_it_is_the_picture_of_a_fresh_explorer(x, state):
    x.network = state["network"]  # a hand names one of the list
    if state["resolution"] is not None:
        hand(x, resolution=str(state["resolution"]))
    hand(x, strategies=list(state["strategies"]), alpha=repr(state["alpha"]), scale=state["scale"])
    reached = {name: getattr(x, name) for name in state}
    assert picture(x) == fresh(reached)
    assert (x.alpha, x.scale, set(x.strategies)) == (state["alpha"], state["scale"], set(state["strategies"]))
    assert x.message == ""


@few
@given(STATES)
def test_every_marked_and_tabled_number_is_that_of_the_core(x, state):
    x.network, x.strategies = state["network"], state["strategies"]
    x.alpha, x.scale = state["alpha"], state["scale"]
    base, scales = fs.network(state["network"]), x.curves.scale.unique()
    marked = {name: fs.strategy(name) for name in x.strategies} | {ALPHA: fs.strategy(alpha=x.alpha)}
    counts = {name: fs.complexity(fs.scale(base, each, x.scale)) for name, each in marked.items()}
    for metric in METRICS:
        assert list(x.marked[metric]) == [getattr(each, metric) for each in counts.values()]
    assert {name: x.counted(name) for name in marked} == counts
    assert x.scaled() == fs.scale(base, marked[ALPHA], x.scale)
    pd.testing.assert_frame_equal(x.curves, fs.sweep(base, list(marked.values()), scales))


@few
@given(STATES)
def test_the_page_gets_the_counts_of_the_base_network_and_the_state(x, state):
    """That it draws them as they are is tested in a browser."""
    x.network, x.strategies = state["network"], state["strategies"]
    x.alpha, x.scale = state["alpha"], state["scale"]
    more = (*(name for name in x.strategies if name not in app_data.STRATEGIES), *app_data.rows_between(x.alpha))
    counted = app_data.network_data(x.base, (), more)
    assert set(more) <= set(x._base["rows"])
    if set(x._base["rows"]) == set(counted["rows"]):  # strategies and α that were chosen before keep their rows
        same = set(counted) - {"timings", "rows", "laws", "arrays"}  # the order of rows may differ
        assert {name: x._base[name] for name in same} == {name: counted[name] for name in same}
    assert shown(x) | {"timing": None} == {
        "network": x.network.name,
        "strategies": list(x.strategies),
        **{name: getattr(x, name) for name in ("alpha", "scale", "shown")},
        **{"timing": None, "count": "activations", "absolute": False, "laws": False},
    }


def test_all_settings_reach_the_controls_and_back(x):
    for name, value in {"batch": 32, "precision": "bf16", "mode": "training", "device": "cpu"}.items():
        setattr(x, name, value)
        assert measuring(x)["fields"][name] == str(value)
    x.live = False
    assert measuring(x)["live"] is False
    hand(x, batch="16", precision="fp16", mode="inference", device="auto")
    assert (x.batch, x.precision, x.mode, x.device, x.message) == (16, "fp16", "inference", "auto", "")


def test_a_cpu_is_offered_the_precisions_it_is_measured_in(x):
    offered = lambda: [value for value, _ in measuring(x)["choices"]["precision"]]  # noqa: E731
    assert offered() == ["fp32", "bf16", "fp16"]  # no device is known yet
    x.devices = {"cpu": "Some CPU"}
    assert offered() == ["fp32", "bf16"]
    x.devices = {"cpu": "Some CPU", "cuda:0": "Some GPU"}
    assert offered() == ["fp32", "bf16", "fp16"]
    x.device = "cpu"
    x.precision = "fp16"  # by a cell: what is set is shown
    assert offered() == ["fp32", "bf16", "fp16"]


# What a hand says is confirmed, and is done once


def test_each_message_is_confirmed_and_done_once(x):
    say = lambda number, **changed: x._handle_custom_msg({"view": "v", "id": number, "set": changed}, [])  # noqa: E731
    say(1, alpha=0.4)
    assert (x.alpha, x._shown["heard"]["v"]) == (0.4, 1)
    x.alpha = 0.6  # a cell
    say(1, alpha=0.4)  # the page has not heard that it was done, and says it again
    assert x.alpha == 0.6
    say(2, alpha=0.7, scale=2.0)
    assert (x.alpha, x.scale, x._shown["heard"]["v"]) == (0.7, 2, 2)


def test_a_wrong_field_is_named_until_it_is_right(x):
    hand(x, batch="-1")
    assert measuring(x)["wrong"] == ["batch"]
    hand(x, batch="4")
    assert (measuring(x)["wrong"], x.batch) == ([], 4)


def test_all_fields_that_are_wrong_are_named(x):
    hand(x, batch="-1")
    hand(x, resolution="7")
    assert measuring(x)["wrong"] == ["batch", "resolution"]
    assert re.fullmatch(r"batch: -1 images, .*; resolution: 7 pixels, .*", said(x))
    hand(x, batch="0", resolution="64")
    assert measuring(x)["wrong"] == ["batch"]
    assert said(x).startswith("batch: 0 images")
    hand(x, resolution="64")
    assert (measuring(x)["wrong"], said(x)) == ([], "")


def test_what_is_wrong_stays_said_where_something_right_is_set_at_once(x):
    hand(x, batch="-1", alpha=0.25)
    assert (x.alpha, measuring(x)["wrong"]) == (0.25, ["batch"])
    assert said(x).startswith("batch: -1 images")


def test_axes_and_counts_that_are_chosen_are_there_after_a_reload(x):
    hand(x, count="params", absolute=True)
    assert (shown(x)["count"], shown(x)["absolute"]) == ("params", True)


def test_times_are_predicted_when_the_page_asks_for_them(x):
    first, second = [each["label"] for each in x._times["timings"]][:2]
    assert shown(x)["timing"] == first
    assert [each for each in x._times["timings"] if "arrays" in each] == []
    hand(x, timing=second)
    hand(x, times=second)
    assert shown(x)["timing"] == second
    timings = {each.label: each for each in app_data.shipped_timings()}
    assert [each for each in x._times["timings"] if each.get("arrays")] == app_data.times_data(
        x.base, [timings[second]]
    )
    x.alpha = 0.125  # has a row of its own, and its times are told with it
    assert [each for each in x._times["timings"] if each.get("arrays")] == app_data.times_data(
        x.base, [timings[second]], ("α=0.125",)
    )
    x.network = "ResNet-50"  # has other times
    assert [each for each in x._times["timings"] if "arrays" in each] == []
    assert shown(x)["timing"] == second


def test_explorers_share_the_code_of_the_page(x):
    other = fs.explore(SMALL)
    assert x._code == other._code == f"IPY_MODEL_{notebook_page._code().model_id}"
    assert len(x._esm) < 20_000
    other.close()


def test_after_all_widgets_were_closed_an_explorer_has_its_code(monkeypatch):
    """By `ipywidgets.Widget.close_all`, which would close those of other tests, too."""
    monkeypatch.setattr(notebook_page, "_made_code", cache(notebook_page._made_code.__wrapped__))
    notebook_page._code().close()
    with contextlib.closing(fs.explore(SMALL)) as x:
        assert x._code == f"IPY_MODEL_{notebook_page._code().model_id}"
        assert notebook_page._code().comm is not None


# What follows what


def test_flops_are_the_scale_times_the_base_s(x):
    base = fs.complexity(x.base).flops
    x.scale = 3.5
    assert x.flops == 3.5 * base
    x.flops = 10 * base
    assert x.scale == 10
    assert fs.explore(BASE, flops=10 * base).scale == 10
    x.scale = 64
    x.flops = x.flops  # its own largest value is no wrong one
    assert x.scale == 64


@pytest.mark.parametrize(
    ("text", "flops"), [("3.2e9", 3.2e9), ("1500M", 1.5e9), ("3.2 G", 3.2e9), ("8e8", 8e8), (3.2e9, 3.2e9)]
)
def test_typed_flops(x, text, flops):
    hand(x, flops=text)
    assert (x.flops, x.message) == (flops, "")
    assert x.scale == flops / fs.complexity(x.base).flops


@pytest.mark.parametrize(("text", "side"), [("192", 192), ("192x224", (192, 224)), (" 192 × 192", 192)])
def test_typed_resolution(x, text, side):
    hand(x, resolution=text)
    assert (x.resolution, x.message) == (side, "")


@pytest.mark.parametrize(("text", "alpha"), [("1/3", 1 / 3), ("0.25", 0.25), (" .5 ", 0.5), ("1e-3", 0.001)])
def test_typed_alpha(x, text, alpha):
    hand(x, alpha=text)
    assert (x.alpha, x.message) == (alpha, "")


def test_another_network_brings_its_resolution_and_keeps_the_scale(x):
    x.resolution, x.scale, x.alpha = 64, 6, 0.25
    x.network = "EfficientNet-B3"
    assert (x.resolution, x.scale, x.alpha) == (fs.network("EfficientNet-B3").resolution, 6, 0.25)
    assert x.flops == 6 * fs.complexity("EfficientNet-B3").flops
    assert measuring(x)["fields"]["resolution"] == str(x.resolution)


def test_the_resolution_is_the_base_s(x):
    x.resolution, x.scale = 192, 2
    assert x.base == replace(fs.network(BASE), resolution=192)
    assert x.flops == 2 * fs.complexity(x.base).flops
    assert x.scaled() == fs.scale(replace(fs.network(BASE), resolution=192), fs.strategy(alpha=0.8), 2)


def test_an_explicit_strategy_gets_a_row_that_it_keeps(x):
    x.strategies = ("w", "d1_w2_g2_r1")
    assert "d1_w2_g2_r1" in x._base["rows"]
    assert [each["name"] for each in x._base["strategies"]] == ["d1_w2_g2_r1"]
    hand(x, strategies=["w"])
    assert "d1_w2_g2_r1" in x._base["rows"]
    hand(x, strategies=["w", "d1_w2_g2_r1"])
    assert x.strategies == ("w", "d1_w2_g2_r1")
    drawn = trace(x.to_figure(), "d1_w2_g2_r1")
    rows = fs.sweep(BASE, "d1_w2_g2_r1", x.curves.scale.unique())
    assert plain(drawn.y) == rows.activations.tolist()


def test_no_strategy_but_the_slider_s(x):
    hand(x, strategies=[])
    assert x.strategies == ()
    assert x.curves.strategy.unique().tolist() == ["alpha=0.8"]
    assert len(x.marked["flops"]) == 1


def test_the_same_strategy_twice_is_one(x):
    x.strategies = ("w", "w", "dw")
    assert x.strategies == ("w", "dw")


def test_what_is_shown_goes_back_to_the_slider_when_it_is_unchecked(x):
    hand(x, shown="dw")
    assert x.shown == "dw"
    assert x.scaled() == fs.scale(BASE, "dw", 4)
    hand(x, strategies=["dw"])
    assert x.shown == "dw"
    hand(x, strategies=["d"])
    assert (x.shown, shown(x)["shown"]) == (ALPHA, ALPHA)
    assert x.scaled() == fs.scale(BASE, fs.strategy(alpha=0.8), 4)
    assert x.message == ""


# The figure, which is plotly's


def test_neither_the_explorer_nor_its_still_picture_loads_plotly():
    code = """
import sys, fastscale_lib as fs
from fastscale_lib.explorer.page import still
explorer = fs.explore()
print(still(explorer.base, explorer.alpha, explorer.scale, explorer._still_figure(explorer.base))[:28])
print({"plotly", "nbformat"} & {*sys.modules})
explorer.close()
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == '<div class="fastscale-still"\nset()\n'


def test_the_still_picture_is_that_of_its_figure(x):
    figure = x._still_figure(x.base)
    assert to_svg(figure) == to_svg(go.Figure(figure))


def test_the_still_picture_shows_what_strategies_cost_beside_w(x):
    """At the flops of each network: w lies at 1, in counts as in predicted times."""
    traces = x._still_figure(x.base)["data"]
    drawn = {axis: {each["name"]: each["y"] for each in traces if each["yaxis"] == axis} for axis in ("y", "y2", "y3")}
    for lines in drawn.values():
        assert lines["w"] == pytest.approx(1)
        assert np.nanmax(np.abs(lines["dwr"] - 1)) > 0.2
        assert "laws" not in lines
    swept = fs.sweep(x.base, ["w", "dwr"], views.SCALES)
    width, other = (np.log(swept.loc[swept["strategy"] == way, ["flops", "activations"]]) for way in ("w", "dwr"))
    expected = other["activations"] - np.interp(other["flops"], *width.to_numpy().T, left=np.nan, right=np.nan)
    assert drawn["y"]["dwr"] == pytest.approx(np.exp(expected).to_numpy(), nan_ok=True)


def test_the_still_picture_s_band_is_whole_and_needs_no_times(x):
    """Where w ends, so does what is divided by it: a gap would cut the band in two."""
    [band] = [each for each in x._still_figure(x.base)["data"] if each["name"] == "error"]
    assert len(band["x"]) == len(band["y"]) > 2
    assert np.isfinite(band["y"]).all()
    predictor, _ = x._drawn_times()
    view = views.Views().view(x.base, x.strategies, x.alpha, x.scale, x.times, predictor)
    for line in view.predicted.values():
        line["y"] = np.full_like(line["y"], np.nan)
    traces, layout = panels.beside_width(panels.traces(view), panels.figure_layout(view, "none"))
    assert layout["yaxis3"]["type"] == "log"
    assert to_svg({"data": list(traces.values()), "layout": layout}).startswith("<svg")


@pytest.mark.parametrize("predicted", [True, False])
def test_measured_times_lie_among_predicted_ones_or_stand_for_themselves(x, predicted):
    predictor, _ = x._drawn_times()
    of_base = predictor.model.predict(x.base, predictor.batch, **predictor.setting)["predicted_ms"].iloc[0]
    own, by = 2 * of_base, of_base if predicted else 1
    times = pd.DataFrame({"strategy": ["w"], "flops": [fs.complexity(x.base).flops], "median_ms": [own], "text": [""]})
    times = times.assign(low_ms=0.9 * own, high_ms=1.1 * own)
    figure = page.still_figure(x.base, x.strategies, x.alpha, x.scale, times, "", predictor if predicted else None)
    [points] = [each for each in figure["data"] if each["name"] == "measured"]
    assert points["y"] == pytest.approx([own / by], rel=0.02)
    assert points["error_y"]["array"] == pytest.approx([0.1 * own / by], rel=0.02)
    assert figure["layout"]["yaxis3"].get("type", "linear") == ("linear" if predicted else "log")


@pytest.mark.parametrize("name", ["EfficientNet-B0", "RegNetX-200MF", "ViT-S/16"])
def test_offered_are_the_times_that_are_predicted(name):
    def predicts(timing):
        with contextlib.suppress(fs.prediction.PredictionError):
            return not timing.model.predict(name, timing.batch, **timing.setting).empty

    shipped = app_data.shipped_timings()
    assert app_data.predicting(fs.network(name), shipped) == [each for each in shipped if predicts(each)]


def test_laws_are_dashed_and_are_the_laws(x):
    x.scale, x.alpha = 8, 0.25
    figure = x.to_figure()
    for metric, panel in PANELS.items():
        drawn = trace(figure, "laws", panel)
        assert drawn.line.dash == "dash"
        segments = [[]]
        for flops, count in zip(plain(drawn.x), plain(drawn.y), strict=True):
            segments[-1].append((flops, count)) if flops is not None else segments.append([])
        for name, segment in zip((*x.strategies, "alpha=0.25"), segments, strict=True):
            rows = fs.scaling.laws(x.base, name, [0.25, 64])
            assert segment == list(zip(rows.flops.tolist(), rows[metric].tolist(), strict=True))


@pytest.mark.parametrize("alpha", [0, 1 / 3, 0.37, 0.8])
def test_the_law_on_hover_is_the_strategy_s(x, alpha):
    x.alpha = alpha
    exponent = fs.strategy(alpha=alpha).laws.activations
    assert f"s<sup>{exponent}</sup>" in trace(x.to_figure(), "laws").text[-1]


def test_the_effect_of_alpha_at_the_present_scale(x):
    x.scale, x.alpha = 8, 0.4
    base = fs.complexity(x.base)
    figure = x.to_figure()
    for metric in METRICS:
        drawn = trace(figure, metric, "4")
        alphas = plain(drawn.x)
        assert {0, 1 / 3, 0.8, 1} <= set(alphas)
        for alpha, times in zip(alphas[::8], plain(drawn.y)[::8], strict=True):
            count = getattr(fs.complexity(fs.scale(BASE, alpha, 8)), metric)
            assert times == count / (8 * getattr(base, metric))
    present = trace(figure, "present α", "4")
    now = fs.complexity(fs.scale(BASE, 0.4, 8))
    assert set(plain(present.x)) == {0.4}
    assert sorted(plain(present.y)) == sorted(getattr(now, m) / (8 * getattr(base, m)) for m in METRICS)


def test_hover_tells_the_stages(x):
    text = trace(x.to_figure(), "dWr").text[-1]
    row = fs.sweep(BASE, "dWr", 64).iloc[0]
    assert all(
        part in text for part in (row.depths, row.widths, row.group_widths, f"{row.resolution}×{row.resolution}")
    )


# Flops: those asked for, and those that each network has


@pytest.fixture
def at_four():
    """EfficientNet-B0 at s = 4, where rounding leaves dwr at 4.40 times its flops, and dWr at 3.58 times."""
    made = fs.explore("EfficientNet-B0", scale=4)
    yield made
    made.close()


TIMES = {"w": "3.76×", "dw": "3.91×", "dwr": "4.4×", "dWr": "3.58×", ALPHA: "3.58×"}


def test_each_mark_tells_its_own_flops(at_four):
    figure = at_four.to_figure()
    for panel in PANELS.values():
        marks = trace(figure, "present scale", panel)
        assert [text.split("<br>")[0].split(": ")[1] for text in marks.text] == [
            f"{times} the base's flops" for times in TIMES.values()
        ]
        assert "flops %{x:.4s}" in marks.hovertemplate


# Networks of one's own


@pytest.mark.parametrize("stem", ["res_stem_cifar", "simple_stem_in", "res_stem_in"])
def test_a_network_of_one_s_own(stem):
    net = fs.anynet(name="Mine", depths=[1, 2], widths=[16, 32], stem=stem, stem_width=8, resolution=32, classes=10)
    x = fs.explore(net, strategies=("w", "r"), scale=2)
    assert x.network == net
    assert shown(x)["network"] == x._base["name"] == "Mine"
    assert plain(trace(x.to_figure(), "w").y) == fs.sweep(net, "w", x.curves.scale.unique()).activations.tolist()
    hand(x, network="EfficientNet-B0")
    assert (x.network, x._base["name"]) == (fs.network("EfficientNet-B0"), "EfficientNet-B0")
    hand(x, network="Mine")  # which is still to be had
    assert (x.network, x.resolution, x.message) == (net, 32, "")


def test_a_network_of_one_s_own_with_a_published_name_is_told_apart(x):
    own = replace(fs.network("ResNet-50"), resolution=160)
    x.network = own
    hand(x, network=BASE)
    hand(x, network="ResNet-50")
    assert x.network == own
    x.network = "ResNet-50"
    assert x.resolution == 224


def test_a_network_that_is_smaller_than_its_stride_is_shown_at_its_stride():
    net = replace(fs.network(BASE), resolution=8, name="Tiny images")
    assert fs.explore(net).resolution == 32


# What is wrong is said, and nothing changes

WRONG = [
    ("flops", 0),
    ("flops", -1e9),
    ("flops", 1e15),
    ("flops", math.nan),
    ("flops", math.inf),
    ("flops", "2"),
    ("flops", None),
    ("batch", -1),
    ("batch", 0),
    ("batch", 2.5),
    ("batch", "64"),
    ("batch", 10**9),
    ("batch", None),
    ("resolution", 7),
    ("resolution", 100_000),
    ("resolution", 224.0),
    ("resolution", None),
    ("alpha", 2),
    ("alpha", -0.1),
    ("alpha", math.nan),
    ("alpha", math.inf),
    ("alpha", "x"),
    ("alpha", [0.1, 0.2]),
    ("alpha", None),
    ("scale", 1000),
    ("scale", 0),
    ("scale", -4),
    ("scale", math.nan),
    ("scale", math.inf),
    ("scale", "four"),
    ("scale", None),
    ("device", "cuda:99x"),
    ("device", "tpu"),
    ("device", 0),
    ("device", None),
    ("network", "EfficientNet-C3"),
    ("network", 5),
    ("network", None),
    ("strategies", ("w", "q")),
    ("strategies", ("d0",)),
    ("strategies", 5),
    ("strategies", (None,)),
    ("strategies", None),
    ("shown", "dr"),
    ("shown", None),
    ("precision", "fp7"),
    ("precision", None),
    ("mode", "dreaming"),
    ("seconds", 0),
    ("seconds", math.nan),
    ("seconds", 1e9),
    ("live", "yes"),
    ("network", fs.anynet(name="Too large images", depths=[1], widths=[16], stem_width=8, resolution=4096)),
    ("network", fs.anynet(name="Too many strides", depths=[1] * 12, widths=[16] * 12, stem_width=8, resolution=224)),
    ("network", fs.anynet(name="Too deep", depths=[10**300], widths=[10**100], group_widths=1, resolution=32)),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda value: repr(getattr(value, "name", value)))
def test_a_wrong_value_by_code_is_refused_and_changes_nothing(x, name, value):
    x.strategies, x.alpha = ("w", "dWr"), 0.6
    before, seen, curves = settings_of(x), picture(x), x.curves
    with pytest.raises(TraitError) as refused:
        setattr(x, name, value)
    assert len(str(refused.value)) > 15
    assert "\n" not in str(refused.value)
    assert settings_of(x) == before
    assert picture(x) == seen
    pd.testing.assert_frame_equal(x.curves, curves)
    x.alpha = 0.7
    x.network = "EfficientNet-B0"
    assert picture(x) == fresh({"strategies": ("w", "dWr"), "alpha": 0.7})


@pytest.mark.parametrize(
    ("name", "value"), [("alpha", 2), ("network", "X"), ("flops", 0), ("strategies", "q"), ("resolution", 7)]
)
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_wrong_value_from_the_start_is_refused(name, value):
    open_before = set(_instances)
    with pytest.raises(TraitError, match=r"."):
        fs.explorer.Explorer(**{name: value})
    assert set(_instances) == open_before
    gc.collect()  # an error then would be printed beside what is said


BLOCK: dict[str, Any] = {"block": "vanilla_block", "stem_width": 32}
TOO_MUCH = {
    "has a depth, width or image side of": fs.anynet(name="wide", depths=[1, 1], widths=[8192, 16384], **BLOCK),
    "is too large: the explorer counts up to": fs.anynet(
        name="large", depths=[20] * 4, widths=[2048] * 4, resolution=2048, **BLOCK
    ),
}


@pytest.mark.parametrize("sentence", TOO_MUCH)
def test_what_a_page_cannot_hold_is_said_in_words(x, sentence):
    network, said_of_it = TOO_MUCH[sentence], rf"^{TOO_MUCH[sentence].name} scaled by 64 {re.escape(sentence)} "
    open_before = set(_instances)
    with pytest.raises(fs.explorer.ExplorerPageError, match=said_of_it):
        fs.explore(network)
    assert set(_instances) == open_before
    x.network = network
    assert re.match(said_of_it, said(x))
    assert x._base["name"] == shown(x)["network"] == BASE  # as it was
    hand(x, alpha=0.4)  # is heard all the same
    assert (shown(x)["alpha"], x._shown["heard"]) == (0.4, x._hand.heard)
    x.network = SMALL
    assert (said(x), x._base["name"]) == ("", SMALL.name)


def test_an_unknown_trait_is_refused():
    unknown: dict[str, Any] = {"aplha": 0.5}
    with pytest.raises(TraitError, match=r"aplha is not known; known are network, .*alpha"):
        fs.explore(BASE, **unknown)


def test_a_mistyped_trait_is_refused(x):
    with pytest.raises(TraitError, match=r"'aplha' is not known; known are network, .*alpha"):
        x.aplha = 0.5


def test_scale_and_flops_set_each_other_and_are_not_both_given():
    with pytest.raises(TraitError, match=r"flops: 2 G and scale 3 are both given, .*; give one of them"):
        fs.explore(BASE, scale=3, flops=2e9)


BY_HAND = [
    ("flops", "0", r"^flops: .*0.* multiply-adds wanted, but RegNetY-400MF .* from .* to "),
    ("flops", "-3", "^flops: "),
    ("flops", "a lot", "^flops: 'a lot'"),
    ("flops", "", "^flops: "),
    ("flops", "nan", "^flops: 'nan'"),
    ("flops", "inf", "^flops: 'inf'"),
    ("flops", "1e999", "^flops: "),
    ("alpha", "much", "^strategy: alpha is 'much'"),
    ("alpha", "1.5", "^strategy: alpha is 1.5"),
    ("scale", "0", "^scale: the scale factor is 0.0"),
    ("scale", "1000", "^scale: the factor is 1000, but here goes from 0.25 to 64"),
    ("batch", "1e6", "^batch: 1000000 images"),
    ("batch", "many", "^batch: 'many'"),
    ("batch", "2.5", "^batch: 2.5 images"),
    ("batch", "-1", "^batch: -1 images, but must be a whole number from 1 to "),
    ("batch", "0", "^batch: 0"),
    ("resolution", "7", "^resolution: 7 pixels, but must be a whole number from 32 to "),
    ("resolution", "99999", "^resolution: 99999"),
    ("network", "nothing", "nothing"),
    ("strategies", ["w", "quick"], "quick"),
    ("precision", "fp7", "^precision: 'fp7'"),
]


@pytest.mark.parametrize(("name", "value", "sentence"), BY_HAND, ids=repr)
def test_a_wrong_value_by_hand_is_answered_in_place_until_a_good_one_comes(x, name, value, sentence):
    before, seen = settings_of(x), picture(x)
    hand(x, **{name: value})
    assert re.search(sentence, said(x))
    assert measuring(x)["wrong"] == [name]
    assert settings_of(x) == before
    assert picture(x) == seen
    hand(x, alpha=0.5)
    assert said(x) == ""
    assert x.alpha == 0.5
    assert measuring(x)["wrong"] == []


def test_the_present_value_by_hand_clears_the_message_as_well(x):
    hand(x, batch="-1")
    assert x.message
    hand(x, batch=str(x.batch))
    assert said(x) == ""


def test_a_good_value_by_code_clears_the_message(x):
    hand(x, batch="-1")
    x.batch = 4
    assert said(x) == ""


def test_a_device_that_is_not_there_is_refused_once_the_devices_are_known(x):
    x.devices = {"cpu": "Some CPU"}
    with pytest.raises(TraitError, match=r"^device: 'cuda:0' is not there; use one of auto, cpu$"):
        x.device = "cuda:0"
    assert x.device == "auto"
    x.device = "cpu"
    assert measuring(x)["fields"]["device"] == "cpu"
    assert ("cpu", "cpu · Some CPU") in measuring(x)["choices"]["device"]


# Sharing


@pytest.fixture(params=[ALPHA, "dWr"])
def exporting(request):
    made = fs.explore(SMALL, strategies=("w", "dWr"), alpha=1 / 3, scale=3, resolution=40, shown=request.param)
    yield made
    made.close()


def test_python_makes_the_scaled_network(exporting):
    said = {}
    exec(exporting.to_python(), said)
    assert said["network"] == exporting.scaled()


@pytest.mark.parametrize("name", ["q'\"q", "\\", "# {x}", '"); raise SystemExit; ("'])
def test_python_holds_any_name_and_runs_none_of_it(name):
    x = fs.explore(replace(SMALL, name=name), strategies=("w",))
    made = {}
    exec(x.to_python(), made)
    assert made["network"] == x.scaled()


def test_yaml_gives_the_scaled_network_back(exporting):
    again = fs.Network.from_yaml(exporting.to_yaml())
    assert again == exporting.scaled()
    assert again.scaling == exporting.scaled().scaling


def test_csv_is_the_curves(exporting):
    again = pd.read_csv(io.StringIO(exporting.to_csv()))
    pd.testing.assert_frame_equal(again, exporting.curves, check_dtype=False)


def test_a_page_stands_alone_and_begins_where_the_explorer_is(exporting):
    page = exporting.to_html()
    assert page.lstrip().lower().startswith("<!doctype html")
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)\s*=\s*[\"']?(https?:)?//", page)
    start, _ = json.JSONDecoder().raw_decode(page.split('"start":')[1])
    assert set(start) == {*app_page.START, "network", "laws"}
    assert {name: start[name] for name in ("network", "alpha", "scale", "shown")} == {
        **{name: getattr(exporting, name) for name in ("alpha", "scale", "shown")},
        "network": SMALL.name,
    }


@pytest.mark.parametrize("kind", ["python", "yaml", "csv", "html"])
def test_saving_never_overwrites(exporting, tmp_path, kind):
    paths = [exporting.save(kind, tmp_path) for _ in range(3)]
    assert len(set(paths)) == 3
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert {path.read_text("utf-8") for path in paths} == {getattr(exporting, f"to_{kind}")()}
    assert paths[0].suffix == {"python": ".py"}.get(kind, f".{kind}")


@pytest.mark.parametrize("name", ["../../up", "/etc/passwd", "a b", NASTY, ".hidden", "ü" * 300, "CON: x|y"])
def test_file_names_are_plain(tmp_path, name):
    x = fs.explore(replace(SMALL, name=name), strategies=("w",))
    path = x.save("yaml", tmp_path)
    assert path.parent == tmp_path
    assert list(tmp_path.iterdir()) == [path]
    assert re.fullmatch(r"[\w=-][\w.=-]*\.yaml", path.name)
    assert fs.Network.from_yaml(path.read_text("utf-8")) == x.scaled()


def test_what_cannot_be_saved_is_said(x):
    with pytest.raises(TraitError, match="'pdf' cannot be saved; use one of python, yaml, csv, html"):
        x.save("pdf")


def test_names_are_escaped_wherever_they_are_shown():
    x = fs.explore(replace(SMALL, name=NASTY), strategies=("w",))
    hand(x, flops="0")
    assert NASTY in said(x)  # as text, which the page shows as text
    page = x.to_html()
    data = page.split("const data = ")[1].partition(";\nconst address")[0]
    assert "<" not in data
    assert json.loads(data)["start"]["network"] == NASTY
    assert "<img" not in str(x.to_figure().to_plotly_json())


# Timing


@pytest.fixture(scope="module")
def timed():
    """One explorer of a small network, whose process serves all tests of timing."""
    made = fs.explore(SMALL, strategies=("w", "dWr"), alpha=0.8, scale=2, batch=2, seconds=0.2, device="cpu")
    yield made
    made.close()


@pytest.fixture
def timing(timed):
    timed.live = False
    timed.cancel()
    assert timed.wait(HANGS_S)
    timed.alpha, timed.scale, timed.seconds, timed.strategies = 0.8, 2, 0.2, ("w", "dWr")
    timed.measurements, timed.message = (), ""
    return timed


def points(x):
    """The flops and the times of the points that the page is told."""
    return [each["flops"] for each in x._points], [each["ms"] for each in x._points]


def test_what_was_measured_stays_in_the_page_as_a_file(timing):
    timing.time()
    assert timing.wait(HANGS_S)
    found = re.search(r"^const data = (.*);$", timing.to_html(), re.MULTILINE)
    assert found
    data = json.loads(found[1])
    [network] = data["networks"]
    assert network["measured"][:3] == timing._points
    assert network["timings"][data["start"]["timing"]]["label"] == shown(timing)["timing"]


def test_all_marked_networks_are_timed_and_equal_ones_once(timing):
    timing.time()
    assert timing.busy
    assert measuring(timing)["busy"]
    assert timing.wait(HANGS_S)
    assert not timing.busy
    assert (timing.message, timing.progress) == ("", 1)
    assert [each.strategy for each in timing.measurements] == ["w", "dWr", "alpha=0.8"]
    by_width, fast, slider = (each.measurement for each in timing.measurements)
    assert fast is slider  # α = 0.8 is dWr
    assert fast != by_width
    flops = [short(timing.counted(name).flops) for name in ("w", "dWr")]
    assert timing.status == f"timed 2 networks (w: {flops[0]}, dWr and α = 0.8: {flops[1]} flops)"
    assert not measuring(timing)["busy"]

    times = timing.times
    assert times.flops.tolist() == [timing.counted(name).flops for name in ("w", "dWr", ALPHA)]
    assert points(timing) == (times.flops.tolist(), times.median_ms.tolist())
    for point, measurement in zip(timing._points, [by_width, fast, slider], strict=True):
        ends = (point["low"] or math.nan, point["high"] or math.nan)
        assert np.allclose(ends, (measurement.low_ms, measurement.high_ms), equal_nan=True)
        assert (point["doubt"], point["label"]) == (doubt_of(measurement), shown(timing)["timing"])
        assert by_width.device_name in point["text"]
    assert by_width.device == "cpu"
    assert by_width.where.startswith("CPU: ")
    assert shown(timing)["timing"] == f"this machine: {timing.devices['cpu']}, batch 2, inference fp32"
    base = fs.complexity(SMALL).flops
    assert [point["text"].split("\n")[0] for point in timing._points] == [
        f"{name}, s = 2: {short(flops)} flops, {flops / base:.3g}× the base's"
        for name, flops in zip(("w", "dWr", "α = 0.8"), times.flops, strict=True)
    ]
    assert "cpu" in timing.devices


def test_a_disturbed_time_is_marked_beside_its_point_and_in_the_table(timing):
    timing.strategies = ()
    timing.time()
    assert timing.wait(HANGS_S)
    [timed] = timing.measurements
    timing.measurements = (timed._replace(measurement=replace(timed.measurement, load=0.9)),)
    [point], [doubt] = timing._points, timing.times["doubt"]
    assert point["doubt"] == doubt
    assert "other processes used 90 % of the machine's cores" in doubt


def test_a_setting_that_no_network_can_be_timed_in_is_said(timing):
    timing.precision = "fp16"  # which a CPU is not measured in
    press(timing, "time")
    assert timing.wait(HANGS_S)
    timing.precision, why = "fp32", timing.status
    assert why == "timed 0 of 2; 2 failed: precision is 'fp16', but a CPU is measured in fp32 or bf16; try bf16"
    assert timing.measurements == ()
    assert not timing.busy


@pytest.mark.skipif(os.name != "posix", reason="kills by a signal")
def test_what_was_timed_and_what_failed_are_counted_apart(timing):
    timing.seconds = 1
    timing.time()
    until(lambda: timing.status.startswith("timing 1 of 2: w, ") and timing.progress > 0)
    os.kill(timing.timings.pid, signal.SIGKILL)
    assert timing.wait(HANGS_S)
    flops = short(timing.counted("dWr").flops)
    killed = r"the measuring process was killed \(signal 9\), .*; try a smaller batch"
    assert re.fullmatch(rf"timed 1 of 2 \(dWr and α = 0.8: {flops} flops\); 1 failed: {killed}", timing.status)
    assert re.fullmatch(f"w: {killed}", said(timing))
    assert [each.strategy for each in timing.measurements] == ["dWr", "alpha=0.8"]


def test_what_was_overtaken_is_not_counted(timing):
    timing.seconds = 30
    timing.time()
    until(lambda: timing.status.startswith("timing 1 of 2") and timing.progress > 0)
    timing.strategies, timing.seconds, timing.scale = (), 0.2, 3
    timing.time()
    assert timing.wait(HANGS_S)
    assert timing.status == f"timed 1 network (α = 0.8: {short(timing.counted().flops)} flops)"
    assert len(timing.measurements) == 1


def test_times_are_of_the_present_settings(timing):
    timing.strategies = ()
    timing.time()
    assert timing.wait(HANGS_S)
    for name, other, own in (("batch", 3, 2), ("mode", "training", "inference"), ("resolution", 36, 32)):
        setattr(timing, name, other)
        assert timing.times.empty
        assert points(timing) == ([], [])
        setattr(timing, name, own)
        assert len(timing.times) == 1
    timing.scale = 3
    assert len(points(timing)[0]) == 1  # that of another scale stays in the picture


def test_timing_again_replaces_the_time(timing):
    timing.strategies = ()
    for _ in range(2):
        timing.time()
        assert timing.wait(HANGS_S)
    assert len(timing.measurements) == len(timing.times) == 1


def test_cancel_leaves_what_was_measured_and_the_next_press_works(timing):
    timing.seconds, timing.strategies = 0.5, ("w", "d", "r", "dw", "dwr")
    press(timing, "time")
    until(lambda: timing.measurements)
    press(timing, "cancel")
    assert timing.wait(HANGS_S)
    assert not timing.busy
    assert 1 <= len(timing.measurements) < 5
    assert "cancelled" in timing.status
    assert timing.message == ""
    left = timing.measurements
    timing.seconds, timing.strategies = 0.2, ()
    press(timing, "time")
    assert timing.wait(HANGS_S)
    assert timing.measurements[: len(left)] == left
    assert timing.measurements[-1].strategy == "alpha=0.8"
    assert "timed 1 network" in timing.status


@pytest.mark.skipif(os.name != "posix", reason="kills by a signal")
def test_a_kill_is_a_sentence_and_the_next_press_works(timing):
    timing.strategies, timing.seconds = (), 30
    press(timing, "time")
    until(lambda: "timing 1 of 1" in timing.status and timing.progress > 0)
    os.kill(timing.timings.pid, signal.SIGKILL)
    assert timing.wait(HANGS_S)
    assert not timing.busy
    assert re.fullmatch(
        r"α = 0.8: the measuring process was killed \(signal 9\), .*; try a smaller batch", said(timing)
    )
    assert timing.measurements == ()
    timing.seconds = 0.2
    press(timing, "time")
    assert timing.wait(HANGS_S)
    assert said(timing) == ""
    assert len(timing.measurements) == 1


@contextlib.contextmanager
def little_memory(pid: int):
    """What this process asks for beyond 2 GiB more than it has is refused at once, so that no memory is filled."""
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("no way to limit another process's memory")
    with open(f"/proc/{pid}/status") as status:
        [kilobytes] = re.findall(r"VmSize:\s+(\d+) kB", status.read())
    size = 1024 * int(kilobytes)
    before = resource.prlimit(pid, resource.RLIMIT_AS, (size + 2**31, resource.RLIM_INFINITY))
    yield
    resource.prlimit(pid, resource.RLIMIT_AS, before)


def test_memory_that_runs_out_is_a_sentence_and_the_next_press_works(timing):
    timing.strategies = ()
    timing.time()
    assert timing.wait(HANGS_S)
    pid = timing.timings.pid
    with little_memory(pid):
        timing.batch, timing.resolution = 65536, 2048
        press(timing, "time")
        assert timing.wait(HANGS_S)
    assert not timing.busy
    assert re.search("^α = 0.8: memory ran out on cpu in inference with batch 65536; try ", said(timing))
    timing.batch, timing.resolution = 2, 32
    press(timing, "time")
    assert timing.wait(HANGS_S)
    assert said(timing) == ""
    assert timing.timings.pid == pid
    assert len(timing.times) == 1


def test_a_batch_that_does_not_fit_is_said_once_and_a_smaller_one_is_found(timing, monkeypatch):
    monkeypatch.setattr(timings, "LIMIT", 32)  # of the search, which tries no more than this
    timing.time()
    assert timing.wait(HANGS_S)
    assert not measuring(timing)["full"]
    press(timing, "fit")
    assert said(timing).startswith("fit: every network that was timed fits at this batch")
    with little_memory(timing.timings.pid):
        timing.batch = 65536
        press(timing, "time")
        assert timing.wait(HANGS_S)
        assert said(timing).count("memory ran out on cpu") == 1
        assert measuring(timing)["full"]
        press(timing, "fit")
        assert timing.busy
        assert timing.wait(HANGS_S)
    assert (said(timing), timing.busy, measuring(timing)["full"]) == ("", False, False)
    assert (timing.batch, timing.status) == (32, "batch 32 fits; press Time")
    timing.batch = 2


def test_live_times_what_has_rested_and_drops_what_was_overtaken(timing):
    few, rested = timing.batch, lambda: until(lambda: not timing.timings._rest.is_alive())
    timing.strategies, timing.seconds, timing.batch = (), 600, 256 * few  # of which a dozen runs take a while
    hand(timing, live=True)
    hand(timing, scale=3)
    until(lambda: "timing 1 of 1" in timing.status and timing.busy)
    timing.seconds, timing.batch = 0.2, few
    for scale in (4, 5, 6):
        hand(timing, scale=scale)
    until(lambda: timing.measurements)
    assert timing.wait(HANGS_S)
    assert [each.scale for each in timing.measurements] == [6]
    assert (timing.message, timing.busy) == ("", False)
    timing.scale = 6.001  # the same network after rounding
    assert timing.scaled().dimensions == timing.measurements[0].network
    rested()
    assert timing.wait(HANGS_S)
    assert len(timing.measurements) == 1
    timing.live = False
    timing.scale = 8
    rested()
    assert timing.wait(HANGS_S)
    assert len(timing.measurements) == 1


def test_live_knows_a_network_by_another_strategy_s_name(timing):
    timing.strategies, timing.alpha = ("dWr",), 1
    timing.time()
    assert timing.wait(HANGS_S)
    timing.strategies, timing.live = ("w", "dWr"), True  # w is what α = 1 made
    until(lambda: any(each["strategy"] == "w" for each in timing._points))  # drawn last
    assert not timing.busy
    times = timing.times.set_index("strategy")
    assert times.loc["w", "text"].replace("w", "α = 1", 1) == times.loc["alpha=1", "text"]
    assert [each["ms"] for each in timing._points if each["strategy"] == "w"] == [times.loc["alpha=1", "median_ms"]]
    timing.live = False


def test_batch_is_small_where_there_is_no_gpu_unless_it_was_chosen():
    x, chosen = fs.explore(SMALL, strategies=(), seconds=0.1), fs.explore(SMALL, strategies=(), seconds=0.1, batch=3)
    assert x.batch == 64
    for each in (x, chosen):
        each.time()
    try:
        assert x.wait(HANGS_S)
        assert chosen.wait(HANGS_S)
        if not any(name.startswith("cuda") for name in x.devices):
            assert x.batch == 8
        assert chosen.batch == 3
        assert len(chosen.times) == len(x.times) == 1
        assert x.timings.pid == chosen.timings.pid  # one process for both
    finally:
        x.close()
        chosen.close()


def test_nothing_was_started_for_who_times_nothing(x):
    assert x.wait(0)
    x.cancel()
    assert x.timings.pid is None
    assert not x.busy
