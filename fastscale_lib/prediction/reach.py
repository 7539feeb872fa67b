"""How far a fit of times reaches: the batches and networks of its rows, and how far beyond these it was tried.

Rows say how long networks like theirs take, at batches like theirs. A batch outside of theirs has no time: on a CPU
outputs that outgrow its caches and its allocator cost a multiple (48 images of EfficientNet-B0 took 23 times as long as
4 on an AMD EPYC), and no rows of other batches tell it. A network that is larger or smaller than all of theirs has
one as far as such networks were predicted on trial, with the error that was made there. An operation that theirs hardly
have has a rate that nothing was fitted to, so a network of such has no time either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..architectures.operation_lists import KINDS, Operations

SIZES = ("multiply-adds", "weights", "elements moved")
_TRIED_ON = 1 / 3  # of the rows, the smallest or the largest: what a trial is fitted to
_SMALL_SHARE, _TIMES_SHARE = 0.1, 4  # a kind may have this share of a network, or so many times what the rows have
_EVEN = 1 + 1e-9  # networks of one size, but for the order of a sum


class Extent(NamedTuple):
    """What networks ask of a device, in all and by kind of operation.

    `sizes` of shape (networks, 3) are logarithms of `SIZES` of an image; `shares` of shape (networks, len(KINDS)) are
    of multiply-adds or of elements moved, whichever is the larger.
    """

    sizes: np.ndarray
    shares: np.ndarray

    @staticmethod
    def of(*several: Operations) -> Extent:
        """That of the networks of these operations, each of shape (operations, networks)."""
        made = [_extent(each) for each in several]
        return Extent(*(np.concatenate(column) for column in zip(*made, strict=True)))


class Trial(NamedTuple):
    """How far beyond the networks it was fitted to a model was tried: `times` their size, and `error_90` there."""

    times: float
    error_90: float


class Reach(NamedTuple):
    """What a fit was made from. `batches` are the smallest and the largest; `up` and `down` the trials beyond."""

    batches: tuple[int, int]
    least: np.ndarray
    most: np.ndarray
    shares: np.ndarray
    up: Trial
    down: Trial

    @property
    def batches_text(self) -> str:
        """The batches in words: "4", or "64 to 256"."""
        return " to ".join(f"{each:,}" for each in dict.fromkeys(self.batches))


class Judged(NamedTuple):
    """The error of each of several networks as a fraction, NaN where its time is not known, and a note.

    The note tells why the error is larger than the stated one, or why there is no time; None for networks like the
    fitted.
    """

    error: np.ndarray
    notes: list[str | None]


def reach_of(
    batches: np.ndarray, extent: Extent, predicted_from: Callable[[np.ndarray], np.ndarray], seconds: np.ndarray
) -> Reach:
    """The reach of a fit to rows with these batches and networks, which took so many seconds.

    A trial fits to the third of the rows with the fewest multiply-adds (or with the most), and predicts the larger
    (or the smaller) ones. Networks differ in more than that, so a row counts as beyond where any of its sizes is.

    Arguments:
        predicted_from: the seconds of every row, as predicted from those where the mask is true.
    """
    trials = []
    for sign in (1, -1):
        sizes = sign * extent.sizes
        fitted = sizes[:, 0] <= np.quantile(sizes[:, 0], _TRIED_ON)
        beyond = np.exp((sizes - sizes[fitted].max(axis=0)).max(axis=1))
        out = beyond > _EVEN
        if not out.any():
            trials.append(Trial(1.0, 0.0))
            continue
        off = np.abs(predicted_from(fitted) / seconds - 1)[out]
        trials.append(Trial(float(beyond.max()), float(np.quantile(off, 0.9))))
    ends = (int(batches.min()), int(batches.max()))
    return Reach(ends, extent.sizes.min(axis=0), extent.sizes.max(axis=0), extent.shares.max(axis=0), *trials)


def batch_beyond(reach: Reach, batch: int) -> str | None:
    """Why nothing is known at this batch, and the remedy; None where it lies between those of the rows."""
    low, high = reach.batches
    if low <= batch <= high:
        return None
    asked = f"{batch:,}" if batch < 10**9 else f"{batch:.3g}"
    return (
        f"batch {asked} is beyond the fitted rows, of batch {reach.batches_text}, which cannot tell how time grows to "
        f"it; measure rows at batch {asked}, as fs.calibrate(batch={asked.replace(',', '')}) does, or ask for batch "
        f"{high if batch > high else low}"
    )


def judge(reach: Reach, extent: Extent, error: float, error_90: float) -> Judged:
    """What can be said of networks of this extent, by a fit of these errors on families that it has not seen."""
    above, below = extent.sizes - reach.most, reach.least - extent.sizes
    up, down = np.exp(above.max(axis=1)), np.exp(below.max(axis=1))
    rare = extent.shares > np.maximum(_SMALL_SHARE, _TIMES_SHARE * reach.shares)
    off, notes = np.full(len(up), error), [None] * len(up)
    for at in np.flatnonzero((up > _EVEN) | (down > _EVEN) | rare.any(axis=1)).tolist():
        off[at], notes[at] = _beyond(reach, extent, at, (up[at], down[at]), rare[at], error_90)
    return Judged(off, notes)


def _beyond(
    reach: Reach, extent: Extent, at: int, beyond: Sequence[float], rare: np.ndarray, error_90: float
) -> tuple[float, str]:
    if rare.any():
        kind = int(np.argmax(extent.shares[at] * rare))
        share, known = extent.shares[at, kind], reach.shares[kind]
        return np.nan, (
            f"not predicted: {share:.0%} of its arithmetic or data is of the kind {KINDS[kind]}, which has {known:.1%} "
            "at most in the fitted rows; measure rows of networks that have more of it"
        )
    said, errors = [], [error_90]
    ends = (("largest", reach.most, reach.up, 1), ("smallest", reach.least, reach.down, -1))
    for times, (end, limit, trial, sign) in zip(beyond, ends, strict=True):
        if times <= _EVEN:
            continue
        size = SIZES[int(np.argmax(sign * (extent.sizes[at] - limit)))]
        ratio = f"{_rounded(times)} times the {size}" if sign > 0 else f"1/{_rounded(times)} of the {size}"
        if times > trial.times * _EVEN:
            limit = f"up to {_rounded(trial.times)} times" if sign > 0 else f"down to 1/{_rounded(trial.times)} of"
            return np.nan, (
                f"not predicted: it has {ratio} of the {end} fitted network, and the fit was tried {limit} that; "
                f"measure rows of {'larger' if sign > 0 else 'smaller'} networks"
            )
        said.append(f"{ratio} of the {end} fitted network")
        errors.append(trial.error_90)
    return max(errors), f"it has {' and '.join(said)}: ± {max(errors):.0%}, as nine in ten kept within on trial"


def _rounded(times: float) -> str:
    return f"{times:,.0f}" if times >= 100 else f"{times:.3g}"


def _extent(ops: Operations) -> Extent:
    flops, moved = ops.flops * ops.times, ops.moved * ops.times
    totals = [flops.sum(axis=0), (ops.weights * ops.times).sum(axis=0), moved.sum(axis=0)]
    shares = []
    for kind in range(len(KINDS)):
        of_kind = ops.kind == kind
        shares.append(np.maximum((flops * of_kind).sum(axis=0) / totals[0], (moved * of_kind).sum(axis=0) / totals[2]))
    return Extent(np.log(np.stack(totals, axis=1)), np.stack(shares, axis=1))
