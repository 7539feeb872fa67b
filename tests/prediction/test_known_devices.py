"""Devices by name: profiles, estimates by data sheets, and how well each is known."""

import pandas as pd
import pytest
from helpers.notebooks import REPO

import fastscale_lib as fs
from fastscale_lib.prediction import PredictionError
from fastscale_lib.prediction.fitted import read_fits
from fastscale_lib.prediction.sheets import data_sheets, estimated_profile

NETWORKS = ["ResNet-50", "EfficientNet-B0", "RegNetY-4.0GF", "ConvNeXt-T"]


@pytest.mark.parametrize("name", ["4090", "rtx-4090", "RTX4090", "NVIDIA GeForce RTX 4090", "nvidia rtx_4090"])
def test_a_device_has_many_spellings(name):
    [key] = fs.RuntimeModel.of(name).fitted
    assert (key.device_name, key.mode, key.compile, key.channels_last) == ("RTX 4090", "inference", False, False)


def test_a_model_says_what_it_is_of_and_how_far_it_errs():
    model = fs.RuntimeModel.of("RTX 4090", compile=True)
    [(key, fitted)] = model.fitted.items()
    assert repr(model) == f"RuntimeModel('layers', {key.label()}: median error {fitted.error:.1%})"
    untried = "estimate by the data sheet, of a kind of GPU on which estimates were hardly tried"
    assert repr(fs.RuntimeModel.of("A100 80GB")).endswith(f": {untried})")


def test_what_is_asked_of_a_device_is_found():
    [key] = fs.RuntimeModel.of("RTX 4090", compile=True, torch="2.4.0").fitted
    assert (key.compile, key.torch) == (True, "2.4.0")
    [key] = fs.RuntimeModel.of("RTX 4090", channels_last=True, precision="fp16").fitted
    assert (key.channels_last, key.precision) == (True, "amp")
    [key] = fs.RuntimeModel.of("i7").fitted
    assert (key.device_name, key.precision, key.compile) == ("Core i7-12700H", "fp32", True)
    [key] = fs.RuntimeModel.of("NVIDIA A100-SXM4-80GB").fitted
    assert key.device_name == "A100 80GB"


@pytest.mark.parametrize(
    ("name", "setting", "said"),
    [
        ("abacus", {}, "'abacus' is no device with a profile or a data sheet; there are AMD EPYC, Core i7-12700H"),
        ("RTX 4095", {}, "the nearest names are RTX 4090, RTX"),
        ("a100", {}, "'a100' may be A100 40GB or A100 80GB; say which"),
        ("rtx", {}, "or 2[0-9] more; say which"),
        (None, {}, "None is no device"),
        ("", {}, "'' is no device"),
        ("4090", {"precision": "fp32"}, "RTX 4090 is not predicted with precision='fp32'; it is with .*'amp', too"),
        ("4090", {"compile": True, "channels_last": True}, "is not predicted with compile=True, channels_last=True"),
        ("4070", {"mode": "training"}, "RTX 4070 is not predicted with mode='training'"),
        ("4070", {"modus": "training"}, "'modus' is no setting; try mode"),
    ],
)
def test_what_is_not_known_is_refused_in_a_sentence(name, setting, said):
    with pytest.raises(PredictionError, match=said) as refused:
        fs.RuntimeModel.of(name, **setting)
    assert "\n" not in str(refused.value)


def test_a_gpu_that_nobody_measured_is_estimated_by_its_data_sheet():
    """An RTX 4080 has about two thirds of a 4090."""
    estimated, known = (fs.RuntimeModel.of(name).predict(NETWORKS, 256) for name in ("RTX 4080", "RTX 4090"))
    assert (estimated["predicted_ms"] / known["predicted_ms"]).between(1.2, 2).all()
    assert estimated["note"].eq("estimate by the data sheet").all()
    assert (estimated["high_ms"] / estimated["predicted_ms"] > known["high_ms"] / known["predicted_ms"]).all()
    half = fs.RuntimeModel.of("RTX 4070").predict(NETWORKS, 256)
    assert (half["predicted_ms"] > estimated["predicted_ms"]).all()


def test_an_estimate_on_an_untried_kind_of_gpu_says_so_and_is_wider():
    found = fs.RuntimeModel.of("T4").predict("ResNet-50", 64).iloc[0]
    assert "of a kind of GPU on which estimates were hardly tried" in found["note"]
    assert found["high_ms"] / found["predicted_ms"] > 1.15


@pytest.mark.parametrize("device_name", ["RTX 3090", "RTX 4090", "RTX 5090"])
def test_an_estimate_is_near_the_profile_of_a_gpu_that_has_one(device_name):
    """As if it had none: the stated error, of published rows, is about that of its profile."""
    estimates = fs.RuntimeModel("layers", dict(read_fits(estimated_profile(device_name))))
    setting = {"mode": "inference", "channels_last": False, "compile": False}
    names = fs.networks("RegNetY") + fs.networks("EfficientNet") + fs.networks("ResNet")
    of = [each.predict(names, 256, strict=False, **setting) for each in (estimates, fs.RuntimeModel.of(device_name))]
    off = (of[0]["predicted_ms"] / of[1]["predicted_ms"] - 1).abs().dropna()
    assert len(off) > 20
    assert off.median() < 0.2


def test_the_operations_of_an_estimate_take_what_the_network_does():
    model = fs.RuntimeModel.of("L4")
    layers = model.layers("ResNet-50", 64)
    whole = model.predict("ResNet-50", 64)["predicted_ms"].iloc[0]
    assert (layers["times"] * layers["predicted_ms"]).sum() == pytest.approx(whole)
    assert model.curve("ResNet-50", "w", 1.0, 64).ms[0] == pytest.approx(whole)


def test_one_measured_network_moves_an_estimate_to_it():
    estimate = fs.RuntimeModel.of("RTX 4080")
    before = estimate.predict(NETWORKS, 128)
    row = {"description": fs.network("ResNet-50").to_dict(), "batch": 128}
    met = fs.RuntimeModel.of("RTX 4080", measured={**row, "median_ms": 1.2 * before["predicted_ms"][0]})
    after = met.predict(NETWORKS, 128)
    assert after["predicted_ms"].to_numpy() == pytest.approx(1.2 * before["predicted_ms"].to_numpy())
    assert (after["high_ms"] / after["predicted_ms"] < before["high_ms"] / before["predicted_ms"]).all()
    assert after["note"].eq("estimate by the data sheet, met to 1 measured").all()
    with pytest.raises(PredictionError, match="the measured rows lack median_ms"):
        estimate.adjusted(row)


def test_devices_are_listed_with_how_well_they_are_known(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    table = fs.devices()
    assert table["known_by"].iloc[0] == "not calibrated"
    known = table.groupby("known_by")["device_name"].nunique()
    assert known["profile"] == fs.prediction.profiles()["device_name"].nunique()
    assert known["data sheet"] >= 30
    listed = table[table["known_by"].isin(["profile", "data sheet"])]
    assert listed[["mode", "precision", "rows", "batches", "source"]].notna().all(axis=None)
    tried = listed[listed["error"].notna()]
    assert (tried["error"] < tried["error_90"]).all()
    assert set(tried["known_by"]) == {"profile", "data sheet"}
    assert "RTX 4080" in set(tried["device_name"])
    assert "RTX 2060" not in set(tried["device_name"])  # of no GPU of its kind is there a profile


def test_every_data_sheet_names_its_source_and_its_peaks():
    sheets = data_sheets()
    assert sheets["source"].str.contains("NVIDIA").all()
    assert sheets["device_name"].is_unique
    peaks = sheets.set_index("device_name")["fp32_tflops"]
    stated = {
        "RTX 4090": 82.6,
        "A100 40GB": 19.5,
        "T4": 8.1,
        "RTX 2080 Ti": 13.4,
        "L4": 30.3,
        "H100 SXM": 67,
        "V100": 15.7,
    }
    for name, tflops in stated.items():
        assert peaks[name] == pytest.approx(tflops, rel=0.01), name
    assert (sheets["tensor_tflops"] >= 1.4 * sheets["fp32_tflops"]).all()


def test_costs_and_budgets_take_a_device_by_name():
    how = {"precision": "fp16", "memory": False}
    costs = fs.prediction.costs("RegNetY-4.0GF", "dWr", [1, 2], device="rtx-4070", **how)
    assert costs["predicted_ms"].is_monotonic_increasing
    bought = fs.within("RegNetY-4.0GF", "dWr", time_ms=50, device="rtx-4070", **how)
    assert 40 < bought["predicted_ms"].iloc[0] <= 50
    with pytest.raises(fs.prediction.BudgetError, match="both a model and device='4070' are given"):
        fs.within("RegNetY-4.0GF", "w", flops=1e9, model=fs.RuntimeModel.of("4090"), device="4070")


def test_a_budget_on_a_device_is_in_the_precision_that_its_times_are_in():
    kept = fs.within("ResNet-50", "w", time_ms=15, device="rtx-4090")
    half = fs.within("ResNet-50", "w", time_ms=15, device="rtx-4090", precision="fp16")
    assert kept.equals(half)
    with pytest.raises(PredictionError, match=r"RTX 4090 is not predicted with .*precision='fp32'"):
        fs.within("ResNet-50", "w", time_ms=15, device="rtx-4090", precision="fp32")
    assert fs.within("ResNet-50", "w", time_ms=500, device="epyc", batch=4, memory=False)["predicted_ms"][0] <= 500


def test_rows_of_another_device_or_setting_or_a_waiting_host_meet_no_times():
    frame = fs.Store(REPO / "data" / "measured" / "nvidia-h200.jsonl").frame()
    row = {**frame[frame["precision"] == "bf16"].iloc[0].to_dict(), "launch_ms": 0.1}
    waits = {**row, "launch_ms": row["median_ms"]}
    for name, measured, channels_last, said in (
        ("RTX 3060", row, True, r"^adjusted: a row is of NVIDIA H200, not of RTX 3060; measure that device$"),
        ("H200", row, False, r"^adjusted: a row is not of the model's setting; measure with channels_last=False$"),
        ("H200", {**row, "precision": "fp32"}, True, r"setting; measure with precision='fp16'$"),
        ("H200", waits, True, r"^adjusted: a time tells nothing of the device: .*launch"),
        ("H200", pd.DataFrame([row]).iloc[:0], True, r"^adjusted: measured has no row"),
    ):
        with pytest.raises(PredictionError, match=said):
            fs.RuntimeModel.of(name, measured=measured, channels_last=channels_last)
    both = pd.DataFrame([row, waits])
    met = fs.RuntimeModel.of("H200", measured=both, channels_last=True)
    assert met.predict("ResNet-50", 64)["note"].iloc[0].endswith("met to 1 measured")
