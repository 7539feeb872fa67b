"""Child processes run no code of the working folder, and why they ended is told."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from helpers.pipes import read_line, write_line
from helpers.waiting import HANGS_S

import fastscale_lib as fs
from fastscale_lib._common.child_process import cause, start_child
from fastscale_lib.measuring.child_handle import _death as death_of_a_measurement
from fastscale_lib.reports.execution import _death as death_of_a_notebook

TINY = fs.anynet(name="Tiny", depths=[1], widths=[16], group_widths=8, stem_width=16, resolution=32, classes=10)
PLAN = fs.Plan(TINY, batch=2, seconds=0.05, interval=0.5, device="cpu")
PACKAGE = Path(fs.__file__).parent

# What this command and the processes that it starts look for on the path: of Python, of packages, of this package.
SHADOWED = ["torch", "numpy", "pandas", "email", "zipfile", "papermill", "nbformat", "zmq", "ipykernel", "fastscale"]


@pytest.fixture
def trap(tmp_path) -> Path:
    """A folder with a plan, as from a zip file, and modules beside it that shadow those that a sweep imports."""
    folder = tmp_path / "from a zip"
    folder.mkdir()
    code = f"open({str(tmp_path / 'ran')!r}, 'a').write(__name__)\nraise SystemExit(77)\n"
    for name in SHADOWED:
        (folder / f"{name}.py").write_text(code)
    (folder / "plan.json").write_text(json.dumps(PLAN.to_dict()))
    return folder


def in_folder(folder: Path, command: list[str], **environment: str) -> subprocess.CompletedProcess:
    """Run the command in this folder, without this process's PYTHONPATH."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    return subprocess.run(
        command, cwd=folder, env={**kept, **environment}, capture_output=True, text=True, timeout=HANGS_S
    )


SWEEP = ["sweep", "plan.json", "--store", "rows.jsonl"]


@pytest.mark.parametrize("entry", [["-m", "fastscale_lib"], ["-mfastscale_lib"], ["-um", "fastscale_lib"]])
def test_a_sweep_runs_nothing_that_lies_beside_its_plan(trap, entry):
    done = in_folder(trap, [sys.executable, *entry, *SWEEP])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 of 1 points have a time")
    assert not (trap.parent / "ran").exists()


def test_the_trap_is_one(trap):
    """Python by itself imports what lies in the folder."""
    done = in_folder(trap, [sys.executable, "-c", "import numpy"])
    assert (done.returncode, (trap.parent / "ran").read_text()) == (77, "numpy")


def test_a_source_tree_that_is_not_installed_measures_with_itself(trap):
    """Yet neither its own folder nor what lies beside it is on the path of the child process."""
    tree = trap / PACKAGE.name
    shutil.copytree(PACKAGE, tree, ignore=shutil.ignore_patterns("__pycache__"))
    with (tree / "measuring" / "settings.py").open("a") as file:
        file.write(f"\nopen({str(trap / 'used')!r}, 'a').write(f'{{__file__}}\\n')\n")
    done = in_folder(trap, [sys.executable, "-m", "fastscale_lib", *SWEEP])
    assert done.returncode == 0, done.stderr
    assert (trap / "used").read_text().splitlines() == [
        str(tree / "measuring" / "settings.py")
    ] * 2  # the command's, and the other's
    assert not (trap.parent / "ran").exists()


@pytest.mark.parametrize("path", ["", os.pathsep, f"{os.pathsep}/more"])
def test_an_empty_part_of_pythonpath_is_not_the_working_folder(trap, monkeypatch, path):
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.chdir(trap)
    with fs.measuring.Worker() as worker:
        assert "cpu" in worker.devices()
    assert not (trap.parent / "ran").exists()


def test_older_pythons_leave_the_working_folder_out_too(trap):
    """Those before 3.11 do not know PYTHONSAFEPATH; an empty one is none."""
    with tempfile.TemporaryFile() as log:
        environment = {"PYTHONSAFEPATH": ""}
        child = start_child(
            "fastscale_lib.measuring.worker_process", log, stdout=subprocess.PIPE, cwd=trap, environment=environment
        )
        with child:
            write_line(child, json.dumps({"id": 1, "kind": "devices"}))
            assert "cpu" in json.loads(read_line(child))["devices"]
    assert not (trap.parent / "ran").exists()


def test_a_report_runs_nothing_that_lies_beside_its_notebooks(trap):
    """But the notebooks' own code, which has the same library."""
    import nbformat

    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_markdown_cell("# A title"),
        nbformat.v4.new_code_cell("number: int = 1", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("import fastscale_lib, numpy, torch\nfastscale_lib.__file__"),
    ]
    (trap / "notebooks").mkdir()
    for name in SHADOWED:
        (trap / "notebooks" / f"{name}.py").write_text((trap / f"{name}.py").read_text())
    nbformat.write(notebook, trap / "notebooks" / "01_first.ipynb")
    done = in_folder(
        trap, [sys.executable, "-m", "fastscale_lib", "report", "--notebooks", "notebooks", "--out", "out"]
    )
    assert done.returncode == 0, done.stderr
    assert not (trap.parent / "ran").exists()
    assert str(PACKAGE / "__init__.py") in (trap / "out" / "runs" / "01_first" / "01_first.ipynb").read_text()


def test_only_where_m_names_the_package_the_path_is_touched(tmp_path):
    (tmp_path / "mine.py").write_text("import fastscale_lib, sys, os\nprint(sys.path[0] == os.getcwd())")
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "__init__.py").write_text("import fastscale_lib")
    (tmp_path / "tool" / "__main__.py").write_text("import sys, os\nprint(sys.path[0] == os.getcwd())")
    for name in ("mine", "tool"):
        assert in_folder(tmp_path, [sys.executable, "-m", name]).stdout == "True\n"


# Why a process ended.

FRAMES = b'Traceback (most recent call last):\n  File "a.py", line 3, in f\n    raise ValueError\n'
WARNING = b"/lib/runpy.py:128: RuntimeWarning: found in sys.modules; this may be\n  warn(RuntimeWarning(msg))\n"
LOGS = {
    "an exception": (FRAMES + b"ValueError: no\n", "ValueError: no"),
    "and then a warning": (FRAMES + b"ValueError: no\n" + WARNING, "ValueError: no"),
    "of several lines": (FRAMES + b"subprocess.Error: no\nand more\n  and more\n", "subprocess.Error: no"),
    "of another": (FRAMES + b"KeyError: 1\n\nDuring handling ...:\n\n" + FRAMES + b"OSError: 2\n", "OSError: 2"),
    "and one at its end": (
        FRAMES + b"OSError: 1\nException ignored in: <f>\n" + FRAMES + b"KeyError: 2\n",
        "OSError: 1",
    ),
    "no more than a warning": (WARNING, ""),
    "a word": (WARNING + b"Aborted!\n" + WARNING, "Aborted!"),
    "nothing": (b"", ""),
    "no text": (b"\xff\xfe\n", "\ufffd\ufffd"),
    "too much": (FRAMES + b"ValueError: " + b"x" * 9999, "ValueError: " + "x" * 287 + "…"),
}


@pytest.mark.parametrize(("log", "said"), LOGS.values(), ids=LOGS)
def test_the_cause_is_the_exception_and_no_warning(log, said):
    assert cause(io.BytesIO(log)) == said
    more = f": {said}" if said else ""
    assert death_of_a_measurement(1, io.BytesIO(log)) == f"the measuring process ended with code 1{more}"
    assert death_of_a_notebook(1, io.BytesIO(log)) == f"its process died (exit status 1){more}"


def test_the_cause_is_the_signal_where_there_was_one():
    warned = io.BytesIO(WARNING)
    assert "was killed (signal 9), which is what the system does" in death_of_a_measurement(-9, warned)
    assert "crashed (signal 11, Segmentation fault)" in death_of_a_measurement(-11, warned)
    assert death_of_a_notebook(-11, warned) == "its process died (signal 11, Segmentation fault)"


def test_a_real_process_that_ends_by_an_exception_names_it(tmp_path, monkeypatch):
    """In its imports, where nothing catches it; and it has warned on its way."""
    (tmp_path / "torch.py").write_text(
        "import warnings\nwarnings.warn('first')\nimport atexit\natexit.register(warnings.warn, 'last')\n"
        "raise SystemExit('this torch is broken')"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # which is asked for, and so is run
    with fs.measuring.Worker() as worker, pytest.raises(fs.records.MeasureError) as died:
        worker.devices()
    assert died.value.reason == "died"
    assert str(died.value) == "the measuring process ended with code 1: this torch is broken"
