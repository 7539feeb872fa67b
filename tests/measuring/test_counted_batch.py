"""The largest batch for a GPU that one does not have, by counting."""

import json
import math

import pandas as pd
import pytest
from helpers.notebooks import REPO

import fastscale_lib as fs
from fastscale_lib._common.frames import dicts
from fastscale_lib.measuring.counted_batch import HELD_BEYOND
from fastscale_lib.records.measurement import MeasureError, SettingError

TINY = fs.anynet(name="Tiny", depths=[1], widths=[16], group_widths=8, stem_width=16, resolution=32, classes=10)
H200 = REPO / "data" / "measured" / "16gf" / "nvidia-h200.jsonl"


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_the_largest_batch_by_count_fits_and_one_more_does_not(mode):
    found = fs.largest_batch(TINY, mode, memory_bytes=20e6)
    held = [(1 + HELD_BEYOND[mode]) * fs.peak_memory(TINY, found + more, mode).peak_bytes for more in (0, 1)]
    assert held[0] <= 20e6 < held[1]
    assert f"{found}" == str(int(found))
    assert f"{found!r}".startswith(f"{int(found)} images: 0.0")
    assert f"an H200 held up to {HELD_BEYOND[mode]:.0%} more in {mode}" in repr(found)


def test_the_limit_ends_the_count():
    assert fs.largest_batch(TINY, memory_bytes=1e12, limit=100) == 100
    assert fs.largest_batch(TINY, memory_bytes=1e12, limit=1) == 1


def test_what_does_not_fit_or_is_no_memory_is_refused_in_a_sentence():
    with pytest.raises(MeasureError, match=r"not even one image fits 1e-05 GB: 1 image: 0\.00 GB counted"):
        fs.largest_batch(TINY, memory_bytes=1e4)
    with pytest.raises(SettingError, match="memory_bytes is -1, but must be a number of at least 1"):
        fs.largest_batch(TINY, memory_bytes=-1)


@pytest.fixture(scope="module")
def held() -> pd.DataFrame:
    """How much more an H200 held than is counted, of each run measured on it."""
    return pd.read_csv(REPO / "data" / "devices" / "held_beyond.csv")


def test_an_h200_held_no_more_beyond_the_count_than_is_allowed_for(held):
    most = held.groupby("mode")["beyond"].max()
    assert {mode: math.ceil(100 * beyond) / 100 for mode, beyond in most.items()} == HELD_BEYOND
    [kept] = dicts(held.nlargest(1, "beyond"))
    same = ("network", "mode", "precision", "batch")
    rows = [json.loads(line) for line in H200.read_text("utf-8").splitlines()]
    [row] = [row for row in rows if all(row[name] == kept[name] for name in same)]
    counted = fs.peak_memory(fs.Network.from_dict(row["description"]), row["batch"], row["mode"], row["precision"])
    assert row["peak_memory_bytes"] / counted.peak_bytes - 1 == pytest.approx(kept["beyond"], abs=1e-4)


def test_the_page_quotes_what_an_h200_held(held):
    page = " ".join((REPO / "docs" / "how-to" / "other-device.md").read_text("utf-8").split())
    training = held.loc[held["mode"] == "training", "beyond"]
    families = held[held["mode"] == "inference"].groupby(held["network"].str.split("-").str[0])["beyond"]
    inference = {name: f"{100 * each.min():.0f} to {100 * each.max():.0f} %" for name, each in families}
    assert set(inference) == {"EfficientNet", "RegNetY"}
    assert f"An H200 held {inference['EfficientNet']} more in inference of EfficientNets, " in page
    assert f", {inference['RegNetY']} more of RegNetYs, and {100 * training.min():.0f} to " in page
    assert f" to {100 * training.max():.0f} % more in training" in page
