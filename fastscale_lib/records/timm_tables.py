"""Benchmark files of the timm project, read into the form of all timings.

They are benchmark-*.csv in https://github.com/huggingface/pytorch-image-models/tree/main/results.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from .._common.checks import check_flag, check_path, check_text
from .published_rows import PublishedError, counts, tidy, with_conventions
from .timm_networks import describe_rows

CONVENTIONS = {
    "flops": "multiply-adds by fvcore: they include batch norm and pooling, unlike those of `published`",
    "params": "all weights, including biases and those of batch norm",
    "activations": (
        "output elements of convolutions, linear layers and attention's products; not of max-pools, unlike in "
        "`published`"
    ),
}
_MODES = {"infer": "inference", "train": "training"}
_AGREE = 0.01  # a step time this near batch / images per second differs only by rounding
_PRECISIONS = ("amp", "bf16", "fp16", "fp32", "float16", "float32", "bfloat16")
_LAYOUTS = {"nhwc": True, "nchw": False}
_VERSION = re.compile(r"(pt|cu)(\d{2,4})")  # of PyTorch, of CUDA
_GEFORCE = re.compile(r"(?:rtx_?)?([2-5]0[5-9]0)(_?ti)?", re.IGNORECASE)
_CORE = re.compile(r"(i[3579])_(\d{4,5}[a-z]{0,2})", re.IGNORECASE)  # of Intel
_DEVICES = {"pro6000maxq": "RTX PRO 6000 Max-Q"}
_OTHER = ("benchmark", "model", "results", "timm", "infer", "train", "both", "dynamo", "cpu")


class PublishedWarning(UserWarning):
    """Published figures that contradict each other, or rows that were dropped."""


def read_timm(
    path: str | os.PathLike,
    device_name: str | None = None,
    precision: str | None = None,
    channels_last: bool | None = None,
    compile: bool | None = None,
    torch: str | None = None,
    cuda: str | None = None,
) -> pd.DataFrame:
    """Read a benchmark file of timm: a row for each network, resolution and mode.

    Two of timm's counts, which are fvcore's, differ from those of `published`. Its multiply-adds include batch norm and
    pooling: 4.11 G for ResNet-50 (4.09 G by `complexity`), 0.40 G for EfficientNet-B0 (0.386 G). Its activations are
    those of convolutions, linear layers and attention's products, without a stem's max-pool: 11.11 M for ResNet-50
    (11.3 M in `published`). Params are the same. Do not mix numbers of both conventions.

    Precision keeps timm's word: "amp" (autocast; `measure` calls it fp16), "amp_bf16" (autocast; bf16 there), and
    "fp16" or "bf16" for networks that are entirely in it.

    Rows of networks that are described here exactly have a description, by which `RuntimeModel.fit` takes them: timm's
    name is that of a network of `fs.networks()`, and the params agree to the last published digit. Of the others,
    `remark` says why they have none.

    Arguments:
        path: path of the CSV file. Device and settings are read from its name, as in
            benchmark-infer-amp-nhwc-pt240-cu124-rtx3090.csv, as far as it says them. "rtx4090" and "4090" are one
            device, "RTX 4090"; a name that says nothing of compiling is that of an eager run.
        device_name, precision, channels_last, compile, torch, cuda: values for every row; default: those of the name.

    Returns:
        A frame with the columns of `published`; the source is the file's name, and what the file does not say is
        missing (flops and activations in training files). median_ms is the step time, a mean; images_per_s and
        ms_per_image follow the file's images per second. Counts have two decimals of G or M.
        `attrs["conventions"]` says what each count includes. Besides: base (our name of the network), description (as
        of `Network.to_dict`) and remark (why there is no description, or what the row's counts lack); None if there is
        none.

    Raises:
        PublishedError: the file is missing, is no benchmark of timm, has columns of inference or training but not
            their times, or has a wrong number.

    Warns:
        PublishedWarning: rows name no model and are dropped, or the step time differs by more than 1 % from batch
            / images per second.
    """
    path = check_path("read_timm: path", path, PublishedError)
    texts = {"device_name": device_name, "precision": precision, "torch": torch, "cuda": cuda}
    flags = {"channels_last": channels_last, "compile": compile}
    for check, asked in ((check_text, texts), (check_flag, flags)):
        for name, value in asked.items():
            if value is not None:
                check(f"read_timm: {name}", value, PublishedError)
    given = texts | flags
    table = _read(path)
    settings = _from_name(path.stem) | {name: value for name, value in given.items() if value is not None}
    parts = []
    for kind in _kinds(table):
        rows = _rows(table, kind, path)
        _check_steps(rows, path)
        timings = tidy(rows | settings | {"source": path.name, "devices": 1})
        parts.append(timings.join(describe_rows(timings)))
    return with_conventions(pd.concat(parts, ignore_index=True), CONVENTIONS)


def _read(path: Path) -> pd.DataFrame:
    """Read the table, with lower-case column names; drop rows without a model."""
    if not path.is_file():
        raise PublishedError(f"read_timm: there is no {path}; give the path of a benchmark file of timm")
    try:
        table = pd.read_csv(path, skipinitialspace=True)
    except ValueError as error:  # pandas's errors are, too
        raise PublishedError(f"read_timm: {path} is no CSV file ({error}); give a benchmark file of timm") from None
    table.columns = [str(name).strip().lower() for name in table.columns]
    wanted = ["model"] if _kinds(table) else ["model", "infer_samples_per_sec (or train_samples_per_sec)"]
    if lacking := [name for name in wanted if name not in table]:
        raise PublishedError(f"read_timm: {path} lacks {', '.join(lacking)}; give a benchmark file of timm")
    _check_kinds(table, path)
    named = table["model"].notna()
    if left_out := int((~named).sum()):
        warnings.warn(
            f"read_timm: {path.name}: {left_out:,} of {len(table):,} rows name no model, and are left out",
            PublishedWarning,
            stacklevel=3,
        )
    return table[named].reset_index(drop=True)


def _check_kinds(table: pd.DataFrame, path: Path) -> None:
    """Refuse a file that would be read only in part, because a column has another name."""
    for kind in _MODES:
        others = [name for name in map(str, table) if name.startswith(f"{kind}_")]
        if others and kind not in _kinds(table):
            raise PublishedError(
                f"read_timm: {path} has {', '.join(others)}, but lacks {kind}_samples_per_sec (or {kind}_step_time); "
                "give the column this name, or drop the others"
            )


def _kinds(table: pd.DataFrame) -> list[str]:
    return [kind for kind in _MODES if {f"{kind}_samples_per_sec", f"{kind}_step_time"} & set(table)]


def _rows(table: pd.DataFrame, kind: str, path: Path) -> dict[str, Any]:
    """Return the columns of inference, or of training, by the names of `published`."""
    return {
        "network": table["model"].astype("string").str.strip(),
        "mode": _MODES[kind],
        "batch": _numbers(table, f"{kind}_batch_size", path),
        "resolution": _numbers(table, f"{kind}_img_size", path),
        "flops": counts(_numbers(table, f"{kind}_gmacs", path), 1e9),
        "params": counts(_numbers(table, "param_count", path), 1e6),
        "activations": counts(_numbers(table, f"{kind}_macts", path), 1e6),
        "median_ms": _numbers(table, f"{kind}_step_time", path),
        "images_per_s": _numbers(table, f"{kind}_samples_per_sec", path),
    }


def _numbers(table: pd.DataFrame, name: str, path: Path) -> pd.Series:
    """Return a column as floats; empty entries, or all if there is no such column, are missing."""
    if name not in table:
        return pd.Series(math.nan, index=table.index)
    values = pd.to_numeric(table[name], errors="coerce")
    whole = name.endswith("_size")
    wrong = (values.isna() & table[name].notna()) | (values < 0) | values.eq(math.inf) | (whole & values.mod(1).gt(0))
    if name.endswith(("_sec", "_time", "_size")):
        wrong |= values.eq(0)
    if wrong.any():
        row = table[wrong].iloc[0]
        rule = "a whole number above 0" if whole else "a number above 0"
        raise PublishedError(
            f"read_timm: {path}: {name} of {row['model']} is {row[name]}, but must be {rule}, or empty"
        )
    return values.astype("float64")


def _check_steps(rows: dict[str, Any], path: Path) -> None:
    """Warn if the file's step times do not fit its images per second."""
    off = (rows["median_ms"] / (1000 * rows["batch"] / rows["images_per_s"]) - 1).abs()
    if (off > _AGREE).any():
        worst = off.idxmax()
        warnings.warn(
            f"read_timm: {path.name}: in {(off > _AGREE).sum():,} of {off.notna().sum():,} rows the step time differs "
            f"from batch / images per second by over {_AGREE:.0%}, most for {rows['network'][worst]} "
            f"({off[worst]:.1%}); ms_per_image follows the images per second",
            PublishedWarning,
            stacklevel=3,
        )


def _from_name(stem: str) -> dict[str, Any]:
    """Read device and settings from the name of a benchmark file, as far as it says them."""
    words = list(re.finditer(r"[^-_]+", stem))
    lower = [word[0].lower() for word in words]
    if "benchmark" not in lower:
        return {}
    versions = {found[1]: found[2] for found in map(_VERSION.fullmatch, lower) if found}
    settings = {
        "device": "cpu" if "cpu" in lower else "cuda" if "cu" in versions else None,
        "precision": "_".join(word for word in lower if word in _PRECISIONS) or None,
        "channels_last": next((_LAYOUTS[word] for word in lower if word in _LAYOUTS), None),
        "torch": _torch_version(versions["pt"]) if "pt" in versions else None,
        "cuda": f"{versions['cu'][:-1]}.{versions['cu'][-1]}" if "cu" in versions else None,
    }
    if any(value is not None for value in settings.values()):
        settings |= {"compile": "dynamo" in lower, "device_name": _device_name(stem, words)}
    return {name: value for name, value in settings.items() if value is not None}


def _torch_version(digits: str) -> str:
    # timm writes 110 for PyTorch 1.10, and 240 for 2.4.0.
    if digits[0] == "1" or len(digits) == 2:
        return f"{digits[0]}.{digits[1:]}"
    return f"{digits[0]}.{digits[1:-1]}.{digits[-1]}"


def _device_name(stem: str, words: list[re.Match]) -> str | None:
    """Return the words without another meaning, as they are written, if they are adjacent."""
    taken = (*_OTHER, *_PRECISIONS, *_LAYOUTS)
    places = [
        place
        for place, word in enumerate(words)
        if word[0].lower() not in taken and not _VERSION.fullmatch(word[0].lower())
    ]
    if not places or places[-1] - places[0] + 1 != len(places):
        return None
    return _usual_name(stem[words[places[0]].start() : words[places[-1]].end()])


def _usual_name(name: str) -> str:
    """Return the maker's name of a device, where the file's abbreviation is known."""
    if geforce := _GEFORCE.fullmatch(name):
        return f"RTX {geforce[1]}{' Ti' if geforce[2] else ''}"
    if core := _CORE.fullmatch(name):
        return f"Core {core[1].lower()}-{core[2].upper()}"
    return _DEVICES.get(name.lower(), name)
