"""Sentences on grouped convolutions, with the group width kept or scaled."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from .._common.wording import counted, listed, span
from .group_width import differing_in_group_width


def group_width_text(relative: pd.DataFrame, strategies: Iterable[str], where: str) -> str:
    """Say what keeping the group width does to counts, over all networks.

    Arguments:
        relative: of `relative_to_base`, at one scale factor or at the same flops.
        strategies: names of strategies; those that differ only in group width are compared.
        where: which of the two, as the sentence begins: "At s = 16".

    Raises:
        StrategyError: there is no such strategy.
    """
    said = []
    for follows, stays in differing_in_group_width(strategies):
        ratios = relative.xs(stays, level="strategy") / relative.xs(follows, level="strategy")
        told = [f"{span(ratios[metric])} times the {metric}" for metric in ratios]
        said.append(
            f"{where}, networks whose group width stays ({stays}) have {listed(told)} of those whose group width grows "
            f"({follows})."
        )
    return " ".join(said) or "No two of these strategies differ in nothing but group width."


def shares_text(flops: pd.DataFrame, kind: str) -> str:
    """Say which share of the flops one kind of layer has, under each strategy.

    Arguments:
        flops: of `flops_by_kind_scaled`.
        kind: one of its columns, as "conv in groups".
    """
    if kind not in flops:
        return f"None of these networks has layers of the kind {kind}."
    shares = flops[kind] / flops.sum(axis=1)
    ways = shares.groupby([str(name).partition(", ")[2] or "the base" for name in shares.index], sort=False)
    told = [f"{span(100 * own, '.0f')} % under {way}" for way, own in ways if way != "the base"]
    base = span(100 * ways.get_group("the base"), ".0f")
    return f"Of the base's flops, the layers “{kind}” have {base} %; of the scaled networks', {listed(told)}."


def powers_of_two_text(beside: pd.DataFrame, device_name: str) -> str:
    """Say what group widths in powers of two bring, where they differ from multiples of 8.

    Arguments:
        beside: of `beside_powers_of_two`.
        device_name: of the device whose times are predicted.
    """
    if not len(beside):
        return "None of these networks has a group width to round."
    changed = beside[beside["multiples of 8"] != beside["powers of two"]]
    if not len(changed):
        return "The group widths of all these networks are powers of two either way, so nothing changes."
    said = (
        f"The two rules give other group widths for {len(changed)} of {counted(len(beside), 'network')}. In powers of "
        f"two these have {span(changed['activations'])} times the activations at the same flops"
    )
    columns = [name for name in changed if name.startswith("ms, ") and changed[name].notna().any()]
    times = [f"{span(changed[name].dropna())} times as long with {name.removeprefix('ms, ')}" for name in columns]
    return f"{said}{f', and on the {device_name} are predicted to take {listed(times)}' if times else ''}."
