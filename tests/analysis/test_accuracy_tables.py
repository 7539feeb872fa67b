"""Published errors as tables: families, their growth beside the laws, and their order at equal cost."""

import pandas as pd
import pytest

import fastscale_lib as fs

ERRORS = fs.records.published_errors()
EARLY = fs.records.published_errors("early_convolutions_table2").query("epochs == 100")
ZOO = fs.records.published_errors("pycls_zoo_v100")
TABLES = {"early": EARLY, "zoo": ZOO}


def test_each_family_of_a_table_has_a_row():
    table = fs.analysis.families_overview(ERRORS)
    assert set(table.index.get_level_values("source")) == {
        "pycls_zoo_v100",
        "early_convolutions_table2",
        "mvit_table17",
    }
    rows = ZOO[ZOO["family"] == "RegNetY"]
    row = table.T["pycls_zoo_v100", "RegNetY", "–"]
    assert row["networks"] == rows["network"].nunique()
    assert (row["flops_from"], row["flops_to"]) == (rows["flops"].min(), rows["flops"].max())
    assert (row["error_from"], row["error_to"]) == (rows["top1_error_pct"].max(), rows["top1_error_pct"].min())


def test_counts_of_families_grow_by_their_strategy_s_law():
    """In params RegNets of Early Convolutions follow the law from 4 GF on only."""
    table = fs.analysis.growth_beside_laws(EARLY).set_index(["family", "strategy"]).T
    for family in ("RegNetY", "RegNetZ"):
        row = table[family, "dWr"]
        assert row["law"] == float(fs.strategy("dWr").laws.activations)
        assert row["activations"] == pytest.approx(row["law"], abs=0.05)
        assert row["params from 4 GF on"] == pytest.approx(row["law of params"], abs=0.05)
        assert row["params"] < row["law of params"] - 0.05
        assert row["activations"] == fs.analysis.growth(EARLY[EARLY["family"] == family])
    resnet = table["ResNet", "d"]
    assert resnet["activations"] < resnet["law"] - 0.1
    compound = table["EfficientNet", "dwr"]
    assert compound["activations"] == pytest.approx(compound["law"], abs=0.05)


def test_networks_change_order_between_equal_flops_and_equal_time():
    table = fs.analysis.gaps_to_family(TABLES, "EfficientNet")
    smallest, largest = table["smallest gap"], table["largest gap"]
    assert "EfficientNet" not in table.index.get_level_values("family")
    for name, errors in TABLES.items():
        for family in errors["family"].unique():
            if family.startswith("Re"):  # every RegNet and ResNet is ahead at equal time, throughout
                assert largest.T[name, family]["training_ms_per_image"] < 0
        at_flops = fs.analysis.error_gaps(errors, "RegNetY", "EfficientNet", "flops")["gap"]
        assert at_flops.iloc[0] > 0  # of the small ones
        row = smallest.T[name, "RegNetY"]["flops"], largest.T[name, "RegNetY"]["flops"]
        assert row == (at_flops.min(), at_flops.max())
    assert largest.T["early", "RegNetZ"]["flops"] < 0
    for family in ("RegNetY", "ResNet"):  # which change places
        assert smallest.T["early", family]["flops"] > 0


def test_errors_of_one_base_stand_beside_each_other():
    """Compound scaling has the lowest of each base network's, and dWr none at all."""
    ways = fs.analysis.errors_of_one_base(ERRORS)
    assert len(ways) == 4
    assert set(ways.drop(columns="dWr").idxmin(axis=1)) == {"dwr"}
    assert ways["dWr"].isna().all()


def test_scaled_networks_of_one_base_differ_somewhat_in_flops():
    rows = fs.records.published_errors("efficientnet_scaled").dropna(subset="strategy")
    flops = rows.pivot(index="base", columns="strategy", values="flops").astype(float)
    assert 1.15 < (flops.max(axis=1) / flops.min(axis=1)).max() < 1.2


def test_families_whose_ranges_do_not_meet_have_no_gap():
    rows = [("A", 1e9, 30.0), ("A", 2e9, 28.0), ("B", 4e9, 25.0), ("B", 8e9, 24.0)]
    errors = pd.DataFrame(rows, columns=["family", "flops", "top1_error_pct"])
    table = fs.analysis.gaps_to_family({"own": errors.assign(training_ms_per_image=errors["flops"] / 1e9)}, "B")
    assert table.isna().all(axis=None)
