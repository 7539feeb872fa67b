"""Models fitted to the rows that stores hold of a device."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pandas as pd

from .._common.checks import shown
from ..measuring.settings import Mode, Precision
from ..records.conditions import Conditions
from ..records.rows import read_rows
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
    """A model fitted to the rows of stores that were measured in one setting: of those that fit, that of most rows.

    Arguments:
        device_name: of the device, as the rows have it; left out: any.
        batch: at which it is to predict, between the smallest and the largest of the setting's rows; left out: any.

    Returns:
        The model, which knows this one setting; None where no setting has the rows that a fit takes.

    Raises:
        BudgetError: there are rows, but none of a device of this name.
        PublishedError: there is no such file.
    """
    most = max(_measured(paths, mode, precision, device_name, batch).values(), key=len, default=())
    return RuntimeModel.fit(most) if len(most) >= LEAST_ROWS else None


def fitted_models(
    paths: Iterable[str | os.PathLike],
    mode: Mode,
    precision: Precision,
    device_name: str = "",
    batch: int | None = None,
) -> dict[str, RuntimeModel]:
    """The models of all devices that have the rows, by the device's name, in the order of the stores and their rows.

    Arguments and errors as for `fitted_model`, whose model each is, for its device.
    """
    settings = _measured(paths, mode, precision, device_name, batch)
    return {name: RuntimeModel.fit(rows) for name, rows in settings.items() if len(rows) >= LEAST_ROWS}


def _measured(
    paths: Iterable[str | os.PathLike], mode: Mode, precision: Precision, device_name: str, batch: int | None
) -> dict[str, pd.DataFrame]:
    """The timed rows of each device's setting that has most of them, of those whose batches enclose this one."""
    rows = read_rows(paths)
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
            most[setting.device_name] = max(most.get(setting.device_name, group.head(0)), group, key=len)
    return most
