"""The explorer takes a family of modules: what it draws was made and counted, and what it cannot do is said."""

from __future__ import annotations

import asyncio
import base64
import zlib
from contextlib import closing

import numpy as np
import pytest
from helpers.explorer_view import trace
from torch import nn
from traitlets import TraitError

import fastscale_lib as fs
from fastscale_lib.explorer.family_views import FAMILY_NOTE, FAMILY_SCALES

MADE: list[int] = []


class Plain(nn.Sequential):
    """Convolutions of the same width."""

    def __init__(self, blocks: int = 2, channels: int = 16) -> None:
        MADE.append(blocks)
        middle = [nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(blocks)]
        super().__init__(nn.Conv2d(3, channels, 3, 2, 1), *middle, nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.fixture
def family() -> fs.architectures.Family:
    return fs.family(Plain, resolution=32, depth={"blocks": 2}, width={"channels": 16})


@pytest.fixture
def x(family):
    made = fs.explore(family, ["w", "dwr"], 0.5, 4.0)
    yield made
    made.close()


def counted(x) -> dict[str, set[tuple[int, int]]]:
    """Flops and activations of the networks of each row that the page gets."""
    header = x._base
    low, high = np.frombuffer(zlib.decompress(base64.b64decode(header["arrays"])), np.uint8).reshape(2, -1).astype(int)
    arrays = np.cumsum(low + 256 * high) % 2**16
    size = header["networks"]
    planes = [arrays[start * size : (start + 1) * size] for start in range(12)]
    flops, _, activations = (
        np.sum([planes[4 * count + k] << (16 * k) for k in range(4)], axis=0) for count in range(3)
    )
    index = arrays[-len(header["rows"]) * header["steps"] :].reshape(len(header["rows"]), -1)
    return {
        name: {(int(flops[each]), int(activations[each])) for each in index[row]}
        for row, name in enumerate(header["rows"])
    }


def test_every_drawn_point_was_counted(x, family):
    for name, row in (("w", "w"), ("dwr", "dwr"), ("alpha=0.5", "α=0.5")):
        counts = fs.sweep(family, name, sorted({*FAMILY_SCALES, 4.0}))
        assert counted(x)[row] == set(zip(counts["flops"], counts["activations"], strict=True))
        shown = trace(x.to_figure(), {"α=0.5": "α"}.get(row, row))
        assert list(shown.x) == counts["flops"].tolist()
        assert list(shown.y) == counts["activations"].tolist()
    assert x.counted("w") == fs.complexity(fs.scale(family, "w", 4))
    assert FAMILY_NOTE in [each.text for each in x.to_figure().layout.annotations]
    assert FAMILY_NOTE.startswith("each marker is a module that was made and counted")


def test_a_move_over_known_points_makes_no_module(x):
    x.scale, x.alpha = 2.0, 0.25
    before = len(MADE)
    x.scale, x.alpha = 4.0, 0.5
    assert x.counted() == fs.complexity(x.scaled())
    assert len(MADE) == before


def test_what_a_family_has_instead_is_said(x, family):
    x.shown = "w"
    assert "kwargs = {'blocks': 2, 'channels': 32}" in x.to_python()
    with pytest.raises(TraitError, match="a module has no YAML; save Python"):
        x.to_yaml()
    x.time()
    assert "fs.measure(explorer.scaled()) times it" in x.message
    assert x.to_csv().count("\n") == 1 + 3 * len(FAMILY_SCALES)
    assert "plotly" in x.to_html()
    with pytest.raises(TraitError, match=r"sides are .* at most; try"):
        fs.explore(family.at((32, 65536)))


def test_a_family_of_images_that_are_not_square_is_explored(family):
    with closing(fs.explore(family.at((32, 64)), ["w"], 0.5, 4.0)) as x:
        assert x.resolution == (32, 64)
        assert x.counted("w") == fs.complexity(fs.scale(family.at((32, 64)), "w", 4))
        x.resolution = (64, 32)
        assert x.scaled("w").resolution == (64, 32)
        assert x.counted("w").flops == fs.complexity(fs.scale(family.at((64, 32)), "w", 4)).flops


def test_in_a_kernel_the_curves_follow_the_marks(family):
    async def explored() -> tuple[int, int]:
        x = fs.explore(family, ["w"], 0.5, 4.0)
        first = len(counted(x)["w"])
        while x.status:
            await asyncio.sleep(0)
        last = len(counted(x)["w"])
        x.close()
        return first, last

    first, last = asyncio.run(explored())
    sizes = fs.sweep(family, "w", sorted({*FAMILY_SCALES, 4.0}))
    assert (first, last) == (1, len(set(zip(sizes["flops"], sizes["activations"], strict=True))))
