"""Docstrings begin with a short imperative sentence and name every parameter; names of tests are short, too."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fastscale_lib as fs

LIBRARY, TESTS = Path(fs.__file__).parent, Path(__file__).parent
PACKAGES = sorted(path.stem for path in LIBRARY.iterdir() if path.suffix in ("", ".py") and path.stem[:2] != "__")
ROOMS = sorted(path.name for path in TESTS.iterdir() if path.suffix in ("", ".py") and path.name[:2] != "__")
NO_VERB = re.compile(
    "a|about|all|alone|an|as|at|beside|by|each|every|first|for|from|further|global|how|in|its?|no|not|of|on|one|plain|"
    "that|the|their|to|total|up|what|when|where|whether|which|who|why|with|without|.*[^a-z].*|.*[^s]s|.*[^e]ed"
)
DOCUMENTED = [
    *(fs.architectures, fs.scaling, fs.models, fs.records, fs.measuring, fs.prediction, fs.training, fs.analysis),
    *(fs.figures, fs.reports),
]


def public_functions() -> Iterator[tuple[str, Callable]]:
    """Yield the public functions and the public methods of public classes, by their names."""
    for package in DOCUMENTED:
        for name in package.__all__:
            each = getattr(package, name)
            title = f"{package.__name__.split('.')[1]}.{name}"
            if inspect.isfunction(each):
                yield title, each
            elif inspect.isclass(each):
                for method, found in vars(each).items():
                    function = getattr(found, "__func__", found)  # of a classmethod
                    if inspect.isfunction(function) and method[0] != "_":
                        yield f"{title}.{method}", function


FUNCTIONS = dict(public_functions())


def trees(folder: Path, name: str) -> Iterator[tuple[Path, ast.Module]]:
    """Parse the files of a package, or the module of this name."""
    files = sorted((folder / name).rglob("*.py")) or [(folder / name).with_suffix(".py")]
    return ((file, ast.parse(file.read_text("utf-8"))) for file in files)


def first_lines(tree: ast.Module) -> Iterator[tuple[str, str, bool]]:
    """Yield what has a docstring, its first line, and whether that may be a noun: of classes, modules, properties."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            function = isinstance(node, ast.FunctionDef)
            noun = not function or any("property" in ast.unparse(each) for each in node.decorator_list)
            yield getattr(node, "name", "module"), text.splitlines()[0], noun


def test_all_packages_and_tests_are_looked_at():
    assert {"_common", "cli", "reports"} < set(PACKAGES)
    assert {"_common", "test_cli.py", "reports"} < set(ROOMS)


@pytest.mark.parametrize("package", PACKAGES)
def test_first_lines_are_short_imperative_sentences(package):
    wrong = [
        f"{file.name}: {name}: {first}"
        for file, tree in trees(LIBRARY, package)
        for name, first, noun in first_lines(tree)
        if len(first) > 90 or not first.endswith(".") or (not noun and NO_VERB.fullmatch(first.split()[0].lower()))
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", ROOMS)
def test_names_of_tests_are_short(folder):
    nodes = (node for _, tree in trees(TESTS, folder) for node in ast.walk(tree))
    names = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert [name for name in names if len(name) > 70] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_are_named_in_the_docstring(name):
    text = inspect.getdoc(FUNCTIONS[name]) or ""
    asked = [each for each in inspect.signature(FUNCTIONS[name]).parameters if each not in ("self", "cls")]
    listed = re.findall(r"^ {4}(\w+(?:, \w+)*): ", text, re.MULTILINE)
    assert [each for each in asked if each not in ", ".join(listed).split(", ")] == []
    assert text
    assert "left out:" not in text
