"""Make the most of a few minutes on a GPU.

python3 data/plans/gpu_campaign.py STORE [--minutes 10]

The plans gpu_campaign_1.yaml, gpu_campaign_2.yaml and so on are measured in this order, what brings most first. Each
row is on the disk as soon as it is measured; stopped or killed, the same command goes on. Where a CUDA graph cannot be
captured, the row says so, and the network is measured without. When the time is nearly up the rest is left, and the
first three points are measured again: if their times differ, the device has changed meanwhile, and the exit status is
1. It takes torch, numpy, pandas and pyyaml, and no installation.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # so that a checkout need not be installed

import fastscale_lib as fs  # noqa: E402
from fastscale_lib.measuring.executors import TaskExecutor, local_executor  # noqa: E402
from fastscale_lib.measuring.plans import Point  # noqa: E402
from fastscale_lib.records import Measurement, compare  # noqa: E402

Workers = Callable[[], contextlib.AbstractContextManager[TaskExecutor]]

CHECKED = 3  # points that are measured again
KEPT_FOR_THEM = 0.15  # of the time
SAME = 0.03  # by which two times of one point may differ
_FIELDS = [each.name for each in fields(Measurement)]


def campaign(plans: Sequence[fs.Plan], store: fs.Store, seconds: float, workers: Workers) -> bool:
    """Measure the plans in order as far as the time goes, then check the first points; False if they differ."""
    end = time.monotonic() + (1 - KEPT_FOR_THEM) * seconds
    with workers() as executor:  # whose end stops the point that is being measured when the time is up
        for number, plan in enumerate(plans, 1):
            left = end - time.monotonic()
            if left < 1:
                say(f"the time is up before plan {number}; the same command goes on")
                break
            say(f"plan {number} of {len(plans)}, {len(plan)} points; {left:.0f} seconds left")
            with stopped_after(left):
                measure(plan, store, executor)
    with workers() as executor:
        alike = [is_again_as_before(point, store, executor) for point in plans[0].points()[:CHECKED]]
    return all(alike)


def measure(plan: fs.Plan, store: fs.Store, executor: TaskExecutor) -> None:
    """Measure a plan, and what no CUDA graph can be captured of without one."""
    rows = fs.measure_plan(plan, store, executor)
    failed = rows["message"].astype(str).str.contains("CUDA graph failed")
    if bases := list(dict.fromkeys(rows.loc[failed, "base"])):
        say(f"no CUDA graph of {', '.join(bases)}, so these are measured without")
        networks = [each for each in plan.networks if each.name in bases]
        fs.measure_plan(replace(plan, networks=networks, cuda_graph=False), store, executor)


@contextlib.contextmanager
def stopped_after(seconds: float) -> Iterator[None]:
    """End what runs in the context when the time is up."""
    is_up = False

    def stop(number: int, frame: Any) -> None:
        nonlocal is_up
        is_up = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except KeyboardInterrupt:
        if not is_up:  # Ctrl-C
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def is_again_as_before(point: Point, store: fs.Store, executor: TaskExecutor) -> bool:
    """Measure a point again and compare the times; True also where there is no time to compare."""
    known = {name: getattr(point, name) for name in ("network_id", "batch", "mode", "precision")}
    known |= {"cuda_graph": point.settings["cuda_graph"], "reason": None}
    if not store.find(**known):
        return True
    plan = fs.Plan(point.network, (), 1, point.batch, point.mode, point.precision, **point.settings)
    fs.measure_plan(plan, store, executor, progress=lambda step: None, again=True)
    *_, again = rows = store.find(**known)
    first = next(row for row in rows if row["device_name"] == again["device_name"])
    now, before = (Measurement.from_dict({name: row.get(name) for name in _FIELDS}) for row in (again, first))
    found = compare(now, before, SAME)
    say(f"{point}, measured again: {found}")
    return found.verdict in ("same", "undecided")


def say(text: str) -> None:
    """Write a line of progress."""
    print(f"gpu_campaign: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run the campaign of the command line."""
    parser = argparse.ArgumentParser(description="Make the most of a few minutes on a GPU.")
    parser.add_argument("store", help="the file for the rows")
    parser.add_argument("--minutes", type=float, default=10.0, help="default: 10")
    parser.add_argument(
        "--plans", type=Path, default=HERE, help="the folder of the plans; default: that of this script"
    )
    asked = parser.parse_args()
    plans = [fs.Plan.read(path) for path in sorted(asked.plans.glob("gpu_campaign_*.yaml"))]
    workers = partial(local_executor, plans[0].device)
    return 0 if campaign(plans, fs.Store(asked.store), 60 * asked.minutes, workers) else 1


if __name__ == "__main__":
    sys.exit(main())
