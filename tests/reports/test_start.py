"""How a notebook starts: its parameters are checked, and the files that it reads are found."""

from pathlib import Path

import plotly.io as pio
import pytest
from IPython.core.formatters import DisplayFormatter

import fastscale_lib as fs


@pytest.fixture(autouse=True)
def _renderer(monkeypatch):
    """Figures of other tests are shown as before."""
    monkeypatch.setattr(pio.renderers, "default", "plotly_mimetype")


def started(**parameters) -> fs.reports.Inputs:
    return fs.reports.start(parameters)


def test_shipped_stores_come_by_name_and_then_your_own(tmp_path):
    (tmp_path / "measured" / "16gf").mkdir(parents=True)
    for name in ("b.jsonl", "a.jsonl", "16gf/c.jsonl", "notes.txt"):
        (tmp_path / "measured" / name).touch()
    given = started(data=str(tmp_path), stores=["mine.jsonl"])
    assert (given.folder, given.stores) == (tmp_path, [Path("mine.jsonl")])
    assert [path.name for path in given.measured()] == ["a.jsonl", "b.jsonl", "mine.jsonl"]
    assert [path.name for path in given.measured("16gf")] == ["c.jsonl", "mine.jsonl"]
    assert given.shipped("training") == []


def test_without_a_folder_or_stores_the_data_are_those_of_fastscale():
    given = started(data="", stores=[])
    assert started() == given == (fs.records.data_folder(), [])
    assert given.shipped()


def test_parameters_are_brought_into_their_types_and_checked():
    namespace = {"__annotations__": {"stores": list[str], "scale": float}, "stores": "[a.jsonl, b.jsonl]", "scale": "2"}
    assert fs.reports.start(namespace).stores == [Path("a.jsonl"), Path("b.jsonl")]
    assert namespace["scale"] == 2.0
    with pytest.raises(fs.reports.ParameterError, match="scale is 'large', but must be a number"):
        fs.reports.start({"__annotations__": {"scale": float}, "scale": "large"})


def test_a_cell_that_ends_with_the_start_shows_no_path():
    assert DisplayFormatter().format(started()) == ({}, {})


def test_a_folder_that_is_not_there_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(fs.reports.ParameterError, match="but must be a folder that is there; leave it empty"):
        started(data=str(tmp_path / "nowhere"))


def test_figures_show_without_a_network(monkeypatch):
    monkeypatch.delenv("PLOTLY_RENDERER", raising=False)
    started()
    assert pio.renderers.default == "plotly_mimetype+notebook"
