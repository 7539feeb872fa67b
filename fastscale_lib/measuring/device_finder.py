"""The devices that torch finds on this machine."""

from __future__ import annotations

import torch

from .._common.checks import shown
from .._common.device_kinds import HOW, KINDS, DeviceKind, kind_of, named_with_threads, parse_device
from ..records.measurement import SettingError
from .device_classes import Cpu, Cuda, Device
from .settings import Precision

_CLASSES: dict[DeviceKind, type[Device]] = {each.kind: each for each in (Cuda, Cpu)}


def find_device(asked: str | torch.device | None = None, precision: Precision = "fp32") -> Device:
    """Find the device asked for, or raise a SettingError: no other device takes its place.

    The default is torch's current GPU, else the CPU.
    """
    asked = str(asked) if isinstance(asked, torch.device) else asked
    if asked is None or (isinstance(asked, str) and not asked):
        asked = preferred_kind().name
    if not isinstance(asked, str) or not (named := parse_device(asked)):
        raise SettingError(f"device is {shown(asked)}, but must be {HOW}; here there are: {', '.join(_names())}")
    kind, number = named
    at = torch.device(kind.name)
    if kind.numbered:
        count = _CLASSES[kind].count()
        number = number if number is not None else torch.cuda.current_device() if count else 0
        if number >= count:
            raise SettingError(
                f"device is {shown(asked)}, but must be a device that torch finds here; try one of: "
                f"{', '.join(_names())} (torch {torch.__version__} finds {count} {kind.name.upper()} devices)"
            )
        at = torch.device(kind.name, number)
    device = _CLASSES[kind](at)
    device.check_precision(precision)
    return device


def preferred_kind() -> DeviceKind:
    """Return the kind of device that is taken if none is asked for."""
    return next(kind for kind in KINDS if _CLASSES[kind].count())


def kind_for(asked: str | None) -> DeviceKind:
    """Return the kind of the device asked for, whether it is there or not."""
    return kind_of(str(asked)) or find_device(asked).kind if asked else preferred_kind()


def devices() -> dict[str, str]:
    """List the devices that `measure` accepts here: torch names, with their names for people."""
    found = {each: find_device(each) for each in _names()}
    threads = torch.get_num_threads()
    return {
        each: named_with_threads(device.name, threads) if device.kind.by_threads else device.name
        for each, device in found.items()
    }


def _names() -> list[str]:
    names = []
    for kind in reversed(KINDS):
        count = _CLASSES[kind].count()
        names += [f"{kind.name}:{number}" for number in range(count)] if kind.numbered else [kind.name]
    return names
