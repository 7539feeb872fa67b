"""The campaign for a few minutes on a GPU: its plans, their order, and a script that stops in time and goes on."""

import os
import re
import subprocess
from pathlib import Path

import pytest

import fastscale_lib as fs

PLANS = Path(__file__).parents[2] / "data" / "plans"
FILES = [PLANS / f"gpu_campaign_{number}.yaml" for number in range(1, 5)]


def campaign(folder: Path, sweep: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run the script with this in the place of `fastscale`; each call's arguments go to calls.txt."""
    command = folder / "fastscale"
    command.write_text(f'#!/bin/sh\necho "$@" >> "{folder}/calls.txt"\n{sweep}\n', "utf-8")
    command.chmod(0o755)
    paths = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    script = ["sh", str(PLANS / "gpu_campaign.sh"), *arguments]
    return subprocess.run(script, env=paths, capture_output=True, text=True, timeout=120)


def calls(folder: Path) -> list[str]:
    return (folder / "calls.txt").read_text("utf-8").splitlines()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_plan_has_as_many_points_as_it_says(file):
    [said] = re.findall(r"(\d+) points", file.read_text("utf-8"))
    assert len(fs.Plan.read(file)) == int(said)


def test_the_second_plan_is_enough_for_a_fit_in_each_setting():
    points = fs.Plan.read(FILES[1]).points()
    for precision in ("bf16", "fp32"):
        own = [point.base for point in points if point.precision == precision]
        assert len(own) == 10
        assert len({name.split("-")[0] for name in own}) == 6


def test_the_last_plan_has_group_widths_of_both_kinds():
    networks = [each.network for each in fs.Plan.read(FILES[3]).points() if isinstance(each.network, fs.Network)]
    widths = {network.group_widths[-1] for network in networks}
    assert {24, 64, 128} < widths
    assert any(width & (width - 1) for width in widths if width > 64)


def test_the_plans_are_measured_in_order_into_one_store(tmp_path):
    assert campaign(tmp_path, "exit 0", "rows.jsonl").returncode == 0
    assert calls(tmp_path) == [f"sweep {file} --store rows.jsonl" for file in FILES]


def test_when_the_time_is_up_the_rest_is_left(tmp_path):
    done = campaign(tmp_path, "exit 0", "rows.jsonl", "0")
    assert done.returncode == 0
    assert "the time is up before plan 1; the same command goes on" in done.stderr
    assert not (tmp_path / "calls.txt").exists()


def test_a_sweep_that_fails_ends_the_campaign_with_its_status(tmp_path):
    assert campaign(tmp_path, "exit 2", "rows.jsonl").returncode == 2
    assert len(calls(tmp_path)) == 1


def test_without_a_store_it_says_what_it_takes(tmp_path):
    done = campaign(tmp_path, "exit 0")
    assert done.returncode != 0
    assert "name the file for the rows" in done.stderr
