"""The benchmark files that the timm project publishes, in the form of all timings.

https://github.com/huggingface/pytorch-image-models/tree/main/results, the files benchmark-*.csv.
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

CONVENTIONS = {
    "flops": "multiply-adds as fvcore counts them: batch norm and pooling are in them, unlike in `published`",
    "params": "all weights, those of batch norm and biases among them",
    "activations": (
        "output elements of convolutions, linear layers and attention's products; not of max-pools, unlike in "
        "`published`"
    ),
}
_MODES = {"infer": "inference", "train": "training"}
_AGREE = 0.01  # a step time this near batch / images per second is the same, but for rounding
_PRECISIONS = ("amp", "bf16", "fp16", "fp32", "float16", "float32", "bfloat16")
_LAYOUTS = {"nhwc": True, "nchw": False}
_VERSION = re.compile(r"(pt|cu)(\d{2,4})")  # of PyTorch, of CUDA
_OTHER = ("benchmark", "model", "results", "timm", "infer", "train", "both", "dynamo", "cpu")


class PublishedWarning(UserWarning):
    """Published figures that contradict each other, or rows that are left out."""


def read_timm(
    path: str | os.PathLike,
    device_name: str | None = None,
    precision: str | None = None,
    channels_last: bool | None = None,
    compile: bool | None = None,
    torch: str | None = None,
    cuda: str | None = None,
) -> pd.DataFrame:
    """A benchmark file of timm, of inference, training or both: a row for each network, resolution and mode.

    The columns are those of `published`; the source is the file's name. What a row or file leaves out is missing:
    training files give no flops and activations. median_ms is the step time, a mean; images_per_s and ms_per_image
    follow the file's images per second, and where the two disagree by over 1 %, a `PublishedWarning` says in how many
    rows, and how far. Counts have two decimals of G or M.

    timm counts by fvcore, and otherwise than `published` in two columns. Its multiply-adds hold those of batch norm and
    pooling: a ResNet-50 has 4.11 G there, 4.09 G by `complexity`, an EfficientNet-B0 0.40 G and 0.386 G. Its
    activations are those of convolutions, linear layers and attention's products, but not of a stem's max-pool: a
    ResNet-50 has 11.11 M there, 11.3 M in `published`. Its params are the same: all weights. `attrs["conventions"]` of
    the frame says so of each column; numbers of the two ways of counting are not to be mixed.

    precision keeps timm's word: "amp" (autocast, what `measure` calls fp16), "amp_bf16" (autocast, there bf16), and
    "fp16" or "bf16" for a network all in it.

    Arguments:
        path: of the CSV file. Its name tells the rest, as in benchmark-infer-amp-nhwc-pt240-cu124-rtx3090.csv, or is
            silent, and then so are the columns. What is given here goes before what the name tells.
        device_name, precision, channels_last, compile, torch, cuda: of every row.

    Rows that name no model are left out, and a `PublishedWarning` says how many.

    Raises:
        PublishedError: the file is missing, is no benchmark of timm, lacks the times of inference or training of which
            it has other columns, or holds what is no number.
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
        parts.append(tidy(rows | settings | {"source": path.name, "devices": 1}))
    return with_conventions(pd.concat(parts, ignore_index=True), CONVENTIONS)


def _read(path: Path) -> pd.DataFrame:
    """The file's table, with column names in small letters."""
    if not path.is_file():
        raise PublishedError(f"read_timm: there is no {path}; give the path of a benchmark file of timm")
    try:
        table = pd.read_csv(path, skipinitialspace=True)
    except ValueError as error:  # as pandas's own errors are
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
    """Refuses a file of which a part would be passed over, as where a column has another name."""
    for kind in _MODES:
        others = [name for name in table if name.startswith(f"{kind}_")]
        if others and kind not in _kinds(table):
            raise PublishedError(
                f"read_timm: {path} has {', '.join(others)}, but lacks {kind}_samples_per_sec (or {kind}_step_time); "
                "give the column this name, or drop the others"
            )


def _kinds(table: pd.DataFrame) -> list[str]:
    return [kind for kind in _MODES if {f"{kind}_samples_per_sec", f"{kind}_step_time"} & set(table)]


def _rows(table: pd.DataFrame, kind: str, path: Path) -> dict[str, Any]:
    """What the file says of inference, or of training, by the names of our columns."""
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
    """A column as floats, missing where it says nothing; a column that is not there says nothing at all."""
    if name not in table:
        return pd.Series(math.nan, index=table.index)
    values = pd.to_numeric(table[name], errors="coerce")
    whole = name.endswith("_size")
    wrong = (values.isna() & table[name].notna()) | (values < 0) | values.eq(math.inf) | (whole & values.mod(1).gt(0))
    if name.endswith(("_sec", "_time", "_size")):
        wrong |= values.eq(0)
    if wrong.any():
        row = wrong.idxmax()
        rule = "a whole number above 0" if whole else "a number above 0"
        raise PublishedError(
            f"read_timm: {path}: {name} of {table['model'][row]} is {table[name][row]}, but must be {rule}, or empty"
        )
    return values.astype("float64")


def _check_steps(rows: dict[str, Any], path: Path) -> None:
    """Warn where the file's step times and its images per second do not go together."""
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
    """What the name of a benchmark file tells of the device and settings; of what it does not tell, nothing."""
    words = list(re.finditer(r"[^-_]+", stem))
    said = [word[0].lower() for word in words]
    if "benchmark" not in said:
        return {}
    versions = {found[1]: found[2] for found in map(_VERSION.fullmatch, said) if found}
    tells = {
        "device": "cpu" if "cpu" in said else "cuda" if "cu" in versions else None,
        "precision": "_".join(word for word in said if word in _PRECISIONS) or None,
        "channels_last": next((_LAYOUTS[word] for word in said if word in _LAYOUTS), None),
        "compile": "dynamo" in said or None,
        "torch": _torch_version(versions["pt"]) if "pt" in versions else None,
        "cuda": f"{versions['cu'][:-1]}.{versions['cu'][-1]}" if "cu" in versions else None,
    }
    if any(value is not None for value in tells.values()):
        tells["device_name"] = _device_name(stem, words)
    return {name: value for name, value in tells.items() if value is not None}


def _torch_version(digits: str) -> str:
    """110 is PyTorch 1.10, and 240 is 2.4.0, as timm writes them."""
    if digits[0] == "1" or len(digits) == 2:
        return f"{digits[0]}.{digits[1:]}"
    return f"{digits[0]}.{digits[1:-1]}.{digits[-1]}"


def _device_name(stem: str, words: list[re.Match]) -> str | None:
    """The words that say nothing else, as they are written, where they stand together."""
    taken = (*_OTHER, *_PRECISIONS, *_LAYOUTS)
    places = [
        place
        for place, word in enumerate(words)
        if word[0].lower() not in taken and not _VERSION.fullmatch(word[0].lower())
    ]
    if not places or places[-1] - places[0] + 1 != len(places):
        return None
    return stem[words[places[0]].start() : words[places[-1]].end()]
