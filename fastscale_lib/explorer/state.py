"""What the explorer's state is, and which values it takes: every wrong one is refused in a sentence."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import traitlets as T

from .._common.device_kinds import parse_device
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..measuring.settings import MODES, PRECISIONS
from ..scaling.rounding import scale
from ..scaling.strategies import Strategy, scale_factor
from ..scaling.strategies import strategy as named_strategy
from .tables import short
from .views import ALPHA, LARGEST_SCALE, SMALLEST_SCALE

AUTO = "auto"
LARGEST_RESOLUTION, LARGEST_BATCH, LARGEST_SECONDS, LARGEST_FLOPS = 2048, 65536, 600, 10**15
ROUNDING = 1e-5  # flops are shown with six digits, and what is shown may be typed
# In this order, since the later are checked against the earlier; None follows from those.
DEFAULTS = {
    "network": "EfficientNet-B0",
    "strategies": ("w", "dw", "dwr", "dWr"),
    "alpha": 0.8,
    "scale": 4.0,
    "resolution": None,
    "flops": None,
    "batch": 64,
    "precision": "fp32",
    "mode": "inference",
    "device": AUTO,
    "seconds": 3.0,
    "live": False,
    "shown": ALPHA,
}


class Checked(T.TraitType):
    """A trait whose validator is all that judges its value; unlike `Any`, it lets no None past it."""

    default_value = None


class State(T.HasTraits):
    """The traits that are set, each checked, and what follows from them."""

    network = Checked()
    strategies = Checked()
    alpha = Checked()
    scale = Checked()
    flops = Checked()
    resolution = Checked()
    batch = Checked()
    precision = Checked()
    mode = Checked()
    device = Checked()
    seconds = Checked()
    live = T.Bool()
    shown = Checked()
    devices = T.Dict(help="the devices that can be measured on, by torch name, once they are known")

    _settling = False

    def begin(self, state: dict[str, Any]) -> None:
        """Give every trait its value from here, or its default."""
        if unknown := set(state) - set(DEFAULTS):
            raise T.TraitError(f"explorer: {', '.join(sorted(unknown))} is not known; known are {', '.join(DEFAULTS)}")
        self._settling = True
        try:
            for name, default in DEFAULTS.items():
                value = state.get(name, default)
                setattr(self, name, self._following(name) if value is default is None else value)
            if state.get("flops") is not None:
                self.scale = self.flops / complexity(self.base).flops
        finally:
            self._settling = False

    def settle(self, changed: str) -> bool:
        """Let the traits that follow the changed one follow it; False while that is being done already."""
        if self._settling:
            return False
        self._settling = True
        try:
            if changed == "network":
                self.resolution = self._following("resolution")
            if changed == "flops":
                self.scale = self.flops / complexity(self.base).flops
            elif changed in ("network", "resolution", "scale"):
                self.flops = self._following("flops")
            if changed == "strategies" and self.shown not in (ALPHA, *self.strategies):
                self.shown = ALPHA
        finally:
            self._settling = False
        return True

    @property
    def base(self) -> Network:
        """The base network at the chosen resolution."""
        return self.network.replace(resolution=self.resolution)

    @property
    def slider(self) -> Strategy:
        """The strategy of the α slider."""
        return named_strategy(alpha=self.alpha)

    def strategy(self, name: str | None = None) -> Strategy:
        """The strategy of this name ("α" is the slider's); left out: the shown one."""
        name = name or self.shown
        return self.slider if name == ALPHA else named_strategy(name)

    def scaled(self, name: str | None = None) -> Network:
        """The base network scaled by this strategy, or by the shown one, to the present scale."""
        return scale(self.base, self.strategy(name), self.scale)

    def _following(self, name: str) -> Any:
        if name == "resolution":
            return _own_resolution(self.network)
        return complexity(self.base).flops * self.scale

    @T.validate("network")
    def _check_network(self, proposal: dict[str, Any]) -> Network:
        network = _or_trait_error(named_network, proposal["value"])
        if (own := _own_resolution(network)) > LARGEST_RESOLUTION:
            raise T.TraitError(f"network: {network.name} needs {own} pixels, but here goes up to {LARGEST_RESOLUTION}")
        if complexity(network, resolution=LARGEST_RESOLUTION).flops > LARGEST_FLOPS:
            raise T.TraitError(
                f"network: {network.name} is too large: here a network has at most {short(LARGEST_FLOPS)} "
                f"multiply-adds at {LARGEST_RESOLUTION} pixels"
            )
        return network

    @T.validate("strategies")
    def _check_strategies(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        names = proposal["value"]
        names = [names] if isinstance(names, str) else _or_trait_error(list, names, "strategies: give a list of names")
        return tuple(dict.fromkeys(_or_trait_error(named_strategy, name).name for name in names))

    @T.validate("alpha")
    def _check_alpha(self, proposal: dict[str, Any]) -> float:
        _or_trait_error(lambda value: named_strategy(alpha=value), proposal["value"])
        return float(proposal["value"])

    @T.validate("scale")
    def _check_scale(self, proposal: dict[str, Any]) -> float:
        s = _or_trait_error(scale_factor, proposal["value"])
        if not SMALLEST_SCALE * (1 - ROUNDING) <= s <= LARGEST_SCALE * (1 + ROUNDING):
            raise T.TraitError(
                f"scale: the factor is {s:g}, but here goes from {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}"
            )
        return min(max(s, SMALLEST_SCALE), LARGEST_SCALE)

    @T.validate("flops")
    def _check_flops(self, proposal: dict[str, Any]) -> float:
        base = complexity(self.base).flops
        value = _number(proposal["value"])
        if not SMALLEST_SCALE * base * (1 - ROUNDING) <= value <= LARGEST_SCALE * base * (1 + ROUNDING):
            raise T.TraitError(
                f"flops: {_said(proposal['value'])} multiply-adds wanted, but {self.network.name} goes here from "
                f"{short(SMALLEST_SCALE * base)} to {short(LARGEST_SCALE * base)} "
                f"({SMALLEST_SCALE:g} to {LARGEST_SCALE:g} times its own)"
            )
        return value

    @T.validate("resolution")
    def _check_resolution(self, proposal: dict[str, Any]) -> int:
        least = self.network.total_stride  # below it the last stage would see less than a pixel
        return _whole("resolution", proposal["value"], least, LARGEST_RESOLUTION, "pixels")

    @T.validate("batch")
    def _check_batch(self, proposal: dict[str, Any]) -> int:
        return _whole("batch", proposal["value"], 1, LARGEST_BATCH, "images")

    @T.validate("precision", "mode", "shown")
    def _check_choice(self, proposal: dict[str, Any]) -> str:
        name, value = proposal["trait"].name, proposal["value"]
        known = {"precision": PRECISIONS, "mode": MODES, "shown": (ALPHA, *self.strategies)}[name]
        if value not in known:
            raise T.TraitError(f"{name}: {value!r} is not one of {', '.join(known)}")
        return value

    @T.validate("device")
    def _check_device(self, proposal: dict[str, Any]) -> str:
        value = proposal["value"]
        if not isinstance(value, str) or (value != AUTO and not parse_device(value)):
            raise T.TraitError(f"device: {value!r} is not a device; use {AUTO}, cpu, cuda or cuda:0")
        if self.devices and value != AUTO and _indexed(value) not in self.devices:
            raise T.TraitError(f"device: {value!r} is not there; use one of {AUTO}, {', '.join(self.devices)}")
        return _indexed(value)

    @T.validate("seconds")
    def _check_seconds(self, proposal: dict[str, Any]) -> float:
        value = _number(proposal["value"])
        if not 0 < value <= LARGEST_SECONDS:
            raise T.TraitError(f"seconds: {proposal['value']!r}, but must be above 0 and at most {LARGEST_SECONDS}")
        return value


def _own_resolution(network: Network) -> int:
    """The resolution at which a base network is taken up: its own, if its last stage sees a pixel at least."""
    return max(network.resolution, network.total_stride)


def _indexed(device: str) -> str:
    kind, number = parse_device(device) or (None, None)
    return f"{device}:0" if kind and kind.numbered and number is None else device


def _or_trait_error(make: Callable[[Any], Any], value: Any, sentence: str | None = None) -> Any:
    try:
        return make(value)
    except (ValueError, TypeError) as error:
        raise T.TraitError(f"{sentence}, not {value!r}" if sentence else str(error)) from None


def _number(value: Any) -> float:
    """As a float; NaN, which no range holds, for what is no number."""
    try:
        return math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _said(value: Any) -> str:
    return short(value) if isinstance(value, int | float) and not isinstance(value, bool) else repr(value)


def _whole(name: str, value: Any, least: int, most: int, unit: str) -> int:
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or not least <= number <= most:
        raise T.TraitError(f"{name}: {value!r} {unit}, but must be a whole number from {least} to {most}")
    return number
