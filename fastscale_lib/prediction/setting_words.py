"""What is said of settings that a model is not fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._common.checks import shown
from ..records.conditions import Conditions


def no_such(fitted: Sequence[Conditions], wanted: Mapping[str, Any]) -> str:
    """Say that a model is not fitted to a setting."""
    known = "; ".join(_told(key.row(Conditions.FIT)) for key in fitted) or "none"
    no = f"no setting with {_told(wanted)}" if wanted else "no setting"
    return f"predict: the model is fitted to {no}; it is fitted to {known}"


def without(fitted: Sequence[Conditions], wanted: Mapping[str, Any]) -> str:
    """Say that a device is not known with a setting, and with which ones it is."""
    known = dict.fromkeys(_told(key.row(("mode", "precision", "channels_last", "compile"))) for key in fitted)
    also = " ('fp16' is 'amp', too)" if "'amp'" in "".join(known) else ""
    return f"{fitted[0].device_name} is not predicted with {_told(wanted)}; it is with {', or '.join(known)}{also}"


def ambiguous(found: Sequence[Conditions], wanted: Mapping[str, Any]) -> str:
    """Say that a model is fitted to several settings with these values."""
    columns = {name: list(dict.fromkeys(getattr(key, name) for key in found)) for name in Conditions.FIT}
    differ = {name: values for name, values in columns.items() if len(values) > 1}
    open_ = ", ".join(f"{name} ({' or '.join(map(repr, values))})" for name, values in differ.items())
    has = f"{len(found)} settings with {_told(wanted)}" if wanted else f"{len(found)} settings"
    named = _told({name: values[0] for name, values in differ.items()})
    return f"predict: the model is fitted to {has}, which differ in {open_}; say which, as in {named}"


def _told(setting: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={shown(value)}" for name, value in setting.items())
