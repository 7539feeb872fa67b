"""What a scaled network costs to run: its time by a model, and its memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..architectures.definition import Network
from ..architectures.traced.module_family import Family
from ..measuring.settings import Mode, Precision
from ..scaling.rounding import scale
from ..scaling.strategies import ScalesLike, Strategy, as_list
from .curves import Curve
from .forms import operations_of
from .model import RuntimeModel
from .reach import Extent


class Costs(NamedTuple):
    """How networks run: what costs are counted and predicted for."""

    batch: int
    mode: Mode
    precision: Precision
    model: RuntimeModel | None
    setting: Mapping[str, Any]

    def times(self, base: Network | Family, strategy: Strategy, scales: ScalesLike) -> Curve:
        """Predict the time of a run for each scale factor."""
        assert self.model is not None  # no time is asked for without a model
        known = {"mode": self.mode, "precision": self.precision, **self.setting}
        if isinstance(base, Network):
            return self.model.curve(base, [strategy], scales, self.batch, **known)
        found, setting = [], self.model.setting(**known)
        for s in as_list(scales):
            ops = operations_of(scale(base, strategy, s), setting)
            found.append(self.model.curve_of(ops, Extent.of(ops, traced=True), self.batch, **known))
        columns = dict(zip(Curve._fields, zip(*found, strict=True), strict=True))
        notes = [note for each in columns.pop("notes") for note in each]
        return Curve(**{name: np.concatenate(each) for name, each in columns.items()}, notes=notes)

    def memory(self, network: Network | Family) -> int:
        """Count the peak memory of a run, in bytes."""
        if isinstance(network, Network):
            network = replace(network, name="counted", scaling=None)
        return _memory(network, self.batch, self.mode, self.precision)


@lru_cache(maxsize=4096)
def _memory(network: Network | Family, batch: int, mode: Mode, precision: Precision) -> int:
    from ..measuring.counted_memory import peak_memory  # which loads torch

    return peak_memory(network, batch, mode, precision).peak_bytes
