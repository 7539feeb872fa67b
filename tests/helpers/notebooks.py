"""Notebooks as tests look at them: their cells, what they show when executed, and what their text says."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd

from fastscale_lib.analysis.claims import MIME, gathered
from helpers.rules_of_verdicts import broken

REPO = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((REPO / "notebooks").glob("*.ipynb"))


def named(stem: str) -> Path:
    """The path of a notebook, by its file's name without the ending."""
    return REPO / "notebooks" / f"{stem}.ipynb"


def stored(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in code(notebook) for output in cell.outputs]


def tables(notebook: nbformat.NotebookNode) -> list[list[list[str]]]:
    """The tables that an executed notebook shows: rows of texts, the first of them the header.

    A cell over several rows stands in each of them.
    """
    shown = [output.data.get("text/html", "") for output in outputs(notebook) if "data" in output]
    return [_rows(each) for each in shown if "<table" in each]


def _rows(table: str) -> list[list[str]]:
    """The texts of a table by row; those that go on below are heads, and so the first of a row."""
    found: list[list[str]] = []
    below: list[tuple[int, str]] = []
    for row in re.findall(r"<tr\b.*?</tr>", table, re.DOTALL):
        cells = re.findall(r"<t[hd]\b([^>]*)>(.*?)</t[hd]>", row)
        over = [int(tag.partition('rowspan="')[2].partition('"')[0] or 1) for tag, _ in cells]
        texts = [html.unescape(text) for _, text in cells]
        kept = [(left - 1, text) for left, text in below if left > 1]
        below = kept + list(zip(over, texts, strict=True))
        found.append([text for _, text in kept] + texts)
    return found


def texts(notebook: nbformat.NotebookNode) -> list[str]:
    """The sentences that an executed notebook computes."""
    shown = [output.data for output in outputs(notebook) if "data" in output]
    return ["".join(each["text/markdown"]) for each in shown if "text/markdown" in each]


def claims(notebook: nbformat.NotebookNode) -> pd.DataFrame:
    """The scorecard that an executed notebook keeps as data."""
    return gathered([row for output in outputs(notebook) for row in output.get("data", {}).get(MIME, [])])


def verdicts(notebook: nbformat.NotebookNode) -> pd.DataFrame:
    """The table of claims, the last that is shown; numbers as they stand there, with three digits.

    Whatever parameters a notebook ran with, its claims keep to the rules of verdicts.
    """
    assert broken(claims(notebook)) == []
    header, *rows = tables(notebook)[-1]
    return pd.DataFrame(rows, columns=header).set_index("claim")


def numbers(table: list[list[str]], place: int, name: str) -> list[float]:
    """What stands at this place, counted from the right, in the rows that have the name."""
    return [float(row[place]) for row in table if name in row]


def shell(command: str, cwd: Path) -> subprocess.CompletedProcess:
    """Runs a shell's lines in a folder, with the commands of this environment at hand."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(["bash", "-ec", command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done
