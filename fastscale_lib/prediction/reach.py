"""How far a fit reaches: the batches and networks of its rows, and trials beyond them.

No time is predicted at a batch outside those of the rows: on a CPU, outputs too large for its caches and its allocator
take several times longer (48 images of EfficientNet-B0 took 23 times as long as 4 on an AMD EPYC), which rows of other
batches do not show. A network larger or smaller than those of the rows is predicted as far as such networks were
predicted on trial, with the error made there. An operation that their networks hardly have has a rate that nothing was
fitted to, so a network with many of it is not predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..architectures.operation_lists import KINDS, Operations

SIZES = ("multiply-adds", "weights", "elements moved")
_TRIED_ON = 1 / 3  # share of the rows, the smallest or the largest, that a trial is fitted to
_SMALL_SHARE, _TIMES_SHARE = 0.1, 4  # a kind may have this share of a network, or so many times that of the rows
_UNSEEN_SHARE = 0.01  # and this one where no row has the kind at all
_EVEN = 1 + 1e-9  # ratio of equal sizes, whose sums may differ by rounding


class Extent(NamedTuple):
    """Work of networks, in all and by kind of operation.

    Attributes:
        sizes: logarithms of `SIZES` per image, shape (networks, 3).
        shares: of each kind of operation, in multiply-adds or elements moved, whichever is larger, shape (networks,
            len(KINDS)).
    """

    sizes: np.ndarray
    shares: np.ndarray

    @staticmethod
    def of(*several: Operations) -> Extent:
        """Sum the work of networks, whose operations have the shape (operations, networks)."""
        made = [_extent(each) for each in several]
        return Extent(np.concatenate([each.sizes for each in made]), np.concatenate([each.shares for each in made]))


class Trial(NamedTuple):
    """A fit tried beyond the networks it was fitted to.

    Attributes:
        times: the largest ratio to their size.
        error_90: 90th percentile of the absolute error there, as a fraction.
    """

    times: float
    error_90: float


class Reach(NamedTuple):
    """The rows of a fit, and trials beyond them.

    Attributes:
        batches: the smallest and the largest.
        least: smallest sizes, as in `Extent`.
        most: largest sizes.
        shares: largest share of each kind of operation.
        up: trial on larger networks.
        down: trial on smaller networks.
    """

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
    """How surely each of several networks is predicted.

    Attributes:
        error: as a fraction; NaN if there is no prediction.
        notes: why the error is larger than the stated one, or why there is no prediction; None for networks like
            those of the rows.
    """

    error: np.ndarray
    notes: list[str | None]


def reach_of(
    batches: np.ndarray, extent: Extent, predicted_from: Callable[[np.ndarray], np.ndarray], seconds: np.ndarray
) -> Reach:
    """Try a fit beyond its rows, and return its reach.

    A trial fits to the third of the rows with the fewest multiply-adds (or with the most), and predicts larger (or
    smaller) networks. A row is beyond the fitted ones if any of its sizes is.

    Arguments:
        batches: of the rows.
        extent: of their networks.
        predicted_from: predicts the seconds of every row from those where the mask is true.
        seconds: measured, of each row.
    """
    trials: list[Trial] = []
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
    up, down = trials
    ends = (int(batches.min()), int(batches.max()))
    return Reach(ends, extent.sizes.min(axis=0), extent.sizes.max(axis=0), extent.shares.max(axis=0), up, down)


def batch_beyond(reach: Reach, batch: int) -> str | None:
    """Say why there is no prediction at this batch; None if it lies between those of the rows."""
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
    """Judge how surely networks of this extent are predicted.

    Arguments:
        reach: of the fit.
        extent: of the networks.
        error: median error of the fit on held-out families, as a fraction.
        error_90: 90th percentile of that error.
    """
    above, below = extent.sizes - reach.most, reach.least - extent.sizes
    up, down = np.exp(above.max(axis=1)), np.exp(below.max(axis=1))
    small = np.where(reach.shares > 0, _SMALL_SHARE, _UNSEEN_SHARE)
    rare = extent.shares > np.maximum(small, _TIMES_SHARE * reach.shares)
    off = np.full(len(up), error)
    notes: list[str | None] = [None] * len(up)
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
        rows = of_kind.any(axis=1)  # most operations are of one kind in all networks
        sums = ((each[rows] * of_kind[rows]).sum(axis=0) for each in (flops, moved))
        shares.append(np.maximum(*(of_it / whole for of_it, whole in zip(sums, (totals[0], totals[2]), strict=True))))
    return Extent(np.log(np.stack(totals, axis=1)), np.stack(shares, axis=1))
