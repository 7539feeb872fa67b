"""Claims on the errors of fast, compound and width scaling, at equal time or equal flops."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from .accuracy import error_gaps
from .claims import Claim
from .seeds import error_difference, errors_by_setting

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
        claims.append(Claim(text, 0, found, tolerance, relation="<", evidence="published", details=details))
    return claims


def one_base_claims(ways: pd.DataFrame, tolerance: float, similar: float) -> list[Claim]:
    """Claim that dwr and dWr have lower errors than w, and similar ones, at about equal flops.

    Of several base networks the one that is worst for the claim is judged.

    Arguments:
        ways: of `errors_of_one_base`.
        tolerance: percentage points by which dwr and dWr may be worse than w.
        similar: largest difference of dWr and dwr, in percentage points.
    """
    claims = []
    for one, other, relation, off in _pairs(tolerance, similar):
        gap = (ways[one] - ways[other]).dropna()
        missing = f"no table at hand has errors of one base under both {one} and {other}; the paper draws them"
        details = f"Tan and Le (2019), Tables 3 and 7: {len(gap)} bases" if len(gap) else missing
        worst = max(gap.tolist(), key=abs if relation == "=" else None, default=None)
        text = f"error of one base at about equal flops: {one} less {other}"
        claims.append(Claim(text, 0, worst, off, relation=relation, evidence="published", details=details))
    return claims


def trained_claims(errors: pd.DataFrame, scales: Iterable[float], tolerance: float, similar: float) -> list[Claim]:
    """Claim the same of networks trained here, by their 95 % intervals over seeds.

    Arguments:
        errors: of `seed_errors`, on test images.
        scales: flops relative to the base at which networks are compared.
        tolerance: percentage points by which dwr and dWr may be worse than w.
        similar: largest difference of dWr and dwr, in percentage points.

    Returns:
        One claim per base, setting, scale and pair of strategies with intervals; without any one that is not tested.
    """
    claims, scales = [], list(scales)
    for base, setting, part in errors_by_setting(errors):
        for scale in scales:
            for one, other, relation, off in _pairs(tolerance, similar):
                gap = error_difference(part, one, other, scale)
                if gap is None or pd.isna(gap.low):
                    continue
                text = f"error of {base} at {scale:g} times its flops: {one} less {other}"
                details = f"{gap.device}: {setting}, {gap.seeds} seeds"
                judged: dict[str, Any] = {"evidence": "trained", "details": details, "relation": relation}
                claims.append(Claim(text, 0, gap.found, off, low=gap.low, high=gap.high, **judged))
    missing = "no errors of networks trained here with several seeds"
    text = "error of networks trained here: dWr less dwr"
    return claims or [Claim(text, 0, None, similar, evidence="trained", details=missing)]


def _pairs(tolerance: float, similar: float) -> list[tuple[str, str, str, float]]:
    """List what the paper says of pairs of strategies: relation of errors, tolerance."""
    return [("dwr", "w", "<", tolerance), ("dWr", "w", "<", tolerance), ("dWr", "dwr", "=", similar)]
