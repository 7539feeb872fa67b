"""Models fitted to the rows that stores have of a device."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pandas as pd

from .._common.checks import shown
from ..measuring.settings import Mode, Precision
from ..records.conditions import Conditions
from ..records.rows import read_rows
from ..records.rows_that_judge import undisturbed
from .budgets import BudgetError
from .model import RuntimeModel
from .timed_rows import LEAST_ROWS


def fitted_model(
    paths: Iterable[str | os.PathLike],
    mode: Mode,
    precision: Precision,
    device_name: str = "",
    batch: int | None = None,
) -> RuntimeModel | None:
    """Fit a model to the setting of which the stores have the most rows.

    Arguments:
        paths: of the stores.
        mode: of the rows.
        precision: of the rows.
        device_name: of the device, as the rows have it; default: any.
        batch: at which it is to predict, between the smallest and the largest of the setting's rows; default: any.

    Returns:
        The model of this one setting; None if no setting has the rows that a fit takes.

    Raises:
        BudgetError: there are rows, but none of a device of this name.
        PublishedError: there is no such file.
    """
    most = max(_measured(paths, mode, precision, device_name, batch).values(), key=len, default=None)
    return None if most is None or len(most) < LEAST_ROWS else RuntimeModel.fit(most)


def fitted_models(
    paths: Iterable[str | os.PathLike],
    mode: Mode,
    precision: Precision,
    device_name: str = "",
    batch: int | None = None,
) -> dict[str, RuntimeModel]:
    """Fit a model for each device of which the stores have the rows that a fit takes.

    Arguments:
        paths: of the stores.
        mode: of the rows.
        precision: of the rows.
        device_name: of the device, as the rows have it; default: any.
        batch: as for `fitted_model`.

    Returns:
        The models by the device's name, in the order of the stores and their rows.

    Raises:
        BudgetError, PublishedError: as for `fitted_model`.
    """
    settings = _measured(paths, mode, precision, device_name, batch)
    return {name: RuntimeModel.fit(rows) for name, rows in settings.items() if len(rows) >= LEAST_ROWS}


def _measured(
    paths: Iterable[str | os.PathLike], mode: Mode, precision: Precision, device_name: str, batch: int | None
) -> dict[str, pd.DataFrame]:
    """Return for each device the rows of the setting with most of them around this batch."""
    rows = undisturbed(read_rows(paths))
    if not len(rows):
        return {}
    if device_name and device_name not in set(rows["device_name"]):
        names = ", ".join(sorted(set(rows["device_name"].dropna())))
        raise BudgetError(f"fitted_model: no rows were measured on {shown(device_name)}; there are those of {names}")
    fitting = rows["median_ms"].notna() & (rows["mode"] == mode) & (rows["precision"] == precision)
    rows = rows[fitting & (rows["device_name"] == device_name if device_name else True)]
    most: dict[str, pd.DataFrame] = {}
    for setting, group in Conditions.groups(rows, Conditions.FIT):
        if batch is None or group["batch"].min() <= batch <= group["batch"].max():
            name = setting.device_name or ""
            if len(group) > len(most.get(name, ())):
                most[name] = group
    return most
