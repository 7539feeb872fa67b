"""The largest batch that fits in a device's memory, found by trying, in a process apart."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable
from dataclasses import replace

from .._common.checks import check_real, shown
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..records.measurement import MeasureError, SettingError, whole
from .settings import Mode, Precision, Settings
from .worker import Worker

LIMIT = 4096  # images, up to which batches are tried
_FULL = ("out of memory", "died")  # why a try fails whose batch is too large
_FIRST = 16  # images; where they do not fit, fewer are tried


class CapacityWarning(UserWarning):
    """A search for the largest batch that ended at its limit, or at a failure, and so may not tell what fits."""


def largest_batch(
    network: Network | str,
    mode: Mode = "inference",
    precision: Precision = "fp32",
    device: str | None = None,
    channels_last: bool = True,
    resolution: int | None = None,
    *,
    limit: int = LIMIT,
    grain: float = 1 / 16,
    memory_bytes: int | None = None,
    timeout: float | None = None,
    progress: Callable[[str, float], None] | None = None,
    worker: Worker | None = None,
) -> int:
    """The largest batch that fits, as `measure` would run it: inference, or whole training steps.

    Each try runs the network twice in a process apart, so that a try that fails, or is killed, costs this process
    nothing. A try whose process dies counts as one that did not fit; so does, once a smaller batch has fitted, one
    that takes too long, or fails for whatever reason but a wrong setting.

    A GPU's own memory is the bound. On a CPU it is 90 % of the memory that the machine, or the container, has
    available when the try begins: allocating more fails there and then, so that no try makes the machine swap. This
    needs Linux.

    Arguments:
        network: the network, or the name of a base network.
        mode, precision, device, channels_last, resolution: as for `measure`. Compiled networks, which may need
            another amount, are not tried.
        limit: the largest batch that is tried. A CPU's memory often takes more.
        grain: the batch found is short of one that does not fit by at most this fraction of itself (or by one image).
        memory_bytes: the most memory that a run may take, where that is to be less than there is: on a GPU weights
            included, on a CPU beside what the process holds before it builds the network.
        timeout: seconds that one try may take; left out: some two minutes.
        progress: called before each try with what is tried ("batch 64") and the fraction of the tries made, of those
            that it may take.
        worker: to try with, and left open; left out: one made for this.

    Returns:
        Images in a batch; `limit` where that fits, and a larger one may.

    Raises:
        NetworkError: this is not a network, nor the name of one.
        SettingError: (a ValueError) a setting is wrong or the device is not there.
        MeasureError: with reason "out of memory", not even one image fits; or, before any batch has fitted, with
            "time limit", a try took too long, or with the reason why it failed otherwise.

    Warns:
        CapacityWarning: the search ended at `limit`, or a batch failed otherwise than of memory.
    """
    settings = Settings(1, mode, precision, device, channels_last, resolution=resolution)
    found = search(network, settings, limit, grain, memory_bytes, timeout, progress, worker)
    if found == limit:
        warnings.warn(
            f"largest_batch: {found:,} images fit, and the search ended there, at its limit; more may fit: try "
            f"limit={4 * found}",
            CapacityWarning,
            stacklevel=2,
        )
    return found


def search(
    network: Network | str,
    settings: Settings,
    limit: int = LIMIT,
    grain: float = 1 / 16,
    memory_bytes: int | None = None,
    timeout: float | None = None,
    progress: Callable[[str, float], None] | None = None,
    worker: Worker | None = None,
) -> int:
    """`largest_batch` without its warning, whatever the batch of the settings."""
    network, limit = named_network(network), whole("limit", limit)
    grain = check_real("grain", grain, SettingError, 0, 1, above=True, remedy="; try grain=1/16")
    if memory_bytes is not None:
        memory_bytes = whole("memory_bytes", memory_bytes)
    if not (progress is None or callable(progress)):
        raise SettingError(f"progress is {shown(progress)}, but must be a function, or None")
    if not (worker is None or hasattr(worker, "try_run")):
        raise SettingError(f"worker is {shown(worker)}, but must be a Worker, or None for one of its own")
    most, tried, fitted, failures = _most_tries(limit, grain), [], [], []
    with contextlib.nullcontext(worker) if worker is not None else Worker() as at_work:

        def fits(batch: int) -> bool:
            if progress:
                progress(f"batch {batch}", min(1.0, len(tried) / most))
            tried.append(batch)
            try:
                at_work.try_run(network, replace(settings, batch=batch), memory_bytes, timeout)
            except MeasureError as error:
                if not _bounds(error, bool(fitted)):
                    raise
                failures.append(error)
                if error.reason not in _FULL:
                    _tell(batch, error)
                return False
            fitted.append(batch)
            return True

        found = _search(fits, limit, grain)
    if found:
        return found
    ran_out = any(error.reason == "out of memory" for error in failures)
    last = failures[-1]
    raise MeasureError(
        f"{network.name}: not even one image fits: {last}", "out of memory" if ran_out else last.reason
    ) from last


def _bounds(error: MeasureError, fitted: bool) -> bool:
    """Whether a try that failed so tells that the batch is too large; `fitted`: a smaller one was not."""
    if error.reason in ("setting", "cancelled", "busy"):  # whatever the batch
        return False
    return fitted or error.reason in _FULL


def _tell(batch: int, error: MeasureError) -> None:
    """Says that a batch is taken for too large, though it was not memory that it failed of."""
    said = f"largest_batch: {batch:,} images are taken not to fit, since trying them failed otherwise: {error}"
    warnings.warn(said, CapacityWarning, stacklevel=3)


def _search(fits: Callable[[int], bool], limit: int, grain: float) -> int:
    """Double while it fits, then halve the gap to what does not, down to the grain; 0 where nothing fits."""
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


def _most_tries(limit: int, grain: float) -> int:
    """As many as the search may take: doublings up to the limit, then halvings of the last of them."""
    doublings = math.ceil(math.log2(max(1, limit / _FIRST))) + 1
    return doublings + math.ceil(-math.log2(grain)) + 1
