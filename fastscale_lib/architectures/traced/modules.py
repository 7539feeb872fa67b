"""Torch modules: recognised, given images, and traced or refused."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..._common.checks import shown
from ..parts import NetworkError
from ..resolutions import Resolution, both_sides, check_resolution
from .records import Trace


def is_module(value: Any) -> bool:
    """Tell whether the value is a torch module; where torch is not loaded, nothing is."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def trace(module: Any, *, resolution: Resolution | None = None, example: Any = None) -> Trace:
    """Trace one forward pass of a torch module, without data and without changing the module.

    Its `complexity` has the counts, by pycls's convention and by that of torch's FlopCounterMode; its `operations` are
    all that run, with shapes, elements moved, and the names of the modules that call them.

    Arguments:
        module: a torch module, on any device; it runs as in evaluation.
        resolution: side of the images in pixels, or (height, width). They have as many channels as the first
            registered convolution takes, or else as the one that fails on these, or 3. Default: what the
            `pretrained_cfg` says that modules of timm have.
        example: what the module is called with, instead of images: a tensor, a tuple of arguments, or a dict of
            keywords. Counts are of this example, as it is.

    Raises:
        NetworkError: (a ValueError) this is no torch module, neither resolution nor example is given, or the module
            does not take the input or looks at its values.
    """
    if not is_module(module):
        raise NetworkError(f"trace: {shown(module)} is not a torch module")
    if resolution is None and example is None:
        resolution = own_size(module)
    if (resolution is None) == (example is None):
        one = "give resolution=224 for images, or example= for anything else"
        why = "a module does not tell its input" if example is None else "both are given, and an example has its size"
        raise NetworkError(f"trace: {one}: {why}")
    module = _unwrapped(module)
    if example is None:
        return _trace_images(module, resolution)[0]
    from .failures import FailedInside, refusal_of, refuse_what_hides_operators
    from .tracing import trace_module

    args, kwargs = _given(example)
    refuse_what_hides_operators(module)
    try:
        return trace_module(module, args, kwargs)
    except FailedInside as failed:
        raise refusal_of(module, failed, "this example") from None


def image_channels(module: Any, resolution: Resolution) -> int:
    """Find how many channels a module's images have: those that a trace takes, else 3."""
    module = _unwrapped(module)
    if _guessed_channels(module)[0] == 3:
        return 3
    try:
        return _trace_images(module, resolution)[1]
    except NetworkError:  # as of a module that looks at values, which can run nevertheless
        return 3


def image_size(name: str, resolution: Any) -> tuple[int, int]:
    """Return height and width, or refuse the value."""
    return both_sides(check_resolution(f"{name}: resolution", resolution, NetworkError))


def own_name(module: Any) -> str | None:
    """Return the name under which timm publishes its module; else None."""
    published = getattr(module, "pretrained_cfg", None)
    name = published.get("architecture") if isinstance(published, Mapping) else None
    return name if isinstance(name, str) and name else None


def own_size(module: Any) -> tuple[int, int] | None:
    """Return the image height and width that timm publishes for its module and tag; else None."""
    published = getattr(module, "pretrained_cfg", None)
    size = (published.get("input_size") if isinstance(published, Mapping) else None) or ()
    return (int(size[-2]), int(size[-1])) if len(size) == 3 else None


def _given(example: Any) -> tuple[tuple, dict[str, Any]]:
    """Return the arguments and keywords of a forward pass."""
    import torch  # here: `is_module` must not load it
    from torch.utils._pytree import tree_leaves

    kwargs = dict(example) if isinstance(example, Mapping) else {}
    # A named tuple is one argument, as a PackedSequence is.
    args = () if kwargs else tuple(example) if type(example) in (tuple, list) else (example,)
    try:
        has_tensor = any(isinstance(each, torch.Tensor) for each in tree_leaves((args, kwargs)))
    except RecursionError:  # a list that holds itself
        has_tensor = False
    if not has_tensor:
        raise NetworkError(
            f"trace: example is {shown(example)}, but must be a tensor such as torch.zeros(1, 3, 224, 224), or a "
            "tuple or dict with one"
        )
    return args, kwargs


def _trace_images(module: Any, resolution: Any) -> tuple[Trace, int]:
    """Trace the module on an image, and return how many channels it had.

    The first registered convolution need not be the first that runs: where its channels are not taken, those of the
    one that failed are tried, or 3.
    """
    import torch

    from .failures import FailedInside, refusal_of, refuse_what_hides_operators
    from .tracing import trace_module

    height, width = image_size("trace", resolution)
    guess, told_by = _guessed_channels(module)
    dtype = next((each.dtype for each in module.parameters() if each.is_floating_point()), torch.float32)

    def traced(channels: int) -> Trace:
        image = torch.empty(1, channels, height, width, dtype=dtype, device="meta")
        return trace_module(module, (image,), {})

    refuse_what_hides_operators(module)
    try:
        return traced(guess), guess
    except FailedInside as failed:
        other = getattr(dict(module.named_modules())[failed.name], "in_channels", 3)
        if other != guess and isinstance(other, int):
            with suppress(FailedInside):
                return traced(other), other
        said, example = f"1 × {guess} × {height} × {width} images", ""
        if guess != 3:
            said, example = f"{said}, of the channels of {told_by}", f"torch.empty(1, 3, {height}, {width})"
        raise refusal_of(module, failed, said, example) from None


def _guessed_channels(module: Any) -> tuple[int, str]:
    """Return the channels that the module's images may have, and what tells them."""
    import torch

    images = torch.nn.Conv2d, torch.nn.ConvTranspose2d
    convolutions = ((each.in_channels, repr(name)) for name, each in module.named_modules() if isinstance(each, images))
    channels, told_by = next(convolutions, (3, ""))
    published = getattr(module, "pretrained_cfg", None)  # of timm; not all begin with a convolution of the image
    if channels not in (1, 3) and isinstance(published, Mapping) and len(published.get("input_size") or ()) == 3:
        return published["input_size"][0], "its pretrained_cfg"
    return channels, told_by


def _unwrapped(module: Any) -> Any:
    """Return the module within torch.compile, DataParallel and DistributedDataParallel."""
    children = dict(module.named_children())
    if len(children) == 1 and type(module).__module__.startswith("torch."):
        for name in ("_orig_mod", "module"):
            if name in children:
                return _unwrapped(children[name])
    return module
