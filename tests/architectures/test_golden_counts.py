"""Counts of every family against those that hooks on timm's modules gave: `golden`, one file a family."""

import json

import pytest
from helpers.hooked_counts import GOLDEN

import fastscale_lib as fs

FILES = sorted(GOLDEN.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_network_of_a_family_counts_as_timms(file):
    golden = json.loads(file.read_text("utf-8"))["counts"]
    assert golden
    for name, (alias, resolution, *counts) in golden.items():
        assert fs.network(alias) is fs.network(name)
        assert list(fs.complexity(name, resolution=resolution)) == counts


def test_every_family_has_such_a_file():
    assert {file.stem for file in FILES} == set(fs.architectures.families())


def test_all_networks_but_a_few_are_held_to_a_module_of_timm():
    held = {name for file in FILES for name in json.loads(file.read_text("utf-8"))["counts"]}
    assert set(fs.networks()) - held == {"RegNetZ-4GF", "ResNeXt-152"}  # timm has none
