"""Shapes that are worked out without torch are the ones that torch gives; where torch refuses, so does the trace."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastscale_lib.architectures.traced.known_shapes import known_result

ATEN: Any = torch.ops.aten
SMALL = st.integers(1, 9)


def empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def agrees(func: Any, args: tuple, **kwargs: Any) -> bool:
    """Whether torch says the same; True also where the shape is left to torch."""
    found = known_result(func, args, kwargs)
    if found is None:
        return True
    wanted = func(*args, **kwargs)
    return found.shape == wanted.shape and found.stride() == wanted.stride() and found.dtype == wanted.dtype


@settings(max_examples=60, deadline=None)
@given(st.tuples(SMALL, SMALL, SMALL, SMALL), st.lists(SMALL, min_size=2, max_size=8), st.data())
def test_a_convolution_has_the_shape_that_torch_gives(x, sizes, data):
    channels, outputs = sizes[:2]
    groups, kernel, stride = (data.draw(st.integers(1, 3)) for _ in range(3))
    padding, dilation = data.draw(st.integers(0, 2)), data.draw(st.integers(1, 2))
    image = empty(x[0], channels * groups, *x[2:])
    weight = empty(outputs * groups, channels, kernel, kernel)
    bias = data.draw(st.sampled_from([None, empty(outputs * groups)]))
    args = image, weight, bias, [stride, stride], [padding, padding], [dilation, dilation], groups
    assert agrees(ATEN.conv2d.default, args)
    plain = image, empty(outputs, channels * groups, 1, 1)
    assert known_result(ATEN.conv2d.default, plain, {}) is not None
    assert known_result(ATEN.conv2d.default, (image, empty(outputs, channels * groups + 1, 1, 1)), {}) is None


@settings(max_examples=40, deadline=None)
@given(st.lists(SMALL, min_size=1, max_size=4), SMALL, SMALL, st.booleans())
def test_linear_layers_have_the_shape_that_torch_gives(shape, inputs, outputs, biased):
    args = empty(*shape, inputs), empty(outputs, inputs), *([empty(outputs)] * biased)
    assert known_result(ATEN.linear.default, args, {}) is not None
    assert agrees(ATEN.linear.default, args)
    assert known_result(ATEN.linear.default, (empty(*shape, inputs + 1), args[1]), {}) is None


@settings(max_examples=40, deadline=None)
@given(st.lists(SMALL, min_size=2, max_size=2), SMALL, SMALL, SMALL, SMALL)
def test_attention_has_the_shape_that_torch_gives(batch, queries, keys, width, values):
    args = empty(*batch, queries, width), empty(*batch, keys, width), empty(*batch, keys, values)
    func = ATEN.scaled_dot_product_attention.default
    found = known_result(func, args, {})
    assert found is not None
    assert found.shape == func(*args).shape


def test_what_keeps_its_shape_keeps_its_strides():
    x = empty(2, 3, 4, 5).permute(0, 2, 3, 1)
    for each in (x, empty(2, 3)):
        assert agrees(ATEN.gelu.default, (each,))
        assert agrees(ATEN.add.Tensor, (each, each))
        assert agrees(ATEN.relu_.default, (each,))
