"""Settings of devices that have a profile: whose times can be predicted without measuring."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..prediction.device_profiles import profile_model, profiles
from ..prediction.model import RuntimeModel
from ..records.conditions import Conditions

_BATCH = 128  # enough to fill a GPU


class DeviceSetting(NamedTuple):
    """One setting of a device, and the model of its times.

    Attributes:
        title: device, memory format, and whether compiled.
        model: of the device.
        setting: what `RuntimeModel.predict` takes beside networks and batch.
        batch: images in a run.
        error: of the model on families left out, the median as a fraction.
        error_90: the 90th percentile.
    """

    title: str
    model: RuntimeModel
    setting: dict[str, Any]
    batch: int
    error: float
    error_90: float


def device_settings(device_names: Iterable[str] | None = None, batch: int = _BATCH) -> list[DeviceSetting]:
    """List the settings of inference that the shipped profiles have.

    Of several versions of PyTorch it is the newest.

    Arguments:
        device_names: as `fs.prediction.profiles` lists them; default: all.
        batch: images in a run, or the nearest number that the profile's rows had; default: 128.

    Raises:
        PredictionError: there is no such profile.
    """
    names = profiles()["device_name"].unique() if device_names is None else device_names
    return [each for name in dict.fromkeys(names) for each in _settings_of(profile_model(str(name)), batch)]


def _settings_of(model: RuntimeModel, batch: int) -> list[DeviceSetting]:
    newest: dict[str, DeviceSetting] = {}
    for key, fitted in sorted(model.fitted.items(), key=lambda item: _version(item[0].torch)):
        if key.mode != "inference":
            continue
        words = [str(key.device_name), "channels last" if key.channels_last else "channels first"]
        title = ", ".join([*words, "compiled"] if key.compile else words)
        least, most = fitted.reach.batches if fitted.reach else (batch, batch)
        known = {name: getattr(key, name) for name in (*Conditions.FIT, "torch")}
        setting = {name: value for name, value in known.items() if value is not None}
        fits = min(max(batch, least), most)
        newest[title] = DeviceSetting(title, model, setting, fits, fitted.error, fitted.error_90)
    return list(newest.values())


def _version(torch: str | None) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", torch or "")]
