"""Budgets of families: every size that is tried is made and counted, and the largest within them is found."""

from __future__ import annotations

import pytest
from helpers.fake_device import made_up_device
from helpers.importable_net import ImportableNet

import fastscale_lib as fs
from fastscale_lib._common.frames import rows as rows_of
from fastscale_lib.prediction.budgets import BudgetError


@pytest.fixture(scope="module")
def family() -> fs.architectures.Family:
    return fs.family(ImportableNet, resolution=64, depth={"blocks": 4}, width={"channels": 64})


def test_costs_of_a_family_are_those_of_its_sizes(family):
    model = made_up_device()
    frame = fs.prediction.costs(family, ["w", "dwr"], [1, 4], batch=64, model=model)
    assert len(frame) == 4
    for row in rows_of(frame):
        scaled = fs.scale(family, row.strategy, row.scale)
        assert row.flops == fs.complexity(scaled).flops
        assert row.counted_memory_bytes == fs.peak_memory(scaled, 64).peak_bytes
        [alone] = rows_of(model.predict(scaled, 64))
        assert row.predicted_ms == pytest.approx(alone.predicted_ms)


@pytest.mark.parametrize("way", ["w", "d", "dwr"])
def test_the_largest_size_within_a_count_is_found(family, way):
    [row] = rows_of(fs.within(family, way, flops=5 * fs.complexity(family).flops, memory=False))
    assert row.flops <= 5 * fs.complexity(family).flops < fs.complexity(fs.scale(family, way, row.scale * 1.003)).flops
    assert row.bound == "flops"
    small = fs.within(family, way, params=0.6 * fs.complexity(family).params, memory=False)
    assert small["scale"][0] < 1
    assert small["params"][0] <= 0.6 * fs.complexity(family).params


def test_the_largest_size_within_memory_is_found(family):
    most = 3 * fs.peak_memory(family, 8).peak_bytes
    [row] = rows_of(fs.within(family, "w", memory_bytes=most, batch=8))
    assert row.counted_memory_bytes <= most
    assert fs.peak_memory(fs.scale(family, "w", row.scale * 1.003), 8).peak_bytes > most


def test_the_largest_size_within_a_time_is_found(family):
    model = made_up_device()
    most = 4 * model.predict(family, 64)["predicted_ms"][0]
    [row] = rows_of(fs.within(family, "w", time_ms=most, model=model, memory=False))
    beyond = fs.scale(family, "w", row.scale * 1.003)
    assert row.predicted_ms <= most < model.predict(beyond, 64)["predicted_ms"][0]


def test_budgets_that_no_size_keeps_or_breaks_are_refused(family):
    with pytest.raises(BudgetError, match="flops=10 is too little for ImportableNet scaled by w: its smallest network"):
        fs.within(family, "w", flops=10)
    with pytest.raises(BudgetError, match="does not bound ImportableNet scaled by r, which changes nothing of it"):
        fs.within(family, "r", params=1e9)
