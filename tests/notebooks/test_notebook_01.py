"""Complexity of scaled networks: the notebook shows what the library counts, with any parameters."""

import re
import shlex

import pytest
from helpers.notebooks import REPO, named, shell, stored, tables, verdicts
from helpers.played_notebooks import played

import fastscale_lib as fs
from fastscale_lib.analysis import FAILS, HOLDS, UNTESTED
from fastscale_lib.reports import ParameterError

COUNTING = named("01_complexity_of_scaled_networks")
WAYS = ["w", "dWr", "dw", "dwr", "d", "r", "dr", "wr"]


def test_the_laws_shown_are_those_of_the_strategies(executed):
    _, strategies, family, *_ = tables(executed(COUNTING))
    rows = {name: row for name, *row in [*strategies[1:], *family[1:]]}
    laws = fs.analysis.law_table(fs.scaling.STRATEGIES).drop(columns="flops").T
    assert {name: rows[name] for name in laws} == {name: [str(each) for each in laws[name]] for name in laws}
    for alpha, name in {"0": "dr", "1/3": "dwr", "4/5": "dWr", "1": "w"}.items():
        assert rows[f"α = {alpha}"] == rows[name]


def test_the_24_laws_hold_for_large_s_and_their_order_in_practice(executed):
    shown = verdicts(executed(COUNTING))
    large = shown.filter(like="for large s", axis="index")["verdict"]
    assert (len(large), set(large)) == (3 * len(WAYS), {HOLDS})
    at_equal = shown.filter(regex="^activations under .* at 16× flops", axis="index")["verdict"]
    expected = {"d": FAILS, "w": HOLDS, "r": HOLDS, "dw": FAILS, "dr": FAILS, "wr": HOLDS, "dwr": FAILS, "dWr": HOLDS}
    assert at_equal.tolist() == [expected[way] for way in WAYS]
    order = shown.loc["pairs of strategies in another order than the laws', at 16× flops"]
    assert order[["found", "details", "verdict"]].tolist() == ["0.000", "72 pairs", HOLDS]


def test_the_scorecard_is_made_from_the_fits_and_counts_shown(executed):
    """Three digits of each: of the networks, the one farthest off."""
    shown = verdicts(executed(COUNTING))
    [equal] = [rows for rows in tables(executed(COUNTING)) if rows[0][1] == "law"]
    [off] = [rows for rows in tables(executed(COUNTING)) if "s from 1 to 64" in rows[0]]
    exponents, distances = ({row[0]: row[1:] for row in rows} for rows in (equal, off))
    for name in WAYS:
        row = shown.loc[f"activations under {name}, at 16× flops"]
        assert row["found"] in exponents[name]
        for place, metric in enumerate(("flops", "params", "activations"), 3):  # the large scale factors
            row = shown.loc[f"{metric} under {name}, for large s"]
            distance = abs(float(row["found"]) - float(row["paper"]))
            assert distance == pytest.approx(float(distances[name][place]), abs=0.0011)


def test_a_classifier_is_a_large_part_of_a_small_network():
    layers = fs.layers("EfficientNet-B0")
    assert layers.query("kind == 'linear'")["params"].sum() / layers["params"].sum() == pytest.approx(0.25, abs=0.02)


# With other parameters


def test_the_lines_of_the_readme_give_a_notebook_and_a_page(tmp_path):
    """Word for word, in another folder than the repository; this environment stands for the `pip install`."""
    section = (REPO / "README.md").read_text("utf-8").split("\n## In CI\n")[1]
    install, *lines = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0].splitlines()
    assert install.startswith("pip install")
    (tmp_path / "notebooks").symlink_to(REPO / "notebooks")
    shell("\n".join(lines), tmp_path)

    asked = ["RegNetX-400MF", "ResNet-50"]
    notebook = stored(tmp_path / "complexity.ipynb")
    assert notebook.metadata.papermill.parameters == {"networks": asked}
    assert [name for name, *_ in tables(notebook)[0][2:]] == asked
    shown = verdicts(notebook)
    assert set(shown["evidence"]) == {"counted"}
    assert set(shown["details"]) == {*asked, "48 pairs"}

    page = (tmp_path / "complexity.html").read_text("utf-8")
    assert "Plotly.newPlot" in page
    assert "RegNetX-400MF" in page


def test_one_network_and_one_strategy_will_do(tmp_path):
    """And a notebook is small where figures are kept as data alone."""
    parameters = '-y "{networks: [ResNet-50], strategies: [dWr]}" -p scale 8 -p points 8'
    shell(f"PLOTLY_RENDERER=plotly_mimetype papermill {shlex.quote(str(COUNTING))} one.ipynb {parameters}", tmp_path)
    assert (tmp_path / "one.ipynb").stat().st_size < 200_000
    shown = verdicts(stored(tmp_path / "one.ipynb"))
    assert shown["verdict"].to_dict() == {
        "flops under dWr, for large s": HOLDS,
        "params under dWr, for large s": HOLDS,
        "activations under dWr, for large s": HOLDS,
        "activations under dWr, at 8× flops": HOLDS,
        "pairs of strategies in another order than the laws', at 8× flops": UNTESTED,  # there is no pair
    }


def test_without_tolerance_no_law_holds_but_their_order_does():
    """Verdicts come from the counts and the tolerances; here for networks of a quarter of the flops."""
    parameters = {"networks": ["RegNetX-400MF"], "strategies": ["w", "dwr"], "points": 8, "scale": 0.25}
    parameters |= {"tolerance": 0.0, "tolerance_in_practice": 0.0, "large_from": 10_000, "large_to": 100_000}
    shown = verdicts(played(COUNTING, parameters))["verdict"]
    assert shown.filter(like=" under ").tolist() == [FAILS] * 8
    assert shown["pairs of strategies in another order than the laws', at 0.25× flops"] == HOLDS


def test_a_mistyped_network_ends_in_the_library_s_sentence():
    with pytest.raises(ParameterError) as error:
        played(COUNTING, {"networks": ["ResNet-5O"]})
    with pytest.raises(fs.architectures.NetworkError) as sentence:
        fs.network("ResNet-5O")
    assert str(error.value).endswith(str(sentence.value).removeprefix("network: "))
    assert "ResNet-50" in str(error.value)
