"""Scaled networks beside designed ones: activations, predicted times, published errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ..records.conditions import distinct_labels
from .times import predicted_times

_TABLES = {"zoo": "pycls_zoo_v100", "early": "early_convolutions_table2"}
_COUNTS = ["flops", "params", "activations"]
_SAME_EPOCHS, _REFERENCE = 100, "ResNet-50"


def larger_told(relatives: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """List the larger networks of each base network's family.

    Arguments:
        relatives: by base, the names that `larger` gives.
    """
    told = [
        f"{len(names)}: {names[0]} to {names[-1]}" if names else "none in the zoo: the base is left out"
        for names in relatives.values()
    ]
    return pd.DataFrame({"larger networks of its family": told}, index=pd.Index(relatives, name="base"))


def activations_by_regime(frame: pd.DataFrame) -> pd.DataFrame:
    """Tabulate activations of scaled networks and the designed one of the same flops.

    Arguments:
        frame: of `regimes`.

    Returns:
        Index network and regime; a column for each strategy, and designed.
    """
    table = frame.pivot(index=["network", "regime"], columns="strategy", values="activations")
    return table.reindex(pd.MultiIndex.from_frame(frame[["network", "regime"]].drop_duplicates()))


def relative_to_designed(table: pd.DataFrame, strategies: Sequence[str]) -> pd.DataFrame:
    """Divide the columns of the strategies by that of the designed networks.

    Arguments:
        table: of `activations_by_regime`.
        strategies: names of its columns.
    """
    return table.div(table["designed"], axis=0)[list(strategies)]


def times_by_regime(rows: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Predict the times of scaled and designed networks on each device with measured rows.

    Arguments:
        rows: of `read_rows`, of one mode.
        frame: of `regimes`.

    Returns:
        The columns of `predicted_times`, regime, flops, case and named (device and settings in words, and in fewer).
    """
    every = predicted_times(rows, frame).astype({"scale": float})
    every = every.assign(case=distinct_labels(every), named=distinct_labels(every, briefly=True))
    return every.merge(frame[["network", "strategy", "scale", "regime", "flops"]], on=["network", "strategy", "scale"])


def time_table(every: pd.DataFrame, strategies: Sequence[str]) -> pd.DataFrame:
    """Tabulate predicted times of scaled and designed networks, in ms/image.

    Arguments:
        every: of `times_by_regime`.
        strategies: names of the columns.

    Returns:
        Index case, network and regime; columns designed and the strategies, NaN where nothing is predicted.
    """
    known = every.dropna(subset="ms_per_image")
    table = known.pivot(index=["case", "network", "regime"], columns="strategy", values="ms_per_image")
    return table.reindex(columns=["designed", *strategies])


def predicted_cases(every: pd.DataFrame) -> pd.DataFrame:
    """List the cases that times were predicted for, and how well.

    Arguments:
        every: of `times_by_regime`.

    Returns:
        Index case; columns device ("cuda" or "cpu"), named, source, error (the model's median error), widest_90 (within
        which nine in ten networks stay that are as little like the fitted ones as any here), both as fractions, and
        left_out (networks without a prediction).
    """
    widest = every["high_90_ms"] / every["ms_per_image"] - 1
    by = every.assign(widest=widest, told=every["ms_per_image"].isna()).groupby("case", sort=False)
    cases = by[["device", "named", "source", "error"]].first()
    cases = cases.assign(widest_90=by["widest"].max(), left_out=by["told"].sum())
    return cases[cases.index.isin(every.dropna(subset="ms_per_image")["case"])]


def scaled_and_designed_errors(errors: pd.DataFrame) -> pd.DataFrame:
    """Compare the networks that are both in the zoo of pycls and in *Early Convolutions*.

    Arguments:
        errors: of `published_errors`; networks that were trained for 100 epochs are taken.

    Returns:
        Index network; columns family, top-1 errors (in percent) and counts in both tables, the times of training,
        relative to that of ResNet-50 in the same table, and gap (percentage points, early less zoo).
    """
    same = errors[errors["epochs"] == _SAME_EPOCHS]
    same = same.assign(network=same["network"].str.replace(".0GF", "GF")).set_index("network")
    columns = ["top1_error_pct", *_COUNTS, "training_ms_per_image"]
    zoo, early = (same[same["source"] == source] for source in _TABLES.values())
    both = (
        zoo[["family"]].join(zoo[columns].add_suffix(" (zoo)")).join(early[columns].add_suffix(" (early)"), how="inner")
    )
    for table in _TABLES:
        time = both.pop(f"training_ms_per_image ({table})")
        both[f"time ({table})"] = time / time[_REFERENCE]
    return both.assign(gap=both["top1_error_pct (early)"] - both["top1_error_pct (zoo)"])
