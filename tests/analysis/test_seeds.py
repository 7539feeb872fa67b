"""Errors over seeds: Student's intervals, what is compared with what, and how often an interval has the truth."""

import math

import numpy as np
import pandas as pd
import pytest

import fastscale_lib as fs
from fastscale_lib._common.statistics import holm_levels, student, student_tail
from fastscale_lib.analysis.seeds import Difference, error_difference, seed_errors
from fastscale_lib.scaling.strategies import StrategyLike

TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 10: 2.228, 29: 2.045, 30: 2.042, 120: 1.980}


@pytest.mark.parametrize("freedom", TABLE)
def test_student_s_quantiles_are_those_of_the_printed_tables(freedom):
    assert student(freedom) == pytest.approx(TABLE[freedom], abs=5e-4)


def test_student_s_interval_narrows_to_the_normal_one():
    found = [student(freedom) for freedom in range(1, 200)]
    assert found == sorted(found, reverse=True)
    assert student(100_000) == pytest.approx(1.95997, abs=1e-4)
    assert student(10, sure=0.99) == pytest.approx(3.169, abs=5e-4)
    assert math.isnan(student(0))


def row(strategy: str | None, error: float | None, seed: int, times: float = 1.0, **changes) -> dict:
    """A row as `train` writes it, of what counts here."""
    name = f"Tiny {strategy} {times}" if strategy else "Tiny"
    what = {"kind": "trained", "network_id": name, "network": name, "base": "Tiny", "strategy": strategy}
    setting = {"data": "noise", "data_id": "n", "part": "test", "recipe_id": "r", "device_name": "a CPU"}
    counts = {"flops": round(1e6 * times), "params": 10, "activations": 20}
    return {**what, **setting, **counts, "seed": seed, "top1_error": error, **changes}


def rows(*made: dict) -> pd.DataFrame:
    return pd.DataFrame(made)


def difference(errors: pd.DataFrame, one: StrategyLike, other: StrategyLike, scale: float) -> Difference:
    """The difference of two strategies that were both trained."""
    found = error_difference(errors, one, other, scale)
    assert found is not None
    return found


def test_intervals_are_those_of_each_network_s_own_seeds():
    """By hand: variances 1 and 8 of 3 and 2 seeds; of one seed there is none."""
    errors = [(None, [9.0, 10.0, 11.0], 1.0), ("w", [8.0, 12.0], 4.0), ("dWr", [7.0], 4.01)]
    made = [row(name, error, seed, times) for name, each, times in errors for seed, error in enumerate(each)]
    found = seed_errors(rows(*made))
    assert found["error"].tolist() == [10.0, 10.0, 7.0]
    assert found["seeds"].tolist() == [3, 2, 1]
    assert found["deviation"].tolist() == pytest.approx([1, math.sqrt(8), math.nan], nan_ok=True)
    half = [4.3027 / math.sqrt(3), 10.0, math.nan]  # that of two seeds, 12.7 · 2, is clipped at 0
    assert (found["error"] - found["low"]).tolist() == pytest.approx(half, rel=1e-4, nan_ok=True)
    assert found["scale"].tolist() == [1.0, 4.0, 4.01]
    gap = difference(found, "dWr", "w", 4)
    assert (gap.found, gap.seeds, gap.freedom) == (-3.0, 1, 0)
    assert math.isnan(gap.high)


def test_a_difference_has_the_interval_of_welch():
    """By hand: variances 1 and 16 of three seeds: (1/3 + 16/3)² / ((1/3)²/2 + (16/3)²/2) = 2.25 degrees of freedom."""
    errors = {"w": [9.0, 10.0, 11.0], "dWr": [4.0, 8.0, 12.0]}
    made = [row(way, error, seed, 4.0) for way, each in errors.items() for seed, error in enumerate(each)]
    gap = difference(seed_errors(rows(row(None, 20.0, 0), *made)), "dWr", "w", 4)
    assert (gap.found, gap.freedom) == (-2.0, 2)
    assert gap.error == pytest.approx(math.sqrt(17 / 3))
    assert gap.high - gap.found == pytest.approx(4.3027 * math.sqrt(17 / 3), rel=1e-4)
    assert (gap.low + gap.high) / 2 == pytest.approx(gap.found)


def test_differences_of_equal_seeds_have_no_spread():
    made = [row(way, error, seed, 4.0) for way, error in (("w", 9.0), ("dWr", 8.0)) for seed in range(3)]
    gap = difference(seed_errors(rows(row(None, 20.0, 0), *made)), "dWr", "w", 4)
    assert (gap.low, gap.high, gap.freedom) == (-1.0, -1.0, 4)


def test_holm_divides_by_the_tests_that_are_left():
    """0.01 ≤ 0.05/4 and 0.015 ≤ 0.05/3 pass; 0.03 > 0.05/2 fails, and so does 0.04, though it is below 0.05."""
    assert holm_levels([0.04, 0.01, 0.03, 0.015]) == pytest.approx([0.025, 0.0125, 0.025, 0.05 / 3])
    assert holm_levels([0.9]) == [0.05]
    assert holm_levels([]) == []


def test_the_tail_of_student_s_t_is_what_its_quantile_leaves():
    assert student_tail(student(3), 3) == pytest.approx(0.025)
    assert student_tail(0, 3) == 0.5
    assert student_tail(math.inf, 3) == 0
    assert math.isnan(student_tail(1, 0))


def test_an_interval_of_errors_ends_at_0_and_100_percent():
    """Two seeds each, 4 points apart: Student's interval, ± 25.4 points, would leave the range."""
    errors = {None: (1, 5), "w": (95, 99)}
    made = [row(name, error, seed) for name, both in errors.items() for seed, error in enumerate(both)]
    found = seed_errors(rows(*made))
    half = 12.7062 * math.sqrt(8) / math.sqrt(2)
    assert found["low"].tolist() == pytest.approx([0.0, 97 - half], rel=1e-4)
    assert found["high"].tolist() == pytest.approx([3 + half, 100.0], rel=1e-4)


def test_an_interval_has_the_true_difference_as_often_as_it_says():
    """Of 400 made up experiments with a true difference of 0.5 and three seeds each, one spread 5 times the other."""
    random = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        networks = {None: (10.0, 0.2), "w": (9.5, 0.5), "dWr": (9.0, 0.1)}
        made = [
            row(name, mean + spread * random.standard_normal(), seed, 1.0 if name is None else 4.0)
            for name, (mean, spread) in networks.items()
            for seed in range(3)
        ]
        gap = difference(seed_errors(rows(*made)), "w", "dWr", 4)
        hits += gap.low < 0.5 < gap.high
    assert 0.93 < hits / 400 < 0.99


def test_only_ended_trainings_count_and_the_last_of_a_seed():
    found = seed_errors(
        rows(
            row(None, 50.0, 0),
            row(None, 10.0, 0),
            row(None, 12.0, 1),
            row(None, 80.0, 1, kind="epoch"),
            row(None, None, 2),
        )
    )
    assert found[["error", "seeds"]].to_numpy().tolist() == [[11.0, 2]]


def test_settings_are_kept_apart():
    first = row(None, 10.0, 0)
    other = {"recipe_id": "other"}, {"part": "holdout"}, {"data_id": "of as many pixels more"}
    found = seed_errors(rows(first, *(first | {"top1_error": 20.0 + n} | each for n, each in enumerate(other))))
    assert sorted(found["error"]) == [10.0, 20.0, 21.0, 22.0]
    with pytest.raises(ValueError, match="errors of one recipe_id are compared, not of 'r', 'other'"):
        error_difference(found[:2], "w", "dWr", 1)


def test_times_are_of_the_one_device_that_has_most_of_them():
    timed = {"kind": None, "mode": "training", "precision": "fp32", "threads": 1, "batch": 10, "top1_error": None}
    small, big = row(None, 10.0, 0, recipe={"precision": "fp32"}), row("w", 9.0, 0, 4.0, recipe={"precision": "fp32"})
    slow = [row(None, None, 0, median_ms=50.0, **timed), row("w", None, 0, 4.0, median_ms=90.0, **timed)]
    other = row(None, None, 0, median_ms=5.0, **{**timed, "device_name": "a GPU"})
    lower = [{**each, "median_ms": 1.0, "precision": "bf16"} for each in slow]
    found = seed_errors(rows(small, big, other, *slow, *lower))
    assert found["training_ms_per_image"].tolist() == [5.0, 9.0]
    assert set(found["timed_on"]) == {"a CPU"}


def test_one_seed_has_no_interval_and_what_was_not_trained_no_difference():
    found = seed_errors(rows(row(None, 10.0, 0), row("w", 9.0, 0, 4.0), row("d", 9.0, 0, 4.3)))
    assert found["low"].isna().all()
    assert error_difference(found, "w", "dWr", 4) is None
    assert error_difference(found, "w", "d", 4) is None  # another size
    assert error_difference(found, "w", "d", 8) is None  # nothing of this size
    same = difference(found, "w", 1.0, 4)  # α = 1 is w, by another name
    assert same.found == 0
    assert math.isnan(same.high)


@pytest.mark.parametrize("nothing", [pd.DataFrame(), pd.DataFrame({"mode": ["training"], "kind": ["measured"]})])
def test_of_nothing_there_is_nothing(nothing):
    found = seed_errors(nothing)
    assert len(found) == 0
    assert error_difference(found, "w", "dWr", 4) is None


def test_what_a_training_wrote_is_read(tmp_path):
    from helpers.images import data

    small = {"stem": "res_stem_cifar", "stem_width": 8, "classes": 4, "channels": 1, "resolution": 8}
    base = fs.anynet(name="Tiny", depths=[1, 1], widths=[8, 16], strides=[1, 2], group_widths=8, **small)
    networks = [base, fs.scale(base, "d", 2)]
    store = fs.Store(tmp_path / "rows.jsonl")
    recipe = fs.Recipe(epochs=1, batch=16, crop_padding=1)
    fs.train_all(networks, data(), recipe, (0, 1), store=store, device="cpu", progress=lambda step: None)
    found = seed_errors(store.frame())
    assert found["seeds"].tolist() == [2, 2]
    assert found["flops"].tolist() == [fs.complexity(each).flops for each in networks]
    assert found["strategy"].isna().tolist() == [True, False]
    assert found["high"].gt(found["error"]).all()
