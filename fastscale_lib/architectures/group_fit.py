"""Widths of which whole groups can be made."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from .._common.integers import (
    at_least,
    at_most,
    choose,
    first_within,
    lcm,
    nearest,
    nearest_multiple,
    nearest_quotient,
    one_by_one,
    whole_multiple,
    whole_quotient,
)


def fit(width: Any, bottleneck: float, group_width: Any) -> tuple[Any, Any]:
    """Return the nearest width and group width that make whole groups.

    Both may be numbers or arrays. The rule is that of pycls (`adjust_block_compatibility`, the code of Dollár et al.
    2021), in its own float arithmetic: the inner width, width × bottleneck without its fraction, goes to the nearest
    multiple of the group width (of both group width and bottleneck, where that is above 1), and the width with it.
    pycls refuses a bottleneck such as 1.5, and widths of which width × bottleneck is then no multiple of the group
    width. There the width stays if its rounded inner width is such a multiple, and else goes to the nearest one whose
    is.
    """
    inner = at_least(1, nearest_multiple(width, bottleneck))
    groups = at_most(inner, group_width)
    if bottleneck == int(bottleneck):
        whole = lcm(groups, int(bottleneck))
        fitted = whole * at_least(1, nearest(inner / whole)) // int(bottleneck)
    elif bottleneck < 1:
        fitted = nearest_quotient(groups * at_least(1, nearest(inner / groups)), bottleneck)
    else:
        fitted = one_by_one(lambda w, g: _nearest_fit(w, bottleneck, g), width, groups)
    fitted = choose(fits(width, bottleneck, groups), width, fitted)
    if bottleneck >= 1:
        return fitted, groups
    # pycls may take what it does not make: so that what was made to fit stays as it is, that goes by its rule too.
    fitted, groups = _fit_of_pycls(fitted, bottleneck, groups, (fitted, groups))
    return _fit_of_pycls(width, bottleneck, group_width, (fitted, groups))


def grain(bottleneck: float, group_width: Any, step: int) -> Any:
    """Return the step, a multiple of `step`, by which widths keep making whole groups.

    For a bottleneck such as 0.75 or 1.5 widths that fit do not follow each other evenly: it is about so much there.
    """
    if not _is_simple(bottleneck):
        return np.maximum(step, np.ceil(group_width / bottleneck).astype(int))
    if bottleneck < 1:
        return lcm(step, at_least(1, nearest(group_width / bottleneck)))
    whole = round(bottleneck)
    return lcm(step, lcm(group_width, whole) // whole)


def fits(width: Any, bottleneck: float, group_width: Any) -> Any:
    """Tell whether the inner width that is built is at least one group, and whole groups."""
    inner = nearest_multiple(width, bottleneck)
    return (inner >= 1) & (inner % group_width == 0)


def _is_simple(bottleneck: float) -> bool:
    """Tell whether it is a whole number or one over a whole number, as in published networks."""
    return any(abs(each - round(each)) < 1e-9 * each for each in (bottleneck, 1 / bottleneck))


def _fit_of_pycls(width: Any, bottleneck: float, group_width: Any, otherwise: tuple) -> tuple[Any, Any]:
    """Fit a bottleneck below 1 as pycls does; `otherwise` where pycls refuses its own fit."""
    inner = at_least(1, whole_multiple(width, bottleneck))
    groups = at_most(inner, group_width)
    fitted = whole_quotient(groups * at_least(1, nearest(inner / groups)), bottleneck)
    taken = (fitted * bottleneck % groups == 0) & fits(fitted, bottleneck, groups)
    return choose(taken, fitted, otherwise[0]), choose(taken, groups, otherwise[1])


def _nearest_fit(width: int, bottleneck: float, group_width: int) -> int:
    """Find the nearest width whose inner width fits.

    For a bottleneck such as 1.5 not every inner width belongs to a width.
    """
    if fits(width, bottleneck, group_width):
        return width
    found = [_next_fit(width, bottleneck, group_width, direction) for direction in (-1, 1)]
    return min((each for each in found if each), key=lambda each: abs(each - width))


def _next_fit(width: int, bottleneck: float, group_width: int, direction: int) -> int | None:
    """Find the first width that fits, from this one on, up or down; None if none is above 0."""
    p, q = Fraction(bottleneck).as_integer_ratio()
    # A width w fits where w · p/q is within 1/2 of a multiple of the group width: where 2·w·p + q, modulo
    # 2·q·group width, is at most 2·q. What is built is rounded from the float product, which near a half may go
    # either way: such widths are looked at, and passed by if they do not fit.
    modulus, near = 2 * q * group_width, q >> 20
    while width >= 1:
        steps = first_within(2 * width * p + q, 2 * p * direction, modulus, -near, 2 * q + near)
        if steps is None:
            return None
        width += direction * steps
        if width >= 1 and fits(width, bottleneck, group_width):
            return width
        width += direction
    return None
