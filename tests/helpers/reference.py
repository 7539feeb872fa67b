"""The published figures in data/published, as rows to test against."""

import csv
from pathlib import Path
from typing import NamedTuple

import fastscale_lib as fs

PUBLISHED = Path(__file__).parents[2] / "data" / "published"


class ScaledRow(NamedTuple):
    """One network scaled by pycls, and what pycls counts."""

    network: str
    strategy: str
    scale: float
    resolution: int
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    group_widths: tuple[int, ...]
    complexity: fs.architectures.Complexity

    def __str__(self) -> str:
        return f"{self.network} {self.strategy} {self.scale:g}"


def _read(file: str) -> list[dict[str, str]]:
    with (PUBLISHED / file).open(newline="") as lines:
        return list(csv.DictReader(lines))


def _stages(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("-")))


SCALED = [
    ScaledRow(
        row["network"],
        row["strategy"],
        float(row["scale"]),
        int(row["resolution"]),
        _stages(row["depths"]),
        _stages(row["widths"]),
        _stages(row["group_widths"]),
        fs.architectures.Complexity(int(row["flops"]), int(row["params"]), int(row["activations"])),
    )
    for row in _read("scaled_complexity.csv")
]

# network, and as text with one decimal: flops in G, params in M, activations in M
PYCLS_ZOO = [
    (row["network"], row["flops_g"], row["params_m"], row["activations_m"]) for row in _read("pycls_zoo_v100.csv")
]

# likewise, of Xiao et al., Early Convolutions Help Transformers See Better, 2021, Table 2
EARLY = [
    (row["network"], row["flops_g"], row["params_m"], row["activations_m"])
    for row in _read("early_convolutions_table2.csv")
]
