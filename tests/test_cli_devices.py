"""The commands about devices that one may not have."""

import json

import pytest
from helpers.fake_device import by_layers, rows

import fastscale_lib as fs
from fastscale_lib import cli


def test_devices_are_listed(capsys):
    assert cli.main(["devices"]) == cli.DONE
    said = capsys.readouterr().out
    assert "RTX 4090" in said
    assert "data sheet" in said


def test_networks_within_a_budget_are_listed(capsys):
    assert cli.main(["which", "--device", "rtx-4090", "--ms", "20", "--gb", "8", "--min-top1", "80"]) == cli.DONE
    said = capsys.readouterr()
    first, head, best, *_ = said.out.splitlines()
    assert first == "within 20 ms, 8 GB, top-1 ≥ 80 %, batch 64, RTX 4090, inference, amp, channels_last=False"
    assert "90 % band" in head
    assert " yes " in best
    assert said.err == ""
    assert cli.main(["which", "--device", "rtx-4070", "--ms", "40", "--compile", "--rows", "3"]) == cli.DONE
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 5
    assert "estimates by the data sheet" in said.err


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
