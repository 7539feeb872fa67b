"""Sentences on fast scaling: predictions, and times relative to width scaling."""

from __future__ import annotations

import pandas as pd

from .._common.frames import dicts
from .._common.wording import bullets, counted, listed
from .fast_scaling import OTHERS

_PAPERS_ORDER = ("w", "dWr", "dw", "dwr")


def predictions_text(predicted: pd.DataFrame) -> str:
    """Say for which devices and settings times are predicted, how well, and why not for others.

    Arguments:
        predicted: of `predicted_times_beside`.
    """
    if not len(predicted):
        return "There are no measured rows, so no time is predicted."
    said = []
    for case, rows in predicted.groupby("case", sort=False):
        error, reasons = rows["error"].iloc[0], rows["reason"].dropna()
        if pd.isna(error):
            said.append(f"{case}: none ({reasons.iloc[0].removeprefix('fit: ')})")
        else:
            left = f", but not of {counted(len(reasons), 'network')}" if len(reasons) else ""
            said.append(f"{case}: median error {100 * error:.1f} %{left}")
    return bullets("Predicted times", said)


def relative_times_text(times: pd.DataFrame) -> str:
    """Say where strategies took time in the paper's order, and how much where none is in doubt.

    The paper orders w, dWr, dw and dwr; of other strategies no order is told.

    Arguments:
        times: of `relative_times`.
    """
    cases = {str(case): rows.sort_values("ratio", kind="stable") for case, rows in times.groupby("case", sort=False)}
    cases = {case: rows for case, rows in cases.items() if set(rows["strategy"]) > {"w"}}
    if not cases:
        return "No device has measured times of these strategies."
    sure = {case: rows for case, rows in cases.items() if rows["doubt"].isna().all()}
    orders = {
        case: tuple(rows["strategy"]) for case, rows in cases.items() if set(rows["strategy"]) == set(_PAPERS_ORDER)
    }
    said = ["**What came out.**"]
    if orders:
        agreeing = [case for case, order in orders.items() if order == _PAPERS_ORDER]
        doubtful = sum(case not in sure for case in agreeing)
        said.append(
            f"At the same flops, measured times are in the paper's order ({listed(_PAPERS_ORDER)}, the slowest) in "
            f"{len(agreeing)} of {counted(len(orders), 'setting')}"
            + f", {doubtful} of them in doubt" * bool(doubtful)
            + "."
        )
    for case, rows in sure.items():
        first, *rest = dicts(rows[rows["strategy"] != "w"])
        ratios = [f"{first['strategy']} takes {first['ratio']:.2f}"]
        slower = listed([*ratios, *(f"{row['strategy']} {row['ratio']:.2f}" for row in rest)])
        at = f"{rows['scale'].iloc[0]:.3g} times the flops"
        said.append(f"On {case}, at {at}, {slower} times the time of w.")
    if len(sure) < len(cases):
        said.append(
            f"In {'the other settings' if sure else 'all settings'} a time is in doubt, so they decide nothing."
        )
    return " ".join(said)


def how_often_faster_text(ratios: pd.DataFrame) -> str:
    """Say for how many base networks fast scaling took less time than w, dwr and dw.

    Those with a time in doubt are counted apart.

    Arguments:
        ratios: of `fast_scaling_ratios`.
    """
    said = []
    for device, rows in ratios.groupby("device", sort=False):
        sure = rows[rows["in doubt"] == 0]
        faster = listed(f"than {other} for {int((sure[other] < 1).sum())}" for other in OTHERS)
        told = [f"of {counted(len(sure), 'base network')}, faster {faster}"] * bool(len(sure))
        told += [f"{counted(len(rows) - len(sure), 'base network')} in doubt"] * (len(sure) < len(rows))
        said.append(f"{device}: {'; '.join(told)}")
    return bullets("Fast scaling, as measured", said) if said else "No device has measured all four strategies."
