"""Words that sentences on findings share."""

from __future__ import annotations

from collections.abc import Iterable


def listed(texts: Iterable[str]) -> str:
    """Join texts as a sentence lists them: "a, b and c"."""
    *first, last = [*texts] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def span(values: Iterable[float], form: str = ".2f") -> str:
    """Write the range of numbers, "0.84 to 1.07", or one number if both ends look alike.

    Arguments:
        values: one or more numbers.
        form: how each is formatted; default: two decimals.
    """
    known = list(values)
    low, high = (format(end, form).replace("-", "\N{MINUS SIGN}") for end in (min(known), max(known)))
    return low if low == high else f"{low} to {high}"


def bullets(intro: str, texts: Iterable[str]) -> str:
    """Write texts as a list in Markdown, below a sentence."""
    return "\n".join([f"{intro}:", "", *(f"- {text}" for text in texts)])


def counted(number: int, thing: str, things: str | None = None) -> str:
    """Write a number of things: "1 network", "3 networks"; `things` is an irregular plural."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"
