"""Notebooks are played many times with the same rows and networks: what takes long is computed once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pandas as pd
import pytest

import fastscale_lib as fs
from fastscale_lib.analysis import pair_sentences
from fastscale_lib.measuring.counted_memory import peak_memory
from fastscale_lib.prediction import model
from fastscale_lib.prediction.fitted import Fitted, fit_setting
from fastscale_lib.prediction.forms import By
from fastscale_lib.records.conditions import Conditions

_FITS: dict[tuple[By, Conditions, str], Fitted] = {}


def _fitted(by: By, setting: Conditions, rows: pd.DataFrame) -> Fitted:
    key = by, setting, rows.to_json(orient="split", double_precision=15)
    if key not in _FITS:
        _FITS[key] = fit_setting(by, setting, rows)
    return _FITS[key]


_counted = cache(peak_memory)


def _peak_memory(
    network: fs.Network | str,
    batch: int = 64,
    mode: fs.measuring.Mode = "inference",
    precision: fs.measuring.Precision = "fp32",
) -> fs.measuring.PeakMemory:
    return _counted(network, batch, mode, precision)


@pytest.fixture(scope="module", autouse=True)
def _computed_once() -> Iterator[None]:
    """Fit once to the same rows, and count the memory of the same run once: both depend on nothing else.

    The kernels of `executed` notebooks keep nothing.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "fit_setting", _fitted)
        patch.setattr(fs, "peak_memory", _peak_memory)
        patch.setattr(pair_sentences, "peak_memory", _peak_memory)
        yield
