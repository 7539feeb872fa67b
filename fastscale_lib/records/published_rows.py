"""Published timings, in one form with measured ones, and published ImageNet errors."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from .._common import shipped
from .._common.checks import check_choice, check_frame, check_path
from .._common.errors import FastscaleError
from .._common.shipped import DATA_VARIABLE
from .conditions import kind_names, with_cuda_graphs
from .measurement import waits_for_host
from .rows_that_judge import undisturbed

# The columns of all timings and their dtypes. All but network may be missing, as sources differ in what they say.
COLUMNS = {
    **dict.fromkeys(("source", "network", "family", "mode", "device", "device_name"), "string"),
    **dict.fromkeys(("devices", "batch", "resolution"), "Int64"),
    "precision": "string",
    **dict.fromkeys(("channels_last", "compile", "cuda_graph"), "boolean"),
    **dict.fromkeys(("torch", "cuda"), "string"),
    **dict.fromkeys(("flops", "params", "activations"), "Int64"),
    **dict.fromkeys(("median_ms", "images_per_s", "ms_per_image"), "float64"),
    "launch_bound": "boolean",
}
# The columns of all errors and their dtypes: a row for each network and length of training.
ERROR_COLUMNS = {
    **dict.fromkeys(("source", "network", "family", "base", "strategy"), "string"),
    "epochs": "Int64",
    "top1_error_pct": "float64",
    **dict.fromkeys(("flops", "params", "activations"), "Int64"),
    **dict.fromkeys(("inference_ms_per_image", "training_ms_per_image"), "float64"),
}
# Prefixes of timm's names before the architecture: the source of the weights or of the code.
_PORTS = ("tf", "tv", "gluon", "ssl", "swsl", "ig", "legacy", "dm")
_HOUR_MS = 3_600_000
IMAGENET_IMAGES = 1_281_167  # the training set of ILSVRC 2012
_NEEDED = ("network", "mode", "device_name", "batch", "median_ms", "flops", "params", "activations")  # of measured rows


# Conventions of pycls, the published tables and this library.
CONVENTIONS = {
    "flops": "multiply-adds of convolutions and linear layers; batch norm, activations, pooling and sums count none",
    "params": "all weights, including biases and those of batch norm",
    "activations": "output elements of convolutions, linear layers and max-pools",
}


class PublishedError(FastscaleError, ValueError):
    """Timings that cannot be read; the message names the file, the fault and the remedy."""


class _Timing(NamedTuple):
    """One kind of time in a published table: its conditions, and how to compute it."""

    table: str
    mode: str
    device_name: str
    devices: int
    batch: Callable[[pd.DataFrame], Any]
    ms_per_image: Callable[[pd.DataFrame], pd.Series]
    torch: str | None = None
    cuda: str | None = None


_ZOO, _EARLY = "pycls_zoo_v100", "early_convolutions_table2"
_TITLES = {
    _ZOO: "pycls",
    _EARLY: "Early Convolutions",
    "mvit_table17": "MViT, Table 17",
    "efficientnet_scaled": "Tan and Le",
    "yolos_deit_tiny": "YOLOS",
}
_KNOWN_BY = f"published/{_ZOO}.csv"  # by which the data folder is recognised
_TIMINGS = (
    _Timing(_ZOO, "inference", "V100", 1, lambda t: 64, lambda t: t["inference_ms_batch64"] / 64, "1.6", "10"),
    _Timing(
        *(_ZOO, "training", "V100", 8, lambda t: t["train_batch"] // 8),
        lambda t: t["train_hours_8gpu_100epochs"] * _HOUR_MS / 100 * 8 / IMAGENET_IMAGES,
        *("1.6", "10"),
    ),
    _Timing(
        *(_EARLY, "training", "V100-32GB", 8, lambda t: t["train_batch"] // 8),
        lambda t: t["epoch_minutes_8gpu"] * _HOUR_MS / 60 * 8 / IMAGENET_IMAGES,
    ),
)
_SCALED, _QUOTED = "efficientnet_scaled", "mvit_table17"
# How a family's networks were scaled from its smallest. pycls's RegNets were not scaled, but each found by a search.
_GROWN = {"EfficientNet": "dwr", "ResNet": "d", "ResNeXt": "d"}
# Xiao et al. do not name their strategy: from 4 GF on, counts grow as by dWr.
_GROWN_IN = {_EARLY: {"RegNetY": "dWr", "RegNetZ": "dWr"}, _QUOTED: {"RegNetZ": "dWr"}}


def table_title(source: str) -> str:
    """Return what a published table is called on pages; the name of any other source as it is."""
    return _TITLES.get(source, source)


def published(name: str | None = None, folder: str | os.PathLike | None = None) -> pd.DataFrame:
    """Read the published timings of `data/published`: one row for each network and kind of time.

    Counts have the published precision, one decimal of G or M. Training times per image are those of one device: the
    time of an epoch times the number of devices, divided by ImageNet's 1,281,167 images, data loading included.
    Inference times are those of the network alone.

    Arguments:
        name: one table, "pycls_zoo_v100" (inference and training) or "early_convolutions_table2" (training);
            default: both.
        folder: folder with the tables; default: `published` in `data_folder()`.

    Returns:
        A frame with the columns of all timings: source, network, family, mode, device, device_name, devices, batch
        (images on one device), resolution, precision, channels_last, compile, cuda_graph, torch, cuda, flops
        (multiply-adds), params, activations, median_ms (of a batch; a mean if the source gives one or does not say),
        images_per_s (of one device), ms_per_image, launch_bound (see `Measurement`; no published table says). What a
        source does not say is missing; cuda_graph is then False. `attrs["conventions"]` says what each count includes:
        pycls's conventions here, others in timm's files (`read_timm`).

    Raises:
        PublishedError: there is no table of this name, or no such folder.
    """
    known = list(dict.fromkeys(timing.table for timing in _TIMINGS))
    if name is not None:
        check_choice("published: name", name, known, PublishedError)
    folder = table_folder("published", folder)
    tables = [_read_timing(timing, folder) for timing in _TIMINGS if name in (None, timing.table)]
    return with_conventions(pd.concat(tables, ignore_index=True), CONVENTIONS)


def table_folder(asked_by: str, folder: str | os.PathLike | None) -> Path:
    return data_folder() / "published" if folder is None else check_path(f"{asked_by}: folder", folder, PublishedError)


def read_table(folder: Path, name: str) -> pd.DataFrame:
    path = folder / f"{name}.csv"
    if not path.is_file():
        raise PublishedError(f"published: there is no {path}; give the folder that holds it, data/published")
    try:
        return pd.read_csv(path)
    except (OSError, ValueError):  # of pandas' parser, too
        raise PublishedError(f"published: {path} does not read as a table; take the file from fastscale") from None


def _read_timing(timing: _Timing, folder: Path) -> pd.DataFrame:
    table = read_table(folder, timing.table)
    return tidy(
        {
            "source": timing.table,
            "network": table["network"],
            "mode": timing.mode,
            "device": "cuda",
            "device_name": timing.device_name,
            "devices": timing.devices,
            "batch": timing.batch(table),
            "torch": timing.torch,
            "cuda": timing.cuda,
            "flops": counts(table["flops_g"], 1e9),
            "params": counts(table["params_m"], 1e6),
            "activations": counts(table["activations_m"], 1e6),
            "ms_per_image": timing.ms_per_image(table),
        }
    )


def published_errors(name: str | None = None, folder: str | os.PathLike | None = None) -> pd.DataFrame:
    """Read the published ImageNet errors: one row for each network and length of training.

    Arguments:
        name: one table, "pycls_zoo_v100" (100 epochs), "early_convolutions_table2" (100, 200 and 400 epochs) or
            "efficientnet_scaled" (bases scaled in several ways; Tan and Le: EfficientNet, 2019, Tables 3 and 7) or
            "mvit_table17" (RegNetZ, scaled by dWr, beside EfficientNet, as Fan et al. quote them: Multiscale Vision
            Transformers, 2021, Table 17); default: all.
        folder: folder with the tables; default: `published` in `data_folder()`.

    Returns:
        Columns source, network, family, base (the network that was scaled, if the source names it), strategy (by
        which the network or its family was scaled; missing if it was designed for its size), epochs, top1_error_pct
        (percent), flops (multiply-adds), params, activations, inference_ms_per_image and training_ms_per_image (of one
        V100, as in `published`). What a source does not say is missing.

    Raises:
        PublishedError: there is no table of this name, or no such folder.
    """
    known = {
        _ZOO: lambda table: table.assign(epochs=100),
        _EARLY: _early_errors,
        _SCALED: _scaled_errors,
        _QUOTED: lambda table: table,
    }
    if name is not None:
        check_choice("published_errors: name", name, known, PublishedError)
    folder = table_folder("published_errors", folder)
    return pd.concat(
        [_error_rows(table, read, folder) for table, read in known.items() if name in (None, table)], ignore_index=True
    )


def _error_rows(name: str, read: Callable[[pd.DataFrame], pd.DataFrame], folder: Path) -> pd.DataFrame:
    """Read the errors and times of one table into the common columns."""
    rows = read(read_table(folder, name)).assign(source=name)
    if "top1_accuracy_pct" in rows:
        rows["top1_error_pct"] = (100 - rows["top1_accuracy_pct"]).round(1)
    if "family" not in rows:
        rows["family"] = rows["network"].map(family)
        rows["strategy"] = rows["family"].map({**_GROWN, **_GROWN_IN.get(name, {})})
    for count in ("params", "activations"):
        if f"{count}_m" in rows:
            rows[count] = counts(rows[f"{count}_m"], 1e6)
    for timing in _TIMINGS:
        if timing.table == name:
            rows[f"{timing.mode}_ms_per_image"] = timing.ms_per_image(rows)
    rows["flops"] = counts(rows["flops_g"], 1e9)
    return rows.reindex(columns=list(ERROR_COLUMNS)).astype(ERROR_COLUMNS)


def _early_errors(table: pd.DataFrame) -> pd.DataFrame:
    errors = {epochs: table[f"top1_error_pct_{epochs}epochs"] for epochs in (100, 200, 400)}
    return pd.concat([table.assign(epochs=epochs, top1_error_pct=error) for epochs, error in errors.items()])


def _scaled_errors(table: pd.DataFrame) -> pd.DataFrame:
    names = table["base"].where(table["strategy"].isna(), table["base"] + " " + table["strategy"].fillna(""))
    families = table["base"].map(family)
    return table.assign(network=names, family=families)


def published_form(rows: pd.DataFrame) -> pd.DataFrame:
    """Bring measured rows into the form of `published`; rows without a time are dropped.

    So are those that were measured while others used the machine (`undisturbed`). A scaled network belongs to its base
    network's family. launch_bound says whether the GPU waited for its host; it is missing if unknown, as on a CPU.
    Counts are those of `complexity`, by the conventions of `published`.

    Arguments:
        rows: a frame from `read_rows`: the fields of a `Measurement`, flops, params, activations and source.

    Raises:
        PublishedError: rows is no frame, or the rows of a store lack columns.
    """
    check_frame("published_form: rows", rows, PublishedError)
    if "reason" in rows:
        rows = rows[rows["reason"].isna()]
    rows = undisturbed(rows).reset_index(drop=True)
    if not len(rows):
        return with_conventions(tidy({"network": pd.Series([], dtype=object)}), CONVENTIONS)
    check_frame("published_form: rows", rows, PublishedError, ["source"])
    for source, part in rows.groupby("source", sort=False):
        if lacking := [each for each in _NEEDED if each not in part or part[each].isna().all()]:
            raise PublishedError(
                f"published_form: {source} lacks {', '.join(lacking)}; measure with a library of this version"
            )
    known = {name: rows[name] for name in COLUMNS if name in rows}
    bases = rows["base"].fillna(rows["network"]) if "base" in rows else rows["network"]
    known |= {"family": bases.map(family), "devices": 1, "ms_per_image": rows["median_ms"] / rows["batch"]}
    if "device" in known:
        known["device"] = kind_names(rows["device"])
    if "launch_ms" in rows:
        pairs = zip(rows["launch_ms"].astype(float), rows["median_ms"].astype(float), strict=True)
        known["launch_bound"] = pd.array([waits_for_host(*pair) for pair in pairs], dtype="boolean")
    return with_conventions(tidy(known), CONVENTIONS)


def with_conventions(frame: pd.DataFrame, conventions: Mapping[str, str]) -> pd.DataFrame:
    """Add `attrs["conventions"]` to a frame: what each column of counts includes."""
    frame.attrs["conventions"] = dict(conventions)
    return frame


def tidy(known: Mapping[str, Any]) -> pd.DataFrame:
    """Make a frame of timings from columns, network among them, and values for all rows.

    Family, median_ms, images_per_s and ms_per_image are computed from the others where they are missing.
    """
    frame = pd.DataFrame({"network": known["network"]}).assign(**known)
    frame = with_cuda_graphs(frame).reindex(columns=list(COLUMNS)).astype(COLUMNS)
    frame["family"] = frame["family"].fillna(frame["network"].map(family).astype("string"))
    batch = frame["batch"].astype("float64")
    frame["ms_per_image"] = frame["ms_per_image"].fillna(1000 / frame["images_per_s"])
    frame["ms_per_image"] = frame["ms_per_image"].fillna(frame["median_ms"] / batch)
    frame["images_per_s"] = frame["images_per_s"].fillna(1000 / frame["ms_per_image"])
    frame["median_ms"] = frame["median_ms"].fillna(frame["ms_per_image"] * batch)
    return frame


def counts(values: pd.Series, unit: float) -> pd.Series:
    """Convert counts from decimals of a unit (1e9 for G) to whole numbers."""
    return (values.astype("float64") * unit).round().astype("Int64")


def family(network: str) -> str:
    """Guess the family from a network's name.

    It is the part before the first dash ("RegNetY" of RegNetY-4.0GF). In timm's names it is the first word that is no
    source of weights, without the size ("resnet" of tv_resnet50, "convnextv2" of convnextv2_atto).
    """
    if "-" in network:
        return network.split("-", maxsplit=1)[0]
    words = network.split("_")
    word = next((word for word in words if word not in _PORTS), words[0])
    return re.sub(r"(?<=[a-z])(?<!v)\d+[a-z]{0,2}$", "", word)


def data_folder() -> Path:
    """Return the folder of the published and measured figures.

    It is the folder that the environment variable FASTSCALE_DATA names; else `data` of a checkout, beside the library,
    in the working folder or above it; else the copy that is installed with the library.

    Raises:
        PublishedError: the variable names a folder without the published tables, or no folder is found.
    """
    if named := os.environ.get(DATA_VARIABLE):
        if not is_data_folder(Path(named)):
            raise PublishedError(
                f"published: {DATA_VARIABLE} names {named}, where there is no {_KNOWN_BY}; name the folder data of "
                "a checkout, or unset the variable"
            )
        return Path(named)
    if (found := shipped.find_folder("data", _KNOWN_BY)) is None:
        raise PublishedError(
            f"published: there is no data/{_KNOWN_BY} beside the library ({shipped.LIBRARY.parent}), in it, in the "
            "working folder or above; install fastscale again, or give folder= (a notebook: data=)"
        )
    return found


def is_data_folder(folder: Path) -> bool:
    """Return whether the folder holds the published tables."""
    return (folder / _KNOWN_BY).is_file()
