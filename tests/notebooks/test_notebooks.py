"""Notebooks: they are stored bare, take parameters, run top to bottom, and what they tell is what comes out."""

from __future__ import annotations

import ast
import re
from types import ModuleType

import nbformat
import papermill
import pytest
import yaml
from helpers.notebooks import NOTEBOOKS, REPO, code, named, outputs, stored

import fastscale_lib as fs
from fastscale_lib.analysis.claims import MIME as CLAIMS
from fastscale_lib.reports.parameters import read_parameters
from fastscale_lib.reports.tables import MOST_COLUMNS

LONGEST_CELL = 9
PRIVATE_PATH = re.compile(r"/(home|root|Users|mnt|tmp|work)/|\.\./|~/|\b[A-Z]:\\")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


# As they are stored


def test_the_notebooks_are_numbered():
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
    lines = [line for line in ast.parse(cell.source).body if not isinstance(line, ast.ImportFrom)]
    assert lines
    for line in lines:
        assert isinstance(line, ast.AnnAssign), f"{ast.unparse(line)}: write it as `name: type = value`"
    takes = read_parameters(cell.source)
    assert [each.settle(each.default) for each in takes.values()] == [each.default for each in takes.values()]
    assert list(papermill.inspect_notebook(str(path))) == list(takes)


def test_profiles_set_parameters_that_the_notebooks_take():
    profiles = yaml.safe_load((REPO / "notebooks" / "profiles.yaml").read_text("utf-8"))
    assert set(profiles) == {"fast", "paper"}
    for settings in profiles.values():
        for stem, parameters in settings.items():
            assert set(parameters) <= set(papermill.inspect_notebook(str(named(stem))))


@each_notebook
def test_parameters_are_settled_before_anything_is_done_with_them(path):
    """So that a list which plain papermill hands on as a text is one."""
    _, first, *_ = code(stored(path))
    lines = [line for line in ast.parse(first.source).body if not isinstance(line, ast.Import | ast.ImportFrom)]
    assert ast.unparse(lines[0]).removeprefix("given = ") == "fs.reports.start(globals())"


@each_notebook
def test_a_notebook_uses_public_names_only(path):
    trees = [ast.parse(cell.source) for cell in code(stored(path))]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = [ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    types, *rest = [line for line in imported if "fastscale" in line]
    assert types.startswith("from fastscale_lib.reports import ")  # papermill reads no fs.reports.Share
    assert set(types.partition(" import ")[2].split(", ")) <= set(dir(fs.reports))
    assert rest == ["import fastscale_lib as fs"]
    names = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
    for name in sorted(each for each in names if re.fullmatch(r"fs(\.\w+){1,2}", each)):
        owner, last = name.rsplit(".", 1)
        if owner == "fs" or isinstance(eval(owner, {"fs": fs}), ModuleType):
            assert last in dir(eval(owner, {"fs": fs})), f"{name} is not public"


@each_notebook
def test_cells_are_short_and_define_nothing(path):
    cells = code(stored(path))
    assert cells
    for cell in cells:
        declares = "parameters" in cell.metadata.get("tags", [])  # a line for each
        assert declares or len(cell.source.splitlines()) <= LONGEST_CELL, cell.source
        nodes = list(ast.walk(ast.parse(cell.source)))
        assert not [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]


@each_notebook
def test_no_path_of_one_machine_is_in_a_notebook(path):
    assert not PRIVATE_PATH.search(path.read_text("utf-8"))


# As they run


@each_notebook
def test_a_notebook_runs_top_to_bottom_without_a_warning(path, executed):
    cells = code(executed(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    said = [output.text for output in outputs(executed(path)) if output.output_type == "stream"]
    assert said == []  # nothing on stdout or stderr: what a notebook shows is a table, a figure or a widget


@each_notebook
def test_tables_have_at_most_six_columns_of_values(path, executed):
    shown = [output.data for output in outputs(executed(path)) if "data" in output]
    tables = [data["text/html"] for data in shown if "<table" in data.get("text/html", "") and CLAIMS not in data]
    assert max(row.count("<td") for table in tables for row in table.split("<tr")) <= MOST_COLUMNS


def test_the_explorer_shows_its_widget(executed):
    shown = [output.data for output in outputs(executed(named("00_explorer"))) if "data" in output]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in shown)
    assert "EfficientNet-B0" in shown[-1]["text/plain"]


def test_the_explorer_takes_a_list_as_plain_papermill_hands_it_on(tmp_path):
    parameters = {"network": "resnet50", "strategies": "[w, dWr]", "scale": "2"}
    path = named("00_explorer")
    notebook = papermill.execute_notebook(path, tmp_path / "out.ipynb", parameters, progress_bar=False)
    assert "ResNet-50 alpha=0.5 ×2" in outputs(notebook)[-1].data["text/plain"]
