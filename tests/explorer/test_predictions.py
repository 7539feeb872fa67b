"""The explorer's predicted times: a model that is set, or fitted to probes that are measured once."""

import errno
import re
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
from helpers.explorer_view import hand, picture, plain, press, said, shown, trace
from helpers.fake_device import HERE, TINY, by_layers, rows
from helpers.waiting import HANGS_S, until

import fastscale_lib as fs
from fastscale_lib.explorer import app_data
from fastscale_lib.explorer import predictions as predicting
from fastscale_lib.explorer.views import SCALES
from fastscale_lib.measuring.environment import cpu_name
from fastscale_lib.prediction import calibration
from fastscale_lib.records import store as storing

BASE = "RegNetY-400MF"


@pytest.fixture(scope="module")
def model():
    return fs.RuntimeModel.fit(pd.concat([rows(by_layers, batch=batch) for batch in (4, 64)]))


@pytest.fixture
def probes(monkeypatch, tmp_path):
    """Twelve small probes, kept in a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(predicting, "probes", lambda count=10: TINY)
    monkeypatch.setattr(predicting, "PROBE_SECONDS", 0.05)


@pytest.fixture
def x():
    made = fs.explore(BASE, device="cpu", batch=8)
    yield made
    made.close()


def curve(x, name: str) -> tuple[list, list]:
    """Flops and milliseconds of a strategy's line in the figure."""
    drawn_lines = x.to_figure().data
    [drawn] = [t for t in drawn_lines if t.xaxis == "x3" and t.legendgroup == name and t.visible is not False]
    return plain(drawn.x), plain(drawn.y)


def test_a_model_draws_a_curve_for_each_strategy(x, model):
    x.model = model
    for name in (x.strategies[0], "α"):
        flops, ms = curve(x, name)
        strategy = x.strategy(name)
        assert ms == pytest.approx(model.curve(x.base, [strategy], SCALES, 8).ms.tolist())
        assert flops == fs.sweep(BASE, strategy, SCALES)["flops"].tolist()


def test_the_page_may_choose_the_times_of_a_model(x, model):
    before = [each["label"] for each in x._times["timings"]]
    x.model = model
    label = "the model given, batch 8, inference fp32"
    assert [each["label"] for each in x._times["timings"]] == [label, *before]
    hand(x, times=label)
    timing = app_data.Timing(label, "predicted", model, 8, x.predictor.setting)
    assert x._times["timings"][0] == app_data.times_data(x.base, [timing])[0]
    x.model = None
    after = [each["label"] for each in x._times["timings"]]  # with those of measured rows, which were read meanwhile
    assert after[: len(before)] == before
    assert shown(x)["timing"] == before[0]


def test_where_nothing_is_measured_the_figure_draws_the_page_s_times(x):
    label = shown(x)["timing"]
    timing = next(each for each in app_data.shipped_timings() if each.label == label)
    assert x.predictor is None
    for name in (*x.strategies, "α"):
        flops, ms = curve(x, name)
        assert ms == plain(timing.model.curve(x.base, [x.strategy(name)], SCALES, timing.batch, **timing.setting).ms)
        assert flops == fs.sweep(BASE, x.strategy(name), SCALES)["flops"].tolist()
    note = x.to_figure().layout.annotations[-1].text
    assert re.fullmatch(rf"predicted on {re.escape(label)}, ± \d+%", note)


def test_the_figure_draws_the_times_that_a_hand_chooses(x):
    label = [each["label"] for each in x._times["timings"]][-1]
    hand(x, timing=label)
    assert f"predicted on {label}, ± " in x.to_figure().layout.annotations[-1].text


def test_the_band_is_the_stated_error(x, model):
    x.model = model
    figure = x.to_figure()
    ms = plain(next(t for t in figure.data if t.xaxis == "x3" and t.legendgroup == "α").y)
    band = np.array(plain(trace(figure, "error", "3").y)).reshape(2, -1)
    of_slider = model.curve(x.base, [x.slider], SCALES, 8)
    assert band[0] == pytest.approx(of_slider.high_ms)
    assert band[1][::-1] == pytest.approx(of_slider.low_ms)
    like_fitted = np.array([note is None for note in of_slider.notes])
    off = 1 + model.rates()["error"][0]
    assert band[0][like_fitted] == pytest.approx(np.array(ms)[like_fitted] * off, rel=0.01)  # what shows is noted
    assert (band[0][~like_fitted] > np.array(ms)[~like_fitted] * off * (1 - 1e-9)).all()


def test_the_status_says_where_the_band_is_wider(x, model):
    x.model = model
    assert x.status.startswith("times are predicted, with a median error of ")
    assert "; beyond the fitted networks the band is wider: it has " in x.status
    x.batch = 64
    assert "the band is wider" in x.status


def test_a_move_of_alpha_predicts_one_line_anew(x, model, monkeypatch):
    x.model = model
    asked, told = [], fs.RuntimeModel.curve

    def kept(self, base, ways, *rest, **setting):
        asked.append([each.name for each in ways])
        return told(self, base, ways, *rest, **setting)

    monkeypatch.setattr(fs.RuntimeModel, "curve", kept)
    x.alpha = 0.25
    x.scale = 8
    assert asked == [["alpha=0.25"]]
    x.network = "RegNetY-800MF"
    assert asked[1:] == [[*x.strategies, "alpha=0.25"]]
    fresh = fs.explore("RegNetY-800MF", x.strategies, 0.25, 8, device="cpu", batch=8)
    fresh.model = model
    assert x.status == fresh.status
    fresh.close()


def test_a_line_ends_where_nothing_can_be_told_and_the_status_says_why(x, model):
    [(setting, fitted)] = model.fitted.items()
    assert fitted.reach is not None
    near = fitted.reach._replace(up=fitted.reach.up._replace(times=2.0))  # as fits to few rows have it
    model = fs.RuntimeModel("layers", {setting: fitted._replace(reach=near)})
    x.network = "RegNetY-32GF"
    x.model = model
    told = model.curve(x.base, [x.slider], SCALES, 8)
    known = np.isfinite(told.ms)
    assert 0 < known.sum() < len(SCALES)
    figure = x.to_figure()
    _, ms = curve(x, "α")
    assert [each is None for each in ms] == (~known).tolist()
    band = np.array(plain(trace(figure, "error", "3").y)).reshape(2, -1)  # without a gap, which would cut it in two
    assert band[0] == pytest.approx(told.high_ms[known])
    assert "; where a line ends, a network is not predicted: it has " in x.status
    assert "measure rows of larger networks" in x.status
    assert np.isfinite(plain(figure.layout.yaxis3.range)).all()


def test_at_a_batch_that_was_not_fitted_no_line_is_drawn_and_it_says_why(x, model):
    x.model = model
    x.batch = 1024
    assert x.predictor is None
    assert not [each for each in x._times["timings"] if each["label"].startswith("the model given")]
    assert x.status.startswith("predict: batch 1,024 is beyond the fitted rows, of batch 4 to 64")
    nothing, others = x.to_figure().layout.annotations[-1].text.split("<br>")
    assert nothing == "nothing predicted for batch 1024, fp32 inference"
    assert others.startswith(f"predicted on {shown(x)['timing']}, ± ")  # what the page shows: no panel is empty
    x.batch = 16
    assert x.predictor
    assert "batch 1,024" not in x.status


def test_nothing_is_predicted_where_the_model_knows_no_such_setting(x, model):
    before = picture(x)
    x.model = model
    assert picture(x) != before
    x.mode = "training"
    assert (x.mode, x.predictor) == ("training", None)
    x.mode = "inference"
    assert x.predictor.model is model
    x.model = None
    assert picture(x) == before


def test_the_page_as_a_file_has_them_too(x, model):
    x.model = model
    assert "the model given, batch 8, inference fp32" in x.to_html()


def test_a_press_measures_the_probes_once_and_predicts(x, probes):
    x.ask_devices()
    assert x.wait(HANGS_S)
    assert (x.busy, x.model) == (False, None)
    press(x, "predict")
    assert x.busy
    assert x._panel["busy"]
    assert x.wait(HANGS_S)
    assert said(x) == ""
    assert x.status.startswith("timed 12 networks; times are predicted, with a median error of ")
    assert x.predictor.model is x.model
    kept = fs.Store(calibration.kept_in()).frame()
    assert kept["network"].tolist() == [probe.name for probe in TINY]
    assert set(kept["batch"]) == {8}  # the explorer's own

    x.batch = 9
    assert (x.batch, x.model) == (9, None)
    assert x.status.startswith(
        "predict: too few probes were measured on cpu in inference, fp32, at batch 9; press Predict"
    )
    x.batch = 8
    assert x.predictor.model is x.model

    other = fs.explore(BASE, device="cpu")
    other.ask_devices()
    assert other.wait(HANGS_S)
    assert other.predictor
    assert other.predictor
    assert other.predictor.model.predict(TINY, 8).equals(x.predictor.model.predict(TINY, 8))
    other.mode = "training"
    assert other.model is None
    other.mode = "inference"
    assert other.model
    other.close()
    press(x, "predict")
    assert not x.busy
    assert len(fs.Store(calibration.kept_in())) == 12

    fitted, _ = calibration.calibrated_and_remarks(kept)
    assert x.model.predict(TINY, 8).equals(fitted.predict(TINY, 8))


def test_probes_of_other_threads_or_another_device_are_not_taken(x, probes):
    x.ask_devices()
    assert x.wait(HANGS_S)
    store = fs.Store(calibration.kept_in())
    mine = {**HERE, "device_name": cpu_name(), "threads": 1, "batch": 8, "torch": version("torch"), "reason": None}
    for other in ({"threads": 7}, {"device_name": cpu_name()[:-1]}):
        for probe in TINY:
            what = {"network": probe.name, "network_id": probe.id, "description": probe.to_dict()}
            store.add({**mine, **what, "median_ms": 1.0, "half_width": 0.01, **other})
    x.mode, x.mode = "training", "inference"
    assert (x.mode, x.model) == ("inference", None)
    x.calibrate()
    assert x.wait(HANGS_S)
    assert len(store) == 3 * 12
    assert set(x.model.rates()["threads"]) == {1}


def test_cancelled_it_goes_on_where_it_was(x, probes):
    x.ask_devices()
    assert x.wait(HANGS_S)
    x.calibrate()
    store = fs.Store(calibration.kept_in())
    until(lambda: len(store) >= 2)
    x.cancel()
    assert x.wait(HANGS_S)
    assert "cancelled" in x.status
    held = len(store)
    assert held < 12
    assert x.model is None
    x.calibrate()
    assert x.wait(HANGS_S)
    assert len(store) == 12
    assert store.frame()["network_id"].nunique() == 12
    assert x.model


@pytest.mark.parametrize("content", [None, "# Notes\n\nNothing measured.\n"], ids=["no folder", "no store"])
def test_where_probes_cannot_be_kept_none_is_measured(x, probes, tmp_path, content):
    if content is None:
        (tmp_path / "fastscale").write_text("a file, where a folder is to be made")
    else:
        calibration.kept_in().parent.mkdir()
        calibration.kept_in().write_text(content)
    x.devices = {"cpu": cpu_name()}
    press(x, "predict")
    assert re.fullmatch(r"store: .*calibration\.jsonl (cannot be written|is no store of measurements).*", said(x))
    assert not x.busy
    x.devices = {"cpu": cpu_name(), "cuda:0": "Made-up"}  # a device more: kept probes are looked for again
    assert x.model is None


def test_a_full_disk_ends_the_measuring_of_probes_in_a_sentence(x, probes, monkeypatch):
    def full(file, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storing, "_write_all", full)
    x.ask_devices()
    assert x.wait(HANGS_S)
    x.calibrate()
    assert x.wait(HANGS_S)
    assert "cannot take a row (No space left on device)" in x.message
    assert x.model is None
    assert len(fs.Store(calibration.kept_in())) == 0


def test_before_the_devices_are_known_it_waits_for_them(x, probes):
    press(x, "predict")
    assert x.busy
    assert x.wait(HANGS_S)
    assert (said(x), x.busy) == ("", False)
    assert x.predictor


def test_what_is_no_model_is_refused(x):
    with pytest.raises(Exception, match="model"):
        x.model = "fast"
    assert x.model is None
