"""Networks and families as the plain data that requests and tasks carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..architectures.definition import Network
from ..architectures.resolutions import Resolution
from ..architectures.traced.module_family import Family
from ..architectures.traced.sending import is_sent, received, sent
from ..architectures.zoo import network as named_network


def plain_network(network: Network | Family | str, resolution: Resolution | None = None) -> dict[str, Any]:
    """Return a network's description, or what makes a family in another process.

    Arguments:
        network: a Network, its name, or a Family.
        resolution: of a family's images; default: its own. A Network takes it where it runs.
    """
    return sent(network.at(resolution)) if isinstance(network, Family) else named_network(network).to_dict()


def network_of(plain: Mapping[str, Any]) -> Network | Family:
    """Return the network or family of which `plain_network` made these data."""
    return received(plain) if is_sent(plain) else Network.from_dict(plain)
