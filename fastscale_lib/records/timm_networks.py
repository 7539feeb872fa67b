"""Rows of timm's benchmarks, and which time a network exactly as it is described here."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, NamedTuple

import pandas as pd

from .._common.frames import rows
from ..architectures.counting import complexity
from ..architectures.parts import Complexity
from ..architectures.zoo import aliases, network
from .published_rows import CONVENTIONS, PublishedError, read_table, table_folder, tidy, with_conventions

# Timed with the branches of training fused into single convolutions, and counted so.
_REPARAMETRISED = ("repvgg", "mobileone", "repvit", "repghostnet", "fastvit", "ghostnetv3", "mobileclip")
_PADDED = "tf_"
_NO_ATTENTION = "2.1"  # version of PyTorch whose files count no products of attention
_WITH_ATTENTION = ("vit", "deit")
_SETTINGS, _TIMES = "timm_settings", "timm_times"


class Described(NamedTuple):
    """The network that a row of a benchmark file times.

    Attributes:
        base: our name of the network; None if there is none.
        description: as `Network.to_dict` gives it; None if the row times something else.
        remark: why there is no description, or what is wrong with the row's counts; else None.
    """

    base: str | None
    description: dict[str, Any] | None
    remark: str | None


def describe_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Describe the network of each row of a benchmark file.

    Arguments:
        table: network (timm's name), resolution, params, torch; one row for each timed network.

    Returns:
        The attributes of `Described` as columns, with the table's index.
    """
    found = [_described(row.network, row.resolution, row.params, row.torch) for row in rows(table)]
    return pd.DataFrame(found, columns=list(Described._fields), index=table.index, dtype=object)


def _described(name: str, resolution: Any, params: Any, torch: Any) -> Described:
    """Compare the params with those of our network, as one name may stand for several."""
    plain = name.split(".", maxsplit=1)[0]
    base = _ours().get(plain) or _ours().get(plain.removeprefix(_PADDED)) or _ours().get(_PADDED + plain)
    if plain.startswith(_REPARAMETRISED):
        return Described(None, None, "timed reparametrised, its branches fused, and counted so")
    if base is None:
        return Described(None, None, "no network of fs.networks() has this name of timm")
    if pd.isna(resolution):
        return Described(base, None, "the file has no resolution, so the network was not timed")
    described, (_, counted, _) = description_at(base, int(resolution))
    if pd.isna(params) or round(counted / 1e6, 2) != round(params / 1e6, 2):
        theirs = "no params" if pd.isna(params) else f"{params / 1e6:.2f} M params"
        return Described(base, None, f"another network: {theirs} here, and {counted / 1e6:.2f} M in {base}")
    if plain.startswith(_PADDED):
        return Described(base, None, "padded as TensorFlow does, with a kernel of its own: up to 19 % slower compiled")
    if plain.startswith(_WITH_ATTENTION) and str(torch).startswith(_NO_ATTENTION):
        return Described(base, described, "the flops of this file are without attention's products")
    return Described(base, described, None)


@lru_cache
def _ours() -> dict[str, str]:
    return {theirs: ours for ours, theirs in aliases("timm").items()}


@lru_cache(maxsize=1024)
def description_at(base: str, resolution: int) -> tuple[dict[str, Any], Complexity]:
    """Return the description of a base network at this resolution, and its counts."""
    found = network(base, resolution=resolution)
    return found.to_dict(), complexity(found)


def timm_times(folder: str | os.PathLike | None = None) -> pd.DataFrame:
    """Read the published times of timm's benchmarks that `data/published` keeps.

    They are those of the networks of the zoo that timm times exactly as described: 18 settings of three GPUs and two
    CPUs. `read_timm` reads whole files. Counts are those of `complexity`, by the conventions of `published`.

    Arguments:
        folder: folder with the tables; default: `published` in `data_folder()`.

    Returns:
        The columns of `published`, and base and description (as of `read_timm`), so that `RuntimeModel.fit` takes it.

    Raises:
        PublishedError: there is no such folder, the tables are not in it, or a row names an unknown setting.
    """
    place = table_folder("timm_times", folder)
    settings = read_table(place, _SETTINGS).astype({"torch": "string", "cuda": "string"})
    table = read_table(place, _TIMES)
    if unknown := sorted(set(table["setting"]) - set(settings["setting"])):
        raise PublishedError(f"timm_times: {_TIMES}.csv has setting {unknown[0]}, which {_SETTINGS}.csv does not name")
    joined = table.merge(settings, on="setting", how="left")
    described = [description_at(row.network, int(row.resolution)) for row in rows(joined)]
    counted = pd.DataFrame([count for _, count in described], columns=["flops", "params", "activations"])
    known: dict[str, Any] = {"source": _TIMES, "devices": 1, **joined.drop(columns="setting"), **counted}
    descriptions = pd.Series([description for description, _ in described], dtype=object)
    frame = tidy(known).assign(base=joined["network"], description=descriptions)
    return with_conventions(frame, CONVENTIONS)
