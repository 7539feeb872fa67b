"""The files of device profiles, by the names of devices."""

from __future__ import annotations

import difflib
import json
import re
from functools import cache
from typing import Any

from .._common.checks import shown
from .._common.shipped import find_folder
from .forms import PredictionError

FOLDER = "devices"  # of the data folder


@cache
def shipped_profiles() -> dict[str, Any]:
    """Read the shipped profiles, by the name of the device."""
    data = find_folder("data", FOLDER)
    files = sorted((data / FOLDER).glob("*.json")) if data else []
    kept = [json.loads(each.read_text(encoding="utf-8")) for each in files]
    return {each["device_name"]: each for each in kept}


def find_profile(device_name: str) -> dict[str, Any]:
    """Return the shipped profile of a device; case, spaces and hyphens are alike.

    Raises:
        PredictionError: there is no such profile.
    """
    kept = {plain_name(name): name for name in shipped_profiles()}
    plain = plain_name(str(device_name))
    if plain not in kept:
        near = difflib.get_close_matches(plain, kept, 1, 0.5)
        there = f"try {kept[near[0]]!r}" if near else f"there are {', '.join(kept.values())}"
        raise PredictionError(
            f"profile_model: there is no profile of {shown(device_name)}; {there}, or fs.calibrate() on your own device"
        )
    return shipped_profiles()[kept[plain]]


def plain_name(name: str) -> str:
    """Return the name without what spellings differ in."""
    return re.sub(r"[\s_-]+", "", name.lower())
