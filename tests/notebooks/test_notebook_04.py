"""Fast scaling: counts, knees, times and verdicts are what the library gives; rows of a GPU are judged like others."""

import json
import re
from ast import literal_eval

import numpy as np
import pandas as pd
import papermill
import pytest
from helpers.notebooks import REPO, named, prose, tables, verdicts

import fastscale_lib as fs
from fastscale_lib.analysis.claims import BEYOND, FAILS, HOLDS, UNDECIDED, UNTESTED
from fastscale_lib.analysis.times import measured_bases

FAST = named("04_fast_scaling")
DEFAULTS = {
    name: literal_eval(parameter["default"]) for name, parameter in papermill.inspect_notebook(str(FAST)).items()
}
B0 = DEFAULTS["network"]
EPYC, XEON, H200 = "AMD EPYC", "Intel(R) Xeon(R) Processor", "NVIDIA H200"
QUICK = {"networks": [B0], "alphas": [0.0, 0.5, 1.0], "scales": [2.0], "judged_scales": [2.0]}


def executed_with(parameters: dict, folder):
    return papermill.execute_notebook(FAST, folder / "out.ipynb", parameters, cwd=folder, progress_bar=False)


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
    law = np.transpose([rest, width, width, rest / 2, np.ones_like(alpha), (1 + alpha) / 2, 1 - alpha / 2])
    assert shown[:, 1:] == pytest.approx(law, abs=0.00051)


def test_verdicts_on_activations_are_what_the_library_counts(executed):
    shown = verdicts(executed(FAST))
    for s in DEFAULTS["judged_scales"]:
        counts = activations(s)
        for other, most in {"w": s**0.1, "dwr": 1, "dw": 1}.items():  # by the law dWr has t^0.1 times those of w
            row = shown.loc[f"{B0} at {s:g}× flops, activations: dWr over {other}"]
            ratio = counts["dWr"] / counts[other]
            assert (row["found"], row["verdict"]) == (f"{ratio:.3f}", HOLDS if ratio < most else FAILS)


def test_the_text_on_knees(executed):
    rows = {row[0]: [float(cell) for cell in row[1:]] for row in tables(executed(FAST))[1][2:]}
    assert DEFAULTS["scales"] == [2, 4, 8, 16]
    assert "Up to 4 times the flops, α = 0.7 is enough to stay within a quarter of *w*" in prose(FAST)
    assert max(row[1] for name, row in rows.items() if name != "law") == 0.7
    assert "at 16 times, EfficientNet-B0 takes 0.9" in prose(FAST)
    assert rows[B0][-1] == 0.9
    assert "The knee moves up with the scale, as the law says" in prose(FAST)
    assert "below 8 times the flops less would do, and beyond it takes more" in prose(FAST)
    assert [knee < 0.8 for knee in rows[B0]] == [True, True, False, False]
    assert rows[B0][2] == 0.8
    assert rows["law"] == sorted(rows["law"])
    assert all(row[0] < row[-1] for row in rows.values())

    assert "dWr has *t*<sup>0.1</sup> times the activations of *w* at *t* times the flops" in prose(FAST)
    assert "it stays within a quarter up to some 9 times the flops" in prose(FAST)
    lead = fs.strategy("dWr").laws.activations - fs.strategy("w").laws.activations
    assert float(lead) == pytest.approx(0.1)
    assert (1 + DEFAULTS["nearly"]) ** (1 / float(lead)) == pytest.approx(9, abs=0.5)


def test_the_text_on_the_law():
    assert "each tenth of α takes the same twentieth off the exponent of activations" in prose(FAST)
    exponents = [float(fs.strategy(alpha=alpha).laws.activations) for alpha in np.linspace(0, 1, 11)]
    assert np.diff(exponents) == pytest.approx(-1 / 20)


# Times


def measured_at_equal_flops(base: fs.Network | str = B0) -> dict[str, pd.DataFrame]:
    """The times of w, dwr, dw and dWr on each shipped CPU, by strategy."""
    rows = fs.records.measured_rows(sorted((REPO / "data" / "measured").glob("*-threads.jsonl")))
    times = fs.analysis.measured_times(rows[rows["mode"] == DEFAULTS["mode"]], base, ["w", "dwr", "dw", "dWr"])
    return {device: own.set_index("strategy") for device, own in times.groupby("device_name")}


def test_the_text_on_predicted_times(executed):
    """Predicted time has its knee below that of activations; the measured scales are those that the text names."""
    text = "On both, predicted time falls with α too, but less than activations do, so its knee lies lower than that of"
    assert f"{text} activations at every scale" in prose(FAST)
    shown = tables(executed(FAST))
    [of_activations] = [row[1:] for row in shown[1] if row[0] == B0]
    [knees] = [rows for rows in shown if rows[1][:2] == ["device", "source"]]
    assert [row[0].split(",")[0] for row in knees[2:]] == [EPYC, XEON]
    for row in knees[2:]:
        assert all(float(one) < float(other) for one, other in zip(row[-4:], of_activations, strict=True))
    assert "On the Intel Xeon predicted time is level from α = 0.7 on, within a twentieth of that of *w*" in prose(FAST)
    rows = fs.records.measured_rows([REPO / "data" / "measured" / "intel-xeon-2-threads.jsonl"])
    networks = fs.equal_flops(B0, [0.7, 0.8, 0.9, 1.0], DEFAULTS["scales"])
    times = fs.analysis.predicted_times(rows[rows["mode"] == "inference"], networks)
    level = times.pivot(index="scale", columns="alpha", values="ms_per_image")
    assert level.div(level[1.0], axis=0).stack().between(0.95, 1.05).all()
    assert "Measured networks go up to 4 times the flops of the base" in prose(FAST)
    assert rows["scale"].max() == 4


def test_verdicts_on_time_are_those_of_the_interpolated_rows(executed):
    shown = verdicts(executed(FAST))
    expected = {EPYC: [UNDECIDED] * 3, XEON: [HOLDS, UNDECIDED, UNDECIDED]}
    for device, times in measured_at_equal_flops().items():
        [scale] = times["scale"].unique()
        for other, verdict in zip(("w", "dwr", "dw"), expected[device], strict=True):
            row = shown.loc[f"time on a CPU ({device}), {B0} at {scale:.3g}× flops: dWr over {other}"]
            ratio = times.loc["dWr", "ms_per_image"] / times.loc[other, "ms_per_image"]
            low = times.loc["dWr", "low_ms"] / times.loc[other, "high_ms"]
            high = times.loc["dWr", "high_ms"] / times.loc[other, "low_ms"]
            most = 1 + (DEFAULTS["nearly"] if other == "w" else 0)
            assert row["verdict"] == (HOLDS if high < most else FAILS if low >= most else UNDECIDED) == verdict
            details = f"{device}, 2 threads, inference, fp32, batch 4"
            assert (row["scope"], row["evidence"]) == (BEYOND, "measured")
            if verdict == HOLDS:
                assert (row["found"], row["details"]) == (f"{ratio:.3f} ({low:.3f} to {high:.3f})", details)
            else:
                assert row["found"] == f"{ratio:.3f}"
                assert re.fullmatch(
                    rf"{re.escape(details)}(; \w+: \d blocks of runs give no interval)+", row["details"]
                )
    assert shown.index.is_unique


def test_the_text_on_measured_times(executed):
    times = measured_at_equal_flops()
    assert "On the Intel Xeon, at 3.6 times the flops, they come in the paper's order" in prose(FAST)
    assert "*dWr* takes 3 % longer than *w*, a tenth less than *dw*, and a third less than *dwr*" in prose(FAST)
    ratio = times[XEON].loc["dWr", "ms_per_image"] / times[XEON]["ms_per_image"]
    assert ratio[["w", "dw", "dwr"]].tolist() == pytest.approx([1.03, 0.9, 2 / 3], abs=0.006)
    text = "On the AMD EPYC *dWr* came out slower than *dwr* and *dw*, where the prediction has it faster"
    assert f"{text}; none of its four times has an interval" in prose(FAST)
    assert times[EPYC]["low_ms"].isna().all()
    assert "But only those of *w* and *dWr* have intervals." in prose(FAST)
    assert set(times[XEON].index[times[XEON]["low_ms"].notna()]) == {"w", "dWr"}
    [scale] = times[EPYC]["scale"].unique()
    assert scale == pytest.approx(3.6, abs=0.05)
    assert times[EPYC].loc["dWr", "ms_per_image"] > times[EPYC].loc[["dwr", "dw"], "ms_per_image"].max()
    [table] = [rows for rows in tables(executed(FAST)) if rows[0][-1] == "doubt"]
    predicted = {row[-6]: float(row[-2]) for row in table[2:6]}  # of the first device, the AMD EPYC
    assert predicted["dWr"] < min(predicted["dwr"], predicted["dw"])


def test_the_text_on_all_base_networks(executed):
    text = "*dWr* is faster than *dwr* for all six on the Intel Xeon, and for four on the AMD EPYC"
    assert f"Of six base networks, taken as measured, {text}; faster than *dw* for five, and for three" in prose(FAST)
    rows = fs.records.measured_rows(sorted((REPO / "data" / "measured").glob("*-threads.jsonl")))
    bases = measured_bases(rows)
    assert {base.name for base in bases} - set(fs.networks()) == {"RegNetZ-500MF without head"}
    assert len(bases) == 6
    faster = {EPYC: {"dwr": 0, "dw": 0}, XEON: {"dwr": 0, "dw": 0}}
    [table] = [rows for rows in tables(executed(FAST)) if rows[1][:2] == ["device", "base network"]]
    for base in bases:
        for device, times in measured_at_equal_flops(base).items():
            ratio = times.loc["dWr", "ms_per_image"] / times["ms_per_image"]
            for other in ("dwr", "dw"):
                faster[device][other] += ratio[other] < 1
            shown = [f"{ratio[other]:.3f}" for other in ("w", "dwr", "dw")]
            assert [*shown, str(times["doubt"].notna().sum())] in [row[-4:] for row in table if base.name in row]
    assert faster == {EPYC: {"dwr": 4, "dw": 3}, XEON: {"dwr": 6, "dw": 5}}


def test_without_rows_of_a_gpu_what_the_paper_says_of_gpus_is_not_tested(tmp_path):
    other = "RegNetZ-500MF"  # of which the H200 has none
    shown = verdicts(executed_with(QUICK | {"network": other, "networks": [other]}, tmp_path))
    gpu = shown[shown.index.str.startswith("time on a GPU, ")]
    assert len(gpu) == 3
    assert set(gpu["verdict"]) == {UNTESTED}
    assert gpu["details"].str.startswith(f"no measured rows of {other} scaled by w, dwr, dw and dWr on a GPU").all()


def test_the_text_on_a_gpu(executed):
    """As the paper has it: nearly as fast as w, faster than dw and dwr."""
    text = prose(FAST)
    assert "the measured times of EfficientNet-B0 come in the paper's order" in text
    assert "*dWr* takes 6 % longer than *w*, 23 % less than *dw*, and 29 % less than *dwr*" in text
    assert "In fp32, where arithmetic is slower, it takes 5 % longer, 14 % less, and 20 % less" in text
    assert (
        "and in training (`mode`), in fp32, 6 % longer, 3 % less, and 10 % less. There no time has an interval" in text
    )
    rows = fs.records.measured_rows([REPO / "data" / "measured" / "nvidia-h200.jsonl"])
    assert set(rows["batch"]) == {256}
    said = {
        ("inference", "bf16"): [6, -23, -29],
        ("inference", "fp32"): [5, -14, -20],
        ("training", "fp32"): [6, -3, -10],
    }
    for (mode, precision), some in rows.groupby(["mode", "precision"]):
        times = fs.analysis.measured_times(some, B0, ["w", "dw", "dwr", "dWr"]).set_index("strategy")
        assert times["scale"].unique() == pytest.approx([4], rel=0.01)
        ratio = times.loc["dWr", "ms_per_image"] / times.loc[["w", "dw", "dwr"], "ms_per_image"]
        assert (100 * (ratio - 1)).round().tolist() == said.pop((mode, precision))
        assert times["doubt"].notna().all() == times["low_ms"].isna().all() == (precision == "fp32")
    assert not said
    shown = verdicts(executed(FAST))
    gpu = shown[shown.index.str.startswith(f"time on a GPU ({H200}, ")]
    assert len(gpu) == 6
    assert gpu["verdict"].groupby(gpu.index.str.contains("bf16")).agg(set).tolist() == [{UNDECIDED}, {HOLDS}]
    assert "What is decided of GPUs rests on one network on one GPU, in bf16" in text


def test_the_gpu_s_times_are_shown_by_their_digits(executed):
    """0.2 0.2 0.2 NaN, when they were rounded to a decimal of a millisecond."""
    [table] = [rows for rows in tables(executed(FAST)) if rows[0][-1] == "doubt"]
    shown = {row[-6]: row[-5:-1] for row in table[-4:]}  # of the last case: bf16
    assert shown["w"] == ["0.0851", "0.0850", "0.0852", "–"]
    assert {name: row[0] for name, row in shown.items()} == {
        "w": "0.0851",
        "dw": "0.117",
        "dwr": "0.127",
        "dWr": "0.0903",
    }


def test_single_blocks_of_runs_decide_nothing(tmp_path):
    """ResNet-50 on the shipped CPUs: "0.990 (0.990 to 0.991) holds", of one forward pass over one."""
    shown = verdicts(executed_with(QUICK | {"network": "ResNet-50", "networks": ["ResNet-50"]}, tmp_path))
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
    notebook = executed_with(parameters, tmp_path)
    shown = verdicts(notebook)
    gpu = shown[shown.index.str.startswith("time on a GPU (Made-up GPU), ")]
    assert gpu["verdict"].tolist() == expected
    assert gpu["details"].str.startswith("Made-up GPU, inference, bf16, batch 64").all()
    assert UNTESTED not in set(shown["verdict"])
    [knees] = [rows for rows in tables(notebook) if rows[1][:2] == ["device", "source"]]
    assert [row[1] for row in knees[2:]] == ["mine.jsonl"]


def test_without_any_rows_counts_are_judged_and_no_times(tmp_path):
    (tmp_path / "measured").mkdir()
    shown = verdicts(executed_with(QUICK | {"data": str(tmp_path), "alphas": [0.7]}, tmp_path))
    assert shown["verdict"].eq(UNTESTED).to_list() == [False] * 3 + [True] * 3


def test_another_network_another_mode_and_a_tiny_scale(tmp_path):
    parameters = QUICK | {"network": "RegNetX-400MF", "networks": ["ResNet-50"], "mode": "training"}
    shown = verdicts(executed_with(parameters | {"scales": [0.5], "judged_scales": [0.5]}, tmp_path))
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
def test_what_is_wrong_ends_in_one_sentence(parameters, sentence, tmp_path):
    with pytest.raises(papermill.PapermillExecutionError) as error:
        executed_with(parameters, tmp_path)
    assert error.value.ename in ("ParameterError", "PublishedError")
    assert sentence in error.value.evalue


def test_another_alpha_is_judged_by_counts_and_where_it_was_measured_by_time(tmp_path):
    """`papermill notebooks/04_fast_scaling.ipynb out.ipynb -p alpha 0.7`; no row was scaled by that."""
    shown = verdicts(executed_with(QUICK | {"alpha": 0.7}, tmp_path))
    counts = fs.equal_flops(B0, [0.7, "w"], [2.0]).set_index("strategy")["activations"]
    assert (shown["scope"] == BEYOND).all()
    row = shown.loc[f"{B0} at 2× flops, activations: α = 0.7 over w"]
    assert (row["paper"], row["found"]) == (f"< {2**0.15:.3f}", f"{counts['alpha=0.7'] / counts['w']:.3f}")
    assert shown["verdict"].eq(UNTESTED).sum() == 3
    assert not shown.index.str.contains("dWr").any()


@pytest.mark.parametrize("alpha", [1 / 3, 1.0], ids=["as dwr", "as w"])
def test_an_alpha_that_a_strategy_of_its_own_name_has_is_judged(alpha, tmp_path):
    """At most means as much, too: that of α = 1 over w, which it is."""
    shown = verdicts(executed_with(QUICK | {"alpha": alpha}, tmp_path))
    row = shown.loc[f"{B0} at 2× flops, activations: α = {alpha:g} over w"]
    assert row["verdict"] == HOLDS
    assert (row["found"] == "1.000") == (alpha == 1)
    assert shown.index.str.contains("time on a CPU \\(AMD EPYC\\)").sum() == 3
    assert shown.index.is_unique


def test_plain_papermill_hands_on_a_list(tmp_path):
    """`papermill -p alphas '[0.5, 1]'` passes a text."""
    parameters = QUICK | {"alphas": "[0.25, 1]", "scales": "2"}
    rows = tables(executed_with(parameters, tmp_path))[0][2:]
    assert [row[0] for row in rows] == ["0.25", "0.8", "1", "dwr"]  # the α that is judged, and w
