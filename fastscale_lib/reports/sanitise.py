"""HTML from a notebook, rebuilt without scripts, handlers, styles and addresses that load."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

MATHS = frozenset(
    {
        *("math", "mrow", "mi", "mn", "mo", "ms", "mtext", "mspace", "mstyle", "mpadded", "mphantom", "menclose"),
        *("mfrac", "msqrt", "mroot", "msub", "msup", "msubsup", "munder", "mover", "munderover"),
        *("mmultiscripts", "mprescripts", "none", "mtable", "mtr", "mtd"),
    }
)
TAGS = MATHS | frozenset(
    {
        *("h1", "h2", "h3", "h4", "h5", "h6", "p", "div", "blockquote", "pre", "hr", "br"),
        *("ul", "ol", "li", "dl", "dt", "dd"),
        *("table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td"),
        *("a", "abbr", "b", "code", "del", "em", "i", "kbd", "s", "small", "span", "strong", "sub", "sup", "u"),
    }
)
_EMPTY = frozenset({"br", "hr", "col"})
_DROPPED = frozenset(  # with all that they hold
    {"script", "style", "template", "noscript", "iframe", "noembed", "object", "svg"} | {"title", "textarea", "select"}
)
_NUMBERS = frozenset({"colspan", "rowspan", "start"})
# Of MathML: what says how it is laid out, in one word or length.
_OF_MATHS = frozenset(
    {
        *("display", "mathvariant", "stretchy", "fence", "form", "separator", "largeop", "movablelimits", "accent"),
        *("accentunder", "linethickness", "columnalign", "rowspacing", "columnspacing", "columnlines", "rowlines"),
        *("width", "height", "depth", "lspace", "rspace", "minsize", "maxsize", "displaystyle", "scriptlevel"),
    }
)
_PLAIN = re.compile(r"[\w.%+ -]{1,40}", re.ASCII)
_ADDRESS = re.compile(r"(https?://|mailto:|#)", re.IGNORECASE)
_MOST_SPANNED = 1000


class _Rebuilt(HTMLParser):
    """A parser whose output holds only tags of `TAGS`, each closed; everything else is text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.made: list[str] = []
        self.opened: list[str] = []
        self.dropping: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED:
            self.dropping.append(tag)
        elif tag in TAGS and not self.dropping:
            self.made.append(f"<{tag}{''.join(_kept(tag, name, value or '') for name, value in attrs)}>")
            if tag not in _EMPTY:
                self.opened.append(tag)
        elif tag == "img" and not self.dropping:
            self.handle_data(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.dropping:
            while self.dropping.pop() != tag:
                pass
        elif tag in self.opened and not self.dropping:
            self._close(tag)

    def handle_data(self, data: str) -> None:
        if not self.dropping:
            self.made.append(html.escape(data))

    def _close(self, tag: str) -> None:
        while True:
            last = self.opened.pop()
            self.made.append(f"</{last}>")
            if last == tag:
                return

    def finish(self) -> str:
        self.close()
        if self.opened:
            self._close(self.opened[0])
        return "".join(self.made)


def _kept(tag: str, name: str, value: str) -> str:
    """Write an attribute again, or nothing."""
    if name in _NUMBERS and value.isdecimal() and int(value) <= _MOST_SPANNED:
        return f' {name}="{int(value)}"'
    if tag in MATHS and name in _OF_MATHS and _PLAIN.fullmatch(value):
        return f' {name}="{value}"'
    if tag == "a" and name == "href" and _ADDRESS.match(value):
        return f' href="{html.escape(value)}" rel="noopener noreferrer"'
    return ""


def sanitised(source: str) -> str:
    """Keep text and tables, and drop what could run or load; pictures become their alt text.

    Links to https, http, mailto and to a place in the page stay; classes, ids and styles go.
    """
    rebuilt = _Rebuilt()
    rebuilt.feed(source)
    return rebuilt.finish()
