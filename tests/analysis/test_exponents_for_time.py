"""Time over all exponents of depth, width and resolution, predicted for devices that have a profile."""

import numpy as np
import pandas as pd
import pytest

import fastscale_lib as fs
from fastscale_lib._common.checks import AnalysisError
from fastscale_lib.analysis import DeviceSetting

SCALE = 8.0


@pytest.fixture(scope="module")
def gpu() -> DeviceSetting:
    [device] = [each for each in fs.analysis.device_settings(["RTX 4090"]) if each.title == "RTX 4090, channels last"]
    return device


@pytest.fixture(scope="module")
def points(gpu):
    return fs.analysis.exponent_map("EfficientNet-B0", gpu, SCALE, steps=10)


def test_the_simplex_has_every_share_once():
    points = fs.analysis.simplex(10)
    assert len(points) == 66
    assert not points.duplicated().any()
    assert np.allclose(points[["d", "w", "r"]].sum(axis=1), 1)
    for point in points.to_dict("records"):
        e = fs.strategy(point["strategy"]).exponents
        assert [float(e.d), 2 * float(e.w), 2 * float(e.r)] == pytest.approx([point[each] for each in "dwr"])


@pytest.mark.parametrize("steps", [0, 41, 2.5])
def test_steps_that_make_no_simplex_are_refused(steps):
    with pytest.raises(AnalysisError, match="simplex: steps is"):
        fs.analysis.simplex(steps)


def test_devices_with_a_profile_have_their_newest_settings():
    every = fs.analysis.device_settings()
    assert len({each.title for each in every}) == len(every)
    assert {each.setting["device_name"] for each in every} == set(fs.prediction.profiles()["device_name"])
    for each in every:
        assert each.model.batch(each.batch, **each.setting) == each.batch
        assert 0 < each.error < each.error_90


def test_corners_of_the_map_are_the_strategies_of_one_dimension(points, gpu):
    """Read from a curve through 16 networks: near the time of the network at these flops, which is rounded."""
    base = fs.complexity("EfficientNet-B0").flops
    for name in ("w", "dwr", "dWr"):
        network = fs.scale_to("EfficientNet-B0", name, flops=SCALE * base)
        ms = gpu.model.predict(network, gpu.batch, **gpu.setting)["predicted_ms"][0] / gpu.batch
        assert points.set_index("rule")["ms"][name] == pytest.approx(ms, rel=0.06)


def test_the_rules_stand_at_the_end_each_at_its_shares(points):
    rules = fs.scaling.published_rules()
    found = points.dropna(subset="rule").set_index("rule")
    assert list(found.index) == list(rules.index)
    assert np.allclose(found[["d", "w", "r"]].astype(float), rules[["d", "w", "r"]])
    assert len(points) == 66 + len(rules)


def test_on_a_gpu_width_is_fastest_and_buys_most(points):
    """Both ways: time at equal flops, and flops in the time of dWr, which buys itself the scale."""
    best = points.loc[points["ms"].idxmin()]
    assert best["w"] >= 0.8
    assert points.loc[points["flops"].idxmax(), "w"] >= 0.8
    rules = points.dropna(subset="rule").set_index("rule")
    assert rules["flops"]["dWr"] == pytest.approx(SCALE, rel=0.02)
    faster = rules["ms"] < rules["ms"]["dWr"]
    assert (rules.loc[faster, "flops"] > rules["flops"]["dWr"]).all()
    assert (rules.loc[~faster, "flops"] <= rules["flops"]["dWr"]).all()
    assert rules["ms"][["w", "dWr"]].max() < rules["ms"][["dw", "dwr", "EfficientNet-X, GPU"]].min()


def test_rules_are_compared_with_the_fastest_point(points):
    table = fs.analysis.compare_rules({"a GPU": points, "the same": points})
    assert table.columns[0] == "fastest, d–w–r in %"
    assert table.loc["a GPU"].tolist() == table.loc["the same"].tolist()
    assert table.loc["a GPU", "dwr"] == points.set_index("rule")["ms"]["dwr"] / points["ms"].min()
    best = points.loc[points["ms"].idxmin(), "w"]
    assert fs.analysis.rules_text(table, ["dwr"]) == (
        f"On 2 device settings, width has {100 * best:.0f} % of the scaling at the fastest point. "
        f"Times relative to that point: dwr {table.loc['a GPU', 'dwr']:.2f}."
    )
    slow = table.assign(dwr=[np.nan, 2.0])  # the model predicts dwr on one of the two devices
    assert fs.analysis.rules_text(slow, ["dwr", "w", "none"]).endswith(
        f": dwr 2.00; w {table.loc['a GPU', 'w']:.2f}; none not predicted."
    )
    assert fs.analysis.rules_text(slow, iter(["dwr"])).startswith("On 2 device settings, ")
    none = fs.analysis.compare_rules({"a GPU": points.assign(ms=np.nan)})
    assert fs.analysis.rules_text(none, ["dwr"]).startswith("No time of these networks")


def test_kinds_of_layers_add_up_to_the_time_of_each_rule(gpu):
    table = fs.analysis.time_by_kind("EfficientNet-B0", gpu, SCALE, ["w", "dwr"])
    assert list(table.index) == ["base", "w", "dwr"]
    assert list(table.columns)[-2:] == ["other", "all"]
    assert len(table.columns) == 6
    assert table.loc["w", "all"] == pytest.approx(1)
    assert np.allclose(table.drop(columns="all").sum(axis=1), table["all"])
    by_kind = table.loc["dwr"] / table.loc["w"]
    assert by_kind["conv depthwise"] > by_kind["conv 1×1"] > 1


def test_the_kind_that_makes_a_rule_slower_is_told():
    table = pd.DataFrame(
        {"conv 1×1": [4, 0.5, 0.6], "norm": [4, 0.5, 0.9], "all": [8, 1, 1.5]}, index=["base", "w", "dwr"]
    )
    text = fs.analysis.kinds_text(table)
    assert text.endswith("of its time, with the kind that differs most: dwr +0.50 (norm +0.40).")
    assert fs.analysis.kinds_text(table.iloc[:2]) == ""


def test_each_profile_s_errors_are_told(gpu):
    said = fs.analysis.profile_errors_text([gpu]).splitlines()[-1]
    assert said == f"- {gpu.title}: {100 * gpu.error:.1f} % and {100 * gpu.error_90:.0f} %"


def test_a_network_beyond_the_profile_has_no_map(gpu):
    points = fs.analysis.exponent_map("EfficientNet-B7", gpu, 10_000, steps=2)
    assert points[["ms", "flops"]].isna().all(axis=None)


def test_a_scale_that_is_none_is_refused(gpu):
    with pytest.raises(AnalysisError, match="exponent_map: scale is 1"):
        fs.analysis.exponent_map("EfficientNet-B0", gpu, 1)
