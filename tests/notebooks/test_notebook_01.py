"""Complexity of scaled networks: what the notebook tells is what the library counts."""

import re
import shlex
from ast import literal_eval

import numpy as np
import pandas as pd
import papermill
import pytest
from helpers.notebooks import REPO, named, numbers, prose, shell, stored, tables, verdicts

import fastscale_lib as fs
from fastscale_lib.analysis.claims import FAILS, HOLDS, UNTESTED

COUNTING = named("01_complexity_of_scaled_networks")


# Fast and Accurate Model Scaling, section 3: exponents of depth, width, resolution; of flops, params, activations.
PAPER = {
    "d": "1 0 0 1 1 1",
    "w": "0 1/2 0 1 1 1/2",
    "r": "0 0 1/2 1 0 1",
    "dw": "1/2 1/4 0 1 1 3/4",
    "dr": "1/2 0 1/4 1 1/2 1",
    "wr": "0 1/4 1/4 1 1/2 3/4",
    "dwr": "1/3 1/6 1/6 1 2/3 5/6",
    "dWr": "1/10 2/5 1/20 1 9/10 3/5",
}


def test_the_laws_shown_are_the_paper_s(executed):
    _, named, family, *_ = tables(executed(COUNTING))
    group_width = named[0].index("group width")
    for name, *row in named[1:]:
        assert row.pop(group_width - 1) == row[1], "group width follows the width"
        assert " ".join(row) == PAPER[name]
    assert [name for name, *_ in named[1:]] == list(PAPER)
    rows = {name: row for name, *row in [*named[1:], *family[1:]]}
    for alpha, name in {"0": "dr", "1/3": "dwr", "4/5": "dWr", "1": "w"}.items():
        assert rows[f"α = {alpha}"] == rows[name]


DEFAULTS = {
    name: literal_eval(parameter["default"]) for name, parameter in papermill.inspect_notebook(str(COUNTING)).items()
}


def judged(paper: float, found: list[float], tolerance: float) -> list[str]:
    """What a row of claims shows: of what was found, the farthest off is judged."""
    farthest = max(found, key=lambda each: abs(each - paper))
    verdict = HOLDS if abs(farthest - paper) <= tolerance else FAILS
    return [*(f"{float(each):.3f}" for each in (paper, farthest, tolerance)), verdict]


@pytest.mark.parametrize("name", DEFAULTS["strategies"])
def test_verdicts_are_what_the_library_counts(name, executed):
    shown = verdicts(executed(COUNTING))[["paper", "found", "tolerance", "verdict"]]
    laws = fs.strategy(name).laws
    scales = np.geomspace(DEFAULTS["large_from"], DEFAULTS["large_to"], DEFAULTS["points"])
    fits = pd.concat([fs.scaling.fit_exponents(network, name, scales) for network in DEFAULTS["networks"]])
    for metric, law in laws._asdict().items():
        found = fits[fits.metric == metric]["fitted"].tolist()
        assert shown.loc[f"{metric} under {name}, for large s"].tolist() == judged(law, found, DEFAULTS["tolerance"])

    found = []
    for network in DEFAULTS["networks"]:
        base = fs.complexity(network)
        scaled = fs.complexity(fs.scale_to(network, name, flops=base.flops * DEFAULTS["scale"]))
        found.append(np.log(scaled.activations / base.activations) / np.log(scaled.flops / base.flops))
    row = shown.loc[f"activations under {name}, at {DEFAULTS['scale']:g}× flops"]
    assert row.tolist() == judged(laws.activations, found, DEFAULTS["tolerance_in_practice"])


# The figures in the prose, each beside what it is read from


def test_the_text_on_curves():
    assert "its classifier holds a quarter of its params" in prose(COUNTING)
    layers = fs.layers("EfficientNet-B0")
    assert layers.query("kind == 'linear'")["params"].sum() / layers["params"].sum() == pytest.approx(0.25, abs=0.02)

    text = "with about 1.5 times its activations at *s* = 64; *dw* has more than 2 times, and *dwr* more than 3 times"
    assert text in prose(COUNTING)
    frame = fs.sweep(DEFAULTS["networks"], ["w", "dWr", "dw", "dwr"], 64)
    activations = frame.pivot(index="strategy", columns="network", values="activations")
    beside_w = activations / activations.loc["w"]
    assert beside_w.loc["dWr"].between(1.4, 1.6).all()
    assert beside_w.loc["dw"].between(2, 2.5).all()
    assert beside_w.loc["dwr"].between(3, 3.5).all()
    assert "Their counted flops are not the same there: 0.9 to 1.2 times those of *w*, by rounding" in prose(COUNTING)
    flops = frame.pivot(index="strategy", columns="network", values="flops")
    beside_w = flops / flops.loc["w"]
    assert (round(beside_w.min(axis=None), 1), round(beside_w.max(axis=None), 1)) == (0.9, 1.2)


def test_the_text_on_equal_flops(executed):
    assert "*w* has about 4 times the activations, *dWr* about 5, and *dwr* more than 8" in prose(COUNTING)
    equal = tables(executed(COUNTING))[3]
    assert numbers(equal, -3, "w") == pytest.approx([4, 4, 4], abs=0.2)
    assert numbers(equal, -3, "dWr") == pytest.approx([5, 5, 5], abs=0.5)
    assert min(numbers(equal, -3, "dwr")) > 8

    assert "up to a fifth fewer activations than the law says" in prose(COUNTING)
    grown = zip(numbers(equal, -3, "dwr"), numbers(equal, -5, "dwr"), strict=True)
    assert 4 / 5 <= min(activations / flops ** (5 / 6) for activations, flops in grown) < 0.82


def test_the_text_on_exponents(executed):
    off = tables(executed(COUNTING))[4]
    rows = [numbers(off, place, metric) for metric in ("flops", "params", "activations") for place in (-4, -3, -2, -1)]
    near, large = (max(each) for each in zip(*rows, strict=True))
    assert f"From *s* = 1 on they are off by up to {near:.2f}" in prose(COUNTING)
    assert "there they hold, within 0.02" in prose(COUNTING)
    assert large <= 0.02


# With other parameters


def test_the_lines_of_the_readme_give_a_notebook_and_a_page(tmp_path):
    """Word for word, in another folder than the repository; this environment stands for the `pip install`."""
    section = (REPO / "README.md").read_text("utf-8").split("\n## In CI\n")[1]
    install, *lines = re.search(r"```sh\n(.*?)```", section, re.DOTALL)[1].splitlines()
    assert install.startswith("pip install")
    (tmp_path / "notebooks").symlink_to(REPO / "notebooks")
    shell("\n".join(lines), tmp_path)

    asked = ["RegNetX-400MF", "ResNet-50"]
    notebook = stored(tmp_path / "complexity.ipynb")
    assert notebook.metadata.papermill.parameters == {"networks": asked}
    assert [name for name, *_ in tables(notebook)[0][1:]] == asked
    shown = verdicts(notebook)
    assert set(shown["evidence"]) == {"counted"}
    assert set(shown["details"]) == {*asked, "12 pairs"}

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


def test_without_tolerance_no_law_holds_but_their_order_does(tmp_path):
    """Verdicts come from the counts and the tolerances; here for networks of a quarter of the flops."""
    parameters = {"networks": ["RegNetX-400MF"], "strategies": ["w", "dwr"], "points": 8, "scale": 0.25}
    parameters |= {"tolerance": 0.0, "tolerance_in_practice": 0.0, "large_from": 10_000, "large_to": 100_000}
    notebook = papermill.execute_notebook(COUNTING, tmp_path / "strict.ipynb", parameters, progress_bar=False)
    shown = verdicts(notebook)["verdict"]
    assert shown.filter(like=" under ").tolist() == [FAILS] * 8
    assert shown["pairs of strategies in another order than the laws', at 0.25× flops"] == HOLDS


def test_a_mistyped_network_ends_in_the_library_s_sentence(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError) as error:
        papermill.execute_notebook(COUNTING, tmp_path / "out.ipynb", {"networks": ["ResNet-5O"]}, progress_bar=False)
    assert error.value.ename == "ParameterError"
    with pytest.raises(fs.architectures.NetworkError) as sentence:
        fs.network("ResNet-5O")
    assert error.value.evalue.endswith(str(sentence.value).removeprefix("network: "))
    assert "ResNet-50" in error.value.evalue
