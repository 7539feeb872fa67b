"""Group width: what the notebook tells is what the library counts."""

from ast import literal_eval

import papermill
import pytest
from helpers.notebooks import named, numbers, tables, verdicts

import fastscale_lib as fs
from fastscale_lib.analysis.claims import HOLDS, UNTESTED

GROUPS = named("02_group_width")
DEFAULTS = {
    name: literal_eval(parameter["default"]) for name, parameter in papermill.inspect_notebook(str(GROUPS)).items()
}


def test_the_laws_shown_are_those_of_grouped_convolutions(executed):
    """k²·g·w·r² for d of them: s to the power d + g + w + 2r."""
    header, *rows = tables(executed(GROUPS))[0]
    shown = {row[0]: row[header.index("flops, in groups")] for row in rows}
    for name in DEFAULTS["strategies"]:
        e = fs.strategy(name).exponents
        assert shown[name] == str(e.d + e.g + e.w + 2 * e.r)


def test_the_block_shown_follows_its_laws(executed):
    header, *rows = tables(executed(GROUPS))[1]
    assert header[-2:] == ["flops, × base", "activations, × base"]
    scale = DEFAULTS["scale"]
    grown = [(float(row[-2]), float(row[-1])) for row in rows[-6:]]
    assert grown == [(scale, scale**0.5)] * 4 + [(scale**0.5, scale**0.5), (scale, scale**0.5)]


@pytest.mark.parametrize("network", DEFAULTS["networks"])
def test_verdicts_are_what_the_library_counts(network, executed):
    shown = verdicts(executed(GROUPS))
    assert set(shown["verdict"]) == {HOLDS}
    for name in DEFAULTS["strategies"]:
        low, high = (fs.architectures.flops_by_kind(fs.scale(network, name, s)) for s in (1e3, 1e6))
        law = float(shown.loc[f"flops of grouped convolutions under {name}, large s", "paper"])
        grown = high["conv in groups"] / low["conv in groups"]
        assert grown == pytest.approx(1e3**law, rel=0.15)

    follows, stays = (fs.complexity(fs.scale(network, name, DEFAULTS["scale"])) for name in ("w", "w1"))
    found = shown.loc["flops under w1 over those under w, at s = 16", "found"]
    assert stays.flops / follows.flops <= float(found) + 0.0005  # the worst of the networks is shown
    assert stays.activations == follows.activations
    target = DEFAULTS["scale"] * fs.complexity(network).flops
    follows, stays = (fs.complexity(fs.scale_to(network, name, flops=target)) for name in ("w", "w1"))
    found = shown.loc["activations under w1 over those under w, at 16 times the flops", "found"]
    assert stays.activations / follows.activations >= float(found) - 0.0005


# What the tables show


def test_flops_fall_short_where_the_group_width_stays():
    flops = fs.sweep(DEFAULTS["networks"], ["w", "w1"], 16).pivot(index="network", columns="strategy", values="flops")
    assert all(flops.loc[name, "w"] > 0.9 * 16 * fs.complexity(name).flops for name in DEFAULTS["networks"])
    reached = flops["w1"] / flops["w"]
    assert reached["RegNetY-4.0GF"] == reached.min() == pytest.approx(2 / 3, abs=0.01)
    assert reached["RegNetZ-500MF"] == reached.max() == pytest.approx(0.9, abs=0.01)
    kinds = {name: fs.architectures.flops_by_kind(name) for name in DEFAULTS["networks"]}
    shares = {name: flops["conv in groups"] / sum(flops.values()) for name, flops in kinds.items()}
    assert sorted(shares, key=shares.get) == reached.sort_values(ascending=False).index.tolist()


def test_at_equal_flops_activations_are_more_where_it_stays(executed):
    _, _, _, equal, *_ = tables(executed(GROUPS))
    place = equal[0].index("activations") - len(equal[0])
    more = [one / two for one, two in zip(numbers(equal, place, "w1"), numbers(equal, place, "w"), strict=True)]
    assert more[DEFAULTS["networks"].index("RegNetY-4.0GF")] == max(more) == pytest.approx(1.25, abs=0.01)


def test_shares_of_flops_are_kept_where_it_follows():
    for name in DEFAULTS["networks"]:
        share = {}
        for way in (None, *DEFAULTS["strategies"]):
            flops = fs.architectures.flops_by_kind(fs.scale(name, way, 16) if way else name)
            share[way] = flops["conv in groups"] / sum(flops.values())
        assert share["w"] == pytest.approx(share[None], abs=0.05)
        assert share["dWr"] == pytest.approx(share[None], abs=0.05)
        assert max(share["w1"], share["d1_w8_r1"]) < 0.6 * share[None]


def test_group_width_alone_ends_dense_and_depthwise_has_none():
    for s in (16, 64):
        dense = fs.scale("RegNetY-4.0GF", "g1", s)
        assert dense.group_widths == dense.widths
        assert fs.complexity(dense).activations == pytest.approx(fs.complexity("RegNetY-4.0GF").activations, rel=0.05)
    for name, other in (("w", "w1"), ("dWr", "d1_w8_r1")):
        one, two = (fs.scale(DEFAULTS["depthwise"], way, 16).dimensions for way in (name, other))
        assert one == two


# With other parameters


def test_one_network_without_groups_has_nothing_to_judge(tmp_path):
    parameters = {"networks": ["ResNet-50"], "strategies": ["w"], "points": 4, "scale": 2.0, "largest_scale": 4.0}
    notebook = papermill.execute_notebook(GROUPS, tmp_path / "out.ipynb", parameters, progress_bar=False)
    shown = verdicts(notebook)
    assert shown["verdict"].tolist() == [UNTESTED]
    assert shown["details"].tolist() == ["no network with grouped convolutions"]


def test_compound_strategies_alone_will_do_under_any_of_their_names_and_however_often(tmp_path):
    parameters = {"networks": ["regnetx-200mf", "RegNetX-200MF"], "points": 4, "scale": 8.0, "large_from": 1.0}
    parameters |= {"strategies": ["d1_w1_g1_r1", "d1_w1_r1", "alpha=0.50", "d1_w1_r1"], "depthwise": "efficientnetb1"}
    notebook = papermill.execute_notebook(GROUPS, tmp_path / "out.ipynb", parameters, progress_bar=False)
    claims = verdicts(notebook).index
    assert "flops under d1_w1_r1 over those under d1_w1_g1_r1, at s = 8" in claims
    assert "flops of grouped convolutions under alpha=0.5, large s" in claims
    assert claims.is_unique


def test_a_mistyped_strategy_ends_in_one_sentence(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError) as error:
        papermill.execute_notebook(GROUPS, tmp_path / "out.ipynb", {"strategies": ["w", "x1"]}, progress_bar=False)
    assert error.value.ename == "ParameterError"
    assert error.value.evalue.startswith("strategies: ")
    assert "'x1' is not one; use one of d w r" in error.value.evalue
