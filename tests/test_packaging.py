"""What is declared, pinned, installed and shipped are one thing: pyproject, constraints, environment, wheel."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import fastscale_lib as fs

REPO = Path(__file__).resolve().parents[1]
tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENVIRONMENT = yaml.safe_load((REPO / "environment.yml").read_text(encoding="utf-8"))
CONDA_NAMES = {"pytorch": "torch"}
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
PIN = re.compile(r"==[^,*]+")


def requirements(lines: list[str]) -> list[Requirement]:
    return [Requirement(line) for line in lines]


RUNTIME = requirements(PROJECT["dependencies"])
TEST = requirements([*PROJECT["optional-dependencies"]["test"], *PROJECT["optional-dependencies"]["docs"]])
PINS = requirements(
    [
        line
        for line in (REPO / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
)


def applies(requirement: Requirement, python: str) -> bool:
    """Whether the requirement's marker holds on the last patch release of a Python."""
    markers = {"python_version": python, "python_full_version": f"{python}.99"}
    return requirement.marker is None or requirement.marker.evaluate(markers)


def pins(python: str) -> dict[str, str]:
    """Pinned version by name, on one Python."""
    return {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in PINS if applies(pin, python)}


# ------------------------------------------------------------------------------------- declared


def test_ranges_are_bounded():
    for requirement in [*RUNTIME, *TEST]:
        assert ">=" in str(requirement.specifier), requirement
    for requirement in RUNTIME:
        assert "<" in str(requirement.specifier), requirement


def test_environment_names_what_pyproject_names():
    conda = requirements([line for line in ENVIRONMENT["dependencies"] if isinstance(line, str)])
    ranges = {CONDA_NAMES.get(entry.name, entry.name): entry.specifier for entry in conda}
    assert ranges.pop("python") == SpecifierSet(PROJECT["requires-python"])
    assert ranges.pop("pip") == SpecifierSet()
    assert ranges == {requirement.name: requirement.specifier for requirement in RUNTIME}


def test_environment_installs_this_package_and_nothing_else_by_pip():
    assert ENVIRONMENT["name"] == PROJECT["name"]
    assert [line for line in ENVIRONMENT["dependencies"] if not isinstance(line, str)] == [{"pip": ["-e ."]}]


# --------------------------------------------------------------------------------------- pinned


def test_constraints_are_single_public_versions():
    for pin in PINS:
        assert PIN.fullmatch(str(pin.specifier)), pin
        assert not pin.extras, pin
        assert Version(str(pin.specifier)[2:]).local is None, pin  # a local build is one machine's


@pytest.mark.parametrize("python", PYTHONS)
def test_no_package_is_pinned_twice(python):
    names = [canonicalize_name(pin.name) for pin in PINS if applies(pin, python)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("python", PYTHONS)
def test_direct_dependencies_are_pinned_within_their_range(python):
    pinned = pins(python)
    for requirement in [*RUNTIME, *TEST]:
        if applies(requirement, python):
            assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement.name


# ------------------------------------------------------------------------------------ installed


def closure(lines: list[Requirement]) -> set[str]:
    """Names of the packages needed here: the given ones, and what those bring along."""
    seen: set[tuple[str, str]] = set()
    ahead = [(line, "") for line in lines]
    while ahead:
        line, extra = ahead.pop()
        if line.marker and not line.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(line.name)
        new = {(name, wanted) for wanted in ("", *line.extras)} - seen
        needed = requirements(importlib.metadata.requires(name) or []) if new else []
        ahead += [(need, wanted) for need in needed for _, wanted in new]
        seen |= new
    return {name for name, _ in seen}


@pytest.mark.skipif(
    Path(sys.prefix).resolve() != (REPO / ".venv").resolve(),
    reason="holds in the environment that make builds; another may choose other versions within the ranges",
)
def test_installed_versions_are_the_pinned_ones():
    pinned = {
        canonicalize_name(pin.name): str(pin.specifier)[2:]
        for pin in PINS
        if pin.marker is None or pin.marker.evaluate()
    }
    by_torch = re.compile(r"nvidia-|cuda-|triton$")  # its GPU parts come with it, where there are any
    needed = [name for name in closure([*RUNTIME, *TEST]) if not by_torch.match(name)]
    installed = {name: Version(importlib.metadata.version(name)).public for name in needed}
    assert installed == {name: pinned.get(canonicalize_name(name)) for name in needed}


def test_installed_package_has_the_version_of_pyproject():
    assert importlib.metadata.version(PROJECT["name"]) == PROJECT["version"]


# -------------------------------------------------------------------------------------- shipped


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of the files that git knows: neither ignored ones nor an earlier build get into the wheel."""
    if shutil.which("git") is None or not (REPO / ".git").exists():
        pytest.skip("needs git and a clone of the repository to know which files are the project's")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPO,
        check=True,
        capture_output=True,
        text=True,
    )
    copy = tmp_path_factory.mktemp("source")
    for name in filter(None, listing.stdout.split("\0")):
        if (REPO / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPO / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    """The wheel that pip builds of the copy, with the setuptools installed here."""
    out = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(out), str(source))
    (built,) = out.glob("*.whl")
    return built


def pip(command: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", command, "--no-deps", *arguments],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def shipped_of(source: Path) -> set[str]:
    """What a wheel of these files is to carry: the library, and in it notebooks and data, without the pictures."""
    names = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    inside = {f"fastscale_lib/{name}" for name in names if name.startswith(("notebooks/", "data/"))}
    return {name for name in names | inside if name.startswith("fastscale_lib/") and not name.endswith(".png")}


def carried(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_wheel_carries_the_library_the_notebooks_and_the_data(source, wheel):
    assert carried(wheel) == shipped_of(source)
    assert wheel.stat().st_size < 1_200_000  # some 910 kB, of which data and notebooks are a third


def test_wheel_of_the_source_distribution_carries_the_same(source, wheel, tmp_path):
    program = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=source, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(archive))
    (built,) = tmp_path.glob("*.whl")
    assert carried(built) == carried(wheel)


def test_wheel_carries_the_licence_and_the_dependencies(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        text = archive.read(metadata).decode()
    assert any(name.endswith("/LICENSE") for name in names)
    assert "License-Expression: MIT" in text
    assert f"Requires-Python: {PROJECT['requires-python']}" in text
    for requirement in RUNTIME:
        assert f"Requires-Dist: {requirement}" in text


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder that holds the wheel's files and nothing else, far from any checkout."""
    target = tmp_path_factory.mktemp("installed") / "site"
    pip("install", "--no-index", "--target", str(target), str(wheel))
    return target


def outside(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs this Python with the installed library before any other, in another folder."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV"))}
    environment["PYTHONPATH"] = str(installed)
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_installed_wheel_imports_without_torch_and_plotly(installed, tmp_path):
    program = """
import sys
import fastscale_lib
print(fastscale_lib.__file__)
print(sorted({"torch", "plotly"} & set(sys.modules)))
"""
    file, loaded = outside(installed, tmp_path, "-c", program).stdout.splitlines()
    assert Path(file).is_relative_to(installed)
    assert loaded == "[]"


def test_installed_wheel_has_the_published_and_the_measured_rows(installed, tmp_path):
    program = """
import fastscale_lib as fs
from fastscale_lib.records.published_rows import data_folder
print(data_folder())
print(len(fs.records.published()), len(fs.records.published_errors()))
print(len(fs.Store(data_folder() / "measured" / "nvidia-h200.jsonl").rows()))
print(len(fs.Plan.read(data_folder() / "plans" / "cpu.yaml")))
"""
    folder, *numbers = outside(installed, tmp_path, "-c", program).stdout.splitlines()
    assert folder == str(installed / "fastscale_lib" / "data")
    rows = (REPO / "data" / "measured" / "nvidia-h200.jsonl").read_text("utf-8").splitlines()
    plan = fs.Plan.read(REPO / "data" / "plans" / "cpu.yaml")
    assert numbers == [
        f"{len(fs.records.published())} {len(fs.records.published_errors())}",
        f"{len(rows)}",
        f"{len(plan)}",
    ]


def test_installed_wheel_makes_a_report_of_its_own_notebooks(installed, tmp_path):
    done = outside(installed, tmp_path, "-m", "fastscale_lib", "report", "--only", "05")
    assert done.stdout.startswith("1 ran, 0 failed, 0 from the cache; verdicts: ")
    assert (tmp_path / "reports" / "05_accuracy_of_scaled_networks.html").is_file()


def test_installed_wheel_does_what_the_example_for_gitlab_says(installed, tmp_path):
    job = yaml.safe_load((REPO / "docs" / "examples" / "gitlab-ci.yml").read_text("utf-8"))["report"]
    line = job["script"][-1].replace("$NETWORKS", job["variables"]["NETWORKS"])
    outside(installed, tmp_path, "-m", "fastscale_lib", *shlex.split(line)[1:])
    kept = sorted(path.name for path in tmp_path.glob(job["artifacts"]["paths"][0]))
    assert kept == ["01_complexity_of_scaled_networks.html", "index.html"]
