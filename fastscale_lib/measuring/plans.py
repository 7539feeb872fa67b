"""Plans of measurements: networks × strategies × scales × batch × mode × precision.

A plan is data, in Python or YAML. It is checked when it is made, lists its points without torch, and measures nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pandas as pd

from .._common.checks import several, shown
from .._common.errors import FastscaleError
from .._common.plain_files import check_keys, read_plain
from .._common.yaml_text import YamlError, read_yaml, write_yaml
from ..architectures.counting import METRICS, complexity
from ..architectures.definition import Network
from ..architectures.parts import NetworkError
from ..architectures.resolutions import Resolution
from ..architectures.traced.module_family import Family
from ..architectures.traced.modules import is_module
from ..architectures.traced.sending import sent
from ..architectures.zoo import network as named_network
from ..architectures.zoo import networks as known_networks
from ..records.conditions import LARGEST
from ..records.measurement import SettingError, image_resolution, whole
from ..scaling.module_scaling import network_or_family
from ..scaling.rounding import scale
from ..scaling.strategies import ScalesLike, StrategiesLike, Strategy, StrategyError, scale_factor
from ..scaling.strategies import strategy as named_strategy
from ..scaling.targets import scale_to
from .settings import Mode, Precision, Settings, check_device

if TYPE_CHECKING:
    import torch

NetworkLike: TypeAlias = Network | Family | str | Mapping[str, Any]  # itself, its name, or its description
BatchLike: TypeAlias = int | Literal["largest"] | str

# Settings of `measure` that all points of a plan share; the resolution is the networks' own.
_SHARED = tuple(each.name for each in fields(Settings) if each.name not in ("batch", "mode", "precision", "resolution"))


class PlanError(FastscaleError, ValueError):
    """A wrong plan; the message names the key, the value and the rule."""


@dataclass(frozen=True)
class Point:
    """One measurement to make: a scaled network, and how it is to be timed."""

    network: Network | Family
    network_id: str
    base: str
    strategy: str | None  # None if `scale` is 1, for the base network
    scale: float
    batch: int | str
    mode: Mode
    precision: Precision
    settings: Mapping[str, Any] = field(hash=False)  # of `measure`, that all points of the plan share

    @property
    def run_settings(self) -> dict[str, Any]:
        """All settings of its measurement."""
        return {**self.settings, "batch": self.batch, "mode": self.mode, "precision": self.precision}

    def __str__(self) -> str:
        graph = ", CUDA graph" * self.settings["cuda_graph"]
        return f"{self.network.name}, batch {self.batch}, {self.mode}, {self.precision}{graph}"


@dataclass(frozen=True)
class Plan:
    """Every network, scaled by every strategy and scale, at every batch, mode and precision.

    Each of the first six takes one value or several. `len(plan)` is the number of points.

    Arguments:
        networks: names of base networks, Networks, descriptions of them (`Network.to_dict`), or Families whose
            callable other processes can import. A plan with families stays in Python: a file runs no code.
        strategies: as `strategy` takes them: names, weights such as "d1_w8_g8_r1", or numbers, each an α; default:
            none.
        scales: scale factors s above 0; default: 1, the base network, which is measured once for all strategies.
        batch: images in a run, or "largest": as many as fit the device, up to 4,096; default: 64.
        mode: as for `measure`; default: "inference".
        precision: as for `measure`; default: "fp32".
        to_flops: False (default) scales by s, as the paper does; True reaches s times the flops (multiply-adds) of the
            base within 1 % by changing single roundings, as `scale_to` does.
        resolution: side of the base networks' images in pixels, or (height, width), before scaling; default: each
            network's own.
        channels_last: as for `measure`, for all points, as are those below; default: True.
        compile: default: False.
        tf32: default: False.
        device: default: all GPUs of one kind on the machine that runs the plan, as for "cuda"; without one, the CPU.
        threads: default: as many as torch takes by itself.
        interval: default: 0.01.
        seconds: default: 10.
        cuda_graph: default: False.
        cudnn_benchmark_limit: default: as many as torch lets it.

    Raises:
        PlanError: a list is empty, or holds what it cannot.
        NetworkError, StrategyError, SettingError: (all are ValueErrors) a network, a strategy, a scale or a setting
            is wrong.
    """

    networks: tuple[Network | Family, ...]
    strategies: tuple[Strategy, ...] = ()
    scales: tuple[float, ...] = (1.0,)
    batch: tuple[int | str, ...] = (64,)
    mode: tuple[Mode, ...] = ("inference",)
    precision: tuple[Precision, ...] = ("fp32",)
    to_flops: bool = False
    resolution: Resolution | None = None
    channels_last: bool = True
    compile: bool = False
    tf32: bool = False
    device: str | None = None
    threads: int | None = None
    interval: float = 0.01
    seconds: float = 10.0
    cuda_graph: bool = False
    cudnn_benchmark_limit: int | None = None

    if TYPE_CHECKING:  # the fields hold more narrowly what this takes

        def __init__(
            self,
            networks: NetworkLike | Iterable[NetworkLike],
            strategies: StrategiesLike = (),
            scales: ScalesLike = (1.0,),
            batch: BatchLike | Iterable[BatchLike] = (64,),
            mode: Mode | Iterable[Mode] = ("inference",),
            precision: Precision | Iterable[Precision] = ("fp32",),
            to_flops: bool = False,
            resolution: Resolution | None = None,
            channels_last: bool = True,
            compile: bool = False,
            tf32: bool = False,
            device: str | torch.device | None = None,
            threads: int | None = None,
            interval: float = 0.01,
            seconds: float = 10.0,
            cuda_graph: bool = False,
            cudnn_benchmark_limit: int | None = None,
        ) -> None: ...

    def __post_init__(self):
        for name, checked in _LISTS.items():
            given = getattr(self, name)
            given = [given] if is_module(given) else several(given, Mapping, Network, Strategy)
            values = tuple(map(checked, given))
            object.__setattr__(self, name, values)
            if not values and name != "strategies":
                raise PlanError(f"plan: {name} is empty; give at least one")
        if not self.strategies and set(self.scales) != {1.0}:
            listed = ", ".join(f"{value:g}" for value in self.scales)
            raise PlanError(f"plan: scales are {listed}, but there is no strategy; give one, as dWr")
        if not isinstance(self.to_flops, bool):
            raise PlanError(f"plan: to_flops is {shown(self.to_flops)}, but must be True or False")
        if self.resolution is not None:
            object.__setattr__(self, "resolution", image_resolution(self.resolution))
        if self.device is not None:
            object.__setattr__(self, "device", check_device(self.device))
        for batch, mode, precision in product(self.batch, self.mode, self.precision):
            checked = Settings(1 if isinstance(batch, str) else batch, mode, precision, **self.settings)
            for name in _SHARED:
                object.__setattr__(self, name, getattr(checked, name))
        self._points  # noqa: B018 - the networks are made with the plan, so that one that cannot be built is refused

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of `measure` that all points share."""
        return {name: getattr(self, name) for name in _SHARED}

    def points(self) -> tuple[Point, ...]:
        """List what is to be measured: network by network, strategy by strategy, scale by scale.

        A network that results from several strategies or scales is measured once, under the first of them.
        """
        return self._points

    def __len__(self) -> int:
        return len(self._points)

    def frame(self) -> pd.DataFrame:
        """List the points with their complexity, one row for each.

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
        """Return plain lists, strings and numbers, which `Plan.from_dict` reads."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        plain |= {name: list(plain[name]) for name in _LISTS}
        if isinstance(self.resolution, tuple):
            plain["resolution"] = list(self.resolution)
        plain["networks"] = [_described(network) for network in self.networks]
        plain["strategies"] = [strategy.name for strategy in self.strategies]
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Plan:
        """Read a plan from what `to_dict` returns.

        Arguments:
            plain: values by field; missing ones have their defaults.

        Raises:
            PlanError: a key is unknown, or `networks` is missing; or as for `Plan`.
        """
        plain = check_keys("plan", plain, [each.name for each in fields(cls)], PlanError, "networks: [ResNet-50]")
        if "networks" not in plain:
            raise PlanError("plan: networks are missing, as in networks: [ResNet-50]")
        return cls(**plain)

    def to_yaml(self) -> str:
        """Write YAML with every setting, defaults included."""
        return write_yaml(self.to_dict(), default_flow_style=None, width=10_000)

    @classmethod
    def from_yaml(cls, text: str) -> Plan:
        """Read a plan from YAML; nothing that the text holds is executed.

        Arguments:
            text: as `to_yaml` writes it; missing keys have their defaults.

        Raises:
            PlanError: the text is not YAML; or as for `from_dict`.
        """
        try:
            plain = read_yaml(text)
        except YamlError as error:
            raise PlanError(f"plan: this is {error}") from None
        return cls.from_dict(plain)

    @classmethod
    def read(cls, path: str | os.PathLike) -> Plan:
        """Read a plan from a file.

        Arguments:
            path: of the file: JSON if its name ends in .json, else YAML.

        Raises:
            PlanError: the file cannot be read; or as for `from_dict`.
        """
        return cls.from_dict(read_plain("plan", path, PlanError))

    @cached_property
    def _points(self) -> tuple[Point, ...]:
        settings = self.settings
        return tuple(
            Point(*scaled, batch, mode, precision, settings)
            for scaled in self._scaled()
            for batch in dict.fromkeys(self.batch)
            for mode in dict.fromkeys(self.mode)
            for precision in dict.fromkeys(self.precision)
        )

    def _scaled(self) -> list[tuple[Network | Family, str, str, str | None, float]]:
        """List each different network with its id, its base's name, strategy and scale."""
        found: dict[str, tuple[Network | Family, str, str, str | None, float]] = {}
        for base in self.networks:
            base = network_or_family(base, self.resolution)
            for strategy, s in product(self.strategies or (None,), self.scales):
                by = None if s == 1 else strategy  # without a strategy all scales are 1
                network = base if by is None else self._scale(base, by, s)
                found.setdefault(network.id, (network, network.id, base.name, by and by.name, s))
        return list(found.values())

    def _scale(self, base: Network | Family, strategy: Strategy, s: float) -> Network | Family:
        return scale_to(base, strategy, flops=s * complexity(base).flops) if self.to_flops else scale(base, strategy, s)


def _network(value: Any) -> Network | Family:
    if is_module(value):
        raise NetworkError(
            f"plan: a torch module ({type(value).__name__}) has no name by which its rows are found again; give what "
            "makes it, as fs.family(...), or time it by fs.measure"
        )
    if isinstance(value, Family):
        sent(value)  # refuses what the process that measures could not make
        return value
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


_LISTS = {
    "networks": _network,
    "strategies": _strategy,
    "scales": scale_factor,
    "batch": _batch,
    "mode": lambda mode: mode,  # `Settings` checks it
    "precision": lambda precision: precision,
}


def _described(network: Network | Family) -> str | dict[str, Any]:
    """Return the name if it names this network, else its description; a family has none."""
    if isinstance(network, Family):
        raise PlanError(
            f"plan: {network.name} is made by code, and a plan's data hold none; keep the lines of Python that make it"
        )
    named = network.name in known_networks() and named_network(network.name) == network
    return network.name if named else network.to_dict()
