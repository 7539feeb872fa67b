"""Devices by the names that people give them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from .._common.checks import shown
from .._common.device_kinds import short_name
from .forms import PredictionError
from .profile_files import plain_name, shipped_profiles
from .sheets import data_sheets, estimated_profile

_MAKERS = re.compile(r"nvidia|geforce|tesla|intel|amd|generation")  # words that names may lack

_MOST_LISTED = 6
HERE = "this machine"  # in `fs.devices`, before the name, which a shipped profile of another machine may have, too


def is_this_machine(name: Any) -> bool:
    """Tell whether a name is of this machine, as `fs.devices` lists what was calibrated."""
    return isinstance(name, str) and _plain(name).startswith(_plain(HERE))


def own_device(name: str, known: Iterable[str]) -> str | None:
    """Find the device that a name of this machine means.

    Arguments:
        name: "this machine", or with a device's name behind it.
        known: names of devices.

    Returns:
        One of the known names, or what is behind "this machine" where it is none of them; None if nothing is.
    """
    asked = _plain(name).removeprefix(_plain(HERE)).lstrip(":")
    return next((device for device in known if _plain(device) == asked), asked) if asked else None


def known_device(name: str) -> dict[str, Any]:
    """Return what is known of a device: its profile, or one estimated by its data sheet.

    Raises:
        PredictionError: no device has this name, or several have.
    """
    device = device_named(name)
    return shipped_profiles().get(device) or estimated_profile(device)


def device_named(name: str) -> str:
    """Find the device of a name; case, spaces, hyphens, its maker and "RTX" do not matter.

    Raises:
        PredictionError: no device has this name, or several have.
    """
    spelt = _spellings()
    asked = _plain(name) if isinstance(name, str) else ""
    if asked in spelt:
        return spelt[asked]
    found = list(dict.fromkeys(device for plain, device in spelt.items() if asked and asked in plain))
    if len(found) == 1:
        return found[0]
    if found:
        listed = [*found[:_MOST_LISTED], f"{len(found) - _MOST_LISTED} more"][: max(len(found), 1)]
        raise PredictionError(f"{shown(name)} may be {', '.join(listed[:-1])} or {listed[-1]}; say which")
    near = list(dict.fromkeys(spelt[each] for each in difflib.get_close_matches(asked, spelt, 3, 0.6)))
    there = f"{', '.join(shipped_profiles())} and {len(data_sheets())} GPUs by their data sheets"
    raise PredictionError(
        f"{shown(name)} is no device with a profile or a data sheet"
        + (f"; the nearest names are {', '.join(near)}" if near else f"; there are {there}")
        + ", and fs.devices() lists all; fs.calibrate() is for your own"
    )


def is_another(name: Any, device: str) -> bool:
    """Tell whether a name is surely that of another device; one that is not known may be this."""
    try:
        return device_named(name) != device_named(device)
    except PredictionError:
        return False


def _plain(name: str) -> str:
    return plain_name(_MAKERS.sub("", short_name(name[:100]).lower()))


def _spellings() -> dict[str, str]:
    """Return the devices by each plain spelling of their names."""
    listed = dict(zip(data_sheets()["device_name"].map(str), data_sheets()["also"].map(str), strict=True))
    also = {_plain(each): name for name, others in listed.items() for each in others.split("|") if each}
    names = [*shipped_profiles(), *listed]
    short = {_plain(name).removeprefix("rtx"): name for name in names}
    return {**also, **short, **{_plain(name): name for name in names}}
