"""Conditions that must agree before times are compared or fitted together. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, ClassVar

import pandas as pd

from .._common.device_kinds import CPU, kind_name, kind_of

LARGEST = "largest"  # the batch that fills the device

_FIT = ("device_name", "threads", "mode", "precision", "channels_last", "compile", "tf32", "cuda_graph")
_WAYS = ("channels_last", "compile", "cuda_graph")
_SOFTWARE = ("torch", "cuda", "cudnn", "driver", "library")
_UNUSUAL = {"compile": "compiled", "cuda_graph": "CUDA graph", "channels_last": "channels first", "tf32": "TF32"}


@dataclass(frozen=True)
class Conditions:
    """Conditions under which a time was measured; None where a row or subset has none.

    Rows that do not say it, as all from before it was measured, replay no CUDA graph.

    Each subset lists the columns that must agree for one purpose:

    - `FIT`: rows are fitted together. A device's rates depend on these. No batch, as a model predicts several batches;
      no source, device number or versions, as rates belong to the device, whoever measured them.
    - `CASE`: times are compared with each other. `FIT`, the store, the kind of device and the batch; no versions, as a
      store is one series of measurements.
    - `CORRELATE`: times are correlated with counts. No threads, of which published tables say nothing, and no batch, of
      which they have one of their own for each network, as a store of largest batches does; times are per image. For a
      store that mixes these, give `by` more columns.
    - `HELD`: a row belongs to a point of a plan, beside its network and batch. `FIT`, and the versions.
    - `MACHINE`: the columns of `HELD` that the machine decides, not the plan.
    - `COMPARE`: the columns by which `compare` tells two measurements apart. No source, as a measurement need not come
      from a store.
    - `TRAINED`: errors are compared, beside the base network. No device, which changes the time, not what is learnt.

    `USUAL` holds the defaults of settings that a label names only if they differ.
    """

    source: str | None = None  # file name of the store or name of the table
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
    cudnn_benchmark_limit: int | None = None
    torch: str | None = None
    cuda: str | None = None
    cudnn: str | None = None
    driver: str | None = None
    library: str | None = None
    data: str | None = None  # name of the dataset
    data_id: str | None = None
    part: str | None = None  # of the dataset, on which the error was taken
    recipe_id: str | None = None
    cuda_graph: bool = False  # replayed, so that the host launches no kernels

    FIT: ClassVar[tuple[str, ...]] = _FIT
    CASE: ClassVar[tuple[str, ...]] = ("source", "device", *_FIT, "batch")
    CORRELATE: ClassVar[tuple[str, ...]] = ("source", "device_name", "mode", "precision", *_WAYS)
    HELD: ClassVar[tuple[str, ...]] = (*_FIT, *_SOFTWARE)
    MACHINE: ClassVar[tuple[str, ...]] = ("device_name", *_SOFTWARE)
    COMPARE: ClassVar[tuple[str, ...]] = ("batch", *_FIT, "cudnn_benchmark", "cudnn_benchmark_limit", *_SOFTWARE)
    TRAINED: ClassVar[tuple[str, ...]] = ("data", "data_id", "part", "recipe_id")
    USUAL: ClassVar[Mapping[str, bool]] = MappingProxyType(
        {"channels_last": True, "compile": False, "tf32": False, "cuda_graph": False}
    )

    @classmethod
    def of(cls, row: Mapping[str, Any] | pd.Series) -> Conditions:
        """Read the conditions from the columns of a row.

        Arguments:
            row: by column; columns that are no conditions are ignored.
        """
        known = {field.name: row[field.name] for field in fields(cls) if field.name in row}
        return cls(**{name: value for name, value in known.items() if not pd.isna(value)})

    @classmethod
    def groups(cls, rows: pd.DataFrame, columns: Sequence[str]) -> list[tuple[Conditions, pd.DataFrame]]:
        """Split rows by columns, in order of appearance.

        Arguments:
            rows: of a store, or published timings.
            columns: one of the subsets, as `Conditions.FIT`; missing values form a group.

        Returns:
            The conditions of each group, and its rows.
        """
        if "cuda_graph" in columns:
            rows = with_cuda_graphs(rows)
        grouped = rows.groupby(list(columns), sort=False, dropna=False)
        return [(cls.of(dict(zip(columns, key, strict=True))), group) for key, group in grouped]

    def row(self, columns: Sequence[str]) -> dict[str, Any]:
        """Return the values of these columns by name.

        Arguments:
            columns: names of conditions.
        """
        return {name: getattr(self, name) for name in columns}

    def label(self) -> str:
        """Name device and settings in words: "AMD EPYC, 2 threads, inference, fp32, batch 4".

        Threads are named only for CPUs, settings of `USUAL` only if they differ from the default.
        """
        words = [self.device_name]
        if self.threads is not None and (self.device is None or kind_of(self.device) is CPU):
            words += [f"{self.threads:g} threads"]
        words += [self.mode, self.precision]
        if self.batch is not None:
            words += ["largest batch" if self.batch == LARGEST else f"batch {self.batch}"]
        words += [text for name, text in _UNUSUAL.items() if getattr(self, name) not in (None, self.USUAL[name])]
        return ", ".join(str(word) for word in words if word is not None)


def distinct_labels(rows: pd.DataFrame, briefly: bool = False) -> list[str]:
    """Name the case of each row by as few words as distinguish it from the frame's other cases.

    Arguments:
        rows: with columns of `Conditions.CASE`.
        briefly: whether the device's name is enough where no other case has it; default: False.

    Returns:
        For each row the device's name if `briefly`; else the label; else label and source; else the threads, too.
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


def with_cuda_graphs(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows that say whether a CUDA graph was replayed; for older ones none was."""
    said = rows["cuda_graph"] if "cuda_graph" in rows else pd.Series(index=rows.index, dtype=object)
    return rows.assign(cuda_graph=said.eq(True).fillna(False).astype(bool))


def with_cuda_graph(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row that says whether a CUDA graph was replayed, if it is a measurement."""
    older = "compile" in row and row.get("cuda_graph") is None
    return {**row, "cuda_graph": False} if older else dict(row)


def short_titles(rows: pd.DataFrame) -> list[str]:
    """Name the case of each row by device, mode, precision and what is unusual of the run.

    Where other cases have the same title, the source is added.

    Arguments:
        rows: with the columns of `Conditions.CORRELATE`; those that say how it ran may be missing.
    """
    told = with_cuda_graphs(rows).reindex(columns=list(Conditions.CORRELATE))
    for name in _WAYS:
        told[name] = [None if pd.isna(way) or way == Conditions.USUAL[name] else _UNUSUAL[name] for way in told[name]]
    cases = [tuple(None if pd.isna(value) else value for value in case) for case in told.to_numpy()]
    titles = {case: joined(case[1:]) for case in cases}
    each = list(titles.values())
    return [titles[case] if each.count(titles[case]) == 1 else f"{titles[case]} ({case[0]})" for case in cases]


def joined(values: Iterable[Any]) -> str:
    """Join all known values for the title of a panel: "pycls_zoo_v100 · V100 · training"."""
    return " · ".join(str(value) for value in values if not pd.isna(value))


def kind_names(devices: pd.Series) -> pd.Series:
    """Return the devices without their numbers: "cuda" for "cuda:1"."""
    return devices.map(kind_name, na_action="ignore")
