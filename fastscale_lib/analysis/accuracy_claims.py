"""Claims on the errors of fast, compound and width scaling, at equal time or equal flops."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from .._common.statistics import holm_levels, student_tail
from .._common.wording import counted
from .accuracy import error_gaps
from .claims import BEYOND, TRANSFORMERS, Claim, kind_of_network
from .seeds import Difference, error_difference, errors_by_setting

_COMPOUND = "EfficientNet"  # the family that was scaled by dwr


def equal_time_claims(errors: pd.DataFrame, families: Iterable[str], epochs: int, tolerance: float) -> list[Claim]:
    """Claim that families scaled by dWr have lower errors than EfficientNet at equal time.

    EfficientNet is scaled by dwr; time is that of training. The largest gap within the range of both is judged.

    Arguments:
        errors: rows of *Early Convolutions*, Table 2, of these epochs.
        families: names of families that were scaled by dWr.
        epochs: of training.
        tolerance: in percentage points.
    """
    claims = []
    for family in families:
        gap = error_gaps(errors, family, _COMPOUND, "training_ms_per_image")["gap"]
        text = f"error at equal training time: {family} (dWr) less {_COMPOUND} (dwr)"
        source = f"Early Convolutions, Table 2, {epochs} epochs; the bases differ, too"
        details = source if len(gap) else "no times that both families reach"
        found = gap.max() if len(gap) else None
        shared: dict[str, Any] = {"relation": "<", "evidence": "published", "details": details}
        words = f"{{}} points of error for {family} less {_COMPOUND}"
        claims.append(Claim(text, 0, found, tolerance, **shared, headline="frontier", words=words))
    return claims


def equal_flops_error_claim(errors: pd.DataFrame, similar: float) -> Claim:
    """Claim that RegNetZ, scaled by dWr, errs no more than EfficientNet at equal flops.

    Arguments:
        errors: rows of the table that quotes both ("mvit_table17").
        similar: percentage points by which dWr may be worse.
    """
    gap = error_gaps(errors, "RegNetZ", _COMPOUND)["gap"]
    details = "Fan et al. (2021), Table 17; the bases differ, too" if len(gap) else "no flops that both families reach"
    text = f"error at equal flops: RegNetZ (dWr) less {_COMPOUND} (dwr)"
    found = gap.max() if len(gap) else None
    return Claim(text, 0, found, similar, relation="<", evidence="published", details=details)


def one_base_claims(ways: pd.DataFrame, tolerance: float, similar: float) -> list[Claim]:
    """Claim that dwr and dWr err less than w, and dWr no more than dwr, at equal flops.

    Of several base networks the one that is worst for the claim is judged. A vision transformer is judged by itself,
    beyond the paper.

    Arguments:
        ways: of `errors_of_one_base`.
        tolerance: percentage points by which dwr and dWr may be worse than w.
        similar: percentage points by which dWr may be worse than dwr.
    """
    claims = []
    for one, other, off in _pairs(tolerance, similar):
        gaps = (ways[one] - ways[other]).dropna().round(9)
        gap = gaps[[kind_of_network(str(name)) != TRANSFORMERS for name in gaps.index]]
        missing = f"no table has errors of one ConvNet under both {one} and {other}; the paper draws them"
        details = f"Tan and Le (2019), Tables 3 and 7: {counted(len(gap), 'base')}" if len(gap) else missing
        shared: dict[str, Any] = {"relation": "<", "evidence": "published"}
        text = f"error of one base at about equal flops: {one} less {other}"
        words = f"{{}} points of error for {one} less {other}"
        worst = max(gap.tolist(), default=None)
        claims.append(Claim(text, 0, worst, off, details=details, **shared, headline=central_claim(one), words=words))
        for name, found in gaps.drop(gap.index).items():
            text = f"error of {name}, a transformer, at about equal flops: {one} less {other}"
            details = "Fang et al. (2021), Tables 1 and 4"
            claims.append(Claim(text, 0, found, off, scope=BEYOND, details=details, **shared))
    return claims


def trained_claims(errors: pd.DataFrame, scales: Iterable[float], tolerance: float, similar: float) -> list[Claim]:
    """Claim the same of networks trained here: small ones on small images, so beyond the paper.

    Each comparison asks whether the first is no worse than the other, one-sided. With several, each is tested at the
    level that Holm's method leaves it, so that any of all verdicts errs in at most 5 % of cases; the interval has both
    one-sided bounds of that level.

    Arguments:
        errors: of `seed_errors`, on test images.
        scales: flops relative to the base at which networks are compared.
        tolerance: percentage points by which dwr and dWr may be worse than w.
        similar: percentage points by which dWr may be worse than dwr.

    Returns:
        One claim per base, setting, scale and pair of strategies with intervals; without any one that is not tested.
    """
    gaps, scales = [], list(scales)
    for base, setting, part in errors_by_setting(errors):
        for scale in scales:
            for one, other, off in _pairs(tolerance, similar):
                gap = error_difference(part, one, other, scale)
                if gap is not None and not pd.isna(gap.low):
                    text = f"error of {base} at {scale:g} times its flops: {one} less {other}"
                    gaps.append((text, central_claim(one), setting, gap, off))
    shared: dict[str, Any] = {"scope": BEYOND, "evidence": "trained", "relation": "<"}
    claims, levels = [], holm_levels([_chance(gap, off) for *_, gap, off in gaps])
    holm = f", Holm over {len(gaps)} comparisons" if len(gaps) > 1 else ""
    for (text, headline, setting, gap, off), level in zip(gaps, levels, strict=True):
        low, high = gap.interval(1 - 2 * level)
        details = f"{gap.device}: {setting}, {counted(gap.seeds, 'seed')}; one-sided{holm}"
        claims.append(Claim(text, 0, gap.found, off, low=low, high=high, **shared, details=details, headline=headline))
    missing = "no errors of networks trained here with several seeds"
    text = "error of networks trained here: dWr less dwr"
    return claims or [Claim(text, 0, None, similar, **shared, details=missing, headline=central_claim("dWr"))]


def central_claim(one: str) -> str:
    """Name the central claim that comparing the errors of two strategies is evidence of.

    Arguments:
        one: "dwr" or "dWr", the first of the two strategies.
    """
    return "accuracy" if one == "dWr" else "compound accuracy"


def _chance(gap: Difference, off: float) -> float:
    """Compute the chance of such a difference if the true one is just what is allowed."""
    far = abs(gap.found - off)
    return student_tail(far / gap.error if gap.error else math.inf, gap.freedom)


def _pairs(tolerance: float, similar: float) -> list[tuple[str, str, float]]:
    """List what the paper says is no worse than what, and by how many points it may be."""
    return [("dwr", "w", tolerance), ("dWr", "w", tolerance), ("dWr", "dwr", similar)]
