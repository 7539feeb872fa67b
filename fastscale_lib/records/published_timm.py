"""Published times of the timm project, of the networks that are described exactly here."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd

from .._common.frames import rows as rows_of
from .published_rows import CONVENTIONS, PublishedError, read_table, table_folder, tidy, with_conventions
from .timm_networks import description_at

_SETTINGS, _TIMES = "timm_settings", "timm_times"


def timm_times(folder: str | os.PathLike | None = None) -> pd.DataFrame:
    """Read the published times of timm's benchmarks that `data/published` keeps.

    They are those of the networks of the zoo that timm times exactly as described: 18 settings of three GPUs and two
    CPUs. `read_timm` reads whole files. Counts are those of `complexity`, by the conventions of `published`.

    Arguments:
        folder: folder with the tables; default: `published` in `data_folder()`.

    Returns:
        The columns of `published`, and base and description (as of `read_timm`), so that `RuntimeModel.fit` takes it.

    Raises:
        PublishedError: there is no such folder, the tables are not in it, or a row names an unknown setting.
    """
    place = table_folder("timm_times", folder)
    settings = read_table(place, _SETTINGS).astype({"torch": "string", "cuda": "string"})
    table = read_table(place, _TIMES)
    if unknown := sorted(set(table["setting"]) - set(settings["setting"])):
        raise PublishedError(f"timm_times: {_TIMES}.csv has setting {unknown[0]}, which {_SETTINGS}.csv does not name")
    joined = table.merge(settings, on="setting", how="left")
    described = [description_at(row.network, int(row.resolution)) for row in rows_of(joined)]
    counted = pd.DataFrame([count for _, count in described], columns=["flops", "params", "activations"])
    known: dict[str, Any] = {"source": _TIMES, "devices": 1, **joined.drop(columns="setting"), **counted}
    descriptions = pd.Series([description for description, _ in described], dtype=object)
    frame = tidy(known).assign(base=joined["network"], description=descriptions)
    return with_conventions(frame, CONVENTIONS)
