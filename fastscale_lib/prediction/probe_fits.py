"""Fits to probes: of given rows, and of those that calibrating this machine has kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .._common.checks import shown
from .._common.frames import dicts
from ..records.conditions import Conditions
from ..records.measurement import disturbance
from ..records.store import Store
from .device_names import HERE, own_device
from .fitted import Fitted
from .forms import PredictionError
from .from_profiles import differing, fit_from_profiles
from .timed_rows import LEAST_ROWS, fit_settings, newest, timed_rows

MOST_PROBES = 40
LEAST_UNDISTURBED = 8  # so many probes are fitted to without the disturbed ones
_OWN_CLOCKS = ("power cap", "application clocks")  # hold a GPU at a speed of its own, which is what is asked for
_WIDE = 0.15  # median error of rows left out, from which a fit is worth a warning


def kept_in() -> Path:
    """Return the file that keeps measured probes, in $XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastscale" / "calibration.jsonl"


def kept_probes() -> list[pd.DataFrame]:
    """Return the probes that are kept of this machine, by setting, where enough for a fit."""
    here = kept_in()
    frame = Store(here).frame() if here.is_file() else pd.DataFrame()
    settings = [newest(rows) for _, rows in timed_rows(frame)] if len(frame) else []
    return [rows for rows in settings if len(rows) >= LEAST_ROWS]


def fits_here(name: str = HERE) -> dict[Conditions, Fitted]:
    """Fit to the probes that calibrating this machine has kept.

    Arguments:
        name: "this machine", or as `fs.devices` lists it: "this machine: " and the name of one of its devices.

    Raises:
        PredictionError: there are none, or none of this device; or there are of several devices, and none is named.
    """
    kept: dict[str, list[pd.DataFrame]] = {}
    for rows in kept_probes():
        kept.setdefault(str(rows["device_name"].iloc[0]), []).append(rows)
    if not kept:
        raise PredictionError(
            "this machine is not calibrated; fs.calibrate() measures ten small networks, once, and keeps them"
        )
    one = own_device(name, kept)
    named = ", or ".join(repr(f"{HERE}: {device}") for device in kept)
    if one is None and len(kept) > 1:
        raise PredictionError(f"{shown(name)} is calibrated for {len(kept)} devices; say which, as {named}")
    if one is None:
        [one] = kept
    if one not in kept:
        raise PredictionError(f"{shown(name)} is not calibrated; {named} is, and fs.calibrate() is for others")
    return {setting: fitted for rows in kept[one] for setting, fitted in fits_to_probes(rows)[0].items()}


def fits_to_probes(rows: pd.DataFrame) -> tuple[dict[Conditions, Fitted], list[str]]:
    """Fit to few rows from the profile that explains them best; return what to warn of, too."""
    fitted: dict[Conditions, Fitted] = {}
    remarks = []
    for setting, own in fit_settings(rows, once=True):
        quiet = undisturbed_probes(own)
        if not quiet.all():
            drops = quiet.sum() >= LEAST_UNDISTURBED
            cause = _disturbance(dicts(own[~quiet])[0])
            count = int((~quiet).sum())
            was, are = ("was", "it is") if count == 1 else ("were", "they are")
            done = f"{are} left out" if drops else "they stay in the fit, whose bands are wider for it"
            remarks.append(
                f"{count} of {len(own)} probes {was} disturbed ({cause}); {done}; anew=True measures them again"
            )
            own = own[quiet] if drops else own
        found = fitted[setting] = fit_from_profiles(setting, own)
        if found.of and (others := differing(setting, found.of)):
            remarks.append(
                f"the profile that explains the probes best is of {' and '.join(others)}, not of {setting.mode} in "
                f"{setting.precision}; how well a fit from such a one does was not tried, so go by its bands of the "
                "probes"
            )
        if found.error > _WIDE:
            more = f"; count={MOST_PROBES} measures more probes" if len(own) < MOST_PROBES else ""
            remarks.append(
                f"half of the rows left out are {found.error:.0%} off or more (prior: {found.prior}), so that no "
                f"profile fits {setting.label()} well{more}; best on a machine that does nothing else"
            )
    return fitted, remarks


def undisturbed_probes(rows: pd.DataFrame) -> pd.Series:
    """Return which rows have a time, and were not disturbed as far as known."""
    told = [row["median_ms"] > 0 and _disturbance(row) is None for row in dicts(rows)]
    return pd.Series(told, index=rows.index, dtype=bool)


def _disturbance(row: Mapping[str, Any]) -> str | None:
    """Say what disturbed a row, but for clocks that the device holds: they are its own speed."""
    clocks = {
        name: row[name] for name in ("throttle_before", "throttle_after") if isinstance(row.get(name), list | tuple)
    }
    of_others = {name: [each for each in why if each not in _OWN_CLOCKS] for name, why in clocks.items()}
    return disturbance({**row, **of_others})
