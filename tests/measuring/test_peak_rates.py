"""The two peak rates of a device, and how near rows come to them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.fake_device import rows

import fastscale_lib as fs
from fastscale_lib import cli
from fastscale_lib.measuring import peak_rates
from fastscale_lib.measuring.peak_workloads import Product


def at(flops: float, data: float, **setting: Any) -> fs.measuring.Ceilings:
    named: dict[str, Any] = {"device_name": "Made-up", "threads": 2, "precision": "fp32", "tf32": False, **setting}
    return fs.measuring.Ceilings(**named, multiply_adds_per_s=flops, bytes_per_s=data, product={}, copy={})


def test_this_machine_has_two():
    found = fs.measuring.ceilings("cpu", seconds=0.5, threads=1)
    assert 1e8 < found.multiply_adds_per_s < 1e14
    assert 1e8 < found.bytes_per_s < 1e13
    assert found.threads == 1
    assert found.product["precision"] == "fp32"
    assert fs.measuring.Ceilings(**found.to_dict()) == found


def test_the_product_is_in_the_precision_asked_for_and_nothing_is_cast():
    """Though `measure` runs it under autocast, which would cast both matrices each time."""
    kinds: dict[fs.measuring.Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}
    for precision, kind in kinds.items():
        product = Product(8, precision)
        assert {each.dtype for each in product.buffers()} == {kind}
        with torch.autocast("cpu", dtype=torch.float16 if precision == "bf16" else torch.bfloat16):
            assert product(torch.zeros(1)).dtype == kind


@pytest.mark.parametrize(
    ("error", "reason", "said"),
    [
        (
            fs.records.MeasureError("no room", "out of memory"),
            "out of memory",
            "product of two matrices ran out of memory: it",
        ),
        (RuntimeError("CUDA error: launch failure"), "failed", "product of two matrices failed: RuntimeError: CUDA er"),
    ],
)
def test_what_fails_is_said_in_a_sentence(tmp_path, monkeypatch, capsys, error, reason, said):
    def fail(module, **how):
        raise error

    monkeypatch.setattr(peak_rates, "measure", fail)
    with pytest.raises(fs.records.MeasureError, match=rf"^ceilings: the {said}.*; \w+ ") as failed:
        fs.measuring.ceilings("cpu")
    assert failed.value.reason == reason
    assert cli.main(["ceilings", "--store", str(tmp_path / "none"), "--device", "cpu"]) == 1
    assert capsys.readouterr().err.startswith(f"fastscale: ceilings: the {said}")


def test_a_device_as_fast_as_its_ceilings_has_a_share_of_one():
    frame = rows(lambda network, batch: batch * fs.complexity(network).flops / 1e10)
    shares = fs.prediction.roofline_share(frame, [at(1e10, np.inf)])
    assert shares.to_numpy() == pytest.approx(1)
    assert fs.prediction.roofline_share(frame, [at(2e10, np.inf)]).to_numpy() == pytest.approx(0.5)
    assert (fs.prediction.roofline_share(frame, [at(1e10, 1e9)]) > 1).all()  # data weighs, too
    assert fs.prediction.roofline_share(frame.assign(mode="training"), [at(1e10, np.inf)]).to_numpy() == pytest.approx(
        3
    )


def test_in_half_precision_half_as_many_bytes_move():
    frame = rows(lambda network, batch: 0.1)
    bf16 = fs.prediction.roofline_share(frame.assign(precision="bf16"), [at(np.inf, 1e9, precision="bf16")])
    assert bf16.to_numpy() == pytest.approx(fs.prediction.roofline_share(frame, [at(np.inf, 1e9)]).to_numpy() / 2)


def test_ceilings_of_another_setting_say_nothing():
    frame = rows(lambda network, batch: 0.1)
    for other in ({"device_name": "Other"}, {"threads": 1}, {"precision": "bf16"}, {"tf32": True}):
        assert fs.prediction.roofline_share(frame, [at(1e10, 1e9, **other)]).isna().all()


def test_from_the_shell(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli, "ceilings", lambda device, precision: at(4e10, 2e10, precision=precision))
    store = tmp_path / "ceilings.jsonl"
    assert cli.main(["ceilings", "--store", str(store), "--device", "cpu", "--precision", "fp32", "bf16"]) == 0
    assert "Made-up, bf16: 40 G multiply-adds/s, 20.0 GB/s" in capsys.readouterr().out
    known = [fs.measuring.Ceilings(**row) for row in fs.Store(store)]
    assert [each.precision for each in known] == ["fp32", "bf16"]


def test_the_shell_says_which_ceilings_are_doubtful(tmp_path, monkeypatch, capsys):
    sure, doubtful = {"converged": True, "load": 0.0, "other_processes": None}, {"converged": False, "load": 0.5}
    found = {"fp32": replace(at(4e10, 2e10), product=sure, copy=sure)}
    found["bf16"] = replace(at(4e10, 2e10), product=sure, copy=doubtful)
    monkeypatch.setattr(cli, "ceilings", lambda device, precision: found[precision])
    assert cli.main(["ceilings", "--store", str(tmp_path / "rows"), "--precision", "fp32", "bf16"]) == 0
    assert capsys.readouterr().err == (
        "fastscale: bf16: 1 of 2 times did not come within the interval asked for; 1 were taken while other processes "
        "used the device\n"
    )


def test_a_device_that_is_not_there_is_refused_in_a_sentence(tmp_path, capsys):
    assert cli.main(["ceilings", "--store", str(tmp_path / "none"), "--device", "cuda:9"]) == 2
    assert capsys.readouterr().err.startswith("fastscale: device is 'cuda:9'")
