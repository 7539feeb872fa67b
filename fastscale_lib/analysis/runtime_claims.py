"""Claims on what time follows, device by device, and on how well it is predicted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd

from .._common.device_kinds import CPU, CUDA
from ..records.conditions import Conditions, distinct_labels
from .claims import BEYOND, PAPER, Claim

# Over all models of Figure 9 of Early Convolutions (Xiao et al., 2021): Pearson's r of training time.
_REPORTED = {"flops": 0.75, "params": 0.71, "activations": 0.93}
_PLACES = {CUDA.name: "on a GPU", CPU.name: "on a CPU"}
_UNKNOWN = "on a device of unknown kind"


def lead_claims(
    lead: pd.DataFrame, timings: pd.DataFrame, favourite: str, measured: Collection[str] = ()
) -> list[Claim]:
    """Claim, of each source, that no other metric has a higher correlation with time than the favourite.

    The number that is found runs from the comparisons in which the favourite is surely behind to those in which it is
    not surely ahead. The paper says it of activations and of GPUs; all else is beyond it.

    Arguments:
        lead: of `leads`.
        timings: the rows that it was made from.
        favourite: its metric.
        measured: the sources that are stores; others are published.
    """
    scope = PAPER if favourite == "activations" else BEYOND
    text = f"number of comparisons with another metric above {favourite}"
    groups = Conditions.groups(timings, Conditions.CORRELATE)
    devices = {each.title(): next(iter(rows["device"].dropna()), None) for each, rows in groups}
    lead = lead.assign(case=[Conditions.of(row).title() for row in lead.to_dict("records")])
    claims = []
    for (source, name), rows in lead.groupby(["source", "case"], sort=False):
        place = _PLACES.get(devices[name], _UNKNOWN)
        ends: dict[str, Any] = {"low": (rows["verdict"] == "behind").sum(), "high": (rows["verdict"] != "ahead").sum()}
        sure = [f"{other} {', '.join(each)}" for other, each in rows.groupby("other", sort=False)["verdict"]]
        details = "; ".join([rows["device_name"].iloc[0] if source in measured else name, *sure])
        tested = rows["lead"].notna().all()
        claims.append(
            Claim(
                f"{text}, {place}: {name}",
                0,
                (rows["lead"] < 0).sum() if tested else None,
                scope=scope if place == _PLACES[CUDA.name] else BEYOND,
                evidence="measured" if source in measured else "published",
                details=details if tested else f"too few rows of {name} to correlate",
                **ends,
            )
        )
    if not (timings["device"].eq(CUDA.name) & timings["source"].isin(list(measured))).any():
        missing: dict[str, Any] = {"evidence": "measured", "details": "no measured rows of a GPU"}
        claims.append(Claim(f"{text}, on a GPU: measured rows", 0, None, scope=scope, **missing))
    return claims


def reported_claims(found: pd.DataFrame, tolerance: float) -> list[Claim]:
    """Claim the correlations that *Early Convolutions* reports, of the part of its models that its Table 2 holds.

    Arguments:
        found: of `correlations`.
        tolerance: how far a correlation may lie from the reported one.
    """
    source = "early_convolutions_table2"
    plain = found[(found["source"] == source) & (found["statistic"] == "Pearson")]
    return [
        Claim(
            f"r of {row.metric}, as Early Convolutions reports it",
            _REPORTED[row.metric],
            row.r,
            tolerance,
            scope=BEYOND,
            evidence="published",
            details=f"{source}: {row.rows} rows",
        )
        for row in plain.itertuples()
        if row.metric in _REPORTED
    ]


def prediction_claims(errors: pd.DataFrame, timings: pd.DataFrame) -> list[Claim]:
    """Claim how near times are predicted of families that were left out, as this project set out for.

    The median error of the model by layers is to be below 15 % on a CPU, 10 % on a GPU, and half that by activations.

    Arguments:
        errors: of `prediction_errors`, of several stores, with a column source.
        timings: rows with source, device_name and device, which say what kind of device a row of errors is of.
    """
    keys = ["source", "device_name"]
    kinds = timings.drop_duplicates(keys, keep="last").set_index(keys)["device"].to_dict()
    layers = errors[errors["by"] == "layers"].to_dict("records")
    layers = [row | {"device": kinds.get((row["source"], row["device_name"]))} for row in layers]
    alone = errors.loc[errors["by"] == "activations", "error"]
    text = "median error of predicted times on families left out"
    claims = []
    for row, name, other in zip(layers, distinct_labels(pd.DataFrame(layers)), alone, strict=True):
        place = f"{_PLACES.get(row['device'], _UNKNOWN)} ({name})"
        details = f"{row['rows']:g} rows of {name}" if pd.isna(row["reason"]) else row["reason"]
        more: dict[str, Any] = {"scope": BEYOND, "evidence": "predicted", "details": details, "relation": "<"}
        goal = {CUDA.name: 0.1}.get(row["device"], 0.15)
        claims.append(Claim(f"{text}, {place}", goal, row["error"], 1e-9, **more))
        claims.append(Claim(f"{text}, over that by activations, {place}", 0.5, row["error"] / other, **more))
    if CUDA.name not in {row["device"] for row in layers}:
        missing: dict[str, Any] = {"evidence": "predicted", "details": "no measured rows of a GPU", "relation": "<"}
        claims.append(Claim(f"{text}, on a GPU", 0.1, None, scope=BEYOND, **missing))
    return claims
