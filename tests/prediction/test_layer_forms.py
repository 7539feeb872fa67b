"""The roofline of layers: its derivatives, group widths, and what it finds in rows of made-up devices."""

import numpy as np
import pandas as pd
import pytest
from helpers.fake_device import RATES, by_layers, rows

import fastscale_lib as fs
from fastscale_lib.architectures.layer_types import KINDS
from fastscale_lib.prediction import unseen
from fastscale_lib.prediction.forms import BY, form_of, forms_of
from fastscale_lib.prediction.layer_forms import DESIGNS, NAMES, Layers
from fastscale_lib.prediction.timed_rows import timed_rows, timed_runs


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    return rows(lambda network, batch: fs.complexity(network).activations * batch / 1e11, batch=64).assign(
        device="cuda"
    )


@pytest.mark.parametrize("name", [*DESIGNS, *(by for by in BY if by != "layers")])
def test_its_derivatives_are_those_of_its_times(name, measured):
    form = Layers(name) if name in DESIGNS else form_of(name)
    [(_, timed)] = timed_rows(measured)
    runs, seconds = timed_runs(timed)
    at, _ = form.start(runs, seconds, False)
    step = 1e-5 * np.eye(len(at))
    by_differences = [(form.log_seconds(runs, at + each) - form.log_seconds(runs, at - each)) / 2e-5 for each in step]
    assert form.slopes(runs, at) == pytest.approx(np.stack(by_differences, axis=1), abs=1e-7)


def test_every_parameter_is_fitted_held_or_tied_to_one_that_is_fitted():
    for name, design in DESIGNS.items():
        fitted = Layers(name).names
        assert set(fitted) | set(design.tied) | set(design.held) == set(NAMES)
        assert set(design.tied.values()) <= set(fitted)


def of_kind(form: Layers, network: fs.Network, name: str, factor: float) -> float:
    """How much longer the groups' arithmetic takes where the rate of this name is so many times smaller."""
    values = dict.fromkeys(form.names, 0.0) | {name: -np.log(factor)}
    ops = fs.architectures.operation_lists.operations(network)
    groups = ops.kind == KINDS.index("conv in groups")
    slow, usual = (
        form.bounds(ops, 1.0, 2, np.array(list(each.values())))[0] for each in (values, dict.fromkeys(form.names, 0.0))
    )
    return float((slow / np.where(usual, usual, 1))[groups].mean())


def test_groups_of_powers_of_two_have_a_rate_of_their_own():
    """RegNetY-4.0GF has groups of 64 channels; by dWr they become others."""
    fast, slow = fs.network("RegNetY-4.0GF"), fs.scale("RegNetY-4.0GF", "dWr", 2)
    form = Layers("gpu")
    assert of_kind(form, fast, "conv in groups of 2^k", 3) == pytest.approx(3)
    assert of_kind(form, fast, "conv in groups", 3) == pytest.approx(1)
    assert of_kind(form, slow, "conv in groups", 3) == pytest.approx(3)


def test_a_gpu_with_many_rows_is_fitted_by_it_and_any_other_as_before(measured):
    assert len(measured) < 60
    assert "half width of outputs" not in fs.RuntimeModel.fit(measured).rates()


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    return pd.concat([rows(by_layers, batch=batch) for batch in (64, 256)]).assign(device="cuda")


def test_many_rows_of_a_gpu_give_its_rates_and_hold_the_launch(many, monkeypatch):
    """Batches above 8 cannot tell what a launch takes."""
    assert len(many) >= 60
    monkeypatch.setattr(unseen, "forms_of", lambda by, rows: [Layers("gpu, overlapping")])
    rates = fs.RuntimeModel.fit(many).rates().iloc[0]
    assert rates["launch"] == pytest.approx(5e-6, rel=0.1)
    assert rates["error"] < 0.05
    assert rates["conv 1×1"] == pytest.approx(RATES["conv 1×1"], rel=0.3)


def test_the_form_that_predicts_families_left_out_best_is_taken(many):
    """The made-up device takes nearly the largest of arithmetic, data and launch: adding them cannot be better."""
    [fitted] = fs.RuntimeModel.fit(many).fitted.values()
    assert isinstance(fitted.form, Layers)
    assert fitted.form.design == "gpu, overlapping"


def test_a_cpu_with_many_rows_may_have_two_half_widths_and_slowing_weights(many):
    """Each network stands with one image in a run in published rows, and its weights are read anew."""
    designs = [form.design for form in forms_of("layers", many.assign(device="cpu")) if isinstance(form, Layers)]
    assert designs == ["cpu", "cpu, weights by kind", "cpu, tokens at full rate", "few"]
    assert {"half width of outputs", "slowed by weights", "depthwise 7×7"} <= set(Layers("cpu").names)
    network = fs.network("Wide-ResNet-50-2")
    ops = fs.architectures.operation_lists.operations(network)
    slowed, usual = (by_slowing(ops, factor) for factor in (1.0, 1e-9))
    largest = int(np.argmax(ops.weights * (ops.kind == KINDS.index("conv k×k"))))
    assert 1.9 < (slowed / np.where(usual, usual, 1))[largest] < 2


def by_slowing(ops, factor: float) -> np.ndarray:
    """Seconds of arithmetic where weights that are large make it this much longer."""
    form = Layers("cpu")
    values = dict.fromkeys(form.names, 0.0) | {"slowed by weights": np.log(factor), "slowing weights": np.log(1e5)}
    return form.bounds(ops, 1.0, 4, np.array(list(values.values())))[0]
