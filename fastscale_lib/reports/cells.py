"""A notebook's cells as a page shows them: text, code and outputs, sanitised."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from ..analysis import claims
from ..figures import explorer_code
from . import plots
from .markdown import rendered
from .sanitise import sanitised
from .tables import tidy, with_minus

WIDGET = "application/vnd.jupyter.widget-view+json"
LEAD = "lead"  # tag of a cell that comes first on its page, and whose outputs the index shows
FINDING = "finding"  # tag of one that comes first on its page
PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
_TO_CODE = HtmlFormatter(nowrap=True)
_CAPTION = re.compile(r"\*\*(Figure|Table)\.\*\* ")
_CAPTIONED = {"Figure": ("figure", "picture"), "Table": ("html", "verdicts")}
_HEADING = re.compile(r"<h([1-6])>(.*?)</h\1>", re.DOTALL)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class Heading(NamedTuple):
    """A heading of the page: its level from 1, its anchor, and its text as HTML."""

    level: int
    anchor: str
    html: str


class Part(NamedTuple):
    """One output: html, text, figure, picture, verdicts, widget or error; its caption is HTML.

    A figure may have an explorer, which is shown instead of it where scripts run.
    """

    kind: str
    content: Any
    label: str = ""
    caption: str = ""
    explorer: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Cell:
    """One cell: prose as HTML, or highlighted code with its number (None if it did not run)."""

    html: str = ""
    number: int | None = None
    code: str = ""
    parts: list[Part] = field(default_factory=list)
    lead: bool = False  # tagged "lead": the index shows what it shows

    @property
    def pictured(self) -> bool:
        return any(part.kind in ("figure", "drawing", "picture") for part in self.parts)

    @property
    def failed(self) -> bool:
        return any(part.kind == "error" for part in self.parts)


@dataclass(frozen=True)
class Story:
    """A whole notebook: its title, the cells that come first, the others, and headings."""

    title: str
    first: list[Cell]
    others: list[Cell]
    headings: list[Heading]

    @property
    def cells(self) -> list[Cell]:
        """List all cells, in the order of the page."""
        return [*self.first, *self.others]


def story(notebook: Path, title: str) -> Story:
    """Read an executed notebook; `title` is for one that does not begin with a heading.

    Markdown that begins with `**Figure.** ` or `**Table.** ` below a code cell is the caption of the last figure or
    table that this cell shows, and gets a number. Where the cell shows none, there is no caption. Code cells tagged
    "finding" or "lead" come first: sentences, which stand in their place, too, then figures with their captions.
    """
    stored = json.loads(notebook.read_text("utf-8"))["cells"]
    headings, captions = _Headings(), _Captions()
    first, others = (_shown(part, headings, captions) for part in _divided(stored))
    return Story(headings.title or sanitised(title), first, others, headings.found)


def _divided(stored: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Divide the cells: first sentences, then figures; and the others, with the sentences again."""
    sentences, figures, others = [], [], []
    moved = False
    for cell in stored:
        is_caption = cell["cell_type"] == "markdown" and bool(_CAPTION.match(_joined(cell["source"])))
        tagged = bool(cell.get("outputs")) and not {LEAD, FINDING}.isdisjoint(_tags(cell))
        moved = (tagged and _has_picture(cell)) or (moved and is_caption)
        if moved:
            figures.append(cell)
        else:
            others.append(cell)
            sentences += [cell] * tagged
    return [*sentences, *figures], others


def _has_picture(cell: Mapping[str, Any]) -> bool:
    return any(kind in output.get("data", ()) for output in cell["outputs"] for kind in (plots.MIME, *PICTURES))


def _tags(cell: Mapping[str, Any]) -> Sequence[str]:
    return cell.get("metadata", {}).get("tags", ())


def _shown(stored: Sequence[Mapping[str, Any]], headings: _Headings, captions: _Captions) -> list[Cell]:
    cells: list[Cell] = []
    for cell in stored:
        source = _joined(cell["source"])
        if cell["cell_type"] == "markdown":
            if cells and cells[-1].code:
                source = captions.taken(source, cells[-1].parts)
            if text := headings.anchored(rendered(source)):
                cells.append(Cell(html=text))
        elif cell["cell_type"] == "code" and source.strip():
            parts = [part for output in cell["outputs"] for part in _parts(output)]
            lead = LEAD in _tags(cell)
            cells.append(Cell("", cell["execution_count"], highlight(source, PythonLexer(), _TO_CODE), parts, lead))
    return cells


class _Headings:
    """Headings, each with an anchor; the first of level 1 is the page's, and leaves the text."""

    def __init__(self) -> None:
        self.title = ""
        self.found: list[Heading] = []

    def anchored(self, text: str) -> str:
        return _HEADING.sub(self._anchor, text)

    def _anchor(self, match: re.Match[str]) -> str:
        level, inner = int(match[1]), match[2]
        if level == 1 and not self.title and not self.found:
            self.title = inner
            return ""
        anchor = f"section-{len(self.found) + 1}"
        self.found.append(Heading(level, anchor, re.sub(r"</?a\b[^>]*>", "", inner)))
        return f'<h{level} id="{anchor}">{inner}</h{level}>'


class _Captions:
    """Captions of figures and of tables, numbered in the order in which they come."""

    def __init__(self) -> None:
        self.last = Counter[str]()

    def taken(self, source: str, parts: list[Part]) -> str:
        """Give a caption to the part above that it describes, and return what is left to show."""
        if not (begins := _CAPTION.match(source)):
            return source
        text, _, rest = source.partition("\n\n")
        what = begins[1]
        places = [place for place, part in enumerate(parts) if _takes(what, part)]
        if places:
            self.last[what] += 1
            numbered = f"**{what} {self.last[what]}.** {text[begins.end() :]}"
            caption = rendered(numbered).strip().removeprefix("<p>").removesuffix("</p>")
            parts[places[-1]] = parts[places[-1]]._replace(caption=caption)
        return rest


def _takes(what: str, part: Part) -> bool:
    """Return whether a caption of this kind can be this part's."""
    is_text = part.kind == "html" and "<table" not in part.content
    return part.kind in _CAPTIONED[what] and not is_text and not part.caption


def _parts(output: Mapping[str, Any]) -> Iterator[Part]:
    """Yield what one output shows, in the richest form that a page can hold."""
    if output["output_type"] == "stream":
        yield Part("text", _plain(output["text"]), output["name"])
    elif output["output_type"] == "error":
        yield Part("error", _plain("\n".join(output["traceback"])), _plain(f"{output['ename']}: {output['evalue']}"))
    else:
        yield from _richest(output["data"])


def _richest(data: Mapping[str, Any]) -> Iterator[Part]:
    if claims.MIME in data:
        yield Part("verdicts", claims.gathered(data[claims.MIME]))
    elif plots.MIME in data:
        figure = plots.defused({name: data[plots.MIME].get(name) or {} for name in ("data", "layout")})
        yield Part("figure", figure, plots.described(figure), explorer=data.get(explorer_code.MIME))
    elif WIDGET in data:
        yield Part("widget", None)
    elif picture := next((kind for kind in PICTURES if kind in data), None):
        yield Part("picture", _address(picture, _joined(data[picture])), _joined(data.get("text/plain", "")))
    elif "text/html" in data:
        if shown := tidy(sanitised(_joined(data["text/html"])).strip()):
            yield Part("html", shown)
    elif "text/markdown" in data:
        yield Part("html", rendered(with_minus(_joined(data["text/markdown"]))))
    elif "$" in (latex := _joined(data.get("text/latex", ""))):
        yield Part("html", rendered(latex))
    elif "text/plain" in data:
        yield Part("text", _plain(data["text/plain"]))


def _address(kind: str, content: str) -> str:
    """Write a picture as a data: address, in which an SVG runs nothing."""
    coded = base64.b64encode(content.encode()).decode() if kind.endswith("xml") else "".join(content.split())
    return f"data:{kind};base64,{coded}"


def _plain(text: str | list[str]) -> str:
    """Text without a terminal's colours."""
    return _ANSI.sub("", _joined(text))


def _joined(source: str | list[str]) -> str:
    """Join the lines of a source, which a notebook's file may keep apart."""
    return source if isinstance(source, str) else "".join(source)
