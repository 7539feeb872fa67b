"""GPUs by their makers' data sheets, and estimates for those that nobody measured.

A rate of a fitted profile over the peak of its GPU is an efficiency. An estimate gives another GPU the efficiencies of
all GPUs that have a profile of the same setting: each profile is scaled by the ratios of the peaks, and the mean of
their times is taken. Arithmetic and the cache go by the peak of fp32, since tensor cores run far below theirs in
convolutional networks, but by an eighth of the tensor cores' peak where that is more (data center GPUs); memory
goes by its bandwidth, the size of the cache by that of the L2. Launches are the host's, and stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from .._common.frames import rows
from .._common.shipped import find_folder
from ..architectures.operation_lists import KINDS
from .profile_files import FOLDER, shipped_profiles

SHEETS, ERRORS = "data_sheets.csv", "estimates.csv"
CALIBRATIONS, LARGER, TRACED = "calibrations.csv", "larger.csv", "traced.csv"
ESTIMATE = "estimate by the data sheet"
_OF_TENSOR_CORES = 1 / 8  # of their peak; 16 GF networks on an H200 lie between this and that of fp32
_SETTING = ("mode", "precision", "channels_last", "compile")
_UNTRIED = "estimate by the data sheet, of a kind of GPU on which estimates were hardly tried"


@cache
def data_sheets() -> pd.DataFrame:
    """List GPUs by their makers' data sheets.

    Returns:
        One row per GPU: device_name, also (other names, separated by |), architecture, cores, clock_mhz (boost),
        tensor_tflops (dense fp16 with fp32 accumulated), bandwidth_gb_s, l2_mb, memory_gb, source, and fp32_tflops,
        two operations a core and clock.
    """
    folder = find_folder("data", f"{FOLDER}/{SHEETS}")
    if folder is None:
        return pd.DataFrame(columns=["device_name", "also", "memory_gb"])
    table = pd.read_csv(folder / FOLDER / SHEETS, keep_default_na=False)
    return table.assign(fp32_tflops=2e-6 * table["cores"] * table["clock_mhz"])


@cache
def estimate_errors() -> pd.DataFrame:
    """Return the errors of estimates on GPUs that have a profile, each as if it had none.

    Returns:
        One row per setting: mode, precision, channels_last, compile; rows and devices that were predicted; error and
        error_90 (median and 90th percentile of the absolute error, as fractions); one_error and one_error_90: with
        ResNet-50 measured on the GPU.
    """
    return _read_errors(ERRORS)


@cache
def calibration_errors() -> pd.DataFrame:
    """Return the errors of fits to ten small ConvNets from the profiles of other devices.

    Returns:
        One row per device and setting, as tests/benchmarks/bench_calibration.py writes them: errors, as fractions, of
        ConvNets of other families, and in columns that begin with "unlike" of networks with kinds of operations that
        the ten rows lack.
    """
    return _read_errors(CALIBRATIONS)


@cache
def larger_trials() -> pd.DataFrame:
    """Return how the bands of fits to small networks held on larger ones.

    Returns:
        One row per device and setting, as tests/benchmarks/bench_larger.py writes them: conditions; torch; rows of the
        fit, larger networks, and those of them that were refused; half and ninety, the shares within the two bands;
        needed_half and needed, to which power of the ratio of sizes each band must grow to hold its share;
        families_half and families_ninety, of all networks, the shares within bands by the errors of other families.
    """
    return _read_errors(LARGER)


@cache
def traced_trials() -> pd.DataFrame:
    """Return how the bands of profiles held on ConvNets that are traced.

    Returns:
        One row per device and setting, as tests/benchmarks/bench_traced.py writes them: conditions; torch; rows, and
        those that were refused; error and error_90; half and ninety, the shares within the two bands, which grew by
        what the other devices needed; needed_half and needed, by which factor's logarithm each must grow.
    """
    return _read_errors(TRACED)


def _read_errors(file: str) -> pd.DataFrame:
    folder = find_folder("data", f"{FOLDER}/{file}")
    assert folder is not None, "profiles are shipped, and beside them stand the errors of what is made of them"
    return pd.read_csv(folder / FOLDER / file)


@cache
def estimated_profile(device_name: str) -> dict[str, Any]:
    """Estimate a profile by a data sheet.

    Arguments:
        device_name: as `data_sheets` lists it; a profile of this very GPU is left aside.

    Returns:
        A profile as a file keeps it, with the settings for which other GPUs have one.
    """
    sheet = _sheet(device_name)
    tried = sheet["architecture"] in {_sheet(name)["architecture"] for name in _profiled()}
    settings = []
    for setting, sources in _sources(device_name).items():
        known: dict[str, Any] = dict(zip(_SETTING, setting, strict=True))
        nearest = sources[min(sources, key=lambda name: _distance(sheet, _sheet(name)))]
        errors = _errors(known, tried)
        batches = [batch for each in sources.values() for batch in each["reach"]["batches"]]
        settings.append(
            {
                "setting": known,
                "form": {"mean of": [_scaled(each, _sheet(name), sheet) for name, each in sources.items()]},
                "parameters": {"factor": 1.0},
                "rows": sum(each["rows"] for each in sources.values()),
                "families": sorted({family for each in sources.values() for family in each["families"]}),
                **errors,
                "host": [0.0, 0.0, 0.0],
                "reach": {**nearest["reach"], "batches": [min(batches), max(batches)]},
            }
        )
    source = f"{sheet['source']}, and the profiles of {', '.join(each for each in _profiled() if each != device_name)}"
    kept = {"device_name": device_name, "source": source, "made": "", "settings": settings}
    return {**kept, "note": ESTIMATE if tried else _UNTRIED}


def _sources(device_name: str) -> dict[tuple, dict[str, Any]]:
    """Return the newest profile of each other GPU, by setting and device."""
    found: dict[tuple, dict[str, Any]] = {}
    for name in _profiled():
        for each in shipped_profiles()[name]["settings"] if name != device_name else ():
            of_setting = found.setdefault(tuple(each["setting"].get(key) for key in _SETTING), {})
            if name not in of_setting or _version(each) > _version(of_setting[name]):
                of_setting[name] = each
    return found


def _profiled() -> list[str]:
    """List the GPUs that have both a data sheet and a profile."""
    return [name for name in shipped_profiles() if name in set(data_sheets()["device_name"])]


def _version(fit: Mapping[str, Any]) -> list[int]:
    return [int(part) for part in fit["setting"].get("torch", "0").split(".")]


@cache
def _sheet(device_name: str) -> Mapping[str, Any]:
    return data_sheets().set_index("device_name", drop=False).loc[device_name].to_dict()


def _peaks(sheet: Mapping[str, Any]) -> dict[str, float]:
    """Return what rates are compared with: operations and bytes a second, and bytes."""
    fp32 = sheet["fp32_tflops"]
    dense = max(fp32, _OF_TENSOR_CORES * sheet["tensor_tflops"])
    return {"dense": dense, "fp32": fp32, "memory": sheet["bandwidth_gb_s"], "cache size": sheet["l2_mb"]}


def _distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    peaks, others = _peaks(one), _peaks(other)
    return float(sum(np.log(peaks[name] / others[name]) ** 2 for name in peaks))


def _scaled(fit: Mapping[str, Any], of: Mapping[str, Any], to: Mapping[str, Any]) -> dict[str, Any]:
    """Scale a fit by the ratios of the peaks of two GPUs."""
    ratios = {name: peak / _peaks(of)[name] for name, peak in _peaks(to).items()}
    goes_by = {"memory": "memory", "cache size": "cache size", "cache": "fp32", "conv depthwise": "fp32"}
    dense = {kind: "dense" for kind in (*KINDS, "conv in groups of 2^k") if kind.startswith(ARITHMETIC)}
    by, fitted = {**dense, **goes_by}, fit["parameters"]
    if fitted["cache"] < fitted["memory"]:  # then what is small is slow for another reason, and a cache has no part
        del by["cache size"]
    return {
        "form": fit["form"],
        "parameters": {name: value * ratios.get(by.get(name, ""), 1.0) for name, value in fitted.items()},
    }


ARITHMETIC = ("conv", "linear", "token linear", "attention")  # kinds whose rate is of multiply-adds


def _errors(setting: Mapping[str, Any], tried: bool) -> dict[str, float]:
    """Return the error of estimates; a larger one where none was tried on a kind of GPU."""
    [row] = [row for row in rows(estimate_errors()) if all(getattr(row, name) == setting[name] for name in _SETTING)]
    return {"error": row.error if tried else row.error_90, "error_90": row.error_90 if tried else 2 * row.error_90}


def error_with_one_row(setting: Mapping[str, Any]) -> dict[str, float]:
    """Return the errors of an estimate once one network was measured on the GPU."""
    for row in rows(estimate_errors()):
        if all(getattr(row, name) == setting.get(name) for name in _SETTING):
            return {"error": row.one_error, "error_90": row.one_error_90}
    return {}
