"""Kinds of devices by their names, without torch."""

import ast
from pathlib import Path

import pytest

import fastscale_lib
from fastscale_lib._common.device_kinds import CPU, CUDA, KINDS, kind_name, kind_of, parse_device, preferred, short_name

PACKAGE = Path(fastscale_lib.__file__).parent
NAMES = {kind.name for kind in KINDS}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cpu", (CPU, None)),
        ("cpu:0", (CPU, None)),
        ("cuda", (CUDA, None)),
        ("cuda:0", (CUDA, 0)),
        ("cuda:12", (CUDA, 12)),
        *((text, None) for text in ("", "gpu", "cuda:", "cuda:-1", "cuda:01", "cuda:1x", "CUDA", "cpu:1", "cuda\n")),
    ],
)
def test_a_device_is_asked_for_by_kind_and_number(text, found):
    assert parse_device(text) == found


@pytest.mark.parametrize(
    ("device", "name", "kind"),
    [("cuda:1", "cuda", CUDA), ("cuda", "cuda", CUDA), ("cpu", "cpu", CPU), ("mps", "mps", None), (None, "", None)],
)
def test_a_row_s_device_tells_its_kind(device, name, kind):
    assert (kind_name(device), kind_of(device)) == (name, kind)


@pytest.mark.parametrize(
    ("there", "taken"),
    [(["cpu", "cuda:0", "cuda:1"], "cuda:0"), (["cpu"], "cpu"), ([], "cpu")],
)
def test_the_first_gpu_is_preferred_else_the_cpu(there, taken):
    assert preferred(there) == taken


def compared_texts(file: Path) -> set[str]:
    """The texts that a file compares with something, asks a text to begin with, or looks up in a dict that it makes."""
    found = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Compare):
            found += [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
            found += node.args
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Dict):
            found += [key for key in node.value.keys if key]
    found += [each for node in found if isinstance(node, ast.Tuple | ast.List | ast.Set) for each in node.elts]
    return {node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_no_other_file_compares_these_names():
    """But the reader of timm's file names, which are words of its own."""
    files = [file for file in PACKAGE.rglob("*.py") if file.name not in ("device_kinds.py", "timm_tables.py")]
    assert [str(file.relative_to(PACKAGE)) for file in files if compared_texts(file) & NAMES] == []


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Intel(R) Xeon(R) Processor", "Intel Xeon"),
        ("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", "Intel Xeon Platinum 8375C"),
        ("12th Gen Intel(R) Core(TM) i7-12700H", "12th Gen Intel Core i7-12700H"),
        ("AMD EPYC 7763 64-Core Processor", "AMD EPYC 7763"),
        ("AMD EPYC", "AMD EPYC"),
        ("NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4090"),
        ("CPU", "CPU"),
    ],
)
def test_a_name_is_shortened_to_maker_series_and_model(name, short):
    assert short_name(name) == short == short_name(short)
