"""How far a fit reaches: the batches and networks of its rows, and trials beyond them.

No time is predicted at a batch outside those of the rows: on a CPU, outputs too large for its caches and its allocator
take several times longer (48 images of EfficientNet-B0 took 23 times as long as 4 on an AMD EPYC), which rows of other
batches do not show. A network larger or smaller than those of the rows is predicted as far as such networks were
predicted on trial, and less surely the farther it is beyond them. An operation that their networks hardly have has a
rate that nothing was fitted to, so a network with many of it is not predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..architectures.operation_lists import KINDS, Operations

SIZES = ("multiply-adds", "weights", "elements moved")
BANDS = (0.5, 0.9)  # the shares of networks that the two bands of a prediction are for
_FAR, _MANY_ROWS = 200.0, 60
_SMALL_SHARE, _TIMES_SHARE = 0.1, 4  # a kind may have this share of a network, or so many times that of the rows
_UNSEEN_SHARE = 0.01  # and this one where no row has the kind at all
_EVEN = 1 + 1e-9  # ratio of equal sizes, whose sums may differ by rounding


class Extent(NamedTuple):
    """Work of networks, in all and by kind of operation.

    Attributes:
        sizes: logarithms of `SIZES` per image, shape (networks, 3).
        shares: of each kind of operation, in multiply-adds or elements moved, whichever is larger, shape (networks,
            len(KINDS)).
        traced: whether they are traced, not described: of each network, or of all.
    """

    sizes: np.ndarray
    shares: np.ndarray
    traced: Any = False

    @staticmethod
    def of(*several: Operations, traced: Any = False) -> Extent:
        """Sum the work of networks, whose operations have the shape (operations, networks)."""
        sizes, shares = zip(*map(_extent, several), strict=True)
        return Extent(np.concatenate(sizes), np.concatenate(shares), traced)


class Bands(NamedTuple):
    """How far off predictions are: 0.1 is from 1/1.1 to 1.1 times the prediction.

    Attributes:
        half: half of the networks are within it.
        ninety: nine in ten are.
    """

    half: Any
    ninety: Any


class Trial(NamedTuple):
    """A fit tried beyond the networks that it was fitted to.

    Attributes:
        times: up to which ratio of sizes the fit to all rows predicts.
        widening: of the two bands: to which power of the ratio each grows, so that it held on trial.
    """

    times: float
    widening: Bands


class Borrowed(NamedTuple):
    """What a fit to few rows has of its prior: rates of kinds of operations that no row has.

    Attributes:
        prior: the profile, in words.
        shares: largest share of each kind of operation in the rows themselves.
        widening: of the two bands, for networks of other kinds: by which factor's logarithm each grows.
    """

    prior: str
    shares: np.ndarray
    widening: Bands


class Reach(NamedTuple):
    """The rows of a fit, and trials beyond them.

    Attributes:
        batches: the smallest and the largest.
        least: smallest sizes, as in `Extent`.
        most: largest sizes.
        shares: largest share of each kind of operation.
        up: trial on larger networks.
        down: trial on smaller networks.
        bands: of networks of families left out, not larger or smaller than the fitted ones.
        borrowed: what is a profile's; None for a fit to rows alone.
        traced: of the two bands, for networks that are traced: by which factor's logarithm each grows.
    """

    batches: tuple[int, int]
    least: np.ndarray
    most: np.ndarray
    shares: np.ndarray
    up: Trial
    down: Trial
    bands: Bands
    borrowed: Borrowed | None = None
    traced: Bands = Bands(0.0, 0.0)

    @property
    def batches_text(self) -> str:
        """The batches in words: "4", or "64 to 256"."""
        return " to ".join(f"{each:,}" for each in dict.fromkeys(self.batches))


class Judged(NamedTuple):
    """How surely each of several networks is predicted.

    Attributes:
        bands: arrays; NaN if there is no prediction.
        notes: why the bands are wider than the stated ones, or why there is no prediction; None for networks like
            those of the rows.
    """

    bands: Bands
    notes: list[str | None]


# A trial sees a few times the fitted sizes, and may see no error grow. Bands widen by this power at least.
LEAST_WIDENING = Bands(0.01, 0.04)


def reach_of(
    batches: np.ndarray,
    extent: Extent,
    predicted_from: Callable[[np.ndarray], np.ndarray],
    seconds: np.ndarray,
    held_out: np.ndarray,
    least_up: Bands = LEAST_WIDENING,
    of_many: bool = False,
) -> Reach:
    """Try a fit beyond its rows, and return its reach.

    The bands are quantiles of the errors on rows held out, as in split conformal prediction (Lei et al., 2018). A trial
    fits to the half of the rows with the fewest multiply-adds (or the most), to two thirds where the half are not the
    60 rows that many parameters take, and to a third of few rows; it predicts the larger (or smaller) networks. A row
    is beyond the fitted ones if any of its sizes is.

    Arguments:
        batches: of the rows.
        extent: of their networks.
        predicted_from: predicts the seconds of every row from those where the mask is true.
        seconds: measured, of each row.
        held_out: seconds predicted of each row by a fit to others.
        least_up: the powers by which bands widen at least for larger networks.
        of_many: whether these were found on much larger networks by rows like these. Then they are taken as they are
            if there are 60 rows: a trial within the rows sees networks only a little larger, and errors do not grow
            in proportion. Default: False.
    """
    half = np.log1p(np.median(np.abs(held_out / seconds - 1)))  # as the stated error; of ratios it is nearly the same
    logs = np.array([half, np.quantile(np.abs(np.log(held_out / seconds)), BANDS[1])])
    up = _tried(extent.sizes, predicted_from, seconds, logs, least_up, of_many and len(seconds) >= _MANY_ROWS)
    down = _tried(-extent.sizes, predicted_from, seconds, logs, LEAST_WIDENING)
    ends = (int(batches.min()), int(batches.max()))
    least, most = extent.sizes.min(axis=0), extent.sizes.max(axis=0)
    return Reach(ends, least, most, extent.shares.max(axis=0), up, down, Bands(*np.expm1(logs).tolist()))


def _tried(
    sizes: np.ndarray,
    predicted_from: Callable[[np.ndarray], np.ndarray],
    seconds: np.ndarray,
    logs: np.ndarray,
    least_widening: Bands,
    taken: bool = False,
) -> Trial:
    """Find how bands must widen with the ratio of sizes to hold on a trial."""
    many = len(seconds) >= _MANY_ROWS
    fitted_share = min(max(_MANY_ROWS / len(seconds), 1 / 2), 2 / 3) if many else 1 / 3
    fitted = sizes[:, 0] <= np.quantile(sizes[:, 0], fitted_share)
    ratio = (sizes - sizes[fitted].max(axis=0)).max(axis=1)
    out = ratio > _EVEN - 1
    if not out.any():
        return Trial(1.0, Bands(0.0, 0.0))
    times = max(_FAR if many else 1.0, float(np.exp(ratio.max())))
    if taken:
        return Trial(times, least_widening)
    off = np.abs(np.log(predicted_from(fitted) / seconds))[out]
    excess = np.maximum(off - logs[:, None], 0) / ratio[out]
    shares = zip(excess, BANDS, least_widening, strict=True)
    widening = Bands(*(max(float(np.quantile(each, share)), least) for each, share, least in shares))
    return Trial(times, widening)


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


def judge(reach: Reach, extent: Extent) -> Judged:
    """Judge how surely networks of this extent are predicted.

    Arguments:
        reach: of the fit.
        extent: of the networks.
    """
    ratios = np.maximum(np.stack([extent.sizes - reach.most, reach.least - extent.sizes]).max(axis=2), 0.0)
    rare, own = _rare(reach.shares, extent), reach.borrowed
    unlike = _rare(own.shares, extent) if own else np.zeros_like(rare)
    tried = np.array([[reach.up.times], [reach.down.times]]) * _EVEN
    refused = rare.any(axis=1) | (np.exp(ratios) > tried).any(axis=0)
    traced = np.broadcast_to(extent.traced, refused.shape) & (max(reach.traced) > 0)
    grown = np.vstack([ratios, unlike.any(axis=1), traced])
    of_kinds = own.widening if own else Bands(0.0, 0.0)
    widening = zip(reach.bands, reach.up.widening, reach.down.widening, of_kinds, reach.traced, strict=True)
    bands = Bands(*(
        np.where(refused, np.nan, (1 + band) * np.exp(np.array(grows) @ grown) - 1) for band, *grows in widening
    ))  # fmt: skip
    notes: list[str | None] = [None] * len(refused)
    for at in np.flatnonzero(refused | (grown > _EVEN - 1).any(axis=0)).tolist():
        if rare[at].any():
            notes[at] = _of_rare_kind(reach, extent.shares[at], rare[at])
        else:
            wider = Bands(float(bands.half[at]), float(bands.ninety[at]))
            notes[at] = _beyond(reach, extent.sizes[at], np.exp(ratios[:, at]).tolist(), unlike[at], traced[at], wider)
    return Judged(bands, notes)


def _rare(shares: np.ndarray, extent: Extent) -> np.ndarray:
    """Tell of which kinds networks have much more than these shares."""
    small = np.where(shares > 0, _SMALL_SHARE, _UNSEEN_SHARE)
    return extent.shares > np.maximum(small, _TIMES_SHARE * shares)


def _of_rare_kind(reach: Reach, shares: np.ndarray, rare: np.ndarray) -> str:
    kind = int(np.argmax(shares * rare))
    return (
        f"not predicted: {shares[kind]:.0%} of its arithmetic or data is of the kind {KINDS[kind]}, which has "
        f"{reach.shares[kind]:.1%} at most in the fitted rows; measure rows of networks that have more of it"
    )


def _beyond(
    reach: Reach, sizes: np.ndarray, beyond: Sequence[float], unlike: np.ndarray, traced: bool, bands: Bands
) -> str | None:
    """Say how far a network is beyond the fitted ones, and how much wider its bands are.

    Nothing is said where that does not show.
    """
    said = []
    ends = (("largest", reach.most, reach.up, 1), ("smallest", reach.least, reach.down, -1))
    for times, (end, limit, trial, sign) in zip(beyond, ends, strict=True):
        if times <= _EVEN:
            continue
        size = SIZES[int(np.argmax(sign * (sizes - limit)))]
        ratio = f"{_rounded(times)} times the {size}" if sign > 0 else f"1/{_rounded(times)} of the {size}"
        if times > trial.times * _EVEN:
            limit = f"up to {_rounded(trial.times)} times" if sign > 0 else f"down to 1/{_rounded(trial.times)} of"
            return (
                f"not predicted: it has {ratio} of the {end} fitted network, and the fit predicts {limit} that; "
                f"measure rows of {'larger' if sign > 0 else 'smaller'} networks"
            )
        said.append(f"{ratio} of the {end} fitted network")
    if reach.borrowed and unlike.any():
        kinds = ", ".join(KINDS[kind] for kind in np.flatnonzero(unlike))
        said.append(f"more {kinds} than the fitted networks, which goes by the rates of {reach.borrowed.prior}")
    what = [f"has {' and '.join(said)}"] if said else []
    what += ["is traced, not described as the fitted ones are"] if traced else []
    shares = zip(("half", "nine in ten"), bands, reach.bands, strict=True)
    grown = [(share, f"± {wider:.0%}", f"± {band:.0%}") for share, wider, band in shares]
    grown = [each for each in grown if each[1] != each[2]]  # as they are shown
    if not grown:
        return None
    within = [
        f"{share}{'' if place else ' of such are'} within {wider}" for place, (share, wider, _) in enumerate(grown)
    ]
    instead = " and ".join(band for *_, band in grown)
    return f"it {' and '.join(what)}: {' and '.join(within)}, instead of {instead}, going by trials"


def _rounded(times: float) -> str:
    return f"{times:,.0f}" if times >= 100 else f"{times:.3g}"


def _extent(ops: Operations) -> tuple[np.ndarray, np.ndarray]:
    flops, moved = ops.flops * ops.times, ops.moved * ops.times
    # What only moves weights, as their standardisation in every pass, has none of its own.
    weights = (ops.weights * ops.times * (ops.moved > 0)).sum(axis=0)
    totals = [flops.sum(axis=0), weights, moved.sum(axis=0)]
    shares = []
    for kind in range(len(KINDS)):
        of_kind = ops.kind == kind
        rows = of_kind.any(axis=1)  # most operations are of one kind in all networks
        sums = ((each[rows] * of_kind[rows]).sum(axis=0) for each in (flops, moved))
        shares.append(np.maximum(*(of_it / whole for of_it, whole in zip(sums, (totals[0], totals[2]), strict=True))))
    return np.log(np.stack(totals, axis=1)), np.stack(shares, axis=1)
