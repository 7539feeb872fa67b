"""Strategies at the same flops: networks, measured and predicted times, and the knee."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.fake_device import by_layers, rows
from hypothesis import given
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib._common.frames import rows as rows_of
from fastscale_lib.analysis.times import knee, measured_bases
from fastscale_lib.architectures.parts import Head
from fastscale_lib.records.conditions import LARGEST, Conditions

B0 = "EfficientNet-B0"
BASE = fs.complexity(B0)


# Networks


def test_networks_of_equal_flops_are_those_of_scale_to():
    frame = fs.equal_flops([B0, "RegNetX-400MF"], ["w", 0.8, "dw"], [2, 4])
    assert len(frame) == 2 * 3 * 2
    assert frame["strategy"].unique().tolist() == ["w", "alpha=0.8", "dw"]
    assert frame["alpha"].dropna().unique().tolist() == [1.0, 0.8]
    for row in rows_of(frame):
        base = fs.complexity(row.network)
        assert row.flops == pytest.approx(row.scale * base.flops, rel=0.01)
        assert row.scaled == fs.scale_to(row.network, row.strategy, flops=row.scale * base.flops)
        assert (row.flops, row.params, row.activations) == fs.complexity(row.scaled)


# The knee


def test_the_knee_is_where_values_stay_nearly_as_low_as_those_of_width():
    alphas = [0, 0.25, 0.5, 0.75, 1]
    assert knee(alphas, [4, 3, 1.2, 1.1, 1], nearly=0.25) == 0.5
    assert knee(alphas, [4, 1.2, 3, 1.1, 1], nearly=0.25) == 0.75  # from there on, not before
    assert knee(alphas, [4, 3, 2, 1.5, 1], nearly=0.25) == 1
    assert knee(alphas, [0.5, 0.6, 0.7, 0.8, 1], nearly=0) == 0
    assert knee(alphas[::-1], [1, 1.1, 1.2, 3, 4], nearly=0.25) == 0.5  # in any order


@given(st.floats(1.5, 1e4), st.floats(0.01, 2))
def test_the_knee_of_the_law_is_its_formula(times, nearly):
    """Activations are t^(1−α/2), by width t^(1/2): within 1 + x of these from α = 1 − 2·ln(1+x)/ln(t) on."""
    alphas = np.linspace(0, 1, 101).round(2)
    law = fs.scaling.laws(B0, alphas.tolist(), [times])
    [found] = fs.analysis.knees(law, ["scale"], "activations", nearly)["knee"]
    assert found == pytest.approx(max(0, 1 - 2 * np.log(1 + nearly) / np.log(times)), abs=0.0101)


def test_a_knee_takes_width_scaling_and_all_values():
    with pytest.raises(ValueError, match="give a value for each α, and 1 among them"):
        knee([0, 0.5], [2, 1], 0.25)
    with pytest.raises(ValueError, match="give a value for each α"):
        knee([0, 1], [2, np.nan], 0.25)


# Measured times


def measured(ms, strategies=("w", "dwr", "dw", "dWr"), scales=(0.5, 1, 2, 4), **more) -> pd.DataFrame:
    """What a plan's store holds of EfficientNet-B0, with the times that `ms` gives; the base network once."""
    found = {}
    for strategy in strategies:
        for s in scales:
            network = fs.network(B0) if s == 1 else fs.scale(B0, strategy, s)
            counts = fs.complexity(network)
            row = {"base": B0, "network": network.name, "strategy": None if s == 1 else strategy, "scale": float(s)}
            row |= {"description": network.to_dict(), "batch": 4, "device": "cuda:0", "device_name": "Made-up GPU"}
            row |= {"threads": 2, "mode": "inference", "precision": "fp32", "channels_last": True, "compile": False}
            row |= {"tf32": False, "median_ms": ms(counts), "reason": None, "half_width": 0.02, **counts._asdict()}
            row |= {"low_ms": 0.9 * row["median_ms"], "high_ms": 1.1 * row["median_ms"], "library": "0"}
            found[network.name] = row | more
    return pd.DataFrame(found.values())


@given(st.floats(0.2, 2), st.floats(1, 3.5))
def test_a_power_law_of_flops_is_interpolated_exactly(power, times):
    """The networks of no strategy have these flops; the time at these flops is known all the same."""
    frame = measured(lambda counts: 8 * (counts.flops / BASE.flops) ** power)
    found = fs.analysis.measured_times(frame, B0, scales=[times])
    assert found["strategy"].tolist() == ["w", "dwr", "dw", "dWr"]
    assert found["ms_per_image"].to_numpy() == pytest.approx(2 * times**power)
    assert found["low_ms"].to_numpy() == pytest.approx(0.9 * 2 * times**power)
    assert found["high_ms"].to_numpy() == pytest.approx(1.1 * 2 * times**power)


def test_nothing_is_extrapolated():
    frame = measured(lambda counts: counts.flops / 1e6)
    most = frame[frame["strategy"] == "w"]["flops"].max() / BASE.flops
    assert most < 4  # rounding gave less than was asked for
    found = fs.analysis.measured_times(frame, B0, scales=[4, 0.4])
    assert found["strategy"].tolist() == ["dwr"]  # which alone reaches 4 times, and none goes down to 0.4
    at_most = fs.analysis.measured_times(frame, B0, ["w", "dwr"])
    assert at_most["scale"].unique() == pytest.approx([most])
    assert fs.analysis.measured_times(frame, "RegNetX-400MF").empty


def test_rows_of_another_network_of_the_base_s_name_are_not_its_times():
    """As those of RegNetZ-500MF that were measured when it had no convolution in its head."""
    other = replace(fs.network(B0), head=Head(0))
    frame = measured(lambda counts: counts.flops / 1e6)
    assert len(fs.analysis.measured_times(frame, B0, scales=[2])) == 4
    ways = zip(frame["strategy"], frame["scale"], strict=True)
    scaled = [fs.scale(other, way, s) if isinstance(way, str) else other for way, s in ways]
    flops = [fs.complexity(each).flops for each in scaled]
    frame = frame.assign(description=pd.Series([each.to_dict() for each in scaled]), flops=flops)
    assert len(fs.analysis.measured_times(frame, other, scales=[2])) == 4
    assert fs.analysis.measured_times(frame, B0, scales=[2]).empty
    assert fs.analysis.measured_times(frame, "ResNet-50", scales=[2]).empty
    [base] = measured_bases(frame)
    assert base == other


def test_a_strategy_is_known_by_its_exponents():
    frame = measured(lambda counts: counts.flops / 1e6)
    assert fs.analysis.measured_times(frame, B0, ["alpha=0.8", "d1_w8_g8_r1"])["strategy"].tolist() == ["dWr"]
    assert fs.analysis.measured_times(frame, B0, ["w"])["alpha"].tolist() == [1.0]


def test_devices_settings_batches_and_stores_are_kept_apart():
    one = measured(lambda counts: counts.flops / 1e6).assign(source="a")
    other = measured(lambda counts: counts.flops / 1e6).assign(source="b", batch=8)
    filled = measured(lambda counts: counts.flops / 1e6).assign(source="b", fills_device=True)
    filled["batch"] = range(8, 8 + len(filled))  # another for each network
    found = fs.analysis.measured_times(pd.concat([one, other, filled], ignore_index=True), B0)
    cases = found.drop_duplicates(list(Conditions.CASE))
    assert cases[["source", "batch"]].to_numpy().tolist() == [["a", 4], ["b", 8], ["b", LARGEST]]
    assert set(found["device"]) == {"cuda"}  # cuda:0 and cuda:1 are one kind
    words = "Made-up GPU, inference, fp32, "
    said = [Conditions.of(case).label() for case in cases.to_dict("records")]
    assert said == [words + "batch 4", words + "batch 8", words + "largest batch"]


def test_rows_without_a_time_are_passed_over():
    frame = measured(lambda counts: counts.flops / 1e6)
    frame.loc[frame["strategy"].eq("w") & frame["scale"].eq(4), ["median_ms", "reason"]] = [None, "oom"]
    assert "w" not in set(fs.analysis.measured_times(frame, B0, scales=[3])["strategy"])


def test_stores_are_read_with_their_names(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"network": "x", "median_ms": 1.0}) + "\n")
    assert fs.records.read_rows([path])["source"].tolist() == ["mine.jsonl"]
    assert fs.analysis.measured_times(fs.records.read_rows([]), B0).empty
    with pytest.raises(fs.records.PublishedError, match=r"there is no .*none\.jsonl; give the path of a store"):
        fs.records.read_rows([tmp_path / "none.jsonl"])


def test_rows_that_no_plan_made_are_refused():
    with pytest.raises(fs.prediction.PredictionError, match=r"the rows lack base, .*strategy"):
        fs.analysis.measured_times(pd.DataFrame([{"network": "x", "median_ms": 1.0}]), B0)


# Predicted times


def probes(**more) -> pd.DataFrame:
    """Rows of a device that is made up, as a plan's store has them."""
    made = rows(by_layers)
    counts = [fs.complexity(fs.Network.from_dict(each))._asdict() for each in made["description"]]
    return made.assign(**pd.DataFrame(counts), strategy="w", device="cpu", **more)


def test_predicted_times_are_those_of_the_model_fitted_to_the_rows():
    frame = fs.equal_flops(B0, [0, 1, "dw"], [2])
    found = fs.analysis.predicted_times(probes(), frame)
    assert found[["strategy", "scale"]].equals(frame[["strategy", "scale"]])
    assert found["reason"].isna().all()
    model = fs.RuntimeModel.fit(probes())
    asked = model.predict(list(frame["scaled"]), 4)
    assert found["ms_per_image"].to_numpy() == pytest.approx(asked["predicted_ms"].to_numpy() / 4)
    assert found["high_ms"].to_numpy() == pytest.approx((found["ms_per_image"] * (1 + found["error"])).to_numpy())
    truth = [1e3 * by_layers(network, 4) / 4 for network in frame["scaled"]]
    assert found["ms_per_image"].to_numpy() == pytest.approx(truth, rel=0.05)  # the device follows such a model


def test_where_nothing_can_be_predicted_the_reason_says_why():
    frame = fs.equal_flops(B0, [1], [2])
    [few] = fs.analysis.predicted_times(probes().head(3), frame).to_dict("records")
    assert np.isnan(few["ms_per_image"])
    assert "a fit takes 10 of them at least" in few["reason"]
    [filled] = fs.analysis.predicted_times(probes(fills_device=True), frame).to_dict("records")
    assert "give one batch for all" in filled["reason"]
    assert fs.analysis.predicted_times(fs.records.read_rows([]), frame).empty
