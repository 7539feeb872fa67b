"""Which count time follows, in every published setting and for each kind of network."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .._common.wording import counted
from ..architectures.parts import Metric
from .claims import BEYOND, CLASSIC, CONVNEXT, PAPER, TRANSFORMERS, Claim, by_kind, kind_of_network
from .correlation import holm_verdicts, leads

_STATISTIC = "Pearson of logs"
_SETTING = ("device", "device_name", "mode", "precision", "channels_last", "compile", "torch")


def leads_everywhere(
    timings: pd.DataFrame,
    metric: Metric = "activations",
    other: Metric | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare how two counts follow time, in every setting and kind of network.

    Kinds are classic ConvNets, ConvNeXt and vision transformers (ViT). The correlation is Pearson's of logarithms. The
    95 % interval of its lead is that of `leads`: it resamples families for classic ConvNets, and networks (each at
    several resolutions) for the other two, which are of one or two families. Verdicts are corrected for the number of
    settings of a kind of device and a kind of networks (Holm).

    Arguments:
        timings: of `fs.records.timm_times`.
        metric: whose correlation is held against the other's; default: activations.
        other: default: flops, or activations where flops are the metric.
        resamples: of the bootstrap; default: 10,000, which settles 15 settings.
        seed: of the bootstrap; default: 0.

    Returns:
        One row per setting and kind. Columns: device, device_name, mode, precision, channels_last, compile, torch,
        kind, lead (r of metric less r of other), low and high, chance, verdict (as of `leads`), networks (how
        many rows), setting (its name).

    Raises:
        AnalysisError: (a ValueError) timings lacks a column, or as for `leads`.
    """
    other = other or ("activations" if metric == "flops" else "flops")
    kinds = timings["base"].map(kind_of_network, na_action="ignore").fillna(CLASSIC)
    own = timings["family"].where(kinds == CLASSIC, timings["base"])
    frame = timings.assign(kind=kinds, family=own)
    by = [*_SETTING, "kind"]
    found = leads(frame, metric, by, [metric, other], resamples, seed, [_STATISTIC])
    found = holm_verdicts(found, ["device", "kind"]).drop(columns=["statistic", "metric", "other"])
    sizes = frame.groupby(by, dropna=False, sort=False).size().rename("networks").reset_index()
    found = found.merge(sizes, on=by, how="left")
    found["setting"] = [_name(row) for row in found.to_dict("records")]
    order = {kind: place for place, kind in enumerate((CLASSIC, CONVNEXT, TRANSFORMERS))}
    settings = {name: place for place, name in enumerate(dict.fromkeys(found["setting"]))}
    places = found["setting"].map(settings) * len(order) + found["kind"].map(order)
    return found.loc[places.sort_values().index].reset_index(drop=True)


def _name(row: dict) -> str:
    words = [row["device_name"], "training" if row["mode"] == "training" else "", row["precision"]]
    words += ["channels last" if row["channels_last"] else "channels first", "compiled" if row["compile"] else "eager"]
    return ", ".join(word for word in (*words, f"torch {row['torch']}") if word)


def leads_claims(found: pd.DataFrame, favourite: str = "activations") -> list[Claim]:
    """Count the settings in which the other count has the higher correlation.

    The paper says none, of ConvNets on GPUs. The interval is from those in which the favourite is surely behind to
    those in which it is not surely ahead.

    Arguments:
        found: of `leads_everywhere`.
        favourite: the metric that was held against the other; default: activations.
    """
    return [
        _claim(f"settings of {where} in which {favourite} have the lower r, {kind}", rows, where == "GPUs" and paper)
        for where, part in by_kind(found, found["device"]).items()
        for kind, rows in part.groupby("kind", sort=False)
        for paper in [kind == CLASSIC and favourite == "activations"]
    ]


def _claim(text: str, rows: pd.DataFrame, paper: bool) -> Claim:
    behind, lower, not_ahead = (
        int(each.sum()) for each in (rows["verdict"] == "behind", rows["lead"] < 0, rows["verdict"] != "ahead")
    )
    details = f"of {counted(len(rows), 'setting')} of timm's benchmarks; Holm over these"
    scope = PAPER if paper else BEYOND
    shared: dict[str, Any] = {"scope": scope, "evidence": "published", "details": details}
    return Claim(text, 0, lower, **shared, low=behind, high=not_ahead, headline="follows" if paper else "")
