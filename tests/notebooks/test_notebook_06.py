"""RegNetY at 16 GF and EfficientNet-B4: the text is counted, and a GPU's rows are judged once there are any."""

import json

import pandas as pd
import pytest
from helpers.measured_pair import BIG, RIVAL, measured
from helpers.notebooks import REPO, named, outputs, verdicts
from helpers.played_notebooks import played

import fastscale_lib as fs
from fastscale_lib.analysis.claims import BEYOND, FAILS, HOLDS, PAPER, UNDECIDED, UNTESTED

PAIR = named("06_regnety_16gf_and_efficientnet_b4")
BOTH = "RegNetY-4.0GF at 16 GF by dWr over EfficientNet-B4"
CPUS = ("AMD EPYC", "Intel Xeon")


@pytest.fixture(scope="module")
def on_a_gpu(tmp_path_factory):
    """The notebook with a store of a made-up GPU, on which the scaled network is faster and smaller."""
    folder = tmp_path_factory.mktemp("rivals")
    rows = [measured(BIG, 30.0), measured(RIVAL, 40.0)]
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "data").mkdir()
    (folder / "data" / "published").symlink_to(REPO / "data" / "published")
    parameters = {"stores": [str(folder / "own.jsonl")], "data": str(folder / "data"), "batch": 1}
    return played(PAIR, parameters)


def test_the_scaled_network_has_more_flops_and_fewer_activations():
    big, rival = fs.complexity(BIG), fs.complexity(RIVAL)
    assert 3.5 < big.flops / rival.flops < 4
    assert 3.5 < big.params / rival.params < 4
    assert big.activations == pytest.approx(rival.activations / 2, rel=0.1)
    assert fs.complexity(fs.scale("RegNetY-4.0GF", "dWr", 4)).flops == pytest.approx(big.flops, rel=0.05)


def test_it_needs_less_memory_but_for_inference_of_one_image(executed):
    found = verdicts(executed(PAIR))
    for mode in ("inference", "training"):
        big, rival = (fs.peak_memory(each, 64, mode) for each in (BIG, RIVAL))
        row = found.loc[f"ratio of peak memory in {mode}: {BOTH}"]
        assert (row["found"], row["verdict"]) == (f"{big.peak_bytes / rival.peak_bytes:.3f}", HOLDS)
        assert rival.activations_bytes > 0.9 * rival.peak_bytes
    big, rival = (fs.peak_memory(each, 1, "inference") for each in (BIG, RIVAL))
    assert big.peak_bytes > rival.peak_bytes
    assert all(each.params_bytes > 0.5 * each.peak_bytes for each in (big, rival))


def test_published_times_and_errors_are_judged_one_by_one(executed):
    found = verdicts(executed(PAIR))
    designed = f"RegNetY-16GF, designed, over {RIVAL.name}, on a V100"
    scaled = f"RegNetY-16GF, fast-scaled, over {RIVAL.name}, on a V100-32GB"
    assert found.loc[f"ratio of time in training: {scaled}", ["scope", "verdict"]].tolist() == [PAPER, HOLDS]
    assert found.loc[f"ratio of time in training: {designed}", ["scope", "verdict"]].tolist() == [BEYOND, HOLDS]
    assert found.loc[f"ratio of time in inference: {designed}", "verdict"] == FAILS
    assert float(found["found"][f"ratio of time in inference: {designed}"]) == pytest.approx(1, abs=0.05)
    errors = found[found.index.str.contains("difference of errors in percentage points")]
    assert len(errors) == 4
    assert (errors["found"].astype(float) < -1).all()
    assert errors.index[errors["scope"] == BEYOND].str.contains("designed").tolist() == [True]


def test_what_no_gpu_has_measured_is_said_to_be_untested_until_one_has(executed, on_a_gpu):
    costs = ("time", "measured memory")
    shipped, found = verdicts(executed(PAIR)), verdicts(on_a_gpu)
    for cost in costs:
        inference, training = (f"ratio of {cost} in {mode}: {BOTH}, on a GPU" for mode in ("inference", "training"))
        assert (shipped.loc[training, "verdict"], found.loc[inference, "verdict"]) == (UNTESTED, UNTESTED)
        assert inference not in shipped.index
        assert training not in found.index
    for cost, verdict, ratio in (
        ("time", HOLDS, "0.750 (0.614 to 0.917)"),
        ("measured memory", HOLDS, "0.750"),
    ):
        row = found.loc[f"ratio of {cost} in training: {BOTH}, on a GPU (Some GPU, training, bf16, batch 64)"]
        assert (row["found"], row["verdict"]) == (ratio, verdict)
        assert row["evidence"] == "measured"
        within = "; interval within one run" * (cost == "time")
        assert row["details"] == f"Some GPU, training, bf16, batch 64{within}"


def ratio_on(found, device: str, mode: str) -> tuple[list[float], str]:
    """Ratio, low and high (where it has an interval), and the verdict, of a shipped CPU."""
    row = found.loc[f"ratio of time in {mode}: {BOTH}, on a CPU ({device}, 2 threads, {mode}, fp32, batch 4)"]
    assert row["scope"] == BEYOND
    assert row["details"].startswith(f"{device}, 2 threads, {mode}, fp32, batch 4")
    if row["found"] == "–":
        return [], row["verdict"]
    assert ("give no interval" in row["details"]) == (" to " not in row["found"])
    return [float(each) for each in row["found"].rstrip(")").replace(" (", " to ").split(" to ")], row["verdict"]


def test_times_on_a_cpu_are_beyond_the_paper_and_judged_by_their_intervals(executed):
    found = verdicts(executed(PAIR))
    assert found.index.is_unique
    for device in CPUS:
        (_, low, high), judged = ratio_on(found, device, "inference")
        assert judged == FAILS
        assert 1 < low < high
    training = [ratio_on(found, device, "training") for device in CPUS]
    assert [(len(ratio), judged) for ratio, judged in training] == [(0, UNTESTED), (1, UNDECIDED)]
    beyond = (found["scope"] == BEYOND).tolist()
    assert beyond == sorted(beyond)  # after the paper's own


def test_cpus_take_longer_for_it_in_inference_and_training_is_open(executed):
    found = verdicts(executed(PAIR))
    assert [ratio_on(found, device, "inference")[0][0] for device in CPUS] == pytest.approx([1.7, 1.7], abs=0.05)
    assert fs.complexity(BIG).flops / fs.complexity(RIVAL).flops == pytest.approx(3.6, abs=0.05)
    for name in ("amd-epyc", "intel-xeon"):
        rows = fs.Store(REPO / f"data/measured/16gf/{name}-2-threads.jsonl").frame()
        two = rows[rows["mode"].eq("training") & rows["network"].isin(["EfficientNet-B4", "RegNetY-4.0GF dWr ×4"])]
        assert len(two) == 2
        assert two["blocks"].between(2, 4).all()
        assert name == "intel-xeon" or two["runs"].eq(2).all()
        disturbed = two["load"] > 0.05
        assert disturbed.all() if name == "amd-epyc" else not disturbed.any()
    (_, xeon) = (ratio_on(found, device, "training")[0] for device in CPUS)
    assert xeon[0] == pytest.approx(1, abs=0.02)
    [epyc] = found.filter(like="time in training", axis="index").filter(like=CPUS[0], axis="index")["details"]
    assert "other processes used 10 % of the machine's cores" in epyc


def test_a_gpu_needs_less_memory_and_its_time_decides_nothing(executed):
    found = verdicts(executed(PAIR))
    where = f"{BOTH}, on a GPU (NVIDIA H200, inference, bf16, batch 64)"
    time, memory = (found.loc[f"ratio of {cost} in inference: {where}"] for cost in ("time", "measured memory"))
    assert time["found"] == "–"
    assert float(memory["found"]) == pytest.approx(0.91, abs=0.006)
    assert (time["verdict"], memory["verdict"]) == (UNTESTED, HOLDS)
    assert time["details"].endswith("; EfficientNet-B4: launch-bound, as the GPU waited for its host")
    rows = fs.Store(REPO / "data/measured/16gf/nvidia-h200.jsonl").frame().set_index(["network", "mode", "precision"])
    rival = rows.loc[("EfficientNet-B4", "inference", "bf16")]
    assert 0.9 * rival["median_ms"] < rival["launch_ms"] < rival["median_ms"]
    assert ("EfficientNet-B4", "training") not in rows.index.droplevel("precision")


def test_a_rival_and_its_partner_are_known_by_any_of_their_names():
    """Tables have RegNetY-4GF where the zoo has RegNetY-4.0GF."""
    parameters = {"rival": "regnety-4gf", "published_as": "EfficientNet-B4", "batch": 1}
    done = played(PAIR, parameters)
    found = verdicts(done)
    assert found.index.is_unique
    told = found[found.index.str.contains("EfficientNet-B4, designed, .* RegNetY-4.0GF")]
    sources = {"pycls", "Early Convolutions"}
    assert {source for source in sources if told["details"].str.contains(source).any()} == sources
    assert told.index.str.contains("difference of errors").any()


def test_another_pair_is_not_the_paper_s():
    parameters = {"network": "RegNetX-400MF", "flops": 8e8, "rival": "ResNet-50", "published_as": "RegNetX-800MF"}
    parameters |= {"batch": 1}
    other = played(PAIR, parameters)
    assert (verdicts(other)["scope"] == BEYOND).all()


def test_every_ratio_is_drawn(on_a_gpu):
    shown = [output.data for output in outputs(on_a_gpu) if "application/vnd.plotly.v1+json" in output.get("data", {})]
    costs = {cost for trace in shown[-1]["application/vnd.plotly.v1+json"]["data"] for cost in trace["y"]}
    memory = {"peak memory in inference", "peak memory in training", "measured memory in training, Some GPU"}
    assert costs >= memory | {"flops", "params", "activations", "time in training, Some GPU"}
    assert costs >= {"time in training, V100", "time in training, V100-32GB"}


# What the sentences tell


def told(notebook) -> str:
    """The sentences that the cells of a notebook computed."""
    data = [output.get("data", {}) for output in outputs(notebook)]
    return " ".join(each["text/markdown"] for each in data if "text/markdown" in each)


def test_sentences_follow_the_stores(executed, on_a_gpu):
    shipped, own = told(executed(PAIR)), told(on_a_gpu)
    assert (
        "Of 25 measured times 2 were made while others used more than 5 % of the machine, or its GPU, and are left out"
        in shipped
    )
    assert (
        "- at least 1.05 times on NVIDIA H200, inference, bf16, batch 64, where EfficientNet-B4 waited for its host"
        in shipped
    )
    assert "- 0.75 times (0.61 to 0.92) on " in own
    assert "launch-bound network" not in own
    assert "- not decided: " in shipped
    assert "- not decided: " not in own


def test_sentences_follow_the_pair(executed):
    assert "3.61 times the flops, 3.75 times the params and 0.539 times the activations" in told(executed(PAIR))
    counts = pd.DataFrame([fs.complexity(name) for name in ("ResNet-18", "ResNet-50")], index=["small", "large"])
    text = fs.analysis.pair_counts_text(counts)
    assert text.startswith("**What came out.** small has 0.444 times the flops")
    errors = pd.DataFrame({"difference": [-1.0, 0.5]})
    said = fs.analysis.pair_errors_text(errors, "small", "large")
    assert said.endswith("in 1 of 2 rows; the difference to large is −1.0 to +0.5 percentage points.")


def test_a_gpu_holds_more_than_is_counted_in_inference(executed):
    """RegNetY's excess is about one of its largest outputs, EfficientNet-B4's a tenth of one."""
    held = fs.analysis.memory_beside_counted([REPO / "data/measured/16gf/nvidia-h200.jsonl"], [BIG, RIVAL])
    assert len(held) == 5
    over = held["beyond the count, %"].droplevel(1)
    assert over["RegNetY-4.0GF dWr ×4"].between(25, 40).sum() == 2  # in inference
    assert over["RegNetY-4.0GF dWr ×4"].between(0, 2).sum() == 2  # in training
    assert over["EfficientNet-B4"] == pytest.approx(4, abs=0.5)
    share = held["of the largest output"].droplevel(1)
    assert share["RegNetY-4.0GF dWr ×4"].max() == pytest.approx(0.95, abs=0.01)
    assert fs.analysis.memory_excess_text(held) in told(executed(PAIR))
    assert fs.analysis.memory_excess_text(held.head(0)).startswith("No run on a GPU")
    less = held.assign(**{"beyond the count, %": -held["beyond the count, %"].abs()})
    assert fs.analysis.memory_excess_text(less).endswith(": never more than is counted.")
