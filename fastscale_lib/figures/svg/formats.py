"""Numbers and texts as plotly writes them: d3's formats, hover templates, markup."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from typing import Any

_SPEC = re.compile(r"(?P<comma>,)?(?:\.(?P<digits>\d+))?(?P<trim>~)?(?P<kind>[sgfe%d]?)")
_PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}
_FIELD = re.compile(r"%\{([^}:]+)(?::([^}]*))?\}")
_EXTRA = re.compile(r"<extra>(.*?)</extra>", re.DOTALL)
_BREAK = re.compile(r"<br\s*/?>")
_TAG = re.compile(r"</?(?:b|i|em|strong|sup|sub|extra)\s*/?>")
_NARROW, _WIDE = set("iljtfr.,:;|'!()[] 1·-"), set("mwMWGOQ@%—×")


def number(value: Any, spec: str = "") -> str:
    """Write a number by one of d3's formats, or as plotly does by default.

    Arguments:
        value: a number; anything else is written as text.
        spec: such as "~s", ".3g", ".0%", ",d"; default: at most six digits, with k, M, G from 10,000.

    Raises:
        ValueError: for a format that is not known here.
    """
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return "" if value is None else str(value)
    value = float(value)
    found = _SPEC.fullmatch(spec)
    if not found:
        raise ValueError(f"the number format {spec!r} is not known; use one such as ~s, .3g, .0% or ,d")
    if not math.isfinite(value):
        return "–"
    kind, comma = found["kind"] or ("s" if not spec and abs(value) >= 1e4 else "g"), found["comma"] or ""
    digits = int(found["digits"] or (0 if kind == "d" else 6))
    if kind == "s":
        text = _with_prefix(value, digits)
    elif kind == "d":
        text = f"{value:{comma}.0f}"
    elif kind == "%":
        text = f"{value:{comma}.{digits}%}"
    else:
        text = f"{value:{comma}.{digits}{kind}}"
    return _trimmed(text).replace("-", "−") if found["trim"] or not found["digits"] else text.replace("-", "−")


def _with_prefix(value: float, digits: int) -> str:
    """Write a number with `digits` significant digits and a prefix of the SI."""
    if value == 0:
        return f"{0:.{digits - 1}f}"
    power = math.floor(math.log10(abs(float(f"{value:.{max(digits - 1, 0)}e}"))))
    third = min(max(3 * (power // 3), -12), 15)
    return f"{value / 10.0**third:.{max(digits - 1 - (power - third), 0)}f}{_PREFIXES[third]}"


def _trimmed(text: str) -> str:
    """Drop zeros at the end of the decimals, and + and zeros of an exponent."""
    text = re.sub(r"(\.\d*?)0+(?=\D*$)", r"\1", text) if "e" not in text else text
    text = re.sub(r"\.(?=\D*$)", "", text)
    return re.sub(r"e\+?(-?)0*(\d)", r"e\1\2", text)


def hovered(template: str, trace: Mapping[str, Any], point: Mapping[str, Any]) -> str:
    """Fill a hover template for one point, as plain lines.

    Arguments:
        template: plotly's, such as "%{x:.3g}<br>%{text}<extra></extra>".
        trace: that the point belongs to.
        point: its x, y, text and customdata.
    """

    def filled(match: re.Match) -> str:
        path, spec = match[1], match[2] or ""
        if path == "fullData.name":
            return str(trace.get("name") or "")
        name, *places = re.split(r"[\[\].]+", path.strip("]"))
        value = point.get(name)
        for place in filter(None, places):
            value = value[int(place)] if isinstance(value, (list, tuple)) else value
        return number(value, spec)

    extra = _EXTRA.search(template)
    text = _FIELD.sub(filled, _EXTRA.sub("", template))
    more = _FIELD.sub(filled, extra[1]) if extra else str(trace.get("name") or "")
    return plain(text) + (f"\n{plain(more)}" if more else "")


def plain(text: str) -> str:
    """Drop plotly's markup: a line for each break, and no tags."""
    return html.unescape(_TAG.sub("", _BREAK.sub("\n", str(text))))


def lines(text: str) -> list[str]:
    """Split a text at its breaks; the other markup stays."""
    return _BREAK.split(str(text))


_LOOKS = {
    **dict.fromkeys(("b", "strong"), "font-weight='600'"),
    **dict.fromkeys(("i", "em"), "font-style='italic'"),
    "sup": "dy='-0.4em' font-size='75%'",
    "sub": "dy='0.25em' font-size='75%'",
}
_BACK = {"sup": "0.3em", "sub": "-0.19em"}  # of the larger font: an empty span comes back to the line


def spans(text: str) -> str:
    """Write one line of a text with plotly's markup as the content of an SVG text element."""
    out, end = [], 0
    for tag in re.finditer(r"<(/?)(b|strong|i|em|sup|sub)\s*>", text):
        out.append(_escaped(text[end : tag.start()]))
        end = tag.end()
        closing, name = tag.groups()
        back = f"<tspan dy='{_BACK[name]}'>\u200b</tspan>" if name in _BACK else ""
        out.append(f"</tspan>{back}" if closing else f"<tspan {_LOOKS[name]}>")
    out.append(_escaped(text[end:]))
    written = "".join(out)
    return written if written.count("<tspan") == written.count("</tspan>") else _escaped(plain(text))


def wrapped(text: str, size: float, room: float) -> list[str]:
    """Return the lines of a text, broken between words to at most so many pixels."""
    out = []
    for line in lines(text):
        rest = ""
        for word in line.split(" "):
            longer = f"{rest} {word}".strip()
            if rest and width(longer, size) > room:
                out.append(rest)
                longer = word
            rest = longer
        out.append(rest)
    return out


def attribute(text: str) -> str:
    """Escape a text for an attribute."""
    return html.escape(text, quote=True)


def _escaped(text: str) -> str:
    return html.escape(html.unescape(text), quote=True)


def width(text: str, size: float) -> float:
    """Estimate the width of a line in pixels, as of a wide font, since none is read."""
    units = (0.36 if c in _NARROW else 0.92 if c in _WIDE else 0.7 if c.isupper() else 0.62 for c in plain(text))
    return size * sum(units)
