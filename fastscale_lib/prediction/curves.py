"""Predicted times with their bands."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from .fitted import Fitted
from .forms import longest
from .reach import Bands, Extent, Judged, judge


class Curve(NamedTuple):
    """Predicted times of several networks, each array of shape (networks,).

    Attributes:
        ms: NaN if there is no prediction, as are the ends of the bands.
        low_ms: lower end of the band that half of the networks are within.
        high_ms: its upper end.
        notes: why the bands are not the stated ones, or why there is no prediction; else None.
        everywhere_ms: the times without NaN: to search along, not to show.
        low_90_ms: lower end of the band that nine in ten of the networks are within.
        high_90_ms: its upper end.
    """

    ms: np.ndarray
    low_ms: np.ndarray
    high_ms: np.ndarray
    notes: list[str | None]
    everywhere_ms: np.ndarray
    low_90_ms: np.ndarray
    high_90_ms: np.ndarray

    def columns(self) -> pd.DataFrame:
        """Return predicted_ms, the ends of both bands, and note, a row for each network."""
        ends = {name: getattr(self, name) for name in ("low_ms", "high_ms", "low_90_ms", "high_90_ms")}
        return pd.DataFrame({"predicted_ms": self.ms, **ends, "note": pd.Series(self.notes, dtype=object)})


def curve_of(fitted: Fitted, device: np.ndarray, launches: np.ndarray, extent: Extent) -> Curve:
    """Predict runs by the seconds of the device and the launches of the host.

    Arguments:
        fitted: to the setting.
        device: seconds that it takes for each run.
        launches: operations of each run.
        extent: of the networks.
    """
    least, usual, most = fitted.host
    bands, notes = judged_of(fitted, extent, len(device))
    ms = longest(device, launches * usual) * 1e3
    low, low_90 = (longest(device / (1 + band), launches * least) * 1e3 for band in bands)
    high, high_90 = (longest(device * (1 + band), launches * most) * 1e3 for band in bands)
    return Curve(np.where(np.isnan(bands.half), np.nan, ms), low, high, notes, ms, low_90, high_90)


def judged_of(fitted: Fitted, extent: Extent, size: int) -> Judged:
    """Judge how surely networks are predicted; rates given by hand hold everywhere."""
    stated = Bands(fitted.error, fitted.error_90)
    if fitted.reach is None:
        return Judged(Bands(*(np.full(size, band) for band in stated)), [fitted.note] * size)
    # An estimate has errors of its own, not those of the profiles that it is made of.
    bands, notes = judge(fitted.reach._replace(bands=stated) if fitted.note else fitted.reach, extent)
    return Judged(bands, ["; ".join(filter(None, (fitted.note, each))) or None for each in notes])
