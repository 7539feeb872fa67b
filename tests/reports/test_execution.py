"""A notebook's own process: a kernel that dies before it answers is started again, and what has run is kept."""

import json
import threading
from pathlib import Path

import nbformat
import papermill
import pytest
from helpers.waiting import until

from fastscale_lib.reports import execution
from fastscale_lib.reports.selection import Task


@pytest.mark.parametrize("deaths", [0, 1, 2])
def test_a_kernel_that_died_before_it_answered_is_started_again(monkeypatch, tmp_path, deaths):
    started = []

    def start(*_, **__):
        started.append(len(started))
        if len(started) <= deaths:
            raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(papermill, "execute_notebook", start)
    assert execution._run(Path("a.ipynb"), {}) == 0
    assert len(started) == deaths + 1


@pytest.mark.parametrize(("said", "times"), [("Kernel died before replying to kernel_info", 3), ("another", 1)])
def test_what_does_not_pass_is_raised(monkeypatch, tmp_path, said, times):
    started = []

    def start(*_, **__):
        started.append(said)
        raise RuntimeError(said)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(papermill, "execute_notebook", start)
    with pytest.raises(RuntimeError, match=said):
        execution._run(Path("a.ipynb"), {})
    assert len(started) == times


def test_what_ran_before_a_run_is_given_up_is_kept(monkeypatch, tmp_path):
    """With its share of the cores, which the user's own number of threads would replace."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    asked = tmp_path / "asked.ipynb"
    cells = ["import os\nos.environ['OMP_NUM_THREADS']", "open('there', 'w').close()\nimport time\ntime.sleep(900)"]
    nbformat.write(nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells))), asked)
    ran, stop, ended = tmp_path / "ran", threading.Event(), []
    ran.mkdir()

    def run():
        try:
            execution.execute(Task("asked", asked, {}), ran, None, stop, threads=3)
        except execution.Stopped as error:
            ended.append(error)

    beside = threading.Thread(target=run)
    beside.start()
    until((ran / "there").exists)
    stop.set()
    beside.join()
    assert len(ended) == 1
    first, last = json.loads((ran / asked.name).read_text("utf-8"))["cells"]
    assert first["outputs"][0]["data"]["text/plain"] == ["'3'"]
    assert last["outputs"] == []
