"""The house keeps its walls: which module imports which, read from the source.

An arrow goes down only; the counting half knows no torch, the measuring half no plotly.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import fastscale_lib

PACKAGE = Path(fastscale_lib.__file__).parent


class Room(NamedTuple):
    """What a module may import: rooms of this package, and packages of others; `later` only inside a function."""

    rooms: str = ""
    packages: str = ""
    later: str = ""


COUNTING = "checks exact fitting yaml_text networks zoo blocks scaling complexity targets"
RECORD = "checks exact yaml_text networks measurement nvml settings surroundings"
RUNNING = f"{RECORD} {COUNTING} build memory running timing worker capacity"
SWEEPING = f"{RUNNING} store tasks apart plans progress sweeping"
PREDICTING = f"{COUNTING} correlation least_squares operations reach runtime"
ROOMS = {
    "working_folder": Room(),
    "child_process": Room(),
    "shell": Room(),
    "checks": Room(later="pandas"),
    "exact": Room(packages="numpy"),
    "fitting": Room("exact"),
    "digits": Room(),
    "yaml_text": Room("checks", later="yaml"),
    "networks": Room("checks exact fitting yaml_text"),
    "zoo": Room("checks fitting networks"),
    "blocks": Room("exact networks"),
    "scaling": Room("checks exact fitting networks zoo"),
    "complexity": Room("checks exact networks zoo blocks scaling", "numpy pandas"),
    "targets": Room("checks exact fitting networks zoo blocks scaling complexity", "numpy pandas"),
    "correlation": Room("complexity", "numpy pandas"),
    "least_squares": Room(packages="numpy"),
    "operations": Room(COUNTING, "numpy"),
    "reach": Room(f"{COUNTING} operations", "numpy"),
    "runtime": Room(f"{COUNTING} correlation least_squares operations reach", "numpy pandas"),
    "modules": Room("networks blocks", "torch"),
    "build": Room("checks networks zoo modules", later="torch"),
    "weights": Room("checks networks zoo modules", later="torch"),
    "measurement": Room("checks digits exact networks"),
    "nvml": Room(),
    "settings": Room("checks measurement", later="torch"),
    "surroundings": Room("measurement nvml settings", later="torch"),
    "memory": Room("measurement", later="torch"),
    "running": Room("networks modules build measurement settings memory", later="torch"),
    "live_tensors": Room(packages="torch"),
    "footprint": Room("networks zoo build measurement settings running live_tensors", later="torch"),
    "timing": Room(f"{RECORD} {COUNTING} build memory running", "numpy pandas", later="torch"),
    "worker": Room(f"{RECORD} {COUNTING} build memory running timing child_process", "numpy pandas", later="torch"),
    "capacity": Room(f"{RECORD} {COUNTING} worker"),
    "locks": Room(),
    "files": Room(),
    "store": Room("locks files networks measurement", "pandas"),
    "shipped": Room(),
    "budgets": Room(f"{COUNTING} settings footprint runtime store", "numpy pandas"),
    "budget_claims": Room("digits scaling runtime store", "pandas"),
    "published": Room("checks measurement store shipped", "pandas"),
    "rivals": Room(f"{COUNTING} measurement published store", "pandas"),
    "timm": Room("published", "pandas"),
    "equal_flops": Room(f"{PREDICTING} measurement store published", "numpy pandas"),
    "regimes": Room(f"{COUNTING} equal_flops", "numpy pandas"),
    "accuracy": Room("checks", "numpy pandas"),
    "repeats": Room("checks networks scaling", "pandas"),
    "tasks": Room(f"{RECORD} worker capacity"),
    "apart": Room(f"{RECORD} zoo timing tasks"),
    "progress": Room(),
    "plans": Room(f"{RECORD} {COUNTING} store tasks", "pandas"),
    "sweeping": Room(f"{RUNNING} store tasks plans progress", "pandas"),
    "cluster": Room("child_process shell measurement", later="distributed"),
    "ceilings": Room(f"{RECORD} {COUNTING} operations running apart", "numpy pandas", later="torch"),
    "calibration": Room(f"{SWEEPING} runtime"),
    "image_files": Room("checks memory", "numpy", later="torch torchvision"),
    "datasets": Room("checks files image_files", "numpy"),
    "recipe": Room("checks yaml_text settings"),
    "augment": Room(packages="torch"),
    "processes": Room("checks measurement settings", later="torch"),
    "checkpoints": Room("files measurement", later="torch"),
    "trainer": Room("networks modules build datasets recipe augment processes checkpoints", "numpy torch"),
    "training": Room(f"{SWEEPING} datasets recipe processes checkpoints trainer", later="torch"),
    "comparisons": Room(f"{SWEEPING} datasets recipe processes checkpoints training", "pandas"),
    "claims": Room(packages="pandas"),
    "light_imports": Room(),
    "figures": Room(f"{COUNTING} correlation light_imports", "numpy pandas plotly"),
    "alpha_figures": Room("digits equal_flops figures", "numpy pandas plotly"),
    "share_figures": Room("figures", "pandas plotly"),
    "cost_figures": Room("claims figures", "pandas plotly"),
    "accuracy_figures": Room("figures", "pandas plotly"),
    "roofline_figures": Room("correlation figures", "pandas plotly"),
    "explorer": Room(
        f"{SWEEPING} {PREDICTING} files calibration figures",
        "numpy pandas plotly ipywidgets traitlets anywidget IPython",
    ),
    "report": Room(
        f"{SWEEPING} files calibration shipped published datasets claims light_imports child_process",
        "pandas plotly jinja2 markupsafe mistune pygments",
        later="papermill nbformat",
    ),
    "cli": Room(
        f"{SWEEPING} operations ceilings report datasets recipe processes training comparisons shell cluster", "pandas"
    ),
    "__main__": Room("cli"),
}


class Import(NamedTuple):
    """One import: of a room (as it is written here) or of a package; `later` is inside a function."""

    room: bool
    name: str
    later: bool

    def __str__(self) -> str:
        return f"{'.' * self.room}{self.name}{' (in a function)' * self.later}"


def imports(file: Path) -> Iterator[Import]:
    """Every import of a file, but for those that only a type checker reads."""
    depth = len(file.relative_to(PACKAGE).parts)  # so many dots lead out of the package's subfolders and back to it

    def visit(node: ast.AST, later: bool) -> Iterator[Import]:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            yield from (named(alias.name, later) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == depth:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                rooms = (name.split(".")[0] for name in names if not name.startswith("__"))  # __version__ is no room
                yield from (Import(True, name, later) for name in rooms)
            elif node.level == 0:
                yield named(node.module, later)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, later or inside)

    def named(module: str, later: bool) -> Import:
        first, *rest = module.split(".")
        own = first == PACKAGE.name and bool(rest)
        return Import(own, rest[0] if own else first, later)

    yield from visit(ast.parse(file.read_text("utf-8")), False)


def allowed(mine: Room, asked: Import) -> set[str]:
    if asked.room:
        return set(mine.rooms.split())
    return {*sys.stdlib_module_names, *mine.packages.split(), *(mine.later.split() if asked.later else ())}


def room(file: Path) -> str:
    """A module is a room, and so is a subfolder."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = [file for file in sorted(PACKAGE.rglob("*.py")) if file != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_room_imports_only_what_it_may(file):
    assert room(file) in ROOMS, f"a new room: give {room(file)} its place in ROOMS, above"
    mine = ROOMS[room(file)]
    others = [each for each in imports(file) if each.name != room(file)]
    crossed = [str(each) for each in others if each.name not in allowed(mine, each)]
    assert crossed == []


def test_arrows_go_down_only():
    """The table itself: each room's arrows lead to rooms that are listed before it."""
    built = []
    for name, mine in ROOMS.items():
        assert set(mine.rooms.split()) <= set(built), name
        built.append(name)


# What is loaded with this room; its other files wait until a report is asked for (tests/test_report.py holds that).
LIGHT = {PACKAGE / "report" / f"{name}.py" for name in ("__init__", "parameters", "selection")}


def reached(name: str, later: bool) -> set[str]:
    """The rooms that are loaded with this one, and the packages they load."""
    found, waiting = set(), [name]
    while waiting:
        if (here := waiting.pop()) in found:
            continue
        found.add(here)
        for file in FILES:
            if room(file) == here and (later or here != "report" or file in LIGHT):
                todo = [each for each in imports(file) if later or not each.later]
                waiting += [each.name for each in todo if each.room]
                found |= {each.name for each in todo if not each.room}
    return found


EVER = {"plotly", "ipywidgets", "anywidget", "IPython"}


@pytest.mark.parametrize(
    "name", [*COUNTING.split(), *["correlation", "operations", "least_squares", "runtime", "measurement", "store"]]
)
def test_the_counting_half_never_loads_torch_or_plotly(name):
    assert not reached(name, later=True) & {"torch", *EVER}


MEASURING = "build timing worker plans tasks apart sweeping calibration ceilings training comparisons"


@pytest.mark.parametrize("name", MEASURING.split())
def test_the_measuring_half_never_loads_plotly_and_loads_torch_only_when_it_measures(name):
    assert not reached(name, later=True) & EVER
    assert "torch" in reached(name, later=True)
    assert "torch" not in reached(name, later=False)


def test_the_command_loads_what_it_needs_when_it_is_asked():
    assert not reached("cli", later=False) & {"torch", *EVER}
    assert {"torch", "plotly"} <= reached("cli", later=True)


def test_the_package_itself_loads_neither():
    eager = {each.name for each in imports(PACKAGE / "__init__.py") if each.room and not each.later}
    assert eager
    for name in eager:
        assert not reached(name, later=False) & {"torch", *EVER}


def test_the_imports_of_a_file_are_found(tmp_path, monkeypatch):
    """The reader itself, on a file with every kind of import."""
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path / "fastscale_lib")
    file = tmp_path / "fastscale_lib" / "room.py"
    file.parent.mkdir()
    file.write_text(
        "import os.path, numpy as np\nfrom . import zoo\nfrom .networks import Network\n"
        "import fastscale_lib.blocks\nfrom . import __version__\nif TYPE_CHECKING:\n    import torch\n"
        "def f():\n    from torch import nn\n    if x:\n        from .build import y\n"
    )
    assert [str(each) for each in imports(file)] == [
        *["os", "numpy", ".zoo", ".networks", ".blocks"],
        *["torch (in a function)", ".build (in a function)"],
    ]
