"""The `fastscale` command, also `python -m fastscale_lib`.

Exit status: 0 done, 1 something failed or is missing, 2 the command or a file is wrong, 130 stopped; see `--help`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import Any

import pandas as pd

from ._common.frames import dicts
from ._common.plain_files import read_plain
from ._common.shell import DONE, FAILED, STOPPED, WRONG, open_closed_streams, say, sigterm_as_ctrl_c
from .architectures.definition import Network
from .architectures.parts import NetworkError
from .architectures.traced.module_family import Family
from .architectures.zoo import network as named_network
from .measuring.cluster import on_cluster
from .measuring.peak_rates import ceilings
from .measuring.plan_runner import measure_plan
from .measuring.plans import Plan
from .measuring.settings import PRECISIONS
from .prediction.commands import add_commands
from .records.measurement import MeasureError, SettingError, shared_use
from .records.store import Store, StoreError
from .reports.command import add_report
from .training.comparisons import train_all
from .training.datasets import dataset
from .training.job import check_places, train
from .training.recipe import Recipe
from .training.torchrun import reported_elsewhere

_AHEAD = 64  # least number of tasks given to a cluster at a time; a large cluster gets two per worker

_SWEEP_EPILOG = """\
a plan, as YAML:
  networks: [RegNetY-4.0GF, ResNet-50]
  strategies: [w, dWr, 0.5]
  scales: [1, 2, 4]
  batch: [64, largest]
  mode: [inference, training]
  precision: [bf16]
  seconds: 5

Exit status: 0 every point has a row, 1 some have no answer, 2 the plan is
wrong, 130 stopped."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, by default that of this process, and return its exit status."""
    open_closed_streams()
    asked = _parser().parse_args(arguments)
    try:
        with _warnings_in_words(), sigterm_as_ctrl_c():
            status = asked.command(asked)
            sys.stdout.flush()
            return status
    except BrokenPipeError as error:
        return FAILED if _reader_ended() else _end(FAILED, str(error))
    except KeyboardInterrupt:
        say("")  # end the line that shows the progress
        return _end(STOPPED, "stopped; run the same command again to go on")
    except StoreError as error:
        return _end(WRONG, f"{error}{_print_row(error.row)}")
    except (ValueError, OSError) as error:
        return _end(WRONG, str(error))
    except MeasureError as error:
        return _end(FAILED, str(error))


def _reader_ended() -> bool:
    """Tell whether whoever reads what is printed has ended, as head does.

    Then nothing more is printed, which would fail again when Python ends.
    """
    try:
        print(flush=True)  # only writing tells
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _print_row(row: dict[str, Any] | None) -> str:
    """Print a row that a store could not take, and return a message about it."""
    if row is None:
        return ""
    print(json.dumps(row))
    return "; the row is on standard output, to be added by hand"


@contextlib.contextmanager
def _warnings_in_words() -> Iterator[None]:
    """Show warnings without the file, line and code that Python adds."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_: f"fastscale: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


def _number_or_name(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fastscale", description="Fast and accurate model scaling, from the shell.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    sweep = commands.add_parser(
        "sweep",
        help="measure a plan: networks × strategies × scales × batch × mode × precision",
        description=(
            "Measure what a plan names and the store does not hold yet. Each row is on the\n"
            "disk as soon as it is measured: stopped at any moment, the same command continues\nwhere it stopped."
        ),
        epilog=_SWEEP_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sweep.add_argument("plan", metavar="PLAN", help="a file: JSON where its name ends in .json, else YAML")
    sweep.add_argument("--store", required=True, metavar="FILE", help="where the rows go, one JSON object per line")
    sweep.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask scheduler, as tcp://host:8786, whose workers have the resource GPU=1; "
        "default: this machine, one process per GPU, or one on its CPU",
    )
    sweep.add_argument("--retry", action="store_true", help="try again what the store holds as failed")
    sweep.set_defaults(command=_sweep)
    limits = commands.add_parser(
        "ceilings",
        help="how fast the device can be at all: a large matrix product and a large copy",
        description="Measure a device's two ceilings, once for each precision, and add them to a file.",
    )
    limits.add_argument("--store", required=True, metavar="FILE", help="where they go, one JSON object per line")
    limits.add_argument("--device", help="cpu, cuda or cuda:1; default: the GPU, if there is one")
    limits.add_argument("--precision", nargs="+", default=["fp32"], choices=PRECISIONS, help="default: fp32")
    limits.set_defaults(command=_ceilings)
    add_commands(commands)
    _add_train(commands)
    add_report(commands)
    return parser


def _add_train(commands: Any) -> None:
    trains = commands.add_parser(
        "train",
        help="train networks, scaled or not, with several seeds, all by one recipe",
        description=(
            "Train each network with each seed. A row goes into the store after each epoch, and one at the end; "
            "stopped at any moment, the same command continues after the last whole epoch."
        ),
        epilog=(
            "On 4 GPUs: torchrun --nproc-per-node 4 -m fastscale_lib train ..., with parts: 4 in the recipe. "
            "Exit status: 0 every training has its errors, 1 one did not end, 2 the command is wrong, 130 stopped."
        ),
    )
    trains.add_argument("networks", nargs="+", metavar="NETWORK", help="a base network, or a .yaml file of one")
    trains.add_argument(
        "--strategies", nargs="+", type=_number_or_name, default=[], metavar="S", help="by which they are scaled: w 0.8"
    )
    trains.add_argument(
        "--scales", nargs="+", type=float, default=[1.0], metavar="S", help="scale factors; 1: the base"
    )
    trains.add_argument("--to-flops", action="store_true", help="reach the scales times the flops, within 1 %%")
    trains.add_argument("--data", required=True, metavar="NAME", help="fashion-mnist, cifar-10, mnist-files or folders")
    trains.add_argument("--path", metavar="DIR", help="where the data is; fashion-mnist is looked for, or fetched")
    trains.add_argument("--holdout", type=int, default=0, metavar="N", help="take the error on N training images")
    trains.add_argument("--resolution", type=int, metavar="PIXELS", help="of the images of folders")
    trains.add_argument("--recipe", metavar="FILE", help="YAML or JSON; default: the settings of Recipe()")
    trains.add_argument("--set", nargs="+", metavar="NAME=VALUE", default=[], help="instead of the recipe's: lr=0.4")
    trains.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="N", help="default: 0")
    trains.add_argument("--store", required=True, metavar="FILE", help="where the rows go, one JSON object per line")
    trains.add_argument("--device", help="cpu, cuda or cuda:1; default: the GPU, if there is one")
    trains.add_argument("--checkpoint", metavar="FILE", help="keeps the weights, of one network and one seed")
    trains.add_argument(
        "--scheduler", metavar="ADDRESS", help="of Dask, as for sweep; its workers reach the store's folder"
    )
    trains.add_argument("--retry", action="store_true", help="try again what the store holds as failed")
    trains.set_defaults(command=_train)


def _sweep(asked: argparse.Namespace) -> int:
    plan, store = Plan.read(asked.plan), Store(asked.store)
    with _executor(asked.scheduler) as (executor, ahead):
        rows = measure_plan(plan, store, executor, retry=asked.retry, ahead=ahead)
    reasons = Counter(rows["reason"].dropna()) if len(rows) else Counter()
    said = "".join(f", {number:,} {reason}" for reason, number in reasons.items())
    print(f"{len(rows) - reasons.total():,} of {len(plan):,} points have a time{said}: {store.path}")
    if len(rows) > reasons.total() and (doubts := _doubts(rows[rows["reason"].isna()])):
        say(f"fastscale: {doubts}")
    return DONE if len(rows) == len(plan) and set(reasons) <= {"out of memory"} else FAILED


def _doubts(measured: pd.DataFrame) -> str:
    """Say how many times are doubtful."""
    measured = measured.reindex(columns=["converged", "load", "other_processes"])  # another executor may lack them
    wide = int((~measured["converged"].astype(bool)).sum())
    shared = pd.Series([shared_use(row) is not None for row in dicts(measured)], measured.index, dtype=bool)
    said = [
        *([f"{wide:,} of {len(measured):,} times did not come within the interval asked for"] * bool(wide)),
        *([f"{shared.sum():,} were taken while other processes used the device"] * bool(shared.any())),
    ]
    return "; ".join(said)


def _ceilings(asked: argparse.Namespace) -> int:
    store = Store(asked.store)
    store.check()
    for precision in asked.precision:
        found = ceilings(asked.device, precision)
        store.add(found.to_dict())
        rate, data = found.multiply_adds_per_s / 1e9, found.bytes_per_s / 1e9
        print(f"{found.device_name}, {precision}: {rate:,.0f} G multiply-adds/s, {data:,.1f} GB/s")
        if doubts := _doubts(pd.DataFrame([found.product, found.copy])):
            say(f"fastscale: {precision}: {doubts}")
    return DONE


def _train(asked: argparse.Namespace) -> int:
    bases = [_network(each) for each in asked.networks]
    plan = Plan(bases, asked.strategies, asked.scales, to_flops=asked.to_flops)
    networks = [point.network for point in plan.points()]
    recipe = (Recipe.read(asked.recipe) if asked.recipe else Recipe()).set(*asked.set)
    data = {"name": asked.data, "path": asked.path, "holdout": asked.holdout, "resolution": asked.resolution}
    if asked.checkpoint:
        rows = pd.DataFrame([_train_one(networks, data, recipe, asked)])
    else:
        with _executor(asked.scheduler) as (executor, _):
            settings = {"executor": executor, "device": asked.device, "retry": asked.retry}
            rows = train_all(networks, data, recipe, asked.seeds, store=asked.store, **settings)
    if reported_elsewhere():
        return DONE
    _tell_errors(rows)
    return FAILED if rows["reason"].notna().any() else DONE


def _network(given: str) -> Network:
    if not given.endswith((".yaml", ".yml")):
        return named_network(given)
    return Network.from_dict(read_plain("network", given, NetworkError))


def _train_one(
    networks: Sequence[Network | Family], data: dict, recipe: Recipe, asked: argparse.Namespace
) -> dict[str, Any]:
    if (count := len(networks) * len(asked.seeds)) > 1 or asked.scheduler:
        these = "these are on a cluster" if asked.scheduler else f"these are {count}"
        raise SettingError(f"--checkpoint is for one training on this machine, but {these}; leave it out")
    if os.environ.get("RANK", "0") == "0":
        check_places(Store(asked.store), asked.checkpoint)  # before the data are read, which may take long
    settings = {"store": asked.store, "seed": asked.seeds[0], "device": asked.device, "checkpoint": asked.checkpoint}
    return train(networks[0], dataset(**data), recipe, **settings)


def _tell_errors(rows: pd.DataFrame) -> None:
    for row in rows.to_dict("records"):
        said = row["message"]
        if pd.isna(row["reason"]):  # of a column with texts pandas makes NaN of None
            errors = f"top-1 error {row['top1_error']:.2f} %, top-5 {row['top5_error']:.2f} %"
            said = f"{errors} ({row['part']} images, {row['weights']} weights), {row['seconds']:,.0f} s"
        print(f"{row['network']}, seed {row['seed']}: {said}")


@contextlib.contextmanager
def _executor(scheduler: str | None) -> Iterator[tuple[Executor | None, int]]:
    """Yield the executor of tasks (None: this machine), and how many it gets at a time."""
    if scheduler is None:
        yield None, _AHEAD
        return
    with on_cluster(scheduler) as (executor, enough):
        yield executor, max(_AHEAD, enough)


def _end(status: int, message: str) -> int:
    say(f"fastscale: {' '.join(message.split())}")
    return status
