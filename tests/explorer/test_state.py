"""The explorer's state, its timings and its predictions, each without a widget; and the arguments of an explorer."""

import inspect

import pandas as pd
import pytest
from helpers.fake_device import TINY, by_layers, rows
from helpers.waiting import HANGS_S
from traitlets import TraitError

import fastscale_lib as fs
from fastscale_lib.explorer.predictions import Predictions
from fastscale_lib.explorer.state import SETTABLE, State
from fastscale_lib.explorer.timings import Timings


@pytest.fixture
def state():
    made = State()
    made.begin({"network": TINY[0], "strategies": ("w",), "batch": 2, "seconds": 0.1, "device": "cpu"})
    return made


@pytest.mark.parametrize("make", [fs.explore, fs.explorer.Explorer])
def test_every_settable_trait_is_an_argument_with_its_default(make):
    listed = inspect.signature(make).parameters
    assert list(listed)[:-1] == list(SETTABLE)
    for name, trait in SETTABLE.items():
        known = listed[name].default
        assert known == trait.default_value or (name, known) == ("scale", None)  # None: 4, unless flops are given
        assert listed[name].annotation is not inspect.Parameter.empty
        assert f"{name}: {trait.help}" in make.__doc__


def test_what_follows_is_told_once_for_each_change(state):
    told = []
    state.when_changed(told.append)
    state.scale = 2
    assert state.flops == 2 * fs.complexity(TINY[0]).flops
    state.flops *= 2
    assert (state.scale, told) == (4, ["scale", "flops"])


def test_a_good_value_takes_back_what_was_wrong(state):
    state.message = "wrong"
    with pytest.raises(TraitError, match="alpha is 2"):
        state.alpha = 2
    assert state.message == "wrong"
    state.alpha = 0.5
    assert state.message == ""


def test_a_state_is_timed_without_a_widget(state):
    timings = Timings(state)
    assert timings.pid is None
    timings.time()
    assert timings.wait(HANGS_S)
    assert [each.strategy for each in state.measurements] == ["w", "alpha=0.8"]
    assert timings.times["median_ms"].gt(0).all()
    assert (state.busy, state.progress, state.message) == (False, 1, "")
    timings.end()
    with pytest.raises(TraitError, match="this explorer was ended"):
        timings.time()


def test_the_bar_is_full_once_all_is_timed_and_names_each(state, monkeypatch):
    """Not when the seconds of the last network are spent, since what follows may take as long."""
    timings = Timings(state)
    usual, told = timings._on_progress, []
    monkeypatch.setattr(timings, "_on_progress", lambda key, event: usual(key, {**event, "fraction": 1.0}))
    state.observe(lambda change: told.append((state.progress, state.status)), ["status"])
    timings.time()
    assert timings.wait(HANGS_S)
    assert state.progress == 1
    assert all(part < 1 for part, said in told if said.startswith("timing "))
    for number, name in ((1, "w"), (2, "α = 0.8")):
        [part] = {part for part, said in told if said.startswith(f"timing {number} of 2: {name}, ")}
        assert number / 2 - 0.1 < part < number / 2
    timings.end()


def test_a_state_with_a_model_is_predicted_where_the_model_was_fitted(state):
    predictions = Predictions(state, Timings(state))
    assert (predictions.predictor, predictions.unpredicted) == (None, "")
    state.model = fs.RuntimeModel.fit(pd.concat([rows(by_layers, batch=batch) for batch in (4, 64)]))
    state.batch = 8
    predictor = predictions.predictor
    assert predictor
    assert predictor.batch == 8
    state.batch = 1024
    assert predictions.predictor is None
    predictions.say()
    assert state.status.startswith("predict: batch 1,024 is beyond the fitted rows")


def test_a_transformer_takes_resolutions_of_whole_patches_alone(state):
    state.network = "ViT-L/14"
    assert (state.resolution, state.scaled("w").group_widths) == (224, (64,))
    with pytest.raises(TraitError, match=r"230, but must be a multiple of the 14 pixels .* nearest are 224 and 238"):
        state.resolution = 230
    state.resolution = 238
    assert state.base == fs.network("ViT-L/14", resolution=238)
