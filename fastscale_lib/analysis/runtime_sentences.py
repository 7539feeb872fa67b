"""Sentences on which count time follows, and on how well times are predicted."""

from __future__ import annotations

import pandas as pd

from .._common.frames import dicts
from .._common.wording import bullets, counted, listed, span
from ..prediction.forms import BY
from ..records.conditions import distinct_labels, short_titles
from .claims import by_kind
from .within_base import within_base_table

_ON_ONE_LINE = "\N{NO-BREAK SPACE}"


def leads_text(lead: pd.DataFrame, timings: pd.DataFrame, metric: str) -> str:
    """Say in how many comparisons this metric has the higher correlation with time.

    A comparison is of one case, one statistic and one other metric.

    Arguments:
        lead: of `leads`.
        timings: the frame that `leads` was given.
        metric: the one that `leads` was given.
    """
    if len(timings) and not len(lead):
        return f"There is no other count to hold {metric} against."
    kinds = timings.drop_duplicates(["source", "device_name"]).set_index(["source", "device_name"])["device"]
    named = lead.assign(case=short_titles(lead)).dropna(subset="lead")
    keys = pd.MultiIndex.from_frame(named[["source", "device_name"]])
    said = [_leads_of(where, rows, metric) for where, rows in by_kind(named, kinds.reindex(keys)).items() if len(rows)]
    return " ".join(said) or "There are too few timings to correlate."


def _leads_of(where: str, rows: pd.DataFrame, metric: str) -> str:
    ahead, behind, higher = (int(each.sum()) for each in (*_decided(rows), rows["lead"] > 0))
    return (
        f"On {where}, {metric} have the higher r in {higher} of {counted(len(rows), 'comparison')} with another count, "
        f"over all cases and statistics; corrected for their number, {ahead} are decided for {metric} and {behind} "
        "against."
    )


def _decided(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    return rows["verdict"] == "ahead", rows["verdict"] == "behind"


def leads_everywhere_text(found: pd.DataFrame, metric: str) -> str:
    """Say in how many published settings this metric has the higher correlation.

    Arguments:
        found: of `leads_everywhere`.
        metric: the one that it was given.
    """
    said = []
    for where, part in by_kind(found, found["device"]).items():
        told = []
        for kind, rows in part.groupby("kind", sort=False):
            ahead, behind = (int(each.sum()) for each in _decided(rows))
            higher = f"{int((rows['lead'] > 0).sum())} of {counted(len(rows), 'setting')} for {kind}"
            told.append(f"{higher} (surely in {ahead}, surely lower in {behind})")
        said += [f"On {where}, {metric} have the higher r in {listed(told)}."] if told else []
    return " ".join(said) or "No such setting was published."


def within_base_text(timed: pd.DataFrame) -> str:
    """Say how often times within one base network come in the order of activations.

    Arguments:
        timed: of `times_within_bases`.
    """
    said = []
    for where, rows in by_kind(timed, timed["device"]).items():
        table = within_base_table(rows)
        if not len(table):
            continue
        by_activations, by_params = table["Spearman, activations"], table["Spearman, params"]
        said.append(
            f"On {where}, times come in exactly the order of activations in {int((by_activations == 1).sum())} of "
            f"{counted(len(table), 'case')}; activations rank them better than params in "
            f"{int((by_activations > by_params).sum())}."
        )
    return " ".join(said) or "No base network was measured under three strategies that reach the same flops."


def prediction_text(errors: pd.DataFrame) -> str:
    """Say how well times of unseen families are predicted by layers, beside the best baseline.

    Arguments:
        errors: of `errors_by_store`.
    """
    known = errors[errors["error"].notna()].assign(case=lambda rows: distinct_labels(rows))
    reasons = [reason.split("; ") for reason in errors["reason"].dropna()]
    parts = dict.fromkeys([*(each[0] for each in reasons), *(part for each in reasons for part in each[1:])])
    missing = [f"No model: {'; '.join(parts)}."] * bool(parts)
    table = known.pivot(index="case", columns="by", values="error") * 100
    if not len(table):
        return " ".join(missing) or "There are no measured rows, so no time is predicted."
    layers, best = table["layers"], table.drop(columns="layers").min(axis=1)
    told = [
        f"Over {counted(len(table), 'case')}, the median error by layers is {span(layers, '.1f')} %, and by the best "
        f"baseline of each case {span(best, '.1f')} %; by layers it is smaller in {int((layers < best).sum())}."
    ]
    return " ".join([*told, *dict.fromkeys(missing)])


def errors_table(errors: pd.DataFrame) -> pd.DataFrame:
    """Arrange the errors of predicted times in one row per case.

    Arguments:
        errors: of `errors_by_store`.

    Returns:
        Index: case. Columns: one per model (median error, and the 90th percentile in parentheses), rows.
    """
    known = errors[errors["error"].notna()]
    known = known.assign(
        case=distinct_labels(known),
        told=[
            f"{100 * row['error']:.1f} % ({100 * row['error_90']:.0f} %)".replace(" ", _ON_ONE_LINE)
            for row in dicts(known)
        ],
    )
    table = known.pivot(index="case", columns="by", values="told").reindex(columns=list(BY))
    return (
        table.assign(rows=known.groupby("case")["rows"].first()).loc[known["case"].unique()].rename_axis(columns=None)
    )


def roofline_text(near: pd.DataFrame) -> str:
    """Say which family comes nearest to the ceilings in each case, and which least.

    Arguments:
        near: of `rows_beside_ceilings`.
    """
    known = near.dropna(subset="roofline_share")
    if not len(known):
        return "None of these rows has measured ceilings."
    medians = known.assign(case=short_titles(known)).groupby(["case", "family"], sort=False)["roofline_share"].median()
    said = []
    for case, shares in medians.groupby(level="case", sort=False):
        own = shares.droplevel("case")
        last = f", farthest {own.idxmin()} ({own.min():.2f})" if len(own) > 1 else ""
        said.append(f"{case}: {own.idxmax()} ({own.max():.2f}){last}")
    above = int((known["roofline_share"] > 1).sum())
    shares = f"shares of single rows: {span(known['roofline_share'])}, {above} of {len(known)} above 1"
    return bullets(
        "The families nearest to the ceilings and farthest from them, by their median share", [*said, shares]
    )
