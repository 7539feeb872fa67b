"""Sizes of images in pixels: a side, or (height, width) in torch's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from .._common.checks import LARGEST, check_whole, shown

Resolution: TypeAlias = int | tuple[int, int]  # side of square images, or (height, width)


def check_resolution(
    name: str, value: Any, error: type[Exception], least: int = 1, most: float = LARGEST, remedy: str = ""
) -> Resolution:
    """Return a side as an int, or a pair of two different ints; (n, n) is n.

    Anything else raises `error`.

    Arguments:
        name: the beginning of the sentence, such as "network: resolution".
        least, most: bounds of each side; default: of at least 1.
        remedy: the end of the sentence, such as "; try resolution=224"; default: none.
    """
    if not isinstance(value, tuple | list):
        return check_whole(name, value, error, least, most, f", or a pair (height, width){remedy}")
    if len(value) != 2:
        raise error(f"{name} is {shown(value)}, but must be a side in pixels, or a pair (height, width){remedy}")
    named = zip(("height", "width"), value, strict=True)
    height, width = (check_whole(f"{name}: {side}", each, error, least, most, remedy) for side, each in named)
    return one_or_pair(height, width)


def one_or_pair(height: Any, width: Any) -> Any:
    """Return one side where both are equal, else (height, width)."""
    return height if height == width else (height, width)


def both_sides(resolution: Any) -> tuple[Any, Any]:
    """Return height and width."""
    return resolution if isinstance(resolution, tuple) else (resolution, resolution)


def each_side(change: Callable[[Any], Any], side: Any) -> Any:
    """Apply a function to the side, or to height and width; numbers, or arrays per network."""
    return (change(side[0]), change(side[1])) if isinstance(side, tuple) else change(side)


def pixels(side: Any) -> Any:
    """Count the pixels of an image of this side, or of this (height, width)."""
    return side[0] * side[1] if isinstance(side, tuple) else side * side


def side_text(resolution: Any) -> str:
    """Write the side, or height × width where they differ: "224", "1280×800"."""
    return "×".join(map(str, resolution)) if isinstance(resolution, tuple) else str(resolution)


def size_text(resolution: Any) -> str:
    """Write height × width: "224×224", "1280×800"."""
    height, width = both_sides(resolution)
    return f"{height}×{width}"
