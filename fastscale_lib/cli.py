"""The `fastscale` command, also `python -m fastscale_lib`: it needs torch, numpy, pandas, and pyyaml for YAML plans.

Exit status: 0, every point of the plan has a row, with a time or with the answer "out of memory"; 1, some have no
answer (`--retry` tries them again), or the cluster was lost; 2, the command or the plan is wrong; 130, stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import Any

from .ceilings import ceilings
from .measurement import MeasureError
from .plans import Plan
from .settings import PRECISIONS
from .store import Store
from .sweeping import run

DONE, FAILED, WRONG, STOPPED = 0, 1, 2, 130
_CONNECT_S = 10
_AHEAD = 64  # tasks given to a cluster at a time, where it has not more than half as many workers


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks, and return the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        return asked.command(asked)
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the progress stands in an open line
        return _end(STOPPED, "stopped; run the same command again to go on")
    except (ValueError, OSError) as error:
        return _end(WRONG, str(error))
    except MeasureError as error:
        return _end(FAILED, str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fastscale", description="Fast and accurate model scaling, from the shell.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    sweep = commands.add_parser(
        "sweep",
        help="measure a plan: networks × strategies × scales × batch × mode × precision",
        description=(
            "Measure what a plan names and the store does not hold yet. Each row is on the disk as soon as it is "
            "measured: stopped at any moment, the same command goes on where it was."
        ),
        epilog=(
            "A plan, as YAML:   networks: [RegNetY-4.0GF, ResNet-50]   strategies: [w, dWr, 0.5]   scales: [1, 2, 4]   "
            "batch: [64, largest]   mode: [inference, training]   precision: [bf16]   seconds: 5   "
            "Exit status: 0 every point has a row, 1 some have no answer, 2 the plan is wrong, 130 stopped."
        ),
    )
    sweep.add_argument("plan", metavar="PLAN", help="a file: JSON where its name ends in .json, else YAML")
    sweep.add_argument("--store", required=True, metavar="FILE", help="where the rows go, one JSON object a line")
    sweep.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask scheduler, as tcp://host:8786, whose workers have the resource GPU=1; "
        "left out: this machine, one process a GPU, or one on its CPU",
    )
    sweep.add_argument("--retry", action="store_true", help="try again what the store holds as failed")
    sweep.set_defaults(command=_sweep)
    limits = commands.add_parser(
        "ceilings",
        help="how fast the device can be at all: a large matrix product and a large copy",
        description="Measure a device's two ceilings, once for each precision, and add them to a file.",
    )
    limits.add_argument("--store", required=True, metavar="FILE", help="where they go, one JSON object a line")
    limits.add_argument("--device", help="cpu, cuda or cuda:1; left out: the GPU where there is one")
    limits.add_argument("--precision", nargs="+", default=["fp32"], choices=PRECISIONS, help="left out: fp32")
    limits.set_defaults(command=_ceilings)
    return parser


def _sweep(asked: argparse.Namespace) -> int:
    plan, store = Plan.read(asked.plan), Store(asked.store)
    with _executor(asked.scheduler) as (executor, ahead):
        rows = run(plan, store, executor, retry=asked.retry, ahead=ahead)
    reasons = Counter(rows["reason"].dropna()) if len(rows) else Counter()
    said = "".join(f", {number:,} {reason}" for reason, number in reasons.items())
    print(f"{len(rows) - reasons.total():,} of {len(plan):,} points have a time{said}: {store.path}")
    return DONE if len(rows) == len(plan) and set(reasons) <= {"out of memory"} else FAILED


def _ceilings(asked: argparse.Namespace) -> int:
    store = Store(asked.store)
    for precision in asked.precision:
        found = ceilings(asked.device, precision)
        store.add(found.to_dict())
        rate, data = found.multiply_adds_per_s / 1e9, found.bytes_per_s / 1e9
        print(f"{found.device_name}, {precision}: {rate:,.0f} G multiply-adds/s, {data:,.1f} GB/s")
    return DONE


@contextlib.contextmanager
def _executor(scheduler: str | None) -> Iterator[tuple[Executor | None, int]]:
    """What carries the tasks, and how many it is given at a time."""
    if scheduler is None:
        yield None, _AHEAD
        return
    with _client(scheduler) as client:
        executor = client.get_executor(resources={"GPU": 1}, pure=False)
        yield executor, max(_AHEAD, 2 * len(client.nthreads()))


def _client(scheduler: str) -> Any:
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ValueError("--scheduler takes the package dask[distributed]; pip install 'fastscale[cluster]'") from None
    try:
        return Client(scheduler, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"--scheduler {scheduler}: no Dask scheduler answers there ({error})") from None


def _end(status: int, message: str) -> int:
    print(f"fastscale: {' '.join(message.split())}", file=sys.stderr)
    return status
