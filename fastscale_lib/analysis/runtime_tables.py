"""Tables of timings, correlations, prediction errors and shares of the roofline."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .._common.digits import significant
from .._common.frames import dicts
from ..measuring.peak_rates import Ceilings
from ..prediction.forms import PredictionError
from ..prediction.roofline import roofline_share
from ..prediction.timed_rows import families_of
from ..prediction.unseen import prediction_errors
from ..records.conditions import Conditions, short_titles
from ..records.published_rows import published, published_form, table_title
from ..records.rows import read_rows
from ..records.rows_that_judge import undisturbed
from ..records.store import Store
from ..records.timm_tables import read_timm
from .correlation import STATISTICS

Paths = Iterable[str | os.PathLike]

_ERRORS = ("error", "error_90", "pearson", "spearman", "pearson_of_logs", "reason")


def all_timings(folder: str | os.PathLike, stores: Paths, timm: Paths = ()) -> pd.DataFrame:
    """Read published tables, stores and files of timm, in the form of `published`.

    Arguments:
        folder: of the published tables.
        stores: paths of stores.
        timm: benchmark files of the timm project; default: none.

    Raises:
        PublishedError, StoreError: (a ValueError) a file is not there, or cannot be read.
    """
    frames = [published(folder=folder), published_form(read_rows(stores)), *map(read_timm, timm)]
    return pd.concat(frames, ignore_index=True)


def timings_by_case(timings: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Split timings by source, device, mode and precision.

    Arguments:
        timings: of `all_timings`.

    Returns:
        The rows of each case, by its name.
    """
    return {str(case): rows for case, rows in timings.groupby(_cases(timings), sort=False)}


def timings_overview(timings: pd.DataFrame) -> pd.DataFrame:
    """Count the timings of each case.

    Arguments:
        timings: of `all_timings`.

    Returns:
        Index: the case. Columns: source; timings; families; batch and ms/image (smallest to largest, on one device);
        launch-bound (how many of the timings are).
    """
    return pd.DataFrame.from_dict(
        {
            case: {
                "source": table_title(rows["source"].iloc[0]),
                "timings": len(rows),
                "families": rows["family"].nunique(),
                "batch": " to ".join(f"{size:,}" for size in rows["batch"].agg(["min", "max"]).dropna().unique()),
                "ms/image": " to ".join(map(significant, rows["ms_per_image"].agg(["min", "max"]))),
                "launch-bound": int(rows["launch_bound"].sum()),
            }
            for case, rows in timings_by_case(timings).items()
        },
        orient="index",
    )


def correlation_table(found: pd.DataFrame) -> pd.DataFrame:
    """Arrange correlations in one row per case.

    Arguments:
        found: of `correlations`.

    Returns:
        Index: the case. Columns: statistic, metric.
    """
    cases = _cases(found)
    table = found.assign(case=cases).pivot(index="case", columns=["statistic", "metric"], values="r")
    return table.loc[cases.unique(), list(STATISTICS)]


def lead_table(lead: pd.DataFrame) -> pd.DataFrame:
    """Arrange leads in one row per case.

    Arguments:
        lead: of `leads`.

    Returns:
        Index: the case. Columns: other ("over flops"), statistic. Values: "+0.12 (0.01 to 0.23) ahead", with the
        interval where there is one, and the verdict where it is decided.
    """
    told = [_lead(row) for row in dicts(lead)]
    named = lead.assign(case=_cases(lead), told=told, other="over " + lead["other"].astype(str))
    table = named.pivot(index="case", columns=["other", "statistic"], values="told")
    return table.loc[named["case"].unique()].rename_axis(columns=[None, None])


def _lead(row: Mapping[str, Any]) -> str:
    if pd.isna(row["lead"]):
        return "–"
    interval = f" ({row['low']:.2f} to {row['high']:.2f})" if pd.notna(row["low"]) else ""
    lead = f"{row['lead']:+.2f}" if abs(row["lead"]) >= 0.005 else "0.00"  # without a sign
    return f"{lead}{interval}" + f" {row['verdict']}" * (row["verdict"] in ("ahead", "behind"))


def errors_by_store(stores: Paths) -> pd.DataFrame:
    """Compute `prediction_errors` for each store, on its undisturbed rows.

    Arguments:
        stores: paths of stores.

    Returns:
        One row per store, setting and model. Columns: source (name of the file), and those of `prediction_errors`; for
        rows that no model can be fitted to, reason says why.

    Raises:
        PublishedError: there is no such file.
        StoreError: a file is not a store.
    """
    columns = ["source", *Conditions.FIT, "by", "rows", "families", *_ERRORS]
    found = []
    for path in map(Path, stores):
        try:
            errors = prediction_errors(undisturbed(read_rows([path])))
        except PredictionError as error:
            errors = pd.DataFrame({"reason": [str(error)]})
        found.append(errors.assign(source=path.name))
    known = [each for each in found if len(each)]
    return pd.concat(known, ignore_index=True).reindex(columns=columns) if known else pd.DataFrame(columns=columns)


def read_ceilings(stores: Paths) -> list[Ceilings]:
    """Read the ceilings that `fastscale ceilings` has measured.

    Arguments:
        stores: paths of its files.

    Raises:
        StoreError: (a ValueError) a file cannot be read.
    """
    return [Ceilings(**row) for path in stores for row in Store(path)]


def ceilings_table(known: Iterable[Ceilings]) -> pd.DataFrame:
    """Tabulate ceilings in units that are easy to read.

    Arguments:
        known: of `read_ceilings`.

    Returns:
        Columns: device, threads (of the host), precision, G multiply-adds/s, GB/s, multiply-adds/byte (their ratio).
    """
    columns = ["device", "threads", "precision", "G multiply-adds/s", "GB/s"]
    rows = [
        (each.device_name, each.threads, each.precision, each.multiply_adds_per_s / 1e9, each.bytes_per_s / 1e9)
        for each in known
    ]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(**{"multiply-adds/byte": table["G multiply-adds/s"] / table["GB/s"]})


def rows_beside_ceilings(stores: Paths, known: list[Ceilings]) -> pd.DataFrame:
    """Compute the `roofline_share` of measured rows.

    Arguments:
        stores: paths of stores.
        known: of `read_ceilings`.

    Returns:
        One row per undisturbed row with a time. Columns: those of `Conditions.CORRELATE`; family; network; strategy;
        roofline_share (NaN if the device has no ceilings in this precision).

    Raises:
        PublishedError: there is no such file.
        StoreError: a file is not a store.
    """
    columns = [*Conditions.CORRELATE, "family", "network", "strategy", "roofline_share"]
    near = []
    for path in stores:
        rows = undisturbed(read_rows([path]))
        rows = rows[rows["median_ms"].notna()].assign(description=rows.get("description"))
        if len(rows):
            near.append(rows.assign(family=families_of(rows), roofline_share=roofline_share(rows, known)))
    return pd.concat(near, ignore_index=True).reindex(columns=columns) if near else pd.DataFrame(columns=columns)


def _cases(frame: pd.DataFrame) -> pd.Series:
    """Name the case of each row."""
    return pd.Series(short_titles(frame), frame.index, dtype=object)
