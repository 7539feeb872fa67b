"""Images that are not square: both sides grow by one factor, and each is rounded."""

import pytest

import fastscale_lib as fs

NAMES = ["RegNetY-400MF", "EfficientNet-B0", "ConvNeXt-Atto", "ViT-Ti/16"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strategy", ["r", "dWr", "w"])
def test_each_side_is_rounded_as_that_of_a_square_image(name, strategy):
    for s in (0.5, 1, 3):
        sides = tuple(fs.scale(fs.network(name, resolution=side), strategy, s).resolution for side in (320, 192))
        assert fs.scale(fs.network(name, resolution=(320, 192)), strategy, s).resolution == sides


@pytest.mark.parametrize("name", NAMES)
def test_a_sweep_is_what_scale_gives(name):
    base, ways, factors = fs.network(name, resolution=(320, 192)), ["r", "dWr", "w"], [0.01, 1, 2.5, 1e9]
    for scales in (factors[:3], factors):  # in arrays; and one by one, where 64 bits are not enough
        swept = fs.sweep(name, ways, scales, resolution=(320, 192))
        scaled = [fs.scale(base, way, s) for way in ways for s in scales]
        assert swept["resolution"].tolist() == [each.resolution for each in scaled]
        assert swept["flops"].tolist() == [fs.complexity(each).flops for each in scaled]


@pytest.mark.parametrize("name", NAMES[:3])
def test_the_nearest_network_of_an_image_on_its_side_counts_the_same(name):
    target = 3 * fs.complexity(name, resolution=(320, 192)).flops
    high, wide = (fs.scale_to(name, "dWr", flops=target, resolution=size) for size in ((320, 192), (192, 320)))
    assert fs.complexity(high) == fs.complexity(wide)
    assert high.resolution == wide.resolution[::-1]
    assert fs.complexity(high).flops == pytest.approx(target, rel=0.01)


def test_a_plan_and_a_store_keep_both_sides(tmp_path):
    plan = fs.Plan("RegNetY-400MF", "dWr", [1, 2], resolution=(96, 64))
    assert fs.Plan.from_yaml(plan.to_yaml()) == plan
    assert plan.frame()["resolution"].tolist() == [(96, 64), (100, 68)]
    store = fs.Store(tmp_path / "rows.jsonl")
    store.add({"network": "RegNetY-400MF", "resolution": [96, 64]})
    store.add({"network": "RegNetY-400MF", "resolution": 224})
    assert fs.Store(store.path).frame()["resolution"].tolist() == [(96, 64), 224]
    assert len(store.find(resolution=(96, 64))) == len(store.find(resolution=[96, 64])) == 1
