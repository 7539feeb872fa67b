"""Strategies at equal flops on every device: predicted from profiles, beside measured rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from .._common.device_kinds import kind_of
from .._common.frames import dicts
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..prediction.sheets import data_sheets
from ..records.conditions import distinct_labels
from ..scaling.matched import equal_flops
from .profiled import DeviceSetting, device_settings
from .times import measured_times, times_ratio

_COLUMNS = ("device", "kind", "evidence", "scale", "strategy", "ratio", "low", "high", "error", "doubt")


def on_every_device(
    rows: pd.DataFrame,
    network: Network | str,
    scale: float = 4.0,
    strategies: Iterable[str] = ("w", "dWr", "dw", "dwr"),
) -> pd.DataFrame:
    """Compare the times of strategies at equal flops on every device there is.

    They are predicted for each setting of the shipped profiles, and measured in the rows, in inference. A device that
    has measured rows is not predicted beside: its profile may be fitted to these very rows.

    Arguments:
        rows: measured rows, of `read_rows`.
        network: the base network, or its name.
        scale: flops relative to the base network's; measured rows are compared at the largest that all strategies
            reach, up to this; default: 4.
        strategies: the first is the one that the others are compared with; default: w, dWr, dw, dwr.

    Returns:
        One row per device and strategy. Columns: device (with its setting), kind ("GPU" or "CPU"), evidence
        ("predicted" or "measured"),
        scale, strategy, ratio (time over that of the first strategy), low and high (predicted: the ratio divided and
        multiplied by 1 + error; measured: the 95 % interval, NaN where there is none), error (median of the profile's
        on families left out; NaN of measured rows), doubt (why a measured ratio decides nothing; None: it does).
        Devices that measured or predict not all of the strategies are left out.

    Raises:
        NetworkError: there is no such network.
        StrategyError: there is no such strategy, or scale is not above 0.
    """
    ways = list(strategies)
    scaled = list(equal_flops(network, ways, scale)["scaled"])
    measured = set(rows["device_name"]) if "device_name" in rows else set()
    others = [each for each in device_settings() if each.setting["device_name"] not in measured]
    found = [row for device in others for row in _predicted(device, ways, scaled, scale)]
    return pd.DataFrame([*found, *_measured(rows, network, ways, scale)], columns=list(_COLUMNS))


def _predicted(device: DeviceSetting, ways: list[str], scaled: list[Network], scale: float) -> list[tuple]:
    times = device.model.predict(scaled, device.batch, strict=False, **device.setting)["predicted_ms"].to_numpy()
    if np.isnan(times).any():
        return []
    ratios, error = times / times[0], device.error
    kind = "GPU" if device.setting["device_name"] in set(data_sheets()["device_name"]) else "CPU"
    return [
        (device.title, kind, "predicted", scale, way, ratio, ratio / (1 + error), ratio * (1 + error), error, None)
        for way, ratio in zip(ways, ratios, strict=True)
    ]


def _measured(rows: pd.DataFrame, network: Network | str, ways: list[str], scale: float) -> list[tuple]:
    if "scale" not in rows:  # there are no rows, or none of scaled networks
        return []
    inference = rows[(rows["mode"] == "inference") & ~(rows["scale"] > 1.02 * scale)]
    times = measured_times(inference, named_network(network), ways)
    found: list[tuple[Any, ...]] = []
    for device, own in times.assign(label=distinct_labels(times)).groupby("label", sort=False):
        found_kind = kind_of(str(own["device"].iloc[0]))
        kind = "CPU" if found_kind is not None and found_kind.by_threads else "GPU"
        by_way = {row["strategy"]: row for row in dicts(own)}
        for way in ways if set(by_way) == set(ways) else ():
            ratio = times_ratio(by_way[way], by_way[ways[0]])
            ends = (1.0, 1.0) if way == ways[0] else (ratio["low"], ratio["high"])
            value = by_way[way]["ms_per_image"] / by_way[ways[0]]["ms_per_image"]
            found.append((device, kind, "measured", by_way[way]["scale"], way, value, *ends, np.nan, ratio["doubt"]))
    return found


def devices_table(frame: pd.DataFrame) -> pd.DataFrame:
    """List the times of `on_every_device`, one row per device.

    Arguments:
        frame: of `on_every_device`.

    Returns:
        Index: evidence, device. Columns: one per strategy (time over that of the first); scale; error.
    """
    table = frame.pivot(index=["evidence", "device"], columns="strategy", values="ratio")
    table = table[list(dict.fromkeys(frame["strategy"]))]
    rest = frame.drop_duplicates(["evidence", "device"]).set_index(["evidence", "device"])[["scale", "error"]]
    return table.join(rest).loc[rest.index]
