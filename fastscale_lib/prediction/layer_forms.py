"""The roofline of layers: what each operation takes, by rates that rows can tell apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..architectures.operation_lists import KINDS, Operations

_WIDEST = 128  # channels a group that GPU libraries have fast kernels for, if they are a power of two
_LAUNCH, _TELLS_LAUNCH = 5e-6, 8  # seconds; held where all batches are larger, which cannot tell it
_DENSE = ("conv 1×1", "conv k×k", "conv in groups", "conv in groups of 2^k", "token linear")
_RATES = (*_DENSE, "conv depthwise", "linear", "attention")
_SHARES = ("conv", "norm", "smooth", "pool", "layer norm", "token linear", "attention")
_LAYER_NORM = _SHARES.index("layer norm")
_DEPTHWISE = ("depthwise 5×5", "depthwise 7×7", "depthwise 9×9", "depthwise stride 2")
_WEIGHTS = ("k×k", "groups", "tokens")  # those of other kinds are moved "weights" times
NAMES = (
    *_RATES,  # multiply-adds per second
    *("half width", "half width of outputs", "half width of other groups"),  # channels at which half a rate is reached
    "half width of layer norm",  # channels below which most of its threads are idle
    *_DEPTHWISE,  # factors of the rate
    *("slowed by weights", "slowing weights"),  # how much more time arithmetic takes; bytes at which half of that
    *("memory", "cache", "cache size"),  # bytes per second of large and small operations, and bytes between them
    *(f"data of {kind}" for kind in _SHARES),  # relative to pointwise
    *("weights", *(f"weights of {kind}" for kind in _WEIGHTS)),  # how often they are moved; relative to that
    "launch",  # seconds per operation
)
_ALIKE = {"conv in groups of 2^k": "conv in groups", "half width of other groups": "half width"}
_LIKE_CONVNETS = {
    **_ALIKE,
    **{"token linear": "conv 1×1", "attention": "conv 1×1", "half width of outputs": "half width"},
    **{
        "data of layer norm": "data of norm",
        "data of token linear": "data of conv",
        "data of attention": "data of conv",
    },
}
_ONES = {f"weights of {kind}": 1.0 for kind in _WEIGHTS}
_NOT_SLOWED = {"slowed by weights": 1e-9, "slowing weights": 1e6}
# A GPU normalises each pixel or token by a block of threads, which has more of them than some have channels; rows tell
# this width from the share of data only where narrow ConvNeXts are among them. No described network has depthwise
# kernels above 7×7, which are slow on GPUs: by published rows of FocalNet and MixNet on nine settings, they have an 8th
# to a 30th of the rate.
_ON_GPU = {"half width of layer norm": 64.0, "depthwise 9×9": 1 / 16}
_HELD_ON_GPU = {**_ON_GPU, **_NOT_SLOWED, **_ONES}
# Fitted freely to rows of large batches, the cache comes out slower than memory, as it stands for launches. Then small
# batches take too long: compiled longer than eager. So its rate stays near the guess.
_CACHES_OF_GPUS = 0.5
_CACHES_OF_CPUS = 1e8, 2.0  # a few times the caches of a CPU, and how far off that may be
_ON_CPU = {"half width of layer norm": 1e-9, "depthwise 9×9": 1.0}


class Design(NamedTuple):
    """Which parameters of the roofline are fitted.

    Attributes:
        order: of the norm by which arithmetic, data and launch of an operation are joined: 1 adds them, as where none
            overlap; 4 takes nearly the largest.
        tied: names of parameters, and the fitted one that stands for each.
        held: names of parameters that are not fitted, and their values.
        narrow_tokens: whether few channels slow linear layers on tokens as they slow convolutions; default: True.
        cache_size: a guess of the bytes of an operation half of which come from memory, and how far off it may be (of
            its logarithm); default: 1e6 and 1.5.
        cache_off: how far off the guess of the cache's rate may be; default: 1.5.
    """

    order: int
    tied: Mapping[str, str]
    held: Mapping[str, float]
    narrow_tokens: bool = True
    cache_size: tuple[float, float] = 1e6, 1.5
    cache_off: float = 1.5


# By name, as profiles keep them. "few" is for few rows; a processor of many rows tells more rates apart.
DESIGNS = {
    "few": Design(
        4,
        _LIKE_CONVNETS,
        {
            "depthwise 5×5": 1.0,
            "depthwise 7×7": 1.0,
            "depthwise stride 2": 1.0,
            **_ON_CPU,
            **_NOT_SLOWED,
            **_ONES,
        },
    ),
    "gpu": Design(1, {}, _HELD_ON_GPU, narrow_tokens=False, cache_off=_CACHES_OF_GPUS),
    "gpu, overlapping": Design(2, {}, _HELD_ON_GPU, narrow_tokens=False, cache_off=_CACHES_OF_GPUS),
    "cpu": Design(1, _ALIKE, {**_ON_CPU, **_ONES}, cache_size=_CACHES_OF_CPUS),
    "cpu, weights by kind": Design(1, _ALIKE, _ON_CPU, cache_size=_CACHES_OF_CPUS),
    "cpu, tokens at full rate": Design(1, _ALIKE, _ON_CPU, narrow_tokens=False, cache_size=_CACHES_OF_CPUS),
}


class Places(NamedTuple):
    """Which parameters each operation has, as indices and marks."""

    rate: np.ndarray
    share: np.ndarray
    weights: np.ndarray
    other_groups: np.ndarray
    five: np.ndarray
    seven: np.ndarray
    nine: np.ndarray
    two: np.ndarray

    @staticmethod
    def of(ops: Operations) -> Places:
        even = np.isin(ops.width, [2**k for k in range(1, _WIDEST.bit_length())])
        rates = _index(_RATES)[ops.kind]
        in_groups = rates == _RATES.index("conv in groups")
        rates = np.where(in_groups & even, _RATES.index("conv in groups of 2^k"), rates)
        depthwise = rates == _RATES.index("conv depthwise")
        shares = np.where(ops.kind == KINDS.index("pointwise"), len(_SHARES), _index(_SHARES, "conv")[ops.kind])
        weights = np.select(
            [np.isin(rates, _of("conv k×k")), in_groups, np.isin(rates, _of("token linear", "attention"))], [1, 2, 3], 0
        )
        return Places(
            rates,
            shares,
            weights,
            in_groups & ~even,
            depthwise & (ops.kernel == 5),
            depthwise & (ops.kernel > 5),
            depthwise & (ops.kernel > 7),
            depthwise & (ops.stride > 1),
        )


class _Parts(NamedTuple):
    """Seconds of arithmetic, data and launch of each operation, and what their derivatives need."""

    arithmetic: np.ndarray
    data: np.ndarray
    launch: np.ndarray
    moved: np.ndarray  # bytes of activations, with their share
    weights: np.ndarray  # bytes of parameters
    large: np.ndarray  # 0 to 1: how far beyond the cache
    slowing: np.ndarray  # 0 to 1: how far the weights slow arithmetic


class Layers:
    """The roofline of layers. Its parameters are logarithms of what `names` says, in SI units.

    On a GPU, convolutions in groups of 2, 4, … 128 channels have a rate, and those of other widths another. On a CPU
    with one image a run, large weights slow the arithmetic down.

    Arguments:
        design: one of `DESIGNS`.
    """

    def __init__(self, design: str = "few") -> None:
        order, tied, held, narrow_tokens, self._cache_size, self._cache_off = DESIGNS[design]
        self.design, self.order = design, order
        self.names: tuple[str, ...] = tuple(name for name in NAMES if name not in tied and name not in held)
        dense = _DENSE if narrow_tokens else tuple(kind for kind in _DENSE if kind != "token linear")
        self._dense = np.isin(np.arange(len(_RATES) + 1), _of(*dense))  # by the place of the rate
        self._held = np.log(list(held.values()))
        at = {name: number for number, name in enumerate((*self.names, *held))}
        self._at = np.array([at[tied.get(name, name)] for name in NAMES])
        self._own = np.eye(len(at))[self._at][:, : len(self.names)]  # derivatives of all parameters by the fitted
        self._last: tuple[Operations, np.ndarray, bytes, _Parts] | None = None

    def start(self, runs: Any, seconds: np.ndarray, training: bool) -> tuple[np.ndarray, np.ndarray]:
        """Guess the parameters from the fastest run, and how far off each guess may be."""
        rate = float(np.quantile(runs.totals["flops"] / seconds, 0.9))
        moved = float(np.quantile(runs.totals["activations"] * runs.bytes / seconds, 0.9))
        few = self.design == "few"
        launch = (_LAUNCH, 0.01) if runs.batch.min() > _TELLS_LAUNCH else (2 * _LAUNCH, 1.5)
        guess = {
            **{"conv 1×1": (1.5 * rate, 1), "conv k×k": (rate, 1), "conv in groups of 2^k": (rate / 2, 1)},
            "conv in groups": (rate / 2, 1) if few else (rate / 4, 1.5),
            **{"conv depthwise": (rate / 8, 1.5), "linear": (rate / 8, 1.5), "token linear": (1.5 * rate, 1)},
            **{
                "attention": (rate, 1.5),
                "depthwise 5×5": (1, 0.5),
                "depthwise 7×7": (1, 0.5),
                "depthwise stride 2": (1, 0.5),
            },
            **{name: (8, 1) for name in NAMES if name.startswith("half width")},
            **{"slowed by weights": (0.1, 1.5), "slowing weights": (1e6, 1.5)},
            **{"memory": (4 * moved, 1.5), "cache": (8 * moved, self._cache_off), "cache size": self._cache_size},
            **{f"data of {kind}": (1, 0.5) for kind in _SHARES},
            **{"weights": (6.0 if training else 1.0, 1), **dict.fromkeys(_ONES, (1, 0.7)), "launch": launch},
        }
        values, spread = zip(*(guess[name] for name in self.names), strict=True)
        return np.log(values), np.array(spread, dtype=float)

    def log_seconds(self, runs: Any, parameters: np.ndarray) -> np.ndarray:
        parts = self._parts_of(runs, parameters)
        return np.log(np.add.reduceat(self.joined(*parts[:3]) * runs.ops.times, runs.starts))

    def seconds(self, ops: Operations, batch: Any, size: int, parameters: np.ndarray) -> np.ndarray:
        """Return the seconds of each operation, with its repeats.

        Arguments:
            ops: of any shape.
            batch: broadcast over the operations.
            size: bytes of an element.
        """
        return self.joined(*self.bounds(ops, batch, size, parameters)) * ops.times

    def bounds(self, ops: Operations, batch: Any, size: int, parameters: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the seconds of arithmetic, data and launch of each operation, once."""
        return self._parts(ops, Places.of(ops), batch, size, parameters)[:3]

    def joined(self, *parts: np.ndarray) -> np.ndarray:
        """Return the seconds that arithmetic, data and launch take together."""
        return norm(self.order, *parts)

    def _values(self, parameters: np.ndarray) -> dict[str, float]:
        return dict(zip(NAMES, np.exp(np.concatenate([parameters, self._held])[self._at]), strict=True))

    def _parts_of(self, runs: Any, parameters: np.ndarray) -> _Parts:
        """Return the parts of all operations; a search asks thrice for the same parameters."""
        at, last = parameters.tobytes(), self._last
        if last is not None and last[0] is runs.ops and last[1] is runs.batch and last[2] == at:
            return last[3]
        parts = self._parts(runs.ops, runs.places, runs.batch, runs.bytes, parameters)
        self._last = (runs.ops, runs.batch, at, parts)
        return parts

    def _parts(self, ops: Operations, places: Places, batch: Any, size: int, parameters: np.ndarray) -> _Parts:
        value = self._values(parameters)
        rates = np.array([*(value[name] for name in _RATES), np.inf])
        shares = np.array([*(value[f"data of {kind}"] for kind in _SHARES), 1.0])
        often = value["weights"] * np.array([1.0, *(value[name] for name in _ONES)])
        # Few channels per group leave a processor's vectors idle; a depthwise convolution has its own rate.
        used = (
            ops.width
            / (ops.width + _half_width(places, value))
            * ops.outputs
            / (ops.outputs + value["half width of outputs"])
        )
        factor = np.where(places.five, value["depthwise 5×5"], np.where(places.seven, value["depthwise 7×7"], 1.0))
        factor = factor * np.where(places.nine, value["depthwise 9×9"], 1.0)
        factor = factor * np.where(places.two, value["depthwise stride 2"], 1.0)
        dense, plain = self._dense[places.rate], size * ops.weights
        slowing = np.where(dense, plain / (plain + value["slowing weights"]), 0.0)
        rate = rates[places.rate] * np.where(dense, used, factor) / (1 + value["slowed by weights"] * slowing)
        idle = np.where(places.share == _LAYER_NORM, value["half width of layer norm"] / ops.width, 0.0)
        moved, weights = size * batch * ops.moved * shares[places.share] * (1 + idle), plain * often[places.weights]
        large = (moved + weights) / (moved + weights + value["cache size"])
        data = (moved + weights) * (large / value["memory"] + (1 - large) / value["cache"])
        launch = np.broadcast_to(value["launch"], np.shape(data))
        return _Parts(batch * ops.flops / rate, data, launch, moved, weights, large, slowing)

    def slopes(self, runs: Any, parameters: np.ndarray) -> np.ndarray:
        """Return the derivatives of `log_seconds` by each parameter, shape (runs, parameters)."""
        ops, places, value = runs.ops, runs.places, self._values(parameters)
        parts = self._parts_of(runs, parameters)
        spent = self.joined(*parts[:3])
        by_part = [(part / spent) ** (self.order - 1) * ops.times for part in parts[:3]]
        arithmetic, launch = by_part[0] * parts.arithmetic, by_part[2] * parts.launch
        run = np.repeat(np.arange(len(runs.starts)), np.diff([*runs.starts, len(ops.kind)]))

        def by_place(at: np.ndarray, count: int, each: np.ndarray) -> np.ndarray:
            """Sum over the operations of each run and place, shape (runs, count)."""
            return np.bincount(run * count + at, each, len(runs.starts) * count).reshape(-1, count)

        def marked(where: np.ndarray, each: np.ndarray) -> np.ndarray:
            return by_place(np.where(where, 0, 1), 2, each)[:, :1]

        dense, half = self._dense[places.rate], _half_width(places, value)
        unused = arithmetic * half / (ops.width + half)
        out, narrow = value["half width of outputs"], value["half width of layer norm"]
        slowed = (
            arithmetic * value["slowed by weights"] * parts.slowing / (1 + value["slowed by weights"] * parts.slowing)
        )
        mixed, between = parts.large * (1 - parts.large), 1 / value["memory"] - 1 / value["cache"]
        bytes_moved = parts.moved + parts.weights
        per_byte = by_part[1] * (parts.data / bytes_moved + mixed * between)
        read = by_part[1] * bytes_moved
        weights = by_place(places.weights, len(_WEIGHTS) + 1, per_byte * parts.weights)
        everywhere = np.zeros_like(run)
        columns = (
            -by_place(places.rate, len(_RATES) + 1, arithmetic)[:, :-1],
            marked(dense & ~places.other_groups, unused),
            marked(dense, arithmetic * out / (ops.outputs + out)),
            marked(places.other_groups, unused),
            marked(places.share == _LAYER_NORM, per_byte * parts.moved * narrow / (ops.width + narrow)),
            -marked(places.five, arithmetic),
            -marked(places.seven, arithmetic),
            -marked(places.nine, arithmetic),
            -marked(places.two, arithmetic),
            *(by_place(everywhere, 1, each) for each in (slowed, -slowed * (1 - parts.slowing))),
            by_place(everywhere, 1, -read * parts.large / value["memory"]),
            by_place(everywhere, 1, -read * (1 - parts.large) / value["cache"]),
            by_place(everywhere, 1, -read * mixed * between),
            by_place(places.share, len(_SHARES) + 1, per_byte * parts.moved)[:, :-1],
            weights.sum(axis=1, keepdims=True),
            weights[:, 1:],
            by_place(everywhere, 1, launch),
        )
        total = np.add.reduceat(spent * ops.times, runs.starts)
        return np.concatenate(columns, axis=1) @ self._own / total[:, None]


def norm(order: int, *parts: np.ndarray) -> np.ndarray:
    """Return the norm of order 1, 2 or 4 of the parts: from their sum to nearly the largest."""
    powers: Any = parts
    for _ in range(order // 2):
        powers = [each * each for each in powers]
    total: Any = sum(powers[1:], powers[0])
    for _ in range(order // 2):
        total = np.sqrt(total)
    return total


def _half_width(places: Places, value: Mapping[str, float]) -> np.ndarray:
    return np.where(places.other_groups, value["half width of other groups"], value["half width"])


def _index(names: tuple[str, ...], default: str = "") -> np.ndarray:
    """Return the index in names of each of `KINDS`; else that of the default, or beyond all."""
    other = names.index(default) if default else len(names)
    return np.array([names.index(kind) if kind in names else other for kind in KINDS])


def _of(*kinds: str) -> list[int]:
    return [_RATES.index(kind) for kind in kinds]
