"""From a network's description to a torch module; torch is loaded when the first one is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._common.checks import check_flag, real_number, shown
from .._common.device_kinds import CUDA, kind_of
from ..architectures.definition import Network, check_blocks
from ..architectures.parts import NetworkError
from ..architectures.traced.module_family import Family
from ..architectures.zoo import network as named_network

if TYPE_CHECKING:
    import torch


def build(
    network: Network | str | Family,
    device: str | torch.device | None = None,
    *,
    drop_path: float = 0.0,
    zero_gamma: bool = False,
) -> torch.nn.Module:
    """Build a torch module of a network, freshly initialised.

    It maps images (N, channels, r, r) to logits (N, classes).
    It is made of the very layers that `complexity` counts; the rows of `layers(network)` and the keys of its
    `state_dict` have the same names. It takes images of other sides too, though it is counted at `resolution`.

    Arguments:
        network: a Network, the name of a base network, or a Family, whose callable makes its module.
        device: as torch takes it, "meta" included; default: torch's own.
        drop_path: probability with which the last residual branch is left out of a sample in training; default: 0.
            That of the blocks before grows linearly up to it (Huang et al., Deep Networks with Stochastic Depth,
            2016).
        zero_gamma: start the last BN of each branch that is added to its input at γ = 0, so that the blocks start
            as identities (Goyal et al., Accurate, Large Minibatch SGD, 2017, section 5.1); default: False.

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
        return network.module(_there(device))
    network = named_network(network)
    check_blocks("build", network)
    from .modules import ConvNet

    return ConvNet(network, _there(device), drop, zero_gamma)


def _there(device: str | torch.device | None) -> torch.device | None:
    """The device, or a refusal: no other stands in for it."""
    import torch

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
