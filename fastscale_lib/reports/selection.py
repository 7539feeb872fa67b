"""Selection of notebooks and their parameters, checked before anything runs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from .._common.checks import shown
from .._common.errors import FastscaleError
from .._common.shipped import find_folder
from .._common.yaml_text import read_yaml as read_plain_yaml
from .parameter_types import Holding, ParameterError
from .parameters import Parameter, as_text, nearest, read_parameters, read_yaml

PROFILES = "profiles.yaml"
_PATHS = ("data", "stores", "timm")  # parameters that name files: each notebook runs in a folder of its own
TAG = "parameters"  # of the cell that holds them
_LONGEST = 100  # of a name; file systems take 255 bytes, and there is an ending


class SelectionError(FastscaleError, ValueError):
    """A notebook, profile or folder that cannot be run or used; the message says why."""


@dataclass(frozen=True)
class Task:
    """One notebook to run with these parameters, under this name."""

    name: str
    notebook: Path
    parameters: dict[str, Any]

    @property
    def measures(self) -> bool:
        """Whether it measures times, which notebooks running beside it would disturb."""
        return bool(self.parameters.get("measure")) or self.calibrates

    @property
    def calibrates(self) -> bool:
        """Whether its predictions use probes, measured on this machine once and kept."""
        return self.parameters.get("device_name") == "calibrate"

    @property
    def files(self) -> list[Path]:
        """The files and folders that its parameters name."""
        return [Path(each) for name in _PATHS for each in _several(self.parameters.get(name)) if each]


def tasks(
    folder: Path,
    only: Sequence[str],
    profile: str | None,
    parameters: Mapping[str, Any],
    grid: Mapping[str, Sequence[Any]],
) -> list[Task]:
    """List the notebooks asked for, with each combination of the grid's values.

    All notebooks are taken if `only` has no names. Parameters come before those of the profile in profiles.yaml, and
    these before the notebooks' own.
    """
    paths = _chosen(folder, only)
    takes = {path: _takes(path) for path in paths}
    settings = _profile(folder, profile) if profile else {}
    if twice := sorted(parameters.keys() & grid.keys()):
        raise ParameterError(f"{twice[0]} is given twice, as one value and as a grid; give it once")
    for name in (*parameters, *grid):
        _check_known(name, takes)
    return [
        task
        for path, mine in takes.items()
        for task in _of_one(path, mine, {**settings.get(path.stem, {}), **_known(parameters, mine)}, _known(grid, mine))
    ]


def split(text: str) -> list[Any]:
    """Split the values of a grid: `0.5,0.8`, or of a list `[1,2],[1,4]`."""
    values = read_yaml(f"[{text}]") if "," in text else [text]
    if not isinstance(values, list):
        raise ParameterError(
            f"the grid {shown(text)} does not read as values with commas between, as 0.5,0.8 or [1,2],[1,4]"
        )
    return values


def notebooks_folder() -> Path:
    """Return the `notebooks` of a checkout, else those installed with the library."""
    if (found := find_folder("notebooks", PROFILES)) is None:
        raise SelectionError(
            "report: there is no folder notebooks beside the library, in it, here, or above; install fastscale again, "
            "or name your own by --notebooks DIR (in Python, notebooks=)"
        )
    return found


def is_own(notebooks: Path) -> bool:
    """Tell fastscale's own notebooks, or a copy of them, from other people's."""
    shipped = find_folder("notebooks", PROFILES)
    return shipped is not None and all((notebooks / path.name).exists() for path in shipped.glob("*.ipynb"))


def _chosen(folder: Path, only: Sequence[str]) -> list[Path]:
    found = sorted(path for path in folder.glob("*.ipynb") if not path.name.startswith("."))
    if not found:
        raise SelectionError(f"report: there is no notebook in {folder}; name a folder that holds some (*.ipynb)")
    for each in only:
        if not any(_is_named(path, each) for path in found):
            names = ", ".join(path.stem for path in found)
            raise SelectionError(f"report: no notebook in {folder} begins with {shown(each)}; there are {names}")
    return [path for path in found if not only or any(_is_named(path, each) for each in only)]


def _is_named(path: Path, asked: str) -> bool:
    """Compare with a name, or what it begins with: "4", "04" and "04_fast" are one."""
    start = asked.removesuffix(".ipynb")
    return bool(start) and path.stem.startswith(start.zfill(2) if start.isdecimal() else start)


def _takes(path: Path) -> dict[str, Parameter]:
    """Read the parameters of a notebook; none if it has no cell tagged `parameters`."""
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        tagged = [cell for cell in cells if TAG in cell.get("metadata", {}).get("tags", ())]
        return read_parameters("".join(tagged[0]["source"])) if tagged else {}
    except ParameterError as error:
        raise ParameterError(f"{path.stem}: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, SyntaxError, RecursionError):
        raise SelectionError(f"report: {path} is no notebook that can be read; save it as nbformat 4") from None


def _profile(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """Read the parameters that a profile sets, by notebook."""
    path = folder / PROFILES
    if not path.is_file():
        raise SelectionError(f"report: there is no {path} with a profile {shown(name)}; leave the profile out")
    try:
        profiles = read_plain_yaml(path.read_text("utf-8"))
        return {stem: dict(settings or {}) for stem, settings in dict(profiles[name] or {}).items()}
    except KeyError:
        raise SelectionError(f"report: {shown(name)} is no profile of {path}; it has {', '.join(profiles)}") from None
    except (UnicodeDecodeError, TypeError, ValueError):  # a YamlError, too, is a ValueError
        raise SelectionError(
            f"report: {path} does not read as profiles; it holds, as YAML, the parameters of each notebook of a profile"
        ) from None


def _check_known(name: str, takes: Mapping[Path, Mapping[str, Parameter]]) -> None:
    known = list(dict.fromkeys(each for mine in takes.values() for each in mine))
    if name not in known:
        said = f"{shown(name)} is no parameter of the notebooks asked for, which fastscale report --parameters lists"
        raise ParameterError(f"{said}{nearest(name, known)}")


def parameters_text(folder: Path, only: Sequence[str]) -> str:
    """List what notebooks take, with types, defaults and comments, a line each.

    Arguments:
        folder: that holds them.
        only: names of notebooks, or what they begin with; (): all.
    """
    return "\n".join(_listed(path, _takes(path)) for path in _chosen(folder, only))


def _listed(path: Path, takes: Mapping[str, Parameter]) -> str:
    if not takes:
        return f"{path.stem} takes no parameters"
    return "\n".join([f"{path.stem} takes", *(f"  {parameter}" for parameter in takes.values())])


def _known(given: Mapping[str, Any], takes: Mapping[str, Parameter]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in takes}


def _of_one(
    path: Path, takes: Mapping[str, Parameter], values: Mapping[str, Any], grid: Mapping[str, Sequence[Any]]
) -> list[Task]:
    """Make the tasks of one notebook: one, or of a grid one for each combination."""
    try:
        for name in values:
            if name not in takes:
                raise ParameterError(f"{name!r} is set by {PROFILES}, but no parameter{nearest(name, takes)}")
        fixed = {name: _settle(each, values.get(name, each.default)) for name, each in takes.items()}
        axes = [[(name, value) for value in _axis(takes[name], asked)] for name, asked in grid.items()]
    except ParameterError as error:
        raise ParameterError(f"{path.stem}: {error}") from None
    return [Task(_name(path.stem, point), path, {**fixed, **dict(point)}) for point in product(*axes)]


def _axis(parameter: Parameter, asked: Sequence[Any]) -> list[Any]:
    """Settle the values of one parameter of a grid, each once."""
    if isinstance(asked, str) or not isinstance(asked, Iterable):
        raise ParameterError(f"{parameter.name} has the grid {shown(asked)}, but a grid is a list of values")
    values = [_settle(parameter, value) for value in asked]
    if not values:
        raise ParameterError(f"{parameter.name} has no value in the grid; give at least one")
    return [value for index, value in enumerate(values) if value not in values[:index]]


def _settle(parameter: Parameter, value: Any) -> Any:
    """Settle a value; files that it names must exist, and get absolute paths."""
    value = parameter.settle(value)
    if parameter.name not in _PATHS or parameter.item != "str":
        return value
    settled = [_absolute(parameter, each) if each else each for each in _several(value)]
    return settled if parameter.is_list else settled[0]


def _absolute(parameter: Parameter, text: str) -> str:
    """Check that a path is there, and that a folder of data holds what its type names."""
    path = Path(text).expanduser().absolute()
    if not path.exists():
        raise ParameterError(
            f"{parameter.name} names {shown(text)}, but there is no {path}; give the path of what is there"
        )
    if isinstance(rule := parameter.rule, Holding):
        for within in rule.folders:
            if not (path / within).is_dir():
                said = f"{parameter.name} names {shown(text)}, but {path} holds no folder {within}"
                raise ParameterError(f"{said}; give {rule.text}")
    return str(path)


def _several(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _name(stem: str, point: Sequence[tuple[str, Any]]) -> str:
    """Make a report's name a valid file name; if that changes it, digits keep it unique."""
    name = " ".join([stem, *(f"{name}={as_text(value)}" for name, value in point)])
    plain = re.sub(r"[^\w.,=+\[\] -]", "_", name[:_LONGEST], flags=re.ASCII).strip(" .")
    if plain == name and plain.casefold() != "index":
        return name
    return f"{plain}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"
