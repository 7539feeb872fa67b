"""One rule for numbers, and quotes that stay short whatever is quoted."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from helpers.waiting import stopped_where_it_hangs
from hypothesis import given
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib._common.checks import check_real, check_whole, real_number, shown, whole_number
from fastscale_lib.measuring.plans import Plan
from fastscale_lib.measuring.settings import Settings


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)], ids=repr)
def test_a_whole_number_is_pythons_or_numpys(value):
    assert whole_number(value) == 3
    assert type(whole_number(value)) is int
    assert real_number(value) == 3.0


@pytest.mark.parametrize("value", [True, np.True_, 3.0, "3", None, math.nan, [3], 3j, b"3"], ids=repr)
def test_nothing_else_is_a_whole_number(value):
    assert whole_number(value) is None


@pytest.mark.parametrize(
    "value", [0.5, np.float32(0.5), np.float64(0.5), Fraction(1, 2), Decimal("0.5"), np.array(0.5)], ids=repr
)
def test_a_real_number_is_pythons_or_numpys(value):
    assert real_number(value) == 0.5
    assert type(real_number(value)) is float


@pytest.mark.parametrize(
    "value",
    [True, np.True_, "0.5", None, math.nan, math.inf, 1j, [0.5], np.array([0.5]), 10**400, Decimal("1e400")],
    ids=shown,
)
def test_nothing_else_is_a_real_number(value):
    assert real_number(value) is None


def test_bounds_belong_to_the_range_but_for_above():
    assert [whole_number(n, 2, 4) for n in range(1, 6)] == [None, 2, 3, 4, None]
    assert [real_number(x, 0, 1) for x in (-0.1, 0, 1, 1.1)] == [None, 0, 1, None]
    assert real_number(0, 0, above=True) is None


def test_a_refusal_names_the_value_the_rule_and_the_remedy():
    with pytest.raises(ValueError, match=r"^batch is 0, but must be a whole number of at least 1; try batch=64$"):
        check_whole("batch", 0, ValueError, remedy="; try batch=64")
    with pytest.raises(ValueError, match=r"^depth is 11, but must be a whole number from 1 to 10$"):
        check_whole("depth", 11, ValueError, most=10)
    with pytest.raises(
        ValueError, match=r"^depth is a number of about 401 digits, .* whole number of at most 308 digits$"
    ):
        check_whole("depth", 10**400, ValueError)
    with pytest.raises(ValueError, match=r"^lr is 0, but must be a number above 0$"):
        check_real("lr", 0, ValueError, least=0, above=True)
    with pytest.raises(ValueError, match=r"^mixup is nan, but must be a number from 0 to 1$"):
        check_real("mixup", math.nan, ValueError, 0, 1)


class Hostile:
    """A value whose every answer is an error."""

    def __repr__(self):
        raise RuntimeError

    __index__ = __float__ = __repr__


def nested(levels: int) -> list:
    """A list of 9 lists of 9 lists ...: its repr would have 9 to the power of the levels."""
    value = [1]
    for _ in range(levels):
        value = [value] * 9
    return value


@pytest.mark.parametrize(
    "value",
    ["x" * 10**7, 10**10_000, nested(30), {f"key {i}": "v" * 99 for i in range(999)}, b"\0" * 10**7, Hostile()],
    ids=["text", "int", "nested", "dict", "bytes", "hostile"],
)
def test_a_quote_is_short_whatever_is_quoted(value):
    with stopped_where_it_hangs():
        text = shown(value)
    assert len(text) < 80
    assert "\n" not in text
    assert whole_number(value, most=1) is None
    assert real_number(value, most=1) is None


@given(st.integers(-(10**40), 10**40) | st.floats() | st.text(max_size=5) | st.booleans() | st.none())
def test_what_is_short_is_quoted_as_python_writes_it(value):
    assert shown(value) == repr(value)


def test_an_array_is_quoted_on_one_line():
    assert shown(np.zeros((2, 2))) == "array([[0., 0.],        [0., 0.]])"


TINY = fs.anynet(depths=[1], widths=[8], resolution=32, stem_width=8, classes=10)
WHOLE = {
    "batch": lambda n: Settings(batch=n),
    "height": lambda n: Plan(TINY, resolution=(n, 16)),
    "epochs": lambda n: fs.Recipe(epochs=n),
    "depth": lambda n: fs.anynet(depths=[n], widths=[8]),
    "regnet": lambda n: fs.regnet(depth=n, w0=24, wa=36.44, wm=2.49, group_width=8, name="x"),
}
REAL = {
    "seconds": lambda x: Settings(seconds=x),
    "scale": lambda x: fs.scale(TINY, "dWr", x),
    "target": lambda x: fs.scale_to(TINY, "w", flops=x * 1e7),
    "alpha": lambda x: fs.strategy(alpha=x),
    "lr": lambda x: fs.Recipe(lr=x),
    "bottleneck": lambda x: fs.anynet(depths=[1], widths=[8], bottlenecks=x),
}


@pytest.mark.parametrize("take", WHOLE.values(), ids=list(WHOLE))
def test_every_room_takes_the_same_whole_numbers(take):
    assert take(np.int64(13)) == take(np.array(13)) == take(13)
    for wrong in (True, np.True_, "13", 13.0, None, 10**400, [13] * 10**6):
        with pytest.raises(ValueError, match=r" is .*, but must be a whole number") as refused:
            take(wrong)
        assert len(str(refused.value)) < 300


@pytest.mark.parametrize("take", REAL.values(), ids=list(REAL))
def test_every_room_takes_the_same_real_numbers(take):
    assert take(np.float32(0.5)) == take(Fraction(1, 2)) == take(np.array(0.5)) == take(0.5)
    assert take(np.int64(1)) == take(1)


@pytest.mark.parametrize("take", [take for name, take in REAL.items() if name != "target"])
def test_every_room_refuses_what_is_no_real_number(take):
    for wrong in (True, np.True_, math.nan, 10**400, 1j):
        with pytest.raises(ValueError, match=r" is .*, but must be a .*number") as refused:
            take(wrong)
        assert len(str(refused.value)) < 300
