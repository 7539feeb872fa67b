"""Pair the published and the measured times of two networks, setting by setting."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from .._common.frames import dicts
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.parts import NetworkError
from ..architectures.zoo import network as named_network
from ..records.conditions import Conditions
from ..records.measurement import joined_doubts, judges_nothing, ratio_ends, shared_use, time_doubt, waits_for_host
from ..records.published_rows import published, published_errors
from ..records.rows import read_rows
from ..scaling.strategies import strategy as named_strategy

_ALIKE = 0.05  # relative difference of flops up to which a scaled network counts as having reached a target
_NUMBERS = ("median_ms", "low_ms", "high_ms", "peak_memory_bytes")


def fast_scaled(source: str, network: str) -> bool:
    """Tell whether a network of a published table was made by fast scaling.

    Only the RegNets of *Early Convolutions* (Xiao et al., 2021, Table 2) were; others were designed for their size.

    Arguments:
        source: name of the table.
        network: name of the network, as in the table.
    """
    return source == "early_convolutions_table2" and network.startswith("RegNet")


def made(source: str, network: str) -> str:
    """Say how a network of a published table was made: "fast-scaled", or "designed"."""
    return "fast-scaled" if fast_scaled(source, network) else "designed"


def zoo_names(names: pd.Series) -> pd.Series:
    """Translate published names to those of the zoo: "RegNetY-4GF" to "RegNetY-4.0GF".

    Arguments:
        names: those that the zoo does not know stay as they are.
    """
    known = {}
    for name in names.unique():
        try:
            known[name] = named_network(name).name
        except NetworkError:
            known[name] = name
    return names.map(known)


def published_pairs(folder: str | os.PathLike, one: str, other: str) -> pd.DataFrame:
    """Pair the published times of two networks.

    Arguments:
        folder: of the tables, as for `published`.
        one: name of the first network, as in the tables or the zoo.
        other: name of the second network.

    Returns:
        One row per table, device and mode that has both. Columns: source, device_name, mode; one_ms and other_ms
        (ms/image on one device); ratio (one_ms / other_ms).

    Raises:
        PublishedError: there is no such folder, or a table is missing.
    """
    keys = ["source", "device_name", "mode"]
    times = published(folder=folder)
    names, pair = zoo_names(times["network"]), zoo_names(pd.Series([one, other]))
    sides = [times.loc[names == name, [*keys, "ms_per_image"]] for name in pair]
    pairs = sides[0].merge(sides[1], on=keys).set_axis([*keys, "one_ms", "other_ms"], axis=1)
    return pairs.assign(ratio=pairs["one_ms"] / pairs["other_ms"])


def published_pair_errors(folder: str | os.PathLike, one: str, other: str) -> pd.DataFrame:
    """Pair the published top-1 errors of two networks.

    Arguments:
        folder: of the tables, as for `published_errors`.
        one: name of the first network, as in the tables or the zoo.
        other: name of the second network.

    Returns:
        Index: source, epochs. Columns: the two names (percent) and difference (percentage points).

    Raises:
        PublishedError: there is no such folder, or a table is missing.
    """
    errors = published_errors(folder=folder)
    names = dict(zip(zoo_names(pd.Series([one, other])), [one, other], strict=True))
    errors["network"] = zoo_names(errors["network"]).map(names)
    pairs = errors.pivot_table(index=["source", "epochs"], columns="network", values="top1_error_pct")
    pairs = pairs.reindex(columns=[one, other]).dropna().rename_axis(columns=None)
    return pairs.assign(difference=pairs[one] - pairs[other])


def measured_pairs(paths: Iterable[str | os.PathLike], one: Network, other: Network) -> pd.DataFrame:
    """Pair the measured times of two networks.

    A row belongs to a network that was scaled to a target if it was scaled from the same base by the same strategy to
    flops within 5 %; to any other network, if it computes the same. Of several such rows the last that may judge is
    taken, else the last.

    Arguments:
        paths: of the stores.
        one: the first network.
        other: the second network.

    Returns:
        One row per store, device and setting that has both. Columns: those of `Conditions.CASE` (source is the name of
        the file); one_flops and other_flops (multiply-adds of the networks that were timed); one_ms and other_ms
        (medians, ms/batch); ratio (one_ms / other_ms; NaN where left_out); low and high (what it can be if both medians
        are within their 95 % intervals; NaN where one has none); doubt (why the times cannot decide, as
        `measurement.time_doubt`; None: they can); left_out (why they judge nothing, as `measurement.judges_nothing`;
        None: they may); least_ratio (one_ms / other_ms where all that is against them is that the other's GPU waited
        for its host: without the wait the ratio would be no smaller; else NaN); one_bytes and other_bytes (peak memory;
        NaN on a CPU); memory_ratio.

    Raises:
        PublishedError: there is no such file.
        StoreError: a file is not a store.
    """
    timed = _timed(read_rows(paths))
    columns = [*Conditions.CASE, "flops", "doubt", "left_out", "only_waits", *_NUMBERS]
    both = []
    for network in (one, other):
        found = timed[[is_of(row, network) for row in dicts(timed)]].reindex(columns=columns)
        found = found.astype(dict.fromkeys(_NUMBERS, float)).astype({"flops": "Int64"})
        found = found.loc[found["left_out"].isna().sort_values(kind="stable").index]  # those that may judge last
        both.append(found.drop_duplicates(list(Conditions.CASE), keep="last").sort_index())
    pairs = both[0].merge(both[1], on=list(Conditions.CASE), suffixes=("", "_other"))
    said = {
        name: pd.Series(
            [
                joined_doubts({_short_name(one): first, _short_name(other): second})
                for first, second in zip(pairs[name], pairs[name + "_other"], strict=True)
            ],
            pairs.index,
            dtype=object,
        )
        for name in ("doubt", "left_out")
    }
    waits = pairs["left_out"].isna() & pairs["only_waits_other"].eq(True)
    judging = pairs.where(said["left_out"].isna())
    low, high = ratio_ends(*((judging["low_ms" + end], judging["high_ms" + end]) for end in ("", "_other")))
    return pairs[list(Conditions.CASE)].assign(
        one_flops=pairs["flops"],
        other_flops=pairs["flops_other"],
        one_ms=pairs["median_ms"],
        other_ms=pairs["median_ms_other"],
        ratio=judging["median_ms"] / judging["median_ms_other"],
        low=low,
        high=high,
        **said,
        least_ratio=(pairs["median_ms"] / pairs["median_ms_other"]).where(waits),
        one_bytes=pairs["peak_memory_bytes"],
        other_bytes=pairs["peak_memory_bytes_other"],
        memory_ratio=pairs["peak_memory_bytes"] / pairs["peak_memory_bytes_other"],
    )


def _only_waits(row: Mapping[str, Any]) -> bool:
    return bool(waits_for_host(row.get("launch_ms"), row["median_ms"])) and shared_use(row) is None


def _short_name(network: Network) -> str:
    made = network.scaling
    return network.name if made is None else f"{made.base} {made.strategy}"


def _timed(rows: pd.DataFrame) -> pd.DataFrame:
    """Select the rows with a time, and add the columns doubt, left_out and only_waits."""
    rows = rows[rows["median_ms"].notna()] if "median_ms" in rows else rows.iloc[:0]
    said = {"doubt": time_doubt, "left_out": judges_nothing, "only_waits": _only_waits}
    return rows.assign(
        **{
            name: pd.Series([reason(row) for row in dicts(rows)], rows.index, dtype=object)
            for name, reason in said.items()
        }
    )


def is_of(row: Mapping[str, Any], network: Network) -> bool:
    """Tell whether a measured row is of a network, or of one scaled alike.

    Flops may differ by 5 %, as sizes are rounded.

    Arguments:
        row: of `read_rows`.
        network: a network; one that was scaled to a target is known by its base and strategy.
    """
    made = network.scaling
    if made is None or made.target is None:
        return row.get("network_id") == network.id
    if row.get("base") != made.base or not isinstance(row.get("strategy"), str):
        return False
    if isinstance(row.get("description"), Mapping) and not network.may_become(Network.from_dict(row["description"])):
        return False  # of another network of the base's name
    same = named_strategy(row["strategy"]).exponents == named_strategy(made.strategy).exponents
    return same and abs(row["flops"] / complexity(network).flops - 1) <= _ALIKE
