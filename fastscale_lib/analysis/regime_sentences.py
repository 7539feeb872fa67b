"""Tell what came out of scaled networks beside designed ones, and show their tables."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from .._common.frames import dicts
from .._common.wording import counted, listed
from .order_claims import count_within


def ratios_to_designed(frame: pd.DataFrame, value: str) -> pd.DataFrame:
    """Divide a value of each scaled network by that of the designed network of its regime.

    Arguments:
        frame: of `regimes`, or of `times_by_regime`.
        value: column of the value, as "activations" or "ms_per_image".

    Returns:
        The rows of scaled networks, with the column ratio; those without a value, or without one of the designed
        network, are left out.
    """
    keys = [name for name in ("case", "network", "regime") if name in frame]
    designed = frame[frame["strategy"] == "designed"].drop_duplicates(keys)[[*keys, value]]
    rows = frame[frame["strategy"] != "designed"].merge(designed, on=keys, suffixes=("", "_designed"))
    rows["ratio"] = rows[value].astype(float) / rows[f"{value}_designed"].astype(float)
    return rows.dropna(subset="ratio").reset_index(drop=True)


def regimes_text(ratios: pd.DataFrame, strategies: Sequence[str]) -> str:
    """Say how many activations scaled networks have, relative to the designed ones.

    Arguments:
        ratios: of `ratios_to_designed`, of activations.
        strategies: names, in the order to tell.
    """
    said = []
    for way in strategies:
        own = ratios.loc[ratios["strategy"] == way, "ratio"]
        if len(own):
            said.append(f"{own.min():.2f} to {own.max():.2f} by {way} (median {own.median():.2f})")
    if not said:
        return "There are no designed networks to hold these strategies against."
    pairs = counted(ratios.groupby(["network", "regime"]).ngroups, "pair")
    return (
        f"**What came out.** Activations of scaled networks over those of designed ones of the same flops ({pairs} of "
        f"a base and a regime): {listed(said)}."
    )


def predicted_ratios(ratios: pd.DataFrame, cases: pd.DataFrame, strategies: Sequence[str]) -> pd.DataFrame:
    """Tabulate mean predicted times relative to those of the designed networks, by device.

    Arguments:
        ratios: of `ratios_to_designed`, of ms_per_image.
        cases: of `predicted_cases`.
        strategies: names of the columns.

    Returns:
        Index: device and settings. Columns: median error and nine in ten within (percent, of the model on networks that
        it has not seen; of those least like the fitted ones), and the strategies (mean ratio).
    """
    table = ratios.pivot_table(index="case", columns="strategy", values="ratio", aggfunc="mean")
    shown = pd.DataFrame(
        {
            "median error": cases["error"].map(_percent),
            "nine in ten within": cases["widest_90"].map(_percent),
        },
        index=cases.index,
    )
    return shown.join(table.reindex(columns=list(strategies))).rename_axis("predicted for")


def _percent(share: float) -> str:
    return f"±{100 * share:.0f} %"


def predicted_ratios_text(ratios: pd.DataFrame, cases: pd.DataFrame, strategies: Sequence[str]) -> str:
    """Say how fast scaled networks are predicted to be, beside the designed ones.

    Arguments:
        ratios, cases, strategies: as for `predicted_ratios`.
    """
    if not len(ratios):
        return "No times were predicted: no store has enough rows of one device in this mode."
    said, known = [], {str(case): row for case, row in zip(cases.index, dicts(cases), strict=True)}
    for case, own in ratios.groupby("case", sort=False):
        means = own.groupby("strategy")["ratio"].mean()
        order = [f"{way} {means[way]:.2f}" for way in strategies if way in means]
        band = 1 + known[str(case)]["widest_90"]
        beyond = int(((own["ratio"] > band) | (own["ratio"] < 1 / band)).sum())
        missing = int(known[str(case)]["left_out"])
        unlike = f", and {counted(missing, 'network')} {'is' if missing == 1 else 'are'} too unlike the fitted ones"
        said.append(
            f"For {case}, mean times relative to the designed networks are {listed(order)}; {beyond} of "
            f"{counted(len(own), 'ratio')} lie outside the model's 90 % band"
            + (f"{unlike} to predict." if missing else ".")
        )
    return "**What came out.** " + " ".join(said)


def both_tables_shown(both: pd.DataFrame) -> pd.DataFrame:
    """Show the networks that two tables have, with what differs between the tables.

    Arguments:
        both: of `scaled_and_designed_errors`.
    """
    return pd.DataFrame(
        {
            "error, % (zoo)": both["top1_error_pct (zoo)"],
            "error, % (early)": both["top1_error_pct (early)"],
            "gap, points": both["gap"],
            "activations, early over zoo": (both["activations (early)"] / both["activations (zoo)"]).astype(float),
            "time (zoo)": both["time (zoo)"],
            "time (early)": both["time (early)"],
        }
    )


def both_tables_text(both: pd.DataFrame, family: str = "RegNetY") -> str:
    """Say whether scaled networks gain more between two tables than networks that are the same.

    Arguments:
        both: of `scaled_and_designed_errors`.
        family: that one table scaled and the other designed; default: RegNetY.
    """
    scaled = both[both["family"] == family]
    same = both[both["family"] != family]
    if not len(scaled) or not len(same):
        return "The tables share no networks to compare."
    more = (scaled["activations (early)"] / scaled["activations (zoo)"]).astype(float)
    alike = count_within(scaled["gap"], same["gap"])
    names = listed(f"{row.Index} {row.gap:+.1f}" for row in scaled[["gap"]].itertuples())
    return (
        f"**What came out.** From the zoo to *Early Convolutions* the error changes, in points, by {names} where "
        f"{family} was scaled instead of designed, with {more.min():.2f} to {more.max():.2f} times the activations; of "
        f"networks that are the same in both tables by {same['gap'].max():+.1f} to {same['gap'].min():+.1f}. "
        + (
            "So the training may explain all of it."
            if alike == len(scaled)
            else f"So the training may explain that of {alike} of {counted(len(scaled), 'network')}, and not of all."
            if alike
            else "So not all of it can be put down to the training of the two tables."
        )
    )
