"""The name and keywords with which timm's `create_model` makes a network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from .._common.integers import nearest_multiple
from .definition import Network
from .parts import NetworkError
from .timm_sizes import NotInTimm, multiplier_keywords, regnet_keywords
from .zoo import aliases
from .zoo import network as named_network

_INSTEAD = "; export what fs.build makes by torch.export or torch.onnx.export instead"


@dataclass(frozen=True)
class TimmModel:
    """The name and keywords of a timm model; `str` is the line of Python that creates it.

    The line is `timm.create_model(name, **kwargs)`.
    """

    name: str
    kwargs: dict[str, Any]

    def __str__(self) -> str:
        given = "".join(f", {key}={value!r}" for key, value in self.kwargs.items())
        return f"timm.create_model({self.name!r}{given})"


def to_timm(network: Network | str) -> TimmModel:
    """Return the name and keywords with which timm's `create_model` makes a network.

    The module has the same params, multiply-adds and outputs. Convolutional ones take images of any side: the
    resolution is a keyword of vision transformers alone. `timm.create_model(found.name, **found.kwargs)` makes it, and
    `print(found)` shows that line.

    Arguments:
        network: the network, or the name of a base network.

    Raises:
        NetworkError: timm cannot make the network exactly; the message says what in it.
    """
    network = named_network(network)
    reasons = []
    for base, name in _bases(network):
        try:
            kwargs = _keywords(base, name, network)
        except NotInTimm as reason:
            reasons.append(str(reason))
            continue
        if name.startswith("tf_"):  # padding and ε as in torch
            kwargs |= {"pad_type": "", "bn_eps": 1e-5}
        kwargs |= {"img_size": network.resolution} if network.has_tokens else {}
        kwargs |= {"in_chans": network.channels} if network.channels != 3 else {}
        return TimmModel(name, kwargs | {"num_classes": network.classes})
    reason = reasons[0] if reasons else f"its stem {network.stem.kind} with blocks {network.block}"
    raise NetworkError(f"to_timm: timm cannot make {network.name[:60]}: {reason}{_INSTEAD}")


def _bases(network: Network) -> Iterator[tuple[Network, str]]:
    """List timm's base networks of the same kind, first the one that this was scaled from."""
    own = network.name.split(" ")[0]
    for ours, name in sorted(aliases("timm").items(), key=lambda pair: pair[0] != own):
        base = named_network(ours)
        if base.stem.kind == network.stem.kind and base.block == network.block:
            yield base, name


def _keywords(base: Network, name: str, network: Network) -> dict[str, Any]:
    alike = {"name": base.name, "resolution": base.resolution, "classes": base.classes, "channels": base.channels}
    here = replace(network, **alike) if network.resolution_unit == base.resolution_unit else network
    if here == base:
        return {}
    if network.activation != base.activation:
        raise NotInTimm(f"its activation {network.activation}, where {name} has {base.activation}")
    if len(network.stages) != len(base.stages) or _fixed(network) != _fixed(base):
        raise NotInTimm(f"its stages or head differ from those of {name} in more than their sizes")
    if _has_multipliers(base):
        return multiplier_keywords(base, name, network)
    if name.startswith("regnet"):
        return regnet_keywords(network)
    if base.block.startswith("convnext"):
        return _convnext(network)
    return _vit(network) if base.has_tokens else _resnet(base, network)


def _has_multipliers(network: Network) -> bool:
    """Tell whether stem and head grow, as in networks that are published with multipliers."""
    return network.ends_grow and network.patches is None


def _fixed(network: Network) -> Any:
    """Return what no keyword changes."""
    stages = [(stage.stride, stage.kernel) for stage in network.stages]
    kind, grows = network.stem.kind, network.patches is not None or _has_multipliers(network)
    stem = kind if grows else (kind, network.stem.width)
    blocks = [block.name for block in network.block_types]
    head = replace(network.head, width=0) if _has_multipliers(network) else network.head
    return stem, stages, head, blocks, network.se_ratios, network.activations


def _convnext(network: Network) -> dict[str, Any]:
    if network.stem.width != network.widths[0]:
        raise NotInTimm(f"its stem is {network.stem.width} wide, but timm's is as wide as the first stage")
    if any(stage.bottleneck != 4 for stage in network.stages):
        raise NotInTimm("its inner width is not 4 times the width")
    return {"depths": network.depths, "dims": network.widths}


def _vit(network: Network) -> dict[str, Any]:
    (stage,) = network.stages
    inner = int(nearest_multiple(stage.width, stage.bottleneck))
    ratio = stage.bottleneck if int(stage.width * stage.bottleneck) == inner else (inner + 0.5) / stage.width
    sizes = {"embed_dim": stage.width, "depth": stage.depth, "num_heads": stage.width // stage.group_width}
    return {**sizes, "mlp_ratio": ratio}


def _resnet(base: Network, network: Network) -> dict[str, Any]:
    expansion = 1 if "basic" in base.block else 4
    if uneven := [width for width in network.widths if width % expansion]:
        raise NotInTimm(f"its width {uneven[0]} is no multiple of {expansion}, as timm's bottleneck asks")
    planes = [width // expansion for width in network.widths]
    kwargs: dict[str, Any] = {"layers": network.depths, "channels": tuple(planes)}
    if expansion == 1:
        return kwargs
    inner = [int(nearest_multiple(stage.width, stage.bottleneck)) for stage in network.stages]
    groups = {wide // stage.group_width for wide, stage in zip(inner, network.stages, strict=True)}
    if len(groups) > 1:
        raise NotInTimm("its stages differ in their number of groups, of which timm has one for all")
    (cardinality,) = groups
    for index in range(len(inner)):
        ratio = 64 * inner[index] / (cardinality * planes[index])
        for base_width in (round(ratio), ratio):
            made = [math.floor(each * (base_width / 64)) * cardinality for each in planes]
            if made == inner:
                return kwargs | {"cardinality": cardinality, "base_width": base_width}
    raise NotInTimm(f"its inner widths {inner} are no one multiple of its widths, as timm's base_width makes them")
