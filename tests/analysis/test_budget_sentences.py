"""Sentences on what budgets buy: numbers of things, and whether a ratio is more than the model's error."""

import pandas as pd
import pytest
from helpers.fake_device import made_up_device

import fastscale_lib as fs
from fastscale_lib.analysis.budget_claims import flops_bought
from fastscale_lib.analysis.budget_sentences import bought_on_each_text, bought_text


def bought(**flops: float | None) -> pd.DataFrame:
    return pd.DataFrame({"strategy": list(flops), "flops": pd.array(list(flops.values()), dtype="Float64")})


def within(error_90: float) -> fs.RuntimeModel:
    [(setting, fitted)] = made_up_device().fitted.items()
    return fs.RuntimeModel("layers", {setting: fitted._replace(rows=42, error_90=error_90)})


def test_budgets_under_which_fast_scaling_is_first_or_second_are_counted():
    one = {"params": bought(w=2e9, dWr=3e9)}
    assert bought_text(one) == (
        "**What came out.** The most flops are bought by dWr for params. Fast scaling (dWr) is first or second under 1 "
        "of 1 budget."
    )
    three = one | {"activations": bought(w=4e9, dw=3e9, dWr=2e9), "time_ms": bought(w=4e9, dWr=3e9)}
    assert bought_text(three) == (
        "**What came out.** The most flops are bought by dWr for params; by w for activations and predicted time. Fast "
        "scaling (dWr) is first or second under 2 of 3 budgets; as a share of the most flops, it buys 0.50 for "
        "activations and 0.75 for predicted time."
    )
    without = bought_text({"params": bought(w=2e9, dWr=None)})
    assert without == "**What came out.** The most flops are bought by w for params."
    assert bought_text({"params": bought(w=None)}) == "No budget leaves room to scale up."


@pytest.mark.parametrize(("error_90", "where"), [(0.2, "beyond"), (0.6, "within")])
def test_a_ratio_is_told_with_the_interval_that_judges_its_claim(error_90, where):
    rows, model = (
        bought(w=3e9, dw=None, dWr=2e9).assign(reason=pd.Series([None, "too few rows", None])),
        within(error_90),
    )
    ratio = flops_bought(rows, "dWr", "w", 6.0, model)
    assert bought_on_each_text({"A chip": rows}, {"A chip": model}) == (
        "**By device.** As predicted, the most flops for the same time are bought on A chip by w (dWr 0.67 times as "
        f"many, {ratio['low']:.2f} to {ratio['high']:.2f}: {where} the error of the predictions)."
    )


def test_where_fast_scaling_is_best_or_not_asked_for_nothing_is_compared():
    model = within(0.2)
    for rows in (bought(w=2e9, dWr=3e9), bought(w=2e9, dwr=1e9), bought(w=2e9, dWr=None)):
        assert "times as many" not in bought_on_each_text({"A chip": rows}, {"A chip": model})
    assert bought_on_each_text({}, {}) == "No device has rows enough to predict a time."
