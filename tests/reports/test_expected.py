"""Verdicts of reports as a file, and `fastscale report --expect`, which fails where one no longer holds."""

import html
import json
import shutil
from pathlib import Path

import nbformat
import pytest

from fastscale_lib import cli
from fastscale_lib.analysis.claims import MIME, RULES, Claim, Scorecard
from fastscale_lib.reports import engine
from fastscale_lib.reports.expected import read_expected
from fastscale_lib.reports.selection import SelectionError


def write(folder: Path, stem: str, *claims: Claim) -> None:
    """A notebook that has run, and shows these claims."""
    notebook, cell = nbformat.v4.new_notebook(), nbformat.v4.new_code_cell("show()")
    data = Scorecard(claims)._repr_mimebundle_()
    cell.outputs = [nbformat.v4.new_output("display_data", data={MIME: data[MIME]})]
    notebook.cells = [nbformat.v4.new_markdown_cell(f"# The story of {stem}"), cell]
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / f"{stem}.ipynb")


@pytest.fixture
def command(tmp_path, monkeypatch) -> list[str]:
    """Reports on two notebooks, of which the first has a claim that holds and one that is undecided."""
    write(tmp_path / "notebooks", "01_first", Claim("small", 1, 0.5, relation="<"), Claim("unsure", 0, 1, doubt="few"))
    write(tmp_path / "notebooks", "02_second", Claim("large", 1, 2, relation=">"))
    monkeypatch.setattr(engine, "_machine", lambda tasks: {"device": "a CPU"})
    monkeypatch.setattr(engine, "execute", lambda task, folder, *_: shutil.copy(task.notebook, folder) and None)
    return ["report", "--notebooks", str(tmp_path / "notebooks"), "--out", str(tmp_path / "reports")]


def test_a_run_writes_its_verdicts(command, tmp_path):
    assert cli.main(command) == 0
    rows = json.loads((tmp_path / "reports" / "verdicts.json").read_text("utf-8"))
    kept = [(row["report"], row["claim"], row["found"], row["low"], row["verdict"]) for row in rows]
    assert kept == [
        ("01_first", "small", 0.5, None, "holds"),
        ("01_first", "unsure", 1.0, None, "undecided"),
        ("02_second", "large", 2.0, None, "holds"),
    ]


def test_what_held_is_to_hold_again(command, tmp_path, capsys):
    assert cli.main(command) == 0
    kept = str(shutil.copy(tmp_path / "reports" / "verdicts.json", tmp_path / "expected.json"))
    assert cli.main([*command, "--expect", kept]) == 0
    write(tmp_path / "notebooks", "01_first", Claim("small", 1, 1.5, relation="<"))
    write(tmp_path / "notebooks", "02_second", Claim("larger", 1, 2, relation=">"))
    capsys.readouterr()
    assert cli.main([*command, "--expect", kept]) == 1
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "fastscale: expected to hold, but does not hold: small",
        "fastscale: expected to hold, but not stated: large",
    ]
    assert cli.main(command) == 0  # whatever the verdicts


def test_claims_of_reports_not_asked_for_are_left_out(command, tmp_path, capsys):
    assert cli.main(command) == 0
    kept = str(shutil.copy(tmp_path / "reports" / "verdicts.json", tmp_path / "expected.json"))
    write(tmp_path / "notebooks", "02_second", Claim("large", 1, 0, relation=">"))
    assert cli.main([*command, "--only", "01", "--expect", kept]) == 0
    (tmp_path / "expected.json").write_text('[{"report": "05_other", "claim": "small"}]')
    assert cli.main([*command, "--only", "01", "--expect", kept]) == 1
    assert "none of the expected claims is of a report that was asked for" in capsys.readouterr().err
    (tmp_path / "expected.json").write_text('[{"claim": "large"}]')  # of any report
    assert cli.main([*command, "--expect", kept]) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("{", "is no JSON"),
        ('{"claim": "small"}', "must be a list"),
        ("[1]", "entry 1 is 1, but must be an object with a claim"),
        ('[{"claim": "small", "verdict": "true"}]', "entry 1 has a verdict 'true'"),
        ('[{"claim": "small", "verdict": ["holds"]}]', "entry 1 has a verdict"),
        ('[{"claim": "small", "verdict": "undecided"}]', "expects no claim to hold"),
        ("[]", "expects no claim to hold"),
    ],
)
def test_a_file_that_expects_nothing_is_refused_before_a_run(text, said, command, tmp_path, capsys):
    file = tmp_path / "expected.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SelectionError, match=said):
        read_expected(file)
    assert cli.main([*command, "--expect", str(file)]) == 2
    assert not (tmp_path / "reports").exists()
    assert "Traceback" not in capsys.readouterr().err


def test_the_index_tells_how_verdicts_are_reached(command, tmp_path):
    assert cli.main(command) == 0
    index = html.unescape((tmp_path / "reports" / "index.html").read_text("utf-8"))
    assert all(rule in index for rule in RULES)
