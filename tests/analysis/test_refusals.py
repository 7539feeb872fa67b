"""Wrong names are refused with the errors that docstrings promise."""

import inspect

import pandas as pd
import pytest

import fastscale_lib as fs

BASE, NO_FILE, EMPTY = "RegNetX-400MF", ["/nowhere/rows.jsonl"], pd.DataFrame()
RUN = {"batch": 1, "mode": "inference", "precision": "fp32"}
WRONG = {
    "NetworkError": {
        "base_counts": lambda f: f(["nope"]),
        "relative_to_base": lambda f: f(fs.sweep(BASE, "w", 2), ["nope"]),
        "growth_at_equal_flops": lambda f: f(["nope"], ["w"], 2),
        "last_block": lambda f: f("nope", ["w"], 2),
        "flops_by_kind_scaled": lambda f: f(["nope"], ["w"], 2),
        "grouped_exponents": lambda f: f(["nope"], ["w"], 2, 4),
        "cost_of": lambda f: f("nope", **RUN),
        "bought_within": lambda f: f("nope", ["w"], {"params": 1e9}, **RUN),
    },
    "StrategyError": {
        "law_table": lambda f: f(["wide"]),
        "growth_at_equal_flops": lambda f: f([BASE], ["wide"], 2),
        "grouped_laws": lambda f: f(["wide"]),
        "only_width": lambda f: f(["wide"]),
        "last_block": lambda f: f(BASE, ["w"], -1),
        "flops_by_kind_scaled": lambda f: f([BASE], ["wide"], 2),
        "grouped_exponents": lambda f: f([BASE], ["wide"], 2, 4),
        "group_width_claims": lambda f: f(EMPTY, EMPTY, ["wide"], 2, 0.1),
        "with_fast_scaling": lambda f: f(["wide"]),
        "bought_within": lambda f: f(BASE, ["wide"], {"params": 1e9}, **RUN),
    },
    "BudgetError": {"bought_within": lambda f: f(BASE, ["w"], {"params": -1}, **RUN)},
    "SettingError": {"bought_within": lambda f: f(BASE, ["w"], {"params": 1e9}, **RUN | {"batch": 0})},
    "PublishedError": {
        "published_pairs": lambda f: f("/nowhere", BASE, "ResNet-50"),
        "measured_pairs": lambda f: f(NO_FILE, fs.network(BASE), fs.network("ResNet-50")),
        "models_by_device": lambda f: f(NO_FILE, BASE, 4, "inference", "fp32"),
        "errors_by_store": lambda f: f(NO_FILE),
        "rows_beside_ceilings": lambda f: f(NO_FILE, []),
    },
}


@pytest.mark.parametrize(("error", "name"), [(error, name) for error, calls in WRONG.items() for name in calls])
def test_a_wrong_name_raises_the_documented_error(error, name):
    function = getattr(fs.analysis, name)
    assert f"{error}: " in (inspect.getdoc(function) or "")
    with pytest.raises(fs.FastscaleError) as refused:
        WRONG[error][name](function)
    assert type(refused.value).__name__ == error
