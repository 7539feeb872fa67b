"""Pages of reports: one HTML file each, which loads nothing and runs only its own scripts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from .._common.json_text import embedded
from ..analysis.claims import BEYOND, EVIDENCE, FAILS, HOLDS, RULES, UNDECIDED, UNTESTED, details_text
from ..analysis.headlines import headlines, verdicts_in_words
from ..figures import explorer_code
from . import plots
from .cells import Part, Story, story
from .result import Report
from .tables import MOST_ROWS, is_long, is_wide, number

SYMBOLS = {HOLDS: "✓", FAILS: "✗", UNDECIDED: "?", UNTESTED: "○"}
INDEX = "index.html"
CLASSES = {HOLDS: "holds", FAILS: "fails", UNDECIDED: "undecided", UNTESTED: "untested"}
_PACKAGE = __name__.rpartition(".")[0]
_HERE = resources.files(_PACKAGE)
_ROUNDING = 1e-6  # a tolerance that only allows for rounding is not shown
_DARK_COLOURS = "/* colours on dark paper */"


class Site(NamedTuple):
    """What the pages of one call share.

    Attributes:
        names: of all reports, in the order of their pages; none, and no page leads anywhere.
        paper: whether the notebooks are fastscale's own, on the paper; those of others carry their own titles alone.
    """

    names: Sequence[str] = ()
    paper: bool = True


ALONE = Site()


def render(report: Report, site: Site = ALONE) -> str:
    """Render the page of one report, as complete HTML.

    It shows findings first, or the central claims that its own claims are evidence of; then the cells with code folded,
    figures, parameters and verdicts. It leads to the index and to the pages before and after it. Its own scripts are
    named by their hash in a Content-Security-Policy, so no other runs, whatever a parameter contains.

    Arguments:
        report: to show.
        site: the pages that this is one of; default: none but this.
    """
    told = story(report.notebook, report.title)
    for cell in told.cells:
        cell.parts[:] = map(_drawn, cell.parts)
    _name_verdicts(told)
    verdicts = report.verdicts()
    failed = next((cell for cell in told.cells if cell.failed), None)
    parts = [part for cell in told.cells for part in cell.parts]
    return _page(
        "report.html.j2",
        parts,
        site,
        report.made,
        **{"report": report, "story": told, "failed": failed, "changed": report.changed},
        counts=Counter(verdicts["verdict"]),
        headlines=headlines(verdicts.assign(report=report.name)),
        ways=_ways(report.name, site.names),
        command=_command(report),
    )


def _name_verdicts(told: Story) -> None:
    """Give the first scorecard of a page the anchor that links lead to."""
    for cell in told.cells:
        for place, part in enumerate(cell.parts):
            if part.kind == "verdicts":
                cell.parts[place] = part._replace(label="verdicts")
                return


def _ways(name: str, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return label, address and name of the pages that a page leads to."""
    if name not in names:
        return []
    place = names.index(name)
    beside = [("before", place - 1), ("after", place + 1)]
    found = [(label, names[at]) for label, at in beside if 0 <= at < len(names)]
    return [("index", INDEX, "all reports"), *((label, quote(f"{each}.html"), each) for label, each in found)]


def _command(report: Report) -> str:
    """Return the command that makes a page again."""
    stem = report.notebook.parent.name.split(" ")[0]
    changed = [f"-p {shlex.quote(f'{name}={_value(report.parameters[name])}')}" for name in report.changed]
    return " ".join(["fastscale report --only", shlex.quote(stem), *changed])


def _drawn(part: Part) -> Part:
    """Draw a figure as SVG where that can be done; plotly draws the others in the page."""
    made = plots.drawing(part.content) if part.kind == "figure" else None
    return part._replace(kind="drawing", content=made) if made else part


def index(reports: Sequence[Report], site: Site = ALONE) -> str:
    """Render the page of all reports: failures, central claims, a card of each, and all claims."""
    rows = scorecard(reports)
    central = headlines(rows)
    kinds = [(kind, rows[rows["kind"] == kind]) for kind in (*EVIDENCE, UNTESTED, BEYOND)]
    failed = [each for each in reports if each.error]
    made = shared([each.made for each in reports])
    return _page(
        "index.html.j2",
        (),
        site,
        made,
        reports=[*failed, *(each for each in reports if not each.error)],
        failed=failed,
        kinds=[(kind, part) for kind, part in kinds if len(part)],
        counts=Counter(rows["verdict"]),
        headlines=central,
        judged=verdicts_in_words(central["verdict"]),
        beyond=int((rows["kind"] == BEYOND).sum()),
        made=made,
        cards={each.name: _card(each) for each in reports},
        leads=[(each, part) for each in reports if each.shown for part in _lead(each)],
    )


def _lead(report: Report) -> list[Part]:
    """Return what the cells tagged "lead" show, with figures drawn as SVG."""
    first = story(report.notebook, report.title).first  # sentences stand among the others, too
    found = [_drawn(part)._replace(explorer=None) for cell in first if cell.lead for part in cell.parts]
    return [part for part in found if part.kind in ("drawing", "html")]


def scorecard(reports: Sequence[Report]) -> pd.DataFrame:
    """Gather the verdicts of all reports: `claims.scorecard`, with the report, and kind.

    The kind is `BEYOND` for a claim beyond the paper, `UNTESTED` for one not tested, else the kind of evidence.
    """
    found = [(each, each.verdicts()) for each in reports]
    frames = [rows.assign(report=pd.Series([each] * len(rows), rows.index, dtype=object)) for each, rows in found]
    columns = ["scope", "evidence", "verdict"]
    rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    tested = rows["evidence"].where(rows["verdict"] != UNTESTED, UNTESTED)
    return rows.assign(kind=tested.where(rows["scope"] != BEYOND, BEYOND))


def shared(made: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the entries that are the same in all, and when they were made."""
    dates = sorted({each["date"] for each in made if "date" in each})
    first, *others = made or [{}]
    same = {label: text for label, text in first.items() if all(each.get(label) == text for each in others)}
    return {"date": " to ".join(dict.fromkeys([dates[0], dates[-1]])), **same} if dates else same


class Card(NamedTuple):
    """A report on the index: its page's address and size in MB, first figure, and verdicts."""

    address: str
    size: float
    picture: Part | None
    counts: Counter


def _card(report: Report) -> Card:
    cells = story(report.notebook, report.title).cells if report.shown else []
    figure = next((part for cell in cells for part in cell.parts if part.kind == "figure"), None)
    still = figure and plots.still(figure.content, 560)
    picture = figure._replace(content=still) if figure and still else None
    return Card(quote(report.page.name), report.size / 1e6, picture, Counter(report.verdicts()["verdict"]))


def _page(template: str, parts: Sequence[Part], site: Site, entries: Mapping[str, str], **content: Any) -> str:
    """Fill a template, with the scripts that its parts need; the footer says what made it."""
    by = [f"{label} {entries[label]}" for label in ("fastscale", "commit") if label in entries]
    undrawn = any(part.kind == "figure" for part in parts)
    scripts = [_text("page.js"), _text("drawings.js"), *([_plotly(), _text("figures.js")] if undrawn else [])]
    modules = [_explorer()] if any(part.explorer for part in parts) else []
    page = (
        _templates()
        .get_template(template)
        .render(
            **content,
            paper=site.paper,
            by=", ".join(by),
            scripts=[Markup(script) for script in scripts],
            modules=[Markup(module) for module in modules],
            allowed=" ".join(f"'sha256-{_hash(script)}'" for script in (*scripts, *modules)),
            style=Markup(_text("page.css") + _DARK_COLOURS),
        )
    )
    return page.replace(_DARK_COLOURS, f'@media screen {{ :root[data-theme="dark"] {{ {plots.dark_colours(page)} }} }}')


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader(_PACKAGE, "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.globals |= {
        "rules": RULES,
        "symbols": SYMBOLS,
        "classes": CLASSES,
        "untested": UNTESTED,
        "most_rows": MOST_ROWS,
    }
    made.filters |= {
        "harmless": Markup,  # what `cells` has sanitised
        "embedded": lambda value: Markup(embedded(value)),
        "number": number,
        "expected": _expected,
        "found": _found,
        "long": is_long,
        "wide": is_wide,
        "details": details_text,
        "short": _short,
        "value": _value,
    }
    return made


def _expected(paper: float, relation: str, tolerance: float) -> str:
    """Write the number that a claim expects with its tolerance, or the limit with it."""
    if tolerance <= _ROUNDING:
        return number(paper) if relation == "=" else f"{relation} {number(paper)}"
    if relation == "=":
        return f"{number(paper)} ± {number(tolerance)}"
    return f"≤ {number(paper + tolerance)}" if relation == "<" else f"≥ {number(paper - tolerance)}"


def _found(found: float, low: float, high: float) -> str:
    """Write a number with its interval, if it has one."""
    return number(found) + (f" ({number(low)} to {number(high)})" if pd.notna(low) and pd.notna(found) else "")


def _short(name: str) -> str:
    """Shorten a report's name to its notebook's number, and a grid's values."""
    return re.sub(r"^(\d+)_[^\s,]*", r"\1", name)


def _value(value: Any) -> str:
    """Write a parameter's value as on a command line."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)


@cache
def _text(name: str) -> str:
    return _HERE.joinpath(name).read_text("utf-8")


@cache
def _plotly() -> str:
    return get_plotlyjs()


@cache
def _explorer() -> str:
    return f"{explorer_code.script()}\nconst STYLE = {json.dumps(explorer_code.style())};\n{_text('explorer.js')}"


@cache
def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
