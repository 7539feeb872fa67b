"""Device profiles: models fitted to named rows, kept as small files, one a device."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._common.checks import shown
from .._common.files import write_whole
from .._common.shipped import find_folder
from ..records.conditions import Conditions
from .forms import PredictionError, form_of
from .gpu_layers import GpuLayers
from .model import Fitted, RuntimeModel
from .reach import Reach, Trial

FOLDER = "devices"  # of the data folder
_DIGITS = 6  # of a parameter: a ten-thousandth of the error of any fit
_SETTING = (*Conditions.FIT[1:], "torch")


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
            **{name: each["setting"].get(name) for name in _SETTING},
            "rows": each["rows"],
            "families": len(each["families"]),
            "batches": " to ".join(str(batch) for batch in dict.fromkeys(each["reach"]["batches"])),
            "error": each["error"],
            "error_90": each["error_90"],
            "source": kept["source"],
            "made": kept["made"],
        }
        for kept in _shipped().values()
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
    kept = {_plain(name): name for name in _shipped()}
    if _plain(str(device_name)) not in kept:
        near = difflib.get_close_matches(_plain(str(device_name)), kept, 1, 0.5)
        there = f"try {kept[near[0]]!r}" if near else f"there are {', '.join(kept.values())}"
        raise PredictionError(
            f"profile_model: there is no profile of {shown(device_name)}; {there}, or fs.calibrate() on your own device"
        )
    found = _shipped()[kept[_plain(str(device_name))]]
    return RuntimeModel("layers", dict(_settings_of(found)))


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
        devices.setdefault(str(key.device_name), []).append(_plain_fit(key, each))
    paths = []
    for name, settings in devices.items():
        kept = {"device_name": name, "source": source, "made": made, "settings": settings}
        paths.append(Path(folder) / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json")
        write_whole(paths[-1], json.dumps(kept, indent=1) + "\n")
    return paths


@cache
def _shipped() -> dict[str, Any]:
    data = find_folder("data", FOLDER)
    files = sorted((data / FOLDER).glob("*.json")) if data else []
    kept = [json.loads(each.read_text(encoding="utf-8")) for each in files]
    return {each["device_name"]: each for each in kept}


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.lower())


def _plain_fit(key: Conditions, fitted: Fitted) -> dict[str, Any]:
    reach = fitted.reach
    assert reach is not None
    form = fitted.form or form_of("layers")
    values = np.exp(fitted.parameters)
    return {
        "setting": {name: value for name in _SETTING if (value := getattr(key, name)) is not None},
        "form": {"order": form.order} if isinstance(form, GpuLayers) else {},
        "parameters": {name: _rounded(value) for name, value in zip(form.names, values, strict=True)},
        "rows": fitted.rows,
        "families": list(fitted.families),
        "error": _rounded(fitted.error),
        "error_90": _rounded(fitted.error_90),
        "host": [_rounded(each) for each in fitted.host],
        "reach": {
            "batches": [int(each) for each in reach.batches],
            **{name: [_rounded(each) for each in getattr(reach, name)] for name in ("least", "most", "shares")},
            **{name: [_rounded(each) for each in getattr(reach, name)] for name in ("up", "down")},
        },
    }


def _settings_of(kept: dict[str, Any]) -> Iterator[tuple[Conditions, Fitted]]:
    for each in kept["settings"]:
        order, reach = each["form"].get("order"), each["reach"]
        form = GpuLayers(order) if order else None
        least, most, shares = (np.array(reach[name]) for name in ("least", "most", "shares"))
        yield (
            Conditions(device_name=kept["device_name"], **each["setting"]),
            Fitted(
                np.log([each["parameters"][name] for name in (form or form_of("layers")).names]),
                each["rows"],
                tuple(each["families"]),
                each["error"],
                each["error_90"],
                Reach(tuple(reach["batches"]), least, most, shares, Trial(*reach["up"]), Trial(*reach["down"])),
                tuple(each["host"]),
                form,
            ),
        )


def _rounded(value: Any) -> float:
    return float(f"{float(value):.{_DIGITS}g}")
