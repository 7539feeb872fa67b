"""Families in training: of a callable that can be imported, for the data's channels and classes."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.images import data
from helpers.importable_net import ImportableNet

import fastscale_lib as fs
from fastscale_lib.architectures import NetworkError
from fastscale_lib.records import SettingError
from fastscale_lib.training.recipe import RecipeError

RECIPE = fs.Recipe(epochs=1, batch=16)


def family(make: Any = ImportableNet, **more: Any) -> fs.architectures.Family:
    return fs.family(make, resolution=8, width={"channels": 16}, **{"images": 1, **more})


def stripes() -> Any:
    return data(classes=10, side=10)


def quiet(step: Any) -> None:
    pass


def test_a_family_is_trained_once_and_found_again(tmp_path):
    scaled = fs.scale(family(), "w", 2)
    how: dict[str, Any] = {"store": tmp_path / "rows.jsonl", "device": "cpu", "progress": quiet}
    row = fs.train(scaled, stripes(), RECIPE, **how)
    assert (row["network"], row["base"], row["strategy"], row["scale"]) == (scaled.name, "ImportableNet", "w", 2)
    assert 0 <= row["top1_error"] <= 100
    assert row["flops"] == fs.complexity(scaled).flops
    assert (row["description"], row["made_by"]["make"]) == (None, "helpers.importable_net.ImportableNet")
    assert fs.train(fs.scale(family(), "w", 2), stripes(), RECIPE, **how) == row


def test_networks_that_do_not_fit_the_data_are_refused():
    with pytest.raises(SettingError, match="does not take the images of stripes, of 1 channel "):
        fs.train(family(images=3), stripes(), RECIPE)
    with pytest.raises(SettingError, match=r"makes \(2, 10\) of 2 images, but stripes has 4 classes"):
        fs.train(family(), data(classes=4), RECIPE)
    with pytest.raises(SettingError, match="trained on square ones"):
        fs.train(family().at((8, 16)), stripes(), RECIPE)
    with pytest.raises(RecipeError, match="drop_path cannot be set of ImportableNet; give them to its callable"):
        fs.train(family(), stripes(), fs.Recipe(drop_path=0.1))


def test_what_is_not_found_again_is_refused():
    module: Any = ImportableNet(images=1)
    with pytest.raises(NetworkError, match=r"a torch module \(ImportableNet\) has weights already, .*fs.family"):
        fs.train(module, stripes(), RECIPE)
    mine = fs.family(lambda w: ImportableNet(channels=w(16), images=1), resolution=8)
    with pytest.raises(NetworkError, match="no name by which its rows are found again: it is a lambda"):
        fs.train(mine, stripes(), RECIPE)
