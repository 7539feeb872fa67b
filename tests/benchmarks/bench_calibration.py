"""How well few rows of a device fit from the profile of another one.

`python tests/benchmarks/bench_calibration.py [--draws 5] [--only NAME] [--write]` takes each device that has rows as
one's own, with the profiles of other devices as priors. Ten rows are drawn from half of the families, and the other
half is predicted; beside it stands a fit without any profile, to the same ten and to forty. --write keeps the errors in
data/devices/calibrations.csv, which tests and pages quote.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import fastscale_lib as fs
from fastscale_lib.prediction.forms import Form, Runs, fit_form, form_of, log_seconds
from fastscale_lib.prediction.from_profiles import fit_from_profiles
from fastscale_lib.prediction.reach import judge
from fastscale_lib.prediction.timed_rows import families_of, timed_rows, timed_runs
from fastscale_lib.records.conditions import Conditions

DATA = Path(__file__).parents[2] / "data"
KEPT = DATA / "devices" / "calibrations.csv"
STORES = ("amd-epyc-2-threads.jsonl", "intel-xeon-2-threads.jsonl")
FEW, MANY = 10, 40


def devices() -> Iterator[tuple[Conditions, pd.DataFrame]]:
    """Yield the rows of each setting that a device has many of, of the newest PyTorch."""
    published = fs.records.timm_times()
    measured = [fs.Store(DATA / "measured" / name).frame() for name in STORES]
    newest: dict[Conditions, pd.DataFrame] = {}
    for frame in (published, *measured):
        for _, rows in timed_rows(frame):
            if len(rows) > 2 * MANY or "load" in rows:
                newest[Conditions.of(rows.iloc[0][["device_name", *Conditions.FIT[2:6]]])] = rows
    yield from newest.items()


def off(form: Form, parameters: np.ndarray, runs: Runs, seconds: np.ndarray) -> np.ndarray:
    """Return the error of each row, as a fraction."""
    return np.abs(np.exp(log_seconds(form, runs, parameters)) / seconds - 1)


def alone(setting: Conditions, rows: pd.DataFrame) -> tuple[Form, np.ndarray]:
    """Fit to rows without any profile."""
    form = form_of("layers")
    return form, fit_form(form, *timed_runs(rows), rows, setting)


def judged(rows: pd.DataFrame, draws: int) -> pd.DataFrame:
    """Return the errors of rows of families that were not drawn from, a row each, and what bands they are within."""
    rows = rows.assign(half_width=rows.get("half_width", 0.01)).reset_index(drop=True)
    setting, (runs, seconds) = Conditions.of(rows.iloc[0]), timed_runs(rows)
    families = np.array(families_of(rows))
    found = []
    for seed in range(draws):
        draw = np.random.default_rng(seed)
        names = draw.permutation(sorted(set(families)))
        known = np.isin(families, names[: (len(names) + 1) // 2])
        drawn = draw.permutation(np.flatnonzero(known))
        few, many = rows.iloc[drawn[:FEW]], rows.iloc[drawn[:MANY]]
        own = fit_from_profiles(setting, few, without=setting.device_name)
        assert own.reach is not None
        bands = judge(own.reach, runs.extent).bands
        off_own = off(own.form or form_of("layers"), own.parameters, runs, seconds)
        errors = {"error": off_own, "half": bands.half, "ninety": bands.ninety}
        errors["few_alone"] = off(*alone(setting, few), runs, seconds)
        errors["many_alone"] = off(*alone(setting, many), runs, seconds)
        found.append(pd.DataFrame(errors)[~known])
    return pd.concat(found, ignore_index=True)


def summary(errors: pd.DataFrame) -> dict[str, float]:
    """Return medians and 90th percentiles, and the shares of rows within the bands; refused rows count in none."""
    told = errors[errors["half"].notna()]
    ends = {name: told[name].quantile([0.5, 0.9]).tolist() for name in ("error", "few_alone", "many_alone")}
    quantiles = {
        f"{name}{end}": each for name, pair in ends.items() for end, each in zip(("", "_90"), pair, strict=True)
    }
    held = {f"within_{name}": (told["error"] <= told[name]).mean() for name in ("half", "ninety")}
    return {**quantiles, **held, "refused": 1 - len(told) / len(errors)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--only", default="", help="a part of the name of the devices")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    table = []
    for setting, rows in devices():
        if asked.only not in f"{setting.device_name}, {setting.mode}":
            continue
        names = ("device_name", "mode", "precision", "channels_last", "compile")
        found = {**setting.row(names), "draws": asked.draws, **summary(judged(rows, asked.draws))}
        print(found, flush=True)
        table.append({name: round(each, 4) if isinstance(each, float) else each for name, each in found.items()})
    if asked.write:
        pd.DataFrame(table).to_csv(KEPT, index=False)


if __name__ == "__main__":
    main()
