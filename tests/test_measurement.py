"""Two measurements compared: what their intervals allow to be said, and nothing more."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib.measurement import Measurement, SettingError, median_interval

ONE = Measurement(
    *("ResNet-50", 224, 64, "inference", "fp32", True, False, "cuda:0", "Some GPU"),
    **{"median_ms": 10.0, "low_ms": 9.9, "high_ms": 10.1, "q1_ms": 9.8, "q3_ms": 10.2, "half_width": 0.01},
    **{"converged": True, "runs": 100, "blocks": 20, "images_per_s": 6400.0, "peak_memory_bytes": 1, "threads": 8},
    **{"tf32": False, "cudnn_benchmark": True, "torch": "2.11", "cuda": "13", "cudnn": "9", "driver": "580"},
    **{"library": "0.1.0", "date": "2026-11-23T12:00:00+00:00"},
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
    assert fs.compare(a, b).verdict == verdict


def test_the_margin_is_the_callers():
    a, b = timed(10, 0.001), timed(10.15, 0.001)
    assert fs.compare(a, b, same=0.001).verdict == "faster"
    assert fs.compare(a, b, same=0).verdict == "faster"


def test_different_batches_compare_by_the_image_and_are_named():
    said = fs.compare(timed(10), timed(30, batch=128, precision="bf16"))
    assert said.ratio == pytest.approx(2 / 3)
    assert said.differs == ("batch", "precision")
    assert str(said) == ("faster: 0.667 times as long an image (0.657 to 0.676); they differ in batch, precision")


@given(*[st.floats(0.1, 1e4)] * 2, *[st.floats(0, 1)] * 2)
def test_swapped_it_says_the_opposite(a, b, one, two):
    there = fs.compare(timed(a, one), timed(b, two))
    back = fs.compare(timed(b, two), timed(a, one))
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
        said = fs.compare(*pair)
        covered += said.low <= ratio <= said.high
    assert 0.93 <= covered / 2000 <= 0.985


@pytest.mark.parametrize("same", [-0.1, "x", None, float("nan"), True])
def test_a_wrong_margin_is_refused(same):
    with pytest.raises(SettingError, match=r"^same is .*, but must be a number of at least 0"):
        fs.compare(ONE, ONE, same=same)
