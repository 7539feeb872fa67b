"""What budgets buy: models by device, budgets asked for or implied, and the networks within them."""

import pandas as pd
import pytest
from helpers.notebooks import REPO
from helpers.zoo_rows import FORTY, write_store, zoo_rows

import fastscale_lib as fs

SMALL = "RegNetX-200MF"
SHIPPED = sorted((REPO / "data" / "measured").glob("*.jsonl"))
HOW = {"batch": 2, "mode": "inference", "precision": "fp32"}


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, fs.RuntimeModel]:
    """Of one made-up GPU, on which time is flops."""
    store = write_store(tmp_path_factory.mktemp("gpu") / "own.jsonl", zoo_rows("cuda:0", "Made-up", "flops", 1e7))
    return fs.analysis.models_by_device([store], SMALL, 2, "inference", "fp32")


def test_each_device_with_rows_enough_has_a_model(models):
    assert list(models) == ["Made-up"]
    table = fs.analysis.model_errors(models)
    assert [text.split(", ")[0] for text in table.index] == ["Made-up"]
    assert table["rows"].tolist() == [len(FORTY)]
    assert list(table) == ["batches", "rows", "families", "median error", "90th percentile"]
    assert table["median error"].str.fullmatch(r"\d+\.\d%").all()


def test_without_rows_nothing_is_predicted():
    assert fs.analysis.models_by_device([], SMALL, 2, "inference", "fp32") == {}
    assert fs.analysis.models_by_device(SHIPPED, SMALL, 4, "inference", "bf16") == {}
    assert fs.analysis.model_errors({}).empty


def test_fast_scaling_is_always_among_the_strategies():
    assert fs.analysis.with_fast_scaling(["alpha=0.50", "w", "w"]) == ["alpha=0.5", "w", "dWr"]


def test_a_budget_is_what_is_asked_for_or_a_multiple_of_the_base_s_cost(models):
    own = fs.analysis.cost_of(SMALL, **HOW, model=models["Made-up"])
    counts = fs.complexity(SMALL)
    assert (own["params"], own["activations"]) == (counts.params, counts.activations)
    assert own["memory_bytes"] == fs.peak_memory(SMALL, 2, "inference").peak_bytes
    asked = {"time_ms": 0.0, "memory_bytes": 0.0, "params": 5e6, "activations": 0.0}
    budgets = fs.analysis.budgets_of(own, 3.0, asked)
    assert budgets == {name: 5e6 if name == "params" else 3.0 * own[name] for name in asked}
    counted = fs.analysis.cost_of(SMALL, **HOW, model=None)
    assert "time_ms" not in fs.analysis.budgets_of(counted, 3.0, asked)


def test_what_each_budget_buys_stands_in_one_table():
    """A strategy that a budget does not bound has a row that says so: params do not grow under r."""
    counts = fs.complexity(SMALL)
    budgets = {"params": 1.5 * counts.params, "activations": 1.5 * counts.activations}
    bought = fs.analysis.bought_within(SMALL, ["w", "r"], budgets, **HOW, model=None)
    assert list(bought) == list(budgets)
    table = fs.analysis.bought_table(bought)
    assert "predicted_ms" not in table  # nothing predicts times
    reasons = table.set_index(["budget", "strategy"])["reason"]
    assert "does not bound RegNetX-200MF scaled by r" in reasons["params", "r"]
    assert reasons.notna().sum() == 1
    shown = fs.analysis.flops_by_budget(bought, budgets)
    assert shown.T["params"]["r"] == "–"
    flops = bought["activations"].set_index("strategy")["flops"]
    assert shown.T["activations"]["w"] == f"{flops['w'] / 1e9:.2f}"
    assert shown["at most"].str.endswith(" M").all()
    html = fs.analysis.costs_styled(table).to_html()
    assert "flops, G" in html
    assert "e+" not in html
    scales = bought["params"].set_index("strategy")["scale"]
    assert f">w ×{scales['w']:.2f}</th>" in html
    assert ">r</th>" in html  # which no budget of params bounds
    banded = table.assign(predicted_ms=57.456, low_90_ms=46.51, high_90_ms=None)
    assert ">57.5</td>" in fs.analysis.costs_styled(banded).to_html()
    assert ">57.5 (46.5 to 71.2)</td>" in fs.analysis.costs_styled(banded.assign(high_90_ms=71.18)).to_html()


def test_a_time_buys_networks_on_each_device(models):
    on_each, most, rooms = fs.analysis.bought_on_each(SMALL, ["w", "dWr"], models, 2.0, **HOW)
    assert rooms == {"Made-up": pytest.approx(2.0)}
    own = fs.analysis.cost_of(SMALL, **HOW, model=models["Made-up"])
    assert most["Made-up"] == pytest.approx(2 * own["time_ms"])
    rows = on_each["Made-up"]
    assert (rows["predicted_ms"] <= most["Made-up"]).all()
    assert (rows["flops"] / fs.complexity(SMALL).flops).between(1.7, 2.1).all()  # time is flops
    shown = fs.analysis.flops_by_device(on_each, most)
    assert list(shown.columns) == ["w", "dWr", "at most, ms"]
    _, fixed, _ = fs.analysis.bought_on_each(SMALL, ["w"], models, 2.0, 7.5, **HOW)
    assert fixed == {"Made-up": 7.5}


def test_networks_that_a_time_buys_are_measured_here():
    network = fs.architectures.anynet(depths=[1], widths=[8], strides=[2], group_widths=8, resolution=16, classes=10)
    rows = pd.DataFrame({"strategy": ["w"], "scale": [2.0], "flops": [1], "predicted_ms": [1.0]})
    settings = fs.measuring.Settings(1, "inference", "fp32", "cpu", seconds=0.1)
    found = fs.analysis.time_bought(network, rows, settings)
    assert found["ratio"].tolist() == found["measured_ms"].tolist()
    assert found["on"].notna().all()
    assert fs.analysis.time_bought_table(found)["flops, G"].tolist() == ["0.00"]
    nothing = fs.analysis.time_bought(network, rows.assign(scale=None), settings)
    assert list(nothing.columns) == list(found.columns)
    assert nothing.empty


def test_measured_times_stand_beside_predicted_ones_in_six_columns():
    row = {"strategy": "w", "flops": 1.5e9, "predicted_ms": 10.04, "measured_ms": 11.0, "ratio": 1.1, "on": "here"}
    found = pd.DataFrame(
        [
            {**row, "low": 1.04, "high": 1.2, "disturbed": "", "doubt": ""},
            {**row, "strategy": "dWr", "low": None, "high": None, "disturbed": "the load was 2", "doubt": "too few"},
        ]
    )
    first, second = fs.analysis.time_bought_table(found).itertuples(index=False, name=None)
    assert first == ("w", "1.50", "10.0", "11.0", "1.10 (1.04 to 1.20)", "")
    assert second[4:] == ("1.10", "the load was 2")
    assert fs.analysis.time_bought_table(found.head(0)).shape == (0, 6)
