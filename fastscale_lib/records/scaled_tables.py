"""Published sizes, counts, errors and times of networks that were scaled from one base."""

from __future__ import annotations

import os

import pandas as pd

from .published_rows import counts, read_table, table_folder

_TABLE = "yolos_deit_tiny"
# The columns and their dtypes.
SCALING_COLUMNS = {
    **dict.fromkeys(("source", "network", "base", "strategy"), "string"),
    **dict.fromkeys(("depth", "width", "resolution", "flops", "params"), "Int64"),
    **dict.fromkeys(("top1_error_pct", "images_per_s"), "float64"),
}


def published_scaling(folder: str | os.PathLike | None = None) -> pd.DataFrame:
    """Read what was published of DeiT-Ti, a vision transformer, scaled by w, dwr and dWr.

    Source: Fang et al., You Only Look at One Sequence, 2021, Tables 1 and 4.

    Arguments:
        folder: folder with the tables; default: `published` in `data_folder()`.

    Returns:
        One row per network, the base first. Columns source, network, base, strategy (missing for the base), depth
        (blocks), width (channels), resolution (pixels), flops (multiply-adds, one decimal of G), params (one decimal
        of M; missing for the base), top1_error_pct (percent, ImageNet), images_per_s (at batch 1 on a GTX 1080 Ti).

    Raises:
        PublishedError: there is no such folder, or the table does not read.
    """
    table = read_table(table_folder("published_scaling", folder), _TABLE)
    scaled = table["base"] + " " + table["strategy"].fillna("")
    table = table.assign(
        source=_TABLE,
        network=scaled.str.strip(),
        depth=table["layers"],
        flops=counts(table["flops_g"], 1e9),
        params=counts(table["params_m"], 1e6),
        top1_error_pct=(100 - table["top1_accuracy_pct"]).round(1),
        images_per_s=table["frames_per_s"],
    )
    return table.reindex(columns=list(SCALING_COLUMNS)).astype(SCALING_COLUMNS)
