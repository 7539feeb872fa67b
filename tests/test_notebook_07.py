"""Scaling or searching: counts, predicted times, and what published errors can and cannot tell."""

import json

import papermill
import pytest
from made_up import rows
from notebook import REPO, named, prose, verdicts

import fastscale_lib as fs
from fastscale_lib.claims import HOLDS, UNTESTED

SEARCHING = named("07_scaling_or_searching")
TIMES = "number of pairs with times in another order than the laws of activations"
BASES = ["RegNetY-400MF", "RegNetY-4.0GF", "RegNetX-400MF", "RegNetX-4.0GF"]


@pytest.fixture(scope="module")
def ratios():
    frame = fs.regimes(BASES, ["w", "dwr", "dWr"])
    table = frame.pivot(index=["network", "regime"], columns="strategy", values="activations")
    return table.div(table["designed"], axis=0)


def test_the_text_on_activations(ratios):
    text = prose(SEARCHING)
    assert "*w* never have more than 1.3 times the activations of the designed ones" in text
    assert 1.2 < ratios["w"].max() < 1.3
    assert "those scaled by *dWr* never more than 1.6 times" in text
    assert 1.5 < ratios["dWr"].max() < 1.6
    assert "from RegNetX-400MF, *w* gives fewer throughout" in text
    assert (ratios.loc["RegNetX-400MF", "w"] < 1).all()
    assert "they end with 1.7 to 3.9 times as many" in text
    last = ratios[ratios.index.get_level_values("regime").str.endswith("32GF")]["dwr"]
    assert (round(last.min(), 1), round(last.max(), 1)) == (1.7, 3.9)
    assert "as much as eighty times the flops" in text
    assert fs.complexity("RegNetY-32GF").flops / fs.complexity("RegNetY-400MF").flops == pytest.approx(80, rel=0.02)


def test_the_text_on_published_errors():
    text = "They gain 1.2 to 2.9 points. But networks that are the same in both tables gain, too"
    assert f"{text}: ResNets 0.7 to 1.4, EfficientNets 2.1 to 4.4" in prose(SEARCHING)
    tables = [fs.published_errors(name) for name in ("pycls_zoo_v100", "early_convolutions_table2")]
    zoo, early = (
        each.query("epochs == 100").assign(network=each["network"].str.replace(".0GF", "GF")).set_index("network")
        for each in tables
    )
    gap = (early["top1_error_pct"] - zoo["top1_error_pct"]).dropna()
    scaled = gap[gap.index.str.startswith("RegNetY")].sort_index(key=lambda names: zoo.loc[names, "flops"])
    assert (scaled < 0).all()
    assert scaled.is_monotonic_decreasing
    same = gap.drop(scaled.index)
    assert len(same) == 6
    families = same.groupby(same.index.str.split("-").str[0])
    assert [(each.max(), each.min()) for _, each in families] == [
        *(pytest.approx((-2.1, -4.4)), pytest.approx((-0.7, -1.4)))
    ]
    assert (scaled.max(), scaled.min()) == pytest.approx((-1.2, -2.9))
    assert same.min() < scaled.min() < scaled.max() < same.max() < 0
    assert (early.loc[scaled.index, "activations"] > zoo.loc[scaled.index, "activations"]).all()


def test_counts_are_judged_and_errors_are_not(executed):
    shown = verdicts(executed(SEARCHING))
    counted = shown[shown.index.str.contains("exponent of activations")]
    assert counted.index[counted["verdict"] != HOLDS].tolist() == ["exponent of activations of networks scaled by dwr"]
    assert "From the small bases *dwr* adds less than its law says" in prose(SEARCHING)
    assert float(counted.loc["exponent of activations of networks scaled by dwr", "found"]) < 5 / 6
    assert counted["evidence"].str.startswith("counted: ").all()
    assert shown.loc["exponent of activations of networks scaled by dWr", "paper"] == "0.600"
    error = shown.loc["beyond the paper: error of RegNetY at equal flops, in points: scaled by dWr less designed"]
    assert error["verdict"] == UNTESTED
    assert error["evidence"].startswith("training differs: of the same networks, errors differ by 0.7 to 4.4 points")


def test_strategies_swap_only_near_the_base(executed, ratios):
    order = ratios[["w", "dWr", "dwr"]]
    swapped = order[(order.diff(axis=1).iloc[:, 1:] <= 0).any(axis=1)]
    shown = verdicts(executed(SEARCHING)).loc["number of pairs with activations in another order than the laws'"]
    assert float(shown["found"]) == len(swapped)
    assert [regime for _, regime in swapped.index] == ["RegNetX-600MF", "RegNetY-6.4GF"]  # the first above their bases


def test_without_rows_of_a_gpu_its_times_are_not_judged(executed):
    shown = verdicts(executed(SEARCHING))
    assert shown.loc[f"{TIMES}, on a GPU", "verdict"] == UNTESTED
    cpu = shown.loc[f"beyond the paper: {TIMES}, on a CPU"]
    assert cpu["evidence"].startswith("predicted from rows of AMD EPYC, 2 threads, inference, fp32, batch 4")


def test_rows_of_a_gpu_are_judged(tmp_path):
    """On a made-up GPU time is activations, so times come in the order of activations."""
    frame = rows(lambda network, batch: batch * fs.complexity(network).activations / 1e9, device="cuda:0")
    frame["strategy"] = frame["network"].str.split(" ").str[1]
    frame["flops"] = [fs.complexity(fs.Network.from_dict(each)).flops for each in frame["description"]]
    store = tmp_path / "gpu.jsonl"
    store.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")))
    (tmp_path / "published").symlink_to(REPO / "data" / "published")
    parameters = {"data": str(tmp_path), "stores": [str(store)], "networks": ["RegNetY-400MF"]}
    done = papermill.execute_notebook(SEARCHING, tmp_path / "out.ipynb", parameters, cwd=tmp_path, progress_bar=False)
    shown = verdicts(done)
    row = shown.loc[f"{TIMES}, on a GPU"]
    assert row["evidence"].startswith(
        "predicted from rows of Made-up, inference, fp32, batch 4 (gpu.jsonl), median error"
    )
    assert (row["found"], row["verdict"]) == ("0.000", HOLDS)
    assert not shown.index.str.contains("CPU").any()
    assert not shown.index.str.contains("RegNetX").any()


def test_without_any_measured_rows_counts_are_judged_all_the_same(tmp_path):
    (tmp_path / "published").symlink_to(REPO / "data" / "published")
    parameters = {"data": str(tmp_path), "networks": ["RegNetX-4.0GF"]}
    done = papermill.execute_notebook(SEARCHING, tmp_path / "out.ipynb", parameters, cwd=tmp_path, progress_bar=False)
    shown = verdicts(done)
    assert shown.loc["exponent of activations of networks scaled by w", "verdict"] == HOLDS
    assert shown.loc[f"{TIMES}, on a GPU", "verdict"] == UNTESTED
