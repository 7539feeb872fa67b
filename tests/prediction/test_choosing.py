"""Which network to take within a budget."""

import numpy as np
import pandas as pd
import pytest
from helpers.notebooks import REPO

import fastscale_lib as fs
from fastscale_lib.measuring.counted_batch import HELD_BEYOND
from fastscale_lib.prediction.choosing import in_order
from fastscale_lib.prediction.contenders import contenders


def test_the_first_rows_are_the_most_accurate_that_surely_fit():
    found = fs.which("rtx-4090", ms=20, batch=64)
    assert found["fits"].head(2).eq("yes").all()
    assert found["top1_accuracy_pct"].head(2).is_monotonic_decreasing
    fit = found[found["fits"] == "yes"]
    assert (fit["high_90_ms"] <= 20).all()
    assert ((found["low_90_ms"] < found["predicted_ms"]) & (found["predicted_ms"] < found["high_90_ms"])).all()
    everything = fs.which("rtx-4090", ms=20, batch=64, rows=None)
    assert everything.loc[everything["fits"] == "yes", "top1_accuracy_pct"].max() == found["top1_accuracy_pct"].iloc[0]
    assert set(everything["fits"]) == {"yes", "likely", "perhaps", "no"}
    assert found["weights"].iloc[0].split(".")[0]


def test_the_time_is_what_the_model_predicts():
    row = (
        fs.which("rtx-4090", ms=100, batch=64, rows=None).query("network == 'ResNet-50' and resolution == 288").iloc[0]
    )
    predicted = fs.RuntimeModel.of("rtx-4090").predict("ResNet-50", 64, resolution=288)
    assert row["predicted_ms"] == pytest.approx(predicted["predicted_ms"].iloc[0])
    assert row["flops"] == fs.complexity(fs.network("ResNet-50", resolution=288)).flops


def test_scaled_networks_are_those_that_scale_makes():
    known = contenders(True).table
    scaled = known[known["strategy"].notna()]
    assert len(scaled) > 300
    for row in scaled.sample(8, random_state=0).itertuples():
        network = fs.scale(str(row.network), row.strategy, row.scale)
        counts = fs.complexity(network)
        assert (row.flops, row.params, row.activations) == (counts.flops, counts.params, counts.activations)
        assert row.resolution == network.resolution
    assert fs.which("4090", 20, scaled=False)["strategy"].isna().all()


def test_memory_is_that_of_the_count():
    everything = fs.which("rtx-4090", ms=1000, rows=None, scaled=False)
    row = everything.query("network == 'ViT-S/16' and resolution == 224").iloc[0]
    counted = fs.peak_memory("ViT-S/16", 64, "inference", "bf16").peak_bytes
    assert row["memory_bytes"] == pytest.approx(counted, rel=0.02)


def test_a_budget_of_memory_and_a_least_accuracy_are_kept():
    free, bound = (fs.which("rtx-4090", ms=50, gb=gb, rows=None) for gb in (None, 0.5))
    assert len(bound) < len(free)
    assert (1.38 * bound["memory_bytes"] <= 0.5e9).all()
    accurate = fs.which("rtx-4090", ms=50, min_top1=82)
    assert (accurate["top1_accuracy_pct"] >= 82).all()


def test_a_gpu_by_its_data_sheet_says_that_times_are_estimates():
    found = fs.which("RTX 4070", ms=40)
    assert found["time_from"].eq("estimated by the data sheet").all()
    assert fs.which("RTX 4070", ms=40, sure=True)["fits"].eq("yes").all()
    assert found.attrs["setting"].startswith("RTX 4070, inference, amp")


def test_the_likeliest_to_be_the_best_come_third_to_fifth():
    """Of networks that are surely within, and three that may be, all told by their times."""
    table = fs.which("rtx-4090", ms=20, rows=None, scaled=False)
    ordered = in_order(table, 20)
    assert ordered["fits"].head(2).eq("yes").all()
    known = ordered[ordered["top1_accuracy_pct"].notna()]
    others = known[known["fits"] != "no"].iloc[2:]
    assert others["chance"].head(3).min() >= others["chance"].iloc[3:].max()
    assert known["chance"].sum() == pytest.approx(1, abs=0.05)
    assert np.isnan(ordered[ordered["top1_accuracy_pct"].isna()]["chance"]).all()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"ms": 0}, "which: ms is 0, but must be a number above 0"),
        ({"ms": "20"}, "which: ms is '20'"),
        ({"ms": 0.01}, "no network fits 0.01 ms at batch 64 on RTX 4090.*; the fastest there is"),
        ({"ms": 20, "gb": 0.01}, "no network fits 20 ms, 0.01 GB .*; give more memory$"),
        ({"ms": 20, "min_top1": 101}, "min_top1 is 101, but must be a number from 0 to 100"),
        ({"ms": 20, "rows": 0}, "rows is 0"),
        ({"ms": 20, "batch": 0}, "batch is 0"),
        ({"ms": 20, "batch": 10**6}, "batch 1,000,000 is beyond"),
        ({"ms": 20, "device": "abacus"}, "'abacus' is no device"),
        ({"ms": 20, "mode": "training"}, "is not predicted with mode='training'"),
    ],
)
def test_a_budget_that_none_keeps_is_refused_in_a_sentence(asked, said):
    with pytest.raises(ValueError, match=said) as refused:
        fs.which(**{"device": "rtx-4090", **asked})
    assert "\n" not in str(refused.value)
    assert isinstance(refused.value, fs.FastscaleError)


@pytest.mark.parametrize(("name", "strategy", "s"), [("RegNetY-1.6GF", None, 1), ("EfficientNet-B0", "dWr", 2)])
def test_memory_of_a_training_step_is_that_of_the_count(name, strategy, s):
    """Within a twentieth: of each family the smallest network of the block was counted."""
    everything = fs.which("epyc", ms=1e6, batch=4, mode="training", rows=None)
    of_scaled = (
        everything["strategy"].eq(strategy) & everything["scale"].eq(s) if strategy else everything["strategy"].isna()
    )
    network = fs.scale(name, strategy, s) if strategy else fs.network(name)
    row = everything[of_scaled & everything["network"].eq(name)].query(f"resolution == {network.resolution}").iloc[0]
    counted = fs.peak_memory(network, 4, "training", "fp32").peak_bytes
    assert row["memory_bytes"] == pytest.approx(counted, rel=0.05)


def test_a_budget_of_memory_is_kept_in_training():
    """With room for what an H200 held beyond the count, as `fs.largest_batch` leaves it."""
    how = {"ms": 1e5, "batch": 4, "mode": "training", "rows": None}
    free, bound = (fs.which("epyc", gb=gb, **how) for gb in (None, 0.5))
    assert 0 < len(bound) < len(free)
    beyond = bound.attrs["held_beyond"]
    assert beyond == free.attrs["held_beyond"] == HELD_BEYOND["training"]
    assert ((1 + beyond) * bound["memory_bytes"] <= 0.5e9).all()
    inference = fs.which("epyc", ms=1e5, batch=4, rows=None)
    assert inference.attrs["held_beyond"] == HELD_BEYOND["inference"]
    merged = free.merge(inference, on=["network", "strategy", "scale", "resolution"])
    assert (merged["memory_bytes_x"] > merged["memory_bytes_y"]).all()


def test_the_page_quotes_how_choices_were_judged():
    judged = pd.read_csv(REPO / "data" / "devices" / "choices.csv")
    page = " ".join((REPO / "docs" / "how-to" / "other-device.md").read_text("utf-8").split())
    best, of_all = 100 * judged["best_among_five"], 100 * judged["over_of_all"]
    assert judged["budgets"].eq(1000).all()
    assert (len(judged), judged["device_name"].nunique()) == (9, 3)
    assert "with 1,000 budgets for each of nine settings of three GPUs" in page
    assert f"in {best.min():.0f} to {best.max():.0f} % of the cases ({best.mean():.0f} % on average)" in page
    most = 100 * judged["over_of_fitting"].max()
    assert f"at most {most:.1f} % did not fit; of all five, {of_all.min():.0f} to {of_all.max():.0f} %" in page


def test_the_page_quotes_the_errors_of_estimates():
    errors = pd.read_csv(REPO / "data" / "devices" / "estimates.csv").set_index(["channels_last", "compile"])
    page = " ".join((REPO / "docs" / "how-to" / "other-device.md").read_text("utf-8").split())
    kinds = [(False, False), (False, True), (True, False)]  # eager, compiled, in channels_last
    alone, wide, one = (
        [round(100 * each) for each in errors.loc[kinds, name]] for name in ("error", "error_90", "one_error")
    )
    assert "the median error was {} % eager, {} % compiled and {} % in channels_last".format(*alone) in page
    assert "(nine in ten networks: {}, {} and {} %)".format(*wide) in page
    assert "with one network that was measured there it was {}, {} and {} %".format(*one) in page
