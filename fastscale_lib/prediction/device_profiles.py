"""Device profiles: models fitted to named rows, kept as small files, one a device."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from .._common.files import write_whole
from ..records.conditions import Conditions
from .device_names import HERE
from .fitted import SETTING, plain_fit, read_fits
from .forms import PredictionError
from .model import RuntimeModel
from .probe_fits import fits_to_probes, kept_probes
from .profile_files import find_profile, shipped_profiles
from .sheets import ESTIMATE, data_sheets, estimated_profile


def profiles() -> pd.DataFrame:
    """List the shipped profiles: whose time is predicted without measuring, and how well.

    Returns:
        One row per setting: device_name, mode, precision, channels_last, compile, tf32, cuda_graph, threads, torch,
        rows (that it was fitted to), families (how many), batches, error (median of families left out, as a fraction),
        error_90, source, made (date).
    """
    return pd.concat([_rows_of(kept) for kept in shipped_profiles().values()], ignore_index=True)


def _rows_of(kept: dict[str, Any]) -> pd.DataFrame:
    """List the settings of one profile."""
    rows = [
        {
            "device_name": kept["device_name"],
            **{name: each["setting"].get(name, getattr(Conditions, name)) for name in SETTING},
            "rows": each["rows"],
            "families": len(each["families"]),
            "batches": " to ".join(str(batch) for batch in dict.fromkeys(each["reach"]["batches"])),
            "error": each["error"],
            "error_90": each["error_90"],
            "source": kept["source"],
            "made": kept["made"],
        }
        for each in kept["settings"]
    ]
    return pd.DataFrame(rows)


def devices() -> pd.DataFrame:
    """List the devices whose time can be predicted, and how well.

    Returns:
        One row per device and setting, what was calibrated here first: device_name; known_by ("calibrated here",
        "profile" for a shipped one, "data sheet" for an estimate, "not calibrated" for this machine); mode, precision,
        channels_last, compile, torch; error (median, as a fraction, of families that were left out; of an estimate, of
        GPUs that were; missing where no estimate was tried on a GPU of the kind) and error_90; rows, families, batches;
        memory_gb; source and made, as for `profiles`. What is not known is missing. `RuntimeModel.of` takes
        these names; what was calibrated here is called "this machine: " and the name of the device.
    """
    memory = dict(zip(data_sheets()["device_name"], data_sheets()["memory_gb"], strict=True))
    listed = [_calibrated_here(), profiles().assign(known_by="profile")]
    for name in memory:
        if name not in shipped_profiles():
            estimated = estimated_profile(name)
            found = _rows_of(estimated).assign(known_by="data sheet")
            untried = {} if estimated["note"] == ESTIMATE else {"error": float("nan"), "error_90": float("nan")}
            listed.append(found.assign(**untried))
    table = pd.concat(listed, ignore_index=True).astype({"rows": "Int64", "families": "Int64"})
    return table.assign(memory_gb=table["device_name"].str.removeprefix(f"{HERE}: ").map(memory)).reindex(
        columns=_LISTED
    )


_LISTED = ["device_name", "known_by", "mode", "precision", "channels_last", "compile", "torch", "error", "error_90"]
_LISTED += ["rows", "families", "batches", "memory_gb", "source", "made"]


def _calibrated_here() -> pd.DataFrame:
    """Describe what `calibrate` has kept of this machine, if anything."""
    found = []
    for rows in kept_probes():
        batches = " to ".join(str(each) for each in dict.fromkeys((rows["batch"].min(), rows["batch"].max())))
        fits, _ = fits_to_probes(rows)
        for setting, fitted in fits.items():
            known = {"known_by": "calibrated here", "rows": fitted.rows, "batches": batches}
            known |= {"families": len(fitted.families)}
            known |= {"error": fitted.error, "error_90": fitted.error_90, "source": f"probes; prior: {fitted.prior}"}
            what = {"device_name": f"{HERE}: {setting.device_name}", **setting.row(SETTING)}
            found.append({**what, **known, "made": str(rows["date"].max())[:10]})
    return pd.DataFrame(found or [{"device_name": HERE, "known_by": "not calibrated"}])


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
        PredictionError: the model is a baseline; or a setting has rates given by hand, or is from a profile itself.
        OSError: a file cannot be written; no part of it is left.
    """
    devices: dict[str, list[dict[str, Any]]] = {}
    for key, each in model.fitted.items():
        if model.by != "layers" or each.reach is None or each.note:
            raise PredictionError("write_profiles: a profile is made of a model that is fitted to rows by layers")
        if each.prior:
            raise PredictionError(
                f"write_profiles: {key.label()} is a calibration (prior: {each.prior}), and a profile is of rows "
                "alone; give what RuntimeModel.fit makes of many rows"
            )
        devices.setdefault(str(key.device_name), []).append(plain_fit(key, each))
    paths = []
    for name, settings in devices.items():
        kept = {"device_name": name, "source": source, "made": made, "settings": settings}
        paths.append(Path(folder) / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json")
        write_whole(paths[-1], json.dumps(kept, indent=1) + "\n")
    return paths
