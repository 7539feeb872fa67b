"""The rules by which notebooks reach their verdicts (`claims.RULES`), held against the claims that they show."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pandas as pd

from fastscale_lib._common.frames import dicts
from fastscale_lib.analysis.claims import FAILS, HOLDS, PAPER, UNDECIDED, UNTESTED, WITHIN_ONE_RUN

Row = dict[str, Any]
NOT_THE_PAPER_S = re.compile(
    r"\bCPU|unknown kind|transformer|\b(ViT|DeiT|ConvNeXt)\b|\d+px|fashion|cifar", re.IGNORECASE
)
JUDGES_NOTHING = re.compile(r"launch-bound|other processes|disturbed|blocks? of runs")
FEW_BLOCKS = re.compile(r"(\d+) blocks? of runs")


def broken(claims: pd.DataFrame) -> list[str]:
    """The rules that claims break, each beside the claim; of a scorecard's rows."""
    rows = dicts(claims)
    twice = {row["claim"] for row in rows if (claims["claim"] == row["claim"]).sum() > 1}
    return [
        *(f"two claims have one text: {each}" for each in sorted(twice)),
        *(f"{rule}: {row['claim']}" for row in rows for rule, keeps in RULES.items() if not keeps(row)),
        *_corrected_together(rows),
    ]


def _known(row: Row) -> bool:
    return not math.isnan(row["low"])


def _decided(row: Row) -> bool:
    return row["verdict"] in (HOLDS, FAILS)


def _tested(row: Row, *evidence: str) -> bool:
    return row["verdict"] != UNTESTED and row["evidence"] in evidence


def _doubt(row: Row) -> str:
    return row["doubt"] if isinstance(row["doubt"], str) else ""


def _ends_are_around_what_was_found(row: Row) -> bool:
    if math.isnan(row["low"]) or math.isnan(row["high"]):
        return math.isnan(row["low"]) and math.isnan(row["high"])
    return row["verdict"] == UNTESTED or row["low"] <= row["found"] <= row["high"]


def _names_why_it_is_not_tested(row: Row) -> bool:
    untested = row["verdict"] == UNTESTED
    return untested == math.isnan(row["found"]) and not (untested and (not row["details"] or _known(row)))


def _may_be_either(row: Row) -> bool:
    return row["verdict"] != UNDECIDED or bool(_doubt(row)) or row["low"] < row["high"]


def _few_blocks_have_a_range(row: Row) -> bool:
    counted = [int(each) for each in FEW_BLOCKS.findall(_doubt(row))]
    few = counted or "single block of runs" in _doubt(row)
    return all(each < 6 for each in counted) and not (few and _known(row)) and "95 %" not in _doubt(row)


def _is_of_one_run(row: Row) -> bool:
    """A ratio of measured times; counts of pairs and of comparisons have other intervals."""
    measured = _tested(row, "measured") and " memory " not in row["claim"]
    if not measured or row["claim"].startswith("number of "):
        return WITHIN_ONE_RUN not in row["details"]
    return (WITHIN_ONE_RUN in row["details"]) == _known(row) and (_known(row) or bool(_doubt(row)))


def _is_the_paper_s(row: Row) -> bool:
    """Of ConvNets, on GPUs, on ImageNet, of exponents for large s, and of activations as the favourite."""
    if row["scope"] != PAPER:
        return True
    told = f"{row['claim']} {row['details'] if row['verdict'] != UNTESTED else ''}"
    on_a_gpu = row["evidence"] not in ("measured", "predicted") or re.search(r"\ba GPU\b|\bGPUs\b", row["claim"])
    exponent = row["evidence"] == "counted" and row["relation"] == "="
    rounded = "another order" in row["claim"] and row["evidence"] == "counted"
    favourite = re.search(r"another metric above (\w+)|in which (\w+) have the lower r", row["claim"])
    return (
        row["evidence"] != "trained"
        and not NOT_THE_PAPER_S.search(told)
        and bool(on_a_gpu)
        and not (exponent and "large s" not in row["claim"])
        and not rounded
        and not (favourite and "activations" not in favourite.groups())
    )


def _has_the_band_of_its_model(row: Row) -> bool:
    if not _tested(row, "predicted"):
        return True
    if not row["claim"].startswith("ratio of "):
        return "rows of " in row["details"]
    band = math.isclose(row["high"] / row["found"], row["found"] / row["low"]) and row["high"] > row["low"]
    return band and re.search(r"\d rows? of .*, 90 % within \d+ %", row["details"]) is not None


def _comes_from_seeds(row: Row) -> bool:
    told = re.search(r"\d seeds?; one-sided", row["details"])
    return not _tested(row, "trained") or (_known(row) and row["relation"] == "<" and bool(told))


def _is_corrected_by_holm(row: Row) -> bool:
    """In a case of several correlations as many are sure as the interval of the number says."""
    if row["verdict"] == UNTESTED or not re.search(r"another metric above|have the lower r", row["claim"]):
        return row["evidence"] != "published" or not _known(row)
    found = re.search(r"Holm over (\d+) comparison", row["details"])
    if not found:
        return "Holm over these" in row["details"]
    told = Counter[str]()
    for number, verdict in re.findall(r"\b(\d+) (ahead|behind|undecided)\b", row["details"]):
        told[verdict] += int(number)
    compared = told.total()
    return compared == int(found[1]) and [row["low"], row["high"]] == [told["behind"], compared - told["ahead"]]


def _is_held_against_the_best(row: Row) -> bool:
    over = re.match(r"median error of predicted times on families left out, over (the best )?", row["claim"])
    return over is None or over[1] is not None


RULES: dict[str, Callable[[Row], bool]] = {
    "an interval has two ends, around what was found": _ends_are_around_what_was_found,
    "what is not tested has a reason and no number": _names_why_it_is_not_tested,
    "what decides is beyond doubt": lambda row: not (_decided(row) and _doubt(row)),
    "what judges nothing decides nothing": lambda row: not (_decided(row) and JUDGES_NOTHING.search(row["details"])),
    "what is undecided may be either": _may_be_either,
    "counts are exact": lambda row: row["evidence"] != "counted" or not (_known(row) or _doubt(row)),
    "fewer than six blocks have a range, and no interval": _few_blocks_have_a_range,
    "an interval of measured times is of one run": _is_of_one_run,
    "the paper speaks of ConvNets, GPUs, ImageNet and large s": _is_the_paper_s,
    "a predicted time has the band of its model": _has_the_band_of_its_model,
    "errors over seeds are compared one-sided, by intervals": _comes_from_seeds,
    "correlations are corrected by Holm": _is_corrected_by_holm,
    "a model is compared with the best baseline": _is_held_against_the_best,
}


def _corrected_together(rows: Iterable[Row]) -> Iterator[str]:
    """Comparisons of trainings err together: each says of how many it is one."""
    trained = [row for row in rows if _tested(row, "trained")]
    told = f"Holm over {len(trained)} comparisons"
    for row in trained if len(trained) > 1 else ():
        if not row["details"].endswith(told):
            yield f"trainings are corrected together: {row['claim']}"
