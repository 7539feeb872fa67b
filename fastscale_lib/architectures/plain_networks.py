"""Networks as plain data: dicts, YAML and Python expressions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, fields
from typing import TYPE_CHECKING, Any, TypeVar

from .._common.checks import shown
from .._common.yaml_text import write_yaml
from .parts import PER_STAGE, Head, NetworkError, Stage, Stem, one_per_stage, plain_part
from .provenance import GROUP_WIDTHS, Neighbour, Scaling

if TYPE_CHECKING:
    from .definition import Network

_PYCLS = {"MODEL", "ANYNET", "REGNET", "EN", "RESNET"}  # sections of its configuration files
_Part = TypeVar("_Part")


def plain_network(network: Network) -> dict[str, Any]:
    """Return a network as plain dicts, lists and numbers."""
    parts = {"stem": plain_part(network.stem), "head": plain_part(network.head)}
    plain: dict[str, Any] = asdict(network) | parts | {"stages": [plain_part(stage) for stage in network.stages]}
    if not isinstance(network.resolution, int):
        plain["resolution"] = list(network.resolution)
    if not network.note:
        del plain["note"]
    if network.scaling is None:
        del plain["scaling"]
    else:
        if network.scaling.group_widths == GROUP_WIDTHS[0]:
            del plain["scaling"]["group_widths"]
        plain["scaling"]["changes"] = list(network.scaling.changes)
        plain["scaling"]["neighbours"] = list(plain["scaling"]["neighbours"])
    return plain


def make_network(cls: type[Network], plain: Any) -> Network:
    """Make the network that `plain_network` described, or raise a NetworkError."""
    plain = dict(_mapping("network", plain))
    if _PYCLS & plain.keys():
        raise NetworkError(
            "network: this is a configuration file of pycls; fs.Network.from_pycls(text) reads it, and its "
            "published networks have names, as fs.network('RegNetY-4.0GF')"
        )
    _check_keys(cls, "network", plain)
    stages = plain["stages"]
    if isinstance(stages, str | Mapping) or not isinstance(stages, Iterable):
        raise NetworkError(f"network: stages must be a list with one entry per stage, not {shown(stages)}")
    stages = one_per_stage("stages", stages)
    plain["stages"] = tuple(make_part(Stage, f"stage {number}", stage) for number, stage in enumerate(stages, 1))
    plain["stem"] = make_part(Stem, "stem", plain["stem"])
    plain["head"] = make_part(Head, "head", plain.get("head", {}))
    if plain.get("scaling") is not None:
        scaling = dict(_mapping("scaling", plain["scaling"]))
        for name in ("changes", "neighbours"):
            if not isinstance(scaling.get(name, ()), list | tuple):
                raise NetworkError(f"scaling: {name} is {shown(scaling[name])}, but must be a list")
        scaling["neighbours"] = [make_part(Neighbour, "neighbour", each) for each in scaling.get("neighbours", ())]
        plain["scaling"] = make_part(Scaling, "scaling", scaling)
    return make_part(cls, "network", plain)


def network_as_yaml(plain: Mapping[str, Any]) -> str:
    """Write a network from `plain_network` as YAML, with one line per stage."""
    lines = []
    for key, value in plain.items():
        if key == "stages":
            lines += ["stages:"] + [f"- {_on_one_line(stage)}" for stage in value]
        else:
            lines.append(f"{key}: {_on_one_line(value)}")
    return "\n".join(lines) + "\n"


def network_as_python(network: Network) -> str:
    """Write the call of `fs.anynet` that makes this network."""
    per_stage = {name: [getattr(stage, one) for stage in network.stages] for name, one in PER_STAGE.items()}
    arguments = {
        "name": network.name,
        "resolution": network.resolution,
        "stem": network.stem.kind,
        "stem_width": network.stem.width,
        "block": network.block,
        **{name: values for name, values in per_stage.items() if values != [None] * len(values)},
        "se_ratio": network.se_ratio,
        "head_width": network.head.width,
        **({"head_hidden": network.head.hidden} if network.head.hidden else {}),
        **({"head": network.head.kind} if network.head.kind != "conv_pool" else {}),
        "activation": network.activation,
        "classes": network.classes,
        "channels": network.channels,
        **({"note": network.note} if network.note else {}),
    }
    return "fs.anynet(\n" + "".join(f"    {name}={value!r},\n" for name, value in arguments.items()) + ")"


def _mapping(part: str, plain: Any) -> Mapping:
    if not isinstance(plain, Mapping):
        raise NetworkError(f"{part}: expected names with values, got {shown(plain)}")
    return plain


def make_part(cls: type[_Part], part: str, plain: Any) -> _Part:
    """Make a dataclass from a mapping that has all required fields, and no unknown ones."""
    plain = _mapping(part, plain)
    _check_keys(cls, part, plain)
    try:
        return cls(**plain)
    except NetworkError as error:
        raise NetworkError(re.sub(r"^stage:", f"{part}:", str(error))) from None


def _check_keys(cls: type, part: str, plain: Mapping) -> None:
    """Refuse keys that are no fields of the dataclass, and that one lacks which it needs."""
    names = {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(cls)}
    if unknown := [
        key if isinstance(key, str) and key.isidentifier() else shown(key) for key in plain if key not in names
    ]:
        more = "" if len(unknown) <= 5 else f" and {len(unknown) - 5:,} more"
        said = ", ".join(name[:60] for name in unknown[:5]) + more
        raise NetworkError(f"{part}: {said} is not known here; known are {', '.join(names)}")
    if missing := [name for name, needed in names.items() if needed and name not in plain]:
        raise NetworkError(f"{part}: {', '.join(missing)} is missing")


def _on_one_line(value: Any) -> str:
    """Write plain data as one line of YAML."""
    text = write_yaml(value, default_flow_style=True, width=math.inf)
    return text.removesuffix("\n").removesuffix("\n...")
