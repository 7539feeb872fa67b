"""List scaling rules that were published, as weights, and the networks scaled by them.

A rule's shares d, w and r are those of the logarithm of flops, which grow as depth · width² · resolution². They add up
to 1, so that the exponents of s are d, w/2 and r/2.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from .._common.checks import check_choice
from .strategies import StrategyError, strategy

_Sizes: TypeAlias = dict[str, tuple[float, float, float]]


class _Rule(NamedTuple):
    """One rule: its weights, or None if they are fitted to its sizes, and those sizes."""

    source: str
    weights: str | None
    sizes: _Sizes  # depth (a factor, or blocks), width, resolution; the base first


_PAPER = "Dollár, Singh, Girshick: Fast and Accurate Model Scaling, 2021"
_EFFICIENTNET = "Tan and Le: EfficientNet, 2019"
_LATENCY_AWARE = "Li et al.: Searching for Fast Model Families on Datacenter Accelerators, 2021; tensorflow/tpu"
_WEIGHTS = "d{:.4f}_w{:.4f}_g{:.4f}_r{:.4f}"
_COMPOUND = np.log([1.2, 1.1**2, 1.15**2])  # of α, β, γ, the factors of depth, width and resolution

_B0_TO_B7: _Sizes = {
    "EfficientNet-B0": (1, 1, 224),
    "EfficientNet-B1": (1.1, 1, 240),
    "EfficientNet-B2": (1.2, 1.1, 260),
    "EfficientNet-B3": (1.4, 1.2, 300),
    "EfficientNet-B4": (1.8, 1.4, 380),
    "EfficientNet-B5": (2.2, 1.6, 456),
    "EfficientNet-B6": (2.6, 1.8, 528),
    "EfficientNet-B7": (3.1, 2.0, 600),
}
_X_GPU: _Sizes = {
    "EfficientNet-X-B0": (1, 1, 224),
    "EfficientNet-X-B1": (1.09, 1.05, 229),
    "EfficientNet-X-B2": (1.24, 1.13, 237),
    "EfficientNet-X-B3": (1.63, 1.31, 255),
    "EfficientNet-X-B4": (2.40, 1.63, 282),
    "EfficientNet-X-B5": (3.29, 1.94, 306),
    "EfficientNet-X-B6": (4.28, 2.25, 328),
    "EfficientNet-X-B7": (5.46, 2.58, 350),
}
# On a TPU the shares change on the way: B5, between these, is of neither.
_X_TPU: _Sizes = {
    "EfficientNet-X-B0": (1, 1, 224),
    "EfficientNet-X-B1": (1.09, 1.05, 229),
    "EfficientNet-X-B2": (1.29, 1.13, 244),
    "EfficientNet-X-B3": (1.62, 1.27, 263),
    "EfficientNet-X-B4": (2.38, 1.54, 299),
}
_X_TPU_LARGE: _Sizes = {
    "EfficientNet-X-B0": (1, 1, 224),
    "EfficientNet-X-B6": (3.01, 2.75, 328),
    "EfficientNet-X-B7": (3.44, 3.26, 350),
}
_RESNET_RS: _Sizes = {  # depths in blocks: 16 in ResNet-RS-50
    f"ResNet-RS-{name}@{side}": (blocks, 1.0, side)
    for name, blocks, sides in (
        *((50, 16, (160,)), (101, 33, (160, 192)), (152, 50, (192, 224, 256)), (200, 66, (256,))),
        *((270, 90, (256,)), (350, 116, (256, 320)), (420, 139, (320,))),
    )
    for side in sides
}
_RULES = {
    **{name: _Rule(_PAPER, name, {}) for name in ("w", "dw", "dwr", "dWr")},
    "EfficientNet α, β, γ": _Rule(_EFFICIENTNET, _WEIGHTS.format(*_COMPOUND[[0, 1, 1, 2]]), {}),
    "EfficientNet-B1 to B7": _Rule(_EFFICIENTNET, None, _B0_TO_B7),
    "EfficientNet-X, GPU": _Rule(_LATENCY_AWARE, None, _X_GPU),
    "EfficientNet-X, TPU, B1 to B4": _Rule(_LATENCY_AWARE, None, _X_TPU),
    "EfficientNet-X, TPU, B6 and B7": _Rule(_LATENCY_AWARE, None, _X_TPU_LARGE),
    "ResNet-RS": _Rule("Bello et al.: Revisiting ResNets, 2021; tensorflow/tpu", None, _RESNET_RS),
}


def published_rules() -> pd.DataFrame:
    """List the published scaling rules as strategies.

    The paper's names and EfficientNet's α = 1.2, β = 1.1, γ = 1.15 (factors of depth, width and resolution) are as
    published. The others are fitted by least squares to the logarithms of the published sizes, since the networks that
    were published do not follow from α, β, γ, and no exponents were. ResNet-RS goes by no power of s: its networks
    have depths of ResNets and an image size that grows slowly; what stands here is its mean.

    Returns:
        One row per rule, by its name. Columns: strategy (weights, as `strategy` and `scale` take them; group widths
        grow as widths do), d, w, r (shares of the logarithm of flops), networks (how many published ones it is fitted
        to), off (the largest difference of a size by the rule from the published one, as a fraction; NaN without
        networks), source.
    """
    rows = {}
    for name, rule in _RULES.items():
        weights = rule.weights or _fitted_weights(rule.sizes)
        e = strategy(weights).exponents
        off = np.nan
        if rule.sizes:
            sizes = rule_sizes(name)
            off = max((sizes[f"{each} by rule"] / sizes[each] - 1).abs().max() for each in _SIZES)
        rows[name] = {
            "strategy": weights,
            **{"d": float(e.d), "w": 2 * float(e.w), "r": 2 * float(e.r)},
            "networks": len(rule.sizes) - 1 if rule.sizes else 0,
            **{"off": off, "source": rule.source},
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("rule")


_SIZES = ("depth", "width", "resolution")


def rule_sizes(rule: str) -> pd.DataFrame:
    """List the published sizes of a rule, and those that it gives at the same flops.

    Arguments:
        rule: its name in `published_rules`.

    Returns:
        One row per network, by name, the base first. Columns: depth (a factor, or blocks), width (a factor), resolution
        (pixels); s (depth · width² · resolution², relative to the base); depth, width and resolution "by rule".

    Raises:
        StrategyError: there is no such rule, or no networks are known of it.
    """
    with_sizes = [name for name, each in _RULES.items() if each.sizes]
    sizes = _RULES[check_choice("rule_sizes: rule", rule, with_sizes, StrategyError)].sizes
    table = pd.DataFrame.from_dict(sizes, orient="index", columns=list(_SIZES)).rename_axis("network").astype(float)
    base, e = table.iloc[0], strategy(_fitted_weights(sizes)).exponents
    table["s"] = (
        (table / base).prod(axis=1) * (table["width"] / base["width"]) * (table["resolution"] / base["resolution"])
    )
    for name, exponent in zip(_SIZES, (e.d, e.w, e.r), strict=True):
        table[f"{name} by rule"] = base[name] * table["s"] ** float(exponent)
    return table


def _fitted_weights(sizes: _Sizes) -> str:
    """Fit the share of each dimension by least squares: they add up to 1 by themselves."""
    factors = np.array(list(sizes.values()))
    parts = np.log(factors / factors[0]) * [1, 2, 2]  # of the logarithm of flops
    flops = parts.sum(axis=1)
    d, w, r = (parts * flops[:, None]).sum(axis=0) / (flops**2).sum()
    return _WEIGHTS.format(d, w, w, r)
