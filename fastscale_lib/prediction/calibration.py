"""What a device's rates are fitted to in under a minute: probe networks, measured and kept."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

from .._common.checks import check_whole
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

PROBES = 40
PROBE_SECONDS, PROBE_INTERVAL = 0.5, 0.02
_SMALLEST, _LARGEST = 5e7, 1.5e9  # multiply-adds an image: from where launches show to where arithmetic does
# Every block of the published networks, so that a network of any family finds its operations among them.
_BLOCKS = (
    {"block": "res_bottleneck_block", "group_widths": (8, 16, 24, 32, 48, 64, 112)},
    {"block": "mbconv", "bottlenecks": (3, 4, 6), "kernels": (3, 5)},
    {"block": "res_bottleneck_block", "bottlenecks": (0.25, 0.5)},
    {"block": "res_bottleneck_linear_block", "bottlenecks": (2, 4), "group_widths": (8, 16, 32)},
    {"block": "res_bottleneck_block", "group_widths": (1, 2, 4)},
    {"block": "res_basic_block"},
)


def probes(count: int = PROBES) -> tuple[Network, ...]:
    """Networks of one or two stages that differ in all that a rate depends on, the same ones at every call.

    Block, group width, width, depth, resolution, kernel, stem, squeeze-and-excitation and activation are drawn; those
    of 50 million to 1.5 billion multiply-adds are taken. None is a published network or a scaled one.
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
    # Widths by 8, of which whole groups can be made also where a bottleneck is narrower.
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
) -> RuntimeModel:
    """A model of this machine's device under one setting, fitted to probe networks that are measured and kept.

    The first call takes about a minute (training, compiling and large batches longer); a later one under the same
    setting and batch, with the same device and versions, measures nothing. Stopped and called again, it goes on where
    it was. The model predicts times at this batch: the probes tell nothing of others.

    Arguments:
        batch: images in a run of a probe; left out: 4 on a CPU, 64 on a GPU.
        device, mode, precision, channels_last, compile, tf32, threads: the setting, as `measure` takes it.
        store: where the rows are kept; left out: fastscale/calibration.jsonl in the user's cache folder.
        progress: as `run` takes it.

    Raises:
        SettingError: (a ValueError) a setting is wrong or the device is not there.
        PredictionError: too few probes could be measured.
    """
    if batch is not None:
        batch = check_whole("batch", batch, SettingError, remedy="; leave it out for the usual one")
    with Worker() as worker:
        found = worker.environment(device=device)["device"]
    plan = Plan(
        networks=probes(),
        batch=kind_of(found).probe_batch if batch is None else batch,
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
    return RuntimeModel.fit(measure_plan(plan, kept_in() if store is None else store, progress=progress))


def kept_in() -> Path:
    """The file in which probes that were measured are kept: in $XDG_CACHE_HOME, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastscale" / "calibration.jsonl"
