"""Rows of several stores in one frame."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pandas as pd

from .._common.checks import check_path, several
from .conditions import kind_names
from .published_rows import PublishedError
from .store import Store


def read_rows(paths: Iterable[str | os.PathLike] | str | os.PathLike) -> pd.DataFrame:
    """Read the rows of one or several stores into one frame, including those without a time.

    Arguments:
        paths: one or several paths of stores.

    Returns:
        The rows in their order. A column `source` is the file's name, and `device` is "cpu" or "cuda", without the
        number. A frame without rows has the columns mode, source and median_ms.

    Raises:
        PublishedError: there is no such file, or a value is no path.
        StoreError: a file is not a store.
    """
    rows = []
    for each in several(paths, os.PathLike):
        path = check_path("read_rows: paths", each, PublishedError)
        if not path.is_file():
            raise PublishedError(f"read_rows: there is no {path}; give the path of a store")
        rows += [{**row, "source": path.name} for row in Store(path)]
    frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=["mode", "source", "median_ms"])
    return frame.assign(device=kind_names(frame["device"])) if "device" in frame else frame
