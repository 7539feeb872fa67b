"""Benchmarks: `pytest tests/benchmarks`; with `--json FILE` the figures are kept as well.

They print ratios against a named reference in the same run, and hold nothing to an absolute time: machines differ.
"""

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# One core, for us and for what we are compared with; before numpy and torch are loaded.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[variable] = "1"

import pytest  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--json", metavar="FILE", help="write the benchmarks' figures to this file")


def pytest_collect_file(file_path, parent):
    """Files are named bench_*.py, so that the test suite leaves them out."""
    if file_path.match("bench_*.py") and not parent.session.isinitpath(file_path):  # one that is named comes anyway
        return pytest.Module.from_parent(parent, path=file_path)
    return None


class Report:
    """Prints a table for each benchmark, past pytest's capture, and keeps the figures."""

    def __init__(self, figures: dict[str, Any], printed: Callable):
        self.figures, self.printed = figures, printed

    def table(self, title: str, rows: list[tuple[str, str, str]], **figures: Any) -> None:
        self.figures[title] = figures
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        with self.printed():
            print(f"\n\n{title}")
            for name, value, remark in rows:
                print(f"  {name:<{widths[0]}}  {value:>{widths[1]}}  {remark}")


@pytest.fixture(scope="session")
def figures(request) -> Iterator[dict[str, Any]]:
    kept: dict[str, Any] = {}
    yield kept
    if file := request.config.getoption("--json"):
        machine = {"python": platform.python_version(), "machine": platform.processor() or platform.machine()}
        load = {"cores": os.cpu_count(), "load": os.getloadavg()[0]} if hasattr(os, "getloadavg") else {}
        Path(file).write_text(json.dumps({**machine, **load, "benchmarks": kept}, indent=1) + "\n", "utf-8")


@pytest.fixture
def report(figures, capsys) -> Report:
    return Report(figures, capsys.disabled)


@pytest.fixture
def best_of() -> Callable[[int, Callable[[], Any]], float]:
    """The shortest of n runs, in seconds: what the work takes where nothing else interferes."""

    def timed(n: int, run: Callable[[], Any]) -> float:
        run()
        times = []
        for _ in range(n):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        return min(times)

    return timed
