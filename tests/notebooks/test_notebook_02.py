"""Group width: the notebook shows what the library counts, with any parameters."""

import pytest
from helpers.notebooks import named, tables, texts, verdicts
from helpers.played_notebooks import played

import fastscale_lib as fs
from fastscale_lib.analysis import HOLDS, UNTESTED
from fastscale_lib.reports import ParameterError

GROUPS = named("02_group_width")
ZOO, WAYS = ["RegNetX-400MF", "RegNetY-4.0GF", "RegNetZ-500MF"], ["w", "w1", "dWr", "d1_w8_r1"]


def test_the_tables_shown_are_the_library_s(executed):
    laws, block, grown, equal, alone, beside, _ = tables(executed(GROUPS))
    assert [row[-1] for row in laws[1:]] == [str(each) for each in fs.analysis.grouped_laws(WAYS)["flops, in groups"]]
    own = fs.analysis.last_block(ZOO[0], ["w", "w1"], 16)
    assert [float(row[-2]) for row in block[2:]] == own["flops, × base"].round(2).tolist()
    for shown, rows in ((grown, fs.sweep(ZOO, WAYS, 16)), (equal, fs.equal_flops(ZOO, WAYS, 16))):
        relative = fs.analysis.relative_to_base(rows, ZOO).round(2)
        place = shown[0].index("activations") - len(shown[0])
        assert [float(row[place]) for row in shown[2:]] == relative["activations"].tolist()
    assert len(alone) == 2 + 5 * len(ZOO)
    assert 2 < len(beside) < 2 + 6 * len(ZOO)


def test_of_powers_of_two_the_changed_networks_are_shown(executed):
    beside = fs.analysis.beside_powers_of_two(ZOO, ["w", "dWr"], [2, 4, 8])
    changed = beside[beside["multiples of 8"] != beside["powers of two"]]
    shown = tables(executed(GROUPS))[-2]
    assert [row[-2:] for row in shown[2:]] == [[f"{x:.2f}" for x in row] for row in changed.iloc[:, -2:].to_numpy()]
    assert fs.analysis.powers_of_two_text(beside, "RTX 4090") in texts(executed(GROUPS))


def test_all_claims_hold(executed):
    shown = verdicts(executed(GROUPS))
    assert len(shown) == 4 + 2 * 4
    assert set(shown["verdict"]) == {HOLDS}


# With other parameters


def test_one_network_without_groups_has_nothing_to_judge():
    parameters = {"networks": ["ResNet-50"], "strategies": ["w"], "points": 4, "scale": 2.0, "largest_scale": 4.0}
    shown = verdicts(played(GROUPS, parameters))
    assert shown["verdict"].tolist() == [UNTESTED]
    assert shown["details"].tolist() == ["no network with grouped convolutions"]


def test_compound_strategies_alone_will_do_under_any_of_their_names():
    """And however often they are named."""
    parameters = {"networks": ["regnetx-200mf", "RegNetX-200MF"], "points": 4, "scale": 8.0, "large_from": 1.0}
    parameters |= {"strategies": ["d1_w1_g1_r1", "d1_w1_r1", "alpha=0.50", "d1_w1_r1"], "depthwise": "efficientnetb1"}
    claims = verdicts(played(GROUPS, parameters)).index
    assert "flops under d1_w1_r1 over those under d1_w1_g1_r1, at s = 8" in claims
    assert "flops of grouped convolutions under alpha=0.5, large s" in claims
    assert claims.is_unique


def test_a_mistyped_strategy_ends_in_one_sentence():
    with pytest.raises(ParameterError, match=r"strategies: .*'x1' is not one; use one of d w r"):
        played(GROUPS, {"strategies": ["w", "x1"]})
