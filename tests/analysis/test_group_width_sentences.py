"""Sentences on group width say what the tables say, for any networks and strategies."""

import pandas as pd
import pytest

import fastscale_lib as fs
from fastscale_lib.analysis import group_width_text, powers_of_two_text, shares_text

ZOO = ["RegNetX-400MF", "RegNetZ-500MF"]


@pytest.fixture(scope="module")
def grown():
    return fs.analysis.relative_to_base(fs.sweep(ZOO, ["w", "w1", "dWr", "d1_w8_r1"], 4), ZOO)


def test_what_a_kept_group_width_does_is_told(grown):
    flops = grown["flops"].unstack()
    ends = sorted(flops["w1"] / flops["w"])
    text = group_width_text(grown, ["w", "w1"], "At s = 4")
    assert text.startswith(
        f"At s = 4, networks whose group width stays (w1) have {ends[0]:.2f} to {ends[1]:.2f} times the flops, "
    )
    both = group_width_text(grown, ["w", "w1", "dWr", "d1_w8_r1"], "At s = 4")
    assert both.startswith(f"{text} At s = 4, networks whose group width stays (d1_w8_r1) have ")


def test_without_a_pair_of_strategies_the_text_says_so(grown):
    assert "No two of these strategies" in group_width_text(grown, ["w", "dWr"], "At s = 4")


def test_shares_of_a_kind_are_told():
    flops = fs.analysis.flops_by_kind_scaled(["EfficientNet-B0"], ["w"], 4)
    shares = 100 * flops["conv depthwise"] / flops.sum(axis=1)
    told = [f"{share:.0f}" for share in shares]
    assert f"have {told[0]} %; of the scaled networks', {told[1]} % under w." in shares_text(flops, "conv depthwise")
    assert shares_text(flops, "conv in groups").startswith("None of these networks")


def test_powers_of_two_are_told_where_they_differ():
    frame = pd.DataFrame({"multiples of 8": [24, 32], "powers of two": [32, 32], "activations": [1.04, 1.0]})
    frame["ms, channels last"] = [0.734, 1.0]
    assert powers_of_two_text(frame, "RTX 4090") == (
        "The two rules give other group widths for 1 of 2 networks. In powers of two these have 1.04 times the "
        "activations at the same flops, and on the RTX 4090 are predicted to take 0.73 times as long with channels "
        "last."
    )
    assert "nothing changes" in powers_of_two_text(frame.iloc[1:], "RTX 4090")
    assert powers_of_two_text(frame.iloc[:0], "RTX 4090") == "None of these networks has a group width to round."
