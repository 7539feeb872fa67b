"""The paper's Figure 1 with what is known here: accuracy, activations and time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import numpy as np
import pandas as pd

from .._common.wording import counted, span
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..records.published_rows import published_errors, table_title
from ..records.scaled_tables import published_scaling
from ..scaling.grids import sweep
from ..scaling.strategies import strategy as named_strategy

_POINTS = 33  # of a curve
_KINDS, _EVIDENCE = ("GPU", "CPU"), ("measured", "predicted")  # in the order of a table
_NEAR = 0.15  # flops of published networks that are compared agree within this share
_SOURCES = ("yolos_deit_tiny", "efficientnet_scaled")


def published_accuracy(strategies: Iterable[str] = ("w", "dWr", "dwr")) -> pd.DataFrame:
    """Gather what was published of one base network scaled by several of these strategies.

    The paper's own networks were not trained here. Compared are networks of nearly equal flops (within 15 %).

    Arguments:
        strategies: names of strategies; default: w, dWr, dwr.

    Returns:
        One row per base network and strategy. Columns: case (base, flops, source), base, strategy, flops
        (multiply-adds), top1_accuracy_pct (ImageNet, percent).

    Raises:
        PublishedError: the published tables are not there.
    """
    ways = list(strategies)
    columns = ["source", "base", "strategy", "flops", "top1_error_pct"]
    tables = [published_errors().reindex(columns=columns), published_scaling()[columns]]
    rows = pd.concat([table.dropna(subset=["base", "strategy"]) for table in tables], ignore_index=True)
    rows = rows[rows["strategy"].isin(ways) & rows["source"].isin(_SOURCES)]
    found = []
    for (source, base), own in rows.groupby(["source", "base"], sort=False):
        flops = own["flops"].astype(float)
        if len(own) < 2 or flops.max() / flops.min() > 1 + _NEAR:
            continue
        case = f"{base} at {flops.median() / 1e9:.1f} G, {table_title(str(source))}"
        found.append(own.assign(case=case, top1_accuracy_pct=100 - own["top1_error_pct"].astype(float)))
    columns = ["case", "base", "strategy", "flops", "top1_accuracy_pct"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def activations_beside_width(
    network: Network | str, strategies: Iterable[str] = ("w", "dWr", "dw", "dwr"), largest: float = 64.0
) -> pd.DataFrame:
    """Count the activations of scaled networks, relative to width scaling at the same flops.

    Between two networks scaled by w, activations are interpolated over flops, both as logarithms.

    Arguments:
        network: base network, or its name.
        strategies: names of strategies.
        largest: scale factor of the largest networks; default: 64.

    Returns:
        One row per strategy and network. Columns: strategy, times (flops relative to the base network's), relative
        (activations over those of width scaling).

    Raises:
        NetworkError: there is no such network.
        StrategyError: there is no such strategy.
    """
    base = named_network(network)
    scales = np.geomspace(1, largest, _POINTS)
    ways = [named_strategy(each).name for each in strategies]
    swept = sweep(base, list(dict.fromkeys([*ways, "w"])), scales, stages=False)
    wide = swept[swept["strategy"] == "w"].sort_values("flops")
    log_flops, log_activations = (np.log(wide[name].to_numpy(float)) for name in ("flops", "activations"))
    shown = swept[swept["strategy"].isin(ways) & (swept["flops"] <= wide["flops"].max())]
    expected = np.exp(np.interp(np.log(shown["flops"].to_numpy(float)), log_flops, log_activations))
    return pd.DataFrame(
        {
            "strategy": shown["strategy"].astype(str).to_numpy(),
            "times": shown["flops"].to_numpy(float) / complexity(base).flops,
            "relative": shown["activations"].to_numpy(float) / expected,
        }
    )


def figure_one_text(network: Network | str, activations: pd.DataFrame, times: pd.DataFrame) -> str:
    """Write what activations and times say: a sentence, and a table of times.

    Activations are compared at the largest flops that both strategies reach, interpolated as logarithms.

    Arguments:
        network: base network, or its name.
        activations: of `activations_beside_width`, with dwr and dWr.
        times: of `on_every_device`.
    """
    name = named_network(network).name
    curves = {way: activations[activations["strategy"] == way].sort_values("times") for way in ("dwr", "dWr")}
    common = min(own["times"].max() for own in curves.values())  # sizes are rounded: one strategy has fewer flops
    dwr, fast = (
        np.exp(np.interp(np.log(common), np.log(own["times"].to_numpy()), np.log(own["relative"].to_numpy())))
        for own in curves.values()
    )
    return (
        f"At {common:.0f} times the flops of {name}, compound scaling (*dwr*) makes {dwr:.1f} times the activations of "
        f"width scaling (*w*); fast scaling (*dWr*) makes {fast:.1f} times.\n\n{devices_text(times)}"
    )


def devices_text(times: pd.DataFrame) -> str:
    """Write a table in Markdown of how long dwr and dWr take relative to w, by kind of device.

    Arguments:
        times: of `on_every_device`.
    """
    parts = times.groupby(["kind", "evidence"], sort=False)
    lines = [_times_told(*case, parts.get_group(case)) for case in product(_KINDS, _EVIDENCE) if case in parts.groups]
    if not lines:
        return "No device has times of all these strategies."
    return "\n".join(["| Time, relative to *w* at the same flops | *dwr* | *dWr* |", "| --- | --- | --- |", *lines])


def _times_told(kind: str, evidence: str, times: pd.DataFrame) -> str:
    ratios = times.pivot(index="device", columns="strategy", values="ratio")
    doubtful = times.loc[times["doubt"].notna(), "device"].nunique()
    undecided = f", of which {doubtful} decide{'s' * (doubtful == 1)} nothing" if doubtful else ""
    known = counted(len(ratios), "setting") + undecided
    case = f"{evidence} on {kind}s ({known}), {span(times['scale'], '.2g')}× the base's flops"
    return f"| {case} | {span(ratios['dwr'])}× | {span(ratios['dWr'])}× |"
