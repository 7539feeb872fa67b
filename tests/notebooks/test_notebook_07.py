"""Scaling or searching: counts, predicted times, and what published errors can and cannot tell."""

import json

import pytest
from helpers.fake_device import rows
from helpers.notebooks import REPO, named, outputs, tables, verdicts
from helpers.played_notebooks import played

import fastscale_lib as fs
from fastscale_lib.analysis.claims import HOLDS, UNDECIDED, UNTESTED

SEARCHING = named("07_scaling_or_searching")
TIMES = "number of pairs with times in another order than the laws of activations"
CPUS = {"AMD EPYC": "amd-epyc-2-threads.jsonl", "Intel Xeon": "intel-xeon-2-threads.jsonl"}
BASES = ["RegNetY-400MF", "RegNetY-4.0GF", "RegNetX-400MF", "RegNetX-4.0GF"]


@pytest.fixture(scope="module")
def regimes():
    return fs.scaling.regimes(BASES, ["w", "dwr", "dWr"])


@pytest.fixture(scope="module")
def ratios(regimes):
    table = regimes.pivot(index=["network", "regime"], columns="strategy", values="activations")
    return table.div(table["designed"], axis=0)


def test_designed_networks_have_about_as_few_activations_as_w(executed, ratios):
    assert 1.2 < ratios["w"].max() < 1.3
    assert 1.6 < ratios["dWr"].max() < 1.7  # at RegNetY-64GF
    assert (ratios.loc["RegNetX-400MF", "w"] < 1).all()
    [shown] = [rows for rows in tables(executed(SEARCHING)) if [row[0] for row in rows[1:]] == ["min", "median", "max"]]
    found = {shown[0][place]: float(shown[3][place]) for place in (1, 2, 3)}
    assert found == ratios[["w", "dwr", "dWr"]].max().round(2).to_dict()
    last = ratios[ratios.index.get_level_values("regime").str.endswith("32GF")]["dwr"]
    assert (round(last.min(), 1), round(last.max(), 1)) == (1.7, 3.9)
    assert fs.complexity("RegNetY-32GF").flops / fs.complexity("RegNetY-400MF").flops == pytest.approx(80, rel=0.02)


def test_networks_that_are_the_same_in_both_tables_gain_too():
    tables = [fs.records.published_errors(name) for name in ("pycls_zoo_v100", "early_convolutions_table2")]
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
    assert float(counted.loc["exponent of activations of networks scaled by dwr", "found"]) < 5 / 6
    assert (counted["evidence"] == "counted").all()
    assert (counted["details"] != "").all()
    assert shown.loc["exponent of activations of networks scaled by dWr", "paper"] == "0.600"
    error = shown.loc["error of RegNetY at equal flops, in points: scaled by dWr less designed"]
    assert error["verdict"] == UNTESTED
    assert error["details"].startswith("training differs: of the same networks, errors differ by 0.7 to 4.4 points")


def test_strategies_swap_only_near_the_base(executed, ratios):
    order = ratios[["w", "dWr", "dwr"]]
    swapped = order[(order.diff(axis=1).iloc[:, 1:] <= 0).any(axis=1)]
    shown = verdicts(executed(SEARCHING)).loc["number of pairs with activations in another order than the laws'"]
    assert float(shown["found"]) == len(swapped)
    assert [regime for _, regime in swapped.index] == ["RegNetX-600MF", "RegNetY-6.4GF"]  # the first above their bases


def test_without_rows_of_a_gpu_its_times_are_not_judged(executed):
    shown = verdicts(executed(SEARCHING))
    assert shown.loc[f"{TIMES}, on a GPU", "verdict"] == UNTESTED
    for name, source in CPUS.items():
        cpu = shown.loc[f"{TIMES}, on a CPU ({name})"]
        told = f"rows of {name}, 2 threads, inference, fp32, batch 4, of {source}, median error"
        assert cpu["details"].startswith(told)
    assert shown.index.is_unique


def predicted(rows, bases, ways=("w", "dWr")) -> tuple:
    frame = fs.scaling.regimes(bases, ways)
    every = fs.analysis.times_by_regime(rows, frame)
    return fs.analysis.ratios_to_designed(every, "ms_per_image"), fs.analysis.predicted_cases(every), list(ways)


def test_sentences_on_predicted_times_follow_base_and_mode(executed):
    shown = " ".join(told(executed(SEARCHING)))
    rows_ = fs.records.read_rows([REPO / "data" / "measured" / CPUS["AMD EPYC"]])
    texts = []
    for mode, base in (("inference", "RegNetX-4.0GF"), ("training", "RegNetX-8.0GF")):
        ratios, cases, ways = predicted(rows_[rows_["mode"] == mode], [base])
        texts.append(fs.analysis.predicted_ratios_text(ratios, cases, ways))
        means = ratios.groupby("strategy")["ratio"].mean()
        assert f"are w {means['w']:.2f} and dWr {means['dWr']:.2f}; " in texts[-1]
        assert f", {mode}, fp32" in texts[-1]
    assert texts[0] != texts[1]
    assert fs.analysis.predicted_ratios_text(ratios.head(0), cases, ways).startswith("No times were predicted")
    assert "For AMD EPYC, 2 threads, inference, fp32, batch 4, mean times relative to the designed networks" in shown


def test_sentences_on_activations_follow_the_strategies(executed, regimes):
    both = []
    for frame, ways in ((regimes, ["w", "dwr", "dWr"]), (fs.scaling.regimes(BASES[:1], ["dw", "w"]), ["dw", "w"])):
        ratios = fs.analysis.ratios_to_designed(frame, "activations")
        both.append(fs.analysis.regimes_text(ratios, ways))
    assert both[0] in told(executed(SEARCHING))
    assert "(36 pairs of a base and a regime): 0.70 to 1.22 by w (median 0.95), " in both[0]
    assert "by dw " in both[1]
    assert "dWr" not in both[1]


def test_the_sentence_on_both_tables_says_what_training_may_explain():
    both = fs.analysis.scaled_and_designed_errors(fs.records.published_errors())
    assert fs.analysis.both_tables_text(both).endswith("So the training may explain all of it.")
    assert "by -0.7 to -4.4" in fs.analysis.both_tables_text(both)
    more = both.assign(gap=both["gap"].mask(both["family"] == "RegNetY", -9.0))
    assert fs.analysis.both_tables_text(more).endswith("put down to the training of the two tables.")
    assert fs.analysis.both_tables_text(both.head(0)).startswith("The tables share no")


def told(notebook) -> list[str]:
    """The sentences that the cells of a notebook computed."""
    data = [output.get("data", {}) for output in outputs(notebook)]
    return [each["text/markdown"] for each in data if "text/markdown" in each]


def test_rows_of_a_gpu_are_judged(tmp_path):
    """On a made-up GPU time is activations, so times come in the order of activations."""
    frame = rows(lambda network, batch: batch * fs.complexity(network).activations / 1e9, device="cuda:0")
    frame["strategy"] = frame["network"].str.split(" ").str[1]
    frame["flops"] = [fs.complexity(fs.Network.from_dict(each)).flops for each in frame["description"]]
    store = tmp_path / "gpu.jsonl"
    store.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")))
    (tmp_path / "published").symlink_to(REPO / "data" / "published")
    parameters = {"data": str(tmp_path), "stores": [str(store)], "networks": ["RegNetY-400MF"]}
    done = played(SEARCHING, parameters)
    shown = verdicts(done)
    row = shown.loc[f"{TIMES}, on a GPU (Made-up)"]
    assert row["details"].startswith("rows of Made-up, inference, fp32, batch 4, of gpu.jsonl, median error")
    assert row["found"].startswith("0.000 (0.000 to ")
    assert row["verdict"] in (HOLDS, UNDECIDED)  # as the band of the fit has it
    assert not shown.index.str.contains("CPU").any()
    assert not shown.index.str.contains("RegNetX").any()


def test_without_any_measured_rows_counts_are_judged_all_the_same(tmp_path):
    (tmp_path / "published").symlink_to(REPO / "data" / "published")
    parameters = {"data": str(tmp_path), "networks": ["RegNetX-4.0GF"]}
    done = played(SEARCHING, parameters)
    shown = verdicts(done)
    assert shown.loc["exponent of activations of networks scaled by w", "verdict"] == HOLDS
    assert shown.loc[f"{TIMES}, on a GPU", "verdict"] == UNTESTED


def test_a_base_without_a_larger_relative_is_named_and_left_out(tmp_path):
    (tmp_path / "published").symlink_to(REPO / "data" / "published")
    parameters = {"data": str(tmp_path), "networks": ["regnetx-32gf", "RegNetX-16GF", "RegNetX-16GF"]}
    parameters |= {"strategies": ["w", "dWr"]}
    done = played(SEARCHING, parameters)
    assert [row for row in tables(done)[0] if len(row) == 2 and row[1]] == [
        ["", "larger networks of its family"],
        ["RegNetX-32GF", "none in the zoo: the base is left out"],
        ["RegNetX-16GF", "1: RegNetX-32GF to RegNetX-32GF"],
    ]
    assert "of networks scaled by w" in " ".join(verdicts(done).index)


def test_no_base_with_a_larger_relative_ends_in_a_sentence():
    parameters = {"networks": ["RegNetX-32GF"]}
    with pytest.raises(fs.architectures.NetworkError, match="has no larger network of its family in the zoo"):
        played(SEARCHING, parameters)
