"""The commands about devices that one may not have."""

import json
import re
import shlex
import subprocess
import sys
import warnings
from dataclasses import replace

import pytest
from helpers.fake_device import TINY, by_layers, rows

import fastscale_lib as fs
from fastscale_lib import cli
from fastscale_lib.prediction import calibration


def test_devices_are_listed(capsys):
    assert cli.main(["devices"]) == cli.DONE
    said = capsys.readouterr().out
    assert "RTX 4090" in said
    assert "data sheet" in said


def test_networks_within_a_budget_are_listed(capsys):
    assert cli.main(["which", "--device", "rtx-4090", "--ms", "20", "--gb", "8", "--min-top1", "80"]) == cli.DONE
    said = capsys.readouterr()
    first, head, best, *_ = said.out.splitlines()
    assert first == "within 20 ms, 8 GB, top-1 ≥ 80 %, batch 64, RTX 4090, inference, amp, channels first"
    assert "90 % band" in head
    assert " yes " in best
    assert said.err == ""
    assert cli.main(["which", "--device", "rtx-4070", "--ms", "40", "--compile", "--rows", "3"]) == cli.DONE
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 5
    assert said.err == "fastscale: each of these times is an estimate by the data sheet\n"
    assert cli.main(["which", "--device", "v100", "--ms", "40", "--rows", "3"]) == cli.DONE
    assert (
        "of a kind of GPU on which estimates were hardly tried" in capsys.readouterr().err
    )  # so there is no error of it


def test_networks_whose_training_fits_in_memory_are_listed(capsys):
    asked = ["--device", "epyc", "--mode", "training", "--ms", "1000", "--batch", "4", "--gb", "0.5", "--no-scaled"]
    assert cli.main(["which", *asked]) == cli.DONE
    said = capsys.readouterr()
    assert said.out.startswith("within 1000 ms, 0.5 GB, batch 4, AMD EPYC, 2 threads, training, fp32")
    assert said.err == ""


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--device", "rtx-4090", "--ms", "0.001"], "no network fits 0.001 ms"),
        (["--device", "a100", "--ms", "5"], "'a100' may be A100 40GB or A100 80GB"),
        (["--device", "rtx-4090", "--ms", "5", "--precision", "fp32"], "is not predicted with precision='fp32'"),
    ],
)
def test_a_wrong_budget_or_device_gets_a_sentence(asked, said, capsys):
    assert cli.main(["which", *asked]) == cli.WRONG
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_profile_is_made_of_rows_by_one_command(tmp_path, capsys):
    store = fs.Store(tmp_path / "rows.jsonl")
    for row in rows(by_layers).head(12).to_dict("records"):
        store.add(row)
    how = ["--source", "made up", "--made", "2026-11-27", "--out", str(tmp_path)]
    assert cli.main(["profile", str(store.path), *how]) == cli.DONE
    kept = json.loads((tmp_path / "made-up.json").read_text("utf-8"))
    assert (kept["source"], kept["made"], kept["settings"][0]["rows"]) == ("made up", "2026-11-27", 12)
    assert capsys.readouterr().out.strip().endswith("made-up.json")


def test_one_s_own_device_is_calibrated_by_one_command(tmp_path, capsys, monkeypatch):
    """Stopped after two probes, the same command goes on."""
    monkeypatch.setattr(calibration, "probes", lambda count: TINY[:10])
    monkeypatch.setattr(calibration, "PROBE_SECONDS", 0.05)
    store, measure = tmp_path / "kept.jsonl", calibration.measure_plan

    def stopped(plan, *given, **settings):
        measure(replace(plan, networks=plan.networks[:2]), *given, **settings)
        raise KeyboardInterrupt

    command = ["calibrate", "--device", "cpu", "--threads", "1", "--store", str(store)]
    monkeypatch.setattr(calibration, "measure_plan", stopped)
    assert cli.main(command) == cli.STOPPED
    assert "run the same command again to go on" in capsys.readouterr().err
    assert len(fs.Store(store)) == 2
    monkeypatch.setattr(calibration, "measure_plan", measure)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fs.prediction.CalibrationWarning)  # whatever else goes on in this machine
        assert cli.main(command) == cli.DONE
    said = capsys.readouterr()
    assert re.search(r"inference, fp32: \d+ probes, median error \d+%, nine in ten within \d+%; prior: ", said.out)
    assert "10/10" in said.err
    assert len(fs.Store(store)) == 10


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--count", "7"], "count is 7, but must be a whole number from 10 to 40; try count=10"),
        (["--device", "cuda:7"], "cuda:7"),
        (["--batch", "0"], "batch is 0, but must be a whole number of at least 1"),
    ],
)
def test_a_wrong_calibration_gets_a_sentence(asked, said, tmp_path, capsys):
    assert cli.main(["calibrate", *asked, "--store", str(tmp_path / "kept.jsonl")]) == cli.WRONG
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_reader_that_ends_early_is_no_error():
    """As head does: nothing is said on stderr."""
    command = f"{shlex.quote(sys.executable)} -m fastscale_lib devices"
    done = subprocess.run(["bash", "-c", f"{command} | true"], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_another_broken_pipe_is_told(monkeypatch, capsys):
    def ended(*_, **__):
        raise BrokenPipeError("a process that measures has ended")

    monkeypatch.setattr("fastscale_lib.prediction.commands.devices", ended)
    assert cli.main(["devices"]) == 1
    assert capsys.readouterr().err == "fastscale: a process that measures has ended\n"
