"""Widths and group widths that fit: pycls's own rule, restated here on its own, and the nearest where it has none."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib._common.integers import first_within
from fastscale_lib.architectures.group_fit import fit

SIMPLE = (1, 2, 3, 4, 6, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6, 1 / 7, 1 / 49)
ODD = (0.75, 0.6, 0.3, 1.5, 2.5, 1.1, 3.3, 7.77)
WIDTHS, GROUPS = st.integers(1, 200).map(lambda k: 8 * k), st.sampled_from([1, 2, 4, 8, 16, 24, 40, 64, 112, 232])


def pycls_fit(width: int, b: float, group_width: int) -> tuple[int, int] | None:
    """What pycls's `adjust_block_compatibility` says of one stage; None where one of its assertions refuses it."""
    if b > 1 and b % 1:
        return None
    inner = int(max(1, width * b))
    group_width = min(group_width, inner)
    step = math.lcm(group_width, int(b)) if b > 1 else group_width
    inner = max(step, int(round(inner / step) * step))
    width = int(inner / b)
    return None if width * b % group_width else (width, group_width)


def pycls_scale(base: fs.Network, factors: tuple[float, ...]) -> list[tuple | None]:
    """Depth, width and group width of each stage, as pycls's `scale_model` makes them; group widths stay for g = 1."""
    d, w, g, _ = factors
    scaled = []
    for stage in base.stages:
        group = max(1, round(stage.group_width * g))
        group = group if group <= 2 or g == 1 else 4 if group <= 5 else round(group / 8) * 8
        fitted = pycls_fit(max(1, round(stage.width * w / 8)) * 8, stage.bottleneck, group)
        scaled.append(fitted and (max(1, round(stage.depth * d)), *fitted))
    return scaled


@st.composite
def pycls_anynets(draw) -> fs.Network:
    """An AnyNet whose stages pycls leaves as they are, where it scales nothing."""
    stages = []
    for _ in range(draw(st.integers(1, 4))):
        b = draw(st.sampled_from(SIMPLE + ODD))
        width, group_width = draw(WIDTHS), draw(GROUPS)
        fitted = pycls_fit(width, b, group_width) or fit(width, b, group_width)
        stages.append((draw(st.integers(1, 9)), b, *fitted))
    depths, bottlenecks, widths, groups = zip(*stages, strict=True)
    return fs.anynet(depths=depths, widths=widths, bottlenecks=bottlenecks, group_widths=groups)


@given(pycls_anynets(), st.sampled_from(["w1", "w1_g1", "d1_w1", "d1_w1_g1_r1", "d1_w8_g8_r1"]), st.floats(0.05, 64))
@settings(max_examples=400)
def test_anynets_scale_as_in_pycls_whatever_the_bottleneck(base, way, s):
    assume(s != 1)
    exponents = fs.strategy(way).exponents
    scaled = fs.scale(base, way, s)
    expected = pycls_scale(base, tuple(s ** float(e) for e in exponents))
    for found, asked in zip(scaled.stages, expected, strict=True):
        if asked:
            assert (found.depth, found.width, found.group_width) == asked


def test_a_third_and_a_fifth_are_rounded_as_in_pycls():
    def scaled(b, width, s):
        return fs.scale(fs.anynet(depths=[1], widths=[width], bottlenecks=b, group_widths=1), "w1", s).widths

    assert scaled(1 / 3, 48, 2) == (63,)  # asked are 67.9, by eights 64, whose inner width is 21
    assert scaled(1 / 5, 40, 2) == (55,)


@given(WIDTHS, st.sampled_from(SIMPLE), GROUPS)
@settings(max_examples=400)
def test_each_stage_that_pycls_takes_fits_as_there(width, b, group_width):
    expected = pycls_fit(width, b, group_width)
    assume(expected)
    assert fit(width, b, group_width) == expected


@given(st.integers(1, 600), st.sampled_from(ODD[3:]) | st.floats(1.01, 9), st.integers(1, 64))
@settings(max_examples=300)
@example(600, 3.3, 46)
@example(8000, 1.6001, 8)
def test_for_a_bottleneck_such_as_1_5_the_nearest_width_that_fits(width, b, group_width):
    group_width = min(group_width, round(width * b))
    assume(b % 1)

    def fits(each):
        return each > 0 and round(each * b) % group_width == 0

    near, _ = fit(width, b, group_width)
    assert fits(near)
    assert not any(fits(width - step) or fits(width + step) for step in range(abs(near - width)))


@given(st.lists(st.tuples(WIDTHS, GROUPS), min_size=1, max_size=20), st.sampled_from(SIMPLE + ODD))
def test_arrays_fit_as_their_numbers_do(sizes, b):
    widths, groups = map(np.array, zip(*sizes, strict=True))
    fitted = np.transpose([np.broadcast_to(each, len(sizes)) for each in fit(widths, b, groups)])
    assert fitted.tolist() == [list(fit(*size)) for size in ((w, b, g) for w, g in sizes)]


@pytest.mark.parametrize("width", [100_000_007, 10**9 + 7, 10**15 + 7])
def test_a_huge_group_width_is_computed_and_not_tried_out(width):
    near, group_width = fit(width, 1.5, 4 * (width // 10) + 3)
    assert round(near * 1.5) % group_width == 0


@given(st.data(), st.integers(1, 60), st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=500)
def test_the_first_in_a_range_of_remainders(data, modulus, start, step):
    low, high = sorted(data.draw(st.tuples(*[st.integers(0, modulus - 1)] * 2)))
    tried = (n for n in range(modulus) if low <= (start + n * step) % modulus <= high)
    assert first_within(start, step, modulus, low, high) == next(tried, None)
