"""Runtime and complexity: correlations and verdicts of published, shipped and own timings."""

import json

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
from helpers.notebooks import REPO, named, outputs, prose, tables, verdicts

import fastscale_lib as fs
from fastscale_lib.analysis.claims import BEYOND, FAILS, HOLDS, UNDECIDED, UNTESTED
from fastscale_lib.analysis.correlation import STATISTICS, correlations, leads
from fastscale_lib.records import Conditions, published, published_form, read_rows

RUNTIME = named("03_runtime_and_complexity")
SHIPPED = REPO / "data" / "measured"
EPYC, XEON = "AMD EPYC", "Intel(R) Xeon(R) Processor"
H200 = "NVIDIA H200"
STORES = {EPYC: "amd-epyc-2-threads.jsonl", XEON: "intel-xeon-2-threads.jsonl"}


def measured(device: str, name: str, metric: str, rate: float) -> list[dict]:
    """A row of every base network, on a device where time is one of the counts."""
    rows = []
    for network in fs.networks():
        counts = fs.complexity(network)
        row = {"network": network, "batch": 2, "mode": "inference", "device": device, "device_name": name}
        row |= {"median_ms": getattr(counts, metric) / rate, "precision": "fp32", "reason": None, **counts._asdict()}
        row |= {"channels_last": True, "compile": False, "tf32": False, "threads": 1, "half_width": 0.01}
        rows.append(row | {"description": fs.network(network).to_dict()})
    return rows


@pytest.fixture(scope="module")
def without_measurements(tmp_path_factory) -> nbformat.NotebookNode:
    """The notebook where no measurements are shipped; with a CPU of one's own on which time is flops, and timm's."""
    folder = tmp_path_factory.mktemp("runtime")
    (folder / "data").mkdir()
    (folder / "data" / "published").symlink_to(REPO / "data" / "published")
    with (folder / "own.jsonl").open("w") as store:
        for row in measured("cpu", "Some CPU", "flops", 1e7):
            store.write(json.dumps(row) + "\n")
    timm = REPO / "tests" / "records" / "timm_files" / "timm_benchmark_rtx3090_amp_nhwc.csv"
    parameters = {"data": str(folder / "data"), "stores": [str(folder / "own.jsonl")], "timm": [str(timm)]}
    parameters |= {"resamples": 200}
    return papermill.execute_notebook(RUNTIME, folder / "out.ipynb", parameters, cwd=folder, progress_bar=False)


def test_the_correlations_shown_are_the_library_s(executed):
    found = correlations(published())
    shown = {name: row for name, *row in tables(executed(RUNTIME))[1][3:]}
    for key, rows in Conditions.groups(found, Conditions.CORRELATE):
        by_statistic = [rows[rows["statistic"] == statistic]["r"] for statistic in STATISTICS]
        assert shown[key.title()] == [f"{r:.3f}" for r in pd.concat(by_statistic)]


def test_the_text_on_published_tables():
    """Nothing here hangs on what is measured: the text speaks of the published tables alone."""
    assert "In all three cases, and by all three statistics, activations have the highest *r*" in prose(RUNTIME)
    found = correlations(published())
    cases = found.groupby([*Conditions.CORRELATE, "statistic"], dropna=False)
    assert cases.ngroups == 3 * 3
    assert set(found.loc[cases["r"].idxmax(), "metric"]) == {"activations"}

    text = "In the table of *Early Convolutions* every interval of the lead excludes 0, one by no more than 0.002"
    assert text in prose(RUNTIME)
    assert "In that of pycls most intervals contain 0" in prose(RUNTIME)
    verdict = leads(published()).groupby("source")["verdict"]
    assert set(verdict.get_group("early_convolutions_table2")) == {"ahead"}
    early = leads(published("early_convolutions_table2"))
    assert (early["low"] < 0.0025).sum() == 1
    assert early["low"].min() == pytest.approx(0.002, abs=0.0005)
    assert "of six families intervals are too narrow" in prose(RUNTIME)
    assert published("early_convolutions_table2")["family"].nunique() == 6
    assert verdict.get_group("pycls_zoo_v100").eq("undecided").mean() > 0.5

    assert "within each of its five families flops and activations rise together" in prose(RUNTIME)
    families = published("pycls_zoo_v100").groupby("family")
    assert families.ngroups == 5
    for _, rows in families:
        assert np.corrcoef(*np.log(rows[["flops", "activations"]].astype(float)).to_numpy().T)[0, 1] > 0.95


def leads_over(device: str, other: str) -> pd.DataFrame:
    """The leads of activations on a shipped device, by statistic and mode."""
    lead = leads(published_form(read_rows(SHIPPED / STORES[device])))
    return lead[lead["other"] == other].set_index(["statistic", "mode"])


def test_the_text_on_the_epyc():
    flops = leads_over(EPYC, "flops").sort_index()
    assert "On the AMD EPYC flops have the higher *r* on plain axes, by 0.04 to 0.08;" in prose(RUNTIME)
    text = (
        "by the other statistics it is flops here and activations there. No interval of the lead over flops excludes 0."
    )
    assert text in prose(RUNTIME)
    assert flops.loc["Pearson", "lead"].between(-0.085, -0.035).all()
    rest = flops["lead"].drop("Pearson")
    assert rest.min() < 0 < rest.max()
    assert set(flops["verdict"]) == {"undecided"}


def test_the_text_on_the_xeon():
    flops = leads_over(XEON, "flops").sort_index()
    text = "On the Intel Xeon activations lie behind flops on plain axes alone, by no more than 0.03, and are ahead by"
    assert f"{text} the other statistics: hardly in inference, by 0.04 and 0.08 in training" in prose(RUNTIME)
    assert flops.loc["Pearson", "lead"].between(-0.0305, 0).all()
    rest = flops["lead"].drop("Pearson").round(2).unstack()
    assert rest["inference"].between(0, 0.02).all()
    assert sorted(rest["training"]) == [0.04, 0.08]
    assert flops["lead"].drop("Pearson").min() > 0
    assert "where by ranks the interval excludes 0" in prose(RUNTIME)
    assert flops.index[flops["verdict"] == "ahead"].tolist() == [("Spearman", "training")]
    assert set(flops["verdict"]) == {"ahead", "undecided"}
    assert "Over params they are ahead in every comparison, and every interval excludes 0." in prose(RUNTIME)
    assert set(leads_over(XEON, "params")["verdict"]) == {"ahead"}


def test_the_text_on_the_ceilings_of_the_two(executed):
    assert "has twice the multiply-adds a second, and two thirds of the bandwidth" in prose(RUNTIME)
    assert "three times as many multiply-adds for each byte moved" in prose(RUNTIME)
    [table] = [rows for rows in tables(executed(RUNTIME)) if rows[0][-1] == "multiply-adds a byte"]
    epyc, xeon = ([float(cell) for cell in row[-3:]] for name in (EPYC, XEON) for row in table if name in row)
    assert [two / one for one, two in zip(epyc, xeon, strict=True)] == pytest.approx([2.2, 0.7, 3.1], abs=0.05)


def test_the_text_on_predicted_times(executed):
    [table] = [rows for rows in tables(executed(RUNTIME)) if rows[0][-1] == "reason"]
    rows = pd.DataFrame(table[1:], columns=table[0]).set_index(["device_name", "mode", "by"]).sort_index()
    assert "too few to fit a model of time to" in prose(RUNTIME)
    assert rows.loc[H200, "reason"].str.endswith("a fit takes 10 of them at least").all()
    rows = rows.drop(index=H200)
    assert set(rows["reason"]) == {""}
    errors = rows["error"].astype(float).unstack()
    text = "the median error is 6 and 8 % on the AMD EPYC and 9 % on the Intel Xeon, in inference and training"
    assert text in prose(RUNTIME)
    assert (100 * errors["layers"]).round().to_dict() == {
        (EPYC, "inference"): 6,
        (EPYC, "training"): 8,
        (XEON, "inference"): 9,
        (XEON, "training"): 9,
    }
    assert "In three of the four cases it is less than half that of activations alone" in prose(RUNTIME)
    over = errors["layers"] / errors["activations"]
    assert over.index[over >= 0.5].tolist() == [(XEON, "training")]
    assert "In training on the Intel Xeon it is not, with 9 % against 13 %" in prose(RUNTIME)
    assert errors.loc[(XEON, "training"), "activations"] == pytest.approx(0.13, abs=0.005)
    assert "is within 1.5 points of that by layers in all four cases, and lower in two" in prose(RUNTIME)
    more = errors["flops and activations"] - errors["layers"]
    assert (more.abs() < 0.015).all()
    assert (more < 0).sum() == 2


def test_what_we_set_out_for_is_judged_on_each_device_and_in_each_mode(executed):
    text = "at most 15 % on a CPU and 10 % on a GPU, and of less than half that of activations alone"
    assert text in prose(RUNTIME)
    shown = verdicts(executed(RUNTIME))
    error = "median error of predicted times on families left out"
    for device in (EPYC, XEON):
        for mode in ("inference", "training"):
            where = f"on a CPU ({device}, 2 threads, {mode}, fp32)"
            row, over = shown.loc[f"{error}, {where}"], shown.loc[f"{error}, over that by activations, {where}"]
            assert (row["paper"], row["verdict"]) == ("< 0.150", HOLDS)
            assert (over["paper"], over["verdict"]) == (
                "< 0.500",
                FAILS if (device, mode) == (XEON, "training") else HOLDS,
            )
            assert row["evidence"] == "predicted"
    for setting in ("inference, fp32", "training, fp32", "inference, bf16"):
        row = shown.loc[f"{error}, on a GPU ({H200}, {setting})"]
        assert row[["paper", "verdict"]].tolist() == ["< 0.100", UNTESTED]


def test_no_two_claims_have_one_text(executed):
    assert verdicts(executed(RUNTIME)).index.is_unique


OTHERS = "number of comparisons with another metric above activations"
OWN = "own.jsonl · Some CPU · inference · fp32"


def test_each_published_source_of_gpu_times_is_judged_once(executed):
    shown = verdicts(executed(RUNTIME))
    judged = shown[shown.index.str.startswith(f"{OTHERS}, on a GPU: ")]
    published_ones = judged[judged["evidence"] == "published"]
    assert len(published_ones) == published().groupby(list(Conditions.CORRELATE), dropna=False).ngroups == 3
    early = published_ones.index.str.contains("early_convolutions_table2")
    assert published_ones["verdict"][early].tolist() == [HOLDS]
    assert published_ones["verdict"][~early].tolist() == [UNDECIDED] * 2
    assert published_ones["found"].str.startswith("0.000 (0.000 to ").all()
    assert "so its case stays undecided" in prose(RUNTIME)
    rest = judged.drop(published_ones.index)
    assert rest["evidence"].tolist() == ["measured"] * 3
    assert rest["details"].str.startswith(f"{H200}; ").all()
    assert rest["verdict"].tolist() == [UNDECIDED] * 3


def test_without_measured_rows_of_a_gpu_its_claims_are_not_tested(without_measurements):
    shown = verdicts(without_measurements)
    untested = shown[shown["details"] == "no measured rows of a GPU"]
    error = "median error of predicted times on families left out"
    assert untested.index.tolist() == [f"{OTHERS}, on a GPU: measured rows", f"{error}, on a GPU"]
    assert untested["verdict"].tolist() == [UNTESTED] * 2


def test_the_text_on_the_gpu():
    text = prose(RUNTIME)
    rows = published_form(read_rows(SHIPPED / "nvidia-h200.jsonl"))
    groups = rows.groupby(["mode", "precision"])
    assert "these are 7 networks of two families for each case" in text
    assert set(groups["launch_bound"].apply(lambda waits: (~waits).sum())) == {7}
    assert set(groups["family"].nunique()) == {2}
    lead = leads(rows).set_index(["precision", "statistic", "other"]).sort_index()
    assert lead["low"].isna().all()
    assert "In bf16 the *r* of activations is ahead of that of flops by 0.50 to 1.04" in text
    half = lead.loc["bf16"].xs("flops", level="other")["lead"]
    assert (round(half.min(), 2), round(half.max(), 2)) == (0.5, 1.04)
    assert "in fp32 neither is far ahead on plain axes" in text
    assert lead.loc[("fp32", "Pearson", "flops"), "lead"].abs().max() < 0.05
    said = (
        "An eighth in bf16, the unscaled RegNetY-400MF, takes no longer than its host takes to start it (`launch_ms`)"
    )
    assert f"{said}: it is launch-bound, and left out." in text
    stored = fs.Store(SHIPPED / "nvidia-h200.jsonl").frame()
    waits = stored[stored["launch_ms"] > stored["median_ms"]]
    assert waits[["network", "precision"]].to_numpy().tolist() == [["RegNetY-400MF", "bf16"]]
    assert rows["launch_bound"].sum() == 1
    assert "An NVIDIA H200 has 6 multiply-adds for each byte in fp32, about as many as the Intel Xeon" in text
    ratio = {}
    for path in (SHIPPED / "ceilings").glob("*.jsonl"):
        for each in (fs.measuring.Ceilings(**row) for row in fs.Store(path)):
            ratio[each.device_name, each.precision] = round(each.multiply_adds_per_s / each.bytes_per_s)
    assert (ratio[H200, "fp32"], ratio[XEON, "fp32"], ratio[H200, "bf16"]) == (6, 6, 80)


def test_a_cpu_on_which_flops_win_is_shown_apart(without_measurements):
    shown = verdicts(without_measurements)
    own = shown.loc[f"{OTHERS}, on a CPU: {OWN}"]
    assert own["scope"] == BEYOND
    assert own["verdict"] == FAILS
    assert own["details"].startswith("Some CPU; flops behind, behind, behind; ")
    beyond = shown["scope"] == BEYOND
    assert sorted(beyond) == beyond.tolist()  # after the paper's own claims
    lower = tables(without_measurements)[3]
    assert [OWN, "Pearson", "flops"] in [row[:3] for row in lower]


def test_measured_rows_of_a_gpu_are_judged_like_published_ones(tmp_path):
    with (tmp_path / "gpu.jsonl").open("w") as store:
        for row in measured("cuda:0", "Some GPU", "activations", 1e6):
            store.write(json.dumps(row) + "\n")
    (tmp_path / "published").symlink_to(REPO / "data" / "published")
    parameters = {"stores": [str(tmp_path / "gpu.jsonl")], "resamples": 100, "data": str(tmp_path)}
    done = papermill.execute_notebook(RUNTIME, tmp_path / "out.ipynb", parameters, cwd=tmp_path, progress_bar=False)
    shown = verdicts(done)
    mine = shown.loc[f"{OTHERS}, on a GPU: gpu.jsonl · Some GPU · inference · fp32"]
    assert mine["verdict"] == HOLDS
    assert mine["details"].startswith("Some GPU; flops ahead, ahead, ahead; ")
    assert "no measured rows of a GPU" not in set(shown["details"])


def test_every_evidence_says_where_it_is_from_or_what_is_missing(executed):
    shown = verdicts(executed(RUNTIME))
    tested = shown["verdict"] != UNTESTED
    assert set(shown.loc[tested, "evidence"]) == {"measured", "published", "predicted"}
    assert set(shown.loc[~tested, "evidence"]) == {"–"}
    assert (shown["details"] != "").all()


def test_each_measured_row_says_how_near_its_ceilings_it_came(executed):
    """The text names the families that came nearest and that stayed farthest."""
    [table] = [rows for rows in tables(executed(RUNTIME)) if "with_ceilings" in rows[0]]
    medians, expected = {}, []
    for device, name in {**STORES, H200: "nvidia-h200.jsonl"}.items():
        rows = fs.Store(SHIPPED / name).frame()
        known = [fs.measuring.Ceilings(**row) for row in fs.Store(SHIPPED / "ceilings" / name)]
        keys = [rows["mode"], rows["precision"], rows["base"].str.split("-").str[0]]
        by = fs.prediction.roofline_share(rows, known).groupby(keys, sort=False).median()
        expected += by.round(3).tolist()
        if device in STORES:
            medians |= {(device, mode): some.droplevel([0, 1]) for mode, some in by.groupby(level=0, sort=False)}
    assert "On both, in inference and in training, ResNets come nearest to the ceilings" in prose(RUNTIME)
    assert {some.idxmax() for some in medians.values()} == {"ResNet"}
    assert "RegNetZs are one of the two families that stay farthest away" in prose(RUNTIME)
    assert "EfficientNets are the other, but for inference on the Intel Xeon" in prose(RUNTIME)
    farthest = {case: set(some.nsmallest(2).index) for case, some in medians.items()}
    assert farthest.pop((XEON, "inference")) == {"RegNetZ", "RegNetY"}
    assert all(families == {"RegNetZ", "EfficientNet"} for families in farthest.values())
    assert "comes less near to its ceilings than the AMD EPYC, in every family" in prose(RUNTIME)
    assert all((medians[XEON, mode] < medians[EPYC, mode]).all() for mode in ("inference", "training"))
    assert [float(row[-2]) for row in table[2:]] == pytest.approx(expected)


def test_times_are_predicted_from_measured_rows(without_measurements):
    [errors] = [rows for rows in tables(without_measurements) if rows[0][-1] == "reason"]
    by, error = errors[0].index("by"), errors[0].index("error")
    found = {row[by]: float(row[error]) for row in errors[1:]}
    assert list(found) == ["layers", "flops", "params", "activations", "flops and activations"]
    assert found["flops"] < 0.01 < found["activations"]


def test_a_file_of_timm_is_judged_beside_the_rest(without_measurements):
    name = "timm_benchmark_rtx3090_amp_nhwc.csv · rtx3090 · inference · amp"
    assert name in [row[0] for row in tables(without_measurements)[0]]
    assert verdicts(without_measurements).index.str.endswith(name).sum() == 1
    assert not [output for output in outputs(without_measurements) if output.output_type == "stream"]


def test_the_correlations_of_early_convolutions_are_held_to_those_reported(executed):
    shown = verdicts(executed(RUNTIME))
    reported = shown[shown.index.str.endswith("as Early Convolutions reports it")]
    assert reported["paper"].tolist() == ["0.750", "0.710", "0.930"]
    assert reported["verdict"].tolist() == [FAILS, FAILS, HOLDS]  # Table 2 is a part of their models


def test_another_favourite_is_beyond_the_paper_and_a_store_without_fits_says_why(tmp_path):
    """A store of few rows, and one whose rows do not say what ran: a reason each, and no error of the notebook."""
    (tmp_path / "published").symlink_to(REPO / "data" / "published")
    rows = measured("cpu", "Some CPU", "flops", 1e7)[:6]
    (tmp_path / "few.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    bare = [{name: value for name, value in row.items() if name != "description"} for row in rows]
    (tmp_path / "bare.jsonl").write_text("".join(json.dumps(row) + "\n" for row in bare))
    parameters = {"data": str(tmp_path), "stores": [str(tmp_path / name) for name in ("few.jsonl", "bare.jsonl")]}
    parameters |= {"favourite": "flops", "resamples": 20}
    done = papermill.execute_notebook(RUNTIME, tmp_path / "out.ipynb", parameters, cwd=tmp_path, progress_bar=False)
    shown = verdicts(done)
    assert (shown["scope"] == BEYOND).all()
    [table] = [rows for rows in tables(done) if rows[0][-1] == "reason"]
    reasons = [row[-1] for row in table[1:]]
    assert "a fit takes 10 of them at least" in reasons[0]
    assert "lacks description" in reasons[-1]
    assert not [output for output in outputs(done) if output.output_type == "stream"]
