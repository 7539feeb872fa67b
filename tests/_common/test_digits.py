"""Numbers by significant digits: no time is rounded away, and none is shown as more exact than it is read."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscale_lib._common.digits import significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0851192, "0.0851"),
        (0.2, "0.200"),
        (9.996, "10.0"),
        (12.34, "12.3"),
        (999.6, "1,000"),
        (3923.129, "3,923"),
        (1e-5, "0.0000100"),
        (0, "0"),
        (-0.25, "-0.250"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_three_digits_and_all_of_the_whole_part(value, text):
    assert significant(value) == text


def test_more_digits_for_who_asks():
    assert significant(0.0851192, 5) == "0.085119"


@given(st.floats(1e-6, 1e9))
def test_what_is_shown_is_within_half_a_percent(value):
    assert float(significant(value).replace(",", "")) == pytest.approx(value, rel=0.0051)
