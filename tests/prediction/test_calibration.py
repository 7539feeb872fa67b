"""Probe networks, and a model made of them in one call."""

import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.fake_device import HERE, TINY

import fastscale_lib as fs
from fastscale_lib.architectures.operation_lists import KINDS, operations
from fastscale_lib.prediction import calibration


@pytest.fixture
def tiny(monkeypatch):
    """Ten small probes, of hundredths of a second each."""
    monkeypatch.setattr(calibration, "probes", lambda count: TINY[:10])
    monkeypatch.setattr(calibration, "PROBE_SECONDS", 0.05)


def test_probes_are_the_same_at_every_call_and_nobody_else():
    probes = calibration.probes()
    assert probes == calibration.probes()
    ids = {probe.id for probe in probes}
    assert len(ids) == len(probes) == calibration.PROBES == 10
    assert calibration.probes(40)[:10] == probes
    assert not ids & {fs.network(name).id for name in fs.networks()}


def test_probes_have_every_kind_of_operation_of_a_convnet_in_several():
    """Those of ConvNeXt and transformers are predicted from rows of such networks alone, and refused without."""
    kinds = [set(operations(probe).kind[:, 0]) for probe in calibration.probes(40)]
    several = {name for kind, name in enumerate(KINDS) if sum(kind in each for each in kinds) >= 5}
    few = {name for kind, name in enumerate(KINDS) if any(kind in each for each in kinds[:10])}
    assert few == several
    assert several == set(KINDS) - {"layer norm", "token linear", "attention"}


def test_probes_are_small_and_unlike():
    counts = np.array([fs.complexity(probe) for probe in calibration.probes(40)], dtype=float)
    assert counts[:, 0].max() / counts[:, 0].min() > 10
    assert abs(np.corrcoef(np.log(counts[:, 0]), np.log(counts[:, 2]))[0, 1]) < 0.9
    assert counts[:, 0].max() <= 1.5e9


def test_it_measures_once_and_keeps_it(tiny, tmp_path):
    steps = []
    store = tmp_path / "kept.jsonl"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fs.prediction.CalibrationWarning)  # whatever else goes on in this machine
        model = fs.calibrate(device="cpu", threads=1, store=store, progress=steps.append)
        held = fs.Store(store).frame()
        assert len(held) == 10
        assert steps
        assert model.setting(mode="inference", device_name=held["device_name"].iloc[0])
        predicted = model.predict(TINY, batch=4)["predicted_ms"].to_numpy()
        assert (np.isfinite(predicted) & (predicted > 0)).all()

        again = fs.calibrate(device="cpu", threads=1, store=store)
        assert len(fs.Store(store)) == len(held)
        assert again.predict(TINY, 4).equals(model.predict(TINY, 4))

        fs.calibrate(device="cpu", threads=1, store=store, anew=True)
    assert len(fs.Store(store)) == 20


def test_it_is_kept_in_the_user_s_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert calibration.kept_in() == tmp_path / "fastscale" / "calibration.jsonl"


def test_a_device_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="cuda:7"):
        fs.calibrate(device="cuda:7", store=tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()


PROBES = calibration.probes(12)


def timed(model: fs.RuntimeModel, times: float = 1.0, load: float = 0.0, count: int = 10) -> pd.DataFrame:
    """Rows of the probes on a device that takes so many times as long as that of the model."""
    ms = model.predict(PROBES[:count], model.batch(), strict=False)["predicted_ms"].to_numpy()
    what = [{"network": each.name, "description": each.to_dict()} for each in PROBES[:count]]
    rows = pd.DataFrame(what).assign(**{**HERE, "tf32": False}, device="cpu", batch=model.batch(), half_width=0.01)
    return rows.assign(median_ms=times * ms, load=load)


def test_the_profile_that_explains_the_rows_is_the_prior():
    """A device that takes three times as long as an i7 has its times, and networks of kinds that no probe has."""
    i7 = fs.RuntimeModel.of("i7")
    model = fs.prediction.calibrated(timed(i7, times=3.0))
    rates = model.rates().iloc[0]
    assert rates["prior"].startswith("Core i7-12700H, inference, fp32, compiled")
    assert rates["prior"].endswith("times × 3")
    assert rates["error"] >= i7.rates()["error"].iloc[0]  # the band is no narrower than that of the profile
    names = ["ResNet-50", "EfficientNet-B0", "RegNetY-4.0GF", "ConvNeXt-T", "DeiT-S"]
    own, of_i7 = (each.predict(names, 1)["predicted_ms"] for each in (model, i7))
    assert (own / of_i7).to_numpy() == pytest.approx(3.0, rel=0.02)


def test_disturbed_probes_are_left_out_and_said():
    i7 = fs.RuntimeModel.of("i7")
    rows = timed(i7, count=12)
    rows.loc[[3, 7], "median_ms"] *= 5
    rows.loc[[3, 7], "load"] = 0.6
    with pytest.warns(fs.prediction.CalibrationWarning, match="2 of 12 probes were disturbed .*60 %.* are left out"):
        model = fs.prediction.calibrated(rows)
    assert model.rates()["rows"].tolist() == [10]
    assert model.predict("ResNet-50", 1)["predicted_ms"][0] == pytest.approx(
        i7.predict("ResNet-50", 1)["predicted_ms"][0], rel=0.02
    )
    newer = timed(i7, count=12)
    measured_again = fs.prediction.calibrated(pd.concat([rows, newer], ignore_index=True))  # no warning is an error
    assert measured_again.rates()["rows"].tolist() == [12]


def test_further_probes_are_measured_for_disturbed_ones(monkeypatch, tmp_path):
    """The third and the eleventh are: so twelve are measured, and ten fitted to."""
    asked = []

    def measured(plan, store, progress=None, again=False):
        asked.append([each.name for each in plan.networks])
        rows = timed(fs.RuntimeModel.of("i7"), count=12)
        rows.loc[[2, 10], "load"] = 0.5
        return rows[rows["network"].isin(asked[-1])]

    monkeypatch.setattr(calibration, "measure_plan", measured)
    with pytest.warns(fs.prediction.CalibrationWarning, match="2 of 12 probes were disturbed"):
        model = fs.calibrate("cpu", store=tmp_path / "kept.jsonl")
    assert [len(each) for each in asked] == [10, 1, 1]
    assert model.rates()["rows"].tolist() == [10]


def test_where_all_are_disturbed_they_stay_and_that_is_said():
    with pytest.warns(fs.prediction.CalibrationWarning, match="10 of 10 probes were disturbed .* stay in the fit"):
        assert fs.prediction.calibrated(timed(fs.RuntimeModel.of("i7"), load=0.5)).rates()["rows"].tolist() == [10]


def test_rows_that_no_profile_explains_have_wide_bands_and_a_warning():
    rows = timed(fs.RuntimeModel.of("i7"))
    rows["median_ms"] *= np.exp(np.random.default_rng(0).normal(0, 1, len(rows)))
    with pytest.warns(fs.prediction.CalibrationWarning, match="no profile fits Made-up, 2 threads, .* well; count=40"):
        model = fs.prediction.calibrated(rows)
    assert model.rates()["error"].iloc[0] > 0.3


@pytest.mark.parametrize("count", [0, 9, 41, 10.5, "ten"])
def test_a_wrong_number_of_probes_is_refused_in_a_sentence(count):
    with pytest.raises(ValueError, match=r"count is .*must be a whole number from 10 to 40; try count=10"):
        fs.calibrate("cpu", count=count)
