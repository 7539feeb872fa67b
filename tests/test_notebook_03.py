"""Runtime and complexity: correlations and verdicts of published, shipped and own timings."""

import json

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
from notebook import REPO, named, outputs, prose, tables, verdicts

import fastscale_lib as fs
from fastscale_lib.claims import FAILS, HOLDS, UNDECIDED, UNTESTED
from fastscale_lib.correlation import GROUP, STATISTICS, case, correlations, leads
from fastscale_lib.published import published, read_measured

RUNTIME = named("03_runtime_and_complexity")


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
    timm = REPO / "tests" / "timm" / "timm_benchmark_rtx3090_amp_nhwc.csv"
    parameters = {"data": str(folder / "data"), "stores": [str(folder / "own.jsonl")], "timm": [str(timm)]}
    parameters |= {"resamples": 200}
    return papermill.execute_notebook(RUNTIME, folder / "out.ipynb", parameters, cwd=folder, progress_bar=False)


def test_the_correlations_shown_are_the_library_s(executed):
    found = correlations(published())
    shown = {name: row for name, *row in tables(executed(RUNTIME))[1][3:]}
    for key, rows in found.groupby(list(GROUP), sort=False, dropna=False):
        by_statistic = [rows[rows["statistic"] == statistic]["r"] for statistic in STATISTICS]
        assert shown[case(key)] == [f"{r:.3f}" for r in pd.concat(by_statistic)]


def test_the_text_on_published_tables():
    """Nothing here hangs on what is measured: the text speaks of the published tables alone."""
    assert "In all three cases, and by all three statistics, activations have the highest *r*" in prose(RUNTIME)
    found = correlations(published())
    cases = found.groupby([*GROUP, "statistic"], dropna=False)
    assert cases.ngroups == 3 * 3
    assert set(found.loc[cases["r"].idxmax(), "metric"]) == {"activations"}

    assert "In the table of *Early Convolutions* every interval of the lead excludes 0." in prose(RUNTIME)
    assert "In that of pycls most intervals contain 0" in prose(RUNTIME)
    verdict = leads(published()).groupby("source")["verdict"]
    assert set(verdict.get_group("early_convolutions_table2")) == {"ahead"}
    assert verdict.get_group("pycls_zoo_v100").eq("undecided").mean() > 0.5

    assert "within each of its five families flops and activations rise together" in prose(RUNTIME)
    families = published("pycls_zoo_v100").groupby("family")
    assert families.ngroups == 5
    for _, rows in families:
        assert np.corrcoef(*np.log(rows[["flops", "activations"]].astype(float)).to_numpy().T)[0, 1] > 0.95


def test_the_text_on_the_shipped_cpu():
    path = REPO / "data" / "measured" / "amd-epyc-2-threads.jsonl"
    lead = leads(read_measured(path), resamples=200)
    flops = lead[lead["other"] == "flops"].set_index(["statistic", "mode"])
    assert flops.loc["Pearson", "lead"].between(-0.085, -0.035).all()
    assert "On the shipped rows flops have the higher *r* on plain axes, by 0.04 to 0.08" in prose(RUNTIME)
    assert "by the other statistics it is flops here and activations there" in prose(RUNTIME)
    rest = flops["lead"].drop("Pearson")
    assert rest.min() < 0 < rest.max()
    assert "No interval of the lead excludes 0: which of the two a CPU follows is not settled" in prose(RUNTIME)
    assert set(flops["verdict"]) == {"undecided"}


OTHERS = "number of comparisons with another metric above activations"
OWN = "own.jsonl · Some CPU · inference · fp32"


def test_each_published_source_of_gpu_times_is_judged_once(executed):
    shown = verdicts(executed(RUNTIME))
    judged = shown[shown.index.str.startswith(f"{OTHERS}, on a GPU: ")]
    published_ones = judged[judged["evidence"].str.startswith("published in ")]
    assert len(published_ones) == published().groupby(list(GROUP), dropna=False).ngroups == 3
    early = published_ones.index.str.contains("early_convolutions_table2")
    assert published_ones["verdict"][early].tolist() == [HOLDS]
    assert published_ones["verdict"][~early].tolist() == [UNDECIDED] * 2
    assert published_ones["found"].str.startswith("0.000 (0.000 to ").all()
    assert "so its case stays undecided" in prose(RUNTIME)
    rest = judged.drop(published_ones.index)
    assert rest["evidence"].tolist() == ["no measured rows of a GPU"]
    assert rest["verdict"].tolist() == [UNTESTED]


def test_a_cpu_on_which_flops_win_is_shown_apart(without_measurements):
    shown = verdicts(without_measurements)
    own = shown.loc[f"beyond the paper: {OTHERS}, on a CPU: {OWN}"]
    assert own["verdict"] == FAILS
    assert own["evidence"].startswith("measured on Some CPU; flops behind, behind, behind; ")
    beyond = shown.index.str.startswith("beyond the paper")
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
    assert mine["evidence"].startswith("measured on Some GPU; flops ahead, ahead, ahead; ")
    assert "no measured rows of a GPU" not in set(shown["evidence"])


def test_every_evidence_says_where_it_is_from_or_what_is_missing(executed):
    shown = verdicts(executed(RUNTIME))
    tested = shown[shown["verdict"] != UNTESTED]["evidence"]
    assert tested.str.match("measured on |published in ").all()


def test_each_measured_row_says_how_near_its_ceilings_it_came(executed):
    """The text names the families that came nearest and that stayed farthest."""
    [table] = [rows for rows in tables(executed(RUNTIME)) if "with_ceilings" in rows[0]]
    path = REPO / "data" / "measured" / "amd-epyc-2-threads.jsonl"
    rows = fs.Store(path).frame()
    known = [fs.Ceilings(**row) for row in fs.Store(path.parent / "ceilings" / path.name)]
    shares = fs.roofline_share(rows, known)
    for mode, some in shares.groupby([rows["mode"], rows["base"].str.split("-").str[0]]).median().groupby("mode"):
        order = some[mode].sort_values().index
        assert order[-1] == "ResNet"
        assert set(order[:2]) == {"EfficientNet", "RegNetZ"}
    assert "ResNets come nearest to the ceilings; EfficientNets and RegNetZs" in prose(RUNTIME)
    shown = [float(row[-2]) for row in table[2:]]
    by = shares.groupby([rows["mode"], rows["base"].str.split("-").str[0]], sort=False).median()
    assert shown == pytest.approx(by.round(3).tolist())


def test_times_are_predicted_from_measured_rows(without_measurements):
    [errors] = [rows for rows in tables(without_measurements) if rows[0][-1] == "pearson_of_logs"]
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
