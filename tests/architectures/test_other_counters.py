"""The comparison with other counters: the file adds up, the page shows it, and our column is what is counted today."""

import csv
from pathlib import Path

import pytest
import torch
from benchmarks.bench_other_counters import COLUMNS, LIBRARIES, NETWORKS, WITHOUT_BIASES, page_table
from helpers.other_libraries import import_library

from fastscale_lib.architectures import trace
from fastscale_lib.architectures.traced.without_data import make_without_data

DOCS = Path(__file__).resolve().parents[2] / "docs"
with (DOCS / "other-counters.csv").open(encoding="utf-8", newline="") as file:
    ROWS = {row["network"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def timm():
    return import_library("timm")


def test_there_is_a_row_for_each_network_with_all_columns():
    assert list(ROWS) == list(NETWORKS)
    assert len(NETWORKS) == 12
    for row in ROWS.values():
        assert list(row) == COLUMNS
        assert all(row.values())


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_figure_of_a_library_is_accounted_for(library):
    for name, row in ROWS.items():
        numbers = {key: int(value) for key, value in row.items() if value.isdigit()}
        expected = numbers["flops"] - numbers["biases"] * (library in WITHOUT_BIASES)
        expected += numbers[f"{library}_other"] - numbers[f"{library}_missing"]
        assert (numbers[library], numbers[f"{library}_left"]) == (expected, 0), name


@pytest.mark.parametrize("name", NETWORKS)
def test_our_column_is_what_is_counted_today(timm, name):
    row = ROWS[name]
    module: torch.nn.Module = make_without_data(lambda: timm.create_model(name))
    found = trace(module, resolution=int(row["resolution"]))
    assert found.complexity.flops == int(row["flops"])
    assert sum(each.bias for each in found.operations) == int(row["biases"])
    assert found.complexity.attention_flops == int(row["attention"])
    assert found.complexity.torch_flops == 2 * int(row["torch"])
    assert found.complexity.uncounted == {}


def test_the_page_shows_the_table_and_the_versions_of_the_file():
    page = (DOCS / "other-counters.md").read_text("utf-8")
    assert page_table(ROWS.values()) in page
    said = " ".join(page.split())
    for row in ROWS.values():
        versions = [f"{each} {row[f'{each}_version']}" for each in ("torch", "timm", "fvcore", "ptflops", "torchinfo")]
        assert all(each in said for each in (row["date"], *versions))
    kinds = sum(row[f"{each}_left"] == "0" for row in ROWS.values() for each in LIBRARIES)
    assert f"all {kinds} are equal to ours" in said
