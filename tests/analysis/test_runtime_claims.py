"""Claims on which metric time follows, and on how well it is predicted."""

import math

import pandas as pd
import pytest
from helpers.zoo_rows import FORTY

import fastscale_lib as fs
from fastscale_lib.analysis.claims import BEYOND, FAILS, HOLDS, PAPER, UNTESTED
from fastscale_lib.analysis.runtime_claims import lead_claims, prediction_claims, reported_claims


def timings(source: str, device: str | None, metric: str) -> pd.DataFrame:
    """Times of forty base networks on a device where they are one of the counts."""
    counts = pd.DataFrame([fs.complexity(name) for name in FORTY])
    names = pd.Series(FORTY)
    frame = counts.assign(network=names, family=names.str.split("-").str[0], ms_per_image=counts[metric] / 1e8)
    return frame.assign(source=source, device=device, device_name="A chip", mode="training", precision="fp32")


def judged(frame: pd.DataFrame, metric: str = "activations", measured=()) -> list:
    return lead_claims(fs.analysis.leads(frame, metric, resamples=100), frame, metric, measured)


def test_times_that_follow_activations_hold_and_those_of_flops_fail():
    [followed, *_] = judged(timings("table", "cuda", "activations"))
    assert followed.claim == (
        "number of comparisons with another metric above activations, on a GPU: A chip · training · fp32"
    )
    assert (followed.found, followed.verdict, followed.scope, followed.evidence) == (0, HOLDS, PAPER, "published")
    [other, *_] = judged(timings("table", "cuda", "flops"))
    assert other.found > 0
    assert other.verdict == FAILS


def test_a_measured_source_is_told_from_a_published_one():
    frame = timings("mine.jsonl", "cuda", "activations")
    [claim] = judged(frame, measured=["mine.jsonl"])
    assert (claim.evidence, claim.details) == (
        "measured",
        "A chip; flops: 3 ahead; params: 3 ahead; Holm over 6 comparisons",
    )
    published, untested = judged(frame)
    assert published.evidence == "published"
    assert (untested.verdict, untested.details) == (UNTESTED, "no measured rows of a GPU")


@pytest.mark.parametrize(
    ("device", "metric", "place"),
    [
        ("cpu", "activations", "on a CPU"),
        (None, "activations", "of unknown kind"),
        (pd.NA, "activations", "of unknown kind"),
        ("cuda", "flops", "on a GPU"),
    ],
)
def test_cpus_unknown_devices_and_other_metrics_are_beyond_the_paper(device, metric, place):
    [claim, *_] = judged(timings("table", device, metric), metric)
    assert claim.scope == BEYOND
    assert place in claim.claim


def test_too_few_rows_are_not_judged():
    [claim, _] = judged(timings("table", "cuda", "activations").head(2))
    assert claim.verdict == UNTESTED
    assert claim.details == "too few rows of A chip · training · fp32 to correlate"


def test_reported_correlations_are_of_early_convolutions_on_plain_axes():
    source = "early_convolutions_table2"
    found = pd.DataFrame({"source": [source, source, "other"], "statistic": ["Pearson", "Spearman", "Pearson"]})
    found = found.assign(metric="activations", r=[0.9, 0.2, 0.3], rows=7)
    [claim] = reported_claims(found, 0.05)
    assert (claim.paper, claim.found, claim.verdict, claim.scope) == (0.93, 0.9, HOLDS, BEYOND)
    assert (claim.evidence, claim.details) == ("published", "Early Convolutions: 7 rows")


def errors(device_name: str, error: float, alone: float) -> pd.DataFrame:
    setting = {"source": "own.jsonl", "device_name": device_name, "threads": 2, "mode": "training", "precision": "fp32"}
    setting |= {"channels_last": True, "compile": False, "tf32": False, "cuda_graph": False, "rows": 42, "reason": None}
    by = {"layers": error, "activations": 2 * alone, "flops and activations": alone}
    return pd.DataFrame([setting | {"by": each, "error": off} for each, off in by.items()])


@pytest.mark.parametrize(
    ("device", "goal", "verdict"), [("cpu", 0.15, HOLDS), ("cuda", 0.1, FAILS)], ids=["cpu", "cuda"]
)
def test_predictions_are_held_to_what_was_set_out_for(device, goal, verdict):
    known = pd.DataFrame({"source": ["own.jsonl"], "device_name": ["A chip"], "device": [device]})
    error, over, *rest = prediction_claims(errors("A chip", 0.12, 0.2), known)
    assert (error.paper, error.found, error.verdict) == (goal, 0.12, verdict)
    assert (over.paper, over.found, over.verdict) == (1, pytest.approx(0.6), HOLDS)  # of the best of counts
    assert {(each.scope, each.evidence) for each in (error, over, *rest)} == {(BEYOND, "predicted")}
    assert error.details.startswith("42 rows of A chip")
    assert [each.verdict for each in rest] == ([] if device == "cuda" else [UNTESTED])


def test_what_was_not_predicted_says_why():
    known = pd.DataFrame({"source": ["own.jsonl"], "device_name": ["A chip"], "device": ["cpu"]})
    frame = errors("A chip", math.nan, math.nan).assign(reason="too few rows")
    error, over, _ = prediction_claims(frame, known)
    assert (error.verdict, over.verdict, error.details) == (UNTESTED, UNTESTED, "too few rows")
