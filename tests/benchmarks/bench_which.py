"""How well estimates by data sheets and `fs.which` do, judged by published rows.

`python tests/benchmarks/bench_which.py estimates FOLDER [--write]` predicts each GPU that has a profile as if it had
none, from benchmark files of timm in a folder; --write keeps the errors in data/devices/estimates.csv.
`python tests/benchmarks/bench_which.py which FOLDER [--write]` draws 1,000 budgets for each file, predicts each family
by a fit to the others, and asks whether the truly most accurate network within the budget is among the first five, and
how many of those that are said to fit do not; --write keeps the shares in data/devices/choices.csv, which pages quote.
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
from fastscale_lib.prediction.choosing import in_order
from fastscale_lib.prediction.contenders import contenders
from fastscale_lib.prediction.fitted import read_fits
from fastscale_lib.prediction.forms import fit_form, log_seconds
from fastscale_lib.prediction.sheets import data_sheets, estimated_profile
from fastscale_lib.prediction.timed_rows import families_of, timed_runs
from fastscale_lib.records.conditions import Conditions

SETTING = ["mode", "precision", "channels_last", "compile"]
KEPT = Path(__file__).parents[2] / "data" / "devices"


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


def held_out_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return networks with a published accuracy: ms an image as published, and as predicted without their family."""
    known = contenders(False).table.set_index(["network", "resolution"])["top1_accuracy_pct"]
    runs, seconds = timed_runs(rows)
    setting = Conditions.of(rows.iloc[0][["device_name", *SETTING]])
    model = fs.RuntimeModel.of(str(setting.device_name), **setting.row(SETTING))
    form, families = model._form(model.setting()), np.array(families_of(rows))
    first, predicted = fit_form(form, runs, seconds, rows, setting), np.empty(len(rows))
    for family in sorted(set(families)):
        others = families != family
        parameters = fit_form(form, runs, seconds, rows, setting, others, first)
        predicted[~others] = np.exp(log_seconds(form, runs, parameters))[~others]
    band = np.exp(np.quantile(np.abs(np.log(predicted / seconds)), 0.9))
    ms = predicted * 1e3 / rows["batch"].to_numpy(float)
    places = zip(rows["base"], rows["resolution"].astype(int), strict=True)
    table = pd.DataFrame({"network": rows["base"].to_numpy(), "top1_accuracy_pct": [known.get(at) for at in places]})
    times = {
        "predicted_ms": ms,
        "low_90_ms": ms / band,
        "high_90_ms": ms * band,
        "true_ms": rows["ms_per_image"].to_numpy(float),
    }
    return table.assign(**times, flops=rows["flops"].to_numpy()).dropna(subset=["top1_accuracy_pct"])


def judge_choices(table: pd.DataFrame, budgets: int = 1000) -> pd.Series:
    """Draw budgets, evenly on a logarithmic axis, and count how often the first five have the best."""
    least, most = np.log(np.quantile(table["true_ms"], (0.05, 0.95)))
    found = []
    for budget in np.exp(np.random.default_rng(0).uniform(least, most, budgets)).tolist():
        ends = [table["high_90_ms"] <= budget, table["predicted_ms"] <= budget, table["low_90_ms"] <= budget]
        first = in_order(table.assign(fits=np.select(ends, ["yes", "likely", "perhaps"], "no")), budget).head(5)
        first = first[first["fits"] != "no"]
        within = first[first["true_ms"] <= budget]["top1_accuracy_pct"].max()
        best = table.loc[table["true_ms"] <= budget, "top1_accuracy_pct"].max()
        fit = first[first["fits"] == "yes"]
        over = first["true_ms"] > budget
        found.append((within >= best, (fit["true_ms"] > budget).sum(), len(fit), over.sum(), len(first)))
    hit, over_fit, fit, over, listed = np.array(found, dtype=float).sum(axis=0)
    shares = {"best_among_five": hit / budgets, "over_of_fitting": over_fit / fit, "over_of_all": over / listed}
    return pd.Series({"budgets": budgets, **shares})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["estimates", "which"])
    parser.add_argument("folder", type=Path, help="with benchmark files of timm")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    if asked.what == "which":
        found = []
        for rows in published_rows(asked.folder):
            kept = rows.iloc[0][["device_name", "torch", *SETTING[2:]]]
            found += [pd.concat([kept, judge_choices(held_out_table(rows.assign(half_width=0.01))).round(3)])]
            print(found[-1].to_dict(), flush=True)
        if asked.write:
            pd.DataFrame(found).astype({"budgets": int}).to_csv(KEPT / "choices.csv", index=False)
        return
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
        kept.to_csv(KEPT / "estimates.csv", index=False)


if __name__ == "__main__":
    sys.exit(main())
