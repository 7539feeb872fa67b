"""The largest scaled network within budgets of counts, time and memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd

from .._common.checks import check_flag, check_real, several, shown
from .._common.errors import FastscaleError
from .._common.frames import rows
from ..architectures.counting import METRICS
from ..architectures.definition import Network
from ..architectures.parts import NetworkError
from ..architectures.traced.module_family import Family
from ..measuring.settings import Mode, Precision, Settings
from ..scaling.candidates import between_roundings
from ..scaling.grids import sweep
from ..scaling.module_scaling import network_or_family
from ..scaling.rounding import scale
from ..scaling.strategies import ScalesLike, StrategiesLike, Strategy
from ..scaling.strategies import strategy as named_strategy
from .model import RuntimeModel
from .run_costs import Costs

BUDGETS = ("time_ms", "memory_bytes", *METRICS)
_TIMES = ("predicted_ms", "low_ms", "high_ms", "low_90_ms", "high_90_ms")
_SMALLEST_S, _LARGEST_S = 2.0**-30, 2.0**30
_REACH = 16.0  # factor of s around the crossing of a budget within which steps are tried
_LARGEST_OF_FAMILY = 2.0**12  # s to which a family is scaled, up and down
_NEAR = 1.002  # ratio of two scale factors of a family between which no other is tried
_FINE = 0.1  # relative width to which memory is bracketed before its steps are tried


class BudgetError(FastscaleError, ValueError):
    """A budget that cannot be kept, or that bounds nothing; the message names it and the remedy."""


class _NoNetwork(BudgetError):
    """A strategy makes no largest network within a budget."""


def costs(
    network: Network | Family | str,
    strategies: StrategiesLike,
    scales: ScalesLike,
    *,
    batch: int = 64,
    mode: Mode = "inference",
    precision: Precision | None = None,
    model: RuntimeModel | None = None,
    device: str | None = None,
    memory: bool = True,
    **setting: Any,
) -> pd.DataFrame:
    """Count and predict what scaled networks cost to run: a `sweep` with time and memory.

    Arguments:
        network: the base network, its name, or a Family.
        strategies: one or several, as for `sweep`.
        scales: one or several scale factors, as for `sweep`.
        batch: images in a run; default: 64.
        mode: of the run; default: "inference".
        precision: of the run; default: that of the device, in which its times are known; "fp32" without one.
        model: predicts the time, by layers; default: None, no time.
        device: name of a device, whose time is predicted instead, as by `RuntimeModel.of`; default: None.
        memory: whether to count memory, which takes about a second per network; default: True.
        setting: what else tells the model's settings apart, as device_name="…".

    Returns:
        The columns of `sweep`, then predicted_ms, low_ms, high_ms, low_90_ms, high_90_ms and note, as
        `RuntimeModel.predict` returns them: NaN if there is no prediction, and note says why (without a model: NaN and
        None); and counted_memory_bytes (of `peak_memory`; missing without `memory`).

    Raises:
        PredictionError: the model knows no such setting, or several, or no such batch, or is a baseline.
        SettingError: (a ValueError) batch, mode or precision is wrong.
    """
    memory = check_flag("costs: memory", memory, BudgetError)
    how = _how(batch, mode, precision, model, device, setting)
    base, frame = network_or_family(network), sweep(network, strategies, scales)
    frame = frame.assign(**dict.fromkeys(_TIMES, np.nan), note=None)
    if how.model is not None:
        for name, group in frame.groupby("strategy", sort=False):
            times = how.times(base, named_strategy(str(name)), group["scale"].to_numpy())
            for column, values in times.columns().items():
                frame.loc[group.index, column] = values.to_numpy()
    counted = [how.memory(scale(base, row.strategy, row.scale)) if memory else pd.NA for row in rows(frame)]
    return frame.assign(counted_memory_bytes=pd.array(counted, dtype="Int64"))


def within(
    network: Network | Family | str,
    strategies: StrategiesLike,
    *,
    time_ms: float | None = None,
    memory_bytes: float | None = None,
    flops: float | None = None,
    params: float | None = None,
    activations: float | None = None,
    batch: int = 64,
    mode: Mode = "inference",
    precision: Precision | None = None,
    model: RuntimeModel | None = None,
    device: str | None = None,
    memory: bool = True,
    strict: bool = True,
    **setting: Any,
) -> pd.DataFrame:
    """Find the largest network that each strategy makes of a base within all budgets.

    Rounding makes every count a staircase over s, which now and then goes down. All steps are tried from a sixteenth of
    the s at which the budget is crossed to 16 times that; if these are more than 2,000, fewer, nearer the crossing. The
    largest s whose network is within every budget is taken; it lies inside its step, not at the edge. If no scaled
    network has the sizes of the base, the base is tried, too, with s = 1. Counts and times are tried on every step;
    memory, which takes a second to count, by bisection on the steps within the other budgets, as if it grew with s.
    Of a Family, whose every size is made, all costs are found by bisection, until s is known to 0.2 %.

    Arguments:
        network: the base network, its name, or a Family; it may be scaled down, too.
        strategies: one or several, as for `sweep`.
        time_ms: the most that a run may take, as the model predicts it; low_ms and high_ms say how far that may be off.
            If the time of the network that would be found cannot be predicted, none is found. Default: no limit.
        memory_bytes: the most that its tensors may take, as `peak_memory` counts them; default: no limit.
        flops: the most multiply-adds of one image; default: no limit.
        params: the most parameters; default: no limit.
        activations: the most activations of one image; default: no limit.
        batch: images in a run; default: 64.
        mode: of the run; default: "inference".
        precision: of the run; default: that of the device, in which its times are known; "fp32" without one.
        model: predicts the time, as for `costs`; default: None.
        device: as for `costs`; default: None.
        memory: whether to count the memory of what is found; default: True.
        strict: True (default) raises if a strategy has no such network: no budget bounds it, its smallest network is
            beyond one, or its time cannot be predicted. False gives it a row without a network, and with a `reason`.
        setting: as for `costs`.

    Returns:
        One row per strategy: the columns of `costs`; bound, the budget that the next larger network would break
        (several, by a comma); and reason, why there is no network, or None. The network is
        `scale(network, row.strategy, row.scale)`.

    Raises:
        BudgetError: no budget is given, or one is no number above 0; time_ms is given without a model; or, if strict,
            a strategy has no such network.
        PredictionError, SettingError: as for `costs`.
    """
    given = {"time_ms": time_ms, "memory_bytes": memory_bytes}
    given |= {"flops": flops, "params": params, "activations": activations}
    budgets = {name: _number(name, value) for name, value in given.items() if value is not None}
    if not budgets:
        raise BudgetError(f"within: no budget is given; give one or several of {', '.join(BUDGETS)}")
    if time_ms is not None and model is None and device is None:
        raise BudgetError(
            f"within: time_ms={time_ms:g} needs a model that predicts times; "
            "give model=fs.calibrate() or model=fs.RuntimeModel.fit(rows), or device='RTX 4090'"
        )
    how = _how(batch, mode, precision, model, device, setting)
    memory = check_flag("within: memory", memory, BudgetError)
    ways = several(strategies, Strategy)
    if not ways:
        raise BudgetError("within: no strategy is given; give one at least, as in strategies=['dWr']")
    base = network_or_family(network)
    known = {"batch": batch, "mode": mode, "precision": how.precision, "model": how.model, "memory": memory, **setting}
    found = []
    for strategy in map(named_strategy, ways):
        try:
            s, bound = _largest(_Scaled(base, strategy, how), budgets)
            row = costs(base, strategy, s, **known)
            if time_ms is not None and row["predicted_ms"].isna()[0]:
                raise _NoNetwork(
                    f"within: the largest {base.name} scaled by {strategy} within time_ms={time_ms:,.10g} is "
                    f"{row['note'][0]}"
                )
            found.append(row.assign(bound=bound, reason=None))
        except _NoNetwork as error:
            if strict:
                raise
            found.append(_without_network(base, strategy, str(error).removeprefix("within: "), known))
    return pd.concat(found, ignore_index=True)


def _without_network(base: Network | Family, strategy: Strategy, reason: str, known: Mapping[str, Any]) -> pd.DataFrame:
    """Make a row whose counts are missing, so that those of other rows stay integers."""
    row = costs(base, strategy, 1.0, **{**known, "memory": False})
    counts = [name for name in row if pd.api.types.is_integer_dtype(row[name])]
    missing = row.astype(dict.fromkeys(counts, "Int64")).loc[:, "scale":].iloc[:0]
    return row.loc[:, :"alpha"].join(missing).assign(bound="", reason=reason)


class _Scaled:
    """Costs of the networks that one strategy makes of one base, by the name of the budget."""

    def __init__(self, base: Network | Family, strategy: Strategy, how: Costs) -> None:
        self.base, self.strategy, self.how = base, strategy, how
        self._memory: dict[float, int] = {}

    def __str__(self) -> str:
        return f"{self.base.name} scaled by {self.strategy}"

    def cost(self, name: str, scales: np.ndarray) -> np.ndarray:
        """Return the cost at each scale factor."""
        if name == "time_ms":
            return self.how.times(self.base, self.strategy, scales).everywhere_ms
        if name == "memory_bytes":
            return np.array([self._counted_memory(s) for s in scales.tolist()])
        return sweep(self.base, self.strategy, scales, stages=False)[name].to_numpy(dtype=float)

    def broken(self, budgets: Mapping[str, float], s: float) -> list[str]:
        """List the budgets that the network at s is beyond."""
        return [name for name, most in budgets.items() if self.cost(name, np.array([s]))[0] > most]

    def _counted_memory(self, s: float) -> int:
        if s not in self._memory:
            self._memory[s] = self.how.memory(scale(self.base, self.strategy, s))
        return self._memory[s]


def _largest(scaled: _Scaled, budgets: Mapping[str, float]) -> tuple[float, str]:
    """Find the largest s within all budgets, and the budgets that the next step breaks."""
    if isinstance(scaled.base, Family):
        low, high = _bracket_of_family(scaled, budgets)
        return low, ", ".join(scaled.broken(budgets, high))
    quick = {name: most for name, most in budgets.items() if name != "memory_bytes"}
    low, high = _bracket(scaled, quick or budgets, 1e-9 if quick else _FINE)
    steps = _steps_within(scaled, quick, low * high)
    if "memory_bytes" in budgets:
        memory = {"memory_bytes": budgets["memory_bytes"]}
        if quick and len(steps) and scaled.broken(memory, float(steps[-1])):
            low, high = _bracket(scaled, memory, _FINE)
            steps = _steps_within(scaled, quick, low * high)
        if not quick or (len(steps) and steps[-1] > low):
            steps = steps[: _first(lambda s: s >= high or (s > low and bool(scaled.broken(memory, s))), steps)]
        while len(steps) and scaled.broken(memory, float(steps[-1])):
            steps = steps[:-1]
    last = float(steps[-1]) if len(steps) else _bracket(scaled, budgets, _FINE)[0]
    assert isinstance(scaled.base, Network)
    after = between_roundings(scaled.base, scaled.strategy, last, _REACH)
    beyond = (scaled.broken(budgets, float(s)) for s in after[after > last * (1 + 1e-9)])
    return last, ", ".join(next(filter(None, beyond), []))


def _guess(scaled: _Scaled, most: float) -> float:
    """Guess the s at which memory reaches its budget, by a law of activations, then its own."""
    s, exponent = 1.0, max(float(scaled.strategy.laws.activations), 0.3)
    for _ in range(2):
        found = scaled.cost("memory_bytes", np.array([s]))[0]
        if s != 1.0:
            first = scaled.cost("memory_bytes", np.array([1.0]))[0]
            exponent = max(math.log(found / first) / math.log(s), 0.3)
        s *= (most / found) ** (1 / exponent)
        s = min(max(s, _SMALLEST_S), _LARGEST_S)
    return s


def _steps_within(scaled: _Scaled, budgets: Mapping[str, float], square: float) -> np.ndarray:
    """Return one s of each step within the budgets around a scale factor, given squared."""
    assert isinstance(scaled.base, Network)  # a family's steps are not known beforehand
    steps = between_roundings(scaled.base, scaled.strategy, math.sqrt(square), _REACH)
    keeps = np.ones(len(steps), dtype=bool)
    for name, most in budgets.items():
        keeps &= scaled.cost(name, steps) <= most
    return steps[keeps]


def _bracket(scaled: _Scaled, budgets: Mapping[str, float], width: float) -> tuple[float, float]:
    """Find an s within the budgets, and one beyond them, larger by at most this fraction."""
    low = high = _guess(scaled, budgets["memory_bytes"]) if "memory_bytes" in budgets else 1.0
    if scaled.broken(budgets, _SMALLEST_S):
        if scaled.broken(budgets, 1.0):
            raise _too_small(scaled, budgets)
        low = high = 1.0  # the base itself, narrower than any scaled network
    step = 1 + max(width, _FINE)
    while scaled.broken(budgets, low):
        low, high, step = max(_SMALLEST_S, low / step), low, step**2
    while low == high or not scaled.broken(budgets, high):
        if high >= _LARGEST_S:
            raise _not_bound(scaled, budgets)
        low, high, step = high, min(high * step, _LARGEST_S), step**2
    while high / low > 1 + width:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if scaled.broken(budgets, middle) else (middle, high)
    return low, high


def _bracket_of_family(scaled: _Scaled, budgets: Mapping[str, float]) -> tuple[float, float]:
    """Find an s within the budgets and one beyond them; all that are tried are made."""
    low = high = 1.0
    try:
        while scaled.broken(budgets, low):
            if low <= 1 / _LARGEST_OF_FAMILY:
                raise _too_small(scaled, budgets, low)
            low, high = low / 2, low
    except NetworkError:  # nothing smaller can be made
        raise _too_small(scaled, budgets, high) from None
    while low == high or not scaled.broken(budgets, high):
        if high >= _LARGEST_OF_FAMILY:
            raise _not_bound(scaled, budgets)
        low, high = high, high * 2
    while high / low > _NEAR:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if scaled.broken(budgets, middle) else (middle, high)
    return low, high


def _not_bound(scaled: _Scaled, budgets: Mapping[str, float]) -> _NoNetwork:
    asked = ", ".join(f"{name}={most:,.10g}" for name, most in budgets.items())
    return _NoNetwork(
        f"within: {asked} does not bound {scaled}, which changes nothing of it; give another budget beside it"
    )


def _too_small(scaled: _Scaled, budgets: Mapping[str, float], smallest: float = _SMALLEST_S) -> _NoNetwork:
    name = scaled.broken(budgets, smallest)[0]
    least = scaled.cost(name, np.array([smallest]))[0]
    return _NoNetwork(
        f"within: {name}={budgets[name]:,.10g} is too little for {scaled}: its smallest network takes {least:,.6g}; "
        "give more, or another strategy or base"
    )


def _first(true: Callable[[float], bool], steps: np.ndarray) -> int:
    """Count the steps before the first for which it is true, by bisection."""
    low, high = 0, len(steps)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if true(float(steps[middle])) else (middle + 1, high)
    return low


def _how(
    batch: int,
    mode: Mode,
    precision: Precision | None,
    model: RuntimeModel | None,
    device: str | None,
    setting: Mapping[str, Any],
) -> Costs:
    asked = Settings(batch, mode, "fp32" if precision is None else precision)
    if not (model is None or isinstance(model, RuntimeModel)):
        raise BudgetError(f"within: model is {shown(model)}, but must be a RuntimeModel, as fs.calibrate() makes one")
    if model is not None and device is not None:
        raise BudgetError(f"within: both a model and device={shown(device)} are given; give one of them")
    if device is not None:
        given = {} if precision is None else {"precision": precision}
        model = RuntimeModel.of(device, mode=mode, **given, **setting)
        if precision is None:
            known = model.setting(**setting).precision
            asked = replace(asked, precision="fp16" if known == "amp" else cast(Precision, known))
    if setting and model is None:
        raise BudgetError(f"within: {', '.join(setting)} tells settings of a model apart, and no model is given")
    return Costs(asked.batch, mode, asked.precision, model, setting)


def _number(name: str, value: Any) -> float:
    return check_real(f"within: {name}", value, BudgetError, 0, above=True)
