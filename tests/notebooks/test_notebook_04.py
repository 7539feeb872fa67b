"""Fast scaling: counts, knees, times and verdicts are what the library gives; rows of a GPU are judged like others."""

import json
import re
from ast import literal_eval

import numpy as np
import pandas as pd
import papermill
import pytest
from helpers.notebooks import REPO, named, tables, texts, verdicts
from helpers.played_notebooks import played

import fastscale_lib as fs
from fastscale_lib.analysis.claims import BEYOND, FAILS, HOLDS, UNDECIDED, UNTESTED, WITHIN_ONE_RUN
from fastscale_lib.analysis.times import measured_bases
from fastscale_lib.records import PublishedError
from fastscale_lib.reports import ParameterError

FAST = named("04_fast_scaling")
DEFAULTS = {
    name: literal_eval(parameter["default"]) for name, parameter in papermill.inspect_notebook(str(FAST)).items()
}
B0 = DEFAULTS["network"]
EPYC, XEON, H200 = "AMD EPYC", "Intel Xeon", "NVIDIA H200"
QUICK = {"networks": [B0], "alphas": [0.0, 0.5, 1.0], "scales": [2.0], "judged_scales": [2.0]}


def activations(s: float) -> dict[str, int]:
    frame = fs.equal_flops(B0, ["w", "dw", "dwr", "dWr"], [s])
    return dict(zip(frame["strategy"], frame["activations"], strict=True))


# Counts


def test_the_laws_shown_are_the_paper_s_family(executed):
    """Section 5: e_d = (1−α)/2, e_w = e_g = α/2, e_r = (1−α)/4; params s^((1+α)/2), activations s^(1−α/2)."""
    rows = [row for row in tables(executed(FAST))[0][2:] if row[0] != "dwr"]
    shown = np.array(rows, dtype=float)
    alpha = shown[:, 0]
    assert alpha.tolist() == DEFAULTS["alphas"]
    width, rest = alpha / 2, (1 - alpha) / 2
    law = np.transpose([rest, width, width, rest / 2, (1 + alpha) / 2, 1 - alpha / 2])
    assert shown[:, 1:] == pytest.approx(law, abs=0.00051)


def test_verdicts_on_activations_are_what_the_library_counts(executed):
    shown = verdicts(executed(FAST))
    for s in DEFAULTS["judged_scales"]:
        counts = activations(s)
        for other, most in {"w": s**0.1, "dwr": 1, "dw": 1}.items():  # by the law dWr has t^0.1 times those of w
            row = shown.loc[f"{B0} at {s:g}× flops, activations: dWr over {other}"]
            ratio = counts["dWr"] / counts[other]
            assert (row["found"], row["verdict"]) == (f"{ratio:.3f}", HOLDS if ratio < most else FAILS)


def test_the_knees_shown_are_the_library_s(executed):
    rows = {row[0]: [float(cell) for cell in row[1:]] for row in tables(executed(FAST))[1][2:]}
    counted = fs.equal_flops(B0, DEFAULTS["alphas"], DEFAULTS["scales"])
    knees = fs.analysis.knees(counted, ["scale"], "activations", DEFAULTS["nearly"])["knee"]
    assert rows[B0] == knees.tolist()
    assert rows["law"] == sorted(rows["law"])


def test_the_exponent_of_activations_falls_in_a_straight_line():
    exponents = [float(fs.strategy(alpha=alpha).laws.activations) for alpha in np.linspace(0, 1, 11)]
    assert np.diff(exponents) == pytest.approx(-1 / 20)


# Times


def measured_at_equal_flops(base: fs.Network | str = B0) -> dict[str, pd.DataFrame]:
    """The times of w, dwr, dw and dWr on each shipped CPU, by strategy."""
    rows = fs.records.read_rows(sorted((REPO / "data" / "measured").glob("*-threads.jsonl")))
    times = fs.analysis.measured_times(rows[rows["mode"] == DEFAULTS["mode"]], base, ["w", "dwr", "dw", "dWr"])
    return {str(device): own.set_index("strategy") for device, own in times.groupby("device_name")}


def test_sentences_are_computed_from_the_rows(executed):
    rows = fs.records.read_rows(sorted((REPO / "data" / "measured").glob("*.jsonl")))
    timed = fs.analysis.measured_times_of_bases(rows[rows["mode"] == DEFAULTS["mode"]], B0, DEFAULTS["alpha"])
    said = texts(executed(FAST))
    assert fs.analysis.how_often_faster_text(fs.analysis.fast_scaling_ratios(timed, DEFAULTS["alpha"])) in said
    assert fs.analysis.devices_text(fs.analysis.on_every_device(rows, B0)) in said
    assert any("paper's order" in text and f"On {H200}, inference, bf16" in text for text in said)
    assert any(text.startswith("Predicted times:") and "median error" in text for text in said)


def test_verdicts_on_time_are_those_of_the_interpolated_rows(executed):
    shown = verdicts(executed(FAST))
    expected = {EPYC: [UNDECIDED] * 3, XEON: [HOLDS, UNDECIDED, UNDECIDED]}
    for device, times in measured_at_equal_flops().items():
        [scale] = times["scale"].unique()
        for other, verdict in zip(("w", "dwr", "dw"), expected[device], strict=True):
            row = shown.loc[f"time on a CPU ({device}), {B0} at {scale:.3g}× flops: dWr over {other}"]
            ours, theirs = (times[["ms_per_image", "low_ms", "high_ms"]].T[way].tolist() for way in ("dWr", other))
            ratio, low, high = ours[0] / theirs[0], ours[1] / theirs[2], ours[2] / theirs[1]
            most = 1 + (DEFAULTS["nearly"] if other == "w" else 0)
            assert row["verdict"] == (HOLDS if high < most else FAILS if low >= most else UNDECIDED) == verdict
            details = f"{device}, 2 threads, inference, fp32, batch 4"
            assert (row["scope"], row["evidence"]) == (BEYOND, "measured")
            if verdict == HOLDS:
                found = f"{ratio:.3f} ({low:.3f} to {high:.3f})"
                assert (row["found"], row["details"]) == (found, f"{details}; {WITHIN_ONE_RUN}")
            else:
                assert row["found"] == f"{ratio:.3f}"
                reasons = r"(; \w+: \d blocks of runs \(range ±[\d.]+ %\) give no interval)+"
                assert re.fullmatch(re.escape(details) + reasons, row["details"])
    assert shown.index.is_unique


def test_all_base_networks_stand_beside_each_other(executed):
    rows = fs.records.read_rows(sorted((REPO / "data" / "measured").glob("*-threads.jsonl")))
    bases = measured_bases(rows)
    assert {base.name for base in bases} - set(fs.networks()) == {"RegNetZ-500MF without head"}
    assert len(bases) == 6
    [table] = [rows for rows in tables(executed(FAST)) if rows[1][:2] == ["device", "base network"]]
    for base in bases:
        for times in measured_at_equal_flops(base).values():
            ratio = times["ms_per_image"]["dWr"] / times["ms_per_image"]
            shown = [f"{ratio[other]:.2f}" for other in ("w", "dwr", "dw")]
            assert [*shown, str(times["doubt"].notna().sum())] in [row[-4:] for row in table if base.name in row]


def test_without_rows_of_a_gpu_what_the_paper_says_of_gpus_is_not_tested():
    other = "RegNetZ-500MF"  # of which the H200 has none
    shown = verdicts(played(FAST, QUICK | {"network": other, "networks": [other]}))
    gpu = shown[shown.index.str.startswith("time on a GPU, ")]
    assert len(gpu) == 3
    assert set(gpu["verdict"]) == {UNTESTED}
    assert gpu["details"].str.startswith(f"no measured rows of {other} scaled by w, dwr, dw and dWr on a GPU").all()


def test_on_a_gpu_times_come_in_the_paper_s_order(executed):
    """As the paper has it: nearly as fast as w, faster than dw and dwr; less so in fp32, and less again in training."""
    rows = fs.records.read_rows([REPO / "data" / "measured" / "nvidia-h200.jsonl"])
    gains = {}
    for (mode, precision), some in rows.groupby(["mode", "precision"]):
        times = fs.analysis.measured_times(some, B0, ["w", "dw", "dwr", "dWr"]).set_index("strategy")
        assert times["ms_per_image"].loc[["w", "dWr", "dw", "dwr"]].is_monotonic_increasing
        gains[mode, precision] = times.loc[["dw", "dwr"], "ms_per_image"] / times.loc["dWr", "ms_per_image"]
        assert times["doubt"].notna().all() == times["low_ms"].isna().all() == (precision == "fp32")
    half, single, trained = (gains[key] for key in [("inference", "bf16"), ("inference", "fp32"), ("training", "fp32")])
    assert (half > single).all()
    assert (single > trained).all()
    shown = verdicts(executed(FAST))
    gpu = shown[shown.index.str.startswith(f"time on a GPU ({H200}, ")]
    assert len(gpu) == 6
    assert gpu["verdict"].groupby(gpu.index.str.contains("bf16")).agg(set).tolist() == [{UNDECIDED}, {HOLDS}]


def test_single_blocks_of_runs_decide_nothing():
    """ResNet-50 on the shipped CPUs: "0.990 (0.990 to 0.991) holds", of one forward pass over one."""
    shown = verdicts(played(FAST, QUICK | {"network": "ResNet-50", "networks": ["ResNet-50"]}))
    times = shown[shown["details"].str.contains("a single block of runs")]
    assert len(times) >= 3
    assert set(times["verdict"]) == {UNDECIDED}
    assert not times["found"].str.contains(" to ").any()


def gpu_store(path, ms) -> str:
    """A store as a plan writes it, of a GPU that is made up."""
    with path.open("w") as store:
        for strategy in ("w", "dwr", "dw", "dWr"):
            for s in (1, 2, 4):
                network = fs.scale(B0, strategy, s)
                counts = fs.complexity(network)
                row = {"base": B0, "network": network.name, "strategy": None if s == 1 else strategy, "scale": s}
                row |= {"description": network.to_dict(), "batch": 64, "device": "cuda", "device_name": "Made-up GPU"}
                row |= {"threads": 8, "mode": "inference", "precision": "bf16", "channels_last": True, "reason": None}
                row |= {"compile": False, "tf32": False, "half_width": 0.01, "median_ms": ms(counts)}
                row |= {"low_ms": ms(counts) * 0.99, "high_ms": ms(counts) * 1.01, **counts._asdict()}
                store.write(json.dumps(row) + "\n")
    return str(path)


@pytest.mark.parametrize(
    ("ms", "expected"),
    [
        (lambda counts: counts.activations / 1e5, [HOLDS, HOLDS, HOLDS]),  # as the paper finds it on GPUs
        (lambda counts: counts.params / 1e5, [HOLDS, FAILS, HOLDS]),  # dwr has the fewest params
    ],
    ids=["activations", "params"],
)
def test_rows_of_a_gpu_are_judged_by_the_same_code(ms, expected, tmp_path):
    (tmp_path / "measured").mkdir()  # none are shipped: the store is the only source
    parameters = QUICK | {"data": str(tmp_path), "stores": [gpu_store(tmp_path / "mine.jsonl", ms)]}
    notebook = played(FAST, parameters)
    shown = verdicts(notebook)
    gpu = shown[shown.index.str.startswith("time on a GPU (Made-up GPU), ")]
    assert gpu["verdict"].tolist() == expected
    assert gpu["details"].str.startswith("Made-up GPU, inference, bf16, batch 64").all()
    assert UNTESTED not in set(shown["verdict"])
    [knees] = [rows for rows in tables(notebook) if rows[1][:1] == ["device"] and len(rows[1]) == 2]
    assert [row[0] for row in knees[2:]] == ["Made-up GPU, inference, bf16, batch 64"]


def test_without_any_rows_counts_are_judged_and_no_times(tmp_path):
    (tmp_path / "measured").mkdir()
    shown = verdicts(played(FAST, QUICK | {"data": str(tmp_path), "alphas": [0.7]}))
    assert shown["verdict"].eq(UNTESTED).to_list() == [False] * 3 + [True] * 3


def test_another_network_another_mode_and_a_tiny_scale():
    parameters = QUICK | {"network": "RegNetX-400MF", "networks": ["ResNet-50"], "mode": "training"}
    shown = verdicts(played(FAST, parameters | {"scales": [0.5], "judged_scales": [0.5]}))
    assert "RegNetX-400MF at 0.5× flops, activations: dWr over w" in shown.index
    measured = shown[shown["evidence"] == "measured"]
    assert measured["details"].str.contains(", training, ").all()
    assert len(measured) == 3 * 2  # devices


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"alphas": [0.5, 1.2]}, "0 to 1; try alphas="),
        ({"network": "EfficientNet-BO"}, "is not a base network; the nearest names are"),
        ({"mode": "sleeping"}, "must be one of inference, training"),
        ({"stores": ["nowhere.jsonl"], **QUICK}, "there is no nowhere.jsonl; give the path of a store"),
    ],
    ids=["alphas", "network", "mode", "stores"],
)
def test_what_is_wrong_ends_in_one_sentence(parameters, sentence):
    with pytest.raises((ParameterError, PublishedError), match=re.escape(sentence)):
        played(FAST, parameters)


@pytest.fixture(scope="module")
def at_another_alpha():
    """`papermill notebooks/04_fast_scaling.ipynb out.ipynb -p alpha 0.7 -p alphas '[0.25, 1]' -p scales 2`."""
    return played(FAST, QUICK | {"alpha": 0.7, "alphas": "[0.25, 1]", "scales": "2"})


def test_another_alpha_is_judged_by_counts_and_measured_times(at_another_alpha):
    """No row was scaled by that."""
    shown = verdicts(at_another_alpha)
    counts = fs.equal_flops(B0, [0.7, "w"], [2.0]).set_index("strategy")["activations"]
    assert (shown["scope"] == BEYOND).all()
    row = shown.loc[f"{B0} at 2× flops, activations: α = 0.7 over w"]
    assert (row["paper"], row["found"]) == (f"< {2**0.15:.3f}", f"{counts['alpha=0.7'] / counts['w']:.3f}")
    assert shown["verdict"].eq(UNTESTED).sum() == 3
    assert not shown.index.str.contains("dWr").any()


@pytest.mark.parametrize("alpha", [1 / 3, 1.0], ids=["as dwr", "as w"])
def test_an_alpha_that_a_strategy_of_its_own_name_has_is_judged(alpha):
    """At most means as much, too: that of α = 1 over w, which it is."""
    shown = verdicts(played(FAST, QUICK | {"alpha": alpha}))
    row = shown.loc[f"{B0} at 2× flops, activations: α = {alpha:g} over w"]
    assert row["verdict"] == HOLDS
    assert (row["found"] == "1.000") == (alpha == 1)
    assert shown.index.str.contains("time on a CPU \\(AMD EPYC\\)").sum() == 3
    assert shown.index.is_unique


def test_plain_papermill_hands_on_a_list(at_another_alpha):
    """It passes a text."""
    rows = tables(at_another_alpha)[0][2:]
    assert [row[0] for row in rows] == ["0.25", "0.7", "1", "dwr"]  # the α that is judged, and w
