"""What must agree before two times are compared or fitted together. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, ClassVar

import pandas as pd

from .._common.device_kinds import CPU, kind_name, kind_of

LARGEST = "largest"  # the batch that fills the device

_FIT = ("device_name", "threads", "mode", "precision", "channels_last", "compile", "tf32")
_SOFTWARE = ("torch", "cuda", "cudnn", "driver", "library")


@dataclass(frozen=True)
class Conditions:
    """The conditions that a time was taken under; None for what a row does not say, or a subset does not ask.

    Each subset lists the columns that must agree for one purpose:

    - `FIT`: for rows to be fitted together. What a device's rates depend on. No batch, since a model predicts several
      batches; no source, device number or versions, since rates are of the device, whoever measured them.
    - `CASE`: for times to be compared with each other: `FIT`, the store, the kind of device and the batch. No versions:
      a store is one series of measurements.
    - `CORRELATE`: for times to be correlated with counts. A published table says nothing of threads, memory format and
      compiling, and gives each network its own batch, as a store of largest batches does; times are an image's. Of a
      store that mixes these, give `by` more columns.
    - `HELD`: for a row to be that of a plan's point, beside its network and batch: `FIT`, and the versions.
    - `MACHINE`: what of `HELD` the machine decides, not the plan.
    - `COMPARE`: what `compare` tells two measurements apart by. No source: a measurement need not come from a store.
    - `TRAINED`: for errors to be compared, beside the base network. No device: it changes the time, not what is learnt.

    `USUAL` holds the defaults of the settings that a label names only where they are others.
    """

    source: str | None = None  # name of the store or table
    device: str | None = None  # kind, without number: "cpu" or "cuda"
    device_name: str | None = None
    threads: int | None = None
    mode: str | None = None
    precision: str | None = None
    channels_last: bool | None = None
    compile: bool | None = None
    tf32: bool | None = None
    batch: int | str | None = None  # images in a run, or "largest"
    cudnn_benchmark: bool | None = None
    torch: str | None = None
    cuda: str | None = None
    cudnn: str | None = None
    driver: str | None = None
    library: str | None = None
    data: str | None = None  # name of the images
    data_id: str | None = None
    part: str | None = None  # of the images, that the error is of
    recipe_id: str | None = None

    FIT: ClassVar[tuple[str, ...]] = _FIT
    CASE: ClassVar[tuple[str, ...]] = ("source", "device", *_FIT, "batch")
    CORRELATE: ClassVar[tuple[str, ...]] = ("source", "device_name", "mode", "precision")
    HELD: ClassVar[tuple[str, ...]] = (*_FIT, *_SOFTWARE)
    MACHINE: ClassVar[tuple[str, ...]] = ("device_name", *_SOFTWARE)
    COMPARE: ClassVar[tuple[str, ...]] = ("batch", *_FIT, "cudnn_benchmark", *_SOFTWARE)
    TRAINED: ClassVar[tuple[str, ...]] = ("data", "data_id", "part", "recipe_id")
    USUAL: ClassVar[Mapping[str, bool]] = MappingProxyType({"channels_last": True, "compile": False, "tf32": False})

    @classmethod
    def of(cls, row: Mapping[str, Any] | pd.Series) -> Conditions:
        """Read the conditions from the columns of a row; other columns are passed over."""
        known = {field.name: row[field.name] for field in fields(cls) if field.name in row}
        return cls(**{name: None if pd.isna(value) else value for name, value in known.items()})

    @classmethod
    def groups(cls, rows: pd.DataFrame, columns: Sequence[str]) -> list[tuple[Conditions, pd.DataFrame]]:
        """Split rows by these columns, in the order of the first rows; a missing value is one of its own."""
        grouped = rows.groupby(list(columns), sort=False, dropna=False)
        return [(cls.of(dict(zip(columns, key, strict=True))), group) for key, group in grouped]

    def row(self, columns: Sequence[str]) -> dict[str, Any]:
        """Return the values of these columns, by name."""
        return {name: getattr(self, name) for name in columns}

    def label(self) -> str:
        """Name the device and the settings in words: "AMD EPYC, 2 threads, inference, fp32, batch 4".

        A GPU has no threads in it. Settings of `USUAL` are named where they are others, and what is not known is not.
        """
        words = [self.device_name]
        if self.threads is not None and (self.device is None or kind_of(self.device) is CPU):
            words += [f"{self.threads:g} threads"]
        words += [self.mode, self.precision]
        if self.batch is not None:
            words += ["largest batch" if self.batch == LARGEST else f"batch {self.batch}"]
        words += ["compiled"] if self.compile else []
        for name in ("channels_last", "tf32"):
            value = getattr(self, name)
            words += [f"{name}={bool(value)}"] if value is not None and value != self.USUAL[name] else []
        return ", ".join(str(word) for word in words if word is not None)

    def title(self) -> str:
        """Join all that is known, as a figure's panel is called: "pycls_zoo_v100 · V100 · training"."""
        return joined(getattr(self, field.name) for field in fields(self))


def distinct_labels(rows: pd.DataFrame, briefly: bool = False) -> list[str]:
    """Name the case of each row in as few words as tell it from the other cases of the frame.

    That is the label; else the label and the source; else the threads, too.

    Arguments:
        rows: with columns of `Conditions.CASE`.
        briefly: True tries the device's name alone first.
    """
    columns = [name for name in Conditions.CASE if name in rows]
    each = [Conditions.of(row) for row in rows[columns].to_dict("records")]
    cases = list(dict.fromkeys(each))
    ways = [[str(case.device_name) for case in cases]] if briefly else []
    ways += [[case.label() for case in cases]]
    ways += [[f"{case.label()} ({case.source})" for case in cases]]
    last = [f"{case.label()} ({case.source}), threads={case.threads}" for case in cases]
    found = {}
    for number, case in enumerate(cases):
        unique = (words[number] for words in ways if words.count(words[number]) == 1)
        found[case] = next(unique, last[number])
    return [found[case] for case in each]


def joined(values: Iterable[Any]) -> str:
    """Join the values that are known, as a figure's panel is called: "pycls_zoo_v100 · V100 · training"."""
    return " · ".join(str(value) for value in values if not pd.isna(value))


def kind_names(devices: pd.Series) -> pd.Series:
    """Return the devices without their numbers: cuda:1 is another of the same kind as cuda:0."""
    return devices.map(kind_name, na_action="ignore")
