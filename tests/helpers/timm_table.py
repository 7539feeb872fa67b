"""The table of timm's networks, made of what `tests/benchmarks/bench_any_network.py` wrote."""

from __future__ import annotations

import csv
from collections import Counter
from math import sqrt
from pathlib import Path

from helpers.notebooks import REPO

RESULTS = REPO / "tests" / "benchmarks" / "timm-1.0.31-torch-2.13.0-november-2026.csv"
PAGE = REPO / "docs" / "how-to" / "timm-table.md"
_WHY = (
    ("cannot be made", "a larger one cannot be made"),
    ("does not take", "a larger one does not take its images"),
    ("no keyword of", "no keyword found"),
    ("no keyword is found", "no keyword found"),
    ("flops grow", "flops hardly grow"),
)


def rows(path: Path = RESULTS) -> list[dict[str, str]]:
    """Read one row a network; `scaled` is empty where that was not tried."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def summary(found: list[dict[str, str]]) -> str:
    """Say how many are counted and scaled, with the 95 % interval (Wilson's) of what was a sample."""
    counted = sum(row["counted"] == "True" for row in found)
    tried = [row for row in found if row["scaled"]]
    scaled = sum(row["scaled"] == "True" for row in tried)
    share, low, high = _interval(scaled, len(tried))
    text = f"{counted:,} of {len(found):,} are counted ({counted / len(found):.1%}). "
    if len(tried) == len(found):
        return text + f"{scaled:,} of {len(tried):,} are scaled ({share:.1%})."
    return text + (
        f"Scaling was tried of {len(tried):,}, drawn at random: {scaled:,} are scaled ({share:.1%}; of all, "
        f"{low:.1%} to {high:.1%} with 95 % confidence)."
    )


def table(found: list[dict[str, str]]) -> str:
    """Make one row for each of timm's files, the largest first, with reasons of what is not scaled."""
    sizes = Counter(row["file"] for row in found)
    lines = [
        "| timm's file | networks | counted | tried to scale | scaled | why not |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for file, size in sorted(sizes.items(), key=lambda each: (-each[1], each[0])):
        own = [row for row in found if row["file"] == file]
        tried = [row for row in own if row["scaled"]]
        counted = sum(row["counted"] == "True" for row in own)
        scaled = sum(row["scaled"] == "True" for row in tried)
        reasons = Counter(why(row["reason"]) for row in tried if row["scaled"] != "True")
        said = "; ".join(f"{reason} ({times})" for reason, times in reasons.most_common())
        lines.append(f"| {file} | {size} | {counted} | {len(tried)} | {scaled} | {said} |")
    return "\n".join(lines)


def why(reason: str) -> str:
    """Say in a few words why a network is not scaled, by dimension."""
    parts = [part for part in reason.split("; ") if part.startswith(("depth:", "width:", "resolution:"))]
    if not parts:
        return _short(reason)
    return ", ".join(f"{part.split(':')[0]}: {_short(part)}" for part in parts)


def _short(reason: str) -> str:
    return next((short for words, short in _WHY if words in reason), "another error")


def _interval(hits: int, n: int) -> tuple[float, float, float]:
    share, z = hits / n, 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return share, middle - half, middle + half
