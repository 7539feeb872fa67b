"""The explorer's state: its traits, which values each takes, and what follows from them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import traitlets as T

from .._common.checks import LARGEST
from .._common.checks import shown as quoted
from .._common.device_kinds import parse_device, preferred
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.resolutions import Resolution, both_sides, each_side
from ..architectures.traced.module_family import Family
from ..measuring.settings import MODES, PRECISIONS, Mode, Precision
from ..prediction.model import RuntimeModel
from ..scaling.module_scaling import network_or_family
from ..scaling.rounding import scale
from ..scaling.strategies import Strategy, scale_factor
from ..scaling.strategies import strategy as named_strategy
from .views import ALPHA, LARGEST_SCALE, SMALLEST_SCALE

AUTO = "auto"
LARGEST_RESOLUTION, LARGEST_BATCH, LARGEST_SECONDS, LARGEST_FLOPS = 2048, 65536, 600, 10**15
GPU_BATCH, CPU_BATCH = 64, 8  # the defaults where there is a GPU, and where there is none
ROUNDING = 1e-5  # flops are shown with six digits, and what is shown may be typed
Got = TypeVar("Got")
Given = TypeVar("Given")


class Settable(T.TraitType[Got, Given]):
    """A trait that is set, typed by what is read of it and what may be given.

    `State` checks every value, even None.

    Arguments:
        default: None for one that follows from the other traits.
        help: what it sets; read by the documentation of `Explorer` and by the controls.
        choices: the values it takes, where these are few.
    """

    def __init__(self, default: Given | None, help: str, choices: tuple[str, ...] = ()) -> None:
        super().__init__(default_value=default, help=help)
        self.choices = choices


class State(T.HasTraits):
    """The traits that are set, each checked; those that are read; and what follows from them."""

    # In this order, since the later are checked against the earlier.
    network = Settable[Any, Network | Family | str](
        "EfficientNet-B0", "the base network, its name, or a family of modules (`fs.family`)"
    )
    strategies = Settable[tuple[str, ...], str | Sequence[str]](
        ("w", "dw", "dwr", "dWr"), "whose curves are drawn: the paper's names, or the explicit grammar (d1_w8_g8_r1)"
    )
    alpha = Settable[float, float](0.8, "α: the share of the scaling given to width")
    scale = Settable[float, float](4.0, "how many times the flops of the base network")
    resolution = Settable[Resolution, Resolution](None, "the side of the base network's images, or (height, width)")
    flops = Settable[float, float](
        None, "s times the base's; sets s. Each network is rounded, and its counted flops differ: see the table"
    )
    batch = Settable[int, int](None, "images a batch")
    precision = Settable[Precision, Precision]("fp32", "the precision of the timed networks", PRECISIONS)
    mode = Settable[Mode, Mode]("inference", "what is timed: a forward pass, or a training step", MODES)
    device = Settable[str, str](AUTO, "auto: the GPU where there is one, else the CPU")
    seconds = Settable[float, float](3.0, "to spend on each timing")
    live = Settable[bool, bool](False, "time whenever the sliders rest")
    shown = Settable[str, str](ALPHA, f"the strategy that is tabled and exported; {ALPHA} is the slider's")

    model = T.Instance[RuntimeModel | None](
        RuntimeModel, allow_none=True, help="what predicts times; None: nothing is predicted"
    )
    devices = T.Dict(help="the devices that can be measured on, by torch name, once they are known")
    message = T.Unicode("", help="what is wrong")
    status = T.Unicode("", help="what goes on")
    busy = T.Bool(False, help="whether something is being measured")
    progress = T.Float(0.0, help="how much of it is done, from 0 to 1")
    measurements = T.Tuple(help="every `Timed` network, in the order of measuring")

    batch_chosen = False  # else the batch is the default, which is smaller where there is no GPU
    _settling = False
    _made = False

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute that there is; once all is made, a mistyped name is refused."""
        if self._made and name[0] != "_" and not hasattr(self, name):
            raise T.TraitError(f"explorer: {quoted(name)} is not known; known are {', '.join(SETTABLE)}")
        super().__setattr__(name, value)

    def begin(self, given: Mapping[str, Any]) -> None:
        """Give every trait that is set the given value, or its default.

        Raises:
            TraitError: a value is wrong, a name unknown, or scale and flops are both given, which set each other.
        """
        if unknown := set(given) - set(SETTABLE):
            raise T.TraitError(f"explorer: {', '.join(sorted(unknown))} is not known; known are {', '.join(SETTABLE)}")
        if given.get("scale") is None:
            given = {**given, "scale": SETTABLE["scale"].default_value}
        elif given.get("flops") is not None:
            raise T.TraitError(
                f"flops: {_said(given['flops'])} and scale {quoted(given['scale'])} are both given, but each sets the "
                "other; give one of them"
            )
        self._settling = True
        try:
            for name, trait in SETTABLE.items():
                value = given.get(name, trait.default_value)
                setattr(self, name, self._following(name) if value is trait.default_value is None else value)
            if given.get("flops") is not None:
                self.scale = self.flops / complexity(self.base).flops
        finally:
            self._settling = False
        self.batch_chosen = given.get("batch") is not None
        self.observe(self._settle, names=list(SETTABLE))

    def when_changed(self, tell: Callable[[str], object]) -> None:
        """Call `tell(name)` whenever a trait was set, once those that follow it have followed."""

        def unless_settling(change: dict[str, Any]) -> None:
            if not self._settling:
                tell(change["name"])

        self.observe(unless_settling, names=list(SETTABLE))

    def _settle(self, change: dict[str, Any]) -> None:
        """Let the traits that follow the changed one follow it."""
        if self._settling:
            return
        changed, self._settling = change["name"], True
        try:
            if changed == "network":
                self.resolution = self._following("resolution")
            if changed == "flops":
                self.scale = self.flops / complexity(self.base).flops
            elif changed in ("network", "resolution", "scale"):
                self.flops = self._following("flops")
            if changed == "strategies" and self.shown not in (ALPHA, *self.strategies):
                self.set_trait("shown", ALPHA)
        finally:
            self._settling = False
        self.message = ""
        self.batch_chosen |= changed == "batch"

    @property
    def settings(self) -> tuple[int, Mode, Precision, str]:
        """What a time depends on beside the network: batch, mode, precision, device."""
        device = self.device
        if device == AUTO:
            device = preferred(self.devices)
        return self.batch, self.mode, self.precision, device

    @property
    def base(self) -> Any:
        """The base network, or family, at the chosen resolution."""
        if isinstance(self.network, Family):
            return self.network.at(self.resolution)
        return self.network.replace(resolution=self.resolution)

    @property
    def slider(self) -> Strategy:
        """The strategy of the α slider."""
        return named_strategy(alpha=self.alpha)

    def strategy(self, name: str | None = None) -> Strategy:
        """Return the strategy of this name ("α" is the slider's); left out: the shown one."""
        name = name or self.shown
        return self.slider if name == ALPHA else named_strategy(name)

    def scaled(self, name: str | None = None) -> Any:
        """Scale the base network by this strategy, or the shown one, to the present scale."""
        return scale(self.base, self.strategy(name), self.scale)

    def _following(self, name: str) -> Any:
        if name == "batch":
            return GPU_BATCH
        if name == "resolution":
            return _own_resolution(self.network)
        return complexity(self.base).flops * self.scale

    @T.validate("network")
    def _check_network(self, proposal: dict[str, Any]) -> Network | Family:
        network = _or_trait_error(network_or_family, proposal["value"])
        if isinstance(network, Family):
            if max(network.size) > LARGEST_RESOLUTION:
                raise T.TraitError(
                    f"network: {network.name} has images of {network.resolution} pixels, but here sides are "
                    f"{LARGEST_RESOLUTION} at most; try fs.explore(family.at(224))"
                )
            return network
        if (own := max(both_sides(_own_resolution(network)))) > LARGEST_RESOLUTION:
            raise T.TraitError(f"network: {network.name} needs {own} pixels, but here goes up to {LARGEST_RESOLUTION}")
        largest = LARGEST_RESOLUTION - LARGEST_RESOLUTION % network.resolution_unit
        if complexity(network, resolution=largest).flops > LARGEST_FLOPS:
            raise T.TraitError(
                f"network: {network.name} is too large: here a network has at most {short(LARGEST_FLOPS)} "
                f"multiply-adds at {largest} pixels"
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
    def _check_resolution(self, proposal: dict[str, Any]) -> Resolution:
        network, given = self.network, proposal["value"]
        family = isinstance(network, Family)
        least = 1 if family else network.total_stride  # below it the last stage would see less than a pixel
        for side in given if isinstance(given, tuple | list) and len(given) == 2 else [given]:
            _whole("resolution", side, least, LARGEST_RESOLUTION, "pixels")
        return _or_trait_error(
            network.at if family else lambda value: network.replace(resolution=value), given
        ).resolution

    @T.validate("batch")
    def _check_batch(self, proposal: dict[str, Any]) -> int:
        return _whole("batch", proposal["value"], 1, LARGEST_BATCH, "images")

    @T.validate("precision", "mode", "shown")
    def _check_choice(self, proposal: dict[str, Any]) -> str:
        name, value = proposal["trait"].name, proposal["value"]
        known = SETTABLE[name].choices or (ALPHA, *self.strategies)
        if not (isinstance(value, str) and value in known):
            raise T.TraitError(f"{name}: {quoted(value)} is not one of {', '.join(known)}")
        return value

    @T.validate("device")
    def _check_device(self, proposal: dict[str, Any]) -> str:
        value = proposal["value"]
        if not isinstance(value, str) or (value != AUTO and not parse_device(value)):
            raise T.TraitError(f"device: {quoted(value)} is not a device; use {AUTO}, cpu, cuda or cuda:0")
        if self.devices and value != AUTO and _indexed(value) not in self.devices:
            raise T.TraitError(f"device: {quoted(value)} is not there; use one of {AUTO}, {', '.join(self.devices)}")
        return _indexed(value)

    @T.validate("live")
    def _check_live(self, proposal: dict[str, Any]) -> bool:
        if not isinstance(proposal["value"], bool):
            raise T.TraitError(f"live: {quoted(proposal['value'])}, but must be True or False")
        return proposal["value"]

    @T.validate("seconds")
    def _check_seconds(self, proposal: dict[str, Any]) -> float:
        value = _number(proposal["value"])
        if not 0 < value <= LARGEST_SECONDS:
            raise T.TraitError(
                f"seconds: {quoted(proposal['value'])}, but must be above 0 and at most {LARGEST_SECONDS}"
            )
        return value


SETTABLE = {name: trait for name, trait in vars(State).items() if isinstance(trait, Settable)}


def short(number: float) -> str:
    """Four digits and a unit: 1.566 G."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.4g} {unit}"
    return f"{number:.4g}"


def _own_resolution(network: Any) -> Any:
    """Return a base network's own resolution, or the least at which its last stage sees a pixel."""
    if isinstance(network, Family):
        return network.resolution
    return each_side(lambda side: max(side, network.total_stride), network.resolution)


def _indexed(device: str) -> str:
    kind, number = parse_device(device) or (None, None)
    return f"{device}:0" if kind and kind.numbered and number is None else device


def _or_trait_error(make: Callable[[Any], Any], value: Any, sentence: str | None = None) -> Any:
    try:
        return make(value)
    except (ValueError, TypeError) as error:
        raise T.TraitError(f"{sentence}, not {quoted(value)}" if sentence else str(error)) from None


def _number(value: Any) -> float:
    """Convert to a float; NaN, which no range holds, for what is no number."""
    try:
        return math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _said(value: Any) -> str:
    computes = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
    return short(value) if computes else quoted(value)


def _whole(name: str, value: Any, least: int, most: int, unit: str) -> int:
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or not least <= number <= most:
        raise T.TraitError(f"{name}: {quoted(value)} {unit}, but must be a whole number from {least} to {most}")
    return number
