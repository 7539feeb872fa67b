"""Torch modules: recognised, given images, and traced or refused."""

from __future__ import annotations

import sys
from collections.abc import Mapping
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
            convolution takes, else 3. Default: what the `pretrained_cfg` says that modules of timm have.
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
    from .failures import FailedInside, refusal_of, refuse_what_hides_operators
    from .tracing import trace_module

    module = _unwrapped(module)
    args, kwargs, said = _inputs(module, resolution, example)
    refuse_what_hides_operators(module)
    try:
        return trace_module(module, args, kwargs)
    except FailedInside as failed:
        raise refusal_of(module, failed, said) from None


def image_size(name: str, resolution: Any) -> tuple[int, int]:
    """Return height and width, or refuse the value."""
    return both_sides(check_resolution(f"{name}: resolution", resolution, NetworkError))


def own_size(module: Any) -> tuple[int, int] | None:
    """Return the image height and width that timm publishes for its module and tag; else None."""
    published = getattr(module, "pretrained_cfg", None)
    size = (published.get("input_size") if isinstance(published, Mapping) else None) or ()
    return (int(size[-2]), int(size[-1])) if len(size) == 3 else None


def _inputs(module: Any, resolution: Any, example: Any) -> tuple[tuple, dict[str, Any], str]:
    import torch  # here: `is_module` must not load it
    from torch.utils._pytree import tree_leaves

    if example is not None:
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
        return args, kwargs, "this example"
    height, width = image_size("trace", resolution)
    images = torch.nn.Conv2d, torch.nn.ConvTranspose2d
    channels = next((each.in_channels for each in module.modules() if isinstance(each, images)), 3)
    published = getattr(module, "pretrained_cfg", None)  # of timm; not all begin with a convolution of the image
    if isinstance(published, Mapping) and len(published.get("input_size") or ()) == 3:
        channels = module.pretrained_cfg["input_size"][0] if channels not in (1, 3) else channels
    dtype = next((each.dtype for each in module.parameters() if each.is_floating_point()), torch.float32)
    image = torch.empty(1, channels, height, width, dtype=dtype, device="meta")
    return (image,), {}, f"1 × {channels} × {height} × {width} images"


def _unwrapped(module: Any) -> Any:
    """Return the module within torch.compile, DataParallel and DistributedDataParallel."""
    children = dict(module.named_children())
    if len(children) == 1 and type(module).__module__.startswith("torch."):
        for name in ("_orig_mod", "module"):
            if name in children:
                return _unwrapped(children[name])
    return module
