"""Budgets: no larger network is within one, as counting every scale by itself shows."""

from typing import Any

import numpy as np
import pytest
from helpers.fake_device import made_up_device, rows
from hypothesis import given, settings
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib._common.frames import rows as rows_of
from fastscale_lib.architectures.counting import METRICS
from fastscale_lib.prediction.budgets import BudgetError
from fastscale_lib.prediction.stored_models import fitted_model, fitted_models

SMALL = fs.anynet(name="small", depths=[1, 2], widths=[24, 48], group_widths=8, stem_width=16, resolution=64)
FAMILY = ["w", "dw", "dwr", "dWr", 0.5]


def dense(base, strategy, low=0.05, high=64.0, points=6000):
    return fs.sweep(base, strategy, np.geomspace(low, high, points), stages=False)


# Counts


@pytest.mark.parametrize("metric", ["flops", "params", "activations"])
@settings(max_examples=15)
@given(base=st.sampled_from(["RegNetY-400MF", "EfficientNet-B0", "ResNet-50"]), way=st.sampled_from(FAMILY),
       times=st.floats(0.5, 20))  # fmt: skip
def test_no_larger_network_keeps_within_a_count(metric, base, way, times):
    budget = times * getattr(fs.complexity(base), metric)
    [row] = rows_of(fs.within(base, way, **{metric: budget}, memory=False))
    assert getattr(row, metric) <= budget
    every = dense(base, way)
    beyond = every[(every[metric] <= budget) & (every["scale"] > row.scale)]
    assert set(beyond["flops"]) <= {row.flops}  # s lies inside its step, and the rest of it is the same network
    assert row.bound == metric


@st.composite
def small_bases(draw) -> fs.Network:
    """Networks whose sizes one rounding changes by much, and of which no scaled network may have the sizes."""
    stages = draw(st.integers(1, 2))
    each = lambda *values: draw(st.lists(st.sampled_from(values), min_size=stages, max_size=stages))  # noqa: E731
    return fs.anynet(
        depths=each(1, 2, 3),
        widths=each(2, 4, 6, 8, 12, 16, 24, 40),
        bottlenecks=draw(st.sampled_from([1, 0.5, 1.5, 2, 4])),
        group_widths=draw(st.sampled_from([None, 1])),
        stem_width=draw(st.sampled_from([4, 8, 16])),
        resolution=draw(st.sampled_from([8, 14, 28, 32])),
        classes=draw(st.sampled_from([2, 10, 100])),
    )


@settings(max_examples=40)
@given(base=small_bases(), way=st.sampled_from([*FAMILY, "d", "w1", "wr"]), metric=st.sampled_from(METRICS),
       times=st.sampled_from([0.5, 0.9, 1.0, 1.3, 2, 5]))  # fmt: skip
def test_a_small_base_s_answer_is_the_largest_that_keeps_within(base, way, metric, times):
    """Tried one by one: 1, and scale factors so dense that no network between them is left out."""
    budget = times * getattr(fs.complexity(base), metric)
    every = fs.sweep(base, way, np.append(np.geomspace(1e-3, 1e5, 8000), 1.0), stages=False)
    keeping = every[every[metric] <= budget].sort_values("scale")
    if len(set(every[metric])) == 1 or keeping.empty:
        with pytest.raises(BudgetError, match="is too little" if keeping.empty else "does not bound"):
            fs.within(base, way, **{metric: budget}, memory=False)
        return
    [row] = rows_of(fs.within(base, way, **{metric: budget}, memory=False))
    largest = keeping.iloc[-1]
    assert (row.flops, row.params, row.activations) == tuple(largest[list(METRICS)])
    assert row.bound == metric


def test_a_base_that_no_scaled_network_is_as_narrow_as_is_one_of_them():
    base = fs.anynet(depths=[1], widths=[4], resolution=28, stem_width=8, classes=10)
    [row] = rows_of(fs.within(base, "w", params=1.3 * fs.complexity(base).params, memory=False))
    assert (row.scale, row.widths) == (1.0, "4")  # from 8 on, all others have more


def test_the_row_s_scale_gives_the_network():
    found = fs.within("RegNetY-4.0GF", FAMILY, params=60e6, memory=False)
    assert len(found) == len(FAMILY)
    for row in rows_of(found):
        network = fs.scale("RegNetY-4.0GF", row.strategy, row.scale)
        assert fs.complexity(network) == (row.flops, row.params, row.activations)


def test_of_several_budgets_all_hold_and_one_binds():
    budgets: dict[str, Any] = {"params": 80e6, "activations": 25e6}
    alone = {
        name: fs.within("ResNet-50", "dWr", **{name: most}, memory=False).iloc[0] for name, most in budgets.items()
    }
    both = fs.within("ResNet-50", "dWr", params=80e6, activations=25e6, memory=False).iloc[0]
    assert both["scale"] == pytest.approx(min(row["scale"] for row in alone.values()), rel=0.05)
    assert both["params"] <= 80e6
    assert both["activations"] <= 25e6
    assert both["bound"] == min(alone, key=lambda name: alone[name]["scale"])


# Time


def test_a_time_buys_what_the_model_predicts_to_keep_within():
    model = made_up_device()
    found = fs.within("RegNetX-400MF", FAMILY, time_ms=200, batch=4, model=model, memory=False)
    assert len(found) == len(FAMILY)
    for row in rows_of(found):
        network = fs.scale("RegNetX-400MF", row.strategy, row.scale)
        assert row.predicted_ms == pytest.approx(model.predict(network, 4)["predicted_ms"][0])
        assert row.predicted_ms <= 200
        scales = np.geomspace(1, 20, 300) * row.scale
        times = model.curve(fs.network("RegNetX-400MF"), [fs.strategy(row.strategy)], scales, 4).ms
        assert ((times > 200) | np.isclose(times, row.predicted_ms)).all()  # beyond, or still the same network
        assert times.max() > 200


def test_predicted_times_come_with_the_stated_error():
    model = fs.RuntimeModel.fit(rows(lambda network, batch: fs.complexity(network).flops * batch / 1e10))
    row = fs.prediction.costs("ResNet-50", "w", 2.0, batch=4, model=model, memory=False).iloc[0]
    [fitted] = model.fitted.values()
    assert row["high_ms"] / row["predicted_ms"] == pytest.approx(1 + fitted.error)
    assert row["predicted_ms"] / row["low_ms"] == pytest.approx(1 + fitted.error)


# Memory


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_memory_is_kept_within_and_the_next_step_is_not(mode):
    budget = 3 * fs.peak_memory(SMALL, 32, mode).peak_bytes
    found = fs.within(SMALL, ["w", "dwr"], memory_bytes=budget, batch=32, mode=mode)
    assert found["strategy"].tolist() == ["w", "dwr"]
    for row in rows_of(found):
        network = fs.scale(SMALL, row.strategy, row.scale)
        assert row.counted_memory_bytes == fs.peak_memory(network, 32, mode).peak_bytes <= budget
        assert row.bound == "memory_bytes"
        larger = [fs.scale(SMALL, row.strategy, row.scale * by) for by in (1.2, 1.3, 1.5, 2)]
        assert min(fs.peak_memory(each, 32, mode).peak_bytes for each in larger) > budget


def test_memory_beside_a_count_that_binds_changes_nothing():
    alone = fs.within(SMALL, "w", params=2e5)
    both = fs.within(SMALL, "w", params=2e5, memory_bytes=1e10)
    assert both["scale"].tolist() == alone["scale"].tolist()
    tight = fs.within(SMALL, "w", params=2e6, memory_bytes=int(alone["counted_memory_bytes"].iloc[0]))
    assert tight["flops"].iloc[0] >= alone["flops"].iloc[0]
    assert tight["bound"].iloc[0] == "memory_bytes"


# Refusals


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "give one or several of time_ms, memory_bytes, flops, params, activations"),
        ({"flops": -1}, "flops is -1.0, but must be|flops is -1, but must be a number above 0"),
        ({"time_ms": 5}, "needs a model that predicts times"),
        ({"params": 10}, "params=10 is too little for RegNetX-200MF scaled by w: its smallest network takes"),
        ({"params": 1e7, "threads": 2}, "no model is given"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_refused_in_a_sentence(asked: dict[str, Any], said):
    with pytest.raises(BudgetError, match=said):
        fs.within("RegNetX-200MF", "w", **asked)


def test_a_budget_that_bounds_nothing_is_refused():
    with pytest.raises(BudgetError, match=r"params=10,000,000 does not bound RegNetX-200MF scaled by r"):
        fs.within("RegNetX-200MF", "r", params=1e7)


def test_a_setting_that_the_model_does_not_know_is_refused():
    with pytest.raises(fs.prediction.PredictionError, match="mode='training'"):
        fs.within("ResNet-50", "w", time_ms=5, mode="training", model=made_up_device())


# The model


def test_the_setting_of_most_rows_is_fitted(tmp_path):
    stores = [fs.Store(tmp_path / name) for name in ("few.jsonl", "many.jsonl")]
    time = lambda network, batch: fs.complexity(network).flops * batch / 1e10  # noqa: E731
    for store, found in zip(stores, (rows(time, device_name="Few", bases=["ResNet-50", "ResNeXt-50"]), rows(time)),
                            strict=True):  # fmt: skip
        for row in found.to_dict("records"):
            store.add({str(name): value for name, value in row.items()})
    paths = [store.path for store in stores]
    for name, batch, device in (("", None, "Made-up"), ("Few", None, "Few"), ("", 4, "Made-up")):
        model = fitted_model(paths, "inference", "fp32", name, batch)
        assert model is not None
        assert set(model.rates()["device_name"]) == {device}
    assert fitted_model(paths, "inference", "fp32", batch=5) is None  # of which the rows, of batch 4, tell nothing
    assert fitted_models(paths, "inference", "fp32", batch=5) == {}
    assert fitted_model(paths, "training", "fp32") is None
    assert fitted_model([], "inference", "fp32") is None
    with pytest.raises(BudgetError, match="there are those of Few, Made-up"):
        fitted_model(paths, "inference", "fp32", "None such")
