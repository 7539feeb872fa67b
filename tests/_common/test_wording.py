"""Words of sentences: lists, spans and numbers of things."""

import pytest

from fastscale_lib._common.wording import counted, listed, span


@pytest.mark.parametrize(("texts", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), ("abc", "a, b and c")])
def test_texts_are_listed(texts, said):
    assert listed(texts) == said


def test_a_span_of_numbers_that_are_written_alike_is_one_number():
    assert span([0.25, 1.07, 0.8]) == "0.25 to 1.07"
    assert span([0.251, 0.249]) == "0.25"
    assert span([3, 1.2], ".0f") == "1 to 3"


def test_things_are_counted():
    assert [counted(n, "setting") for n in (0, 1, 1200)] == ["0 settings", "1 setting", "1,200 settings"]
