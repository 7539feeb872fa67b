"""The explorer without a browser: driven by traits as a cell does, and by its controls' values as a hand does."""

import contextlib
import io
import math
import os
import re
import signal
import time
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import pytest
from helpers.explorer_view import AXES, button, control, named, picture, plain, said, text, trace, within
from helpers.fake_device import TINY
from helpers.waiting import HANGS_S, until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from traitlets import TraitError

import fastscale_lib as fs
from fastscale_lib.architectures.counting import METRICS
from fastscale_lib.explorer.tables import comparison_table, short

BASE, ALPHA = "RegNetY-400MF", "α"
SMALL = replace(TINY[2], name="Small")
NASTY = "</script><img src=x onerror=alert(1)>&\"' {{x}} $\\frac"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """For the subprocesses: threads that wait for each other are slow where the processors are busy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture
def x():
    made = fs.explore(BASE)
    yield made
    made.close()


# What is seen


PANELS = {"activations": "", "params": "2"}


class Tables(HTMLParser):
    """The tables of an HTML text by caption, as rows of cells; and every tag in it."""

    def __init__(self, text: str):
        super().__init__()
        self.tables, self.tags, self._into = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "table":
            self.tables.append(("", []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][1][-1].append("")
        self._into = tag if tag in ("td", "th", "caption") else self._into

    def handle_endtag(self, tag):
        self._into = None if tag in ("td", "th", "caption") else self._into

    def handle_data(self, data):
        if self._into == "caption":
            caption, rows = self.tables[-1]
            self.tables[-1] = caption + data, rows
        elif self._into:
            self.tables[-1][1][-1][-1] += data


def tables(x) -> list[list[list[str]]]:
    """The rows of: counts, comparison, base network, scaled network."""
    return [rows for _, rows in Tables(text(x, "class='fastscale-tables'")).tables]


def settings_of(x) -> dict:
    names = ("network", "strategies", "alpha", "scale", "flops", "resolution", "batch", "precision", "mode", "device")
    return {name: getattr(x, name) for name in (*names, "seconds", "live", "shown")}


def boxes(x) -> dict[str, ipywidgets.Checkbox]:
    """The strategies' checkboxes by name."""
    return {box.description: box for box in within(x, ipywidgets.Checkbox) if box.description != "Live"}


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
        "resolution": st.none() | st.integers(32, 400),
    }
)
few = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


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
    if isinstance(state["network"], fs.Network):
        x.network = state["network"]
    else:
        control(x, "Family").value = state["network"].split("-")[0]
        control(x, "Base network").value = state["network"]
    if state["resolution"] is not None:
        control(x, "Base resolution (px)").value = str(state["resolution"])
    if "d1_w2_g2_r1" in state["strategies"]:
        x.strategies = (*x.strategies, "d1_w2_g2_r1")  # no hand can; its box is there from then on
    for name, box in boxes(x).items():
        box.value = name in state["strategies"]
    control(x, "α, exactly").value = repr(state["alpha"])
    control(x, "the scale factor s, exactly").value = repr(state["scale"])
    reached = {name: getattr(x, name) for name in state}
    assert picture(x) == fresh(reached)
    assert (x.alpha, x.scale, set(x.strategies)) == (state["alpha"], state["scale"], set(state["strategies"]))
    assert x.message == ""


@few
@given(STATES)
def test_every_drawn_and_tabled_number_is_that_of_the_core(x, state):
    x.network, x.strategies = state["network"], state["strategies"]
    x.alpha, x.scale = state["alpha"], state["scale"]
    base, scales = fs.network(state["network"]), x.curves.scale.unique()
    marked = {name: fs.strategy(name) for name in x.strategies} | {ALPHA: fs.strategy(alpha=x.alpha)}
    counts = {name: fs.complexity(fs.scale(base, each, x.scale)) for name, each in marked.items()}
    for metric, panel in PANELS.items():
        for name, each in marked.items():
            rows = fs.sweep(base, each, scales)
            assert plain(trace(x, name, panel).x) == rows.flops.tolist()
            assert plain(trace(x, name, panel).y) == rows[metric].tolist()
        marks = trace(x, "present scale", panel)
        assert plain(marks.x) == [each.flops for each in counts.values()]
        assert plain(marks.y) == [getattr(each, metric) for each in counts.values()]
    assert {name: x.counted(name) for name in marked} == counts
    assert x.scaled() == fs.scale(base, marked[ALPHA], x.scale)

    at_base, comparison = fs.complexity(base), tables(x)[1][1:]
    assert [row[1] for row in comparison] == [short(each.flops) for each in counts.values()]
    assert [row[2:5] for row in comparison] == [
        [f"{getattr(each, metric) / getattr(at_base, metric):.3g}×" for metric in METRICS] for each in counts.values()
    ]
    assert [row[5] for row in comparison] == [f"{fs.scale(base, m, x.scale).resolution} px" for m in marked.values()]


def test_all_settings_reach_the_controls_and_back(x):
    shown = {"batch": "batch", "precision": "precision", "mode": "mode", "device": "Time on", "live": "Live"}
    for name, value in {"batch": 32, "precision": "bf16", "mode": "training", "device": "cpu", "live": False}.items():
        setattr(x, name, value)
        assert control(x, shown[name]).value == (str(value) if name == "batch" else value)
    control(x, "batch").value = "16"
    assert x.batch == 16
    for name, value in {"precision": "fp16", "mode": "inference", "device": "auto"}.items():
        control(x, shown[name]).value = value
        assert getattr(x, name) == value
    assert x.message == ""


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


def test_flops_by_hand_are_in_units_of_a_billion(x):
    base = fs.complexity(x.base).flops
    control(x, "flops asked (G multiply-adds)").value = f"{8 * base / 1e9:.9g}"
    assert x.scale == pytest.approx(8, rel=1e-8)
    assert control(x, "Scale s").value == pytest.approx(8)
    assert control(x, "the scale factor s, exactly").value == "8"
    control(x, "Scale s").value = 2
    assert float(control(x, "flops asked (G multiply-adds)").value) == pytest.approx(2 * base / 1e9, rel=1e-5)


@pytest.mark.parametrize(("name", "value"), [("alpha", 1 / 3), ("alpha", 0.123), ("scale", 5), ("scale", 0.3)])
def test_a_value_between_two_steps_of_a_slider_stays(x, name, value):
    """The page rounds what a slider shows to its steps, and sends that back."""
    setattr(x, name, value)
    slider = control(x, {"alpha": "α", "scale": "Scale s"}[name])
    shown = slider.value
    slider.value = shown * (1 + 1e-12)  # as a page that prints and reads decimals does
    assert getattr(x, name) == value
    slider.value = 0.5
    assert getattr(x, name) == 0.5


def test_a_slider_is_not_sent_back_what_it_said(x):
    """Else it would jump back under a hand that has moved on."""
    for slider, values in (
        (control(x, "α"), [k / 100 for k in range(101)]),
        (control(x, "Scale s"), [2 ** (k / 20) for k in range(-40, 121)]),
    ):
        for value in values:
            slider.value = value
            assert slider.value == value


@pytest.mark.parametrize(("text", "alpha"), [("1/3", 1 / 3), ("0.25", 0.25), (" .5 ", 0.5), ("1e-3", 0.001)])
def test_typed_alpha(x, text, alpha):
    control(x, "α, exactly").value = text
    assert (x.alpha, x.message) == (alpha, "")


@pytest.mark.parametrize("s", [0.25, 1 / 3, 64])
def test_the_flops_that_are_shown_may_be_typed(x, s):
    """At the ends too, where the digits that are shown may lie a rounding beyond."""
    x.scale = s
    shown = control(x, "flops asked (G multiply-adds)").value
    x.scale = 4
    control(x, "flops asked (G multiply-adds)").value = shown
    assert x.message == ""
    assert x.scale == pytest.approx(s, rel=1e-5)


def test_another_network_brings_its_resolution_and_keeps_the_scale(x):
    x.resolution, x.scale, x.alpha = 64, 6, 0.25
    x.network = "EfficientNet-B3"
    assert (x.resolution, x.scale, x.alpha) == (fs.network("EfficientNet-B3").resolution, 6, 0.25)
    assert x.flops == 6 * fs.complexity("EfficientNet-B3").flops
    assert control(x, "Base resolution (px)").value == str(x.resolution)


def test_the_resolution_is_the_base_s(x):
    x.resolution, x.scale = 192, 2
    assert x.base == replace(fs.network(BASE), resolution=192)
    assert x.flops == 2 * fs.complexity(x.base).flops
    assert x.scaled() == fs.scale(replace(fs.network(BASE), resolution=192), fs.strategy(alpha=0.8), 2)


def test_the_marks_on_the_alpha_slider_set_it(x):
    x.alpha = 0.5
    for mark, alpha in {"⅓ dwr": 1 / 3, "0.8 dWr": 0.8, "1 w": 1.0}.items():
        button(x, mark).click()
        assert x.alpha == alpha
        assert control(x, "α").value == pytest.approx(alpha, abs=0.005)
        assert control(x, "α, exactly").value == f"{alpha:.4g}"
    for alpha, name in ((1 / 3, "dwr"), (0.8, "dWr"), (1, "w")):
        x.alpha = alpha
        assert x.scaled().dimensions == x.scaled(name).dimensions


def test_the_explicit_grammar_is_drawn_as_well(x):
    x.strategies = ("w", "d1_w2_g2_r1")
    rows = fs.sweep(BASE, "d1_w2_g2_r1", x.curves.scale.unique())
    assert plain(trace(x, "d1_w2_g2_r1").y) == rows.activations.tolist()
    boxes(x)["d1_w2_g2_r1"].value = False
    assert x.strategies == ("w",)
    boxes(x)["d1_w2_g2_r1"].value = True
    assert x.strategies == ("w", "d1_w2_g2_r1")
    x.strategies = ("d3_w1", "dwr")
    assert picture(x) == fresh({"network": BASE, "strategies": ("d3_w1", "dwr")})


def test_no_strategy_but_the_slider_s(x):
    for box in boxes(x).values():
        box.value = False
    assert x.strategies == ()
    assert x.curves.strategy.unique().tolist() == ["alpha=0.8"]
    assert len(plain(trace(x, "present scale").x)) == 1


def test_the_same_strategy_twice_is_one(x):
    x.strategies = ("w", "w", "dw")
    assert x.strategies == ("w", "dw")


def test_what_is_shown_goes_back_to_the_slider_when_it_is_unchecked(x):
    control(x, "Scaled network by").value = "dw"
    assert x.shown == "dw"
    assert x.scaled() == fs.scale(BASE, "dw", 4)
    boxes(x)["w"].value = False
    assert x.shown == "dw"
    boxes(x)["dw"].value = False
    assert (x.shown, control(x, "Scaled network by").value) == (ALPHA, ALPHA)
    assert x.scaled() == fs.scale(BASE, fs.strategy(alpha=0.8), 4)
    assert x.message == ""


# The panels


def test_laws_are_dashed_and_are_the_laws(x):
    x.scale, x.alpha = 8, 0.25
    for metric, panel in PANELS.items():
        drawn = trace(x, "laws", panel)
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
    assert f"s<sup>{exponent}</sup>" in trace(x, "laws").text[-1]


def test_the_effect_of_alpha_at_the_present_scale(x):
    x.scale, x.alpha = 8, 0.4
    base = fs.complexity(x.base)
    for metric in METRICS:
        drawn = trace(x, metric, "4")
        alphas = plain(drawn.x)
        assert {0, 1 / 3, 0.8, 1} <= set(alphas)
        for alpha, times in zip(alphas[::8], plain(drawn.y)[::8], strict=True):
            count = getattr(fs.complexity(fs.scale(BASE, alpha, 8)), metric)
            assert times == count / (8 * getattr(base, metric))
    present = trace(x, "present α", "4")
    now = fs.complexity(fs.scale(BASE, 0.4, 8))
    assert set(plain(present.x)) == {0.4}
    assert sorted(plain(present.y)) == sorted(getattr(now, m) / (8 * getattr(base, m)) for m in METRICS)


def test_the_panels_name_what_they_show_and_in_which_unit(x):
    titles = {name: x.figure.layout[name].title.text for name in AXES}
    assert {titles[name] for name in ("xaxis", "xaxis2", "xaxis3")} == {"flops (multiply-adds)"}
    assert (titles["yaxis"], titles["yaxis2"]) == ("activations (elements)", "params (weights)")
    assert (titles["yaxis3"], titles["yaxis4"]) == ("time (ms/batch)", "count (times s × base)")
    assert {note.text for note in x.figure.layout.annotations} >= {"dwr", "dWr", "w"}


def test_hover_tells_the_stages(x):
    text = trace(x, "dWr").text[-1]
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
    for panel in PANELS.values():
        marks = trace(at_four, "present scale", panel)
        assert [text.split("<br>")[0].split(": ")[1] for text in marks.text] == [
            f"{times} the base's flops" for times in TIMES.values()
        ]
        assert "flops %{x:.4s}" in marks.hovertemplate


def test_the_table_tells_that_flops_differ_at_the_same_scale(at_four):
    caption, [head, *rows] = Tables(text(at_four, "class='fastscale-tables'")).tables[1]
    assert caption == "All at s = 4, counted, and as times the base; flops differ by up to 23%"
    assert [row[head.index("counted flops")] for row in rows] == ["1.45 G", "1.51 G", "1.697 G", "1.381 G", "1.381 G"]
    assert [row[head.index("flops")] for row in rows] == list(TIMES.values())
    at_four.strategies = ()
    assert (
        Tables(text(at_four, "class='fastscale-tables'")).tables[1][0] == "All at s = 4, counted, and as times the base"
    )


def test_the_field_says_that_its_flops_are_those_asked_for(at_four):
    field = named(at_four, "flops asked (G multiply-adds)", ipywidgets.Text)
    assert (field.description, field.value) == ("flops asked (G multiply-adds)", "1.5433")
    assert float(field.value) * 1e9 == pytest.approx(4 * fs.complexity("EfficientNet-B0").flops, rel=1e-5)


# The tables


def test_times_are_tabled_with_their_interval_or_their_doubt():
    frame, doubt = fs.sweep(BASE, ["w", "dw", "dWr"], 4), "a single block of runs gives no interval"
    times = pd.DataFrame({"strategy": ["w", "dw"], "median_ms": [12.345, 20.0], "doubt": [None, doubt]})
    times = times.assign(low_ms=[12.0, math.nan], high_ms=[13.04, math.nan])
    [(_, rows)] = Tables(comparison_table(frame, fs.complexity(BASE), times, 4)).tables
    assert [row[-1] for row in rows[1:]] == ["12.35 (12 to 13)", f"20 ({doubt})", "–"]


def test_the_counts_are_asked_counted_and_times_the_base(x):
    x.shown, x.scale = "dWr", 4
    base, counted = fs.complexity(BASE), fs.complexity(fs.scale(BASE, "dWr", 4))
    units = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
    for metric, row, exponent in zip(METRICS, tables(x)[0][1:], ("1", "9/10", "3/5"), strict=True):
        title, *numbers, times, law = row
        asked, count = (float(text.split()[0]) * units[text.split()[1]] for text in numbers)
        assert title.startswith(metric)
        assert asked == pytest.approx(getattr(base, metric) * 4 ** eval(exponent), rel=1e-3)
        assert count == pytest.approx(getattr(counted, metric), rel=1e-3)
        assert float(times.rstrip("×")) == pytest.approx(getattr(counted, metric) / getattr(base, metric), rel=1e-2)
        assert law == f"s{exponent}"
    assert "multiply-adds" in tables(x)[0][1][0]


@pytest.mark.parametrize("name", ["w", "dWr", ALPHA])
def test_base_and_scaled_network_stage_by_stage(x, name):
    x.shown = name
    for net, rows in zip((x.base, x.scaled()), tables(x)[2:], strict=True):
        stages = [row[1:4] for row in rows if row[0].startswith("stage")]
        assert stages == [list(map(str, stage)) for stage in zip(net.depths, net.widths, net.group_widths, strict=True)]


# Networks of one's own


@pytest.mark.parametrize("stem", ["res_stem_cifar", "simple_stem_in", "res_stem_in"])
def test_a_network_of_one_s_own(stem):
    net = fs.anynet(name="Mine", depths=[1, 2], widths=[16, 32], stem=stem, stem_width=8, resolution=32, classes=10)
    x = fs.explore(net, strategies=("w", "r"), scale=2)
    assert x.network == net
    assert control(x, "Base network").value == "Mine"
    assert plain(trace(x, "w").y) == fs.sweep(net, "w", x.curves.scale.unique()).activations.tolist()
    x.network = BASE
    assert control(x, "Base network").value == BASE
    control(x, "Family").value = "EfficientNet"
    assert x.network == fs.network("EfficientNet-B0")
    x.network = net
    assert (x.resolution, control(x, "Base network").value, x.message) == (32, "Mine", "")


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
def test_a_wrong_value_from_the_start_is_refused(name, value):
    with pytest.raises(TraitError, match=r"."):
        fs.explorer.Explorer(**{name: value})


def test_an_unknown_trait_is_refused():
    unknown: dict[str, Any] = {"aplha": 0.5}
    with pytest.raises(TraitError, match=r"aplha is not known; known are network, .*alpha"):
        fs.explore(BASE, **unknown)


BY_HAND = [
    ("flops asked (G multiply-adds)", "0", r"^flops: .*0.* multiply-adds wanted, but RegNetY-400MF .* from .* to "),
    ("flops asked (G multiply-adds)", "-3", "^flops: "),
    ("flops asked (G multiply-adds)", "a lot", "^flops: 'a lot'"),
    ("flops asked (G multiply-adds)", "", "^flops: "),
    ("flops asked (G multiply-adds)", "nan", "^flops: 'nan'"),
    ("flops asked (G multiply-adds)", "inf", "^flops: 'inf'"),
    ("flops asked (G multiply-adds)", "1e999", "^flops: "),
    ("α, exactly", "much", "^strategy: alpha is 'much'"),
    ("α, exactly", "1.5", "^strategy: alpha is 1.5"),
    ("the scale factor s, exactly", "0", "^scale: the scale factor is 0.0"),
    ("the scale factor s, exactly", "1000", "^scale: the factor is 1000, but here goes from 0.25 to 64"),
    ("batch", "1e6", "^batch: 1000000 images"),
    ("batch", "many", "^batch: 'many'"),
    ("batch", "2.5", "^batch: 2.5 images"),
    ("batch", "-1", "^batch: -1 images, but must be a whole number from 1 to "),
    ("batch", "0", "^batch: 0"),
    ("Base resolution (px)", "7", "^resolution: 7 pixels, but must be a whole number from 32 to "),
    ("Base resolution (px)", "99999", "^resolution: 99999"),
]


@pytest.mark.parametrize(("written", "value", "sentence"), BY_HAND, ids=repr)
def test_a_wrong_value_by_hand_is_answered_in_place_until_a_good_one_comes(x, written, value, sentence):
    before, seen, tabled = settings_of(x), picture(x), text(x, "class='fastscale-tables'")
    control(x, written).value = value
    assert re.search(sentence, said(x))
    assert settings_of(x) == before
    assert picture(x) == seen
    assert text(x, "class='fastscale-tables'") == tabled
    control(x, "α").value = 0.5
    assert said(x) == ""
    assert x.alpha == 0.5
    assert str(control(x, written).value) != str(value)  # the control shows the present state again


def test_the_present_value_by_hand_clears_the_message_as_well(x):
    control(x, "batch").value = "-1"
    assert x.message
    control(x, "batch").value = str(x.batch)
    assert said(x) == ""


def test_a_good_value_by_code_clears_the_message(x):
    control(x, "batch").value = "-1"
    x.batch = 4
    assert said(x) == ""


def test_a_device_that_is_not_there_is_refused_once_the_devices_are_known(x):
    x.devices = {"cpu": "Some CPU"}
    with pytest.raises(TraitError, match=r"^device: 'cuda:0' is not there; use one of auto, cpu$"):
        x.device = "cuda:0"
    assert x.device == "auto"
    x.device = "cpu"
    assert control(x, "Time on").value == "cpu"
    assert any("Some CPU" in label for label, _ in named(x, "Time on", ipywidgets.Dropdown).options)


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


def test_a_page_stands_alone(exporting):
    page = exporting.to_html()
    assert page.lstrip().lower().startswith("<!doctype html")
    read = Tables(page)
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)\s*=\s*[\"']?(https?:)?//", page)
    assert len(read.tables) >= 2
    assert "α" in page
    assert '"steps"' in page  # the slider's, computed beforehand


def test_a_page_shows_the_strategy_that_is_shown(exporting):
    """What is tabled beside the figure in the notebook is tabled in the page."""
    rows = [rows for _, rows in Tables(exporting.to_html()).tables]
    assert tables(exporting)[3] in rows


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


def test_saving_by_hand(x, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for kind in ("Python", "YAML", "CSV"):
        button(x, kind).click()
    [python] = tmp_path.glob("*.py")
    assert x.message == ""
    assert {path.suffix for path in tmp_path.iterdir()} == {".py", ".yaml", ".csv"}
    assert tmp_path.glob("*.csv").__next__().name in text(x, ">saved ")
    assert python.read_text("utf-8") == x.to_python()


def test_what_cannot_be_saved_is_said(x, tmp_path, monkeypatch):
    with pytest.raises(TraitError, match="'pdf' cannot be saved; use one of python, yaml, csv, html"):
        x.save("pdf")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    button(x, "Python").click()
    assert said(x)


def test_names_are_escaped_wherever_they_are_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = fs.explore(replace(SMALL, name=NASTY), strategies=("w",))
    control(x, "flops asked (G multiply-adds)").value = "0"
    assert NASTY in x.message
    button(x, "YAML").click()
    shown = [
        text(x, "class='fastscale-tables'"),
        text(x, "class='fastscale-message'"),
        text(x, "class='fastscale-status'"),
    ]
    control(x, "flops asked (G multiply-adds)").value = NASTY
    assert NASTY in x.message
    shown += [text(x, "class='fastscale-message'"), text(x, "class='fastscale-status'")]
    assert escape(NASTY) in shown[0]
    for each in [*shown, x.to_html()]:
        assert "img" not in Tables(each).tags
        assert "</script><img" not in each
    assert "<img" not in str(x.figure.to_plotly_json())


# What the page is told


def test_a_reloaded_page_gets_the_present_figure(x):
    first = x.figure.get_state()
    control(x, "α").value, x.scale = 0.4, 8
    x.network, x.strategies = "ResNet-50", ("d", "dWr")
    x.alpha = 0.3
    state = x.figure.get_state()
    assert plain(state["_widget_data"]) == picture(x)["data"] != plain(first["_widget_data"])
    assert {name: plain(state["_widget_layout"][name]["range"]) for name in AXES} == picture(x)["ranges"]
    assert state.get("_py2js_animate") is None
    assert state["_widget_data"][0]["x"] is not None


def test_a_zoom_survives_moves_but_not_another_network(x):
    x.figure.plotly_relayout({"xaxis.range": [9.0, 9.5], "yaxis4.range": [0.0, 0.5]})
    control(x, "α").value, control(x, "Scale s").value = 0.3, 20
    boxes(x)["d"].value = True
    x.batch = 5
    zoomed = picture(x)["ranges"]
    assert (zoomed["xaxis"], zoomed["yaxis4"]) == ([9, 9.5], [0, 0.5])
    state = {"strategies": x.strategies, "alpha": 0.3, "scale": 20}
    unzoomed = fresh({**state, "network": BASE})["ranges"]
    assert {name: limits for name, limits in zoomed.items() if name not in ("xaxis", "yaxis4")} == {
        name: limits for name, limits in unzoomed.items() if name not in ("xaxis", "yaxis4")
    }
    assert plain(x.figure.get_state()["_widget_layout"]["xaxis"]["range"]) == [9, 9.5]
    x.network = "EfficientNet-B0"
    assert picture(x) == fresh({**state, "network": "EfficientNet-B0"})


def test_axes_stay_where_they_are_while_sliding(x):
    before = picture(x)["ranges"]
    x.scale, x.alpha = 64, 0
    after = picture(x)["ranges"]
    assert before == after


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
    return plain(trace(x, "measured", "3").x), plain(trace(x, "measured", "3").y)


def test_all_marked_networks_are_timed_and_equal_ones_once(timing):
    timing.time()
    assert timing.busy
    assert button(timing, "Time").disabled
    assert timing.wait(HANGS_S)
    assert not timing.busy
    assert (timing.message, timing.progress) == ("", 1)
    assert [each.strategy for each in timing.measurements] == ["w", "dWr", "alpha=0.8"]
    by_width, fast, slider = (each.measurement for each in timing.measurements)
    assert fast is slider  # α = 0.8 is dWr
    assert fast != by_width
    flops = [short(timing.counted(name).flops) for name in ("w", "dWr")]
    assert timing.status == f"timed 2 networks (w: {flops[0]}, dWr and α = 0.8: {flops[1]} flops)"
    assert not button(timing, "Time").disabled

    times = timing.times
    assert times.flops.tolist() == [timing.counted(name).flops for name in ("w", "dWr", ALPHA)]
    assert points(timing) == (times.flops.tolist(), times.median_ms.tolist())
    drawn = trace(timing, "measured", "3")
    assert np.allclose(drawn.y + drawn.error_y.array, times.high_ms, equal_nan=True)  # a busy machine gives no interval
    assert np.allclose(drawn.y - drawn.error_y.arrayminus, times.low_ms, equal_nan=True)
    assert by_width.device == "cpu"
    notes = [note.text for note in timing.figure.layout.annotations]
    assert f"measured on {escape(by_width.where)}, batch 2, fp32 inference" in notes
    assert by_width.where.startswith("CPU: ")
    assert all(by_width.device_name in text for text in drawn.text)
    base = fs.complexity(SMALL).flops
    assert [text.split("<br>")[0] for text in drawn.text] == [
        f"{name}, s = 2: {short(flops)} flops, {flops / base:.3g}× the base's"
        for name, flops in zip(("w", "dWr", "α = 0.8"), times.flops, strict=True)
    ]
    assert [row[-1].split()[0] for row in tables(timing)[1][1:]] == [f"{ms:.4g}" for ms in times.median_ms]
    assert "cpu" in timing.devices


def test_a_setting_that_no_network_can_be_timed_in_is_said(timing):
    timing.precision = "fp16"  # which a CPU is not measured in
    button(timing, "Time").click()
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
    assert tables(timing)[1][1][-1] == "–"


def test_timing_again_replaces_the_time(timing):
    timing.strategies = ()
    for _ in range(2):
        timing.time()
        assert timing.wait(HANGS_S)
    assert len(timing.measurements) == len(timing.times) == 1


def test_cancel_leaves_what_was_measured_and_the_next_press_works(timing):
    timing.seconds, timing.strategies = 0.5, ("w", "d", "r", "dw", "dwr")
    button(timing, "Time").click()
    until(lambda: timing.measurements)
    button(timing, "Cancel").click()
    assert timing.wait(HANGS_S)
    assert not timing.busy
    assert 1 <= len(timing.measurements) < 5
    assert "cancelled" in timing.status
    assert timing.message == ""
    left = timing.measurements
    timing.seconds, timing.strategies = 0.2, ()
    button(timing, "Time").click()
    assert timing.wait(HANGS_S)
    assert timing.measurements[: len(left)] == left
    assert timing.measurements[-1].strategy == "alpha=0.8"
    assert "timed 1 network" in timing.status


@pytest.mark.skipif(os.name != "posix", reason="kills by a signal")
def test_a_kill_is_a_sentence_and_the_next_press_works(timing):
    timing.strategies, timing.seconds = (), 30
    button(timing, "Time").click()
    until(lambda: "timing 1 of 1" in timing.status and timing.progress > 0)
    os.kill(timing.timings.pid, signal.SIGKILL)
    assert timing.wait(HANGS_S)
    assert not timing.busy
    assert re.fullmatch(
        r"α = 0.8: the measuring process was killed \(signal 9\), .*; try a smaller batch", said(timing)
    )
    assert timing.measurements == ()
    timing.seconds = 0.2
    button(timing, "Time").click()
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
        button(timing, "Time").click()
        assert timing.wait(HANGS_S)
    assert not timing.busy
    assert re.search("^α = 0.8: Small .*: memory ran out on cpu in inference with batch 65536; try ", said(timing))
    timing.batch, timing.resolution = 2, 32
    button(timing, "Time").click()
    assert timing.wait(HANGS_S)
    assert said(timing) == ""
    assert timing.timings.pid == pid
    assert len(timing.times) == 1


def test_live_times_what_has_rested_and_drops_what_was_overtaken(timing):
    few = timing.batch
    timing.strategies, timing.seconds, timing.batch = (), 600, 256 * few  # of which a dozen runs take a while
    control(timing, "Live").value = True
    control(timing, "Scale s").value = 3
    until(lambda: "timing 1 of 1" in timing.status and timing.busy)
    timing.seconds, timing.batch = 0.2, few
    for scale in (4, 5, 6):
        control(timing, "Scale s").value = scale
    until(lambda: timing.measurements)
    assert timing.wait(HANGS_S)
    assert [each.scale for each in timing.measurements] == [6]
    assert (timing.message, timing.busy) == ("", False)
    timing.scale = 6.001  # the same network after rounding
    assert timing.scaled().dimensions == timing.measurements[0].network
    time.sleep(0.8)
    assert timing.wait(HANGS_S)
    assert len(timing.measurements) == 1
    timing.live = False
    timing.scale = 8
    time.sleep(0.8)
    assert timing.wait(HANGS_S)
    assert len(timing.measurements) == 1


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
