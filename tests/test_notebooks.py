"""Notebooks: they are stored bare, take parameters, run top to bottom, and what they tell is what comes out."""

from __future__ import annotations

import ast
import html
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest

import fastscale_lib as fs
from fastscale_lib.claims import FAILS, HOLDS, UNTESTED
from fastscale_lib.correlation import GROUP, STATISTICS, case, correlations, leads
from fastscale_lib.published import published

REPO = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((REPO / "notebooks").glob("*.ipynb"))
COUNTING = REPO / "notebooks" / "01_complexity_of_scaled_networks.ipynb"
LONGEST_CELL = 15
PRIVATE_PATH = re.compile(r"/(home|root|Users|mnt|tmp|work)/|\.\./|~/|\b[A-Z]:\\")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def stored(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in code(notebook) for output in cell.outputs]


# As they are stored


def test_the_notebooks_are_numbered():
    assert COUNTING in NOTEBOOKS
    numbers = [int(path.name[:2]) for path in NOTEBOOKS]
    assert numbers == sorted(set(numbers))


@each_notebook
def test_a_notebook_is_valid_and_bare(path):
    notebook = stored(path)
    nbformat.validate(notebook)
    assert outputs(notebook) == []
    assert {cell.execution_count for cell in code(notebook)} == {None}
    assert set(notebook.metadata) == {"kernelspec", "language_info"}  # no widget state
    assert notebook.metadata.kernelspec.name == "python3"  # which every machine has


@each_notebook
def test_one_cell_holds_the_parameters_each_of_the_type_it_names(path):
    [cell] = [cell for cell in stored(path).cells if "parameters" in cell.metadata.get("tags", [])]
    lines = ast.parse(cell.source).body
    assert lines
    for line in lines:
        assert isinstance(line, ast.AnnAssign), f"{ast.unparse(line)}: write it as `name: type = value`"
        assert type(ast.literal_eval(line.value)).__name__ == line.annotation.id
    assert list(papermill.inspect_notebook(str(path))) == [line.target.id for line in lines]


@each_notebook
def test_cells_are_short_and_define_nothing(path):
    for cell in code(stored(path)):
        assert len(cell.source.splitlines()) <= LONGEST_CELL, cell.source
        nodes = list(ast.walk(ast.parse(cell.source)))
        assert not [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]


@each_notebook
def test_no_path_of_one_machine_is_in_a_notebook(path):
    assert not PRIVATE_PATH.search(path.read_text("utf-8"))


# As they run


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> Callable[[Path], nbformat.NotebookNode]:
    """Runs a notebook with its own parameters in a fresh kernel, once for all tests, away from the repository."""
    folder = tmp_path_factory.mktemp("executed")

    @cache
    def run(path: Path) -> nbformat.NotebookNode:
        return papermill.execute_notebook(path, folder / path.name, cwd=folder, progress_bar=False)

    return run


def shell(command: str, cwd: Path) -> subprocess.CompletedProcess:
    """Runs a shell's lines in a folder, with the commands of this environment at hand."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(["bash", "-ec", command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


@each_notebook
def test_a_notebook_runs_top_to_bottom_without_a_warning(path, executed):
    cells = code(executed(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    said = [output.text for output in outputs(executed(path)) if output.output_type == "stream"]
    assert said == []  # nothing on stdout or stderr: what a notebook shows is a table, a figure or a widget


def test_the_explorer_shows_its_widget(executed):
    shown = [output.data for output in outputs(executed(REPO / "notebooks" / "00_explorer.ipynb")) if "data" in output]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in shown)
    assert "EfficientNet-B0" in shown[-1]["text/plain"]


# What they tell


def tables(notebook: nbformat.NotebookNode) -> list[list[list[str]]]:
    """The tables that an executed notebook shows: rows of texts, the first of them the header."""
    shown = [output.data.get("text/html", "") for output in outputs(notebook) if "data" in output]
    return [
        [
            [html.unescape(text) for text in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row)]
            for row in re.findall(r"<tr\b.*?</tr>", each, re.DOTALL)
        ]
        for each in shown
        if "<table" in each
    ]


def verdicts(notebook: nbformat.NotebookNode) -> pd.DataFrame:
    """The table of claims, the last that is shown; numbers as they stand there, with three digits."""
    header, *rows = tables(notebook)[-1]
    return pd.DataFrame(rows, columns=header).set_index("claim")


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
    name: ast.literal_eval(parameter["default"])
    for name, parameter in papermill.inspect_notebook(str(COUNTING)).items()
}


def judged(paper: float, found: list[float], tolerance: float) -> list[str]:
    """What a row of claims shows: of what was found, the farthest off is judged."""
    farthest = max(found, key=lambda each: abs(each - paper))
    verdict = HOLDS if abs(farthest - paper) <= tolerance else FAILS
    return [*(f"{float(each):.3f}" for each in (paper, farthest, tolerance)), verdict]


@pytest.mark.parametrize("name", DEFAULTS["strategies"])
def test_verdicts_are_what_the_library_counts(name, executed):
    shown = verdicts(executed(COUNTING))[["paper", "found", "tolerance", "verdict"]]
    laws, scales = fs.strategy(name).laws, np.geomspace(*DEFAULTS["large_scales"], DEFAULTS["points"])
    fits = pd.concat([fs.fit_exponents(network, name, scales) for network in DEFAULTS["networks"]])
    for metric, law in laws._asdict().items():
        found = fits[fits.metric == metric]["fitted"].tolist()
        assert shown.loc[f"{metric} under {name}, for large s"].tolist() == judged(law, found, DEFAULTS["tolerance"])

    found = []
    for network in DEFAULTS["networks"]:
        base = fs.complexity(network)
        scaled = fs.complexity(fs.scale_to(network, name, flops=base.flops * DEFAULTS["times_flops"]))
        found.append(np.log(scaled.activations / base.activations) / np.log(scaled.flops / base.flops))
    row = shown.loc[f"activations under {name}, at {DEFAULTS['times_flops']:g}× flops"]
    assert row.tolist() == judged(laws.activations, found, DEFAULTS["tolerance_in_practice"])


# The figures in the prose, each beside what it is read from


def prose(path: Path) -> str:
    return " ".join(cell.source for cell in stored(path).cells if cell.cell_type == "markdown")


def numbers(table: list[list[str]], place: int, name: str) -> list[float]:
    """What stands at this place, counted from the right, in the rows that have the name."""
    return [float(row[place]) for row in table if name in row]


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


def test_the_text_on_equal_flops(executed):
    assert "*w* has about 4 times the activations, *dWr* about 5, and *dwr* more than 8" in prose(COUNTING)
    equal = tables(executed(COUNTING))[3]
    assert numbers(equal, -3, "w") == pytest.approx([4, 4, 4], abs=0.2)
    assert numbers(equal, -3, "dWr") == pytest.approx([5, 5, 5], abs=0.5)
    assert min(numbers(equal, -3, "dwr")) > 8

    assert "up to a fifth fewer activations than the law says" in prose(COUNTING)
    grown = zip(numbers(equal, -3, "dwr"), numbers(equal, -5, "dwr"), strict=True)
    assert min(activations / flops ** (5 / 6) for activations, flops in grown) == pytest.approx(4 / 5, abs=0.015)


def test_the_text_on_exponents(executed):
    off = tables(executed(COUNTING))[4]
    rows = [numbers(off, place, metric) for metric in ("flops", "params", "activations") for place in (-4, -3, -2, -1)]
    near, large = (max(each) for each in zip(*rows, strict=True))
    assert f"From *s* = 1 on they are off by up to {near:.2f}" in prose(COUNTING)
    assert "there they hold, within 0.02" in prose(COUNTING)
    assert large <= 0.02


def test_the_text_on_group_width(executed):
    split = tables(executed(COUNTING))[5]
    [grouped], [network], [activations] = (numbers(split, place, "w") for place in (-4, -2, -1))
    assert f"have {grouped:g} times their flops, and the network {network:.1f} times" in prose(COUNTING)
    [grouped], [network] = (numbers(split, place, "w1") for place in (-4, -2))
    assert f"With it fixed, they have {grouped:g} times, and the network {network:.1f} times" in prose(COUNTING)
    assert numbers(split, -1, "w1") == [activations]


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
    evidence = set(verdicts(notebook)["evidence"])
    assert evidence == {*(f"counted: {name}" for name in (*asked, "12 pairs", "RegNetY-4.0GF, s = 16"))}

    page = (tmp_path / "complexity.html").read_text("utf-8")
    assert "Plotly.newPlot" in page
    assert "RegNetX-400MF" in page


def test_one_network_and_one_strategy_will_do(tmp_path):
    parameters = '-y "{networks: [ResNet-50], strategies: [dWr]}" -p times_flops 8 -p points 8'
    shell(f"papermill {shlex.quote(str(COUNTING))} one.ipynb {parameters}", tmp_path)
    shown = verdicts(stored(tmp_path / "one.ipynb"))
    assert shown["verdict"].to_dict() == {
        "flops under dWr, for large s": HOLDS,
        "params under dWr, for large s": HOLDS,
        "activations under dWr, for large s": HOLDS,
        "activations under dWr, at 8× flops": HOLDS,
        "pairs of strategies in another order than the laws', at 8× flops": UNTESTED,  # there is no pair
        "flops of k×k convolutions, group width follows": HOLDS,
        "flops of k×k convolutions, group width fixed": HOLDS,
    }


def test_without_tolerance_no_law_holds_but_their_order_does(tmp_path):
    """Verdicts come from the counts and the tolerances; here for networks of a quarter of the flops."""
    parameters = {"networks": ["RegNetX-400MF"], "strategies": ["w", "dwr"], "points": 8, "times_flops": 0.25}
    parameters |= {"tolerance": 0.0, "tolerance_in_practice": 0.0}
    notebook = papermill.execute_notebook(COUNTING, tmp_path / "strict.ipynb", parameters, progress_bar=False)
    shown = verdicts(notebook)["verdict"]
    assert shown.filter(like=" under ").tolist() == [FAILS] * 8
    assert shown["pairs of strategies in another order than the laws', at 0.25× flops"] == HOLDS


def test_a_mistyped_network_ends_in_the_library_s_sentence(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError) as error:
        papermill.execute_notebook(COUNTING, tmp_path / "out.ipynb", {"networks": ["ResNet-5O"]}, progress_bar=False)
    with pytest.raises(fs.NetworkError) as sentence:
        fs.network("ResNet-5O")
    assert (error.value.ename, error.value.evalue) == ("NetworkError", str(sentence.value))
    assert "ResNet-50" in error.value.evalue


# Runtime and complexity

RUNTIME = REPO / "notebooks" / "03_runtime_and_complexity.ipynb"


@pytest.fixture(scope="module")
def without_measurements(tmp_path_factory) -> nbformat.NotebookNode:
    """The notebook where no measurements are shipped; with a CPU of one's own on which time is flops, and timm's."""
    folder = tmp_path_factory.mktemp("runtime")
    (folder / "data").mkdir()
    (folder / "data" / "published").symlink_to(REPO / "data" / "published")
    with (folder / "own.jsonl").open("w") as store:
        for name in fs.networks():
            counts = fs.complexity(name)
            row = {"network": name, "batch": 2, "mode": "inference", "device": "cpu", "device_name": "Some CPU"}
            row |= {"median_ms": counts.flops / 1e7, "precision": "fp32", "reason": None, **counts._asdict()}
            row |= {"channels_last": True, "compile": False, "tf32": False, "threads": 1, "half_width": 0.01}
            row["description"] = fs.network(name).to_dict()
            store.write(json.dumps(row) + "\n")
    timm = REPO / "tests" / "timm" / "timm_benchmark_rtx3090_amp_nhwc.csv"
    parameters = {"data": str(folder / "data"), "stores": [str(folder / "own.jsonl")], "timm": [str(timm)]}
    parameters |= {"resamples": 200}
    return papermill.execute_notebook(RUNTIME, folder / "out.ipynb", parameters, cwd=folder, progress_bar=False)


def test_the_correlations_shown_are_the_library_s(executed):
    found = correlations(published())
    shown = {name: row for name, *row in tables(executed(RUNTIME))[1][3:]}
    for key, rows in found.groupby(list(GROUP), sort=False, dropna=False):
        by_statistic = [rows[rows["statistic"] == statistic]["r"] for statistic in STATISTICS]
        assert shown[case(key)] == [f"{r:.3f}" for r in pd.concat(by_statistic)]


def test_the_text_on_published_tables():
    """Nothing here hangs on what is measured: the text speaks of the published tables alone."""
    assert "In all three cases, and by all three statistics, activations have the highest *r*" in prose(RUNTIME)
    found = correlations(published())
    cases = found.groupby([*GROUP, "statistic"], dropna=False)
    assert cases.ngroups == 3 * 3
    assert set(found.loc[cases["r"].idxmax(), "metric"]) == {"activations"}

    text = "In the table of *Early Convolutions* every interval of the lead excludes 0. In that of pycls most hold it"
    assert text in prose(RUNTIME)
    verdict = leads(published()).groupby("source")["verdict"]
    assert set(verdict.get_group("early_convolutions_table2")) == {"ahead"}
    assert verdict.get_group("pycls_zoo_v100").eq("undecided").mean() > 0.5

    assert "within each of its five families flops and activations rise together" in prose(RUNTIME)
    families = published("pycls_zoo_v100").groupby("family")
    assert families.ngroups == 5
    for _, rows in families:
        assert np.corrcoef(*np.log(rows[["flops", "activations"]].astype(float)).to_numpy().T)[0, 1] > 0.95


def test_what_was_not_measured_is_not_judged(without_measurements):
    shown = verdicts(without_measurements)["verdict"]
    assert shown["metrics above activations: shipped measurements"] == UNTESTED
    assert "metrics above activations: own measurements" not in shown
    assert "metrics above activations: a CPU" not in shown


def test_a_cpu_on_which_flops_win_is_shown_and_not_hidden(without_measurements):
    shown = verdicts(without_measurements)
    own = shown[shown.index.str.endswith("own.jsonl · Some CPU · inference · fp32")]
    assert len(own) == 3
    assert set(own["verdict"]) == {FAILS}
    assert own["evidence"].str.startswith("flops: behind").all()
    lower = tables(without_measurements)[3]
    assert ["own.jsonl · Some CPU · inference · fp32", "Pearson", "flops"] in [row[:3] for row in lower]


def test_times_are_predicted_from_measured_rows(without_measurements):
    [errors] = [rows for rows in tables(without_measurements) if rows[0][-1] == "pearson_of_logs"]
    by, error = errors[0].index("by"), errors[0].index("error")
    found = {row[by]: float(row[error]) for row in errors[1:]}
    assert list(found) == ["layers", "flops", "params", "activations", "flops and activations"]
    assert found["flops"] < 0.01 < found["activations"]


def test_a_file_of_timm_is_judged_beside_the_rest(without_measurements):
    name = "timm_benchmark_rtx3090_amp_nhwc.csv · rtx3090 · inference · amp"
    assert name in [row[0] for row in tables(without_measurements)[0]]
    assert verdicts(without_measurements).index.str.endswith(name).sum() == 3
    assert not [output for output in outputs(without_measurements) if output.output_type == "stream"]


def test_the_correlations_of_early_convolutions_are_held_to_those_reported(executed):
    shown = verdicts(executed(RUNTIME))
    reported = shown[shown.index.str.endswith("Early Convolutions")]
    assert reported["paper"].tolist() == ["0.750", "0.710", "0.930"]
    assert reported["verdict"].tolist() == [FAILS, FAILS, HOLDS]  # Table 2 is a part of their models
