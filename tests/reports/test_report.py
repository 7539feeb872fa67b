"""`fastscale report`: what is asked for is checked, run apart, kept, and written; stopped, it goes on."""

import ast
import errno
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import nbformat
import papermill
import pytest
import yaml
from helpers.notebooks import NOTEBOOKS, REPO, named, outputs, stored
from helpers.posix import posix
from helpers.waiting import HANGS_S, until

import fastscale_lib as fs
from fastscale_lib import cli
from fastscale_lib._common import shipped
from fastscale_lib.analysis import claims
from fastscale_lib.reports import cache, engine, plots, selection
from fastscale_lib.reports.execution import Stopped
from fastscale_lib.reports.parameter_types import ParameterError
from fastscale_lib.reports.result import LARGEST_PAGE
from fastscale_lib.reports.selection import SelectionError


def write(folder: Path, stem: str, *cells: str, parameters: str = "") -> Path:
    """A notebook of these code cells, the parameters first."""
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "another", "display_name": "Another", "language": "python"}}
    )
    notebook.cells = [nbformat.v4.new_markdown_cell(f"# The story of {stem}")]
    notebook.cells += [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})] if parameters else []
    notebook.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / f"{stem}.ipynb")
    return folder / f"{stem}.ipynb"


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "notebooks"


@pytest.fixture
def quick(folder, tmp_path, monkeypatch) -> "Quick":
    """Notebooks that nothing executes: what is run, when, and with what is written down."""
    return Quick(folder, tmp_path / "reports", monkeypatch)


class Quick:
    def __init__(self, folder, out, monkeypatch):
        self.folder, self.out, self.ran, self.times = folder, out, [], {}
        self.fails, self.takes_s, self.meet = {}, {}, {}
        monkeypatch.setattr(engine, "execute", self.execute)
        monkeypatch.setattr(engine, "_machine", lambda tasks: {"device": "a CPU", **self.machine})
        monkeypatch.setattr(engine.pages, "render", lambda report, site: report.title)
        monkeypatch.setattr(engine.pages, "index", lambda reports, site: "\n".join(report.name for report in reports))
        self.machine = {}
        write(folder, "01_first", parameters="alpha: Share = 0.8\nscales: list[float] = [1.0]")
        write(folder, "02_second", parameters="network: str = 'ResNet-50'\nmeasure: bool = False")

    def execute(self, task, folder, limit, stop, *_):
        began = time.monotonic()
        time.sleep(self.takes_s.get(task.name, 0))
        if task.name in self.meet:
            self.meet[task.name].wait(HANGS_S)
        self.ran.append(task.name)
        (folder / task.notebook.name).write_bytes(task.notebook.read_bytes())
        self.times[task.name] = (began, time.monotonic())
        return self.fails.get(task.name)

    def __call__(self, *only, **settings):
        """The reports, and which of them were run for this."""
        self.ran.clear()
        settings = {"notebooks": self.folder, "out": self.out, "progress": lambda step: None, **settings}
        return fs.report(only, **settings), sorted(self.ran)


# Which notebooks, with which parameters


def test_the_package_is_light_until_a_report_is_made():
    program = """
import sys
import fastscale_lib as fs
from fastscale_lib.reports.parameters import settle
print("report" in dir(fs), sorted({"torch", "plotly", "papermill", "nbformat", "yaml"} & set(sys.modules)))
print(*sorted(name for name in sys.modules if name.startswith("fastscale_lib.report")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [
        "True []",
        "fastscale_lib.reports fastscale_lib.reports.parameter_types fastscale_lib.reports.parameters",
    ]


@pytest.mark.parametrize(
    ("only", "chosen"),
    [
        ((), ["01_first", "02_second"]),
        (["02"], ["02_second"]),
        (["2", "01_first.ipynb"], ["01_first", "02_second"]),
        (["01_f"], ["01_first"]),
    ],
)
def test_notebooks_are_named_by_what_they_begin_with(quick, only, chosen):
    reports, _ = quick(*only)
    assert [each.name for each in reports] == chosen
    assert [each.title for each in reports] == [f"The story of {name}" for name in chosen]
    assert [each.page.read_text() for each in reports] == [each.title for each in reports]
    assert (quick.out / "index.html").read_text().split() == chosen


def test_a_parameter_goes_to_who_takes_it_and_before_the_profile(quick):
    profiles = {"fast": {"01_first": {"alpha": 0.1, "scales": [4]}}, "paper": {}}
    (quick.folder / "profiles.yaml").write_text(yaml.safe_dump(profiles))
    (first, second), _ = quick(parameters={"alpha": "0.7"})
    assert first.parameters == {"alpha": 0.7, "scales": [4.0]}
    assert second.parameters == {"network": "ResNet-50", "measure": False}
    assert (first.made["profile"], second.made["profile"]) == ("fast", "fast")
    (first, _), _ = quick(profile="paper")
    assert first.parameters == {"alpha": 0.8, "scales": [1.0]}


def test_a_grid_gives_a_report_each_under_a_name_of_its_own(quick):
    reports, _ = quick(grid={"alpha": ["0.5", 0.8, 0.5], "scales": [[1, 2], 4]})
    assert [each.name for each in reports] == [
        "01_first alpha=0.5 scales=[1.0,2.0]",
        "01_first alpha=0.5 scales=[4.0]",
        "01_first alpha=0.8 scales=[1.0,2.0]",
        "01_first alpha=0.8 scales=[4.0]",
        "02_second",
    ]
    assert [each.parameters["scales"] for each in reports[:2]] == [[1.0, 2.0], [4.0]]


@pytest.mark.parametrize("text", ["../../etc/passwd", "a/b\\c:d*e?", "x" * 400, "<script>", "über", " ", "..", "{pm}"])
def test_a_name_is_fit_for_a_file_whatever_a_parameter_says(quick, text):
    write(quick.folder, "03_text", parameters="title: str = ''")
    reports, _ = quick("03", grid={"title": [text, text + "/", "plain"]})
    assert len({each.page for each in reports}) == 3
    for each in reports:
        assert each.page.parent == quick.out
        assert each.notebook.parent.parent == quick.out / "runs"
        assert each.page.is_file()
    assert [each.parameters["title"] for each in reports] == [text, text + "/", "plain"]


def test_no_report_takes_the_index_s_place(quick):
    write(quick.folder, "index")
    [report], _ = quick("index")
    assert report.page.name != "index.html"


def test_files_that_are_named_are_found_from_where_the_command_was_given(quick, tmp_path, monkeypatch):
    write(quick.folder, "03_files", parameters="stores: list[str] = []\ndata: str = ''")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("")
    [report], _ = quick("03", parameters={"stores": "rows.jsonl"})
    assert report.parameters == {"stores": [str(tmp_path / "rows.jsonl")], "data": ""}
    with pytest.raises(ParameterError, match=r"stores names 'lost.jsonl', but there is no /"):
        quick("03", parameters={"stores": ["lost.jsonl"]})


# Refused before anything runs


def refused(capsys, folder, *arguments: str) -> str:
    """What the command says; it has run nothing, and written nothing."""
    out = folder.parent / "refused"
    assert cli.main(["report", "--notebooks", str(folder), "--out", str(out), *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert not out.exists()
    return shown.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "-p alpa=0.7",
            "'alpa' is no parameter of the notebooks asked for, which fastscale report --parameters lists; did you "
            "mean alpha?",
        ),
        ("--only 02 -p alpha=0.7", "'alpha' is no parameter of the notebooks asked for, which fastscale report"),
        (
            "-p alpha=1.5",
            "01_first: alpha is '1.5', but must be a number 0 to 1; try alpha=0.8",
        ),
        ("-p alpha=0.5,0.8", "several at once are a grid"),
        ("-p network=ResNet-51", "02_second: network: 'ResNet-51' is not a base network; the nearest names are ResNet"),
        ("-p alpha", "-p alpha: a parameter is given as NAME=VALUE"),
        ("-p alpha=1 -p alpha=0", "-p alpha=0: alpha is given twice"),
        ("-p alpha=0.5,2 --grid", "01_first: alpha is '2', but must be a number 0 to 1"),
        ("-p scales=[1,2 --grid", "the grid '[1,2' does not read as values with commas between"),
        ("-p alpha=1 --grid", "--grid has no grid"),
        ("--only 03", "no notebook in"),
        ("--only ''", "begins with ''; there are 01_first, 02_second"),
        ("--profile slow", "profiles.yaml with a profile 'slow'; leave the profile out"),
        ("--jobs 0", "jobs is 0, but must be a whole number of at least 1"),
        ("--limit 0", "limit is 0.0, but must be a number of seconds above 0"),
        ("--limit nan", "limit is nan, but must be"),
        ("--notebooks /nowhere", "there is no notebook in /nowhere"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(quick, capsys, arguments, said):
    shown = refused(capsys, quick.folder, *shlex.split(arguments))
    assert shown.startswith("fastscale: ")
    assert said in shown
    assert shown.count("\n") == 1  # a sentence
    assert "Traceback" not in shown


def test_what_notebooks_take_is_listed_on_request(quick, capsys):
    assert cli.main(["report", "--notebooks", str(quick.folder), "--parameters", "--only", "01"]) == cli.DONE
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "01_first takes"
    assert [line.split(":")[0].strip() for line in said[1:]] == ["alpha", "scales"]
    assert quick.ran == []
    assert cli.main(["report", "--notebooks", str(quick.folder), "--parameters", "--only", "09"]) == cli.WRONG


@pytest.mark.parametrize(
    ("profiles", "said"),
    [
        (
            "fast: {01_first: {alpa: 1}}",
            "01_first: 'alpa' is set by profiles.yaml, but no parameter; did you mean alpha?",
        ),
        ("fast: {01_first: {alpha: big}}", "01_first: alpha is 'big', but must be a number"),
        ("paper: {}", "'fast' is no profile of"),
        ("- fast", "does not read as profiles"),
        ("fast: [", "does not read as profiles"),
    ],
)
def test_a_wrong_profile_is_said(quick, capsys, profiles, said):
    (quick.folder / "profiles.yaml").write_text(profiles)
    assert said in refused(capsys, quick.folder)


def test_a_wrong_notebook_is_said(quick, capsys):
    write(quick.folder, "03_wrong", parameters="x = len('x')")
    assert "03_wrong: parameters: \"x = len('x')\" is not of the form `name: type = value`" in refused(
        capsys, quick.folder
    )
    (quick.folder / "03_wrong.ipynb").write_text("{")
    assert "03_wrong.ipynb is no notebook that can be read" in refused(capsys, quick.folder)


def test_a_device_that_is_not_here_is_said(folder, capsys):
    write(folder, "01_timed", "raise SystemExit", parameters="device: str = ''")
    assert "device is 'cuda:99', but must be a device that torch finds here" in refused(
        capsys, folder, "-p", "device=cuda:99"
    )


def test_without_notebooks_the_command_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "LIBRARY", tmp_path / "site" / "fastscale_lib")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SelectionError, match="name your own by --notebooks DIR"):
        fs.report(out=tmp_path / "reports")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_data_that_lacks_what_the_notebook_reads_is_said(folder, tmp_path, capsys):
    write(folder, "01_reads", "1 / 0", parameters="data: DataFolder = ''")
    (tmp_path / "mine" / "published").mkdir(parents=True)
    said = refused(capsys, folder, "-p", f"data={tmp_path / 'mine'}")
    assert "mine holds no folder measured; give a folder that holds published/ and measured/" in said


def test_a_variable_that_names_no_data_is_said(quick, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTSCALE_DATA", str(tmp_path))
    assert "FASTSCALE_DATA names" in refused(capsys, quick.folder)


def test_notebooks_of_a_checkout_read_the_data_beside_them(tmp_path, monkeypatch):
    """Wherever the command is given, whichever library runs them, and wherever the pages go."""
    base = tmp_path / "checkout"
    shutil.copytree(REPO / "data" / "published", base / "data" / "published")
    write(
        base / "notebooks",
        "01_asks",
        "from fastscale_lib.records.published_rows import data_folder\nprint(data_folder())",
    )
    monkeypatch.chdir(tmp_path)
    [report] = fs.report(notebooks=base / "notebooks", out=tmp_path / "out", progress=lambda step: None)
    assert outputs(stored(report.notebook))[0].text == f"{base / 'data'}\n"


def test_on_a_machine_that_only_measures_the_command_says_what_is_missing(quick, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastscale_lib.reports.engine", None)
    assert "report takes the package fastscale_lib.reports.engine, which is not" in refused(capsys, quick.folder)


def test_a_folder_that_gives_no_locks_is_not_taken_for_one_in_use(quick, monkeypatch):
    def unlockable(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(pytest.importorskip("fcntl"), "flock", unlockable)
    with pytest.raises(SelectionError, match=r"cannot be written \(No locks available\); name another folder by --out"):
        quick()


def test_a_folder_is_written_by_one_at_a_time(quick):
    pytest.importorskip("fcntl")
    with engine._alone_in(quick.out), pytest.raises(SelectionError, match="another report is being written to"):
        quick()
    (quick.out.parent / "file").write_text("")
    with pytest.raises(SelectionError, match="file is no folder"):
        quick(out=quick.out.parent / "file")


@posix
def test_a_folder_that_cannot_be_written_is_said(quick):
    with pytest.raises(SelectionError, match=r"/proc/reports cannot be written \(.+\); name another folder by --out"):
        quick(out="/proc/reports")
    assert quick.ran == []


def test_a_disk_without_room_for_the_pages_is_said_before_anything_runs(quick, monkeypatch):
    monkeypatch.setattr(engine.shutil, "disk_usage", lambda path: SimpleNamespace(free=2_000_000))
    with pytest.raises(
        SelectionError, match=r"has 2 MB left, but pages of at most 1.5 MB each may take 3 MB; make room"
    ):
        quick()
    assert quick.ran == []
    assert len(quick("01")[0]) == 1  # one has room


def test_a_page_that_cannot_be_written_is_said_and_the_others_are(quick, capsys):
    quick.out.mkdir()
    (quick.out / "01_first.html").mkdir()
    (first, second), ran = quick()
    assert re.fullmatch(r"its page cannot be written \(.+\); name another folder by --out .+", first.error)
    assert (second.error, second.page.read_text()) == (None, "The story of 02_second")
    assert ran == ["01_first", "02_second"]
    (quick.out / "01_first.html").rmdir()
    (first, _), ran = quick()  # what had run was kept
    assert (first.error, first.page.read_text(), ran) == (None, "The story of 01_first", [])
    assert not list(quick.out.glob("*.part"))


def test_an_index_that_cannot_be_written_is_said_and_what_ran_is_kept(quick):
    (quick.out / "index.html").mkdir(parents=True)
    with pytest.raises(SelectionError, match=r"index\.html cannot be written .+; what has run is kept"):
        quick()
    (quick.out / "index.html").rmdir()
    assert quick()[1] == []


# What has run is not run again


def test_the_same_is_taken_from_the_cache(quick):
    first, ran = quick()
    assert ran == ["01_first", "02_second"]
    again, ran = quick()
    assert ran == []
    assert [each.cached for each in (*first, *again)] == [False, False, True, True]
    assert [each.made for each in again] == [each.made for each in first]  # the date is that of the run
    assert quick(force=True)[1] == ["01_first", "02_second"]


def test_other_parameters_run_and_the_earlier_ones_are_still_kept(quick):
    quick("01")
    assert quick("01", parameters={"alpha": 0.5})[1] == ["01_first"]
    [back], ran = quick("01")
    assert (back.parameters["alpha"], ran) == (0.8, [])
    assert quick("01", parameters={"alpha": 0.5})[1] == []
    assert quick("01", grid={"alpha": [0.5, 0.6]})[1] == ["01_first alpha=0.6"]  # whatever name it had


def test_what_a_run_depends_on_decides(quick, tmp_path, monkeypatch):
    write(quick.folder, "03_files", parameters="stores: list[str] = []")
    (tmp_path / "rows.jsonl").write_text("")
    settings = {"parameters": {"stores": str(tmp_path / "rows.jsonl")}}
    assert quick("03", **settings)[1] == ["03_files"]
    assert quick("03", **settings)[1] == []
    (tmp_path / "rows.jsonl").write_text("{}\n")
    assert quick("03", **settings)[1] == ["03_files"], "a store that is named"
    write(quick.folder, "03_files", "1", parameters="stores: list[str] = []")
    assert quick("03", **settings)[1] == ["03_files"], "the notebook's source"
    for name in ("device", "python", "torch", "fastscale"):
        quick.machine = {**quick.machine, name: "another"}
        assert quick("03", **settings)[1] == ["03_files"], name
    data = tmp_path / "data"
    (data / "published").mkdir(parents=True)
    monkeypatch.setattr(engine, "data_folder", lambda: data)
    assert quick("03", **settings)[1] == ["03_files"], "the data folder"
    assert quick("03", **settings)[1] == []
    (data / "published" / "table.csv").write_text("1")
    assert quick("03", **settings)[1] == ["03_files"], "its content"
    monkeypatch.setattr(
        engine.datasets, "fashion_mnist_folder", lambda: None if engine.datasets.DEBIAN.exists() else tmp_path
    )
    assert quick("03", **settings)[1] == ["03_files"], "whether Fashion-MNIST is here"
    assert quick("03", **settings)[1] == []


def test_what_rests_on_probes_runs_again_when_these_have_changed(quick, tmp_path, monkeypatch):
    """The first run measures them: so it is kept under those that it leaves."""
    probes = tmp_path / "fastscale" / "calibration.jsonl"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    write(quick.folder, "03_fitted", parameters="device_name: str = ''")
    calibrated = {"parameters": {"device_name": "calibrate"}}
    execute = engine.execute

    def measure(*task):
        probes.parent.mkdir(exist_ok=True)
        probes.touch()
        return execute(*task)

    monkeypatch.setattr(engine, "execute", measure)
    assert [quick("03", **calibrated)[1] for _ in range(2)] == [["03_fitted"], []]
    assert [quick("03")[1] for _ in range(2)] == [["03_fitted"], []]
    probes.write_text("{}\n")
    assert quick("03", **calibrated)[1] == ["03_fitted"]
    assert quick("03")[1] == []


def test_of_the_runs_kept_aside_the_oldest_go(quick, monkeypatch):
    monkeypatch.setattr(cache, "_KEPT", 2)
    for alpha in (0.1, 0.2, 0.3, 0.4, 0.5):
        quick("01", parameters={"alpha": alpha})
    (quick.out / "runs" / ".earlier" / "a file").touch()
    ran = [quick("01", parameters={"alpha": alpha})[1] for alpha in (0.5, 0.4, 0.3, 0.1)]
    assert ran == [[], [], [], ["01_first"]]

    def refuse(path, ignore_errors=False):
        if not ignore_errors:
            raise OSError("a file in use")

    quick("01", parameters={"alpha": 0.6})
    monkeypatch.setattr(cache.shutil, "rmtree", refuse)
    assert quick("01", parameters={"alpha": 0.7})[0][0].error is None


def test_places_that_hold_the_same_run_are_cleared_by_several_at_once(quick):
    names = [f"0{number}_n" for number in range(3, 9)]
    quick.takes_s = dict.fromkeys(names, 0.05)
    for name in names:
        write(quick.folder, name)
    quick(*names)
    for name in names[1:]:  # as copies have one key
        shutil.copy(quick.out / "runs" / names[0] / "run.json", quick.out / "runs" / name / "run.json")
    reports, ran = quick(*names, jobs=6, force=True)
    assert ran == names
    assert [each.error for each in reports] == [None] * 6


def test_a_run_that_failed_or_was_cut_short_is_run_again(quick):
    quick.fails = {"01_first": "a reason"}
    reports, _ = quick()
    assert [each.error for each in reports] == ["a reason", None]
    assert quick()[1] == ["01_first"]
    quick.fails = {}
    (report, _), ran = quick()
    assert (report.error, ran) == (None, ["01_first"])
    (report.notebook.parent / "run.json").unlink()  # as a killed run leaves it
    assert quick()[1] == ["01_first"]
    report.notebook.write_text(report.notebook.read_text()[:100])  # as a full disk does
    assert quick()[1] == ["01_first"]


# Several at a time, and those that measure alone


def test_what_measures_runs_alone_after_the_others(quick):
    names = {f"0{number}_n": number in (3, 5) for number in range(3, 8)}
    for name, measures in names.items():
        write(quick.folder, name, parameters=f"measure: bool = {measures}")
    others = [name for name, measures in names.items() if not measures]
    quick.meet = dict.fromkeys(others, threading.Barrier(3))  # none ends before all have begun
    quick.takes_s = {name: 0.1 for name in names if name not in others}
    steps = []
    quick(*names, jobs=3, progress=steps.append)

    def overlap(a: str, b: str) -> bool:
        return max(quick.times[a][0], quick.times[b][0]) < min(quick.times[a][1], quick.times[b][1])

    together = {pair for pair in combinations(names, 2) if overlap(*pair)}
    assert together == set(combinations(others, 2))
    assert max(quick.times[name][1] for name in others) <= quick.times["03_n"][0]
    assert [step.done for step in steps] == list(range(6))
    assert steps[0].total == 5


def test_one_that_times_probes_is_one_that_measures(quick):
    write(quick.folder, "03_fitted", parameters="device_name: str = 'calibrate'")
    [fitted, *others] = selection.tasks(quick.folder, ["03", "01"], None, {}, {})[::-1]
    assert fitted.measures
    assert not any(each.measures for each in others)


def test_a_caller_who_gives_up_stops_what_runs(quick, monkeypatch):
    """As Ctrl-C does: what is in hand is told to stop, what waits never begins."""
    told = []

    def execute(task, folder, limit, stop, *_):
        if task.name == "01_first":
            return quick.execute(task, folder, limit, stop)
        told.append((task.name, stop.wait(30)))
        raise Stopped

    def give_up(step):
        if step.done:
            raise KeyboardInterrupt

    for number in (3, 4, 5):
        write(quick.folder, f"0{number}_n")
    monkeypatch.setattr(engine, "execute", execute)
    with pytest.raises(KeyboardInterrupt):
        quick(jobs=2, progress=give_up)
    assert quick.ran == ["01_first"]
    assert 1 <= len(told) <= 2
    assert all(stopped for _, stopped in told)


# With real kernels

STRANGE = [
    '"',
    "'''",
    "\\",
    "a\nb",
    "{alpha}",
    "__import__('os')._exit(3)",
    "</script>",
    "𝛼 \x00\x7f",
    "%time 1",
    "!ls",
]


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> dict[str, engine.Report]:
    """Small notebooks, run at once: one keeps what it was given, the others fail each in its own way."""
    base = tmp_path_factory.mktemp("ran {braces}")
    folder = base / "notebooks"
    keep = "import json, pathlib\npathlib.Path('kept.json').write_text(json.dumps([text, texts, scales, device]))"
    parameters = "text: str = ''\ntexts: list[str] = []\nscales: list[float] = [1.0]\ndevice: str = 'cpu'"
    figure = "import plotly.graph_objects as go\nimport pandas as pd\ngo.Figure(go.Scatter(y=[1, 2]))\n# </script>"
    widget = "import ipywidgets\nipywidgets.IntSlider()"
    where = "import fastscale_lib, sys\n[fastscale_lib.__file__, sys.executable]"
    write(folder, "01_kept {alpha}", keep, figure, widget, where, parameters=parameters)
    write(folder, "02_raises", "1 / 0", "print('never')", parameters="text: str = ''")
    write(folder, "03_dies", "import os", "os.kill(os.getpid(), 9)")
    given = {"text": "".join(STRANGE), "texts": STRANGE, "scales": "[1,2,8]"}
    reports = fs.report(parameters=given, notebooks=folder, out=base / "out", progress=lambda step: None)
    return {each.name.split("_")[0]: each for each in reports}


def test_values_arrive_as_they_were_given_and_are_never_run(ran):
    """Among them what would be code, if anything ran it; and a notebook's name that papermill would fill in."""
    assert ran["01"].error is None
    kept = json.loads((ran["01"].notebook.parent / "kept.json").read_text())
    assert kept == ["".join(STRANGE), STRANGE, [1.0, 2.0, 8.0], "cpu"]
    assert ran["01"].parameters == {"text": kept[0], "texts": STRANGE, "scales": [1.0, 2.0, 8.0], "device": "cpu"}


def test_figures_are_kept_as_data_and_widgets_without_their_state(ran):
    notebook = stored(ran["01"].notebook)
    _, figure, widget, _ = (output.data for output in outputs(notebook))
    assert "application/vnd.plotly.v1+json" in figure
    assert "text/html" not in figure
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert set(notebook.metadata) == {"kernelspec", "language_info"}  # no widget state, no folder of this machine
    assert ran["01"].notebook.stat().st_size < 100_000


def test_the_kernel_has_the_same_python_and_library_as_the_command(ran):
    """Although the notebook asks for another kernel."""
    [*_, shown] = outputs(stored(ran["01"].notebook))
    assert ast.literal_eval(shown.data["text/plain"]) == [fs.__file__, sys.executable]  # IPython folds long lists


def test_a_failing_notebook_says_why_and_does_not_stop_the_others(ran):
    assert ran["02"].error == "cell [3]: ZeroDivisionError: division by zero"  # 1: parameters, 2: papermill's
    assert [output.output_type for output in outputs(stored(ran["02"].notebook))] == ["error"]
    assert len(stored(ran["02"].notebook).cells) == 5  # nothing of papermill's beside its parameters
    assert ran["03"].error.startswith("its process died (exit status 1): ")
    assert "Kernel died" in ran["03"].error
    for each in ran.values():
        page = each.page.read_text("utf-8")
        assert f"The story of {each.notebook.stem}" in page
        assert "never" not in "".join(str(output) for output in outputs(stored(each.notebook)))
        if each.error:
            assert each.error.split(": ")[-1] in page


def test_a_report_says_where_and_by_what_it_was_made(ran):
    made = ran["01"].made
    assert made["fastscale"] == fs.__version__
    assert made["python"] == sys.version.split()[0]
    assert {"date", "torch", "device", "profile"} <= set(made)
    run = json.loads((ran["01"].notebook.parent / "run.json").read_text())
    assert run["made"] == made
    assert run["parameters"] == ran["01"].parameters


def test_fastscale_s_own_notebooks_are_told_from_others(tmp_path, folder):
    shutil.copytree(REPO / "notebooks", tmp_path / "copy")
    write(folder, "01_mine")
    assert [selection.is_own(each) for each in (REPO / "notebooks", tmp_path / "copy", folder)] == [True, True, False]


def test_a_checkout_s_commit_is_known():
    known = cache.commit()
    if (REPO / ".git").exists():
        asked = ["git", "-C", str(REPO), "rev-parse", "HEAD"]
        head = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        assert head.startswith(known["commit"].removesuffix(", changed"))
    else:
        assert known == {}


def test_a_notebook_that_takes_too_long_is_ended(folder, tmp_path):
    slow = f"import pathlib, time\ntime.sleep({HANGS_S})\npathlib.Path('slept').touch()"
    write(folder, "01_long", slow)
    [report] = fs.report(notebooks=folder, out=tmp_path / "out", limit=1, progress=lambda step: None)
    assert report.error == "it was ended after 1 s, its time limit"
    assert report.page.is_file()
    assert not (tmp_path / "out" / "runs" / "01_long" / "slept").exists()


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be fetched by a parent does not."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


def goes_on(process: subprocess.Popen) -> bool:
    assert process.poll() is None, process.communicate()
    return True


@posix
@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_a_report_that_is_stopped_ends_its_kernels_and_goes_on(folder, tmp_path, kill):
    """What is done is kept; the run that was cut short is not taken for done.

    By SIGTERM where SIGINT is ignored, as in what a script has put in the background; and whichever these tests have
    inherited.
    """
    sigint = signal.SIG_IGN if kill == signal.SIGTERM else signal.SIG_DFL
    out, gate = tmp_path / "out", tmp_path / "gate"
    slow = "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\n"
    slow += f"while not pathlib.Path({str(gate)!r}).exists():\n    time.sleep(0.1)"
    write(folder, "01_done")
    write(folder, "02_slow", slow)
    command = [sys.executable, "-m", "fastscale_lib", "report", "--notebooks", str(folder), "--out", str(out)]
    start = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": tmp_path}
    start["env"] = {**os.environ, "PYTHONPATH": str(REPO)}
    start["preexec_fn"] = lambda: signal.signal(signal.SIGINT, sigint)
    process = subprocess.Popen([*command, "--jobs", "2"], **start)
    pid = out / "runs" / "02_slow" / "pid"
    begun = lambda: (out / "01_done.html").is_file() and pid.is_file() and pid.read_text()  # noqa: E731
    until(lambda: begun() or not goes_on(process))
    kernel = int(pid.read_text())
    process.send_signal(kill)
    _, said = process.communicate(timeout=HANGS_S)
    until(lambda: not alive(kernel))
    assert not (out / "runs" / "02_slow" / "run.json").exists()
    if kill != signal.SIGKILL:
        assert process.returncode == 130
        assert said.endswith("fastscale: stopped; run the same command again to go on\n")
        assert "Traceback" not in said

    gate.write_text("")
    done = subprocess.run(command, **start, timeout=HANGS_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"1 ran, 0 failed, 1 from the cache; verdicts: none: {out / 'index.html'}\n"


def test_a_report_that_no_page_can_be_made_of_says_so(quick, monkeypatch):
    def render(report, names):
        return report.title if report.name == "01_first" else {}["<b>"]

    monkeypatch.setattr(engine.pages, "render", render)
    (first, second), _ = quick()
    assert first.error is None
    assert second.error == "no page can be made of it: KeyError: '<b>'"
    assert "no page can be made of it: KeyError: &#x27;&lt;b&gt;&#x27;" in second.page.read_text("utf-8")


def test_what_goes_wrong_around_one_notebook_is_its_own_failure(quick, monkeypatch):
    """Such as a disk that is full; the others run, and what it left before is not shown for it."""
    quick()
    begin = cache.Runs.begin

    def full(runs, task):
        if task.name == "01_first":
            raise OSError(28, "No space left on device")
        return begin(runs, task)

    monkeypatch.setattr(cache.Runs, "begin", full)
    (first, second), ran = quick(force=True)
    assert first.error == "it could not be run: OSError: [Errno 28] No space left on device"
    assert (first.title, first.page.read_text("utf-8").count(first.error)) == ("01_first", 1)
    assert (second.error, ran) == (None, ["02_second"])


HOSTILE = {
    "01_null": {plots.MIME: {"data": None, "layout": {"annotations": None, "xaxis": None, "title": None}}},
    "02_lacks": {claims.MIME: [{"claim": "counts", "paper": 1}]},
    "03_text": {claims.MIME: [{**asdict(claims.Claim("counts", 1, 1)), "paper": "1"}]},
    "04_list": {plots.MIME: {"data": [1, None], "layout": []}},
    "05_deep": {plots.MIME: "a text"},
    "06_nothing": {claims.MIME: None},
}


def test_whatever_a_notebook_shows_there_is_an_index_and_a_sentence(tmp_path, monkeypatch, capsys):
    """Of own notebooks, nothing is known of what they show. Nothing executes these."""
    folder, out = tmp_path / "notebooks", tmp_path / "out"
    for stem, shown in HOSTILE.items():
        path = write(folder, stem, "show()")
        notebook = stored(path)
        notebook.cells[-1].outputs = [{"output_type": "display_data", "metadata": {}, "data": shown}]
        path.write_text(json.dumps(notebook))
    write(folder, "07_plain", "1")
    monkeypatch.setattr(engine, "_machine", lambda tasks: {"device": "a CPU"})
    monkeypatch.setattr(
        engine, "execute", lambda task, folder, *_: shutil.copy(task.notebook, folder / task.notebook.name) and None
    )
    assert cli.main(["report", "--notebooks", str(folder), "--out", str(out)]) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("2 ran, 5 failed, 0 from the cache; verdicts: none: ")
    assert "Traceback" not in shown.err
    said = dict(re.findall(r"^fastscale: (\w+) failed: (.+)$", shown.err, re.MULTILINE))
    assert set(said) == set(HOSTILE) - {"01_null"}
    assert said["02_lacks"].startswith(
        "no page can be made of it: ClaimError: claims: the row 'counts' has no 'found'; show claims by Scorecard"
    )
    assert "ClaimError: claims: paper of 'counts' is '1', but must be a number" in said["03_text"]
    index = (out / "index.html").read_text("utf-8")
    assert "5 of 7 failed." in index
    for stem in (*HOSTILE, "07_plain"):
        assert stem in index
        assert stem in (out / f"{stem}.html").read_text("utf-8")

    assert cli.main(["report", "--notebooks", str(folder), "--out", str(out)]) == 1
    assert capsys.readouterr().out.startswith("0 ran, 5 failed, 2 from the cache; ")


def test_a_page_that_is_too_large_is_made_and_said_to_be(quick, capsys, monkeypatch):
    monkeypatch.setattr(
        engine.pages, "render", lambda report, names: "x" * (1_900_000 if report.name == "01_first" else 1)
    )
    assert cli.main(["report", "--notebooks", str(quick.folder), "--out", str(quick.out)]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fastscale: ")]
    [line] = said
    assert line.startswith("fastscale: 01_first: the page has 1.9 MB, more than 1.5 MB; fewer networks, strategies or ")


def test_a_failure_ends_with_1_and_a_verdict_that_does_not_hold_with_0(quick, capsys):
    command = ["report", "--notebooks", str(quick.folder), "--out", str(quick.out)]
    quick.fails = {"02_second": "cell [1]: a reason"}
    assert cli.main(command) == 1
    shown = capsys.readouterr()
    assert "fastscale: 02_second failed: cell [1]: a reason" in shown.err
    assert shown.out.startswith("1 ran, 1 failed, 0 from the cache")


def test_plain_papermill_hands_on_texts_that_settle_reads(tmp_path):
    cells = ["from fastscale_lib.reports.parameters import settle\nsettle(globals())", "[networks, scales]"]
    parameters = "from fastscale_lib.reports import PositiveFloat\n\nnetworks: list[str] = ['ResNet-101']\n"
    parameters += "scales: list[PositiveFloat] = [1.0]  # factors"
    path = write(tmp_path, "plain", *cells, parameters=parameters)
    given = {"networks": "ResNet-50", "scales": "[1, 2, 8]"}
    run = {"kernel_name": "python3", "progress_bar": False}
    executed = papermill.execute_notebook(path, tmp_path / "out.ipynb", given, **run)
    assert outputs(executed)[-1].data["text/plain"] == "[['ResNet-50'], [1.0, 2.0, 8.0]]"
    with pytest.raises(papermill.PapermillExecutionError) as error:
        papermill.execute_notebook(path, tmp_path / "out.ipynb", {"scales": "[0]"}, **run)
    assert error.value.ename == "ParameterError"
    assert error.value.evalue.startswith("scales holds '0', but must hold a number above 0")


# The notebooks of the checkout


def test_one_command_runs_all_notebooks_each_with_a_page_to_mail(reported):
    print(f"all notebooks in {reported.seconds:.0f} s")  # pytest -s shows it
    assert reported.ended.returncode == 0, reported.ended.stderr
    assert reported.ended.stdout.startswith(f"{len(NOTEBOOKS)} ran, 0 failed, 0 from the cache; verdicts: ")
    pages = sorted(path.name for path in reported.out.glob("*.html"))
    assert pages == [*(f"{path.stem}.html" for path in NOTEBOOKS), "index.html"]
    sizes = {name: (reported.out / name).stat().st_size for name in pages}
    assert max(sizes.values()) <= LARGEST_PAGE, sizes
    assert sum(sizes.values()) <= 8e6, sizes


def test_in_full_the_pages_with_the_most_points_are_small_enough(tmp_path):
    given = {"profile": "paper", "out": tmp_path, "progress": lambda step: None}
    reports = fs.report(["01", "02"], **given)
    assert [each.error for each in reports] == [None, None]
    assert {each.name: each.size for each in reports if not 0 < each.size <= LARGEST_PAGE} == {}
    for each in reports:
        rule = selection._takes(named(each.name))["points"].rule
        assert isinstance(rule, fs.reports.Range)
        assert each.parameters["points"] == rule.high  # so no other number of points gives a larger one
