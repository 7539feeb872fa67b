"""Figures as SVG: each value at its place, each text as plotly writes it, and what is not drawn is named."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plotly.subplots import make_subplots

import fastscale_lib as fs
from fastscale_lib import figures
from fastscale_lib.figures.svg import formats
from fastscale_lib.figures.svg.axes import Axis, step
from fastscale_lib.figures.svg.grid import FONT
from fastscale_lib.figures.svg.plot import picture

SVG = "{http://www.w3.org/2000/svg}"


def parsed(figure: go.Figure, **options) -> ET.Element:
    return ET.fromstring(picture(figure, **options).svg)


def texts(root: ET.Element) -> list[str]:
    return ["".join(each.itertext()).replace("\u200b", "") for each in root.iter(f"{SVG}text")]


def panels(root: ET.Element) -> list[ET.Element]:
    return root.findall(f"{SVG}svg")


def corners(path: str) -> np.ndarray:
    """The corners of a path of straight lines."""
    return np.array([[float(x), float(y)] for x, y in re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", path)])


# Numbers and texts


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [
        (1_500_000, "~s", "1.5M"),
        (386_876_448, ".4s", "386.9M"),
        (0.5, "~g", "0.5"),
        (1234.5, ",d", "1,234"),
        (0.256, ".0%", "26%"),
        (0.256, ".1%", "25.6%"),
        (2, ".3g", "2"),
        (-0.02, "~g", "−0.02"),
        (1e-7, "~g", "1e−7"),
        (12_000, "", "12k"),
        (950, "", "950"),
        (999_999, ".3s", "1.00M"),
        (float("nan"), "~g", "–"),
        ("ResNet-50", "~s", "ResNet-50"),
    ],
)
def test_numbers_are_written_as_d3_writes_them(value, spec, text):
    assert formats.number(value, spec) == text


def test_a_format_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match=r"the number format '\$,.2f' is not known; use one such as ~s"):
        formats.number(1, "$,.2f")


def test_a_hover_template_takes_values_names_and_formats():
    template = "<b>%{text}</b><br>%{x:.3s}, %{customdata[1]:.0%} of %{fullData.name}<extra>more</extra>"
    point = {"x": 1.5e9, "text": "dWr", "customdata": ["", 0.25]}
    assert formats.hovered(template, {"name": "all"}, point) == "dWr\n1.50G, 25% of all\nmore"


def test_markup_becomes_spans_and_the_rest_is_text():
    assert (
        formats.spans("s<sup>1/2</sup>")
        == "s<tspan dy='-0.4em' font-size='75%'>1/2</tspan><tspan dy='0.3em'>\u200b</tspan>"
    )
    assert formats.spans("a < b & <i>c</i>") == "a &lt; b &amp; <tspan font-style='italic'>c</tspan>"
    assert formats.spans("</b>left over") == "left over"


@given(st.text())
def test_any_text_gives_a_picture_that_parses(text):
    clean = "".join(c for c in text if c.isprintable())
    root = parsed(go.Figure(go.Scatter(x=[1, 2], y=[1, 2], name=clean), {"title": clean, "xaxis": {"title": clean}}))
    assert root.tag == f"{SVG}svg"


# Axes


@pytest.mark.parametrize(("span", "most", "by"), [(1, 5, 0.2), (1, 4, 0.5), (7, 5, 2), (0.03, 3, 0.01), (1e6, 4, 5e5)])
def test_steps_are_of_one_two_or_five(span, most, by):
    assert step(span, most) == pytest.approx(by)


@given(st.lists(st.floats(1e-6, 1e12), min_size=2, max_size=30), st.sampled_from(["linear", "log"]))
def test_every_value_lies_on_its_axis_and_in_order(values, kind):
    axis = Axis("xaxis", {"type": kind}, values)
    places = [place for value in sorted(values) if (place := axis.at(value)) is not None]
    assert len(places) == len(values)
    assert all(0 <= place <= 1 for place in places)
    assert places == sorted(places)


@given(st.floats(1e-3, 1e9), st.floats(1.01, 1e6), st.sampled_from(["linear", "log"]), st.integers(80, 900))
def test_ticks_are_on_the_axis_and_their_labels_stand_clear(low, ratio, kind, pixels):
    ticks = Axis("xaxis", {"type": kind, "tickformat": "~s"}, [low, low * ratio]).ticks(pixels, 13, along=True)
    assert ticks
    assert all(0 <= tick.at <= 1 for tick in ticks)
    for one, other in pairwise(ticks):
        room = (formats.width(one.text, 13) + formats.width(other.text, 13)) / 2
        assert (other.at - one.at) * pixels >= room


def test_a_logarithmic_axis_takes_no_zero_and_a_category_axis_its_order():
    assert Axis("xaxis", {"type": "log"}, [1, 10]).at(0) is None
    axis = Axis("yaxis", {"categoryarray": ["c", "a", "b"], "autorange": "reversed"}, ["a", "b", "c"])
    assert [axis.at(name) for name in ("c", "a", "b")] == pytest.approx([5 / 6, 3 / 6, 1 / 6])


# Traces


def test_a_line_goes_where_its_values_are():
    figure = go.Figure(go.Scatter(x=[1, 10, 100], y=[0, 5, 10], mode="lines"))
    figure.update_layout(xaxis={"type": "log", "range": [0, 2]}, yaxis={"range": [0, 10]})
    [panel] = panels(parsed(figure))
    width, height = float(panel.get("width", 0)), float(panel.get("height", 0))
    [path] = [each for each in panel.iter(f"{SVG}path") if each.get("fill") == "none"]
    expected = [[0, height], [width / 2, height / 2], [width, 0]]
    assert corners(path.get("d", "")) == pytest.approx(np.array(expected), abs=0.06)


def test_a_line_breaks_where_a_value_is_missing():
    figure = go.Figure(go.Scatter(x=[1, 2, 3, 4], y=[1, None, 3, 4], mode="lines"))
    [path] = [each for each in panels(parsed(figure))[0].iter(f"{SVG}path") if each.get("fill") == "none"]
    assert path.get("d", "").count("M") == 2


def test_bars_are_stacked_and_their_texts_stand_in_them():
    bars = [go.Bar(y=["a", "b"], x=values, orientation="h", text=["", "half"]) for values in ([1, 2], [3, 2])]
    [panel] = panels(parsed(go.Figure(bars, {"barmode": "stack", "showlegend": False})))
    boxes = [(float(each.get("x", 0)), float(each.get("width", 0))) for each in panel.iter(f"{SVG}rect")]
    (a1, b1), (a2, b2) = boxes[:2], boxes[2:]
    assert a2[0] == pytest.approx(a1[0] + a1[1], abs=0.1)
    assert b2[0] == pytest.approx(b1[0] + b1[1], abs=0.1)
    assert a2[1] == pytest.approx(3 * a1[1], abs=0.3)
    assert texts(panel) == ["half", "half"]


def test_points_say_what_they_are_at_their_places():
    figure = go.Figure(go.Scatter(x=[1, 2], y=[1, 2], name="line", hovertemplate="%{x}: %{y:.1f}<extra></extra>"))
    [spots] = picture(figure).spots
    assert [text for _, _, text in spots.points] == ["1: 1.0", "2: 2.0"]
    assert spots.points[0][0] < spots.points[1][0]
    assert spots.points[0][1] > spots.points[1][1]  # upwards
    assert picture(figure, narrow=True).spots == []


def test_a_slider_s_steps_are_drawn_and_all_fit_on_the_axes():
    steps = [{"label": f"{k}", "method": "restyle", "args": [{"y": [[0, k]]}, [0]]} for k in (1, 4)]
    figure = go.Figure(
        [go.Scatter(x=[0, 1], y=[0, 1]), go.Scatter(x=[0, 1], y=[1, 1])], {"sliders": [{"steps": steps}]}
    )
    [panel] = panels(parsed(figure))
    groups = [(each.get("data-step"), each.get("style")) for each in panel.findall(f"{SVG}g")]
    assert groups == [("0", None), ("1", "display:none"), (None, None)]
    heights = [
        corners(each.get("d", ""))[:, 1].min() for each in panel.iter(f"{SVG}path") if each.get("fill") == "none"
    ]
    assert all(0 <= height <= float(panel.get("height", 0)) for height in heights)


def test_a_hidden_trace_is_not_drawn_and_one_of_the_legend_alone_waits():
    traces = [go.Scatter(y=[1, 2], name=f"{seen}", visible=seen) for seen in (True, False, "legendonly")]
    root = parsed(go.Figure(traces))
    assert [each.get("style") for each in panels(root)[0].findall(f"{SVG}g")] == [None, "display:none"]
    assert [each for each in texts(root) if each in ("True", "False", "legendonly")] == ["True", "legendonly"]


# Panels


def test_panels_stand_below_each_other_in_a_narrow_picture():
    figure = make_subplots(rows=1, cols=2, subplot_titles=["left", "right"], shared_yaxes=True)
    for column in (1, 2):
        figure.add_trace(go.Scatter(y=[1, 2 * column]), row=1, col=column)
    wide = [(float(each.get("x", 0)), float(each.get("y", 0))) for each in panels(parsed(figure))]
    narrow = [
        (float(each.get("x", 0)), float(each.get("y", 0))) for each in panels(parsed(figure, width=360, narrow=True))
    ]
    assert wide[0][0] < wide[1][0]
    assert wide[0][1] == wide[1][1]
    assert narrow[0][0] == narrow[1][0]
    assert narrow[0][1] < narrow[1][1]
    assert {"left", "right"} <= set(texts(parsed(figure)))


def test_titles_of_panels_break_before_they_meet():
    heads = [f"RegNetX-400MF: {name}" for name in ("flops", "params", "activations")]
    figure = make_subplots(rows=1, cols=3, subplot_titles=heads)
    for column in (1, 2, 3):
        figure.add_trace(go.Scatter(y=[1, 2]), row=1, col=column)
    root = parsed(figure, width=360)
    said = [each for each in root.iter(f"{SVG}text") if each.get("font-weight") == "600" and each.get("text-anchor")]
    assert sorted(str(each.text) for each in said) == sorted(" ".join(heads).split())
    for row in {each.get("y") for each in said}:
        ends = sorted(
            (float(each.get("x", 0)) - half, float(each.get("x", 0)) + half)
            for each in said
            if each.get("y") == row
            for half in [formats.width(str(each.text), 1.06 * FONT) / 2]
        )
        assert all(end <= start for (_, end), (start, _) in pairwise(ends))


@pytest.mark.parametrize(("width", "narrow"), [(940, False), (360, True)])
def test_long_names_beside_low_rows_do_not_run_into_each_other(width, narrow):
    names = [f"NVIDIA GeForce RTX {n}, channels last, compiled, inference" for n in range(20)]
    root = parsed(go.Figure(go.Scatter(x=[*range(20)], y=names, mode="markers")), width=width, narrow=narrow)
    lines = [each for each in root.iter(f"{SVG}text") if each.get("text-anchor") == "end" and each.text]
    heights = sorted(float(each.get("y", 0)) for each in lines)
    assert " ".join(str(each.text) for each in lines).count("RTX") == len(names)
    assert min(after - before for before, after in pairwise(heights)) >= 13  # the size of the letters


def test_numbers_above_names_take_the_room_that_the_names_need():
    figure = make_subplots(2, 1)
    figure.add_scatter(x=[1, 2], y=[1, 2], row=1, col=1)
    figure.add_scatter(x=[1, 2], y=["the first of two long names", "the second of two long names"], row=2, col=1)
    numbers, names = (each.attrib for each in panels(parsed(figure, width=800)))
    assert float(numbers["x"]) < float(names["x"]) - 100
    ends = [float(each["x"]) + float(each["width"]) for each in (numbers, names)]
    assert ends[0] == pytest.approx(ends[1], abs=0.2)


def test_notes_and_shapes_lie_on_their_axes_and_outside_of_them_are_hidden():
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1]))
    figure.update_layout(xaxis={"range": [0, 1]}, yaxis={"range": [0, 1]})
    figure.add_hline(0.25)
    figure.add_annotation(x=0.5, y=0.5, text="inside", showarrow=False)
    figure.add_annotation(x=0.5, y=3, text="outside", showarrow=False)
    root = parsed(figure)
    [panel] = panels(root)
    height = float(panel.get("height", 0))
    line = next(panel.iter(f"{SVG}path"))
    assert corners(line.get("d", ""))[:, 1] == pytest.approx([0.75 * height] * 2, abs=0.06)
    assert "inside" in texts(root)
    assert "outside" not in texts(root)


# What users meet


def test_a_figure_of_the_library_is_saved_as_a_file_of_its_own():
    case = "RegNetX-400MF", list(fs.scaling.STRATEGIES), np.geomspace(1, 16, 9)
    figure = figures.complexity_curves(fs.sweep(*case), fs.scaling.laws(*case), title="counts")
    text = figures.to_svg(figure)
    root = ET.fromstring(text)
    assert "var(" not in text
    assert {"counts", "law", *fs.scaling.STRATEGIES, "flops (multiply-adds)"} <= set(texts(root))
    assert root.get("width") == "920"


@pytest.mark.parametrize(
    ("figure", "named"),
    [
        (go.Figure(go.Pie(values=[1])), "traces of type 'pie'"),
        (go.Figure(go.Scatter(y=[1, 2], marker={"symbol": "y-up"}, mode="markers")), "the marker 'y-up'"),
        (go.Figure(go.Scatter(y=[1, 2], line={"shape": "spline"})), "the line shape 'spline'"),
        (go.Figure(go.Scatter(y=[1, 2], fill="tonexty")), "the fill 'tonexty'"),
        (go.Figure(go.Scatter(y=[1, 2], marker={"color": [1, 2]}, mode="markers")), "coloured by numbers"),
    ],
)
def test_what_is_not_drawn_is_named(figure, named):
    with pytest.raises(figures.FigureError, match=re.escape(named)):
        figures.to_svg(figure)


def test_a_frame_s_numbers_come_as_plotly_keeps_them():
    frame = pd.DataFrame({"x": np.arange(30.0), "y": np.arange(30.0) ** 2})
    figure = go.Figure(go.Scatter(x=frame["x"], y=frame["y"], mode="lines"))
    assert (
        picture(figure).svg
        == picture(go.Figure(go.Scatter(x=[*range(30)], y=[n**2 for n in range(30)], mode="lines"))).svg
    )
