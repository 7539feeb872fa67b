"""Families of networks from a callable that returns modules, with confirmed keywords."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..._common.checks import check_flag, check_text, shown
from ..parts import NetworkError
from ..resolutions import Resolution
from .confirming import confirm_factors, confirm_keywords
from .keywords import numbers
from .maker import Maker
from .module_family import Family
from .modules import image_size, is_module, own_name, own_size
from .sources import FunctionOfFactors, Keywords, Size

_FACTORS = ("d", "w", "r")


def family(
    make: Callable[..., Any],
    *args: Any,
    resolution: Resolution | Mapping[str, Any] | None = None,
    depth: Mapping[str, Any] | None = None,
    width: Mapping[str, Any] | None = None,
    example: Any = None,
    name: str | None = None,
    cache: bool = True,
    **keywords: Any,
) -> Family:
    """Make a family of networks from a callable that returns a torch module.

    Modules are made without data, and traced. Each keyword or factor is confirmed: doubled, it must add layers, or
    widen them.

        fs.family(timm.create_model, "convnext_tiny", depth={"depths": (3, 3, 9, 3)},
                  width={"dims": (96, 192, 384, 768)}, resolution=224)
        fs.family(timm.create_model, "vit_small_patch16_224", depth={"depth": 12},
                  width={"embed_dim": 384, "num_heads": 6}, resolution={"img_size": 224})
        fs.family(lambda d, w, r: MyNet(blocks=d(4), channels=w(64)), resolution=64)
        fs.family(timm.create_model, "efficientnet_b0")

    Depths are rounded to the nearest whole number, and to one at least; widths to multiples of 8, or the next step that
    the modules take; with heads among them, to whole heads, so that a head keeps its width; the resolution to multiples
    of 4, or the next step. Multipliers, such as 1.0, are not rounded. Group widths are widths: strategies that scale
    them apart are taken as if they did not.

    Arguments:
        make: called with args and keywords, it returns a module; or a function of d, w and r (or some of these), which
            it calls with base values.
        args: given to `make` first.
        resolution: side of the base's images in pixels, or (height, width); as {"img_size": 224} where a keyword holds
            it. Default: that of the module's `pretrained_cfg`, or the default of an argument that is named for it
            (img_size, image_size, input_size, resolution); the family says which. Without either it must be given.
        depth: keywords that hold numbers of blocks, with the base's values: a number, or a list of them. Default, where
            width is not given either: proposed from the arguments that reach the module's class.
        width: keywords that hold widths, with the base's values; numbers of heads among them.
        example: what the module is called with, instead of images; or a function of (height, width) that returns it.
        name: default: what `make` is called, or its first argument where that is a text.
        cache: whether counts are kept on disk ($XDG_CACHE_HOME or ~/.cache, fastscale/counts), as they are for
            functions of installed packages, by version and arguments; default: True. So does FASTSCALE_CACHE=0.
        keywords: given to `make`, and not scaled.

    Returns:
        A Family. `scale`, `scale_to`, `sweep`, `complexity`, `layers` and `build` take it; `kwargs` are its keywords.

    Raises:
        NetworkError: (a ValueError) make is no callable, is a module already, takes no such keyword or makes no module;
            nothing tells the resolution; a keyword does not do what it is given for; or none is found that does.
    """
    if not callable(make):
        raise NetworkError(f"family: {shown(make)} is not a callable that returns a module; give its class or function")
    if is_module(make):
        kind = type(make).__name__
        raise NetworkError(
            f"family: this {kind} is made already, and keeps its sizes; give what makes it, as fs.family({kind}, "
            "depth={...}, width={...}), or a function of d, w and r; fs.complexity(module, resolution=224) counts it"
        )
    cache = check_flag("family: cache", cache, NetworkError)
    if name is not None:
        check_text("family: name", name, NetworkError)
    deep, wide = _values("depth", depth), _values("width", width)
    title = name or next((each for each in args[:1] if isinstance(each, str)), None) or _name_of(make)
    image, size = _image(resolution)
    call = example if callable(example) or example is None else partial(_the_same, example)
    own = _factor_names(make) if not (args or keywords or deep or wide) else ()
    if own:
        height, _ = size = size or _told_size(title, make, None, example)[0]
        factors = FunctionOfFactors(make, own, height, (make, [own, height]))
        maker = Maker(title, factors, size, cache, call)
        maker.counts(maker.keywords(), size)  # refuses what cannot be made or traced
        maker.confirmed = confirm_factors(maker, factors)
        return Family(maker)
    values = {**keywords, **deep, **wide, **image}
    memo = make, [*args, keywords]
    source = Keywords(make, args, values, tuple(deep), tuple(wide), tuple(image), memo)
    maker, said = Maker(title, source, size or (224, 224)), ""
    base = maker.module(maker.keywords(), maker.size)
    if size is None:
        size, said = _told_size(title, make, base, example)
    if depth is None and width is None:
        from .proposals import propose

        source = propose(make, args, {**keywords, **image}, base)
        if len(source.missing) == 2:
            raise NetworkError(
                f"family: no keyword of {title} is found that adds or widens layers; give depth={{...}}, width={{...}}"
            )
    maker = Maker(title, source, size, cache, call, said)
    if depth is not None or width is not None:
        confirm_keywords(maker, source)
    maker.counts(maker.keywords(), size)
    return Family(maker)


def family_of_one(module: Any, resolution: Resolution | None) -> Family:
    """Take a module that is made already for a family of a single size."""
    name = type(module).__name__
    size = own_size(module) if resolution is None else image_size("network", resolution)
    if size is None:
        raise NetworkError(f"network: a {name} does not tell how large its images are; give resolution=224")
    return Family(Maker(own_name(module) or name, FunctionOfFactors(Held(module), (), size[0]), size, keep=False))


def _the_same(example: Any, size: Size) -> Any:
    return example


@dataclass(frozen=True)
class Held:
    """Returns a module that is there already."""

    module: Any

    def __call__(self) -> Any:
        return self.module


def _values(which: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(each, str) for each in given):
        raise NetworkError(f"family: {which} is {shown(given)}, but must name keywords and their values, as a dict")
    for name, value in given.items():
        found = numbers({name: value}, name)
        if not found or any(each < 0 for each in found) or not sum(found):
            raise NetworkError(
                f"family: {which} {name} is {shown(value)}, but must be a number above 0, or a list of them"
            )
    return dict(given)


def _image(resolution: Any) -> tuple[dict[str, Any], Size | None]:
    if not isinstance(resolution, Mapping):
        return {}, None if resolution is None else image_size("family", resolution)
    sizes = {image_size("family", each) for each in resolution.values()}
    if len(sizes) != 1 or not all(isinstance(each, str) for each in resolution):
        raise NetworkError(
            f"family: resolution is {shown(resolution)}, but must name keywords of one and the same size"
        )
    return dict(resolution), sizes.pop()


_IMAGE_NAMES = ("img_size", "image_size", "input_size", "resolution")  # of arguments that hold the side of the images


def _told_size(title: str, make: Callable[..., Any], module: Any, example: Any) -> tuple[Size, str]:
    """Return the image size that timm publishes or an argument has by default, and its source."""
    size = own_size(module)
    if size is not None:
        return size, "its pretrained_cfg"
    for name in _IMAGE_NAMES:
        try:
            return image_size("family", _defaults(make)[name]), f"the default of {name}"
        except (KeyError, NetworkError):  # it has no such argument, or no size by default
            continue
    if example is not None and not callable(example):
        return (224, 224), "no image, but its example"
    raise NetworkError(
        f"family: nothing says how large the images of {title} are; give resolution=224, or "
        'resolution={"img_size": 224} where a keyword holds it'
    )


def _defaults(make: Callable[..., Any]) -> dict[str, Any]:
    try:
        return {name: each.default for name, each in inspect.signature(make).parameters.items()}
    except (TypeError, ValueError):
        return {}


def _name_of(make: Callable[..., Any]) -> str:
    name = str(getattr(make, "__name__", type(make).__name__))
    return "family" if name == "<lambda>" else name


def _factor_names(make: Callable[..., Any]) -> tuple[str, ...]:
    """Return the parameter names of a function of d, w and r; none for other functions."""
    names = tuple(_defaults(make))
    return names if names and set(names) <= set(_FACTORS) else ()
