"""What `data/README.md` and the plans' comments say of rows and plans is so."""

import json
import re
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

import fastscale_lib as fs

DATA = Path(__file__).resolve().parents[1] / "data"
TEXT = " ".join((DATA / "README.md").read_text("utf-8").split())
ROWS = sorted((DATA / "measured").rglob("*.jsonl"))
PLANS = {path.name: path for path in sorted((DATA / "plans").glob("*.yaml"))}
MEASURED = {
    device: fs.Store(DATA / "measured" / f"{device}-2-threads.jsonl").frame() for device in ("amd-epyc", "intel-xeon")
}


def points(name: str) -> int:
    """Return how many points the plan's file says it has: tests of plans hold that it has as many."""
    [said, *_] = re.findall(r"([\d,]+) points", PLANS[name].read_text("utf-8"))
    return int(said.replace(",", ""))


def test_the_points_of_the_plans():
    assert points("gpu.yaml") == points("gpu_largest.yaml")
    assert f"`gpu.yaml` and `gpu_largest.yaml` have {points('gpu.yaml'):,} points each" in TEXT


@pytest.mark.parametrize(("device", "half", "tenth"), [("amd-epyc", 5, 13), ("intel-xeon", 2, 16)])
def test_how_well_times_are_known(device, half, tenth):
    said = "known to 5 % (EPYC) and 2 % (Intel) (`half_width`), one in ten only to 13 % and 16 %"
    assert said in TEXT
    rows = MEASURED[device]
    known = 100 * rows.loc[rows["blocks"] >= 6, "half_width"]
    assert (round(known.median()), round(known.quantile(0.9))) == (half, tenth)


def test_rows_of_few_blocks_have_no_interval_although_files_have_a_range():
    text = "90 of the EPYC's 182 rows and 100 of the Intel's 192 have fewer than six blocks of runs"
    assert f"{text}, the slowest a single one" in TEXT
    for device, (few, rows) in {"amd-epyc": (90, 182), "intel-xeon": (100, 192)}.items():
        frame = MEASURED[device]
        assert (frame["blocks"].lt(6).sum(), len(frame)) == (few, rows)
        assert (frame["low_ms"].isna() & frame["high_ms"].isna()).equals(frame["blocks"] < 6)
        assert frame["blocks"].iloc[frame["median_ms"].argmax()] == 1
        written = [json.loads(line) for line in (DATA / f"measured/{device}-2-threads.jsonl").open()]
        assert all(row["low_ms"] <= row["median_ms"] <= row["high_ms"] for row in written)


@pytest.mark.parametrize("device", MEASURED)
def test_rows_are_of_an_idle_machine_in_one_go(device):
    assert "more than a twentieth of the cores were left out, or measured again" in TEXT
    assert MEASURED[device]["load"].max() <= 0.05
    assert "ran in one session of some eight minutes" in TEXT
    dates = MEASURED[device]["date"].map(datetime.fromisoformat).sort_values()
    went = dates[dates - dates.iloc[0] < dates.max() - dates.iloc[0]]
    assert 5 * 60 < (went.quantile(0.95) - went.iloc[0]).total_seconds() < 10 * 60


def test_every_file_of_rows_is_in_the_table():
    assert ROWS
    for path in ROWS:
        place = path.relative_to(DATA).as_posix()
        folder = f"`{path.parent.relative_to(DATA).as_posix()}/"
        assert f"`{place}`" in TEXT or f"{folder}`" in TEXT or f"{folder}*" in TEXT, place


def test_the_rows_of_a_gpu():
    said = "22 of the 100 points of `plans/gpu_short.yaml` and 9 of the 16 of `plans/gpu_16gf.yaml`"
    assert said in TEXT
    frames = [fs.Store(DATA / "measured" / name).frame() for name in ("nvidia-h200.jsonl", "16gf/nvidia-h200.jsonl")]
    assert [len(frame) for frame in frames] == [22, 9]
    assert [points("gpu_short.yaml"), points("gpu_16gf.yaml")] == [100, 16]
    for frame, name in zip(frames, ("gpu_short", "gpu_16gf"), strict=True):
        dates = frame["date"].map(datetime.fromisoformat)
        took = dates.groupby(frame["worker"]).diff().dt.total_seconds()
        [said] = re.findall(r"took (\d+ to \d+) seconds", PLANS[f"{name}.yaml"].read_text("utf-8"))
        assert said == f"{took.min():g} to {took.max():g}"
    rows = pd.concat(frames, ignore_index=True)
    assert set(rows["device_name"]) == {"NVIDIA H200"}
    assert "Its clock stood at 1,980 MHz, and no other process held it" in TEXT
    assert set(rows["clock_mhz_before"]) == set(rows["clock_mhz_after"]) == {1980}
    assert rows["other_processes"].eq(0).all()
    assert "5 of its 31 rows are a single block of runs" in TEXT
    assert rows["blocks"].eq(1).sum() == rows["half_width"].isna().sum() == 5
    assert "and 7 more, all in fp32, have fewer than six: they have no interval" in TEXT
    few = rows["blocks"].lt(6)
    assert (few.sum(), set(rows.loc[few, "precision"])) == (5 + 7, {"fp32"})
    assert few.equals(rows["low_ms"].isna())
    assert "Half of the others are known to 0.1 %" in TEXT
    assert round(100 * rows.loc[~few, "half_width"].median(), 1) == 0.1
    assert "4 of the rows are launch-bound" in TEXT
    waits = rows[rows["launch_ms"] >= 0.9 * rows["median_ms"]]
    assert len(waits) == 4
    assert "EfficientNet-B4" in set(waits["network"])


def test_no_other_row_claims_a_gpu():
    for path in ROWS:
        on_a_gpu = any(row.get("device", "cpu") != "cpu" for row in fs.Store(path))
        assert on_a_gpu == (path.name == "nvidia-h200.jsonl" and path.parent.name != "ceilings"), path


def test_rows_under_a_base_network_s_name_are_of_that_network():
    for path in (DATA / "measured").glob("*.jsonl"):
        for row in fs.Store(path):
            measured = fs.Network.from_dict(row["description"])
            if row["base"] in fs.networks():
                assert fs.network(row["base"]).may_become(measured), (path, row["network"])
            else:
                assert row["base"] == "RegNetZ-500MF without head"
                assert measured.head.width == 0
                assert f'"{row["base"]}" in these rows' in TEXT
