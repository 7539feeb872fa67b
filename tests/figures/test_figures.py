"""Figures: frames in, plotly out; a strategy, metric or unit looks the same wherever it is drawn."""

import numpy as np
import pandas as pd
import pytest
from helpers.figures import annotations, layout_of, traces

import fastscale_lib as fs
from fastscale_lib import figures
from fastscale_lib.analysis.correlation import correlations
from fastscale_lib.architectures.counting import METRICS
from fastscale_lib.figures import theme
from fastscale_lib.figures.theme import METRIC_STYLES
from fastscale_lib.records.published_rows import published, tidy

NAME, STRATEGIES = "RegNetY-400MF", ["d", "w", "dwr", "dWr", "d1_w2_g2_r1", "alpha=0.5"]
SCALES = np.geomspace(1 / 4, 64, 12).tolist()


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return fs.sweep(NAME, STRATEGIES, SCALES)


@pytest.fixture(scope="module")
def laws() -> pd.DataFrame:
    return fs.scaling.laws(NAME, STRATEGIES, SCALES)


# Styles


def test_the_paper_s_strategies_differ_with_and_without_colour():
    styles = [figures.style(name) for name in fs.scaling.STRATEGIES]
    assert len(styles) == 8
    assert len({style.colour for style in styles}) == 8
    assert len({style.symbol for style in styles}) == 8


def test_the_styles_are_fixed():
    """Who knows dWr as a green star finds it so in every figure, of this version and the next."""
    assert {name: tuple(figures.style(name)) for name in fs.scaling.STRATEGIES} == {
        "d": ("#E69F00", "square"),
        "w": ("#0072B2", "circle"),
        "r": ("#CC79A7", "diamond"),
        "dw": ("#56B4E9", "triangle-up"),
        "dr": ("#999933", "triangle-down"),
        "wr": ("#882255", "pentagon"),
        "dwr": ("#D55E00", "cross"),
        "dWr": ("#009E73", "star"),
    }


@pytest.mark.parametrize("name", ["d1_w2_g2_r1", "g1", "d3_w1", "alpha=0.25", "alpha=0.8"])
def test_other_strategies_look_like_none_of_the_paper_s(name):
    named = [figures.style(each) for each in fs.scaling.STRATEGIES]
    other = figures.style(name)
    assert other == figures.style(name)
    assert other.colour not in {style.colour for style in named}
    assert other.symbol not in {style.symbol for style in named}


def test_metrics_are_told_apart_without_colour():
    styles = [METRIC_STYLES[metric] for metric in METRICS]
    assert len({colour for colour, _ in styles}) == len({dash for _, dash in styles}) == len(METRICS)


@pytest.mark.parametrize(("name", "shown"), [("dWr", "dWr"), ("alpha=0.8", "α = 0.8"), ("alpha=1/3", "α = 0.333")])
def test_labels(name, shown):
    assert figures.label(name) == shown


# Figures from frames


def drawn(figure, strategy: str, panel: int, dashed: bool):
    """The one trace of a strategy in a panel (from 1): its counts, or dashed its law."""
    axis = "x" if panel == 1 else f"x{panel}"
    [trace] = [
        each
        for each in traces(figure)
        if (each.legendgroup, each.xaxis, each.line.dash == "dash") == (strategy, axis, dashed)
    ]
    return trace


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_curves_are_the_frame_s_numbers(frame, laws, strategy):
    figure = figures.complexity_curves(frame, laws)
    rows, ends = frame[frame.strategy == strategy], laws[laws.strategy == strategy].iloc[[0, -1]]
    for panel, metric in enumerate(("activations", "params"), 1):
        curve = drawn(figure, strategy, panel, dashed=False)
        assert list(curve.x) == rows.flops.tolist()
        assert list(curve.y) == rows[metric].tolist()
        assert (curve.line.color, curve.marker.symbol) == figures.style(strategy)
        law = drawn(figure, strategy, panel, dashed=True)
        assert list(law.x) == ends.flops.tolist()
        assert list(law.y) == ends[metric].tolist()
        assert law.line.color == curve.line.color
        assert f"s<sup>{getattr(fs.strategy(strategy).laws, metric)}</sup>" in law.hovertemplate


def test_a_law_needs_no_order_of_rows(frame, laws):
    shuffled = figures.complexity_curves(frame, laws.sample(frac=1, random_state=3))
    for strategy in STRATEGIES:
        ours = drawn(shuffled, strategy, 1, dashed=True)
        assert list(ours.x) == list(drawn(figures.complexity_curves(frame, laws), strategy, 1, dashed=True).x)


def test_without_laws_nothing_is_dashed(frame):
    assert not [trace for trace in traces(figures.complexity_curves(frame)) if trace.line.dash]


def test_the_legend_names_each_strategy_once(frame, laws):
    figure = figures.complexity_curves(frame, laws)
    named = [trace.name for trace in traces(figure) if trace.showlegend is not False]
    assert named == ["law", *map(figures.label, STRATEGIES)]


def test_axes_are_logarithmic_and_say_their_units(frame):
    figure = figures.complexity_curves(frame, y=("activations", "params", "flops"), x="scale")
    titles = [layout_of(figure)[f"yaxis{n}"].title.text for n in ("", 2, 3)]
    assert titles == ["activations (elements)", "params (weights)", "flops (multiply-adds)"]
    assert layout_of(figure).xaxis3.title.text == "scale factor s (times the flops wanted)"
    assert {layout_of(figure)[f"{axis}axis{n}"].type for axis in "xy" for n in ("", 2, 3)} == {"log"}


def test_each_network_has_a_row_of_panels():
    case = [NAME, "RegNetX-400MF"], ["w", "dwr"], SCALES
    figure = figures.complexity_curves(fs.sweep(*case), fs.scaling.laws(*case), by="network")
    titles = [note.text for note in figure.layout.annotations]
    assert titles == [f"{name}: {metric}" for name in case[0] for metric in ("activations", "params")]
    assert [trace.name for trace in traces(figure) if trace.showlegend is not False] == ["law", "w", "dwr"]


def test_each_network_has_a_marker_of_its_own_among_fitted_exponents():
    names = [NAME, "RegNetX-400MF"]
    near, large = (fs.scaling.fit_exponents(names, ["w", "dwr"], scales) for scales in ([1, 4, 16], [1024, 4096]))
    figure = figures.exponents(pd.concat([near, large]))
    keys = {trace.name: trace.marker.symbol for trace in traces(figure) if trace.name and trace.name in names}
    assert len(set(keys.values())) == 2
    for network, trace in zip(names, of_panel(figure, 1)[-2:], strict=True):
        assert set(trace.marker.symbol) == {keys[network], f"{keys[network]}-open"}
        rows = near[(near["network"] == network) & (near["metric"] == "flops")]
        assert list(trace.y)[: len(rows)] == pytest.approx((rows["fitted"] - rows["law"].astype(float)).tolist())


@pytest.mark.parametrize("metric", theme.METRICS)
def test_every_quantity_shows_its_unit(metric):
    assert figures.log_axis(metric)["title"]["text"].endswith(f" ({theme.METRICS[metric].unit})")


def test_hover_tells_the_stages(frame):
    figure = figures.complexity_curves(frame)
    row = frame[frame.strategy == "dWr"].iloc[5]
    text = drawn(figure, "dWr", 1, dashed=False).text[5]
    for part in (row.depths, row.widths, row.group_widths, f"{row.resolution}×{row.resolution} px"):
        assert part in text
    assert "multiply-adds" in traces(figure)[0].hovertemplate


def test_a_sweep_without_stages_is_drawn_as_well():
    figure = figures.complexity_curves(fs.sweep(NAME, "dWr", SCALES, stages=False))
    assert list(traces(figure)[0].x) == fs.sweep(NAME, "dWr", SCALES).flops.tolist()


def test_a_mapping_of_columns_is_as_good_as_a_frame(frame):
    rows = frame[frame.strategy == "dwr"]
    columns = {name: rows[name].tolist() for name in rows}
    for function in (figures.curve, figures.marks):
        ours, theirs = function(columns, "params"), function(rows, "params")
        assert ours.pop("x").tolist() == theirs.pop("x").tolist()
        assert ours.pop("y").tolist() == theirs.pop("y").tolist()
        assert ours == theirs


def test_marks_wear_their_strategies_styles(frame):
    rows = frame[frame.scale == SCALES[3]]
    trace = figures.marks(rows, "activations")
    styles = [figures.style(name) for name in STRATEGIES]
    assert trace["marker"]["color"] == [style.colour for style in styles]
    assert trace["marker"]["symbol"] == [style.symbol for style in styles]
    assert trace["y"].tolist() == rows.activations.tolist()
    assert [text.split("<br>")[0] for text in trace["text"]] == list(map(figures.label, STRATEGIES))


def test_frames_are_left_as_they_were(frame, laws):
    before = frame.copy(), laws.copy()
    figures.complexity_curves(frame, laws, title="as before")
    pd.testing.assert_frame_equal(frame, before[0])
    pd.testing.assert_frame_equal(laws, before[1])


# Runtime over complexity


@pytest.fixture(scope="module")
def timings() -> pd.DataFrame:
    frame = published("pycls_zoo_v100")
    return frame[frame["mode"] == "training"]


def of_panel(figure, panel: int) -> list:
    return [trace for trace in traces(figure) if trace.xaxis == ("x" if panel == 1 else f"x{panel}")]


@pytest.mark.parametrize("log", [True, False])
def test_every_timing_is_a_marker_in_the_style_of_its_family(timings, log):
    figure = figures.runtime(timings, log=log)
    for panel, metric in enumerate(METRICS, 1):
        markers = {trace.name: trace for trace in of_panel(figure, panel) if trace.mode == "markers"}
        assert set(markers) == set(timings["family"])
        assert len({(trace.marker.color, trace.marker.symbol) for trace in markers.values()}) == len(markers)
        for family, trace in markers.items():
            rows = timings[timings["family"] == family]
            assert list(trace.x) == rows[metric].tolist()
            assert list(trace.y) == rows["ms_per_image"].tolist()
            assert list(trace.text) == rows["network"].tolist()
    assert [trace.name for trace in traces(figure) if trace.showlegend] == list(timings["family"].value_counts().index)


@pytest.mark.parametrize(("log", "statistic"), [(True, "Pearson of logs"), (False, "Pearson")])
def test_the_correlation_stands_above_each_panel(timings, log, statistic):
    found = correlations(timings).query("statistic == @statistic").set_index("metric")["r"]
    written = annotations(figures.runtime(timings, log=log))
    name = "r of logs" if log else "r"
    assert written == [f"{metric}: {name} = {found[metric]:.2f}" for metric in METRICS]


def test_each_case_has_a_row_of_panels(timings):
    both = pd.concat([timings, timings.assign(precision="fp16")])
    rows = [annotation.split("<br>")[0] for annotation in annotations(figures.runtime(both))][:: len(METRICS)]
    assert len(rows) == 2
    assert rows[1].startswith(timings["device_name"].iloc[0])
    beside = figures.runtime(both, ["flops", "activations"])
    assert len({trace.yaxis for trace in traces(beside)}) == 4
    assert len({layout_of(beside)[f"yaxis{n}"].domain for n in ("", 2, 3, 4)}) == 1  # in one row


@pytest.mark.parametrize("log", [True, False])
def test_the_line_is_that_of_least_squares_on_the_axes_as_drawn(timings, log):
    [line] = [trace for trace in of_panel(figures.runtime(timings, log=log), 3) if trace.mode == "lines"]
    on_axes = np.log if log else np.asarray
    columns = timings[["activations", "ms_per_image"]].astype(float)
    slope, offset = np.polyfit(on_axes(columns["activations"]), on_axes(columns["ms_per_image"]), 1)
    assert list(line.x) == pytest.approx([columns["activations"].min(), columns["activations"].max()])
    assert list(on_axes(np.array(line.y))) == pytest.approx(list(slope * on_axes(np.array(line.x)) + offset))


def test_runtime_axes_say_their_units_and_whether_they_are_logarithmic(timings):
    for log in (True, False):
        layout = layout_of(figures.runtime(timings, log=log))
        assert layout.yaxis.title.text == "time (ms/image)"
        assert layout.xaxis.title.text == "flops (multiply-adds)"
        assert (layout.xaxis2.type == layout.yaxis.type == "log") is log


def test_many_families_share_one_style_but_for_the_largest():
    names = [f"F{family}-{member}" for family in range(20) for member in range(20 - family)]
    counts = {metric: np.arange(1, len(names) + 1) * 1000 for metric in METRICS}
    figure = figures.runtime(tidy({"network": names, "ms_per_image": np.sqrt(counts["flops"]), **counts}))
    assert [trace.name for trace in traces(figure) if trace.showlegend] == [
        "other families",
        *(f"F{family}" for family in range(8)),
    ]


def test_metrics_without_figures_get_no_panel(timings):
    bare = timings.assign(flops=pd.NA, activations=pd.NA)
    titles = [each.split(":")[0] for each in annotations(figures.runtime(bare))]
    assert titles == ["params"]
    assert not traces(figures.runtime(bare.assign(params=pd.NA)))


def test_correlations_are_drawn_with_their_intervals(timings):
    found = correlations(published())
    figure = figures.correlations(found)
    assert annotations(figure) == ["Pearson", "Pearson of logs", "Spearman"]
    assert layout_of(figure).yaxis.ticktext[0] == "V100 · inference"
    for trace in traces(figure):
        metric = trace.legendgroup
        statistic = annotations(figure)[int((trace.xaxis or "x")[1:] or 1) - 1]
        rows = found[(found["metric"] == metric) & (found["statistic"] == statistic)]
        assert list(trace.x) == rows["r"].tolist()
        assert list(trace.x + trace.error_x.array) == pytest.approx(rows["high"].tolist())
        assert list(trace.x - trace.error_x.arrayminus) == pytest.approx(rows["low"].tolist())
        assert trace.marker.color == METRIC_STYLES[metric][0]
    assert len({trace.marker.symbol for trace in traces(figure)}) == len(METRICS)


def test_negative_correlations_are_in_the_picture(timings):
    found = correlations(timings.assign(ms_per_image=1 / timings["ms_per_image"]))
    low, high = layout_of(figures.correlations(found)).xaxis.range
    assert low <= found["low"].min() < 0 < high
