"""Tables of a page: numbers in significant digits, and room for many columns."""

from __future__ import annotations

import math
import re

from .._common.digits import significant

MOST_COLUMNS = 6  # of a table in the width of the text; one of more gets the width of the window
MOST_ROWS = 20  # of a table that is shown at its full height
_DIGITS = 4
_TINY = 1e-6
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_CELL = re.compile(r"(<t[dh][^>]*>)\s*([^<]*?)\s*(</t[dh]>)")
_NUMBER = re.compile(r"-?\d[\d,]*\.\d+")
_WHOLE = re.compile(r"(-?\d[\d,]*)\.0+")  # as pandas heads a column of numbers
_MINUS = re.compile(r"(?<![\w.)-])-(?=\.?\d)")  # not the hyphen of a name or a date
_HEAD = re.compile(r"<thead>.*?</thead>", re.DOTALL)
_ROW = re.compile(r"<tr[^>]*>.*?</tr>", re.DOTALL)
_BLANK = r"(?:\s|&nbsp;|\xa0)*"
_HEADING = re.compile(rf"(<th[^>]*>){_BLANK}(.*?){_BLANK}(</th>)", re.DOTALL)
_MISSING = re.compile(r"nan|none|nat|&lt;na&gt;", re.IGNORECASE)


def number(value: float | None) -> str:
    """Write a number with four significant digits at most, its whole part in full; – for NaN.

    One nearer to 0 than a millionth is written by a power of ten, and a negative one with a minus sign.
    """
    if value is None or math.isnan(value):
        return "–"
    if not math.isfinite(value) or value == round(value):
        return with_minus(f"{value:,.0f}")
    if abs(value) < _TINY:
        digits, power = f"{value:.{_DIGITS - 1}e}".split("e")
        return with_minus(f"{digits.rstrip('0').rstrip('.')} · 10{str(int(power)).translate(_RAISED)}")
    text = with_minus(significant(value, _DIGITS))
    return text.rstrip("0").rstrip(".") if "." in text else text


def tidy(html: str) -> str:
    """Write the numbers in a table's cells as `number` does, negative ones with a minus sign.

    Numbers without a decimal point are exact counts, and stay. Headings that are whole numbers lose their decimals. The
    names of the index, which pandas writes into a row of their own, stand beside those of the columns.
    """
    html = _HEAD.sub(lambda head: _names_beside(head[0]), html)
    return _CELL.sub(lambda cell: f"{cell[1]}{_tidy_text(cell[2], cell[1].startswith('<th'))}{cell[3]}", html)


def _names_beside(head: str) -> str:
    """Move the names of the index to the row of the columns' names, if their places are empty."""
    rows = list(_ROW.finditer(head))
    if len(rows) < 2:
        return head
    columns, names = (_HEADING.findall(row[0]) for row in rows[-2:])
    if len(columns) != len(names) or any(a and b for (_, a, _), (_, b, _) in zip(columns, names, strict=True)):
        return head
    places = iter(a + (text or other) + b for (a, text, b), (_, other, _) in zip(columns, names, strict=True))
    joined = _HEADING.sub(lambda _: next(places), rows[-2][0])
    return head[: rows[-2].start()] + joined + head[rows[-1].end() :]


def _tidy_text(text: str, heads: bool) -> str:
    if _MISSING.fullmatch(text):
        return "–"
    if heads and (whole := _WHOLE.fullmatch(text)):
        return with_minus(whole[1])
    if not _NUMBER.fullmatch(text):
        return with_minus(text)
    digits = text.lstrip("-0.,").replace(",", "").replace(".", "")
    return number(float(text.replace(",", ""))) if len(digits) > _DIGITS else with_minus(text)


def with_minus(text: str) -> str:
    """Write negative numbers with a minus sign; hyphens of names and dates stay."""
    return _MINUS.sub("−", text)


def is_long(html: str) -> bool:
    """Tell whether a table has so many rows that it scrolls below its headings."""
    return html.count("<tr") > MOST_ROWS


def is_wide(html: str) -> bool:
    """Tell whether a table has more columns than the text has room for."""
    rows = html.split("<tr")[1:]
    return max((len(re.findall(r"<t[dh][ >]", row)) for row in rows), default=0) > MOST_COLUMNS
