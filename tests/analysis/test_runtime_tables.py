"""Tables of timings, correlations, errors and shares of the roofline: a row for each case, from any source."""

from pathlib import Path

import pandas as pd
import pytest
from helpers.notebooks import REPO
from helpers.zoo_rows import write_store, zoo_rows

import fastscale_lib as fs
from fastscale_lib.analysis.correlation import STATISTICS

SHIPPED = REPO / "data" / "measured"
PUBLISHED = REPO / "data" / "published"
TIMM = REPO / "tests" / "records" / "timm_files" / "timm_benchmark_rtx3090_amp_nhwc.csv"
CASE = "Made-up · inference · fp32"


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    """A store of a made-up GPU, on which time is flops."""
    path = tmp_path_factory.mktemp("stores") / "own.jsonl"
    write_store(path, zoo_rows("cuda:0", "Made-up", "flops", 1e7))
    return path


@pytest.fixture(scope="module")
def timings(own) -> pd.DataFrame:
    return fs.analysis.all_timings(PUBLISHED, [own], [TIMM])


def test_timings_of_all_sources_stand_in_one_form(timings, own):
    assert set(timings["source"]) == {"pycls_zoo_v100", "early_convolutions_table2", own.name, TIMM.name}
    assert timings["ms_per_image"].notna().all()
    alone = fs.analysis.all_timings(PUBLISHED, [])
    assert set(alone["source"]) == {"pycls_zoo_v100", "early_convolutions_table2"}


def test_each_case_has_a_row_of_the_overview(timings):
    table = fs.analysis.timings_overview(timings)
    cases = fs.analysis.timings_by_case(timings)
    assert table.index.tolist() == list(cases)
    assert "RTX 3090 · inference · amp" in cases
    assert sum(map(len, cases.values())) == len(timings) == table["timings"].sum()
    row, own = table.to_dict("index")[CASE], cases[CASE]
    assert (row["source"], row["timings"]) == ("own.jsonl", len(own))
    assert (row["batch"], row["launch-bound"]) == ("2", 0)
    assert own["ms_per_image"].notna().all()


def test_correlations_stand_in_a_row_for_each_case(timings):
    found = fs.analysis.correlations(timings, resamples=10)
    table = fs.analysis.correlation_table(found)
    assert table.index.tolist() == list(fs.analysis.timings_by_case(timings))
    assert table.columns.get_level_values("statistic").unique().tolist() == list(STATISTICS)
    assert table.T[CASE]["Pearson", "flops"] == pytest.approx(1)
    assert table.count().sum() == found["r"].notna().sum()


def test_leads_keep_their_interval_and_verdict(timings):
    lead = fs.analysis.leads(timings)
    table = fs.analysis.lead_table(lead)
    assert table.index.tolist() == list(fs.analysis.timings_by_case(timings))
    own = lead[(lead["source"] == "own.jsonl") & (lead["statistic"] == "Pearson") & (lead["other"] == "flops")]
    said = f"{own['lead'].item():+.2f} ({own['low'].item():.2f} to {own['high'].item():.2f}) behind"
    assert table.T[CASE]["over flops", "Pearson"] == said


def test_a_case_is_named_by_its_source_where_another_has_the_same(timings):
    twice = pd.concat([timings, timings[timings["source"] == "own.jsonl"].assign(source="mine.jsonl")])
    assert {f"{CASE} (own.jsonl)", f"{CASE} (mine.jsonl)", "V100 · training"} <= set(fs.analysis.timings_by_case(twice))


def test_errors_of_prediction_are_judged_store_by_store(own, tmp_path):
    """And rows that do not say what ran say so."""
    rows = [{name: value for name, value in row.items() if name != "description"} for row in fs.Store(own)]
    table = fs.analysis.errors_by_store([own, write_store(tmp_path / "bare.jsonl", rows)])
    assert table["source"].tolist() == [own.name] * 5 + ["bare.jsonl"]
    errors = table.set_index("by")["error"]
    assert errors["flops"] < 0.01 < errors["activations"]
    assert table["reason"].isna().tolist() == [True] * 5 + [False]
    assert "lacks description" in table["reason"].iloc[-1]
    assert list(fs.analysis.errors_by_store([]).columns) == list(table.columns)


def test_too_few_rows_of_a_device_say_so():
    table = fs.analysis.errors_by_store([SHIPPED / "nvidia-h200.jsonl"])
    assert table["error"].isna().all()
    assert table["reason"].str.endswith("a fit takes 10 of them at least").all()


def test_ceilings_are_listed_with_their_ratio():
    known = fs.analysis.read_ceilings(sorted((SHIPPED / "ceilings").glob("*.jsonl")))
    table = fs.analysis.ceilings_table(known)
    assert len(table) == len(known) > 3
    ratios = table.set_index(["device", "precision"])["multiply-adds/byte"]
    for each in known:
        assert ratios[each.device_name, each.precision] == pytest.approx(each.multiply_adds_per_s / each.bytes_per_s)
    assert fs.analysis.ceilings_table([]).empty


def test_each_measured_row_stands_beside_its_ceilings(own):
    store = SHIPPED / "intel-xeon-2-threads.jsonl"
    known = fs.analysis.read_ceilings([SHIPPED / "ceilings" / store.name])
    near = fs.analysis.rows_beside_ceilings([store, own], known)
    assert near["roofline_share"].notna().groupby(near["source"]).all().to_dict() == {store.name: True, own.name: False}
    rows = fs.Store(store).frame()
    shares = fs.prediction.roofline_share(rows, known)
    assert near.loc[near["source"] == store.name, "roofline_share"].tolist() == shares.tolist()
    assert fs.analysis.rows_beside_ceilings([], known).empty
