"""Torch modules built from descriptions of networks."""

from __future__ import annotations

from typing import overload

import torch

from .._common.checks import check_flag, real_number, shown
from .._common.device_kinds import CUDA, kind_of
from ..architectures.definition import Network, check_blocks
from ..architectures.parts import NetworkError
from ..architectures.traced.module_family import Family
from ..architectures.traced.without_data import META, made_on
from ..architectures.zoo import network as named_network
from .modules import ConvNet


@overload
def build(
    network: Network | str,
    device: str | torch.device | None = None,
    *,
    drop_path: float = 0.0,
    zero_gamma: bool = False,
) -> ConvNet: ...
@overload
def build(network: Family, device: str | torch.device | None = None) -> torch.nn.Module: ...
def build(
    network: Network | str | Family,
    device: str | torch.device | None = None,
    *,
    drop_path: float = 0.0,
    zero_gamma: bool = False,
) -> torch.nn.Module:
    """Build a torch module of a network, freshly initialised.

    It is made of the layers that `complexity` counts; the rows of `layers(network)` and the keys of its `state_dict`
    have the same names. It takes images of other sizes, too, unless it is a vision transformer.

    Arguments:
        network: a Network, the name of a base network, or a Family, whose callable makes its module.
        device: a device of torch; default: torch's own. On "meta" there are no weights, and no time goes into them.
        drop_path: probability of dropping the last residual branch for a sample in training; default: 0. It grows
            linearly from the first block to the last (Huang et al., Deep Networks with Stochastic Depth, 2016).
        zero_gamma: whether the last BN of each residual branch starts at γ = 0, so that blocks start as identities
            (Goyal et al., Accurate, Large Minibatch SGD, 2017, section 5.1); default: False.

    Returns:
        A module from images (N, channels, height, width) to logits (N, classes); its `network` is the Network. For a
        Family, the module that its callable makes.

    Raises:
        NetworkError: (a ValueError) the name is not that of a base network, the network has over 10,000 blocks,
            drop_path is not in [0, 1), zero_gamma is neither True nor False, or the device is not there.
    """
    drop = real_number(drop_path, 0, 1)
    if drop is None or drop == 1:
        raise NetworkError(f"build: drop_path is {shown(drop_path)}, but must be a probability from 0 to below 1")
    zero_gamma = check_flag("build: zero_gamma", zero_gamma, NetworkError)
    if isinstance(network, Family):
        if drop or zero_gamma:
            raise NetworkError(
                "build: drop_path and zero_gamma are for networks; a family takes keywords of its callable"
            )
        return network.module(_check_device(device))
    network = named_network(network)
    check_blocks("build", network)
    target = _check_device(device)
    if target == META:
        return made_on(META, lambda: ConvNet(network, META, drop, zero_gamma))
    return ConvNet(network, target, drop, zero_gamma)


def _check_device(device: str | torch.device | None) -> torch.device | None:
    if device is None:
        return None
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError, ValueError):
        raise NetworkError(f"build: {shown(device)} is not a device; use cpu, cuda, cuda:1 or meta") from None
    if kind_of(found.type) is CUDA and (found.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise NetworkError(
            f"build: {shown(device)} is not there: torch sees {count} GPUs here; use cpu, or another GPU"
        )
    return found
