"""Plans: what is to be measured, checked when it is made, the same in Python and in YAML."""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import fastscale_lib as fs
from fastscale_lib._common.frames import rows
from fastscale_lib._common.yaml_text import read_yaml
from fastscale_lib.measuring.plans import Plan, PlanError

TINY = fs.anynet(name="Tiny", depths=[1], widths=[16], group_widths=8, stem_width=8, resolution=32, classes=10)
EVERYTHING: dict[str, Any] = {
    "networks": ["RegNetY-400MF", TINY],
    "strategies": ["w", "dWr", "d1_w8_g8_r1", 0.5, fs.strategy(alpha=0.1)],
    "scales": [1, 2, 1.7],
    "batch": [64, "largest"],
    "mode": ["inference", "training"],
    "precision": ["fp32", "bf16"],
    "to_flops": False,
    "resolution": 128,
    "channels_last": False,
    "compile": True,
    "tf32": True,
    "device": "cuda:1",
    "threads": 2,
    "interval": 1e-3,
    "seconds": 5,
}


def test_every_combination_is_a_point():
    plan = Plan(["RegNetY-400MF", "ResNet-50"], ["w", "dWr"], [2, 4], [32, 64], ["inference", "training"])
    points = plan.points()
    assert len(plan) == len(points) == len(set(points)) == 2 * 2 * 2 * 2 * 2
    first, last = points[0], points[-1]
    assert (first.base, first.strategy, first.scale, first.batch, first.mode) == (
        "RegNetY-400MF",
        "w",
        2,
        32,
        "inference",
    )
    assert first.network == fs.scale("RegNetY-400MF", "w", 2)
    assert last.network == fs.scale("ResNet-50", "dWr", 4)
    assert (last.batch, last.mode, last.precision) == (64, "training", "fp32")
    assert str(last) == "ResNet-50 dWr ×4, batch 64, training, fp32"


def test_one_value_serves_where_a_list_may_stand():
    assert Plan("ResNet-50", "dWr", 2, 32, "training", "bf16") == Plan(
        networks=["ResNet-50"], strategies=["dWr"], scales=[2], batch=[32], mode=["training"], precision=["bf16"]
    )


def test_the_base_network_is_one_point_whichever_the_strategy():
    plan = Plan("ResNet-50", ["d", "w", "r"], [1, 2])
    bases = [point for point in plan.points() if point.scale == 1]
    assert [(point.network, point.strategy) for point in bases] == [(fs.network("ResNet-50"), None)]
    assert len(plan) == 1 + 3


def test_a_network_that_rounding_makes_twice_is_one_point():
    plan = Plan(TINY, "w", [1, 1.001, 4])
    assert [point.scale for point in plan.points()] == [1, 4]


def test_resolution_is_the_bases_so_that_a_strategy_still_scales_it():
    base, scaled = Plan("ResNet-50", "r", [1, 4], resolution=64).points()
    assert (base.network.resolution, scaled.network.resolution) == (64, 128)


def test_flops_are_reached_where_that_is_asked():
    (point,) = Plan("RegNetY-400MF", "dWr", 3, to_flops=True).points()
    asked = 3 * fs.complexity("RegNetY-400MF").flops
    assert abs(fs.complexity(point.network).flops / asked - 1) < 0.01
    assert point.scale == 3


def test_a_frame_tells_the_cost_of_every_point():
    plan = Plan(["RegNetY-400MF", TINY], "dWr", [1, 4], [8, "largest"])
    frame = plan.frame()
    assert len(frame) == len(plan)
    for row, point in zip(rows(frame), plan.points(), strict=True):
        assert (row.flops, row.params, row.activations) == fs.complexity(point.network)
        assert (row.network, row.network_id) == (point.network.name, point.network.id)
        assert (row.base, row.scale, row.batch) == (point.base, point.scale, point.batch)


def test_yaml_and_json_lose_nothing(tmp_path):
    plan = Plan(**EVERYTHING)
    assert Plan.from_yaml(plan.to_yaml()) == plan
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
    for name, text in (("plan.yaml", plan.to_yaml()), ("plan.json", json.dumps(plan.to_dict()))):
        (tmp_path / name).write_text(text)
        read = Plan.read(tmp_path / name)
        assert read == plan
        assert read.points() == plan.points()


def test_a_plan_is_short_to_write():
    plan = Plan.from_yaml("""
        networks: [RegNetY-4.0GF, ResNet-50]
        strategies: [w, dWr, 0.5]
        scales: [1, 2]
        batch: largest
    """)
    assert len(plan) == 2 * (1 + 3)
    assert plan == Plan(["RegNetY-4.0GF", "ResNet-50"], ["w", "dWr", 0.5], [1, 2], "largest")


def test_a_network_of_ones_own_is_described_and_a_known_one_named():
    known, own = Plan(["regnety-4gf", TINY]).to_dict()["networks"]
    assert known == "RegNetY-4.0GF"
    assert fs.Network.from_dict(own) == TINY


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"networks": "RegNetY-41GF"}, r"'RegNetY-41GF' is not a base network; the nearest names are"),
        ({"networks": []}, "networks is empty"),
        ({"networks": [{"name": "x", "resolution": 32}]}, "network: stem, block, stages is missing"),
        ({"strategies": 1.5}, "alpha is 1.5, but must be a number from 0 to 1"),
        ({"strategies": "dwW"}, "'dwW' is not one; use one of d w r"),
        ({"strategies": fs.strategy("d").__class__("mine", fs.strategy("d").exponents)}, "'mine' is not one"),
        ({"strategies": [], "scales": [1, 2]}, "scales are 1, 2, but there is no strategy"),
        ({"scales": 0}, "scale factor is 0, but"),
        ({"scales": "2"}, "scale factor is '2', but"),
        ({"strategies": "d", "scales": 1e999}, "scale factor is inf, but"),
        ({"batch": 0}, "batch is 0, but must be a whole number of at least 1"),
        ({"batch": "max"}, "batch is 'max', but must be a whole number or 'largest'"),
        ({"mode": "train"}, "mode is 'train', but must be one of inference, training"),
        ({"precision": ["fp32", "fp8"]}, "precision is 'fp8', but must be one of"),
        ({"to_flops": "yes"}, "to_flops is 'yes', but must be True or False"),
        ({"resolution": 0}, "resolution is 0, but"),
        ({"threads": 0}, "threads is 0, but"),
        ({"seconds": -1}, "seconds is -1, but"),
        ({"compile": "no"}, "compile is 'no', but"),
        ({"device": "gpu"}, "device is 'gpu', but must be 'cpu', 'cuda' or 'cuda:N'"),
        ({"precison": "fp32"}, "'precison' is not known here; did you mean precision"),
        ({"zzz": 1}, "'zzz' is not known here; known are networks, strategies"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_when_the_plan_is_made(wrong, said):
    with pytest.raises(ValueError, match=said) as caught:
        Plan.from_dict({"networks": ["ResNet-50"], "strategies": ["dWr"], **wrong})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected names with values"),
        ("networks", "expected names with values"),
        ("strategies: [d]", "networks are missing"),
        ("networks: [", "this is not plain YAML"),
        ("networks: !!python/object/apply:os.getcwd []", "this is not plain YAML"),
    ],
)
def test_a_text_that_is_no_plan_is_refused(text, said):
    with pytest.raises(PlanError, match=said):
        Plan.from_yaml(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(PlanError, match=r"none\.yaml cannot be read: No such file"):
        Plan.read(tmp_path / "none.yaml")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(PlanError, match=r"bad\.json is not JSON"):
        Plan.read(tmp_path / "bad.json")


def test_without_pyyaml_a_plan_can_be_json(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    for name in ("plan.json", "plan.yaml"):
        (tmp_path / name).write_text('{"networks": ["ResNet-50"]}')
    assert Plan.read(tmp_path / "plan.json") == Plan("ResNet-50")
    with pytest.raises(PlanError, match=r"takes the package pyyaml; install it, or write JSON"):
        Plan.read(tmp_path / "plan.yaml")


# The plans in data/, to be run on a GPU.

PLANS = Path(__file__).parents[2] / "data" / "plans"


@pytest.fixture(scope="module")
def plans() -> dict[str, fs.Plan]:
    with warnings.catch_warnings():
        # Depth alone comes near some targets, but not within 1 %.
        warnings.simplefilter("ignore", fs.scaling.TargetWarning)
        return {name: fs.Plan.read(PLANS / f"{name}.yaml") for name in ("gpu", "gpu_16gf", "gpu_short")}


def text(name: str) -> str:
    return (PLANS / f"{name}.yaml").read_text("utf-8")


def test_the_plans_for_a_gpu_say_how_many_points_they_have(plans):
    for name, plan in plans.items():
        assert plan.device == "cuda"
        assert f"{len(plan):,} points" in text(name)
    assert read_yaml(text("gpu_largest")) == {**read_yaml(text("gpu")), "batch": "largest", "seconds": 5}
    assert f"{len(plans['gpu']):,} points" in text("gpu_largest")


def test_what_the_short_plan_measures_the_long_one_need_not(plans):
    def points(name: str) -> set:
        return {(each.network_id, each.batch, each.mode, each.precision) for each in plans[name].points()}

    assert points("gpu_short") < points("gpu")
    kept = ("channels_last", "compile", "tf32", "device", "threads")  # by which, too, a row is found again
    assert len({tuple(plans[name].settings[each] for each in kept) for name in ("gpu_short", "gpu")}) == 1
