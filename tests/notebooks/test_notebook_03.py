"""Runtime and complexity: correlations and verdicts of published, shipped and own timings."""

import nbformat
import numpy as np
import pandas as pd
import pytest
from helpers.notebooks import REPO, named, tables, verdicts
from helpers.played_notebooks import played
from helpers.zoo_rows import write_store, zoo_rows

import fastscale_lib as fs
from fastscale_lib.analysis import BEYOND, FAILS, HOLDS, UNDECIDED, UNTESTED, correlations, leads
from fastscale_lib.records import Conditions, published, published_form, read_rows

RUNTIME = named("03_runtime_and_complexity")
SHIPPED = REPO / "data" / "measured"
EPYC, XEON = "AMD EPYC", "Intel(R) Xeon(R) Processor"
H200 = "NVIDIA H200"
ORDER = "number of pairs of strategies with times in another order than their activations"
STORES = {EPYC: "amd-epyc-2-threads.jsonl", XEON: "intel-xeon-2-threads.jsonl", H200: "nvidia-h200.jsonl"}


def data_without_measurements(folder) -> str:
    (folder / "published").symlink_to(REPO / "data" / "published")
    return str(folder)


@pytest.fixture(scope="module")
def without_measurements(tmp_path_factory) -> nbformat.NotebookNode:
    """The notebook where no measurements are shipped; with a CPU of one's own on which time is flops, and timm's."""
    folder = tmp_path_factory.mktemp("runtime")
    own = write_store(folder / "own.jsonl", zoo_rows("cpu", "Some CPU", "flops", 1e7))
    timm = REPO / "tests" / "records" / "timm_files" / "timm_benchmark_rtx3090_amp_nhwc.csv"
    parameters = {"data": data_without_measurements(folder), "stores": [own], "timm": [str(timm)], "resamples": 200}
    return played(RUNTIME, parameters)


@pytest.fixture(scope="module")
def published_leads() -> pd.DataFrame:
    return leads(published())


def test_the_correlations_shown_are_the_library_s(executed):
    table = fs.analysis.correlation_table(correlations(published()))
    shown = {name: row for name, *row in tables(executed(RUNTIME))[1][3:]}
    for case, row in table.iterrows():
        assert shown[str(case)] == [f"{r:.3f}" for r in row]


# What the text tells of the published tables


def test_activations_lead_in_every_published_table():
    found = correlations(published())
    cases = found.groupby([*Conditions.CORRELATE, "statistic"], dropna=False)
    assert cases.ngroups == 3 * 3
    assert set(found.loc[cases["r"].idxmax(), "metric"]) == {"activations"}


def test_of_early_convolutions_every_interval_excludes_0(published_leads):
    early = published_leads[published_leads["source"] == "early_convolutions_table2"]
    assert set(early["verdict"]) == {"ahead"}
    assert (early["low"] < 0.0025).sum() == 1  # by very little
    assert published("early_convolutions_table2")["family"].nunique() == 6


def test_of_pycls_most_leads_are_undecided(published_leads):
    """Within each family flops and activations rise together."""
    verdict = published_leads.groupby("source")["verdict"].get_group("pycls_zoo_v100")
    assert verdict.eq("undecided").mean() > 0.5
    for _, rows in published("pycls_zoo_v100").groupby("family"):
        assert np.corrcoef(*np.log(rows[["flops", "activations"]].astype(float)).to_numpy().T)[0, 1] > 0.95


# And of the shipped devices


def leads_over(device: str, other: str) -> pd.DataFrame:
    """The leads of activations on a shipped device, by statistic and mode."""
    lead = leads(published_form(read_rows([SHIPPED / STORES[device]])))
    return lead[lead["other"] == other].set_index(["statistic", "mode"]).sort_index()


def test_on_the_epyc_flops_lead_on_plain_axes():
    flops = leads_over(EPYC, "flops")
    assert flops.xs("Pearson")["lead"].between(-0.085, -0.035).all()
    rest = flops["lead"].drop("Pearson")
    assert rest.min() < 0 < rest.max()
    assert set(flops["verdict"]) == {"undecided"}


def test_on_the_xeon_flops_lead_on_plain_axes_alone():
    flops = leads_over(XEON, "flops")
    assert flops.xs("Pearson")["lead"].between(-0.0305, 0).all()
    rest = flops["lead"].drop("Pearson").round(2).unstack()
    assert rest["inference"].between(0, 0.02).all()
    assert sorted(rest["training"]) == [0.04, 0.08]
    assert flops["lead"].drop("Pearson").min() > 0
    assert flops.index[flops["verdict"] == "ahead"].tolist() == [("Spearman", "training")]
    assert set(flops["verdict"]) == {"ahead", "undecided"}
    assert set(leads_over(XEON, "params")["verdict"]) == {"ahead"}


def test_on_the_gpu_activations_lead_in_bf16_and_nothing_is_decided():
    rows = published_form(read_rows([SHIPPED / STORES[H200]]))
    groups = rows.groupby(["mode", "precision"])
    assert set(groups["launch_bound"].apply(lambda waits: (~waits).sum())) == {7}
    assert set(groups["family"].nunique()) == {2}
    lead = leads(rows).set_index(["precision", "statistic", "other"]).sort_index()
    assert lead["low"].isna().all()
    half = lead.xs("bf16").xs("flops", level="other")["lead"]
    assert (round(half.min(), 2), round(half.max(), 2)) == (0.5, 1.04)
    single = lead.xs("fp32").xs("Pearson").xs("flops")["lead"]
    assert single.abs().max() < 0.05


def test_one_row_of_the_gpu_is_its_host_s_time():
    stored = fs.Store(SHIPPED / STORES[H200]).frame()
    waits = stored[stored["launch_ms"] > stored["median_ms"]]
    assert waits[["network", "precision"]].to_numpy().tolist() == [["RegNetY-400MF", "bf16"]]
    assert published_form(read_rows([SHIPPED / STORES[H200]]))["launch_bound"].sum() == 1


def test_devices_differ_in_arithmetic_beside_bandwidth(executed):
    known = fs.analysis.read_ceilings(sorted((SHIPPED / "ceilings").glob("*.jsonl")))
    table = fs.analysis.ceilings_table(known).set_index(["device_name", "precision"]).drop(columns="threads")
    xeon_over_epyc = table.T[XEON, "fp32"] / table.T[EPYC, "fp32"]
    assert xeon_over_epyc.tolist() == pytest.approx([2.2, 0.7, 3.1], abs=0.05)
    ratio = table["multiply-adds/byte"].round()
    assert (ratio[H200, "fp32"], ratio[XEON, "fp32"], ratio[H200, "bf16"]) == (6, 6, 80)
    [shown] = [rows for rows in tables(executed(RUNTIME)) if rows[0][-1] == "multiply-adds/byte"]
    assert [float(row[-1]) for row in shown[1:]] == table["multiply-adds/byte"].round(1).tolist()


@pytest.fixture(scope="module")
def errors(executed) -> pd.DataFrame:
    """The errors of predicted times that the notebook shows."""
    [table] = [rows for rows in tables(executed(RUNTIME)) if rows[0][-1] == "reason"]
    return pd.DataFrame(table[1:], columns=table[0]).set_index(["device_name", "mode", "by"]).sort_index()


def test_predicted_times_are_as_near_as_the_text_tells(errors):
    assert errors.xs(H200)["reason"].str.endswith("a fit takes 10 of them at least").all()
    rows = errors.drop(index=H200)
    assert set(rows["reason"]) == {""}
    error = rows["error"].astype(float).unstack()
    assert (100 * error["layers"]).round().to_dict() == {
        (EPYC, "inference"): 6,
        (EPYC, "training"): 8,
        (XEON, "inference"): 8,
        (XEON, "training"): 8,
    }
    over = error["layers"] / error["activations"]
    assert over.index[over >= 0.5].tolist() == [(XEON, "training")]
    assert error["activations"][XEON, "training"] == pytest.approx(0.13, abs=0.005)
    more = error["flops and activations"] - error["layers"]
    assert (more.abs() < 0.015).all()
    assert (more < 0).sum() == 2


def test_families_come_more_or_less_near_to_their_ceilings(executed):
    """The text names the families that came nearest and that stayed farthest."""
    [table] = [rows for rows in tables(executed(RUNTIME)) if "with_ceilings" in rows[0]]
    known = fs.analysis.read_ceilings([SHIPPED / "ceilings" / name for name in STORES.values()])
    near = fs.analysis.rows_beside_ceilings([SHIPPED / name for name in STORES.values()], known)
    shares = fs.analysis.shares_by_family(near)["median"]
    assert [float(row[-2]) for row in table[2:]] == pytest.approx(shares.round(3).tolist())
    of_cpus = shares.drop(H200, level="device_name")
    medians = of_cpus.droplevel(["source", "precision"]).unstack("family")
    assert set(medians.idxmax(axis=1)) == {"ResNet"}
    farthest = {case: set(row.nsmallest(2).index) for case, row in medians.iterrows()}
    assert farthest.pop((XEON, "inference")) == {"RegNetZ", "RegNetY"}
    assert all(families == {"RegNetZ", "EfficientNet"} for families in farthest.values())
    assert (medians.xs(XEON) < medians.xs(EPYC)).all(axis=None)


# Within one base network


def test_on_the_h200_one_base_s_times_are_in_order_of_activations(executed):
    shown = verdicts(executed(RUNTIME)).filter(like=ORDER, axis="index")
    found = {text.split(", ")[-2]: row for text, row in shown.iterrows() if "inference" in str(text)}
    assert found["bf16"]["verdict"] == HOLDS
    assert found["fp32"][["found", "verdict"]].tolist() == ["0.000 (0.000 to 6.000)", UNDECIDED]
    assert len(shown) == 3


def test_on_the_cpus_activations_rank_most_times_better_than_params():
    within = fs.analysis.times_within_bases(read_rows(sorted(SHIPPED.glob("*.jsonl"))))
    table = fs.analysis.within_base_table(within[within["device"] == "cpu"])
    ahead = table["Spearman, activations"] > table["Spearman, params"]
    assert 0.6 < ahead.mean() < 0.9


# Verdicts


def test_what_we_set_out_for_is_judged_on_each_device_and_in_each_mode(executed):
    shown = verdicts(executed(RUNTIME))
    error = "median error of predicted times on families left out"
    for device in (EPYC, XEON):
        for mode in ("inference", "training"):
            where = f"on a CPU ({device}, 2 threads, {mode}, fp32)"
            row = shown.loc[f"{error}, {where}"]
            over = shown.loc[f"{error}, over the best that is fitted to counts, {where}"]
            assert (row["paper"], row["verdict"]) == ("< 0.150", HOLDS)
            assert (over["paper"], over["verdict"]) == (
                "< 1.000",
                FAILS if (device, mode) in ((XEON, "training"), (EPYC, "inference")) else HOLDS,
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
    stores = [write_store(tmp_path / "gpu.jsonl", zoo_rows("cuda:0", "Some GPU", "activations", 1e6))]
    parameters = {"stores": stores, "resamples": 100, "data": data_without_measurements(tmp_path)}
    shown = verdicts(played(RUNTIME, parameters))
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


def test_times_are_predicted_from_measured_rows(without_measurements):
    [errors] = [rows for rows in tables(without_measurements) if rows[0][-1] == "reason"]
    by, error = errors[0].index("by"), errors[0].index("error")
    found = {row[by]: float(row[error]) for row in errors[1:]}
    assert list(found) == ["layers", "flops", "params", "activations", "flops and activations"]
    assert found["flops"] < 0.01 < found["activations"]


def test_a_file_of_timm_is_judged_beside_the_rest(without_measurements):
    name = "timm_benchmark_rtx3090_amp_nhwc.csv · RTX 3090 · inference · amp"
    assert name in [row[0] for row in tables(without_measurements)[0]]
    assert verdicts(without_measurements).index.str.endswith(name).sum() == 1


def test_the_correlations_of_early_convolutions_are_held_to_those_reported(executed):
    shown = verdicts(executed(RUNTIME))
    reported = shown[shown.index.str.endswith("as Early Convolutions reports it")]
    assert reported["paper"].tolist() == ["0.750", "0.710", "0.930"]
    assert reported["verdict"].tolist() == [FAILS, FAILS, HOLDS]  # Table 2 is a part of their models


def test_another_favourite_is_beyond_the_paper_and_a_store_says_why(tmp_path):
    """A store of few rows, and one whose rows do not say what ran: a reason each, and no error of the notebook."""
    rows = zoo_rows("cpu", "Some CPU", "flops", 1e7)[:6]
    bare = [{name: value for name, value in row.items() if name != "description"} for row in rows]
    stores = [write_store(tmp_path / "few.jsonl", rows), write_store(tmp_path / "bare.jsonl", bare)]
    parameters = {"data": data_without_measurements(tmp_path), "stores": stores, "favourite": "flops", "resamples": 20}
    done = played(RUNTIME, parameters)
    shown = verdicts(done)
    assert shown.index[shown["scope"] != BEYOND].tolist() == [f"{ORDER}, on a GPU"]  # which is of activations
    [table] = [rows for rows in tables(done) if rows[0][-1] == "reason"]
    reasons = [row[-1] for row in table[1:]]
    assert "a fit takes 10 of them at least" in reasons[0]
    assert "lacks description" in reasons[-1]


# In every published setting


def test_the_map_of_settings_is_what_the_text_says(executed):
    found = fs.analysis.leads_everywhere(fs.records.timm_times())
    classic = found["kind"] == "classic ConvNets"
    gpus = found[classic & (found["device"] == "cuda")]
    assert (len(gpus), (gpus["lead"] > 0).sum(), gpus["verdict"].eq("ahead").sum()) == (15, 15, 7)
    assert set(gpus.loc[gpus["device_name"] == "RTX 4090", "verdict"]) == {"ahead"}
    cpus = found[classic & (found["device"] == "cpu")]
    assert cpus["verdict"].tolist() == ["behind", "undecided", "undecided"]
    assert found.loc[~classic, "lead"].abs().max() < 0.02
    shown = verdicts(executed(RUNTIME))
    counted = shown[shown.index.str.startswith("settings of ")]
    assert counted["found"].str.split().str[0].tolist() == ["0.000", "7.000", "10.000", "3.000", "3.000", "3.000"]
