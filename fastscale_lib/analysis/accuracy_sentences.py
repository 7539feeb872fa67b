"""Tell what came out of published and trained errors, and show their tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from .._common.digits import significant
from .._common.frames import dicts
from .._common.frames import rows as rows_of
from .._common.wording import counted, listed
from ..records.published_rows import table_title
from .claims import FAILS, HOLDS, Claim
from .seeds import errors_by_setting, is_near

_NEAR = 0.05  # exponents that differ by less agree


def families_shown(overview: pd.DataFrame) -> pd.DataFrame:
    """Show the families of published networks with ranges and units.

    Arguments:
        overview: of `families_overview`.
    """
    rows = {
        (family, table_title(source)): {
            "scaled by": strategy,
            "networks": row.networks,
            "flops, G": f"{row.flops_from / 1e9:.2g} to {row.flops_to / 1e9:.2g}",
            "top-1 error, %": f"{row.error_from:.1f} to {row.error_to:.1f}",
        }
        for (source, family, strategy), row in zip(overview.index, rows_of(overview), strict=True)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["family", "table"])


def growth_shown(table: pd.DataFrame) -> pd.DataFrame:
    """Show fitted exponents beside their laws.

    Arguments:
        table: of `growth_beside_laws`.
    """
    shown = ("activations", "law", "params", "params from 4 GF on", "law of params")
    return pd.DataFrame.from_dict(
        {
            _family(row): {
                "scaled by": row["strategy"],
                **{name: "–" if pd.isna(row[name]) else f"{row[name]:.2f}" for name in shown},
            }
            for row in dicts(table)
        },
        orient="index",
    )


def _family(row: Mapping[str, Any]) -> str:
    return f"{row['family']} ({table_title(row['source'])})"


def families_growth_text(table: pd.DataFrame) -> str:
    """Say which families' counts grow by the law of the strategy that is named for them.

    Arguments:
        table: of `growth_beside_laws`.
    """
    said = []
    for found, law, name in (("activations", "law", "activations"), ("params from 4 GF on", "law of params", "params")):
        known = table.dropna(subset=[found])
        near = (known[found] - known[law]).abs() < _NEAR
        follow = [f"{_family(row)} by {row['strategy']}" for row in dicts(known[near])]
        others = [f"{_family(row)}, {row[found]:.2f} and not {row[law]:.2f}" for row in dicts(known[~near])]
        where = "" if found == name else ", from 4 GF on,"
        said.append(f"In {name}{where} these grow by their strategy's law, within {_NEAR}: {listed(follow) or 'none'}.")
        said += [f"These do not: {'; '.join(others)}."] if others else []
    return "**What came out.** " + " ".join(said)


def gaps_text(gaps: pd.DataFrame, other: str) -> str:
    """Say how many families are ahead of one at equal flops, and at equal training time.

    Arguments:
        gaps: of `gaps_to_family`.
        other: the family that is compared with.
    """
    ahead = {cost: _ahead(gaps, cost) for cost in ("flops", "training_ms_per_image")}
    if not all(map(len, ahead.values())):
        return f"There is no family to hold beside {other}."
    flops, time = ahead.values()
    counts = [f"{int(each.sum())} of {counted(len(each), 'family', 'families')}" for each in (flops, time)]
    turned = time.index[time & (gaps["smallest gap", "flops"].reindex(time.index) >= 0)]
    names = listed(f"{family} ({table})" for table, family in turned)
    verb = "is" if len(turned) == 1 else "are"
    return (
        f"**What came out.** At equal flops, {counts[0]} {'is' if flops.sum() == 1 else 'are'} ahead of {other} "
        f"throughout; at equal training time, {counts[1]}."
        + f" {names} {verb} ahead at equal time alone: flops mislead."
        * (len(turned) > 0)
    )


def _ahead(gaps: pd.DataFrame, cost: str) -> pd.Series:
    """Tell which families have the lower error throughout; those that have networks to compare."""
    known = gaps.dropna(subset=[("smallest gap", cost), ("largest gap", cost)])
    return known["largest gap", cost] < 0


def one_base_text(ways: pd.DataFrame) -> str:
    """Say which strategy has the lowest published error of each base network.

    Arguments:
        ways: of `errors_of_one_base`.
    """
    best = ways.dropna(how="all").astype(float).idxmin(axis=1)
    said = [f"by {way} for {listed(names.index)}" for way, names in best.groupby(best)]
    text = (
        f"**From one base.** The lowest published error comes {'; '.join(said)}." if said else "Nothing is published."
    )
    fast = []
    for name, row in ways.dropna(subset="dWr").iterrows() if "dWr" in ways else ():
        others = listed(f"{row[way]:.1f} % by {way}" for way in ("dwr", "w") if pd.notna(row.get(way)))
        fast.append(f"of {name} {row['dWr']:.1f} % by dWr" + f" beside {others}" * bool(others))
    return text + (
        f" Errors under fast scaling: {listed(fast)}." if fast else " None of these tables has a network scaled by dWr."
    )


def seeds_shown(errors: pd.DataFrame, scales: Iterable[float]) -> pd.DataFrame:
    """Show errors over seeds with their intervals.

    Arguments:
        errors: of `seed_errors`.
        scales: flops relative to the base, at which networks are shown beside the bases.
    """
    shown = errors["strategy"].isna()
    for scale in scales:
        shown |= is_near(errors, scale)
    rows = {
        _network(row): {
            "seeds": row.seeds,
            "top-1 error, %": f"{row.error:.2f}",
            "95 % interval": "–" if pd.isna(row.low) else f"{row.low:.2f} to {row.high:.2f}",
            "flops, M": f"{row.flops / 1e6:.2f}",
            "training, ms/image": "–" if pd.isna(row.training_ms_per_image) else significant(row.training_ms_per_image),
        }
        for row in rows_of(errors[shown])
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _seeds(rows: pd.DataFrame) -> str:
    least, most = int(rows["seeds"].min()), int(rows["seeds"].max())
    return f"{least} to " * (least < most) + counted(most, "seed")


def _network(row: Any) -> str:
    return row.base if pd.isna(row.strategy) else f"{row.base} {row.strategy} ×{row.scale:.2g}"


def seeds_text(errors: pd.DataFrame, claims: Iterable[Claim], scales: Iterable[float]) -> str:
    """Say which strategies have the lowest and highest errors, and what the seeds settle.

    Arguments:
        errors: of `seed_errors`, on test images.
        claims: of `trained_claims`, on these errors.
        scales: flops relative to the base, at which strategies are compared.
    """
    said, scales = [], list(scales)
    for base, data, part in errors_by_setting(errors):
        for scale in scales:
            there = part[is_near(part, scale)].dropna(subset="strategy")
            if len(there) > 1:
                order = there.sort_values("error")
                first, last = order.iloc[0], order.iloc[-1]
                said.append(
                    f"From {base} at {scale:g} times its flops ({data}, {_seeds(there)}), "
                    f"{first['strategy']} has the lowest mean error ({first['error']:.2f} %) and {last['strategy']} "
                    f"the highest ({last['error']:.2f} %)."
                )
    claims = [each for each in claims if each.found is not None]
    if not said or not claims:
        return "**What came out.** No networks were trained at these sizes with several seeds: nothing is compared."
    texts = {
        verdict: [each.claim.removeprefix("error of ") for each in claims if each.verdict == verdict]
        for verdict in (HOLDS, FAILS)
    }
    settled = [
        *([f"no worse: {listed(texts[HOLDS])}"] * bool(texts[HOLDS])),
        *([f"worse: {listed(texts[FAILS])}"] * bool(texts[FAILS])),
    ]
    count = len(texts[HOLDS]) + len(texts[FAILS])
    ending = f" ({'; '.join(settled)})" if settled else ""
    return (
        f"**What came out.** {' '.join(said)} Of {counted(len(claims), 'comparison')} the seeds settle {count}{ending}."
    )
