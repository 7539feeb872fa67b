"""Calibration: rates fitted to probe networks, which are measured in some seconds and kept."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from .._common.checks import check_flag, check_whole
from .._common.device_kinds import kind_of
from .._common.progress import Step
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.design_spaces import anynet
from ..measuring.plan_runner import measure_plan
from ..measuring.plans import Plan
from ..measuring.settings import Mode, Precision
from ..measuring.worker import Worker
from ..records.measurement import SettingError
from ..records.store import Store
from .model import RuntimeModel
from .probe_fits import MOST_PROBES, fits_to_probes, kept_in, undisturbed_probes

PROBES = 10
PROBE_SECONDS, PROBE_INTERVAL = 0.5, 0.02
_SMALLEST, _LARGEST = 5e7, 1.5e9  # multiply-adds per image: from where launches show to where arithmetic does
# Every block of the published networks, so that the operations of any family are among them.
_BLOCKS: tuple[dict[str, Any], ...] = (
    {"block": "res_bottleneck_block", "group_widths": (8, 16, 24, 32, 48, 64, 112)},
    {"block": "mbconv", "bottlenecks": (3, 4, 6), "kernels": (3, 5)},
    {"block": "res_bottleneck_block", "bottlenecks": (0.25, 0.5)},
    {"block": "res_bottleneck_linear_block", "bottlenecks": (2, 4), "group_widths": (8, 16, 32)},
    {"block": "res_bottleneck_block", "group_widths": (1, 2, 4)},
    {"block": "res_basic_block"},
)


def probes(count: int = PROBES) -> tuple[Network, ...]:
    """Make networks of one or two stages that differ in all that a rate depends on.

    Block, group width, width, depth, resolution, kernel, stem, squeeze-and-excitation and activation are drawn, the
    same in every call; networks of 50 million to 1.5 billion multiply-adds are taken. None is published or scaled.

    Arguments:
        count: of networks; default: 10. Those of a larger count begin with those of a smaller.
    """
    draw = random.Random(0)
    found: list[Network] = []
    while len(found) < count:
        network = _probe(draw, len(found))
        if _SMALLEST <= complexity(network).flops <= _LARGEST:
            found.append(network)
    return tuple(found)


def _probe(draw: random.Random, number: int) -> Network:
    kind = _BLOCKS[number % len(_BLOCKS)]
    chosen = {key: draw.choice(value) if isinstance(value, tuple) else value for key, value in kind.items()}
    # Multiples of 8, and of whole groups also where the bottleneck is narrower.
    grain = max(8, round(chosen.get("group_widths", 1) / min(1, chosen.get("bottlenecks", 1))))
    first = grain * max(1, round(2 ** draw.uniform(4, 9) / grain))
    stages = draw.choice((1, 2))
    return anynet(
        **chosen,
        name=f"probe-{number + 1}",
        depths=[draw.choice((1, 2, 3)) for _ in range(stages)],
        widths=[first, 2 * first][:stages],
        strides=[draw.choice((1, 2)), 2][:stages],
        stem=draw.choice(("simple_stem_in", "res_stem_in")),
        stem_width=draw.choice((16, 32, 64)),
        se_ratio=draw.choice((0, 0, 0.25)),
        activation=draw.choice(("relu", "silu")),
        head_width=draw.choice((0, 0, 1280)),
        resolution=draw.choice((64, 96, 128, 160, 192, 224, 256, 288)),
    )


class CalibrationWarning(UserWarning):
    """Probes were disturbed, or no profile explains them."""


def calibrate(
    device: str | None = None,
    mode: Mode = "inference",
    precision: Precision = "fp32",
    *,
    batch: int | None = None,
    channels_last: bool = True,
    compile: bool = False,
    tf32: bool = False,
    threads: int | None = None,
    store: Store | str | os.PathLike | None = None,
    progress: Callable[[Step], None] | None = None,
    count: int = PROBES,
    anew: bool = False,
) -> RuntimeModel:
    """Fit a model to probe networks that are measured on this machine, and kept.

    A later call with the same setting, batch, device and versions measures nothing. Stopped and called again, it goes
    on where it was. Probes that were disturbed are replaced by further ones, as many again at most. The fit is from the
    profile that explains the probes best, see `calibrated`; the model predicts times at this batch alone.

    Arguments:
        device: as for `measure`; default: torch's current GPU, else the CPU.
        mode: as for `measure`; default: "inference".
        precision: as for `measure`; default: "fp32".
        batch: images in a run of a probe; default: 4 on a CPU, 64 on a GPU.
        channels_last: as for `measure`; default: True.
        compile: as for `measure`; default: False.
        tf32: as for `measure`; default: False.
        threads: as for `measure`; default: as many as torch takes by itself.
        store: keeps the rows; default: fastscale/calibration.jsonl in the user's cache folder.
        progress: as for `measure_plan`; default: a line on stderr.
        count: of probes, 10 to 40; default: 10.
        anew: measure all again, where they are kept, too; stopped and called again with it, it begins with the first
            one; default: False.

    Raises:
        SettingError: (a ValueError) a setting is wrong or the device is not there.
        PredictionError: too few probes could be measured.

    Warns:
        CalibrationWarning: as `calibrated` does.
    """
    if batch is not None:
        batch = check_whole("batch", batch, SettingError, remedy="; leave it out for the usual one")
    count = check_whole("count", count, SettingError, least=PROBES, most=MOST_PROBES, remedy="; try count=10")
    anew = check_flag("anew", anew, SettingError, "; try anew=True")
    with Worker() as worker:
        kind = kind_of(worker.environment(device=device)["device"])
    assert kind is not None  # torch has found the device
    drawn = probes(2 * count)
    plan = Plan(
        networks=drawn,
        batch=kind.probe_batch if batch is None else batch,
        mode=mode,
        precision=precision,
        device=device,
        channels_last=channels_last,
        compile=compile,
        tf32=tf32,
        threads=threads,
        seconds=PROBE_SECONDS,
        interval=PROBE_INTERVAL,
    )
    kept = kept_in() if store is None else store

    def measured(networks: Sequence[Network]) -> pd.DataFrame:
        return measure_plan(replace(plan, networks=networks), kept, progress=progress, again=anew)

    rows, further = measured(drawn[:count]), drawn[count:]
    while further and (lacking := count - int(undisturbed_probes(rows).sum())) > 0:
        rows = pd.concat([rows, measured(further[:lacking])], ignore_index=True)
        further = further[lacking:]
    return calibrated(rows)


def calibrated(rows: pd.DataFrame) -> RuntimeModel:
    """Fit a model to few rows of a device, from the profile that explains them best.

    The rates of that profile, of a CPU or a GPU as the rows are, are divided by one factor, and each may differ by some
    40 % beside it; where a fit without any profile is surely nearer, that is taken. Column `prior` of `rates` says
    which profile it is. The bands are of families left out (of rows, if all are of one family, as probes are); of a fit
    from a profile no narrower than those of it. They are wider for networks larger or smaller than the rows, and for
    those with kinds of operations that no row has, as layer norm and attention in probes; their `note` says so.

    Arguments:
        rows: as for `RuntimeModel.fit`. Of a network that was measured twice at a batch the newer row counts; disturbed
            rows are left out, if 8 others are there: other processes used the machine, or the clock was held down for
            heat or lack of power. A power cap and application clocks are a device's own speed.

    Raises:
        PredictionError: as for `RuntimeModel.fit`.

    Warns:
        CalibrationWarning: rows were disturbed; no profile is of their mode and precision; or half of those left out
            are 15 % off or more, so that the profile does not fit.
    """
    model, remarks = calibrated_and_remarks(rows)
    for remark in remarks:
        warnings.warn(f"calibrate: {remark}", CalibrationWarning, stacklevel=2)
    return model


def calibrated_and_remarks(rows: pd.DataFrame) -> tuple[RuntimeModel, list[str]]:
    """Fit as `calibrated`, and return what it would warn of."""
    fitted, remarks = fits_to_probes(rows)
    return RuntimeModel("layers", fitted), remarks
