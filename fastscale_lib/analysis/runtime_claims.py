"""Claims on which count correlates best with time, and on the error of predicted times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

import pandas as pd

from .._common.device_kinds import CUDA
from .._common.frames import dicts
from .._common.frames import rows as rows_of
from .._common.wording import counted
from ..records.conditions import Conditions, distinct_labels, short_titles
from ..records.published_rows import table_title
from .claims import BEYOND, PAPER, Claim, place, scope_on

# Over all models of Figure 9 of Early Convolutions (Xiao et al., 2021): Pearson's r of training time.
_REPORTED = {"flops": 0.75, "params": 0.71, "activations": 0.93}


def lead_claims(lead: pd.DataFrame, timings: pd.DataFrame, metric: str, measured: Collection[str] = ()) -> list[Claim]:
    """Claim that no other metric has a higher correlation with time than this one.

    The number found is how many comparisons (statistics by other metrics) contradict; verdicts are corrected for their
    number (Holm). The lower end of its interval counts the verdicts "behind", the upper end those other than "ahead".
    The paper's claim is on activations and GPUs; others are beyond it.

    Arguments:
        lead: of `leads`.
        timings: the frame that `leads` was given.
        metric: the one that `leads` was given.
        measured: names of the sources that are stores; default: (), all are published tables.

    Returns:
        One claim per group of timings; and one on a GPU that is not tested, where no store has rows of one.
    """
    scope = PAPER if metric == "activations" else BEYOND
    headline = "follows" if scope == PAPER else ""
    text = f"number of comparisons with another metric above {metric}"
    groups = timings.groupby(short_titles(timings), sort=False)
    devices = {str(name): next(iter(rows["device"].dropna()), None) for name, rows in groups}
    lead = lead.assign(case=short_titles(lead))
    claims = []
    for name, rows in lead.groupby("case", sort=False):
        device, first = devices[str(name)], rows.iloc[0]
        verdicts = [f"{other}: {_counted_up(each)}" for other, each in rows.groupby("other", sort=False)["verdict"]]
        is_measured, tested = first["source"] in measured, rows["lead"].notna().all()
        holm = f"Holm over {counted(len(rows), 'comparison')}"
        details = "; ".join([first["device_name"] if is_measured else str(name), *verdicts, holm])
        claims.append(
            Claim(
                f"{text}, on {place(device)}: {name}",
                0,
                int((rows["lead"] < 0).sum()) if tested else None,
                scope=scope_on(device, scope),
                evidence="measured" if is_measured else "published",
                details=details if tested else f"too few rows of {name} to correlate",
                low=int((rows["verdict"] == "behind").sum()),
                high=int((rows["verdict"] != "ahead").sum()),
                headline=headline,
            )
        )
    if not (timings["device"].eq(CUDA.name) & timings["source"].isin(list(measured))).any():
        missing: dict[str, Any] = {"evidence": "measured", "details": "no measured rows of a GPU", "headline": headline}
        claims.append(Claim(f"{text}, on a GPU: measured rows", 0, None, scope=scope, **missing))
    return claims


def _counted_up(verdicts: Iterable[str]) -> str:
    """Count the verdicts by several statistics: "2 ahead, 1 undecided"."""
    return ", ".join(f"{number} {verdict}" for verdict, number in Counter(verdicts).items())


def reported_claims(found: pd.DataFrame, tolerance: float) -> list[Claim]:
    """Claim the correlations that *Early Convolutions* reports.

    It reports them for more models than its Table 2 has.

    Arguments:
        found: of `correlations`.
        tolerance: largest deviation of r that still agrees.
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
            details=f"{table_title(source)}: {counted(row.rows, 'row')}",
        )
        for row in rows_of(plain)
        if row.metric in _REPORTED
    ]


def prediction_claims(errors: pd.DataFrame, timings: pd.DataFrame) -> list[Claim]:
    """Claim that times of unseen families are predicted as precisely as this project aims at.

    The aims for the median error of the model by layers: below 15 % on a CPU, below 10 % on a GPU, and below that
    of the best model that is fitted to counts alone (flops and activations together, as a rule).

    Arguments:
        errors: of `prediction_errors`, of several stores, with a column source.
        timings: columns source, device_name and device: the kind of each device.

    Returns:
        Two claims per device and setting; and one on a GPU that is not tested, where there are no rows of one. All are
        beyond the paper.
    """
    keys = ["source", "device_name"]
    kinds = timings.drop_duplicates(keys, keep="last").set_index(keys)["device"].to_dict()
    layers = dicts(errors[errors["by"] == "layers"])
    layers = [row | {"device": kinds.get((row["source"], row["device_name"]))} for row in layers]
    counts = errors[errors["by"].notna() & (errors["by"] != "layers")]
    best = counts.groupby(["source", *Conditions.FIT], dropna=False, sort=False)["error"].min()
    text = "median error of predicted times on families left out"
    claims = []
    shared: dict[str, Any] = {"scope": BEYOND, "evidence": "predicted", "relation": "<"}
    for row, name, other in zip(layers, distinct_labels(pd.DataFrame(layers)), best, strict=True):
        where = f"on {place(row['device'])} ({name})"
        details = f"{counted(int(row['rows']), 'row')} of {name}" if pd.isna(row["reason"]) else row["reason"]
        goal = 0.1 if row["device"] == CUDA.name else 0.15
        claims.append(Claim(f"{text}, {where}", goal, row["error"], 1e-9, **shared, details=details))
        ratio = row["error"] / other
        claims.append(
            Claim(f"{text}, over the best that is fitted to counts, {where}", 1, ratio, **shared, details=details)
        )
    if CUDA.name not in {row["device"] for row in layers}:
        claims.append(Claim(f"{text}, on a GPU", 0.1, None, **shared, details="no measured rows of a GPU"))
    return claims
