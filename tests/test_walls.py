"""The house keeps its walls: packages on one staircase, read from the imports of every file."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import fastscale_lib

# From the ground up. A package imports those below it, never one beside or above it.
STAIRCASE = [
    "_common",
    "architectures",
    "models records scaling",
    "measuring",
    "prediction training",
    "analysis",
    "figures",
    "explorer reports",
    "cli",
]
LONGEST = 350  # lines of a file, about

PACKAGE = Path(fastscale_lib.__file__).parent
STEP = {name: number for number, step in enumerate(STAIRCASE) for name in step.split()}
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [file for file in FILES if file.parent != PACKAGE and file.name != "__init__.py"]


class Import(NamedTuple):
    """One import of a file: of a module of this package (by its dotted name in it), or of another package."""

    name: str
    own: bool
    later: bool  # inside a function
    typing: bool  # for type checkers alone


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


NAMES = {module_name(file) for file in FILES}


def imports(file: Path) -> Iterator[Import]:
    home = module_name(file).split(".")
    if file.name != "__init__.py":
        home = home[:-1]

    def visit(node: ast.AST, later: bool, typing: bool) -> Iterator[Import]:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            typing = True
        if isinstance(node, ast.Import):
            yield from (Import(alias.name.split(".")[0], False, later, typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield Import((node.module or "").split(".")[0], False, later, typing)
        elif isinstance(node, ast.ImportFrom):
            base = [*home[: len(home) + 1 - node.level], *(node.module or "").split(".")]
            base = [part for part in base if part]
            for alias in node.names:
                inside = ".".join([*base, alias.name])
                yield Import(inside if inside in NAMES else ".".join(base), True, later, typing)
        later = later or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, later, typing)

    yield from visit(ast.parse(file.read_text("utf-8")), False, False)


def package(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def by_file(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


def test_every_package_has_its_step():
    assert {package(module_name(file)) for file in FILES} - {"__init__", "__main__"} == set(STEP)
    flat = {path.name for path in PACKAGE.glob("*.*")}
    assert flat == {"__init__.py", "__init__.pyi", "__main__.py", "cli.py", "py.typed"}


@pytest.mark.parametrize("file", [*MODULES, PACKAGE / "cli.py"], ids=by_file)
def test_arrows_go_down(file):
    """Imports of type hints and those inside functions, too."""
    here = package(module_name(file))
    others = {package(each.name) for each in imports(file) if each.own} - {here}
    assert [each for each in sorted(others) if STEP[each] >= STEP[here]] == []


def test_no_file_imports_itself_in_a_circle():
    """Imports for type checkers alone are never run, and make none."""
    ran = {file: [each for each in imports(file) if each.own and not each.typing] for file in MODULES}
    below = {module_name(file): {each.name for each in found} for file, found in ran.items()}
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1]))


@pytest.mark.parametrize("file", FILES, ids=by_file)
def test_files_are_short(file):
    assert len(file.read_text("utf-8").splitlines()) <= LONGEST * 1.15


def test_no_package_or_module_is_named_like_a_public_function():
    """Else the function would hide the module, or the module the function."""
    public = set()
    for name in ("", *(name for name in STEP if (PACKAGE / name / "__init__.pyi").exists())):
        tree = ast.parse((PACKAGE / name / "__init__.pyi").read_text("utf-8"))
        listed = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module]
        public |= {alias.name for node in listed for alias in node.names}
    assert len(public) > 100
    named = [name for name in NAMES if name.split(".")[-1] in public and not name.startswith("_common")]
    assert named == []


def test_every_public_name_is_there():
    packages = [fastscale_lib, *(getattr(fastscale_lib, name) for name in STEP if name not in ("_common", "cli"))]
    for each in packages:
        assert each.__all__
        assert all(getattr(each, name) is not None for name in each.__all__)
        assert {name for name in dir(each) if name[:2] != "__"} == {*each.__all__} - {"__version__"}  # what Tab shows


def loaded(*modules: str) -> set[str]:
    """The packages that are loaded once these modules are."""
    code = f"import sys, importlib; [importlib.import_module(m) for m in {modules}]; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return {name.split(".")[0] for name in found.split()}


HEAVY = {"torch", "plotly", "ipywidgets", "anywidget", "IPython", "papermill", "nbformat", "distributed"}


def test_the_package_loads_neither_torch_nor_plotly():
    assert not loaded("fastscale_lib") & {*HEAVY, "pandas", "numpy"}
    assert not loaded("fastscale_lib.cli") & HEAVY


def test_files_with_torch_at_the_top_are_loaded_late():
    """All others, of the packages up to `training`, load no torch, and nothing of the notebook at all."""
    top = {module_name(f) for f in MODULES if any(i.name == "torch" and not (i.later or i.typing) for i in imports(f))}
    assert "models.modules" in top
    light = [f for f in MODULES if STEP[package(module_name(f))] <= STEP["training"] and module_name(f) not in top]
    assert not loaded(*(f"fastscale_lib.{module_name(file)}" for file in light)) & HEAVY


def test_measuring_needs_torch_numpy_pandas_and_yaml_alone():
    """On a machine that has no more, all of it works."""
    needed = {"torch", "numpy", "pandas", "yaml", *sys.stdlib_module_names}
    for file in MODULES:
        if STEP[package(module_name(file))] <= STEP["training"]:
            others = {each.name for each in imports(file) if not each.own} - needed
            assert others <= {"torchvision", "distributed", "nvidia"}, by_file(file)
