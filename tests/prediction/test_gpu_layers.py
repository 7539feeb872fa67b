"""The roofline of a GPU: its derivatives, its group widths, and what it finds in rows of a made-up GPU."""

import numpy as np
import pandas as pd
import pytest
from helpers.fake_device import RATES, by_layers, rows

import fastscale_lib as fs
from fastscale_lib.architectures.layer_types import KINDS
from fastscale_lib.prediction import unseen
from fastscale_lib.prediction.gpu_layers import GpuLayers
from fastscale_lib.prediction.timed_rows import timed_rows, timed_runs


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    return rows(lambda network, batch: fs.complexity(network).activations * batch / 1e11, batch=64).assign(
        device="cuda"
    )


@pytest.mark.parametrize("order", [1, 4])
def test_its_derivatives_are_those_of_its_times(order, measured):
    form = GpuLayers(order)
    [(_, timed)] = timed_rows(measured)
    runs, seconds = timed_runs(timed)
    at, _ = form.start(runs, seconds, False)
    step = 1e-5 * np.eye(len(at))
    by_differences = [(form.log_seconds(runs, at + each) - form.log_seconds(runs, at - each)) / 2e-5 for each in step]
    assert form.slopes(runs, at) == pytest.approx(np.stack(by_differences, axis=1), abs=1e-7)


def of_kind(form: GpuLayers, network: fs.Network, name: str, factor: float) -> float:
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
    form = GpuLayers()
    assert of_kind(form, fast, "conv in groups of 2^k", 3) == pytest.approx(3)
    assert of_kind(form, fast, "conv in groups", 3) == pytest.approx(1)
    assert of_kind(form, slow, "conv in groups", 3) == pytest.approx(3)


def test_a_gpu_with_many_rows_is_fitted_by_it_and_any_other_as_before(measured):
    assert len(measured) < 60
    assert "half width of outputs" not in fs.RuntimeModel.fit(measured).rates()


def test_many_rows_of_a_gpu_give_its_rates_and_hold_the_launch(monkeypatch):
    """Batches above 8 cannot tell what a launch takes."""
    monkeypatch.setattr(unseen, "forms_of", lambda by, rows: [GpuLayers()])
    many = pd.concat([rows(by_layers, batch=batch) for batch in (64, 256)]).assign(device="cuda")
    assert len(many) >= 60
    rates = fs.RuntimeModel.fit(many).rates().iloc[0]
    assert rates["launch"] == pytest.approx(5e-6, rel=0.1)
    assert rates["error"] < 0.05
    assert rates["conv 1×1"] == pytest.approx(RATES["conv 1×1"], rel=0.3)


def test_the_form_that_predicts_families_left_out_best_is_taken():
    """The made-up device has one rate for all groups: what tells their widths apart cannot be better."""
    many = pd.concat([rows(by_layers, batch=batch) for batch in (64, 256)]).assign(device="cuda")
    assert "half width of outputs" not in fs.RuntimeModel.fit(many).rates()
