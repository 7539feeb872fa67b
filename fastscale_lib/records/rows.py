"""Rows of several stores in one frame."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .._common.device_kinds import CPU, kind_of
from .published_rows import PublishedError
from .store import Store

LARGEST = "largest"  # the batch that fills the device


def measured_rows(paths: Iterable[str | os.PathLike]) -> pd.DataFrame:
    """The rows of several stores in one frame, with a column `source`, the file's name.

    Raises:
        PublishedError: there is no such file.
        StoreError: a file is something else than a store.
    """
    frames = []
    for path in map(Path, paths):
        if not path.is_file():
            raise PublishedError(f"measured_rows: there is no {path}; give the path of a store")
        frames.append(Store(path).frame().assign(source=path.name))
    empty = pd.DataFrame(columns=["mode", "source", "median_ms"])
    return pd.concat(frames, ignore_index=True) if frames else empty


def device_of(case: Mapping[str, Any] | pd.Series) -> str:
    """A case in words, as evidence names it: "AMD EPYC, 2 threads, inference, fp32, batch 4".

    A setting without a batch has none in its words either.
    """
    threads = f", {case['threads']:g} threads" if kind_of(case["device"]) is CPU else ""
    batch = "" if "batch" not in case else ", largest batch" if case["batch"] == LARGEST else f", batch {case['batch']}"
    more = ", compiled" if case["compile"] else ""
    return f"{case['device_name']}{threads}, {case['mode']}, {case['precision']}{batch}{more}"
