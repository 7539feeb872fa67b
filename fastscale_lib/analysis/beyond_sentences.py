"""Tell what came out of the laws on other networks than the paper's."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from .._common.frames import dicts
from .._common.frames import rows as rows_of
from .._common.wording import listed, span
from ..architectures.zoo import network as named_network


def measured_laws_text(laws: pd.DataFrame, networks: Iterable[str], tolerance: float) -> str:
    """Say which exponents of one doubling agree with the paper's, and which do not.

    Arguments:
        laws: of `measured_laws`.
        networks: names of the networks to tell of; others of `laws` are those beside them.
        tolerance: largest deviation that agrees.
    """
    off = laws.assign(off=(laws["measured"] - laws["law"].astype(float)).abs())
    wanted = [named_network(each).name for each in networks]
    said = []
    for name in wanted:
        own = off[off["network"] == name]
        far = own[own["off"] > tolerance]
        told = [f"{row['metric']} over {row['size']}, {row['measured']:.2f} and not {row['law']}" for row in dicts(far)]
        said.append(f"{name} departs from them in {listed(told)}" if told else f"{name} follows them all")
    beside = off[~off["network"].isin(wanted)]
    text = f"**What came out.** Beside the paper's exponents, within {tolerance:g}: {'; '.join(said)}."
    if not len(beside):
        return text
    return (
        f"{text} The farthest exponent of {listed(dict.fromkeys(beside['network']))} is {beside['off'].max():.2f} off."
    )


def attention_text(attention: pd.DataFrame) -> str:
    """Say how large attention's share of the flops is, and how it grows.

    Arguments:
        attention: of `attention_by_resolution`.
    """
    with_any = attention[attention["attention_flops"] > 0]
    if not len(with_any):
        return "None of these networks has attention."
    said = []
    for name, own in with_any.groupby("network", sort=False):
        ordered = dicts(own.sort_values("resolution"))
        ends = [ordered[0], *ordered[1:][-1:]]
        told = listed(f"{100 * each['share']:.0f} % at {each['resolution']} px" for each in ends)
        said.append(f"{name} {told}")
    power = span(with_any["growth"], ".2f")
    return (
        f"**What came out.** Attention's share of the flops: {'; '.join(said)}. Its own multiply-adds grow as the "
        f"resolution to the power {power} when that is doubled."
    )


def beside_width_text(equal: pd.DataFrame) -> str:
    """Say how many activations each strategy has beside w, at equal flops.

    Arguments:
        equal: of `beside_width`.
    """
    said = []
    for strategy, own in equal.groupby("strategy", sort=False):
        if strategy != "w":
            said.append(f"{strategy} {span(own['activations_to_w'])} times")
    if not said:
        return "No other strategy stands beside w."
    text = f"**What came out.** Activations relative to those under w, over the networks: {listed(said)}."
    matrices = equal.dropna(subset="matrices_exponent")
    faster = [f"{row.network} under {row.strategy}" for row in rows_of(matrices) if row.matrices_exponent > 1]
    return text + (f" Attention matrices grow faster than the flops in {listed(faster)}." if faster else "")


def published_scaling_text(published: pd.DataFrame, sizes: pd.DataFrame, counted: pd.DataFrame) -> str:
    """Say how the published network's sizes, counts and outcome compare.

    Arguments:
        published: of `published_scaling`.
        sizes: of `published_sizes`.
        counted: of `published_counts`.
    """
    rows = published.dropna(subset="strategy").set_index("strategy")
    errors = rows["top1_error_pct"].sort_values()
    activations = counted.loc[rows["network"].tolist(), "activations counted, M"].set_axis(rows.index)
    speeds = rows["images_per_s"][activations.sort_values().index]
    order = "in" if speeds.is_monotonic_decreasing else "not in"
    off = float(sizes["off", "steps"].max())
    errors_told = listed(f"{name} {error:.1f} %" for name, error in errors.items())
    speeds_told = listed(f"{name} {each:.0f}" for name, each in speeds.items())
    return (
        f"**What came out.** Published sizes are at most {off:.2f} steps of rounding from the strategies'. Top-1 "
        f"errors are {errors_told}. Images per second ({speeds_told}) are {order} the order of activations, fewest "
        "first."
    )
