"""Correlations of time with complexity, their intervals, and which metric is ahead."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastscale_lib._common.frames import rows as rows_of
from fastscale_lib._common.statistics import pearson
from fastscale_lib.analysis.correlation import (
    STATISTICS,
    _samples,
    _statistic,
    complete,
    correlations,
    holm_verdicts,
    leads,
)
from fastscale_lib.architectures.counting import METRICS
from fastscale_lib.records.conditions import Conditions, short_titles
from fastscale_lib.records.published_rows import data_folder, published, published_form, tidy
from fastscale_lib.records.rows import read_rows


def timings(families: int = 8, members: int = 4, noise: float = 0.02, seed: int = 1, **more) -> pd.DataFrame:
    """Networks whose time follows activations, but for the noise; families differ in flops and params for these."""
    draw = np.random.default_rng(seed)
    activations = np.exp(draw.uniform(14, 18, (families, members)))
    flops = 200 * activations * np.exp(draw.normal(0, 1, (families, 1)))
    params = activations / 5 * np.exp(draw.normal(0, 2, (families, 1)))
    time = activations / 1e7 * np.exp(draw.normal(0, noise, (families, members)))
    counts = {"flops": flops, "params": params, "activations": activations}
    names = [f"F{family}-{member}" for family in range(families) for member in range(members)]
    columns = {name: np.rint(values.ravel()) for name, values in counts.items()}
    return tidy({"network": names, **columns, "ms_per_image": time.ravel(), "mode": "inference", **more})


def value(found: pd.DataFrame, metric: str, statistic: str) -> Any:
    [row] = rows_of(found[(found["metric"] == metric) & (found["statistic"] == statistic)])
    return row


@pytest.mark.parametrize("metric", METRICS)
def test_correlations_are_those_of_the_textbook(metric):
    frame = timings(noise=0.5)
    frame["activations"] = frame["activations"].mask(
        frame.index == 3, frame["activations"].iloc[4]
    )  # ties share a rank
    found = correlations(frame)
    columns = frame[[metric, "ms_per_image"]].astype(float)
    for statistic, each in zip(STATISTICS, (columns, np.log(columns), columns.rank()), strict=True):
        r = np.corrcoef(each[metric], each["ms_per_image"])[0, 1]
        assert value(found, metric, statistic).r == pytest.approx(r, abs=1e-12)


def test_a_row_for_each_group_metric_and_statistic():
    frame = pd.concat([timings(mode="inference"), timings(mode="training", precision="fp32")])
    found = correlations(frame)
    assert len(found) == 2 * len(METRICS) * len(STATISTICS)
    assert list(found)[: len(Conditions.CORRELATE)] == list(Conditions.CORRELATE)
    assert set(zip(found["rows"], found["families"], strict=True)) == {(32, 8)}
    assert found[list(Conditions.CORRELATE)].drop_duplicates()["mode"].tolist() == ["inference", "training"]
    assert len(correlations(frame, by=["family"])) == 8 * 9


def test_times_with_cuda_graphs_are_correlated_apart():
    """The host has no part in them; rows that say nothing of graphs replayed none."""
    plain, graph = timings(noise=0.5), timings(noise=0.5, seed=2, cuda_graph=True)
    for found in (correlations(pd.concat([plain, graph])), leads(pd.concat([plain, graph]))):
        alone = [correlations(each) if "r" in found else leads(each) for each in (plain, graph)]
        pd.testing.assert_frame_equal(found, pd.concat(alone, ignore_index=True))
        assert found["cuda_graph"].astype(bool).unique().tolist() == [False, True]
    older = correlations(plain.drop(columns="cuda_graph"))
    assert not older.pop("cuda_graph").any()
    pd.testing.assert_frame_equal(older, correlations(plain).drop(columns="cuda_graph"))


@pytest.mark.parametrize("way", ["channels_last", "compile"])
def test_memory_formats_and_compiled_runs_are_correlated_apart(way):
    """Together, neither of them would follow a count as closely as it does."""
    one, other = (timings(noise=0.5, seed=seed, **{way: told}) for seed, told in enumerate((True, False)))
    found = correlations(pd.concat([one, other]))
    pd.testing.assert_frame_equal(found, pd.concat([correlations(one), correlations(other)], ignore_index=True))
    assert len(set(short_titles(found))) == 2
    unsaid = correlations(one.drop(columns=way))
    assert unsaid.pop(way).isna().all()
    pd.testing.assert_frame_equal(unsaid, correlations(one).drop(columns=way))


def test_measured_rows_keep_whether_they_replayed_a_cuda_graph():
    rows = read_rows([data_folder() / "measured" / "nvidia-h200.jsonl"])
    graphs = rows.assign(cuda_graph=[n % 2 == 0 for n in range(len(rows))])
    assert not published_form(rows)["cuda_graph"].any()
    assert published_form(graphs)["cuda_graph"].mean() == pytest.approx(0.5, abs=0.2)


# Intervals


def test_an_interval_holds_the_correlation_and_narrows_with_the_families():
    few, many = (correlations(timings(families, noise=1)) for families in (6, 200))
    for found in (few, many):
        assert (found["low"] <= found["r"]).all()
        assert (found["r"] <= found["high"]).all()
    width = [value(each, "activations", "Pearson of logs") for each in (few, many)]
    assert (width[1].high - width[1].low) < (width[0].high - width[0].low) / 2


def test_networks_of_one_family_are_no_more_evidence():
    """Each network ten times over: the correlations stay, and so do their intervals."""
    frame = timings(noise=0.5)
    once, often = correlations(frame), correlations(pd.concat([frame] * 10, ignore_index=True))
    numbers = ["r", "low", "high"]
    np.testing.assert_allclose(often[numbers], once[numbers], atol=1e-9)
    assert (often["rows"] == 10 * once["rows"]).all()


def test_intervals_cover_the_truth_nearly_as_often_as_they_say():
    """Of 200 draws from a normal law with r = 0.8, in families of one."""
    covered = 0
    for seed in range(200):
        x, y = np.random.default_rng(seed).multivariate_normal([9, 9], [[1, 0.8], [0.8, 1]], 30).T
        frame = tidy(
            {"network": [f"F{n}-1" for n in range(30)], "flops": np.rint(np.exp(x) * 1e6), "ms_per_image": 1.0}
        )
        found = correlations(frame.assign(ms_per_image=np.exp(y)), metrics=["flops"], resamples=200)
        row = value(found, "flops", "Pearson of logs")
        covered += row.low <= 0.8 <= row.high
    assert 0.85 <= covered / 200 <= 0.98


def test_of_many_families_the_seed_settles_the_interval():
    frame = timings(families=12, noise=0.5)
    pd.testing.assert_frame_equal(correlations(frame), correlations(frame))
    assert not correlations(frame, seed=1)["low"].equals(correlations(frame)["low"])


def test_of_up_to_nine_families_no_seed_has_a_part_in_the_interval():
    """All samples are gone through: however many are asked for, and by whatever seed."""
    frame = timings(families=9, noise=0.5)
    pd.testing.assert_frame_equal(correlations(frame, resamples=1), correlations(frame, resamples=300, seed=7))


def test_the_interval_of_all_samples_is_that_of_very_many_drawn(monkeypatch):
    frame = timings(families=6, noise=1)
    exact = correlations(frame)
    monkeypatch.setattr("fastscale_lib.analysis.correlation._MOST_SAMPLES", 0)
    drawn = correlations(frame, resamples=20_000)
    np.testing.assert_allclose(exact[["low", "high"]], drawn[["low", "high"]], atol=0.02)
    assert not exact["low"].equals(drawn["low"])


def test_a_sample_is_as_probable_as_it_is_to_be_drawn():
    samples = _samples(3, 0, 0)
    odds = {tuple(counts): odds for counts, odds in zip(samples.counts.astype(int), samples.odds, strict=True)}
    assert len(odds) == 10
    assert odds[3, 0, 0] == pytest.approx(1 / 27)
    assert odds[1, 1, 1] == pytest.approx(6 / 27)
    assert odds[0, 2, 1] == pytest.approx(3 / 27)
    assert sum(odds.values()) == pytest.approx(1)


SHIPPED = sorted((data_folder() / "measured").glob("*.jsonl"))


def test_twenty_seeds_agree_on_every_verdict_on_shipped_rows():
    """Of 2, 3 and 4 the verdict on Early Convolutions, by ranks, had been another than of 0."""
    frame = pd.concat([published(), published_form(read_rows(SHIPPED))], ignore_index=True)
    first = leads(frame)
    for seed in range(1, 20):
        pd.testing.assert_frame_equal(leads(frame, resamples=200, seed=seed), first)
    early = first[first["source"] == "early_convolutions_table2"]
    assert early["low"].min() == pytest.approx(0.0021, abs=0.00005)
    assert (early["chance"] < 0.05).all()
    ahead = early[early["verdict"] == "ahead"]  # after Holm's correction for six comparisons
    assert ahead[["statistic", "other"]].to_numpy().tolist() == [["Pearson of logs", "params"]]


def test_where_other_draws_might_say_otherwise_the_lead_is_undecided():
    """Of 12 families and a lead whose lower end is near 0: it lies above for some seeds, and below for others."""
    frame = timings(families=12, members=2, noise=0.9)
    found = pd.concat([leads(frame, resamples=1000, seed=seed) for seed in range(20)])
    rows = found[(found["statistic"] == "Pearson of logs") & (found["other"] == "flops")]
    assert (rows["low"] > 0).nunique() == 2
    assert set(rows["verdict"]) == {"undecided"}


def test_a_row_that_waits_for_its_host_is_in_no_correlation():
    frame = timings().assign(launch_bound=pd.array([True, None, *[False] * 30], dtype="boolean"))
    frame.loc[0, "ms_per_image"] = 1e9
    found = correlations(frame)
    assert set(found["rows"]) == {31}
    np.testing.assert_array_equal(found["r"], correlations(frame.drop(index=0))["r"])


def test_fewer_than_five_families_give_no_interval():
    found = correlations(timings(families=4, members=10))
    assert found["r"].notna().all()
    assert found[["low", "high"]].isna().all(axis=None)


# What is missing


def test_all_metrics_of_a_group_are_judged_on_the_same_rows():
    frame = timings()
    frame.loc[:4, "flops"] = pd.NA
    frame.loc[5, "ms_per_image"] = np.nan
    frame.loc[6, "params"] = 0  # rounded away
    found = correlations(frame)
    assert set(found["rows"]) == {32 - 7}
    assert list(complete(frame).index) == list(range(7, 32))


def test_a_metric_that_a_group_lacks_keeps_no_other_from_a_correlation():
    """As in timm's files of training, which have params alone."""
    frame = timings(flops=pd.NA, activations=pd.NA)
    found = correlations(frame)
    assert found[found["metric"] != "params"][["r", "low", "high"]].isna().all(axis=None)
    assert set(found[found["metric"] == "params"]["rows"]) == {32}
    assert value(found, "params", "Spearman").r == value(correlations(timings()), "params", "Spearman").r
    assert set(leads(frame)["verdict"]) == {"not tested"}


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_too_few_rows_have_no_correlation(rows):
    frame = timings()
    frame.loc[rows:, "ms_per_image"] = np.nan
    assert correlations(frame)["r"].isna().all()


def test_constants_have_none():
    assert correlations(timings().assign(ms_per_image=2.0))["r"].isna().all()
    assert np.isnan(pearson(np.ones(5), np.arange(5.0)))


# Which is ahead


def test_the_metric_that_time_follows_is_ahead_and_the_others_behind():
    frame = timings(families=12)
    assert set(leads(frame)["verdict"]) == {"ahead"}
    flops = leads(frame, "flops")
    assert set(flops[flops["other"] == "activations"]["verdict"]) == {"behind"}
    assert flops[flops["other"] == "activations"]["high"].max() < 0


def test_a_lead_is_the_difference_of_two_correlations():
    frame = timings(noise=0.5)
    found = correlations(frame)
    told = rows_of(leads(frame))
    assert told
    for row in told:
        expected = value(found, "activations", row.statistic).r - value(found, row.other, row.statistic).r
        assert row.lead == pytest.approx(expected)
        assert row.low <= row.lead <= row.high


def test_equals_are_undecided_and_so_are_few_families():
    twins = timings()
    twins["flops"] = twins["activations"] * 2
    found = leads(twins)
    assert set(found[found["other"] == "flops"]["verdict"]) == {"undecided"}
    assert set(leads(timings(families=4))["verdict"]) == {"undecided"}


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="metric is 'time', but must be one of flops, params, activations"):
        leads(timings(), "time")


# Against what was published


def test_early_convolutions_activations_correlate_as_its_authors_report():
    """r = 0.93 over all their models, of which Table 2 is a part; flops and params come out lower here."""
    found = correlations(published("early_convolutions_table2"))
    assert value(found, "activations", "Pearson").r == pytest.approx(0.93, abs=0.01)
    assert value(found, "flops", "Pearson").r == pytest.approx(0.645, abs=0.001)
    assert value(found, "params", "Pearson").r == pytest.approx(0.637, abs=0.001)


def test_frames_are_left_as_they_were():
    frame = timings()
    before = frame.copy()
    correlations(frame)
    leads(frame)
    pd.testing.assert_frame_equal(frame, before)


# Several comparisons


def test_verdicts_of_a_group_are_corrected_for_their_number():
    """Of chances 0.012, 0.02 and 0.03 Holm's levels are 0.05 / 3, 0.05 / 2 and 0.05: all three are ahead."""
    frame = pd.DataFrame({"group": "a", "lead": 0.1, "chance": [0.03, 0.012, 0.02]})
    assert holm_verdicts(frame, ["group"])["verdict"].tolist() == ["ahead"] * 3
    frame["chance"] = [0.03, 0.018, 0.02]  # the least is above 0.05 / 3, so none is decided
    assert holm_verdicts(frame, ["group"])["verdict"].tolist() == ["undecided"] * 3
    alone = frame.assign(group=["a", "b", "c"], lead=[0.1, -0.1, np.nan])
    assert holm_verdicts(alone, ["group"])["verdict"].tolist() == ["ahead", "behind", "not tested"]


def test_chance_decides_one_comparison_in_twenty_at_most():
    """Time follows neither count more than the other, in 100 draws of 30 families of one."""
    decided = 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        common = draw.normal(0, 1, 30)
        flops, activations, time = (np.exp(common + draw.normal(0, 1, 30)) for _ in range(3))
        frame = tidy(
            {
                "network": [f"F{n}-1" for n in range(30)],
                "flops": np.rint(1e6 * flops),
                "activations": np.rint(1e6 * activations),
                "ms_per_image": time,
            }
        )
        found = leads(frame, metrics=["flops", "activations"], statistics=["Pearson of logs"], seed=seed)
        decided += found["verdict"].isin(["ahead", "behind"]).sum()
    assert decided <= 8  # of a binomial (100, 0.05), 95 % are below


@given(st.integers(1, 40), st.integers(0, 2**16))
@settings(max_examples=30, deadline=None)
def test_correlations_from_families_sums_are_those_row_by_row(families, seed):
    draw = np.random.default_rng(seed)
    codes = np.repeat(np.arange(families), draw.integers(1, 5, families))
    x, y = draw.normal(5, 1, (2, len(codes)))
    counts = draw.multinomial(families, np.full(families, 1 / families), 20).astype(float)
    with np.errstate(invalid="ignore"):
        by_sums = _statistic("Pearson", x, y, codes, counts)
    by_rows = pearson(np.tile(x, (20, 1)), np.tile(y, (20, 1)), counts[:, codes])
    constant = np.array([len(set(codes[row[codes] > 0])) == 1 and (row[codes] > 0).sum() == 1 for row in counts])
    assert np.isnan(by_sums[constant]).all()
    np.testing.assert_allclose(by_sums[~constant], by_rows[~constant], atol=1e-9)
