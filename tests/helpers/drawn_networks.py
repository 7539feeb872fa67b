"""What hypothesis draws: networks made by hand, base networks, strategies and scale factors."""

import math
from typing import Any

from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib.architectures.blocks import BLOCKS
from fastscale_lib.architectures.parts import ACTIVATIONS, STEMS, Patches, makes_tokens

# Ratios as networks have them, and odd ones.
RATIOS = (1, 0.25, 0.5, 2, 4, 1.5, 2.5, 0.3, 0.7, 1 / 3)
EXPANSIONS = (1, 6, 3, 1.5, 2.4)
ACCEPTED = {
    **dict.fromkeys(("mbconv", "mbconv_v3", "fused_mbconv", "edge_residual", "convnext", "convnext_v2"), EXPANSIONS),
    **dict.fromkeys(("transformer", "transformer_layer_scale"), EXPANSIONS),
    **dict.fromkeys(("res_basic_block", "res_basic_d_block", "res_basic_se_block", "vanilla_block"), (1,)),
}

HEADS = (
    *({"head_width": width, "head_hidden": hidden} for width in (0, 40, 96) for hidden in (0, 24)),
    *({"head": kind} for kind in ("act_pool", "pool_norm", "norm_pool")),
)
NAMES = st.sampled_from(["AnyNet", "Ünïcode №5", "null", "a: b # c"])


@st.composite
def anynets(draw, max_depth: int = 4, max_width: int = 96, max_resolution: int = 72) -> fs.Network:
    """A network of any block type and any stem that can be built."""
    block = draw(st.sampled_from(list(BLOCKS)))
    if BLOCKS[block].takes_tokens:
        return draw(transformers(block, max_depth))
    stages = draw(st.integers(1, 4))

    def each(values: st.SearchStrategy) -> list:
        return draw(st.lists(values, min_size=stages, max_size=stages))

    images = [name for name, kind in BLOCKS.items() if not kind.takes_tokens]
    blocks = draw(st.none() | st.lists(st.none() | st.sampled_from(images), min_size=stages, max_size=stages))
    types = [block if own is None else own for own in blocks or [None] * stages]
    bottlenecks = [draw(st.sampled_from(ACCEPTED.get(kind, RATIOS))) for kind in types]
    asked = zip(types, each(st.integers(1, max_width)), bottlenecks, each(st.integers(1, 32)), strict=True)
    fitted = [BLOCKS[kind].fit(*sizes) for kind, *sizes in asked]
    gates = all(BLOCKS[kind].has_gate for kind in types)
    strides = each(st.integers(1, 3))
    stem = draw(st.sampled_from([kind for kind, shape in STEMS.items() if not makes_tokens(shape)]))
    cuts_off = isinstance(STEMS[stem], Patches) or any(BLOCKS[kind].cuts_off for kind in types)
    least = math.prod(strides) * STEMS[stem].total_stride if cuts_off else 1
    return fs.anynet(
        name=draw(NAMES),
        block=block,
        depths=each(st.integers(1, max_depth)),
        widths=[width for width, _ in fitted],
        group_widths=[group_width for _, group_width in fitted],
        bottlenecks=bottlenecks,
        strides=strides,
        kernels=each(st.sampled_from([1, 3, 5, 7])),
        blocks=blocks,
        se_ratios=each(st.sampled_from([None, None, 0, 0.25])) if gates else None,
        activations=each(st.sampled_from([None, *ACTIVATIONS])),
        stem=stem,
        stem_width=draw(st.integers(1, 48)),
        se_ratio=draw(st.sampled_from([0, 0.25, 0.1, 1])) if gates else 0,
        **draw(st.sampled_from(HEADS)),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        classes=draw(st.integers(1, 100)),
        channels=draw(st.integers(1, 4)),
        resolution=draw(st.integers(least, max(least, max_resolution))),
    )


@st.composite
def transformers(draw, block: str = "transformer", max_depth: int = 4) -> fs.Network:
    """A vision transformer of this block type."""
    head = draw(st.sampled_from([8, 16, 24]))
    width = head * draw(st.integers(1, 4))
    stem = draw(st.sampled_from([kind for kind, shape in STEMS.items() if makes_tokens(shape)]))
    return fs.anynet(
        name=draw(NAMES),
        block=block,
        depths=[draw(st.integers(1, max_depth))],
        widths=[width],
        group_widths=head,
        bottlenecks=draw(st.sampled_from([1, 4, 2.5, 0.5])),
        strides=1,
        kernels=1,
        stem=stem,
        stem_width=width,
        head="norm_pool",
        activation=draw(st.sampled_from(ACTIVATIONS)),
        classes=draw(st.integers(1, 100)),
        channels=draw(st.integers(1, 4)),
        resolution=STEMS[stem].total_stride * draw(st.integers(1, 5)),
    )


def base_networks() -> st.SearchStrategy[fs.Network]:
    return st.sampled_from(fs.networks()).map(fs.network)


def alphas() -> st.SearchStrategy:
    return st.fractions(0, 1, max_denominator=40) | st.floats(0, 1)


@st.composite
def grammars(draw) -> str:
    """An explicit strategy such as d1_w8_g8_r1, with weights that are not all 0."""
    weights = draw(
        st.dictionaries(st.sampled_from("dwgr"), st.integers(0, 9) | st.sampled_from([0.5, 2.25]), min_size=1).filter(
            lambda weights: any(weights.values())
        )
    )
    return "_".join(f"{name}{weight}" for name, weight in weights.items())


def scaling_strategies() -> st.SearchStrategy[fs.scaling.Strategy]:
    return (
        st.sampled_from(list(fs.scaling.STRATEGIES)).map(fs.strategy)
        | grammars().map(fs.strategy)
        | alphas().map(lambda alpha: fs.strategy(alpha=alpha))
    )


def scales(least: float = 1 / 64, most: float = 256) -> st.SearchStrategy[float]:
    """Scale factors, evenly in log s, and round ones."""
    powers = range(math.ceil(math.log2(least)), math.floor(math.log2(most)) + 1)
    even = st.floats(math.log(least), math.log(most)).map(math.exp).map(lambda s: min(max(s, least), most))
    return st.sampled_from([2.0**power for power in powers]) | even


def any_networks() -> st.SearchStrategy[Any]:
    """Draw networks of the zoo, by hand, and scaled ones."""
    scaled = st.builds(fs.scale, base_networks() | anynets(), scaling_strategies(), scales(1 / 16, 64))
    return base_networks() | anynets() | scaled
