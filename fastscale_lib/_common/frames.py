"""Rows of data frames for loops: pandas cannot say what a column holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def rows(frame: pd.DataFrame) -> Iterator[Any]:
    """Iterate over the rows of a frame as named tuples without the index: row.flops, row.s."""
    return frame.itertuples(index=False)


def dicts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """List the rows of a frame as dictionaries by column, with Python's numbers."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
