"""A device's two ceilings, and how near rows come to them."""

import numpy as np
import pytest
from made_up import rows

import fastscale_lib as fs
from fastscale_lib import cli


def at(flops: float, data: float, **setting) -> fs.Ceilings:
    named = {"device_name": "Made-up", "threads": 2, "precision": "fp32", "tf32": False, **setting}
    return fs.Ceilings(**named, multiply_adds_per_s=flops, bytes_per_s=data, product={}, copy={})


def test_this_machine_has_two():
    found = fs.ceilings("cpu", seconds=0.5, threads=1)
    assert 1e8 < found.multiply_adds_per_s < 1e14
    assert 1e8 < found.bytes_per_s < 1e13
    assert found.threads == 1
    assert found.product["precision"] == "fp32"
    assert fs.Ceilings(**found.to_dict()) == found


def test_a_device_as_fast_as_its_ceilings_has_a_share_of_one():
    frame = rows(lambda network, batch: batch * fs.complexity(network).flops / 1e10)
    shares = fs.roofline_share(frame, [at(1e10, np.inf)])
    assert shares.to_numpy() == pytest.approx(1)
    assert fs.roofline_share(frame, [at(2e10, np.inf)]).to_numpy() == pytest.approx(0.5)
    assert (fs.roofline_share(frame, [at(1e10, 1e9)]) > 1).all()  # data weighs, too
    assert fs.roofline_share(frame.assign(mode="training"), [at(1e10, np.inf)]).to_numpy() == pytest.approx(3)


def test_in_half_precision_half_as_many_bytes_move():
    frame = rows(lambda network, batch: 0.1)
    bf16 = fs.roofline_share(frame.assign(precision="bf16"), [at(np.inf, 1e9, precision="bf16")])
    assert bf16.to_numpy() == pytest.approx(fs.roofline_share(frame, [at(np.inf, 1e9)]).to_numpy() / 2)


def test_ceilings_of_another_setting_say_nothing():
    frame = rows(lambda network, batch: 0.1)
    for other in ({"device_name": "Other"}, {"threads": 1}, {"precision": "bf16"}, {"tf32": True}):
        assert fs.roofline_share(frame, [at(1e10, 1e9, **other)]).isna().all()


def test_from_the_shell(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli, "ceilings", lambda device, precision: at(4e10, 2e10, precision=precision))
    store = tmp_path / "ceilings.jsonl"
    assert cli.main(["ceilings", "--store", str(store), "--device", "cpu", "--precision", "fp32", "bf16"]) == 0
    assert "Made-up, bf16: 40 G multiply-adds/s, 20.0 GB/s" in capsys.readouterr().out
    known = [fs.Ceilings(**row) for row in fs.Store(store)]
    assert [each.precision for each in known] == ["fp32", "bf16"]


def test_a_device_that_is_not_there_is_refused_in_a_sentence(tmp_path, capsys):
    assert cli.main(["ceilings", "--store", str(tmp_path / "none"), "--device", "cuda:9"]) == 2
    assert capsys.readouterr().err.startswith("fastscale: device is 'cuda:9'")
