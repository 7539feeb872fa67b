"""Scaled networks beside designed ones: activations, predicted times, and what stands in two published tables."""

import pytest
from helpers.notebooks import REPO

import fastscale_lib as fs

BASE, WAYS = "RegNetX-12GF", ["w", "dWr"]


@pytest.fixture(scope="module")
def frame():
    return fs.scaling.regimes([BASE], WAYS)


@pytest.fixture(scope="module")
def every(frame):
    rows = fs.records.read_rows([REPO / "data" / "measured" / "amd-epyc-2-threads.jsonl"])
    return fs.analysis.times_by_regime(rows[rows["mode"] == "inference"], frame)


def test_bases_without_a_larger_relative_are_named():
    table = fs.analysis.larger_told({"A": [], "B": ["C", "D"]})
    assert table.iloc[:, 0].to_dict() == {"A": "none in the zoo: the base is left out", "B": "2: C to D"}


def test_activations_stand_beside_those_of_the_designed_network(frame):
    table = fs.analysis.activations_by_regime(frame)
    assert table.index.tolist() == [(BASE, name) for name in fs.scaling.larger(BASE)]
    _, regime = table.index[0]
    assert table.T[BASE, regime]["designed"] == fs.complexity(regime).activations
    ratios = fs.analysis.relative_to_designed(table, ["dWr", "w"])
    assert list(ratios.columns) == ["dWr", "w"]
    assert ratios["w"].tolist() == (table["w"] / table["designed"]).tolist()


def test_times_are_predicted_for_each_case_and_regime(frame, every):
    assert len(every) == len(frame)
    table = fs.analysis.time_table(every, WAYS)
    assert list(table.columns) == ["designed", *WAYS]
    cases = fs.analysis.predicted_cases(every)
    [case] = cases.index
    assert case.startswith("AMD EPYC, 2 threads")
    row = cases.to_dict("index")[case]
    assert (row["device"], row["named"], row["left_out"]) == ("cpu", "AMD EPYC", 0)
    assert row["widest_90"] >= row["error"]


def test_what_is_beyond_the_model_is_counted_and_left_out(every):
    unknown = every["strategy"] == "w"
    lost = every.assign(ms_per_image=every["ms_per_image"].mask(unknown), high_ms=every["high_ms"].mask(unknown))
    assert fs.analysis.predicted_cases(lost)["left_out"].tolist() == [unknown.sum()]
    assert fs.analysis.time_table(lost, WAYS)["w"].isna().all()
    none = every.assign(ms_per_image=float("nan"))
    assert fs.analysis.predicted_cases(none).empty


def test_networks_of_both_tables_stand_side_by_side():
    both = fs.analysis.scaled_and_designed_errors(fs.records.published_errors())
    assert both["family"].eq("RegNetY").any()
    assert (both["gap"] == both["top1_error_pct (early)"] - both["top1_error_pct (zoo)"]).all()
    assert both.T["ResNet-50"][["time (zoo)", "time (early)"]].tolist() == [1, 1]
