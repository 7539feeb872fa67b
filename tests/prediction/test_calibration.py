"""Probe networks, and a model made of them in one call."""

import numpy as np
import pytest
from helpers.fake_device import TINY

import fastscale_lib as fs
from fastscale_lib.architectures.operation_lists import KINDS, operations
from fastscale_lib.prediction import calibration


@pytest.fixture
def tiny(monkeypatch):
    """Twelve small probes, of hundredths of a second each."""
    monkeypatch.setattr(calibration, "probes", lambda: TINY)
    monkeypatch.setattr(calibration, "PROBE_SECONDS", 0.05)


def test_probes_are_the_same_at_every_call_and_nobody_else():
    probes = calibration.probes()
    assert probes == calibration.probes()
    ids = {probe.id for probe in probes}
    assert len(ids) == len(probes) == calibration.PROBES
    assert not ids & {fs.network(name).id for name in fs.networks()}


def test_probes_have_every_kind_of_operation_of_a_convnet_in_several():
    """Those of ConvNeXt and transformers are predicted from rows of such networks alone, and refused without."""
    kinds = [set(operations(probe).kind[:, 0]) for probe in calibration.probes()]
    several = {name for kind, name in enumerate(KINDS) if sum(kind in each for each in kinds) >= 5}
    assert several == set(KINDS) - {"layer norm", "token linear", "attention"}


def test_probes_are_small_and_unlike():
    counts = np.array([fs.complexity(probe) for probe in calibration.probes()], dtype=float)
    assert counts[:, 0].max() / counts[:, 0].min() > 10
    assert abs(np.corrcoef(np.log(counts[:, 0]), np.log(counts[:, 2]))[0, 1]) < 0.9
    assert counts[:, 0].max() <= 1.5e9


def test_it_measures_once_and_keeps_it(tiny, tmp_path):
    steps = []
    store = tmp_path / "kept.jsonl"
    model = fs.calibrate(device="cpu", store=store, progress=steps.append)
    assert len(fs.Store(store)) == len(TINY)
    assert steps
    assert model.setting(mode="inference", device_name=fs.Store(store).rows()[0]["device_name"])
    predicted = model.predict(TINY, batch=4)["predicted_ms"].to_numpy()
    assert (np.isfinite(predicted) & (predicted > 0)).all()

    again = fs.calibrate(device="cpu", store=store)
    assert len(fs.Store(store)) == len(TINY)
    assert again.predict(TINY, 4).equals(model.predict(TINY, 4))


def test_it_is_kept_in_the_user_s_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert calibration.kept_in() == tmp_path / "fastscale" / "calibration.jsonl"


def test_a_device_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="cuda:7"):
        fs.calibrate(device="cuda:7", store=tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()
