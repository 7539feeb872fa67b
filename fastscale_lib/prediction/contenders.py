"""The networks that a budget chooses among: published ones, and some of them scaled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._common.frames import dicts
from .._common.shipped import find_folder
from ..architectures.counting import count
from ..architectures.definition import Network
from ..architectures.operation_lists import Operations, operations
from ..architectures.parts import Dimensions
from ..architectures.zoo import families, networks
from ..architectures.zoo import network as named_network
from ..measuring.settings import Mode
from ..scaling.rounding import scaled_dimensions
from ..scaling.strategies import grid_factors
from ..scaling.strategies import strategy as named_strategy
from .profile_files import FOLDER
from .reach import Extent

STRATEGIES, SCALES = ("w", "dWr", "dwr"), (2.0, 4.0, 8.0)
_COLUMNS = ["network", "strategy", "scale", "resolution", "top1_accuracy_pct", "weights", "flops", "params"]
_COLUMNS += ["activations"]
_ACCURACIES, _MEMORY = "timm_accuracy.csv", "memory.csv"


class Contenders(NamedTuple):
    """Networks with what is known of them; the arrays have an entry a network.

    Attributes:
        table: network (the base's name), strategy and scale (missing where it is not scaled), resolution,
            top1_accuracy_pct and weights (as published; missing where there are none), flops, params, activations.
        ops: of all networks, shape (operations, networks); shorter lists end in operations that run no time.
        extent: of the same.
    """

    table: pd.DataFrame
    ops: Operations
    extent: Extent

    def memory(self, batch: int, precision: str, mode: Mode = "inference") -> np.ndarray:
        """Estimate the peak in bytes, by what `peak_memory` counts of networks of the family.

        In inference it grows with the elements of the largest operation, in training with those of all, since outputs
        are kept for the backward pass.
        """
        known, size = ("fp32", 4) if precision == "fp32" else ("bf16", 2)
        relative = _relative_memory(known, mode)
        alive, fixed = np.array([relative[name] for name in self.table["network"]]).T
        moved = self.ops.moved.max(axis=0) if mode == "inference" else (self.ops.moved * self.ops.times).sum(axis=0)
        return fixed * self.table["params"].to_numpy(float) + batch * size * alive * moved


@cache
def contenders(scaled: bool) -> Contenders:
    """List the published networks, at the resolutions of accuracies, and some scaled ones.

    Arguments:
        scaled: whether to list scaled ones: of each family the smallest and the middle, by `STRATEGIES` and `SCALES`.
    """
    groups = [*_published(), *(_scaled() if scaled else ())]
    listed = [operations(base, dims, len(facts)) for base, dims, facts in groups]
    table = pd.concat(
        [
            pd.DataFrame(facts).assign(resolution=dims.resolution, **count(base, dims)._asdict())
            for base, dims, facts in groups
        ],
        ignore_index=True,
    ).reindex(columns=_COLUMNS)
    return Contenders(table, _beside(listed), Extent.of(*listed))


def _published() -> Iterator[tuple[Network, Dimensions, list[dict[str, Any]]]]:
    """Yield published networks, at every resolution that has an accuracy, or at their own."""
    folder = find_folder("data", f"published/{_ACCURACIES}")
    known: dict[str, list[dict[str, Any]]] = {}
    for row in dicts(pd.read_csv(folder / "published" / _ACCURACIES)) if folder else []:
        known.setdefault(row["network"], []).append(row)
    for name in networks():
        network = named_network(name)
        facts = known.get(name, [{"network": name, "resolution": network.resolution}])
        sides = np.array([each["resolution"] for each in facts])
        yield network, network.dimensions._replace(resolution=sides), facts


def _scaled() -> Iterator[tuple[Network, Dimensions, list[dict[str, Any]]]]:
    ways = [named_strategy(each) for each in STRATEGIES]
    facts = [{"strategy": strategy, "scale": s} for strategy in STRATEGIES for s in SCALES]
    for names in families().values():
        for name in dict.fromkeys((names[0], names[len(names) // 2])):
            base = named_network(name)
            dims = scaled_dimensions(base, *grid_factors(ways, np.array(SCALES)))
            yield base, dims, [{"network": name, **each} for each in facts]


def _beside(listed: Sequence[Operations]) -> Operations:
    """Put lists of operations side by side; what fills the shorter ones runs no time."""
    longest = max(len(each.kind) for each in listed)
    columns = []
    for column in Operations._fields:
        fill = 1 if column in ("width", "outputs") else 0  # which are divided by
        values = [getattr(each, column) for each in listed]
        filled = [np.pad(each, ((0, longest - len(each)), (0, 0)), constant_values=fill) for each in values]
        columns.append(np.concatenate(filled, axis=1))
    return Operations(*columns)


@cache
def _relative_memory(precision: str, mode: Mode) -> dict[str, tuple[float, float]]:
    """Return what the nearest counted network of the same family and block holds, for each."""
    folder = find_folder("data", f"{FOLDER}/{_MEMORY}")
    assert folder is not None, "memory.csv is shipped beside the profiles"
    rows = dicts(pd.read_csv(folder / FOLDER / _MEMORY))
    counted = {row["network"]: row for row in rows if (row["precision"], row["mode"]) == (precision, mode)}
    found = {}
    for names in families().values():
        blocks = [named_network(name).block for name in names]
        known = [at for at, name in enumerate(names) if name in counted]  # small to large
        for at, name in enumerate(names):
            alike = [other for other in known if blocks[other] == blocks[at]] or known
            near = counted[names[min(alike, key=lambda other: abs(other - at))]]
            found[name] = (near["alive"], near["fixed"])
    return found
