"""Errors at equal cost, growth of families, regimes, and the figures of these."""

import numpy as np
import pandas as pd
import pytest

import fastscale_lib as fs
from fastscale_lib.figures.accuracy import errors, scaled_errors
from fastscale_lib.figures.roofline import roofline_shares


def family(name: str, flops: list[float], error: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"family": name, "flops": flops, "top1_error_pct": error})


def test_errors_are_compared_where_both_families_have_networks():
    """A line over log flops: at 2 G, halfway from 1 to 4 G, the error is halfway, too."""
    both = pd.concat([family("A", [1e9, 4e9, 16e9], [24, 20, 18]), family("B", [2e9, 8e9], [23, 19])])
    gaps = fs.analysis.error_gaps(both, "A", "B")
    assert gaps["flops"].tolist() == [2e9, 4e9, 8e9]
    assert gaps["family"].tolist() == pytest.approx([22, 20, 19])
    assert gaps["other"].tolist() == pytest.approx([23, 21, 19])
    assert gaps["gap"].tolist() == pytest.approx([-1, -1, 0])


def test_the_gap_to_another_family_is_that_of_the_other_reversed():
    table = fs.records.published_errors("pycls_zoo_v100")
    one, other = (
        fs.analysis.error_gaps(table, *pair) for pair in (("RegNetY", "EfficientNet"), ("EfficientNet", "RegNetY"))
    )
    assert one["gap"].to_numpy() == pytest.approx(-other["gap"].to_numpy())


@pytest.mark.parametrize("other", ["C", "nothing of this name"])
def test_families_without_a_common_range_are_not_compared(other):
    apart = pd.concat([family("A", [1e9, 2e9], [24, 22]), family("C", [4e9, 8e9], [20, 18])])
    assert fs.analysis.error_gaps(apart, "A", other).empty


def test_growth_is_the_exponent_of_a_power_of_flops():
    flops = np.array([1e9, 3e9, 2e10])
    assert fs.analysis.growth(pd.DataFrame({"flops": flops, "activations": 5 * flops**0.6})) == pytest.approx(0.6)
    assert np.isnan(fs.analysis.growth(pd.DataFrame({"flops": [1e9], "activations": [1e6]})))


def test_a_regime_has_the_designed_network_and_scaled_ones_of_its_flops():
    frame = fs.scaling.regimes(["RegNetY-4.0GF"], ["w", "dWr"])
    assert set(frame["regime"]) == {f"RegNetY-{size}" for size in ("6.4GF", "8.0GF", "12GF", "16GF", "32GF")}
    for regime, rows in frame.groupby("regime"):
        rows = rows.set_index("strategy")
        assert tuple(rows.loc["designed", ["flops", "params", "activations"]]) == fs.complexity(regime)
        assert rows["flops"].to_numpy(float) == pytest.approx(fs.complexity(regime).flops, rel=0.01)
    assert all(
        tuple(fs.complexity(row.scaled)) == (row.flops, row.params, row.activations) for row in frame.itertuples()
    )


def test_the_largest_of_a_family_has_no_regime_above_it():
    with pytest.raises(
        fs.architectures.NetworkError, match="RegNetY-32GF has no larger network of its family in the zoo; give a sm"
    ):
        fs.scaling.regimes(["RegNetY-32GF"], ["w"])


# Figures


def test_a_family_has_its_line_in_each_panel_and_one_entry_in_the_legend():
    table = fs.records.published_errors("early_convolutions_table2").query("epochs == 200")
    figure = errors(table)
    assert len(figure.data) == 2 * table["family"].nunique()
    named = [trace.name for trace in figure.data if trace.showlegend]
    assert named == ["ResNet (d)", "RegNetY (dWr)", "RegNetZ (dWr)", "EfficientNet (dwr)", "ViT_P", "ViT_C"]
    line = next(trace for trace in figure.data if trace.name == "EfficientNet (dwr)")
    assert list(line.y) == [20.5, 17.8, 17.0]
    assert {trace.line.dash for trace in figure.data if trace.name.startswith("ViT")} == {"dot"}


def test_a_family_looks_the_same_in_every_figure():
    looks = [
        {trace.name.split(" ")[0]: trace.line.color for trace in errors(fs.records.published_errors(source)).data}
        for source in ("pycls_zoo_v100", "early_convolutions_table2")
    ]
    common = set(looks[0]) & set(looks[1])
    assert common == {"EfficientNet", "RegNetY", "ResNet"}
    assert all(looks[0][name] == looks[1][name] for name in common)
    assert [len(set(each.values())) for each in looks] == [len(each) for each in looks]


def test_costs_that_no_network_has_get_no_panel():
    table = fs.records.published_errors("early_convolutions_table2").query("epochs == 100")
    assert "xaxis2" not in errors(table, ["flops", "inference_ms_per_image"]).layout


def test_scaled_networks_start_at_their_base():
    figure = scaled_errors(fs.records.published_errors("efficientnet_scaled"))
    assert [each.text for each in figure.layout.annotations] == [
        *["MobileNetV1", "MobileNetV2", "ResNet-50", "EfficientNet-B0"]
    ]
    width = [trace for trace in figure.data if trace.name == "w"]
    assert [list(trace.y) for trace in width] == [[29.4, 25.8], [28.0, 23.6], [24.0, 22.3], [22.7, 21.1]]
    assert sum(bool(trace.showlegend) for trace in figure.data) == 4  # d, w, r and dwr, once each


def test_each_row_with_ceilings_has_a_marker():
    common = {"source": "mine", "device_name": "Some CPU", "precision": "fp32", "family": "ResNet", "network": "R"}
    rows = [
        {"mode": mode, "strategy": way, "roofline_share": share}
        for mode, way, share in (
            *[("inference", "w", 0.5), ("inference", None, 0.4), ("training", "w", 0.3), ("training", "w", np.nan)],
        )
    ]
    figure = roofline_shares(pd.DataFrame([common | row for row in rows]))
    assert [(trace.name, list(trace.x)) for trace in figure.data] == [("w", [0.5]), ("not scaled", [0.4]), ("w", [0.3])]
    assert [each.text for each in figure.layout.annotations] == [
        f"mine · Some CPU · {mode} · fp32" for mode in ("inference", "training")
    ]
    assert roofline_shares(pd.DataFrame([common | rows[3]])).data == ()
