"""What holds for all tests: how hypothesis draws, what runs in one process, and the pages that tests share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from fastscale_lib._common.light_imports import light_imports

with light_imports():  # for every test of this process
    import nbformat

# One thread for each process, these and those that they start: several wait for each other, spinning, where other
# tests keep the processors busy. It is set before numpy and torch are loaded, which read it once.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples on every run; `pytest --hypothesis-profile=explore` draws new and more ones.
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("ci")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that the user has kept is read, and nothing is kept among it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@dataclass(frozen=True)
class Reported:
    """What `fastscale report` left, and how it ended."""

    out: Path
    ended: subprocess.CompletedProcess
    seconds: float

    @classmethod
    def of(cls, out: Path, *arguments: str) -> Reported:
        """The real command in its fast profile, away from the repository."""
        command = [sys.executable, "-m", "fastscale_lib", "report", "--jobs", "2", "--out", str(out), *arguments]
        began = time.monotonic()
        ended = subprocess.run(command, cwd=out, capture_output=True, text=True)
        return cls(out, ended, time.monotonic() - began)


@pytest.fixture(scope="session")
def _out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="session")
def reported(_out: Path) -> Reported:
    """All notebooks by one command, once for all tests."""
    return Reported.of(_out)


@pytest.fixture(scope="session")
def page_of(request: pytest.FixtureRequest, _out: Path) -> Callable[[Path], Path]:
    """The page of a notebook in its fast profile, made once for all tests.

    Where a test wants all notebooks, one command makes all pages; else each is made when a test asks for it.
    """
    all_at_once = any("reported" in getattr(item, "fixturenames", ()) for item in request.session.items)

    @cache
    def page(notebook: Path) -> Path:
        done = request.getfixturevalue("reported") if all_at_once else Reported.of(_out, "--only", notebook.stem)
        made = done.out / f"{notebook.stem}.html"
        assert made.is_file(), done.ended.stderr
        return made

    return page


@pytest.fixture(scope="session")
def executed(page_of: Callable[[Path], Path]) -> Callable[[Path], nbformat.NotebookNode]:
    """A notebook executed in its fast profile in a fresh kernel, by `fastscale report`, once for all tests."""

    @cache
    def read(path: Path) -> nbformat.NotebookNode:
        run = page_of(path).parent / "runs" / path.stem
        assert json.loads((run / "run.json").read_text("utf-8"))["error"] is None
        return nbformat.read(run / path.name, nbformat.NO_CONVERT)

    return read


# Files whose tests share the pages that `reported` makes. They run in one process, and begin first: they take longest.
PAGES = (
    "tests/notebooks/",
    "tests/reports/test_report.py",
    "tests/reports/test_report_pages.py",
    "tests/browser/test_report_in_chromium.py",
)
# Files that take long begin before the others, so that no process ends long after the other.
LONG = (
    "tests/browser/test_explorer_in_jupyterlab.py",
    "tests/measuring/test_plan_runner.py",
    "tests/models/",
    "tests/architectures/test_tracing.py",
    "tests/training/",
    "tests/explorer/",
    "tests/test_cli.py",
    "tests/test_packaging.py",
    "tests/measuring/",
)


def _group(nodeid: str) -> str:
    """Tests of one group run in one process: those that share pages, and those of one file."""
    return "pages" if nodeid.startswith(PAGES) else nodeid.split("::", maxsplit=1)[0]


def _place(nodeid: str) -> int:
    """The place of a test's group in the order of running."""
    return next((place for place, each in enumerate((PAGES, *LONG)) if nodeid.startswith(each)), len(LONG) + 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: _place(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give groups to processes; pytest-xdist's own mark for groups does nothing with pytest 9.2."""
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return ByGroup(config, log)
