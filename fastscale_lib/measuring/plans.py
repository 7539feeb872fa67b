"""What is to be measured: networks × strategies × scales × batch × mode × precision, as Python or as YAML.

A plan is data. It is checked when it is made, counts and names its points without torch, and measures nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from .._common.checks import shown
from .._common.errors import FastscaleError
from .._common.plain_files import check_keys, read_plain
from .._common.yaml_text import YamlError, read_yaml, write_yaml
from ..architectures.counting import METRICS, complexity
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..architectures.zoo import networks as known_networks
from ..records.conditions import LARGEST
from ..records.measurement import SettingError, whole
from ..scaling.rounding import scale
from ..scaling.strategies import Strategy, StrategyError, scale_factor
from ..scaling.strategies import strategy as named_strategy
from ..scaling.targets import scale_to
from .settings import Mode, Precision, Settings, check_device

# Settings of `measure` that are the same for all points of a plan, or the networks' own.
_SHARED = tuple(each.name for each in fields(Settings) if each.name not in ("batch", "mode", "precision", "resolution"))


class PlanError(FastscaleError, ValueError):
    """What is no plan; the message names the key, the value and the rule."""


@dataclass(frozen=True)
class Point:
    """One measurement to make: a network, scaled from `base` by `strategy` and `scale`, and how it is to be timed.

    `strategy` is None where `scale` is 1: that is the base network, whichever the strategy. `batch` is a number of
    images or "largest". `settings` are those of `measure` that all points of the plan share.
    """

    network: Network
    network_id: str
    base: str
    strategy: str | None
    scale: float
    batch: int | str
    mode: Mode
    precision: Precision
    settings: Mapping[str, Any] = field(hash=False)

    def __str__(self) -> str:
        return f"{self.network.name}, batch {self.batch}, {self.mode}, {self.precision}"


@dataclass(frozen=True)
class Plan:
    """Every network, scaled by every strategy and scale, at every batch, mode and precision.

    A single value serves where a list may stand. `len(plan)` is the number of its points.

    Arguments:
        networks: names of base networks, Networks, or descriptions of them (`Network.to_dict`).
        strategies: as `strategy` takes them: names, weights such as "d1_w8_g8_r1", or numbers, each an α.
        scales: scale factors s above 0. 1 is the base network, and is measured once for all strategies.
        batch: images in a run, or "largest": as many as fit the device, up to 4,096.
        mode, precision: as `measure` takes them.
        to_flops: False scales by s, as the paper does; True reaches s times the base's flops (multiply-adds)
            within 1 % by changing single roundings, as `scale_to` does.
        resolution: side of the base networks' images in pixels, before scaling; left out: each network's own.
        channels_last, compile, tf32, device, threads, interval, seconds: as `measure` takes them, for all points; a
            device "cuda", without a number, is every GPU of the machine that runs the plan.

    Raises:
        PlanError: a list is empty, or holds what it cannot.
        NetworkError, StrategyError, SettingError: (all are ValueErrors) a network, a strategy, a scale or a setting
            is wrong.
    """

    networks: tuple[Network, ...]
    strategies: tuple[Strategy, ...] = ()
    scales: tuple[float, ...] = (1.0,)
    batch: tuple[int | str, ...] = (64,)
    mode: tuple[Mode, ...] = ("inference",)
    precision: tuple[Precision, ...] = ("fp32",)
    to_flops: bool = False
    resolution: int | None = None
    channels_last: bool = True
    compile: bool = False
    tf32: bool = False
    device: str | None = None
    threads: int | None = None
    interval: float = 0.01
    seconds: float = 10.0

    def __post_init__(self):
        for name, checked in _LISTS.items():
            values = tuple(checked(each) for each in _several(getattr(self, name)))
            object.__setattr__(self, name, values)
            if not values and name != "strategies":
                raise PlanError(f"plan: {name} is empty; give at least one")
        if not self.strategies and set(self.scales) != {1.0}:
            raise PlanError(f"plan: scales are {_listed(self.scales)}, but there is no strategy; give one, as dWr")
        if not isinstance(self.to_flops, bool):
            raise PlanError(f"plan: to_flops is {shown(self.to_flops)}, but must be True or False")
        if self.resolution is not None:
            object.__setattr__(self, "resolution", whole("resolution", self.resolution))
        if self.device is not None:
            object.__setattr__(self, "device", check_device(self.device))
        for batch, mode, precision in product(self.batch, self.mode, self.precision):
            checked = Settings(1 if batch == LARGEST else batch, mode, precision, **self.settings)
        for name in _SHARED:
            object.__setattr__(self, name, getattr(checked, name))
        self._points  # noqa: B018 - the networks are made with the plan, so that one that cannot be built is refused

    @property
    def settings(self) -> dict[str, Any]:
        """Those settings of `measure` that are the same for all points."""
        return {name: getattr(self, name) for name in _SHARED}

    def points(self) -> tuple[Point, ...]:
        """What is to be measured, in order: network by network, strategy by strategy, scale by scale.

        A network that rounding makes of several strategies or scales is measured once, under the first of them.
        """
        return self._points

    def __len__(self) -> int:
        return len(self._points)

    def frame(self) -> pd.DataFrame:
        """One row a point, with its complexity.

        Columns network, network_id, base, strategy, scale, batch, mode, precision, resolution, flops (multiply-adds),
        params, activations.
        """
        names = ("network_id", "base", "strategy", "scale", "batch", "mode", "precision")
        rows = []
        for point in self._points:
            network, asked = point.network, (getattr(point, name) for name in names)
            rows.append((network.name, *asked, network.resolution, *complexity(network)))
        return pd.DataFrame(rows, columns=["network", *names, "resolution", *METRICS])

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, texts and numbers; `Plan.from_dict` gives the plan back."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        plain |= {name: list(plain[name]) for name in _LISTS}
        plain["networks"] = [_described(network) for network in self.networks]
        plain["strategies"] = [strategy.name for strategy in self.strategies]
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Plan:
        """The plan that `to_dict` described; what is left out has its usual value.

        Raises:
            PlanError: a key is unknown or missing; or as `Plan` itself.
        """
        plain = check_keys("plan", plain, [each.name for each in fields(cls)], PlanError, "networks: [ResNet-50]")
        if "networks" not in plain:
            raise PlanError("plan: networks are missing, as in networks: [ResNet-50]")
        return cls(**plain)

    def to_yaml(self) -> str:
        """YAML text with every setting, the usual ones included."""
        return write_yaml(self.to_dict(), default_flow_style=None, width=10_000)

    @classmethod
    def from_yaml(cls, text: str) -> Plan:
        """The plan that a YAML text describes; loading is safe, so the text can run nothing.

        Raises:
            PlanError: the text is not YAML; or as `from_dict`.
        """
        try:
            plain = read_yaml(text)
        except YamlError as error:
            raise PlanError(f"plan: this is {error}") from None
        return cls.from_dict(plain)

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """The plan in a file: JSON where its name ends in .json, else YAML.

        Raises:
            PlanError: the file is not there or not a plan, or YAML is asked for and pyyaml is not installed.
        """
        return cls.from_dict(read_plain("plan", path, PlanError))

    @cached_property
    def _points(self) -> tuple[Point, ...]:
        settings = self.settings
        return tuple(
            Point(*scaled, batch, mode, precision, settings)
            for scaled, batch, mode, precision in product(
                self._scaled(), *(dict.fromkeys(values) for values in (self.batch, self.mode, self.precision))
            )
        )

    def _scaled(self) -> list[tuple[Network, str, str, str | None, float]]:
        """Each different network: itself, its id, its base's name, strategy and scale."""
        found: dict[str, tuple] = {}
        for base in self.networks:
            base = named_network(base, resolution=self.resolution)
            for strategy, s in product(self.strategies or (None,), self.scales):
                network = base if s == 1 else self._scale(base, strategy, s)
                key = network.id
                found.setdefault(key, (network, key, base.name, None if s == 1 else strategy.name, s))
        return list(found.values())

    def _scale(self, base: Network, strategy: Strategy, s: float) -> Network:
        return scale_to(base, strategy, flops=s * complexity(base).flops) if self.to_flops else scale(base, strategy, s)


def _network(value: Any) -> Network:
    return Network.from_dict(value) if isinstance(value, Mapping) else named_network(value)


def _strategy(value: Any) -> Strategy:
    strategy = named_strategy(value)
    if named_strategy(strategy.name) != strategy:
        raise StrategyError(
            f"strategy: {shown(strategy.name)} does not name its exponents; make it by fs.strategy(...)"
        )
    return strategy


def _batch(value: Any) -> int | str:
    if isinstance(value, str):
        if value != LARGEST:
            raise SettingError(f"batch is {shown(value)}, but must be a whole number or {LARGEST!r}; try batch=64")
        return value
    return whole("batch", value)


def _as_it_is(value: Any) -> Any:
    return value


_LISTS = {
    "networks": _network,
    "strategies": _strategy,
    "scales": scale_factor,
    "batch": _batch,
    "mode": _as_it_is,
    "precision": _as_it_is,
}


def _several(values: Any) -> Iterable:
    """One value, or several."""
    one = isinstance(values, str | Mapping | Network | Strategy) or not isinstance(values, Iterable)
    return (values,) if one else values


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _described(network: Network) -> str | dict[str, Any]:
    """Its name where that says all, else its description."""
    return (
        network.name
        if network.name in known_networks() and named_network(network.name) == network
        else (network.to_dict())
    )
