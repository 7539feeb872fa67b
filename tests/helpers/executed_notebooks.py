"""Executed notebooks as `fastscale report` leaves them: of given cells, and one with something of everything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import plotly.graph_objects as go

import fastscale_lib as fs
from fastscale_lib import figures
from fastscale_lib.analysis.claims import Claim, Scorecard
from fastscale_lib.explorer.widget import FIGURE_MIME
from fastscale_lib.reports.cells import WIDGET
from fastscale_lib.reports.result import Report

HOSTILE = '<img src=x onerror="hacked=1"><a href="javascript:hacked=1">net</a><script>hacked=1</script></script>'
MADE = {"date": "2026-01-02 03:04 UTC", "device": "a CPU", "fastscale": "0.1.0"}


def prose(text: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_markdown_cell(text)


def code(source: str, *shown: Any, number: int = 1) -> nbformat.NotebookNode:
    """A cell that shows figures, frames, texts, errors, or whatever has a MIME bundle."""
    return nbformat.v4.new_code_cell(source, outputs=[_output(each) for each in shown], execution_count=number)


def report(folder: Path, cells: Sequence[nbformat.NotebookNode], name: str = "01_told", **more: Any) -> Report:
    """The cells as an executed notebook in its folder of the runs."""
    path = folder / "runs" / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)
    return Report(name, path, more.pop("parameters", {"alpha": 0.8}), made=more.pop("made", MADE), **more)


def everything(folder: Path, text: str = "plain", **more: Any) -> Report:
    """Prose, a table, figures with panels and with a slider, verdicts; this text is the parameter that they show."""
    case = "RegNetX-400MF", list(fs.scaling.STRATEGIES), np.geomspace(1, 16, 9)
    counts = pd.DataFrame({"name": ["b", text, "a"], "times": [10.0, 9.0, None], "share": ["1/2", "25 %", "–"]})
    claims = [
        Claim(f"counts of {text}", 1, 1.01, 0.1),
        Claim("slower", 1, 2, 0.5, evidence="measured", details="on a CPU"),
        Claim("errors", 3, 3, evidence="published", details="in a table"),
        Claim("errors by chance", 3, 3.1, 0.2, evidence="published", details="a table of seeds", low=2.9, high=3.3),
        Claim("on a GPU", 1, None, evidence="measured", details=f"no rows of a GPU; {text}"),
    ]
    cells = [
        prose(
            f"# All of it\n\nHere is {text}, and [a link](https://example.org).\n\n## Tables\n\nSome *s*<sup>2</sup>."
        ),
        code("counts", counts.set_index("name"), "a text\n"),
        prose("## Figures\n\n### With panels"),
        code(
            "figure",
            figures.complexity_curves(fs.sweep(*case), fs.scaling.laws(*case), title=f"counts, {text}"),
            number=2,
        ),
        prose("### With a slider"),
        code("slider", sliding(text), number=3),
        code("widget", {WIDGET: {"model_id": "1"}, "text/plain": "IntSlider()"}, number=4),
        prose("## Verdicts"),
        code("Scorecard(claims)", Scorecard(claims), number=5),
    ]
    return report(folder, cells, parameters={"network": text, "alpha": 0.8}, **more)


def sliding(name: str = "line") -> go.Figure:
    """A line whose slope a slider sets: 1 at first, then 2 and 3."""
    steps = [{"label": f"{k}", "method": "restyle", "args": [{"y": [[0, k, 2 * k]]}, [0]]} for k in (1, 2, 3)]
    line = go.Scatter(x=[0, 1, 2], y=[0, 1, 2], name=name, text=[name] * 3, line={"color": "#222222"})
    return go.Figure(line, {"sliders": [{"currentvalue": {"prefix": "k = "}, "steps": steps}], "height": 400})


def _output(shown: Any) -> nbformat.NotebookNode:
    if isinstance(shown, str):
        return nbformat.v4.new_output("stream", name="stdout", text=shown)
    if isinstance(shown, Exception):
        trace = ["\x1b[31mTraceback\x1b[0m", f"{type(shown).__name__}: {shown}"]
        return nbformat.v4.new_output("error", ename=type(shown).__name__, evalue=str(shown), traceback=trace)
    return nbformat.v4.new_output("display_data", data=_bundle(shown))


def _bundle(shown: Any) -> dict[str, Any]:
    if isinstance(shown, go.Figure):
        return {FIGURE_MIME: json.loads(shown.to_json() or "")}
    if isinstance(shown, pd.DataFrame):
        return {"text/html": shown.to_html(), "text/plain": repr(shown)}
    return shown if isinstance(shown, dict) else shown._repr_mimebundle_()
