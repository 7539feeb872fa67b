"""Runtime and complexity: correlations and verdicts of published, shipped and own timings."""

import nbformat
import pytest
from helpers.notebooks import REPO, named, tables, texts, verdicts
from helpers.played_notebooks import played
from helpers.zoo_rows import write_store, zoo_rows

import fastscale_lib as fs
from fastscale_lib.analysis import BEYOND, FAILS, HOLDS, UNDECIDED, UNTESTED, correlations, leads
from fastscale_lib.records import Conditions, published, published_form, read_rows

RUNTIME = named("03_runtime_and_complexity")
SHIPPED = REPO / "data" / "measured"
EPYC, XEON = "AMD EPYC", "Intel Xeon"
H200 = "NVIDIA H200"
ORDER = "number of pairs of strategies with times in another order than their activations"


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


def test_the_correlations_shown_are_the_library_s(executed):
    table = fs.analysis.correlation_table(correlations(published()))[["Pearson", "Spearman"]]
    shown = {name: row for name, *row in tables(executed(RUNTIME))[1][3:]}
    assert len(table)
    for case, row in table.iterrows():
        assert shown[str(case)] == [f"{r:.2f}" for r in row]


def test_sentences_are_computed_from_what_was_read(executed, without_measurements):
    """The same notebook on other data says other things."""
    stores = sorted(SHIPPED.glob("*.jsonl"))
    timings = fs.analysis.all_timings(REPO / "data" / "published", stores)
    shipped, other = texts(executed(RUNTIME)), texts(without_measurements)
    assert fs.analysis.leads_text(leads(timings), timings, "activations") in shipped
    assert fs.analysis.leads_everywhere_text(fs.analysis.leads_everywhere(fs.records.timm_times()), "activations") in (
        shipped
    )
    assert any("No model: 7 measured rows for NVIDIA H200" in text for text in shipped)
    assert "No base network was measured under three strategies that reach the same flops." in other
    assert "None of these rows has measured ceilings." in other
    assert shipped[0] != other[0]


def test_one_row_of_the_gpu_is_its_host_s_time():
    stored = fs.Store(SHIPPED / "nvidia-h200.jsonl").frame()
    waits = stored[stored["launch_ms"] > stored["median_ms"]]
    assert waits[["network", "precision"]].to_numpy().tolist() == [["RegNetY-400MF", "bf16"]]
    assert published_form(read_rows([SHIPPED / "nvidia-h200.jsonl"]))["launch_bound"].sum() == 1


def test_the_ceilings_shown_are_the_library_s(executed):
    known = fs.analysis.read_ceilings(sorted((SHIPPED / "ceilings").glob("*.jsonl")))
    ratios = fs.analysis.ceilings_table(known)["multiply-adds/byte"]
    [shown] = [rows for rows in tables(executed(RUNTIME)) if rows[0][-1] == "multiply-adds/byte"]
    assert [row[-1] for row in shown[1:]] == ratios.map(fs.analysis.significant).tolist()


# Within one base network


def test_on_the_h200_one_base_s_times_are_in_order_of_activations(executed):
    shown = verdicts(executed(RUNTIME)).filter(like=ORDER, axis="index")
    found = {text.split(", ")[-2]: row for text, row in shown.iterrows() if "inference" in str(text)}
    assert found["bf16"]["verdict"] == HOLDS
    assert found["fp32"][["found", "verdict"]].tolist() == ["0.000 (0.000 to 6.000)", UNDECIDED]
    assert len(shown) == 3


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
                FAILS if (device, mode) == (EPYC, "inference") else HOLDS,
            )
            assert row["evidence"] == "predicted"
    for setting in ("inference, fp32", "training, fp32", "inference, bf16"):
        row = shown.loc[f"{error}, on a GPU ({H200}, {setting})"]
        assert row[["paper", "verdict"]].tolist() == ["< 0.100", UNTESTED]


def test_no_two_claims_have_one_text(executed):
    assert verdicts(executed(RUNTIME)).index.is_unique


OTHERS = "number of comparisons with another metric above activations"
OWN = "Some CPU · inference · fp32"


def test_each_published_source_of_gpu_times_is_judged_once(executed):
    shown = verdicts(executed(RUNTIME))
    judged = shown[shown.index.str.startswith(f"{OTHERS}, on a GPU: ")]
    published_ones = judged[judged["evidence"] == "published"]
    assert len(published_ones) == published().groupby(list(Conditions.CORRELATE), dropna=False).ngroups == 3
    early = published_ones.index.str.contains("V100-32GB")
    assert published_ones["verdict"].tolist() == [UNDECIDED] * 3
    details = published_ones["details"][early].tolist()
    assert [each.endswith("; Holm over 6 comparisons") for each in details] == [True]
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
    assert own["details"].startswith("Some CPU; flops: 3 behind; ")
    beyond = shown["scope"] == BEYOND
    assert sorted(beyond) == beyond.tolist()  # after the paper's own claims
    [table] = [rows for rows in tables(without_measurements) if "over flops" in rows[0]]
    [over_flops] = [row[1] for row in table if row[0] == "Some CPU · inference · fp32"]
    assert over_flops.endswith(" behind")


def test_measured_rows_of_a_gpu_are_judged_like_published_ones(tmp_path):
    stores = [write_store(tmp_path / "gpu.jsonl", zoo_rows("cuda:0", "Some GPU", "activations", 1e6))]
    parameters = {"stores": stores, "resamples": 100, "data": data_without_measurements(tmp_path)}
    shown = verdicts(played(RUNTIME, parameters))
    mine = shown.loc[f"{OTHERS}, on a GPU: Some GPU · inference · fp32"]
    assert mine["verdict"] == HOLDS
    assert mine["details"].startswith("Some GPU; flops: 3 ahead; ")
    assert "no measured rows of a GPU" not in set(shown["details"])


def test_every_evidence_says_where_it_is_from_or_what_is_missing(executed):
    shown = verdicts(executed(RUNTIME))
    tested = shown["verdict"] != UNTESTED
    assert set(shown.loc[tested, "evidence"]) == {"measured", "published", "predicted"}
    assert set(shown.loc[~tested, "evidence"]) == {"–"}
    assert (shown["details"] != "").all()


def test_times_are_predicted_from_measured_rows(without_measurements):
    [errors] = [rows for rows in tables(without_measurements) if rows[0][1:2] == ["layers"]]
    assert errors[0][1:-1] == ["layers", "flops", "params", "activations", "flops and activations"]
    found = dict(zip(errors[0], errors[-1], strict=True))
    assert float(found["flops"].split()[0]) < 1 < float(found["activations"].split()[0])


def test_a_file_of_timm_is_judged_beside_the_rest(without_measurements):
    assert ["RTX 3090 · inference · amp", "timm_benchmark_rtx3090_amp_nhwc.csv"] in [
        row[:2] for row in tables(without_measurements)[0]
    ]
    assert verdicts(without_measurements).index.str.endswith("RTX 3090 · inference · amp").sum() == 1


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
    [reasons] = [text for text in texts(done) if "No model: " in text]
    assert "a fit takes 10 of them at least" in reasons
    assert "lacks description" in reasons
