"""The shell's commands about devices that one may not have; each returns the exit status."""

from __future__ import annotations

import argparse
from typing import Any, get_args

import pandas as pd

from .._common.digits import significant
from .._common.shell import say
from ..measuring.counted_batch import HELD_BEYOND
from ..measuring.settings import PRECISIONS, Mode
from ..records.rows import read_rows
from ..records.rows_that_judge import undisturbed
from ..records.timm_tables import read_timm
from .calibration import calibrate
from .choosing import which
from .device_profiles import devices, write_profiles
from .model import RuntimeModel


def add_commands(commands: Any) -> None:
    """Add devices, which, calibrate and profile to the commands of the shell."""
    listed = commands.add_parser(
        "devices",
        help="the devices whose time can be predicted, and how well",
        description="List what was calibrated here, the shipped profiles, and the GPUs that have a data sheet.",
    )
    listed.set_defaults(command=_devices)
    chosen = commands.add_parser(
        "which",
        help="the networks that run within a budget of time, with published accuracy",
        description=(
            "Choose among published and scaled networks: first the two most accurate that surely fit, then three that "
            "may be the best, then the rest."
        ),
        epilog="Exit status: 0 some fit, 2 none fits or the command is wrong.",
    )
    chosen.add_argument(
        "--device",
        required=True,
        metavar="NAME",
        help="as fastscale devices lists it, as rtx-4090; 'this machine' after fastscale calibrate",
    )
    chosen.add_argument("--ms", required=True, type=float, metavar="MS", help="the most that a run of one batch takes")
    chosen.add_argument("--batch", type=int, default=64, metavar="N", help="images in a run; default: 64")
    beyond = " and ".join(f"{more:.0%}% in {mode}" for mode, more in HELD_BEYOND.items())
    chosen.add_argument(
        "--gb",
        type=float,
        metavar="GB",
        help=f"the most memory, with room for what an H200 held beyond the count, up to {beyond}; default: no limit",
    )
    chosen.add_argument("--min-top1", type=float, metavar="PERCENT", help="the least published ImageNet accuracy")
    chosen.add_argument("--mode", default="inference", choices=get_args(Mode), help="default: inference")
    chosen.add_argument("--precision", help="fp16 or fp32; default: what the device is known with")
    chosen.add_argument("--compile", action="store_true", help="run by torch.compile")
    chosen.add_argument("--channels-last", action="store_true", help="images in the memory format channels_last")
    chosen.add_argument("--no-scaled", action="store_true", help="published networks alone")
    chosen.add_argument("--sure", action="store_true", help="only those that surely fit")
    chosen.add_argument("--rows", type=int, default=20, metavar="N", help="default: 20")
    chosen.set_defaults(command=_which)
    own = commands.add_parser(
        "calibrate",
        help="time ten small networks on this machine, by which the times of others are predicted",
        description=(
            "Measure probe networks, and fit to them from the profile that explains them best. Each is on the disk as "
            "soon as it is measured: stopped at any moment, the same command continues where it stopped, but with "
            "--anew it begins with the first one."
        ),
        epilog="Exit status: 0 done, 1 too few could be measured, 2 a setting is wrong, 130 stopped.",
    )
    own.add_argument("--device", help="cpu, cuda or cuda:1; default: the GPU, if there is one")
    own.add_argument("--mode", default="inference", choices=get_args(Mode), help="default: inference")
    own.add_argument("--precision", default="fp32", choices=PRECISIONS, help="default: fp32")
    own.add_argument("--batch", type=int, metavar="N", help="images in a run; default: 4 on a CPU, 64 on a GPU")
    own.add_argument("--compile", action="store_true", help="run by torch.compile")
    own.add_argument("--channels-first", action="store_true", help="images in torch's usual memory format")
    own.add_argument("--threads", type=int, metavar="N", help="on a CPU; default: as many as torch takes")
    own.add_argument("--count", type=int, default=10, metavar="N", help="probes, 10 to 40; default: 10")
    own.add_argument("--anew", action="store_true", help="measure all again, also those that are kept")
    own.add_argument("--store", metavar="FILE", help="default: fastscale/calibration.jsonl in the user's cache folder")
    own.set_defaults(command=_calibrate)
    profile = commands.add_parser(
        "profile",
        help="make device profiles of rows: stores, or benchmark files of timm",
        description="Fit the rows of each device, and write a small file of each, by which its time is predicted.",
    )
    profile.add_argument("rows", nargs="+", metavar="FILE", help="stores (.jsonl), or timm's benchmark-*.csv")
    profile.add_argument("--source", required=True, metavar="TEXT", help="of the rows: project, version, licence")
    profile.add_argument("--made", required=True, metavar="DATE", help="of the rows or the fit: 2026-11-26")
    profile.add_argument("--out", required=True, metavar="DIR", help="where the files go")
    profile.set_defaults(command=_profile)


def _devices(asked: argparse.Namespace) -> int:
    table = devices().drop(columns=["source", "made", "rows", "families"])
    errors = {name: table[name].map("{:.1%}".format, na_action="ignore") for name in ("error", "error_90")}
    print(table.assign(**errors).astype(object).where(table.notna(), "").to_string(index=False))
    return 0


def _calibrate(asked: argparse.Namespace) -> int:
    how = {name: getattr(asked, name) for name in ("batch", "compile", "threads", "count", "anew", "store")}
    model = calibrate(asked.device, asked.mode, asked.precision, channels_last=not asked.channels_first, **how)
    for key, fitted in model.fitted.items():
        errors = f"median error {fitted.error:.0%}, nine in ten within {fitted.error_90:.0%}"
        print(f"{key.label()}: {fitted.rows} probes, {errors}; prior: {fitted.prior}")
    return 0


def _which(asked: argparse.Namespace) -> int:
    setting = {name: True for name in ("compile", "channels_last") if getattr(asked, name)}
    setting |= {"precision": asked.precision} if asked.precision else {}
    setting |= {"mode": asked.mode} if asked.mode != "inference" else {}
    how = {"gb": asked.gb, "min_top1": asked.min_top1, "scaled": not asked.no_scaled, "sure": asked.sure}
    found = which(asked.device, asked.ms, asked.batch, rows=asked.rows, **how, **setting)
    print(f"within {found.attrs['asked']}, batch {found.attrs['batch']}, {found.attrs['setting']}")
    print(_shown_choices(found).to_string(index=False))
    if note := found.attrs["note"]:
        say(f"fastscale: each of these times is an {note}")
    return 0


def _shown_choices(found: pd.DataFrame) -> pd.DataFrame:
    """Shorten the columns of `which` to a line of a shell."""
    ways = zip(found["strategy"], found["scale"], strict=True)
    scaled = ["" if pd.isna(strategy) else f"{strategy} ×{s:g}" for strategy, s in ways]
    times = [found[name].map(significant) for name in ("predicted_ms", "low_90_ms", "high_90_ms")]
    return pd.DataFrame(
        {
            "network": found["network"],
            "scaled": scaled,
            "pixels": found["resolution"],
            "top-1 %": found["top1_accuracy_pct"].map("{:.1f}".format, na_action="ignore").fillna("not known"),
            "fits": found["fits"],
            "ms": times[0],
            "90 % band": times[1] + " to " + times[2],
            "GB": (found["memory_bytes"] / 1e9).map("{:.2f}".format, na_action="ignore").fillna(""),
            "weights": found["weights"].fillna(""),
        }
    )


def _profile(asked: argparse.Namespace) -> int:
    tables = [read_timm(each) if each.endswith(".csv") else read_rows(each) for each in asked.rows]
    model = RuntimeModel.fit(undisturbed(pd.concat(tables, ignore_index=True)))
    for path in write_profiles(model, asked.out, asked.source, asked.made):
        print(path)
    return 0
