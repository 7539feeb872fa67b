"""Sentences on published and trained errors say what the tables say, and no more."""

import pandas as pd
import pytest

import fastscale_lib as fs


def gaps(**ends: tuple[float, float, float, float]) -> pd.DataFrame:
    """Smallest and largest gap of families, at equal flops and then at equal training time."""
    columns = pd.MultiIndex.from_product([["smallest gap", "largest gap"], ["flops", "training_ms_per_image"]])
    index = pd.MultiIndex.from_tuples([("the table", name) for name in ends], names=["table", "family"])
    return pd.DataFrame([(a, c, b, d) for a, b, c, d in ends.values()], index, columns)


@pytest.mark.parametrize(
    ("ends", "flops", "time", "misled"),
    [
        ((0.0, 2.0, -2.0, -1.0), 0, 1, True),
        ((0.0, 0.0, -2.0, -1.0), 0, 1, True),
        ((-1.0, 2.0, -2.0, -1.0), 0, 1, False),
        ((-1.0, 0.0, -2.0, -1.0), 0, 1, False),
        ((-2.0, -1.0, -2.0, -1.0), 1, 1, False),
        ((1.0, 2.0, -2.0, 0.0), 0, 0, False),
    ],
)
def test_only_who_is_never_ahead_at_equal_flops_turns(ends, flops, time, misled):
    text = fs.analysis.gaps_text(gaps(RegNetX=ends), "EfficientNet")
    assert f"At equal flops, {flops} of 1 family {'is' if flops else 'are'} ahead of EfficientNet throughout; " in text
    assert f"at equal training time, {time} of 1 family." in text
    assert text.endswith(" RegNetX (the table) is ahead at equal time alone: flops mislead.") == misled


def test_without_another_family_none_is_compared():
    none = gaps(RegNetX=(1.0, 2.0, 1.0, 2.0)).iloc[:0]
    assert fs.analysis.gaps_text(none, "ViT") == "There is no family to hold beside ViT."


@pytest.mark.parametrize(
    ("errors", "ending"),
    [
        ({"dWr": 2.0, "dwr": 1.5, "w": 1.0}, "of A 2.0 % by dWr beside 1.5 % by dwr and 1.0 % by w."),
        ({"dWr": 2.0}, "of A 2.0 % by dWr."),
        ({"dWr": 2.0, "dwr": None, "w": 3.0}, "of A 2.0 % by dWr beside 3.0 % by w."),
        ({"dwr": 2.0}, "None of these tables has a network scaled by dWr."),
    ],
)
def test_errors_under_fast_scaling_are_told_beside_what_there_is(errors, ending):
    assert fs.analysis.one_base_text(pd.DataFrame(errors, index=["A"])).endswith(ending)


def test_errors_over_seeds_are_shown_at_the_scales_that_are_judged():
    errors = pd.DataFrame({"base": "A", "strategy": [None, "w", "w", "w"], "scale": [1.0, 2.4, 2.6, 4.0], "seeds": 3})
    errors = errors.assign(error=9.0, low=8.0, high=10.0, flops=1e6, training_ms_per_image=1.0)
    assert list(fs.analysis.seeds_shown(errors, [2.5]).index) == ["A", "A w ×2.4", "A w ×2.6"]
    assert list(fs.analysis.seeds_shown(errors, [2.0, 4.0]).index) == ["A", "A w ×4"]


def test_without_errors_nothing_is_published():
    ways = fs.analysis.errors_of_one_base(fs.records.published_errors().iloc[:0])
    assert fs.analysis.one_base_text(ways).startswith("Nothing is published.")
