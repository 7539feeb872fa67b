"""Exponents for a device: what the text says of maps, rules and layers comes out of the library."""

import pytest
from helpers.notebooks import named, tables
from helpers.played_notebooks import played

import fastscale_lib as fs

EXPONENTS = named("10_exponents_for_a_device")
NAMES = ["RTX 4090", "RTX 3090", "RTX 5090", "Core i7-12700H"]
RULES = ["w", "dWr", "dwr", "EfficientNet-B1 to B7", "EfficientNet-X, GPU", "ResNet-RS"]


@pytest.fixture(scope="module")
def devices():
    return fs.analysis.device_settings(NAMES)


@pytest.fixture(scope="module")
def compared(devices):
    maps = {each.title: fs.analysis.exponent_map("EfficientNet-B0", each, 8) for each in devices}
    return fs.analysis.compare_rules(maps)


def test_the_table_of_rules_is_the_library_s(executed, compared):
    shown = tables(executed(EXPONENTS))[1]
    assert shown[0][1:] == list(compared.columns)
    assert [row[1:] for row in shown[1:]] == compared.to_numpy().tolist()


def test_on_gpus_width_is_fastest_and_on_the_cpu_fast_scaling_is_near(compared):
    gpus = compared.filter(like="RTX")
    assert gpus.shape[1] == 7
    for title in gpus:
        _, w, _ = map(int, compared.loc["fastest: d–w–r, %", title].split("–"))
        assert w >= 90, title
        times = gpus[title].drop("fastest: d–w–r, %").astype(float)
        assert times["w"] <= 1.02
        assert 1.1 <= times["dWr"] <= 1.2
        assert times.drop(["w", "dWr"]).min() >= 1.35
    [cpu] = set(compared) - set(gpus)
    times = compared[cpu].drop("fastest: d–w–r, %").astype(float)
    assert abs(times["dWr"] - times["w"]) <= 0.03
    assert times.drop("ResNet-RS").max() <= 1.4


def test_data_decides_on_the_gpu_and_arithmetic_on_the_cpu(devices):
    first, last = (fs.analysis.time_by_kind("EfficientNet-B0", each, 8, RULES) for each in (devices[0], devices[-1]))
    moved = ["conv depthwise", "smooth", "norm", "pointwise", "pool"]
    for rule in RULES[2:]:
        longer = first.loc[rule] - first.loc["w"]
        assert longer[moved].sum() > 0.5 * longer["all"]
    dense = last["conv 1×1"].to_dict()
    assert dense["w"] > 0.5
    assert dense["dwr"] < dense["w"]


def test_another_network_and_one_device_will_do():
    given = {"network": "RegNetX-200MF", "device_names": ["core-i7-12700h"], "steps": 4, "rules": ["dwr"]}
    assert len(tables(played(EXPONENTS, given | {"scale": 2.0}))) == 4


def test_a_device_without_a_profile_ends_in_one_sentence():
    with pytest.raises(fs.prediction.PredictionError, match="there is no profile of 'H999'"):
        played(EXPONENTS, {"device_names": ["H999"]})
