"""Notebooks run in this process: as a kernel would, without the seconds that one takes to start."""

from __future__ import annotations

import ast
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbformat
import plotly.io as pio
from IPython.core.formatters import DisplayFormatter
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from plotly.basedatatypes import BaseFigure

from helpers.notebooks import code


def played(path: Path, parameters: dict[str, Any] | None = None) -> nbformat.NotebookNode:
    """Run the cells with parameters as papermill hands them on; figures are kept as data.

    What a cell raises is raised here.
    """
    notebook = parameterize_notebook(load_notebook_node(str(path)), parameters or {})
    shown: list[Any] = []
    namespace: dict[str, Any] = {"__name__": "__main__", "In": [""], "display": shown.append}
    formatter = DisplayFormatter()
    formatter.ipython_display_formatter.enabled = False  # by which plotly would print
    with _figures_kept(shown):
        for cell in code(notebook):
            shown.clear()
            namespace["In"].append(cell.source)
            _run(cell.source, path.name, namespace, shown)
            bundles = [formatter.format(each)[0] for each in shown]
            cell.outputs = [nbformat.v4.new_output("display_data", data=each) for each in bundles]
    return notebook


def _run(source: str, name: str, namespace: dict[str, Any], shown: list[Any]) -> None:
    """Run a cell; the value of its last line is shown, where it has one."""
    lines = ast.parse(source).body
    last = lines.pop() if lines and isinstance(lines[-1], ast.Expr) else None
    exec(compile(ast.Module(lines, []), name, "exec"), namespace)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
        shown += [] if value is None else [value]


@contextlib.contextmanager
def _figures_kept(shown: list[Any]) -> Iterator[None]:
    renderer = pio.renderers.default
    pio.renderers.default = "plotly_mimetype"
    try:
        with (
            patch.dict(os.environ, PLOTLY_RENDERER="plotly_mimetype"),
            patch.object(BaseFigure, "show", lambda figure: shown.append(figure)),
        ):
            yield
    finally:
        pio.renderers.default = renderer
