"""How well estimates by data sheets and `fs.which` do, judged by published rows.

`python tests/benchmarks/bench_which.py estimates FOLDER [--write]` predicts each GPU that has a profile as if it had
none, from benchmark files of timm in a folder; --write keeps the errors in data/devices/estimates.csv.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import fastscale_lib as fs
from fastscale_lib.prediction.fitted import read_fits
from fastscale_lib.prediction.sheets import data_sheets, estimated_profile

SETTING = ["mode", "precision", "channels_last", "compile"]
ESTIMATES = Path(__file__).parents[2] / "data" / "devices" / "estimates.csv"


def published_rows(folder: Path) -> Iterator[pd.DataFrame]:
    """Read the inference files of GPUs, of the versions of PyTorch that the profiles have."""
    for path in sorted(folder.glob("benchmark-infer-*.csv")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows = fs.records.read_timm(path)
        rows = rows[rows["description"].notna() & rows["median_ms"].notna()]
        if rows["device"].eq("cuda").all() and not rows["torch"].str.match(r"1\.|2\.1").any():
            yield rows


def predicted(model: fs.RuntimeModel, rows: pd.DataFrame, setting: dict) -> np.ndarray:
    """Predict each row at its own batch; NaN where it is not predicted."""
    found = pd.Series(np.nan, index=rows.index)
    for batch, same in rows.groupby("batch"):
        networks = [fs.Network.from_dict(each) for each in same["description"]]
        try:
            times = model.predict(networks, int(str(batch)), strict=False, **setting)
        except fs.prediction.PredictionError:
            continue  # a batch beyond the rows of the other GPUs
        found[same.index] = times["predicted_ms"].to_numpy()
    return found.to_numpy()


def judge_estimates(folder: Path) -> pd.DataFrame:
    """Return the ratios of estimated to published times, without and with ResNet-50 measured."""
    sheets = set(data_sheets()["device_name"])
    found = []
    for rows in published_rows(folder):
        name, setting = rows["device_name"].iloc[0], rows[SETTING].iloc[0].to_dict()
        if name not in sheets:
            continue
        model = fs.RuntimeModel("layers", dict(read_fits(estimated_profile(name))))
        if not model._settings(setting):
            continue
        ratio = np.log(predicted(model, rows, setting) / rows["median_ms"].to_numpy())
        one = ratio - ratio[(rows["base"].eq("ResNet-50") & rows["resolution"].eq(224)).to_numpy()][0]
        kept = {"device_name": name, "torch": rows["torch"].iloc[0], **setting}
        found.append(
            pd.DataFrame({**kept, "off": np.abs(np.exp(ratio) - 1), "one": np.abs(np.exp(one) - 1)}).dropna(
                subset=["off"]
            )
        )
    return pd.concat(found, ignore_index=True)


def errors(rows: pd.DataFrame) -> pd.Series:
    return pd.Series(
        {
            "devices": rows["device_name"].nunique() if "device_name" in rows else 1,
            "rows": len(rows),
            "error": rows["off"].median(),
            "error_90": rows["off"].quantile(0.9),
            "one_error": rows["one"].median(),
            "one_error_90": rows["one"].quantile(0.9),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["estimates", "which"])
    parser.add_argument("folder", type=Path, help="with benchmark files of timm")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    judged = judge_estimates(asked.folder)
    columns = ["device_name", "torch", *SETTING]
    print(
        judged.groupby(columns)[["off", "one"]]
        .apply(lambda rows: errors(rows.assign(device_name="")))
        .round(3)
        .to_string()
    )
    kept = (
        judged.groupby(SETTING)[["device_name", "off", "one"]]
        .apply(errors)
        .reset_index()
        .astype({"devices": int, "rows": int})
        .round(3)
    )
    print(kept.to_string())
    if asked.write:
        kept.to_csv(ESTIMATES, index=False)


if __name__ == "__main__":
    sys.exit(main())
