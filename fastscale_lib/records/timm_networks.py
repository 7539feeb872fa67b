"""Rows of timm's benchmark files, and which time a network exactly as it is described here."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import pandas as pd

from .._common.frames import rows
from ..architectures.counting import complexity
from ..architectures.totals import Complexity
from ..architectures.zoo import aliases, network

# Timed with the branches of training fused into single convolutions, and counted so.
_REPARAMETRISED = ("repvgg", "mobileone", "repvit", "repghostnet", "fastvit", "ghostnetv3", "mobileclip")
_PADDED = "tf_"
_NO_ATTENTION = "2.1"  # version of PyTorch whose files count no products of attention
_WITH_ATTENTION = ("vit", "deit")


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
