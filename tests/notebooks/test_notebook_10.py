"""Exponents for a device: maps, rules and layers are told as the library has them."""

import pytest
from helpers.notebooks import named, tables, texts
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


def test_tables_and_sentences_are_the_library_s(executed, devices, compared):
    shown = tables(executed(EXPONENTS))[1]
    assert [row[0] for row in shown[2:]] == list(compared.index)
    for row, own in zip(shown[2:], compared[shown[0][2:]].to_numpy(), strict=True):
        assert row[2:] == [f"{ratio:.2f}" for ratio in own]
    first, last = (fs.analysis.time_by_kind("EfficientNet-B0", each, 8, RULES) for each in (devices[0], devices[-1]))
    assert texts(executed(EXPONENTS)) == [
        fs.analysis.rules_text(compared, RULES),
        *map(fs.analysis.kinds_text, (first, last)),
        fs.analysis.profile_errors_text(devices),
    ]


def test_another_network_and_one_device_will_do():
    given = {"network": "RegNetX-200MF", "device_names": ["core-i7-12700h"], "steps": 4, "rules": ["dwr"]}
    other = played(EXPONENTS, given | {"scale": 2.0})
    assert len(tables(other)) == 4
    assert texts(other)[0].startswith("On 1 device setting, width has ")


def test_a_device_without_a_profile_ends_in_one_sentence():
    with pytest.raises(fs.prediction.PredictionError, match="there is no profile of 'H999'"):
        played(EXPONENTS, {"device_names": ["H999"]})
