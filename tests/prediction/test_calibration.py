"""Probe networks, and a model made of them in one call."""

import contextlib
import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.fake_device import HERE, TINY

import fastscale_lib as fs
from fastscale_lib import cli
from fastscale_lib._common.frames import dicts
from fastscale_lib.architectures.operation_lists import KINDS, operations
from fastscale_lib.prediction import calibration
from fastscale_lib.prediction.sheets import calibration_errors


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


def timed(
    model: fs.RuntimeModel, times: float = 1.0, load: float = 0.0, count: int = 10, batch: int | None = None
) -> pd.DataFrame:
    """Rows of the probes on a CPU that takes so many times as long as the device of the model."""
    batch = model.batch(batch)
    ms = model.predict(PROBES[:count], batch, strict=False)["predicted_ms"].to_numpy()
    what = [{"network": each.name, "description": each.to_dict()} for each in PROBES[:count]]
    rows = pd.DataFrame(what).assign(**{**HERE, "tf32": False}, device="cpu", batch=batch, half_width=0.01)
    return rows.assign(median_ms=times * ms, load=load)


def timed_on_a_gpu(precision: str) -> pd.DataFrame:
    """Rows of the probes on a GPU that takes twice as long as an RTX 4090."""
    rows = timed(fs.RuntimeModel.of("4090"), times=2.0, batch=256)
    return rows.assign(device="cuda:0", threads=None, precision=precision, channels_last=False)


def width(row: pd.Series) -> float:
    """By which factor's logarithm a time may be off: the band of nine in ten."""
    return float(np.log(row["high_90_ms"] / row["predicted_ms"]))


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


def test_kinds_of_operations_that_no_probe_has_widen_the_bands():
    """They go by the rates of the profile, and by how far off these were on other devices."""
    model = fs.prediction.calibrated(timed(fs.RuntimeModel.of("i7"), times=3.0))
    like, *unlike = (model.predict(each, 1).iloc[0] for each in (PROBES[0], "ConvNeXt-Atto", "ViT-Ti/16"))
    assert like["note"] is None
    tried = calibration_errors()
    tried = tried[~tried["device_name"].str.startswith("RTX") & tried["unlike_widening_90"].notna()]
    assert len(tried)
    for row in unlike:
        assert width(row) >= width(like) + tried["unlike_widening_90"].max() - 1e-9
        assert "than the fitted networks, which goes by the rates of Core i7-12700H" in row["note"]
    assert "more layer norm than" in unlike[0]["note"]
    assert "attention than" in unlike[1]["note"]


def test_kinds_that_neither_the_probes_nor_the_profile_have_are_refused():
    model = fs.prediction.calibrated(timed(fs.RuntimeModel.of("xeon")))
    assert "Xeon" in model.rates()["prior"].iloc[0]
    with pytest.raises(fs.prediction.PredictionError, match=r"ConvNeXt-T is not predicted: .*of the kind"):
        model.predict("ConvNeXt-T")


def test_networks_larger_than_the_probes_have_wider_bands():
    """Those of the profile reach to its own largest network, which tells nothing of the fit to probes."""
    model = fs.prediction.calibrated(timed(fs.RuntimeModel.of("i7")))
    small, *large = (model.predict(each, 1).iloc[0] for each in (PROBES[0], "RegNetY-4.0GF", "RegNetY-16GF"))
    assert width(small) < width(large[0]) < width(large[1])
    assert small["note"] is None
    assert all("of the largest fitted network" in row["note"] for row in large)


def test_a_profile_of_the_precision_is_the_prior_or_its_lack_is_said():
    model = fs.prediction.calibrated(timed_on_a_gpu("bf16"))  # no warning is an error
    assert "RTX 4090, inference, amp" in model.rates()["prior"].iloc[0]
    said = "the profile that explains the probes best is of amp, not of inference in fp32; .* not tried"
    with pytest.warns(fs.prediction.CalibrationWarning, match=said):
        fs.prediction.calibrated(timed_on_a_gpu("fp32"))


def test_a_network_at_another_resolution_is_another_row():
    i7 = fs.RuntimeModel.of("i7")
    names = ["ResNet-18", "ResNet-50", "EfficientNet-B0", "RegNetY-800MF", "RegNetX-800MF"]
    networks = [fs.network(name, resolution=side) for name in names for side in (128, 192)]
    assert len({each.name for each in networks}) == 5
    ms = i7.predict(networks, 1)["predicted_ms"]
    what = [{"network": each.name, "description": each.to_dict()} for each in networks]
    rows = pd.DataFrame(what).assign(**{**HERE, "tf32": False}, device="cpu", batch=1, half_width=0.01, median_ms=ms)
    assert fs.prediction.calibrated(rows).rates()["rows"].tolist() == [10]
    twice = pd.concat([rows.assign(median_ms=3 * ms), rows], ignore_index=True)  # the newer row of each counts
    assert fs.prediction.calibrated(twice).rates()["prior"].iloc[0].endswith("× 1")


def test_a_power_cap_disturbs_no_probe_but_heat_does():
    """A laptop's GPU is held by its cap all the time: that is how fast it is."""
    rows = timed_on_a_gpu("bf16")
    held = pd.Series([["power cap"]] * len(rows))
    assert fs.prediction.calibrated(rows.assign(throttle_before=held, throttle_after=held)).rates()["rows"][0] == 10
    hot = pd.Series([["power cap", "thermal slowdown"]] * len(rows))
    with pytest.warns(fs.prediction.CalibrationWarning, match=r"10 of 10 .* disturbed \(.*thermal slowdown\)"):
        fs.prediction.calibrated(rows.assign(throttle_before=held, throttle_after=hot))


def test_no_profile_is_made_of_a_calibration(tmp_path):
    """It would be called a fit to rows, and be of the rates of another device."""
    model = fs.prediction.calibrated(timed(fs.RuntimeModel.of("i7")))
    said = "is a calibration .*prior: Core i7.*, and a profile is of rows alone; give what RuntimeModel.fit makes"
    with pytest.raises(fs.prediction.PredictionError, match=said):
        fs.prediction.write_profiles(model, tmp_path, "probes", "2026-11-27")
    assert list(tmp_path.iterdir()) == []


def calibrated_here(monkeypatch, folder, *frames: pd.DataFrame) -> None:
    """Keep rows as those that calibrating this machine has measured."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    store = fs.Store(calibration.kept_in())
    for row in dicts(pd.concat(frames, ignore_index=True)):
        store.add(row)


def test_what_was_calibrated_here_is_listed_as_this_machine(monkeypatch, tmp_path):
    """A shipped profile may be of another machine of the same name, and is no less there for it."""
    rows = timed(fs.RuntimeModel.of("epyc"), times=2.0).assign(device_name="AMD EPYC", date="2026-11-27T08:00:00")
    calibrated_here(monkeypatch, tmp_path, rows)
    listed = fs.devices()
    own = listed.iloc[0]
    assert (own["device_name"], own["known_by"], own["rows"]) == ("this machine: AMD EPYC", "calibrated here", 10)
    assert (own["families"], own["made"]) == (1, "2026-11-27")
    assert "AMD EPYC" in set(listed.loc[listed["known_by"] == "profile", "device_name"])
    batch = int(rows["batch"].iloc[0])
    again = fs.prediction.calibrated(rows).predict("ResNet-50", batch)["predicted_ms"][0]
    for name in (own["device_name"], "this machine", "This-machine: epyc"):
        model = fs.RuntimeModel.of(name)
        assert model.predict("ResNet-50", batch)["predicted_ms"][0] == pytest.approx(again)
    with pytest.raises(fs.prediction.PredictionError, match=r"Xeon' is not calibrated; 'this machine: AMD EPYC' is"):
        fs.RuntimeModel.of("this machine: Xeon")


def test_this_machine_is_a_device_wherever_one_is_asked_for(monkeypatch, tmp_path, capsys):
    rows = timed(fs.RuntimeModel.of("epyc"), times=2.0).assign(device_name="AMD EPYC")
    calibrated_here(monkeypatch, tmp_path, rows)
    batch = int(rows["batch"].iloc[0])
    once = fs.RuntimeModel.of("this machine").predict("ResNet-50", batch)["predicted_ms"][0]
    how: dict[str, Any] = {"batch": batch, "device": "this machine", "memory": False}
    assert fs.prediction.costs("ResNet-50", "w", 1, **how)["predicted_ms"][0] == pytest.approx(once)
    assert fs.within("ResNet-50", "w", time_ms=3 * once, **how)["predicted_ms"][0] <= 3 * once
    assert fs.which("this machine", ms=3 * once, batch=batch)["fits"][0] == "yes"
    command = ["which", "--device", "this machine", "--ms", f"{3 * once}", "--batch", str(batch), "--rows", "1"]
    assert cli.main(command) == cli.DONE
    assert "AMD EPYC" in capsys.readouterr().out


def test_of_two_calibrated_devices_one_is_named(monkeypatch, tmp_path):
    epyc, other = (timed(fs.RuntimeModel.of("epyc"), times=times) for times in (2.0, 3.0))
    calibrated_here(monkeypatch, tmp_path, epyc.assign(device_name="AMD EPYC"), other.assign(device_name="Some CPU"))
    said = "is calibrated for 2 devices; say which, as 'this machine: AMD EPYC', or 'this machine: Some CPU'"
    with pytest.raises(fs.prediction.PredictionError, match=said):
        fs.RuntimeModel.of("this machine")
    batch = int(epyc["batch"].iloc[0])
    names = ("this machine: AMD EPYC", "this machine: Some CPU")
    two, three = (fs.RuntimeModel.of(name).predict("ResNet-50", batch)["predicted_ms"][0] for name in names)
    assert three / two == pytest.approx(3 / 2, rel=0.02)


def test_a_machine_that_is_not_calibrated_says_how(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said = "this machine is not calibrated; fs.calibrate() measures ten small networks, once, and keeps them"
    for ask in (
        lambda: fs.RuntimeModel.of("this machine"),
        lambda: fs.within("ResNet-50", "w", time_ms=1, batch=4, device="this machine"),
        lambda: fs.prediction.costs("ResNet-50", "w", 1, batch=4, device="this machine"),
        lambda: fs.which("this machine", ms=1),
    ):
        with pytest.raises(fs.prediction.PredictionError, match=re.escape(said)):
            ask()
    assert cli.main(["which", "--device", "this machine", "--ms", "1"]) == cli.WRONG
    assert said in capsys.readouterr().err


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


class NoWorker(contextlib.nullcontext):
    """Stands in for a process that would tell which device is here."""

    def __enter__(self):
        return self

    def environment(self, device):
        return {"device": device}


def test_further_probes_are_measured_for_disturbed_ones(monkeypatch, tmp_path):
    """The third and the eleventh are: so twelve are measured, and ten fitted to."""
    asked = []

    def measured(plan, store, progress=None, again=False):
        asked.append([each.name for each in plan.networks])
        rows = timed(fs.RuntimeModel.of("i7"), count=12)
        rows.loc[[2, 10], "load"] = 0.5
        return rows[rows["network"].isin(asked[-1])]

    monkeypatch.setattr(calibration, "measure_plan", measured)
    monkeypatch.setattr(calibration, "Worker", NoWorker)
    with pytest.warns(fs.prediction.CalibrationWarning, match="2 of 12 probes were disturbed"):
        model = fs.calibrate("cpu", store=tmp_path / "kept.jsonl")
    assert [len(each) for each in asked] == [10, 1, 1]
    assert model.rates()["rows"].tolist() == [10]


def test_the_most_probes_have_as_many_again_for_disturbed_ones(monkeypatch, tmp_path):
    known, asked = calibration.probes(80), []

    def measured(plan, store, progress=None, again=False):
        asked.extend(plan.networks)
        return pd.DataFrame({"median_ms": [1.0] * len(plan.networks), "load": 0.5})

    monkeypatch.setattr(calibration, "measure_plan", measured)
    monkeypatch.setattr(calibration, "calibrated", lambda rows: rows)
    monkeypatch.setattr(calibration, "Worker", NoWorker)
    fs.calibrate("cpu", store=tmp_path / "kept.jsonl", count=40)
    assert asked == list(known)


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
