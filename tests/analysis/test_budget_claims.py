"""Claims on the flops reached within a budget: their evidence, interval, and what the laws say of them."""

import pandas as pd
import pytest
from helpers.fake_device import made_up_device, rows

import fastscale_lib as fs
from fastscale_lib.analysis.budget_claims import (
    bought_by_law,
    bought_by_time_claims,
    bought_claims,
    budget_text,
    device_kind,
    flops_bought,
    in_units,
    measured_time_claims,
    predicted_from,
    untested_on_a_gpu,
)
from fastscale_lib.analysis.claims import BEYOND, FAILS, HOLDS, PAPER, UNDECIDED, UNTESTED, Claim

BOUGHT = pd.DataFrame({"strategy": ["w", "dWr"], "flops": [2e9, 3e9]})


def known_within(error_90: float) -> fs.RuntimeModel:
    [(setting, fitted)] = made_up_device().fitted.items()
    return fs.RuntimeModel("layers", {setting: fitted._replace(rows=42, error=0.01, error_90=error_90)})


# What is bought


def test_a_counted_budget_gives_a_ratio_without_an_interval():
    assert flops_bought(BOUGHT, "dWr", "w", 6.0) == {"found": 1.5, "evidence": "counted"}


@pytest.mark.parametrize(("error_90", "verdict"), [(0.2, HOLDS), (0.6, UNDECIDED)])
def test_a_predicted_ratio_is_as_uncertain_as_nine_in_ten_predictions(error_90, verdict):
    model = known_within(error_90)
    ratio = flops_bought(BOUGHT, "dWr", "w", 6.0, model)
    assert ratio["low"] == pytest.approx(1.5 / (1 + error_90))
    assert ratio["high"] == pytest.approx(1.5 * (1 + error_90))
    assert Claim("more", 1.0, relation=">", **ratio).verdict == verdict
    assert Claim("less than half", 0.5, relation="<", **ratio).verdict == FAILS
    assert ratio["details"] == f"42 rows of Made-up, 90 % within {100 * error_90:.0f} %"
    assert ratio["evidence"] == "predicted"


def test_a_predicted_ratio_has_the_wider_interval_of_its_two_networks():
    """One beyond the fitted networks has a wider interval than the stated error."""
    bought = BOUGHT.assign(predicted_ms=10.0, high_90_ms=[11.0, 14.0])
    ratio = flops_bought(bought, "dWr", "w", 6.0, known_within(0.2))
    assert (ratio["low"], ratio["high"]) == pytest.approx((1.5 / 1.4, 1.5 * 1.4))


def test_a_budget_below_the_base_network_is_not_judged():
    ratio = flops_bought(BOUGHT, "dWr", "w", 0.8)
    assert Claim("more", 1.0, relation=">", **ratio).verdict == UNTESTED
    assert ratio["details"] == "the budget is 0.8 times what the base network costs: no scaling up"


# What the laws say of it


@pytest.mark.parametrize("metric", ["activations", "params"])
@pytest.mark.parametrize("other", ["w", "dw", "dwr", "d"])
def test_the_relation_is_the_one_that_counts_come_to_far_out(metric, other):
    base, headroom = fs.network("RegNetY-4.0GF"), 1000.0
    budget = {metric: headroom * getattr(fs.complexity(base), metric)}
    flops = fs.within(base, ["dWr", other], **budget, memory=False)["flops"]
    by_law = bought_by_law(metric, "dWr", other, headroom, "training")
    assert by_law
    assert Claim("", by_law[1], flops[0] / flops[1], relation=by_law[0]).verdict == HOLDS


def test_where_the_laws_put_a_strategy_behind_it_has_its_share_at_least():
    assert bought_by_law("activations", "dWr", "w", 6.0, "training") == (">", pytest.approx(6 ** (1 / 0.6 - 2)))
    assert bought_by_law("time_ms", "dWr", "w", 6.0, "inference") == (">", pytest.approx(6 ** (-1 / 3)))
    assert bought_by_law("activations", "dWr", "dwr", 6.0, "training") == (">", 1.0)


def test_memory_follows_activations_in_training_and_weights_in_inference():
    for other in ("w", "dw", "dwr"):
        trained = bought_by_law("memory_bytes", "dWr", other, 6.0, "training")
        assert trained == bought_by_law("activations", "dWr", other, 6.0, "training")
    assert bought_by_law("memory_bytes", "dWr", "w", 6.0, "inference") == (">", 1.0)
    assert bought_by_law("memory_bytes", "dWr", "dwr", 6.0, "inference") == ("<", 1.0)
    assert bought_by_law("memory_bytes", "dWr", "dw", 6.0, "inference") is None  # whose largest outputs grow slower
    assert bought_by_law("params", "w", "dw", 6.0, "inference") is None  # of which both grow as s


# Whose times


def test_the_kind_of_a_model_s_device_is_that_of_its_rows(tmp_path):
    store = fs.Store(tmp_path / "own.jsonl")
    for device, name in (("cuda:1", "Made-up"), ("cpu", "Another")):
        store.add({"device": device, "device_name": name})
    model = made_up_device()
    assert device_kind([store.path], model) == "cuda"
    with pytest.raises(fs.records.PublishedError, match=r"there is no .*none\.jsonl; give the path of a store"):
        device_kind([store.path, tmp_path / "none.jsonl"], model)
    assert device_kind([], model) == device_kind([store.path], None) == ""
    store.add({"device": "cpu", "device_name": "Made-up"})  # then it cannot be told
    assert device_kind([store.path], model) == ""


def test_the_evidence_names_rows_device_and_error_of_a_real_fit():
    model = fs.RuntimeModel.fit(rows(lambda network, batch: fs.complexity(network).flops * batch / 1e10))
    [fitted] = model.fitted.values()
    told = f"42 rows of Made-up, 90 % within {100 * fitted.error_90:.0f} %"
    assert predicted_from(model) == told


# Claims


def test_claims_on_memory_of_inference_are_beyond_the_paper():
    frame = pd.DataFrame({"strategy": ["w", "dwr", "dWr"], "flops": [2e9, 1e9, 3e9]})
    bought = {"activations": frame, "params": frame, "memory_bytes": frame}
    headrooms = {"activations": 6.0, "params": 6.0, "memory_bytes": 6.0}
    claims = bought_claims("ResNet-50", bought, headrooms, ["w", "dwr"], "inference")
    text = "ratio of flops bought by {}, dWr over {}"
    words = ("activations", "params", "memory in inference")
    assert [each.claim for each in claims] == [text.format(word, other) for word in words for other in ("w", "dwr")]
    assert [each.found for each in claims] == [1.5, 3.0] * 3
    assert [each.scope for each in claims] == [PAPER] * 4 + [BEYOND] * 2
    trained = bought_claims("ResNet-50", bought, headrooms, ["w"], "training")
    assert {each.scope for each in trained} == {PAPER}


@pytest.mark.parametrize(
    ("kind", "place", "scope"),
    [("cuda", "a GPU", PAPER), ("cpu", "a CPU", BEYOND), ("", "a device of unknown kind", BEYOND)],
)
def test_times_of_gpus_are_the_paper_s_and_of_others_beyond_it(kind, place, scope):
    one = {"Made-up": known_within(0.2)}
    [claim] = bought_by_time_claims(
        "ResNet-50", {"Made-up": BOUGHT}, {"Made-up": 6.0}, one, {"Made-up": kind}, ["w"], "inference"
    )
    assert claim.claim == f"ratio of flops bought by time of inference on {place} (Made-up), dWr over w"
    assert (claim.scope, claim.evidence, claim.found) == (scope, "predicted", 1.5)


@pytest.mark.parametrize("network", ["ViT-S/16", "ConvNeXt-T"])
def test_what_budgets_buy_of_other_than_convnets_is_beyond_the_paper(network):
    bought = dict.fromkeys(["activations", "params", "memory_bytes"], BOUGHT)
    claims = bought_claims(network, bought, dict.fromkeys(bought, 6.0), ["w"], "training")
    claims += bought_by_time_claims(
        network,
        {"Made-up": BOUGHT},
        {"Made-up": 6.0},
        {"Made-up": known_within(0.2)},
        {"Made-up": "cuda"},
        ["w"],
        "training",
    )
    claims += untested_on_a_gpu(network, ["w"], 6.0, "training", "bf16")
    assert [each.scope for each in claims] == [BEYOND] * 5


def test_without_rows_of_a_gpu_its_claims_are_not_tested():
    claims = untested_on_a_gpu("ResNet-50", ["w", "dw", "dwr"], 6.0, "training", "bf16")
    assert [each.verdict for each in claims] == [UNTESTED] * 3
    assert claims[0].claim == "ratio of flops bought by time of training on a GPU, dWr over w"
    assert claims[0].details == "no times predicted from rows of a GPU, training, bf16"


def test_only_undisturbed_times_of_the_fitted_device_test_a_prediction():
    found = pd.DataFrame({"strategy": ["w", "dw", "dwr", "dWr"], "ratio": 1.1, "low": 1.05, "high": 1.15})
    found = found.assign(on=["Made-up", "Made-up", "Another", "Made-up"], disturbed=["", "busy", "", ""])
    found["doubt"] = ["", "", "", "launch-bound"]
    claims = measured_time_claims(found, "Made-up", known_within(0.2))
    assert [each.verdict for each in claims] == [HOLDS, UNTESTED, UNTESTED, UNDECIDED]
    assert {(each.scope, each.evidence, each.paper) for each in claims} == {(BEYOND, "measured", 1)}
    assert claims[0].details.startswith("Made-up; predicted from 42 rows of Made-up")
    assert [each.details for each in claims[1:3]] == ["disturbed: busy", "measured on Another, which was not fitted"]
    [nothing] = measured_time_claims(found.iloc[:0], "", None)
    assert (nothing.verdict, nothing.details) == (UNTESTED, "nothing was measured")


# How it is shown


def test_costs_are_shown_in_units_and_other_columns_as_they_are():
    frame = fs.within("ResNet-50", "dWr", params=60e6, memory=False)
    shown = in_units(frame)
    assert shown["flops, G"][0] == frame["flops"][0] / 1e9
    assert shown["params, M"][0] == frame["params"][0] / 1e6
    assert list(shown["resolution"]) == list(frame["resolution"])
    assert not {"flops", "params", "counted_memory_bytes"} & set(shown)


@pytest.mark.parametrize(
    ("name", "most", "text"),
    [
        ("time_ms", 57.89386, "57.9 ms"),
        ("time_ms", 0.5, "0.500 ms"),
        ("memory_bytes", 1036465000.0, "1,036 MB"),
        ("params", 8054376.0, "8.05 M"),
        ("flops", 16e9, "16.0 G"),
    ],
)
def test_a_budget_is_shown_with_its_unit(name, most, text):
    assert budget_text(name, most) == text
