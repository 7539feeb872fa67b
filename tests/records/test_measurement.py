"""Two measurements compared: what their intervals allow to be said, and nothing more."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib._common.statistics import median_interval
from fastscale_lib.records.measurement import MeasureError, Measurement, SettingError, failed_row, measured_row

ONE = Measurement(
    network="ResNet-50",
    resolution=224,
    batch=64,
    mode="inference",
    precision="fp32",
    channels_last=True,
    compile=False,
    device="cuda:0",
    device_name="Some GPU",
    median_ms=10.0,
    low_ms=9.9,
    high_ms=10.1,
    q1_ms=9.8,
    q3_ms=10.2,
    half_width=0.01,
    converged=True,
    runs=100,
    blocks=20,
    images_per_s=6400.0,
    peak_memory_bytes=1,
    threads=8,
    tf32=False,
    cudnn_benchmark=True,
    torch="2.11",
    cuda="13",
    cudnn="9",
    driver="580",
    library="0.1.0",
    date="2026-11-23T12:00:00+00:00",
)


def timed(median: float, half: float = 0.01, **other) -> Measurement:
    """A measurement with this median, in ms, and an interval of so much around it."""
    return replace(ONE, median_ms=median, low_ms=median / (1 + half), high_ms=median * (1 + half), **other)


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (timed(10), timed(20), "faster"),
        (timed(20), timed(10), "slower"),
        (timed(10, 0.005), timed(10.02, 0.005), "same"),
        (timed(10, 0.05), timed(10), "undecided"),
        (timed(10), timed(10.1), "undecided"),
        (timed(10, 0.001), timed(10.15, 0.001), "same"),  # surely faster, by less than the margin
        (timed(10, blocks=5), timed(20), "undecided"),  # no 95 % interval
    ],
)
def test_the_verdict(a, b, verdict):
    assert fs.records.compare(a, b).verdict == verdict


def test_the_margin_is_the_callers():
    a, b = timed(10, 0.001), timed(10.15, 0.001)
    assert fs.records.compare(a, b, same=0.001).verdict == "faster"
    assert fs.records.compare(a, b, same=0).verdict == "faster"


def test_different_batches_compare_by_the_image_and_are_named():
    said = fs.records.compare(timed(10), timed(30, batch=128, precision="bf16"))
    assert said.ratio == pytest.approx(2 / 3)
    assert said.differs == ("batch", "precision")
    assert str(said) == ("faster: 0.667× the time per image (0.657 to 0.676); they differ in batch, precision")


@given(*[st.floats(0.1, 1e4)] * 2, *[st.floats(0, 1)] * 2)
def test_swapped_it_says_the_opposite(a, b, one, two):
    there = fs.records.compare(timed(a, one), timed(b, two))
    back = fs.records.compare(timed(b, two), timed(a, one))
    assert back.verdict == {"faster": "slower", "slower": "faster"}.get(there.verdict, there.verdict)
    assert back.ratio * there.ratio == pytest.approx(1)
    assert back.low * there.high == pytest.approx(1)
    assert there.low <= there.ratio <= there.high


def test_the_interval_of_a_ratio_covers_it_as_often_as_it_says():
    """2,000 simulated pairs with known medians."""
    random, covered, ratio = np.random.default_rng(0), 0, 1.1
    for _ in range(2000):
        pair = []
        for centre in (ratio, 1.0):
            times = centre * (1 + 0.05 * random.standard_normal(30))
            low, high = median_interval(times)
            pair.append(replace(ONE, median_ms=float(np.median(times)), low_ms=low, high_ms=high))
        said = fs.records.compare(*pair)
        covered += said.low <= ratio <= said.high
    assert 0.93 <= covered / 2000 <= 0.985


@pytest.mark.parametrize("same", [-0.1, "x", None, float("nan"), True])
def test_a_wrong_margin_is_refused(same):
    with pytest.raises(SettingError, match=r"^same is .*, but must be a number of at least 0"):
        fs.records.compare(ONE, ONE, same=same)


@pytest.mark.parametrize(("pair", "said"), [((ONE, "b"), "b is 'b'"), (({"median_ms": 1.0}, ONE), "a is {'median_ms'")])
def test_what_is_no_measurement_is_not_compared(pair, said):
    with pytest.raises(SettingError, match=f"compare: {said}.*, but must be a Measurement, as fs.measure"):
        fs.records.compare(*pair)


# Where there is no interval, and where the time is the host's.


@pytest.mark.parametrize(("blocks", "said"), [(1, "a single block of runs gives"), (5, "5 blocks of runs give")])
def test_fewer_than_six_blocks_have_no_interval(blocks, said):
    """Also of a row made when the range, or the median twice, stood in its place."""
    for found in (
        timed(10, 0, blocks=blocks, half_width=None),
        Measurement.from_dict({**ONE.to_dict(), "blocks": blocks, "half_width": None}),
    ):
        assert math.isnan(found.low_ms)
        assert math.isnan(found.high_ms)
        assert found.doubt == f"{said} no interval"
        row = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert (row["low_ms"], row["high_ms"]) == (None, None)
        assert Measurement.from_dict(row).to_dict() == row
        compared = fs.records.compare(found, timed(20))
        assert math.isnan(compared.low)
        assert math.isnan(compared.high)
        assert str(compared) == f"undecided: 0.500× the time per image (no interval); a: {said} no interval"


def test_six_blocks_have_one():
    assert timed(10, blocks=6).high_ms > 10
    assert timed(10, blocks=6).doubt is None


def test_a_time_that_is_the_hosts_makes_no_network_slower():
    said = fs.records.compare(timed(10), timed(20, launch_ms=19.0))
    assert (said.verdict, said.ratio) == ("undecided", 0.5)
    assert said.low < 0.5 < said.high
    assert said.doubt == "b: launch-bound, as the GPU waited for its host"
    assert fs.records.compare(timed(10), timed(20, launch_ms=17.0)).verdict == "faster"


# What disturbed it.


@pytest.mark.parametrize(("launch", "bound"), [(None, None), (2.0, False), (9.0, True), (11.0, True)])
def test_a_run_that_waits_for_its_launches_is_launch_bound(launch, bound):
    found = timed(10, launch_ms=launch)
    assert found.launch_bound is bound
    assert str(found).endswith(" · launch-bound") is (bound is True)


@pytest.mark.parametrize(
    ("beside", "warning"),
    [
        ({}, None),
        ({"other_processes": 0, "load": 0.05, "throttle_before": (), "throttle_after": ()}, None),
        ({"other_processes": 1}, "the GPU was shared with 1 other process"),
        ({"other_processes": 3}, "the GPU was shared with 3 other processes"),
        ({"load": 0.06}, "other processes used 6 % of the machine's cores"),
        ({"load": 0.5}, "other processes used 50 % of the machine's cores"),
        ({"load": 0.997}, "other processes used 100 % of the machine's cores"),
        (
            {"throttle_before": ("power cap",), "throttle_after": ("thermal slowdown", "power cap")},
            "the GPU's clock was held down (power cap, thermal slowdown)",
        ),
    ],
)
def test_a_disturbed_measurement_warns(beside, warning):
    assert timed(10, **beside).warning == warning


def test_few_blocks_have_a_range_that_is_called_one():
    """In words and as a doubt; a single block has not even that."""
    few = timed(10, blocks=4, half_width=0.123)
    assert few.doubt == "4 blocks of runs (range ±12 %) give no interval"
    assert "(4 blocks of runs (range ±12 %): no interval)" in str(few)
    wide = timed(10, blocks=3, half_width=11.3)  # as beside other work
    assert wide.doubt == "3 blocks of runs (range ±1,100 %) give no interval"
    assert timed(10, blocks=1, half_width=None).doubt == "a single block of runs gives no interval"


def test_rows_of_a_machine_in_use_and_the_hosts_times_are_left_out():
    rows = pd.DataFrame(
        {
            "network": list("abcde"),
            "median_ms": 10.0,
            "load": [0.0, 0.06, None, None, 0.05],
            "other_processes": [None, None, 1, 0, 0],
            "launch_ms": [None, None, None, 9.0, 8.9],
        }
    )
    assert list(fs.records.undisturbed(rows)["network"]) == list("ade")
    assert list(fs.records.judging(rows)["network"]) == list("ae")
    unknown = rows[["network"]]
    assert fs.records.judging(unknown).equals(unknown)
    assert fs.records.judging(rows.iloc[:0]).empty


# Rows.

NETWORK = fs.network("ResNet-50")
SETTINGS = {"batch": 64, "mode": "training", "precision": "bf16", "channels_last": True, "compile": False}
MACHINE = {"device": "cuda:0", "device_name": "Some GPU", "threads": 8, "torch": "2.11", "library": "0.1.0"}


def test_a_failure_is_a_row_with_the_columns_of_a_measurement():
    measured = measured_row(NETWORK, replace(ONE, throttle_after=("power cap",)))
    error = MeasureError("ResNet-50: memory ran out; try batch=32", "out of memory")
    failed = failed_row(NETWORK, {**SETTINGS, "threads": 4, "seconds": 10, "device": "cuda"}, error, MACHINE)
    assert list(failed) == list(measured)
    assert json.loads(json.dumps([measured, failed])) == [measured, failed]
    assert (measured["reason"], measured["message"]) == (None, None)
    assert (failed["reason"], failed["message"]) == ("out of memory", "ResNet-50: memory ran out; try batch=32")
    assert (failed["network"], failed["resolution"], failed["mode"]) == ("ResNet-50", 224, "training")
    assert (failed["device"], failed["device_name"], failed["threads"]) == ("cuda:0", "Some GPU", 4)
    assert failed["median_ms"] is failed["images_per_s"] is failed["peak_memory_bytes"] is None


def test_the_network_that_was_run_is_rebuilt_from_its_row():
    error = MeasureError("stopped", "time limit")
    for row in (
        measured_row(NETWORK, replace(ONE, resolution=128)),
        failed_row(NETWORK, {**SETTINGS, "resolution": 128}, error, MACHINE),
    ):
        assert fs.Network.from_dict(row["description"]) == replace(NETWORK, resolution=128)
