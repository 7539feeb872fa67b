"""Tables of published errors: families, their growth beside the laws, gaps at equal cost."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pandas as pd

from ..records.published_rows import published_errors
from ..records.scaled_tables import published_scaling
from ..scaling.strategies import strategy as named_strategy
from .accuracy import error_gaps, growth

_FAMILY = ["source", "family", "strategy"]
_LARGE = 4e9  # flops; from here on every family of Early Convolutions is scaled from one base, as its counts show


def families_overview(errors: pd.DataFrame) -> pd.DataFrame:
    """Summarise families of published networks.

    Arguments:
        errors: of `published_errors`; scaled networks of single bases are ignored.

    Returns:
        Index: source, family, strategy ("–" if each network was designed for its size). Columns: networks; flops_from,
        flops_to (multiply-adds); error_from, error_to (highest and lowest top-1 error in percent).
    """
    families = errors[errors["base"].isna()]
    by = families.groupby(_FAMILY, sort=False, dropna=False)
    ends = {"flops_from": by["flops"].min(), "flops_to": by["flops"].max()}
    ends |= {"error_from": by["top1_error_pct"].max(), "error_to": by["top1_error_pct"].min()}
    return pd.DataFrame({"networks": by["network"].nunique(), **ends}).rename(index={pd.NA: "–"})


def growth_beside_laws(errors: pd.DataFrame) -> pd.DataFrame:
    """Fit the exponents by which families' counts grow with flops, beside those of the laws.

    Arguments:
        errors: of `published_errors`; rows without a strategy or activations are ignored.

    Returns:
        One row per family. Columns: source; family; strategy; activations, from 4 GF on (of these networks alone) and
        law (exponents of activations); params, params from 4 GF on and law of params (exponents of params).
    """
    rows = []
    for key, family in errors.dropna(subset=["strategy", "activations"]).groupby(_FAMILY, sort=False):
        laws, large = named_strategy(key[-1]).laws, family[family["flops"] >= _LARGE]
        activations = growth(family), growth(large), float(laws.activations)
        rows.append((*key, *activations, growth(family, "params"), growth(large, "params"), float(laws.params)))
    columns = ["activations", "from 4 GF on", "law", "params", "params from 4 GF on", "law of params"]
    return pd.DataFrame(rows, columns=[*_FAMILY, *columns])


def gaps_to_family(tables: Mapping[str, pd.DataFrame], other: str) -> pd.DataFrame:
    """Compare the errors of all families with one, at equal flops and equal training time.

    Arguments:
        tables: by name, rows of `published_errors` that were trained alike.
        other: name of the family to compare with.

    Returns:
        Index: table, family. Columns: smallest gap and largest gap (family less other, in percentage points; NaN where
        the ranges do not meet), each at equal flops and at equal training_ms_per_image.
    """
    rows = []
    for name, table in tables.items():
        for family in table["family"].drop_duplicates():
            for cost in ("flops", "training_ms_per_image") if family != other else ():
                gap = error_gaps(table, family, other, cost)["gap"]
                rows.append((name, family, cost, gap.min(), gap.max()))
    frame = pd.DataFrame(rows, columns=["table", "family", "at equal", "smallest gap", "largest gap"])
    return frame.pivot(index=["table", "family"], columns="at equal", values=["smallest gap", "largest gap"])


def scaled_from_one_base(folder: str | os.PathLike) -> pd.DataFrame:
    """Gather the published networks that were scaled from one base by several strategies.

    Arguments:
        folder: of the published tables.

    Returns:
        Rows of `published_errors` that name their base, and those of `published_scaling` in the same columns: DeiT-Ti,
        a vision transformer.

    Raises:
        PublishedError: there is no such folder, or a table is missing.
    """
    errors = published_errors(folder=folder)
    rows = errors[errors["base"].notna()]
    others = published_scaling(folder)
    others = others.assign(family=others["base"]).reindex(columns=errors.columns).astype(errors.dtypes.to_dict())
    return pd.concat([rows, others], ignore_index=True)


def errors_of_one_base(errors: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the errors of base networks that were scaled by several strategies.

    Arguments:
        errors: of `published_errors`; rows without a base or a strategy are ignored.

    Returns:
        Index: base. One column per strategy, w, dwr and dWr among them: top-1 error in percent, or NaN.
    """
    scaled = errors.dropna(subset=["base", "strategy"])
    ways = scaled.pivot(index="base", columns="strategy", values="top1_error_pct")
    return ways.reindex(columns=list(dict.fromkeys([*ways.columns, "w", "dwr", "dWr"])))
