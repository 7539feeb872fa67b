"""Device profiles: models fitted to named rows, kept as small files, one a device."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from .._common.files import write_whole
from .fitted import SETTING, plain_fit, read_fits
from .forms import PredictionError
from .model import RuntimeModel
from .profile_files import find_profile, shipped_profiles


def profiles() -> pd.DataFrame:
    """List the shipped profiles: whose time is predicted without measuring, and how well.

    Returns:
        One row per setting: device_name, mode, precision, channels_last, compile, tf32, threads, torch, rows (that it
        was fitted to), families (how many), batches, error (median of families left out, as a fraction), error_90,
        source, made (date).
    """
    rows = [
        {
            "device_name": kept["device_name"],
            **{name: each["setting"].get(name) for name in SETTING},
            "rows": each["rows"],
            "families": len(each["families"]),
            "batches": " to ".join(str(batch) for batch in dict.fromkeys(each["reach"]["batches"])),
            "error": each["error"],
            "error_90": each["error_90"],
            "source": kept["source"],
            "made": kept["made"],
        }
        for kept in shipped_profiles().values()
        for each in kept["settings"]
    ]
    return pd.DataFrame(rows)


def profile_model(device_name: str) -> RuntimeModel:
    """Return the model of a shipped profile, with all of its settings.

    Arguments:
        device_name: as `profiles` lists it; case, spaces and hyphens are alike.

    Raises:
        PredictionError: there is no such profile.
    """
    return RuntimeModel("layers", dict(read_fits(find_profile(device_name))))


def write_profiles(model: RuntimeModel, folder: Path | str, source: str, made: str) -> list[Path]:
    """Write a profile of each device of a fitted model.

    Arguments:
        model: fitted by layers.
        folder: where to write; a profile of the same device is replaced.
        source: of the rows: project, version, licence.
        made: date of the rows or of the fit, as 2026-11-26.

    Returns:
        Paths of the files.

    Raises:
        PredictionError: the model is a baseline, or a setting has rates given by hand.
        OSError: a file cannot be written; no part of it is left.
    """
    devices: dict[str, list[dict[str, Any]]] = {}
    for key, each in model.fitted.items():
        if model.by != "layers" or each.reach is None:
            raise PredictionError("write_profiles: a profile is made of a model that is fitted by layers")
        devices.setdefault(str(key.device_name), []).append(plain_fit(key, each))
    paths = []
    for name, settings in devices.items():
        kept = {"device_name": name, "source": source, "made": made, "settings": settings}
        paths.append(Path(folder) / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json")
        write_whole(paths[-1], json.dumps(kept, indent=1) + "\n")
    return paths
