"""What must agree before two times are compared, and how it is named."""

import json
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

import fastscale_lib as fs
from fastscale_lib.records.conditions import LARGEST, Conditions, distinct_labels, short_titles

CPU = Conditions("mine.jsonl", "cpu", "AMD EPYC", 2, "inference", "fp32", True, False, False, 4)
SUBSETS = ("FIT", "CASE", "CORRELATE", "HELD", "MACHINE", "COMPARE", "TRAINED")


@pytest.mark.parametrize("name", SUBSETS)
def test_a_subset_names_columns_that_there_are(name):
    subset = getattr(Conditions, name)
    assert set(subset) <= {field.name for field in fields(Conditions)}
    assert len(set(subset)) == len(subset)


def test_what_is_fitted_together_may_be_compared_held_and_told_apart():
    for wider in (Conditions.CASE, Conditions.HELD, Conditions.COMPARE):
        assert set(Conditions.FIT) < set(wider)
    assert set(Conditions.MACHINE) < set(Conditions.HELD) < set(Conditions.COMPARE)


def test_conditions_are_read_from_a_row():
    row = {"network": "ResNet-50", "device_name": "V100", "threads": np.nan, "mode": "training", "cuda": pd.NA}
    found = Conditions.of(row)
    assert found == Conditions.of(pd.Series(row)) == Conditions(device_name="V100", mode="training")
    assert found.row(("mode", "threads")) == {"mode": "training", "threads": None}


def test_rows_without_a_value_are_a_group_of_their_own():
    rows = pd.DataFrame({"mode": ["training", None, "training", None], "batch": [1, 2, 1, 2], "median_ms": range(4)})
    groups = Conditions.groups(rows, ("mode", "batch"))
    assert [(each.mode, each.batch, list(part["median_ms"])) for each, part in groups] == [
        ("training", 1, [0, 2]),
        (None, 2, [1, 3]),
    ]


@pytest.mark.parametrize(
    ("changed", "label"),
    [
        ({}, "AMD EPYC, 2 threads, inference, fp32, batch 4"),
        ({"device": "cuda"}, "AMD EPYC, inference, fp32, batch 4"),
        ({"batch": LARGEST, "compile": True}, "AMD EPYC, 2 threads, inference, fp32, largest batch, compiled"),
        ({"batch": None, "tf32": True}, "AMD EPYC, 2 threads, inference, fp32, TF32"),
        ({"channels_last": False, "threads": None}, "AMD EPYC, inference, fp32, batch 4, channels first"),
        ({"compile": True, "cuda_graph": True}, "AMD EPYC, 2 threads, inference, fp32, batch 4, compiled, CUDA graph"),
        ({"channels_last": None, "compile": None, "mode": None}, "AMD EPYC, 2 threads, fp32, batch 4"),
    ],
)
def test_a_label_names_the_device_and_unusual_settings(changed, label):
    assert replace(CPU, **changed).label() == label


def test_a_short_title_names_the_source_only_of_cases_that_are_alike():
    rows = pd.DataFrame(
        {"source": ["a", "b", "b"], "device_name": "V100", "mode": ["training", "training", "inference"]}
    )
    rows["precision"] = None
    assert short_titles(rows) == ["V100 · training (a)", "V100 · training (b)", "V100 · inference"]


def test_a_short_title_names_cuda_graphs_that_were_replayed():
    rows = pd.DataFrame({"source": "a", "device_name": "H200", "mode": "inference", "precision": "bf16"}, range(3))
    without, graph = "H200 · inference · bf16", "H200 · inference · bf16 · CUDA graph"
    assert short_titles(rows) == [without] * 3
    for dtype in ("boolean", "object"):
        told = pd.Series([None, False, True], dtype=dtype)
        assert short_titles(rows.assign(cuda_graph=told)) == [without, without, graph]


@pytest.mark.parametrize(
    ("others", "briefly", "labels"),
    [
        ([{"device_name": "Xeon"}], True, ["AMD EPYC", "Xeon"]),
        ([{"batch": 8}], True, [CPU.label(), CPU.label().replace("batch 4", "batch 8")]),
        ([{"source": "other.jsonl"}], True, [f"{CPU.label()} (mine.jsonl)", f"{CPU.label()} (other.jsonl)"]),
        ([{"device_name": "Xeon"}], False, [CPU.label(), CPU.label().replace("AMD EPYC", "Xeon")]),
        ([{}], True, ["AMD EPYC", "AMD EPYC"]),
    ],
)  # fmt: skip
def test_cases_are_named_in_as_few_words_as_tell_them_apart(others, briefly, labels):
    cases = [CPU, *(replace(CPU, **other) for other in others)]
    rows = pd.DataFrame([case.row(Conditions.CASE) for case in cases]).assign(ms=1.0)
    assert distinct_labels(rows, briefly) == labels


def test_gpus_whose_hosts_use_other_threads_are_told_apart():
    gpu = replace(CPU, device="cuda")
    rows = pd.DataFrame([each.row(Conditions.CASE) for each in (gpu, replace(gpu, threads=8))])
    assert [label.rsplit("=")[-1] for label in distinct_labels(rows)] == ["2", "8"]


def test_no_cases_have_no_labels():
    assert distinct_labels(pd.DataFrame()) == []


# Stores


def test_rows_of_stores_come_with_their_source_and_kind_of_device(tmp_path):
    one, other, empty = (tmp_path / f"{name}.jsonl" for name in ("one", "other", "empty"))
    one.write_text(json.dumps({"network": "x", "device": "cuda:1", "median_ms": 1.0}) + "\n")
    other.write_text(json.dumps({"network": "y", "device": None, "reason": "out of memory"}) + "\n")
    empty.write_text("")
    rows = fs.records.read_rows([one, other, empty])
    assert rows["source"].tolist() == ["one.jsonl", "other.jsonl"]
    assert rows["device"].iloc[0] == "cuda"
    assert rows["device"].isna().tolist() == [False, True]
    assert fs.records.read_rows(other)["device"].isna().all()
    assert fs.records.read_rows(str(one))["network"].tolist() == ["x"]
    for nothing in ([], [empty]):
        assert list(fs.records.read_rows(nothing)) == ["mode", "source", "median_ms"]


def test_a_store_that_is_not_there_is_said(tmp_path):
    with pytest.raises(fs.records.PublishedError, match=r"there is no .*none\.jsonl; give the path of a store"):
        fs.records.read_rows([tmp_path / "none.jsonl"])
