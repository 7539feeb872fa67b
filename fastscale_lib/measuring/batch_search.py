"""The largest batch that fits in a device's memory, found by trying in a subprocess."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from .._common.checks import check_progress, check_real, shown
from ..architectures.definition import Network
from ..architectures.resolutions import Resolution
from ..architectures.traced.module_family import Family
from ..records.measurement import MeasureError, SettingError, whole
from ..scaling.module_scaling import network_or_modules
from .counted_batch import counted_batch
from .settings import Mode, Precision, Settings
from .worker import Worker

if TYPE_CHECKING:
    import torch

LIMIT = 4096  # images: the largest batch that is tried
_FULL = ("out of memory", "died")  # reasons of a failed trial that say the batch is too large
_FIRST = 16  # images; where they do not fit, fewer are tried


class CapacityWarning(UserWarning):
    """The search for the largest batch ended at its limit, or at a failure: more may fit."""


class Trials(Protocol):
    """An object that runs a network to see whether it fits, as a `Worker` does."""

    def try_run(
        self,
        network: Network | Family,
        settings: Settings,
        memory_bytes: int | None = None,
        timeout: float | None = None,
    ) -> None: ...


def largest_batch(
    network: Network | str | Family | torch.nn.Module,
    mode: Mode = "inference",
    precision: Precision = "fp32",
    device: str | torch.device | None = None,
    channels_last: bool = True,
    resolution: Resolution | None = None,
    *,
    limit: int = LIMIT,
    grain: float = 1 / 16,
    memory_bytes: float | None = None,
    timeout: float | None = None,
    progress: Callable[[str, float], None] | None = None,
    worker: Trials | None = None,
) -> int:
    """Find the largest batch that fits, as `measure` would run it: inference, or training steps.

    Each trial runs the network twice in a subprocess, so that a failed or killed trial does no harm here. A trial
    whose subprocess dies counts as one that did not fit. Once a smaller batch has fitted, so does a trial that takes
    too long, or fails for any reason but a wrong setting.

    On a GPU its memory is the bound. On a CPU it is 90 % of the memory that the machine, or the container, has
    available when the trial begins: allocating more fails at once, so that no trial makes the machine swap. This
    needs Linux.

    Arguments:
        network: the network, or the name of a base network; a Family or a torch module that another process can
            import, which is sent there without its weights.
        mode: as for `measure`; default: "inference".
        precision: as for `measure`; default: "fp32".
        device: as for `measure`; default: torch's current GPU, else the CPU.
        channels_last: as for `measure`; default: True. Compiled networks, which may need another amount, are not tried.
        resolution: side of the images in pixels, or (height, width); default: the network's own.
        limit: the largest batch that is tried; default: 4,096. A CPU's memory often takes more.
        grain: the batch found may fall short of one that does not fit by this fraction of itself (or by one image);
            default: 1/16.
        memory_bytes: the most memory that a run may take: on a GPU with the weights, on a CPU beside what the process
            holds before it builds the network; default: all there is. Without a device or worker nothing is tried: the
            batch is counted by `peak_memory`, for a GPU that one may not have, and its `repr` says so.
        timeout: seconds that one trial may take; default: about two minutes.
        progress: called before each trial with its name ("batch 64") and the fraction of the possible trials made;
            default: None.
        worker: runs the trials, and is left open; default: a `Worker` of its own.

    Returns:
        Images in a batch; `limit` where that fits, and a larger one may. If it is counted, an int with counted_bytes
        and held_bytes, which adds what an H200 held beyond the count: up to 38 % in inference, 3 % in training.

    Raises:
        NetworkError: this is not a network, nor the name of one; or a family or module cannot be made elsewhere, as
            it stands in a notebook or is a lambda.
        SettingError: (a ValueError) a setting is wrong or the device is not there.
        MeasureError: not even one image fits (reason "out of memory"); or, before any batch has fitted, a trial took
            too long ("time limit") or failed for another reason.

    Warns:
        CapacityWarning: the search ended at `limit`, or a batch failed for another reason than memory.
    """
    settings = Settings(1, mode, precision, device, channels_last, resolution=resolution)
    if memory_bytes is not None and device is None and worker is None:
        held = check_real("memory_bytes", memory_bytes, SettingError, 1, remedy="; try memory_bytes=11e9")
        return counted_batch(network, settings, round(held), whole("limit", limit))
    most = None if memory_bytes is None else whole("memory_bytes", memory_bytes)
    found = search(network, settings, limit, grain, most, timeout, progress, worker)
    if found == limit:
        warnings.warn(
            f"largest_batch: {found:,} images fit, and the search ended there, at its limit; more may fit: try "
            f"limit={4 * found}",
            CapacityWarning,
            stacklevel=2,
        )
    return found


def search(
    network: Network | str | Family | torch.nn.Module,
    settings: Settings,
    limit: int = LIMIT,
    grain: float = 1 / 16,
    memory_bytes: int | None = None,
    timeout: float | None = None,
    progress: Callable[[str, float], None] | None = None,
    worker: Trials | None = None,
) -> int:
    """Find the largest batch as `largest_batch` does, but give no warning at the limit."""
    network, limit = network_or_modules(network, settings.resolution), whole("limit", limit)
    grain = check_real("grain", grain, SettingError, 0, 1, above=True, remedy="; try grain=1/16")
    if memory_bytes is not None:
        memory_bytes = whole("memory_bytes", memory_bytes)
    check_progress(progress, SettingError)
    if not (worker is None or hasattr(worker, "try_run")):
        raise SettingError(f"worker is {shown(worker)}, but must be a Worker, or None for one of its own")
    most, fitted = _most_trials(limit, grain), []
    failures: list[MeasureError] = []
    with contextlib.nullcontext(worker) if worker is not None else Worker() as trials:

        def fits(batch: int) -> bool:
            if progress:
                progress(f"batch {batch}", min(1.0, (len(fitted) + len(failures)) / most))
            try:
                trials.try_run(network, replace(settings, batch=batch), memory_bytes, timeout)
            except MeasureError as error:
                whatever_the_batch = error.reason in ("setting", "cancelled", "busy")
                if whatever_the_batch or not (fitted or error.reason in _FULL):
                    raise
                failures.append(error)
                if error.reason not in _FULL:
                    said = f"{batch:,} images are taken not to fit, since trying them failed otherwise"
                    warnings.warn(f"largest_batch: {said}: {error}", CapacityWarning, stacklevel=2)
                return False
            fitted.append(batch)
            return True

        found = _bisect(fits, limit, grain)
    if found:
        return found
    ran_out = any(error.reason == "out of memory" for error in failures)
    last = failures[-1]
    raise MeasureError(
        f"{network.name}: not even one image fits: {last}", "out of memory" if ran_out else last.reason
    ) from last


def _bisect(fits: Callable[[int], bool], limit: int, grain: float) -> int:
    """Double while it fits, then halve the gap to what does not, down to the grain; else 0."""
    most, batch = 0, min(_FIRST, limit)
    while fits(batch):
        most = batch
        if batch == limit:
            return most
        batch = min(2 * batch, limit)
    beyond = batch
    while beyond - most > max(1, grain * most):
        batch = (most + beyond) // 2
        if fits(batch):
            most = batch
        else:
            beyond = batch
    return most


def _most_trials(limit: int, grain: float) -> int:
    """Count the trials a search may take: doublings up to the limit, then halvings of the last."""
    doublings = math.ceil(math.log2(max(1, limit / _FIRST))) + 1
    return doublings + math.ceil(-math.log2(grain)) + 1
