"""Families in plans, stores and the search for a batch: made again where they run, found again by what made them."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from helpers.importable_net import ImportableNet, by_factors
from torch import nn

import fastscale_lib as fs
from fastscale_lib.architectures import NetworkError
from fastscale_lib.architectures.traced.sending import received, sent
from fastscale_lib.measuring.batch_search import CapacityWarning
from fastscale_lib.measuring.plans import PlanError
from fastscale_lib.measuring.worker import Worker

SHORT: dict[str, Any] = {"seconds": 0.05, "interval": 0.2, "device": "cpu"}


def family(make: Any = ImportableNet, **more: Any) -> fs.architectures.Family:
    return fs.family(make, resolution=32, depth={"blocks": 2}, width={"channels": 16}, **more)


def test_the_largest_batch_of_a_family_and_of_a_module_is_found():
    with Worker() as worker:
        cases: Any = (fs.scale(family(), "w", 4), "inference"), (ImportableNet(), "training")
        for network, mode in cases:
            with pytest.warns(CapacityWarning, match="16 images fit, and the search ended there"):
                found = fs.largest_batch(network, mode, "fp32", "cpu", resolution=32, limit=16, worker=worker)
            assert found == 16


def test_a_plan_of_families_is_measured_and_found_again(tmp_path):
    store = fs.Store(tmp_path / "rows.jsonl")
    plan = fs.Plan([family(), fs.family(by_factors, resolution=32)], "w", [1, 4], [2], **SHORT)
    rows = fs.measure_plan(plan, store, progress=lambda step: None)
    assert rows["median_ms"].notna().all()
    assert rows["network"].tolist() == ["ImportableNet", "ImportableNet w ×4", "by_factors", "by_factors w ×4"]
    assert rows["flops"].tolist() == 2 * [fs.complexity(fs.scale(family(), "w", s)).flops for s in (1, 4)]
    assert rows["made_by"][1]["make"] == "helpers.importable_net.ImportableNet"
    before = store.path.read_bytes()
    again = fs.measure_plan(fs.Plan(family(), "w", [4, 1], [2], **SHORT), store, progress=lambda step: None)
    assert store.path.read_bytes() == before
    assert again["median_ms"].tolist() == rows["median_ms"].tolist()[1::-1]


def test_an_id_means_one_thing():
    base = family()
    assert base.id == family(name="other").id == fs.scale(fs.scale(base, depth=2), depth=0.5).id
    others = [fs.scale(base, depth=2), base.at(64), family(images=1), fs.family(by_factors, resolution=32)]
    assert len({base.id, *(each.id for each in others)}) == 5
    assert base.made_by["make"] == "helpers.importable_net.ImportableNet"


def test_what_is_sent_is_the_same_network_elsewhere():
    scaled = fs.scale(family(), "dwr", 8)
    there = received(sent(scaled))
    assert (there.name, there.resolution) == (scaled.name, scaled.resolution)
    assert fs.complexity(there) == fs.complexity(scaled)


class Local(nn.Sequential):
    """Stands for one of a notebook."""

    def __init__(self, blocks: int = 2, channels: int = 16) -> None:
        super().__init__(*ImportableNet(blocks, channels))


def test_what_no_other_process_can_make_is_refused(monkeypatch):
    mine = fs.family(lambda d: ImportableNet(d(2)), resolution=32)
    for ask in (fs.largest_batch, fs.Plan):
        with pytest.raises(NetworkError, match=r"family cannot be made in another process: it is a lambda; write it"):
            ask(mine)
    monkeypatch.setattr(Local, "__module__", "__main__")
    with pytest.raises(NetworkError, match="Local is defined in a notebook or script; write it into a module"):
        fs.largest_batch(family(Local))
    with pytest.raises(NetworkError, match="Local is defined in a notebook or script"):
        fs.largest_batch(Local(), resolution=32)
    monkeypatch.undo()
    local = Local
    monkeypatch.delattr(sys.modules[__name__], "Local")
    with pytest.raises(NetworkError, match="Local is found in no module by its name"):
        fs.Plan(family(local))


def test_a_module_is_no_plan_and_a_plan_of_families_is_no_file():
    module: Any = ImportableNet()
    with pytest.raises(NetworkError, match=r"plan: a torch module \(ImportableNet\) has no name .*fs.family"):
        fs.Plan(module)
    with pytest.raises(PlanError, match="ImportableNet is made by code, and a plan's data hold none"):
        fs.Plan(family()).to_yaml()
