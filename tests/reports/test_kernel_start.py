"""A kernel that dies before it answers is started again: no cell of the notebook has run."""

from pathlib import Path

import papermill
import pytest

from fastscale_lib.reports import execution


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
