"""Sentences on runtime and complexity follow the frames they are made from."""

import pandas as pd
import pytest
from helpers.notebooks import REPO
from helpers.zoo_rows import write_store, zoo_rows

import fastscale_lib as fs

CASE = "Made-up, 1 threads, inference, fp32"


@pytest.fixture(scope="module", params=["flops", "activations"])
def follows(request, tmp_path_factory):
    """A count, and a store of a GPU on which time follows it."""
    store = tmp_path_factory.mktemp("stores") / "own.jsonl"
    return request.param, write_store(store, zoo_rows("cuda:0", "Made-up", request.param, 1e7))


def test_the_text_says_which_count_time_follows(follows):
    count, store = follows
    timings = fs.records.published_form(fs.records.read_rows([store]))
    text = fs.analysis.leads_text(fs.analysis.leads(timings), timings, "activations")
    higher = 6 if count == "activations" else 0
    assert text.startswith(f"On GPUs, activations have the higher r in {higher} of 6 comparisons with another count, ")
    assert fs.analysis.leads_text(fs.analysis.leads(timings.iloc[:2]), timings, "flops") == (
        "There are too few timings to correlate."
    )
    alone = fs.analysis.leads(timings, metrics=["activations"])
    assert fs.analysis.leads_text(alone, timings, "activations") == (
        "There is no other count to hold activations against."
    )
    unknown = timings.assign(device=None)
    text = fs.analysis.leads_text(fs.analysis.leads(unknown), unknown, "activations")
    assert text.startswith(f"On devices of unknown kind, activations have the higher r in {higher} of 6")
    assert "GPU" not in text


def test_errors_are_told_beside_the_best_baseline(follows):
    count, store = follows
    errors = fs.analysis.errors_by_store([store])
    by = errors.set_index("by")["error"]
    text = fs.analysis.prediction_text(errors)
    best = by.drop("layers").min()
    said = f"by layers is {100 * by['layers']:.1f} %, and by the best baseline of each case {100 * best:.1f} %"
    assert text.startswith("Over 1 case, the median error ")
    assert said in text
    assert count in by.drop("layers").idxmin()
    table = fs.analysis.errors_table(errors)
    assert str(table.loc[CASE, "layers"]).startswith(f"{100 * by['layers']:.1f}\N{NO-BREAK SPACE}%")
    few = fs.analysis.prediction_text(fs.analysis.errors_by_store([REPO / "data" / "measured" / "nvidia-h200.jsonl"]))
    assert few.startswith("No model: ")
    assert few.endswith("for NVIDIA H200, inference, bf16; a fit takes 10 of them at least.")  # a GPU has no threads
    assert few.count("a fit takes") == 1


def test_settings_of_one_store_are_cases_of_their_own(tmp_path):
    rows = zoo_rows("cuda:0", "Made-up", "flops", 1e7)
    store = write_store(tmp_path / "own.jsonl", [row | {"compile": each} for row in rows for each in (True, False)])
    errors = fs.analysis.errors_by_store([store])
    assert fs.analysis.prediction_text(errors).startswith("Over 2 cases, the median error by layers is ")
    assert list(fs.analysis.errors_table(errors).index) == [f"{CASE}, compiled", CASE]


def test_without_measured_rows_nothing_is_predicted():
    none = fs.analysis.errors_by_store([])
    assert fs.analysis.prediction_text(none) == "There are no measured rows, so no time is predicted."
    assert fs.analysis.errors_table(none).empty


def test_settings_are_counted_by_kind_of_network():
    frame = pd.DataFrame({"device": ["cuda", "cuda", "cpu"], "kind": "ViT", "lead": [0.1, -0.1, -0.2]})
    frame["verdict"] = ["ahead", "undecided", "behind"]
    assert fs.analysis.leads_everywhere_text(frame.iloc[:0], "flops") == "No such setting was published."
    assert fs.analysis.leads_everywhere_text(frame, "activations") == (
        "On GPUs, activations have the higher r in 1 of 2 settings for ViT (surely in 1, surely lower in 0). "
        "On CPUs, activations have the higher r in 0 of 1 setting for ViT (surely in 0, surely lower in 1)."
    )


def test_the_order_within_a_base_is_counted():
    rows = fs.records.read_rows([REPO / "data" / "measured" / "nvidia-h200.jsonl"])
    within = fs.analysis.times_within_bases(rows)
    assert fs.analysis.within_base_text(within).startswith(
        "On GPUs, times come in exactly the order of activations in "
    )
    slower = within.assign(ms_per_image=1 / within["ms_per_image"])
    assert "the order of activations in 0 of" in fs.analysis.within_base_text(slower)
    assert fs.analysis.within_base_text(within.iloc[:0]).startswith("No base network was measured")


def test_families_are_told_by_their_share_of_the_roofline():
    frame = pd.DataFrame(
        {"source": "own", "device_name": "GPU", "mode": "inference", "precision": "fp32"}, index=[0, 1]
    )
    frame = frame.assign(family=["ResNet", "RegNetZ"], roofline_share=[1.25, 0.5])
    text = fs.analysis.roofline_text(frame)
    assert "GPU · inference · fp32: ResNet (1.25), farthest RegNetZ (0.50)\n" in text
    assert text.endswith("- shares of single rows: 0.50 to 1.25, 1 of 2 above 1")
    assert fs.analysis.roofline_text(frame.iloc[:0]) == "None of these rows has measured ceilings."
