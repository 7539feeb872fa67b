"""What became of one notebook that was run with parameters: where it lies, and what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from .. import claims


@dataclass(frozen=True)
class Report:
    """A notebook that was run with these parameters.

    Attributes:
        name: of the folder and of the page, unlike any other's: "04_fast_scaling", or of a grid
            "04_fast_scaling alpha=0.5".
        notebook: the executed notebook, in the folder that it ran in. Its figures are data
            (application/vnd.plotly.v1+json), and it holds no widget state.
        parameters: every parameter with its value.
        error: where it failed, why, in a sentence.
        seconds: that the run took; of one from the cache, that it took then.
        cached: whether it was taken from the cache.
        made: when, by what and where it was run: label to text.
    """

    name: str
    notebook: Path
    parameters: dict[str, Any]
    error: str | None = None
    seconds: float = 0.0
    cached: bool = False
    made: dict[str, str] = field(default_factory=dict)

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

    def verdicts(self) -> pd.DataFrame:
        """The claims that the notebook tests, with their verdicts computed again: `claims.scorecard`'s columns."""
        return claims.gathered(row for data in self._data() for row in data.get(claims.MIME, ()))

    def _data(self) -> Iterator[dict[str, Any]]:
        """What the cells show: by MIME type."""
        for cell in self._cells():
            for output in cell.get("outputs", ()):
                yield output.get("data", {})

    def _cells(self) -> list[dict[str, Any]]:
        return json.loads(self.notebook.read_text("utf-8"))["cells"]


def _text(source: str | list[str]) -> str:
    """A cell's source; a notebook's file may keep its lines apart."""
    return source if isinstance(source, str) else "".join(source)
