"""A vision transformer that others scaled: published sizes, counts, errors and times."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd

from .._common.frames import rows as rows_of
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..scaling.rounding import WIDTH_STEP, resolution_step, scale, unrounded_dimensions
from ..scaling.strategies import factors
from ..scaling.strategies import strategy as named_strategy
from .accuracy_claims import central_claim
from .claims import BEYOND, Claim

SOURCE = "Fang et al. (2021), Tables 1 and 4"
_SIZES = ["depth", "width", "resolution"]
_UNITS = {"flops": 1e9, "params": 1e6}
_DECIMAL = 0.1  # of the published counts


def published_sizes(published: pd.DataFrame) -> pd.DataFrame:
    """Compare published sizes of scaled networks with those of the strategies.

    The scale factor is that of the network published under w: the square of what its width grew by.

    Arguments:
        published: of `published_scaling`.

    Returns:
        Index: strategy. For each of depth (blocks), width (channels) and resolution (pixels): published, law (before
        rounding) and here (rounded by `scale`: width by whole heads, resolution by whole patches), as columns
        (size, which); and (off, steps): the largest distance of a published size from the law's, in steps of rounding
        (one block, 8 channels, one patch).
    """
    base, s = _base_and_scale(published)
    rows = {}
    for row in rows_of(_scaled(published)):
        way = named_strategy(row.strategy)
        law, here = unrounded_dimensions(base, *factors(way, s)), scale(base, way, s)
        sizes = {
            "depth": (row.depth, law.depths[0], here.depths[0], 1),
            "width": (row.width, law.widths[0], here.widths[0], WIDTH_STEP),
            "resolution": (row.resolution, law.resolution, here.resolution, resolution_step(base)),
        }
        shown = {
            (name, which): value
            for name, values in sizes.items()
            for which, value in zip(("published", "law", "here"), values, strict=False)
        }
        off = max(abs(said - exact) / step for said, exact, _, step in sizes.values())
        rows[row.strategy] = shown | {("off", "steps"): off}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(index="strategy")
    table.columns = pd.MultiIndex.from_tuples(table.columns)
    return table


def published_sizes_shown(sizes: pd.DataFrame) -> pd.DataFrame:
    """Show published sizes, each with the law's and those of `scale` in parentheses.

    Arguments:
        sizes: of `published_sizes`.

    Returns:
        Index: strategy. Columns: depth, width and resolution, as "330 (334.29; 320)", and steps.
    """
    shown = {
        name: [f"{row['published']:g} ({row['law']:.2f}; {row['here']:g})" for _, row in sizes[name].iterrows()]
        for name in _SIZES
    }
    return pd.DataFrame(shown, sizes.index).assign(steps=[f"{off:.2f}" for off in sizes["off", "steps"]])


def published_counts(published: pd.DataFrame) -> pd.DataFrame:
    """Count networks of the published sizes, and compare with the published counts.

    Published multiply-adds turn out to leave biases out, and to be cut after one decimal; `cut` is the count in that
    form. Heads have the width nearest 64 that divides the published one; it changes no count here but that of the
    attention matrices.

    Arguments:
        published: of `published_scaling`.

    Returns:
        Index: network. Columns: flops published and cut (G), flops counted (G, biases included), params published and
        counted (M), activations counted (M), error (top-1, percent), images per s.
    """
    base, _ = _base_and_scale(published)
    rows = {}
    for row in rows_of(published):
        counts = complexity(_of_size(base, row))
        without_biases = counts.flops - counts.activations  # every layer with outputs has a bias for each
        rows[row.network] = {
            "flops published, G": row.flops / _UNITS["flops"],
            "flops cut, G": math.floor(without_biases / _UNITS["flops"] / _DECIMAL) * _DECIMAL,
            "flops counted, G": counts.flops / _UNITS["flops"],
            "params published, M": np.nan if pd.isna(row.params) else row.params / _UNITS["params"],
            "params counted, M": counts.params / _UNITS["params"],
            "activations counted, M": counts.activations / _UNITS["params"],
            "error, %": row.top1_error_pct,
            "images per s": row.images_per_s,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(index="network")


def published_size_claims(sizes: pd.DataFrame, counts: pd.DataFrame) -> list[Claim]:
    """Claim that published sizes and counts are those of the strategies, within rounding.

    Arguments:
        sizes: of `published_sizes`.
        counts: of `published_counts`.
    """
    off = sizes["off", "steps"]
    shared: dict[str, Any] = {"scope": BEYOND, "evidence": "published"}
    gaps = {
        "params": (counts["params published, M"] - counts["params counted, M"]).abs().dropna(),
        "flops": (counts["flops published, G"] - counts["flops cut, G"]).abs(),
    }
    text = "size published by others, farthest from the strategy's, in steps of rounding"
    details = f"{SOURCE}; under {off.idxmax()}; a step is a block, {WIDTH_STEP} channels or a patch"
    return [
        Claim(text, 1, off.max(), relation="<", details=details, **shared),
        Claim(
            "params of the published sizes: largest difference from the published ones, in M",
            *(0, gaps["params"].max(), _DECIMAL / 2),
            details=f"{SOURCE}, rounded to one decimal; {gaps['params'].idxmax()}",
            **shared,
        ),
        Claim(
            "multiply-adds of the published sizes: largest difference from the published ones, in G",
            *(0, round(gaps["flops"].max(), 9)),
            details=f"{SOURCE}, counted without biases and cut after one decimal",
            **shared,
        ),
    ]


def published_outcome_claims(published: pd.DataFrame, counts: pd.DataFrame, similar: float) -> list[Claim]:
    """Claim of the transformer what the paper claims of ConvNets: of errors, and of time.

    That dWr is similar to dwr is judged one-sided, as no worse than.

    Arguments:
        published: of `published_scaling`.
        counts: of `published_counts`.
        similar: percentage points by which dWr may err more than dwr.
    """
    base, table = str(published["base"].iloc[0]), _scaled(published).set_index("strategy")
    errors, speeds = table["top1_error_pct"], table["images_per_s"]
    activations = counts.loc[table["network"].tolist(), "activations counted, M"].set_axis(table.index)
    fewest_first = speeds[activations.sort_values().index]
    shared: dict[str, Any] = {"scope": BEYOND, "evidence": "published", "details": SOURCE}
    claims = []
    for one, other, off in (("dwr", "w", 0), ("dWr", "w", 0), ("dWr", "dwr", similar)):
        text = f"error of {base} at about equal flops, in points: {one} less {other}"
        gap = round(float(errors[one] - errors[other]), 9)
        claims.append(Claim(text, 0, gap, off, relation="<", headline=central_claim(one), **shared))
    text, faster = f"images per s of {base} at about equal flops: dWr over dwr", float(speeds["dWr"] / speeds["dwr"])
    claims.append(Claim(text, 1, faster, relation=">", **shared))
    text = f"strategies of {base} that are faster than the next one with fewer activations"
    return [*claims, Claim(text, 0, int((fewest_first.diff() > 0).sum()), **shared)]


def _scaled(published: pd.DataFrame) -> pd.DataFrame:
    return published.dropna(subset="strategy")


def _base_and_scale(published: pd.DataFrame) -> tuple[Network, float]:
    """Return the base network, and s: what the square of its width grew by under w."""
    widths = published.set_index(published["strategy"].fillna(""))["width"]
    return named_network(published["base"].iloc[0]), float((widths["w"] / widths[""]) ** 2)


def _of_size(base: Network, row) -> Network:
    """Describe a network of the published size."""
    [stage] = base.stages
    depth, width, resolution = (int(getattr(row, name)) for name in _SIZES)
    heads = [head for head in range(1, width + 1) if width % head == 0]
    head = min(heads, key=lambda each: abs(each - stage.group_width))
    return dataclasses.replace(
        base,
        name=row.network,
        resolution=resolution,
        stem=dataclasses.replace(base.stem, width=width),
        stages=(dataclasses.replace(stage, depth=depth, width=width, group_width=head),),
    )
