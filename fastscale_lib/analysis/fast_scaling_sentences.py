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
    return bullets("Times are predicted for", said)


def relative_times_text(times: pd.DataFrame) -> str:
    """Say how long strategies took relative to width scaling, and whether in the paper's order.

    The paper orders w, dWr, dw and dwr; of other strategies no order is told.

    Arguments:
        times: of `relative_times`.
    """
    said = []
    for case, rows in times.groupby("case", sort=False):
        slower = rows[rows["strategy"] != "w"].sort_values("ratio")
        if not len(slower):
            continue
        told = listed(f"{row['strategy']} {row['ratio']:.2f}" for row in dicts(slower))
        order = tuple(rows.sort_values("ratio", kind="stable")["strategy"])
        paper = f", {'in' if order == _PAPERS_ORDER else 'not in'} the paper's order"
        paper *= set(order) == set(_PAPERS_ORDER)
        doubtful = slower.loc[slower["doubt"].notna(), "strategy"]
        doubt = f" (in doubt, so not decided: {listed(doubtful)})" * (len(doubtful) > 0)
        said.append(f"{case}, at {rows['scale'].iloc[0]:.3g} times the flops: {told} times the time of w{paper}{doubt}")
    return bullets("As measured", said) if said else "No device has measured times of these strategies."


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
