"""How well few rows of a device fit from the profile of another one.

`python tests/benchmarks/bench_calibration.py [--draws 4] [--only NAME] [--write]` takes each device that has rows as
one's own, with the profiles of other devices as priors. Ten rows of ConvNets as small as probes are drawn from half of
their families, and all other families are predicted; beside it stands a fit without any profile, to the same ten and to
forty of any size and kind. Ten rows of any size, kind and family predict all others, too (by_any). Networks with kinds
of operations that no probe has are judged by themselves.

How much wider the bands of these and of larger networks must be than the profiles say is found here (larger_widening,
unlike_widening), and judged on each device by what the others found (held_half, held_ninety; within_half and
within_ninety are without it). --write keeps the errors in data/devices/calibrations.csv, which the library, tests and
pages quote.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import fastscale_lib as fs
from fastscale_lib.architectures.operation_lists import KINDS
from fastscale_lib.prediction.forms import Form, Runs, fit_form, form_of, log_seconds
from fastscale_lib.prediction.from_profiles import Widening, fit_from_profiles, found_on_trial
from fastscale_lib.prediction.reach import BANDS, Bands, judge
from fastscale_lib.prediction.sheets import data_sheets
from fastscale_lib.prediction.timed_rows import families_of, timed_rows, timed_runs
from fastscale_lib.records.conditions import Conditions

DATA = Path(__file__).parents[2] / "data"
KEPT = DATA / "devices" / "calibrations.csv"
STORES = ("amd-epyc-2-threads.jsonl", "intel-xeon-2-threads.jsonl")
FEW, MANY = 10, 40
NONE = Bands(0.0, 0.0)
BAND_NAMES = ("half", "ninety")
PROBE_FLOPS = 1.5e9  # the most that a probe has
UNLIKE = ("layer norm", "token linear", "attention")  # kinds of operations that no probe has


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
    """Return the error of each row, as bands have it: 0.1 is 1.1 times as long, or as short."""
    return np.expm1(np.abs(log_seconds(form, runs, parameters) - np.log(seconds)))


def alone(setting: Conditions, rows: pd.DataFrame) -> tuple[Form, np.ndarray]:
    """Fit to rows without any profile."""
    form = form_of("layers")
    return form, fit_form(form, *timed_runs(rows), rows, setting)


def judged(rows: pd.DataFrame, draws: int) -> pd.DataFrame:
    """Return the errors of rows of families that were not drawn from, a row each, and the bands of each.

    Column unlike tells which have kinds of operations that no drawn row has, and larger by which factor's logarithm one
    is larger than the drawn ones. The bands, `half` and `ninety`, are without the widening that is found from them.
    """
    rows = rows.assign(half_width=rows.get("half_width", 0.01)).reset_index(drop=True)
    setting, (runs, seconds) = Conditions.of(rows.iloc[0]), timed_runs(rows)
    families = np.array(families_of(rows))
    of_others = runs.extent.shares[:, [KINDS.index(kind) for kind in UNLIKE]].max(axis=1) > 0
    like_probes = ~of_others & (np.exp(runs.extent.sizes[:, 0]) <= PROBE_FLOPS)
    found = []
    for seed in range(draws):
        draw = np.random.default_rng(seed)
        names = draw.permutation(sorted(set(families[like_probes])))
        known = np.isin(families, names[: (len(names) + 1) // 2])
        few = rows.iloc[draw.permutation(np.flatnonzero(known & like_probes))[:FEW]]
        many = rows.iloc[draw.permutation(np.flatnonzero(known))[:MANY]]
        own = fit_from_profiles(setting, few.assign(base="probe"), setting.device_name, Widening(NONE, NONE))
        assert own.reach is not None
        bands = judge(own.reach, runs.extent).bands
        larger = np.maximum(runs.extent.sizes - own.reach.most, 0).max(axis=1)
        off_own = off(own.form or form_of("layers"), own.parameters, runs, seconds)
        errors = {"unlike": of_others, "larger": larger, "error": off_own, "half": bands.half, "ninety": bands.ninety}
        errors["few_alone"] = off(*alone(setting, few), runs, seconds)
        errors["many_alone"] = off(*alone(setting, many), runs, seconds)
        found.append(pd.DataFrame(errors)[~known])
    return pd.concat(found, ignore_index=True)


def by_any(rows: pd.DataFrame, draws: int) -> dict[str, float]:
    """Return the errors of all other rows from ten of any size, kind and family."""
    rows = rows.assign(half_width=rows.get("half_width", 0.01)).reset_index(drop=True)
    setting, (runs, seconds) = Conditions.of(rows.iloc[0]), timed_runs(rows)
    found = []
    for seed in range(draws):
        known = np.isin(np.arange(len(rows)), np.random.default_rng(seed).permutation(len(rows))[:FEW])
        own = fit_from_profiles(setting, rows[known], setting.device_name, Widening(NONE, NONE))
        found.append(off(own.form or form_of("layers"), own.parameters, runs, seconds)[~known])
    return {f"by_any{end}": float(np.quantile(np.concatenate(found), q)) for end, q in (("", 0.5), ("_90", 0.9))}


def summary(errors: pd.DataFrame) -> dict[str, float]:
    """Return medians and 90th percentiles, and the shares of rows within the bands; refused rows count in none."""
    told = errors[errors["half"].notna()]
    like, unlike = told[~told["unlike"]], told[told["unlike"]]
    every = [(name, like[name]) for name in ("error", "few_alone", "many_alone")] + [("unlike_error", unlike["error"])]
    found = {f"{name}{end}": each.quantile(q) for name, each in every for end, q in (("", 0.5), ("_90", 0.9))}
    found |= {f"within_{name}": (_beyond(like, name) <= 0).mean() for name in BAND_NAMES}
    for end, name, share in zip(("", "_90"), BAND_NAMES, BANDS, strict=True):
        larger = like[like["larger"] > 0]
        power = (np.maximum(_beyond(larger, name), 0) / larger["larger"]).quantile(share)
        found[f"larger_widening{end}"] = power
        found[f"unlike_widening{end}"] = np.maximum(_beyond(unlike, name) - power * unlike["larger"], 0).quantile(share)
    return {**found, "refused": 1 - len(like) / (~errors["unlike"]).sum()}


def _beyond(errors: pd.DataFrame, band: str) -> Any:
    """Return by which factor's logarithm each error is beyond its band."""
    return np.log1p(errors["error"]) - np.log1p(errors[band])


def held_by_others(errors: pd.DataFrame, table: pd.DataFrame, device_name: str, mode: str) -> dict[str, float]:
    """Return the shares of networks within bands that are widened by what other devices found."""
    is_cpu = device_name not in set(data_sheets()["device_name"])
    larger, unlike = found_on_trial(table, mode, is_cpu, device_name)
    predicted, found = errors[errors["half"].notna()], {}
    for kind, of_kind in (("", predicted[~predicted["unlike"]]), ("unlike_", predicted[predicted["unlike"]])):
        for name, power, factor in zip(BAND_NAMES, larger, unlike, strict=True):
            wider = power * of_kind["larger"] + (factor if kind else 0)
            told = len(of_kind) and np.isfinite(wider).all()  # no other device found any: such networks are refused
            found[f"{kind}held_{name}"] = (_beyond(of_kind, name) <= wider).mean() if told else np.nan
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--only", default="", help="a part of the name of the devices")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    found = []
    for setting, rows in devices():
        if asked.only not in f"{setting.device_name}, {setting.mode}":
            continue
        names = ("device_name", "mode", "precision", "channels_last", "compile")
        errors = judged(rows, asked.draws)
        every = {**summary(errors), **by_any(rows, asked.draws)}
        found.append((errors, {**setting.row(names), "draws": asked.draws, **every}))
        print(found[-1][1], flush=True)
    table = pd.DataFrame([each for _, each in found])
    held = [held_by_others(errors, table, str(each["device_name"]), str(each["mode"])) for errors, each in found]
    table = table.join(pd.DataFrame(held)).round(4)
    print(table.to_string())
    if asked.write:
        table.to_csv(KEPT, index=False)


if __name__ == "__main__":
    main()
