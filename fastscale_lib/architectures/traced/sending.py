"""Networks and families as plain data, from which another process makes them."""

from __future__ import annotations

import base64
import io
import pickle
import sys
from collections.abc import Mapping
from functools import partial
from types import FunctionType
from typing import Any

from ..._common.errors import first_line
from ..definition import Network
from ..parts import NetworkError
from ..resolutions import Resolution
from ..zoo import network as named_network
from .identities import name_of, said_of
from .maker import Maker
from .module_family import Family
from .sources import FunctionOfFactors, Size

_FIELD = "pickled"  # of what is sent


def plain_network(network: Network | Family | str, resolution: Resolution | None = None) -> dict[str, Any]:
    """Return a network's description, or what makes a family in another process.

    Arguments:
        network: a Network, its name, or a Family.
        resolution: of a family's images; default: its own. A Network takes it where it runs.
    """
    return sent(network.at(resolution)) if isinstance(network, Family) else named_network(network).to_dict()


def network_of(plain: Mapping[str, Any]) -> Network | Family:
    """Return the network or family of which `plain_network` made these data."""
    return received(plain) if _FIELD in plain else Network.from_dict(plain)


def sent(family: Family) -> dict[str, Any]:
    """Return plain data from which another process makes a family of this size.

    Weights are not sent: a callable makes its own, those of a module are zeros.

    Raises:
        NetworkError: the callable, or what it is given, cannot be imported elsewhere or cannot be pickled.
    """
    written = io.BytesIO()
    try:
        _Pickler(written).dump(family.call)
    except _NotElsewhere as error:
        raise NetworkError(f"{family.name} cannot be made in another process: {error}") from None
    except Exception as error:  # of foreign objects
        raise NetworkError(
            f"{family.name} cannot be made in another process, as it cannot be pickled ({first_line(error)[:200]})"
        ) from None
    encoded = base64.b64encode(written.getvalue()).decode()
    try:
        made_by = family.made_by
    except NetworkError:  # of a module, which need not be found again
        made_by = None
    plain = {"name": family.name, "size": list(family.size), "made_by": made_by}
    return {**plain, _FIELD: encoded, "path": sys.path}


def received(plain: Mapping[str, Any]) -> Family:
    """Make the family that was sent; data of others are not to be given, as it runs them."""
    size: Size = tuple(plain["size"])
    made = FunctionOfFactors(partial(_call, plain[_FIELD], plain["path"]), (), size[0])
    return Family(Maker(plain["name"], made, size, keep=False, made_by=plain["made_by"]))


def _call(pickled: str, path: list[str]) -> Any:
    sys.path += [each for each in path if each not in sys.path]
    try:
        make = pickle.loads(base64.b64decode(pickled))
    except Exception as error:  # of foreign code
        raise NetworkError(f"what makes it cannot be imported in another process ({first_line(error)[:200]})") from None
    return make()


class _NotElsewhere(Exception):
    """Something is defined where no other process finds it."""


class _Pickler(pickle.Pickler):
    """Pickles without weights, and refuses what no other process can import."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type | FunctionType) and name_of(obj) is None:
            raise _NotElsewhere(f"{said_of(obj)}; write it into a module that can be imported")
        if "torch" in sys.modules and isinstance(obj, sys.modules["torch"].nn.Parameter):
            return _zeros, (tuple(obj.shape), obj.dtype, obj.requires_grad)
        return NotImplemented


def _zeros(shape: tuple[int, ...], dtype: Any, requires_grad: bool) -> Any:
    import torch

    return torch.nn.Parameter(torch.zeros(shape, dtype=dtype), requires_grad)
