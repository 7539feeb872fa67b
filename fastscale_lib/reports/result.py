"""The result of one notebook that was run with parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..analysis import claims
from .parameter_types import ParameterError
from .parameters import read_parameters
from .selection import TAG

LARGEST_PAGE = 1_500_000  # bytes: what a page is to keep to, so that it can be mailed


@dataclass(frozen=True)
class Report:
    """A notebook that was run with these parameters.

    Attributes:
        name: of the folder and the page, unique: "04_fast_scaling", or of a grid "04_fast_scaling alpha=0.5".
        notebook: the executed notebook, in the folder that it ran in. Its figures are data
            (application/vnd.plotly.v1+json), and it holds no widget state.
        parameters: every parameter with its value.
        error: why it failed, in a sentence; None if it did not.
        seconds: of the run, even if it came from the cache.
        cached: whether it came from the cache.
        made: when, by what and where it was run: label to text.
        shown: whether the notebook can be read and shown; if not, the page has only name and error.
    """

    name: str
    notebook: Path
    parameters: dict[str, Any]
    error: str | None = None
    seconds: float = 0.0
    cached: bool = False
    made: dict[str, str] = field(default_factory=dict)
    shown: bool = True

    @property
    def title(self) -> str:
        """The notebook's first heading, or its name where it has none."""
        texts = (_text(cell["source"]) for cell in self._cells() if cell["cell_type"] == "markdown")
        found = (re.search(r"^#+\s+(.+?)\s*#*$", text, re.MULTILINE) for text in texts)
        return next((match[1] for match in found if match), self.name)

    @property
    def page(self) -> Path:
        """The HTML page: beside the folder of all runs."""
        return self.notebook.parents[2] / f"{self.name}.html"

    @property
    def size(self) -> int:
        """Bytes of the page; 0 where it is not written."""
        return self.page.stat().st_size if self.page.is_file() else 0

    @property
    def too_large(self) -> str:
        """Warning that the page is larger than 1.5 MB; "" if it is not."""
        if self.size <= LARGEST_PAGE:
            return ""
        has, most = f"{self.size / 1e6:.1f} MB", f"{LARGEST_PAGE / 1e6:g} MB"
        return f"the page has {has}, more than {most}; fewer networks, strategies or points make it smaller"

    @property
    def changed(self) -> dict[str, Any]:
        """The notebook's own values of parameters that were changed, by name."""
        own = self._own()
        return {name: own[name] for name, value in self.parameters.items() if name in own and own[name] != value}

    def _own(self) -> dict[str, Any]:
        """Return the notebook's own values, converted as for a run."""
        tagged = [cell for cell in self._cells() if TAG in cell.get("metadata", {}).get("tags", ())]
        try:
            takes = read_parameters(_text(tagged[0]["source"])) if tagged else {}
            return {name: each.settle(each.default) for name, each in takes.items()}
        except (ParameterError, SyntaxError):  # a run has already told so
            return {}

    def verdicts(self) -> pd.DataFrame:
        """Gather the claims of the notebook, with their verdicts computed again."""
        return claims.gathered(row for data in self._data() for row in data.get(claims.MIME, ()))

    def _data(self) -> Iterator[dict[str, Any]]:
        """Yield what the cells show, by MIME type."""
        for cell in self._cells():
            for output in cell.get("outputs", ()):
                yield output.get("data", {})

    def _cells(self) -> list[dict[str, Any]]:
        if not self.shown:
            return []
        return json.loads(self.notebook.read_text("utf-8"))["cells"]


def _text(source: str | list[str]) -> str:
    """Join a cell's source, whose lines a notebook's file may keep apart."""
    return source if isinstance(source, str) else "".join(source)
