"""How well the bands of fits hold on networks larger than all fitted, by published rows.

`python tests/benchmarks/bench_larger.py [--only NAME] [--write]` fits to the networks below 4 G multiply-adds of each
setting of a GPU, and predicts the larger ones, with bands that widen as the other devices needed. Beside them stand
the bands of all networks, each family left out of the fit and of its bands. --write keeps the shares within the two
bands, and what this device needed, in data/devices/larger.csv, which pages quote and fits read. What a device needed
does not depend on the file, but the shares do: where needs change, call it twice.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import fastscale_lib as fs
from fastscale_lib.prediction.fitted import SETTING, fit_setting
from fastscale_lib.prediction.forms import form_of, log_seconds
from fastscale_lib.prediction.reach import BANDS, judge
from fastscale_lib.prediction.sheets import data_sheets
from fastscale_lib.prediction.timed_rows import families_of, timed_rows, timed_runs
from fastscale_lib.prediction.unseen import best_form
from fastscale_lib.records.conditions import Conditions

KEPT = Path(__file__).parents[2] / "data" / "devices" / "larger.csv"
LIMIT, LEAST = 4e9, 60  # multiply-adds; rows on either side


def held(setting: Conditions, rows: pd.DataFrame) -> dict[str, Any] | None:
    """Return the shares of larger networks within the bands; None for too few rows."""
    rows = rows.reset_index(drop=True)
    runs, seconds = timed_runs(rows)
    small = np.exp(runs.extent.sizes[:, 0]) < LIMIT
    if min(small.sum(), (~small).sum()) < LEAST:
        return None
    fitted = fit_setting("layers", setting, rows[small], without=setting.device_name)
    assert fitted.reach is not None
    off = np.abs(log_seconds(fitted.form or form_of("layers"), runs, fitted.parameters) - np.log(seconds))
    bands = judge(fitted.reach, runs.extent).bands
    told = ~small & np.isfinite(bands.ninety)
    shares = {name: (off[told] <= np.log1p(getattr(bands, name)[told])).mean() for name in bands._fields}
    ratio = (runs.extent.sizes - fitted.reach.most).max(axis=1)[told]  # a logarithm, above 0
    needed = {}
    for name, band, share in zip(("needed_half", "needed"), fitted.reach.bands, BANDS, strict=True):
        needed[name] = np.quantile(np.maximum(off[told] - np.log1p(band), 0) / ratio, share)
    what = {**setting.row(("device_name", *SETTING)), "torch": str(rows["torch"].iloc[0])}
    counts = {"rows": small.sum(), "larger": told.sum(), "refused": (~small).sum() - told.sum()}
    return {**what, **counts, **shares, **needed, **by_family(setting, rows)}


def by_family(setting: Conditions, rows: pd.DataFrame) -> dict[str, float]:
    """Return the shares of families left out that are within bands by the errors of the others."""
    runs, seconds = timed_runs(rows)
    off = np.abs(np.log(best_form("layers", runs, seconds, rows, setting).held_out / seconds))
    families = np.array(families_of(rows))
    bands = np.array([np.quantile(off[families != family], BANDS) for family in families])
    return dict(zip(("families_half", "families_ninety"), (off[:, None] <= bands).mean(axis=0), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a part of the name of the devices")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    found = []
    for setting, rows in timed_rows(fs.records.timm_times().assign(half_width=0.01)):
        if setting.device_name in set(data_sheets()["device_name"]) and asked.only in str(setting.device_name):
            found += [row] if (row := held(setting, rows)) else []
    table = pd.DataFrame(found).drop(columns=["tf32", "threads"]).round(4)
    print(table.to_string())
    if asked.write:
        table.to_csv(KEPT, index=False)


if __name__ == "__main__":
    main()
