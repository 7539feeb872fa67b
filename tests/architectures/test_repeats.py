"""Depths between two traces: counted without a module where the traces prove it, else traced."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from helpers.other_libraries import import_library
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import fastscale_lib as fs
from fastscale_lib.architectures.traced.repeats import between

timm = import_library("timm")


@cache
def family_of(name: str) -> fs.architectures.Family:
    given: dict[str, Any] = {
        "convnext_atto": {"depth": {"depths": (2, 2, 6, 2)}},
        "vit_tiny_patch16_224": {"depth": {"depth": 12}},
        "resnet18": {"depth": {"layers": (2, 2, 2, 2)}},
    }.get(name, {})
    return fs.family(timm.create_model, name, resolution=64 if "vit" not in name else 224, cache=False, **given)


def at_depths(family: fs.architectures.Family, factor: float) -> fs.architectures.Family:
    return fs.scale(family, depth=factor)


PROVEN = {"convnext_atto": 0.34, "vit_tiny_patch16_224": 0.17, "efficientnetv2_rw_t": 1.0, "resnet18": 1.0}


@pytest.mark.parametrize("name", PROVEN)
def test_what_lies_between_two_traces_is_the_trace_itself(name):
    family = family_of(name)
    low, high = (at_depths(family, each) for each in (PROVEN[name], 3))
    traces = low.trace(), high.trace()
    for factor in (1, 1.5, 2.2):
        wanted = at_depths(family, factor)
        found = between(traces[0], low.depths, traces[1], high.depths, wanted.depths)
        assert found is not None
        assert found.operations == wanted.trace().operations
        assert dict(found.parameters) == dict(wanted.trace().parameters)


@pytest.mark.parametrize("name", ["convnext_atto", "regnety_002", "vit_tiny_patch16_224", "efficientnetv2_rw_t"])
def test_a_sweep_over_depths_counts_what_modules_do(name):
    family, scales = family_of(name), [1, 1.4, 2, 2.7, 4, 5.5]
    before = family._maker.traces.made
    counts = fs.sweep(family, "d", scales, stages=False)
    made = family._maker.traces.made - before
    for s, flops, params in zip(scales, counts["flops"], counts["params"], strict=True):
        traced = fs.scale(family, "d", s).trace().complexity
        assert (flops, params) == (traced.flops, traced.params)
    assert (made < len(scales) - 1) == (name != "regnety_002")  # whose widths change with its depth


class Blocks(nn.Sequential):
    """Blocks that are alike, unless told otherwise."""

    def __init__(self, depths: tuple[int, ...], odd: str = "") -> None:
        stages = []
        for number, depth in enumerate(reversed(depths) if odd == "reversed" else depths):
            made = [self.block(each, depth, number, odd) for each in range(depth)]
            stages.append(nn.Sequential(*made))
        super().__init__(nn.Conv2d(3, 8, 3, 1, 1), *stages, nn.AdaptiveAvgPool2d(1))

    @staticmethod
    def block(number: int, depth: int, stage: int, odd: str) -> nn.Module:
        kernel = 3 + 2 * stage
        if odd == "every fourth" and number % 4 == 3:
            kernel = 1
        if odd == "by depth" and depth > 5:
            kernel = 1
        if odd == "the last" and number == depth - 1:
            kernel = 1
        return nn.Sequential(nn.Conv2d(8, 8, kernel, 1, kernel // 2), nn.ReLU())


def traced(depths: tuple[int, ...], odd: str = "") -> Any:
    return fs.architectures.trace(Blocks(depths, odd), resolution=16)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(2, 6), st.integers(2, 6)), min_size=3, max_size=3),
    st.sampled_from(["", "reversed", "every fourth", "by depth", "the last"]),
)
def test_any_depths_between_are_exact_or_refused(drawn, odd):
    low, high = (tuple(end(pair) for pair in zip(*drawn, strict=True)) for end in (min, max))
    found = between(traced(low, odd), low, traced(high, odd), high, drawn[0])
    assert found is None or found.operations == traced(drawn[0], odd).operations
    apart = high[0] - low[0] != high[1] - low[1] or drawn[0][0] == drawn[0][1]
    assert found is not None or odd or not apart


@pytest.mark.parametrize("odd", ["every fourth", "by depth", "the last"])
def test_blocks_that_differ_are_traced(odd):
    assert between(traced((2, 2), odd), (2, 2), traced((10, 10), odd), (10, 10), (6, 6)) is None
    family = fs.family(Blocks, odd=odd, resolution=16, depth={"depths": (2, 2)})
    assert len({fs.scale(family, depth=each).complexity for each in (1, 5, 3)}) == 3
    assert fs.complexity(fs.scale(family, depth=3)) == traced((6, 6), odd).complexity


def test_depths_that_cannot_be_told_apart_are_traced():
    for odd in ("", "reversed"):
        ends = traced((2, 2), odd), (2, 2), traced((8, 8), odd), (8, 8)
        assert between(*ends, (3, 5)) is None
        assert between(*ends, (5, 5)) is not None
        assert between(*ends, (9, 9)) is None
